//! Small by nature: a source file stays near 300 lines and under 500 without its tests.

use crate::Result;
use crate::workspace::Workspace;

use super::source::{is_source, without_tests};
use super::verdict;

const WARN_LINES: usize = 300;
const MAX_LINES: usize = 500;

/// Files that may be longer, each with the reason. Splitting comes first.
const LONG: &[(&str, &str)] = &[];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let mut findings = Vec::new();
    let (mut count, mut lines_in_all) = (0, 0);
    for path in workspace.files()?.iter().filter(|path| is_source(path)) {
        let text = workspace.text(path)?.unwrap_or_default();
        let lines = without_tests(&text).lines().count();
        count += 1;
        lines_in_all += lines;
        let excused = LONG.iter().any(|(name, _)| name == path);
        if lines > MAX_LINES && !excused {
            findings.push(format!("{path}: {lines} lines without its tests (most: {MAX_LINES})"));
        } else if lines <= MAX_LINES && excused {
            findings.push(format!("{path}: short again; take it out of LONG"));
        } else if lines > WARN_LINES {
            println!("  warning: {path} has {lines} lines without its tests (aim: {WARN_LINES})");
        }
    }
    verdict(format!("{count} files, {lines_in_all} lines"), "files of the wrong size:", &findings)
}
