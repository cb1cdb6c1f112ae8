//! Checks that read the tree and the dependency graph, and run nothing.

pub(crate) mod dependencies;
pub(crate) mod licences;
pub(crate) mod lockfiles;
pub(crate) mod purity;
pub(crate) mod sizes;
mod source;
pub(crate) mod words;

use crate::Result;

/// A note if nothing was found, else one line for each finding below a heading.
fn verdict(note: String, heading: &str, findings: &[String]) -> Result<String> {
    if findings.is_empty() {
        Ok(note)
    } else {
        Err(format!("{} {heading}\n  {}", findings.len(), findings.join("\n  ")))
    }
}
