//! The part of a document that a program writes.

use std::fs;
use std::path::Path;

use super::Report;
use crate::Result;

const BEGIN: &str = "<!-- clank-bench writes from here -->";
const END: &str = "<!-- to here -->";
const DOCUMENT: &str = "performance.md";
const PLOT: &str = "performance.svg";

/// Writes the report into the folder of the documentation.
///
/// # Errors
/// If the document has no place for it.
pub(crate) fn write(report: &Report<'_>, docs: &Path) -> Result {
    let path = docs.join(DOCUMENT);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let renewed = replace(&text, &report.markdown(Some(PLOT)))
        .ok_or_else(|| format!("{}: no lines `{BEGIN}` and `{END}`", path.display()))?;
    fs::write(docs.join(PLOT), report.svg())?;
    Ok(fs::write(path, renewed)?)
}

/// Puts a section between the marks, in place of what is there.
fn replace(text: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("# Head\n\n{BEGIN}\nold\n{END}\n\ntail\n");
        let once = replace(&text, "new\n").unwrap();
        assert_eq!(once, format!("# Head\n\n{BEGIN}\n\nnew\n\n{END}\n\ntail\n"));
        assert_eq!(replace(&once, "new").unwrap(), once);
        for text in ["", BEGIN, END] {
            assert_eq!(replace(text, "new"), None);
        }
    }

    #[test]
    fn the_documentation_has_a_place_for_it() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let text = fs::read_to_string(docs.join(DOCUMENT)).unwrap();
        assert!(replace(&text, "").is_some());
    }
}
