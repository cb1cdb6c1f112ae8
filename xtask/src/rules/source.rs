//! Which files are source, and where in them the tests begin.

use std::path::Path;

/// Folders whose files are tests, or written by a program.
const NOT_SOURCE: &[&str] = &["tests", "test", "benches", "model", "e2e", "dist", "node_modules", "corpus"];

/// Whether a file of ours holds code that ships, by its name.
pub(super) fn is_source(path: &str) -> bool {
    let known = ["rs", "ts", "js", "mjs", "py", "php"];
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| known.contains(&extension))
        && !path.split('/').any(|part| NOT_SOURCE.contains(&part))
        && !path.ends_with("/tests.rs")
}

/// The part of a file before its tests, which by our habit stand last.
pub(super) fn without_tests(text: &str) -> &str {
    for module in ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test, not(feature = \"shuttle\")))]\nmod "] {
        match text.find(module) {
            // `mod tests;` has its tests elsewhere, and the file may go on.
            Some(at) if text[at + module.len()..].lines().next().is_some_and(|line| line.ends_with('{')) => {
                return &text[..=at];
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_are_left_out() {
        assert_eq!(without_tests("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    x\n}\n"), "fn a() {}\n\n");
        assert_eq!(
            without_tests("fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n"),
            "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n"
        );
        assert_eq!(without_tests("fn a() {}\n"), "fn a() {}\n");
    }

    #[test]
    fn tests_and_generated_files_are_no_source() {
        assert!(is_source("crates/clank/src/lib.rs"));
        assert!(is_source("js/clank/src/index.ts"));
        assert!(!is_source("crates/clank/tests/echo.rs"));
        assert!(!is_source("crates/clank/src/hub/tests.rs"));
        assert!(!is_source("js/clank/dist/clank.js"));
        assert!(!is_source("README.md"));
    }
}
