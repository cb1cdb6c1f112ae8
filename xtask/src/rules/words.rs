//! What no file may say: tests switched off or singled out, paths of the machine it was written on, merge conflicts.

use std::path::Path;

use crate::Result;
use crate::workspace::Workspace;

use super::verdict;

/// Put together at compile time, so that this file does not find itself.
const FORBIDDEN: &[(&[&str], &str, &str)] = &[
    (&["rs"], concat!("#[", "ignore"), "a test that does not run proves nothing"),
    (&["js", "mjs", "ts"], concat!("test", ".skip"), "a test that does not run proves nothing"),
    (&["js", "mjs", "ts"], concat!("it", ".skip("), "a test that does not run proves nothing"),
    (&["js", "mjs", "ts"], concat!("describe", ".skip"), "a test that does not run proves nothing"),
    (&["js", "mjs", "ts"], concat!("test", ".only("), "the other tests would not run"),
    (&["js", "mjs", "ts"], concat!("describe", ".only("), "the other tests would not run"),
    (&[], concat!("<<<<", "<<< "), "a merge conflict"),
    (&[], concat!(">>>>", ">>> "), "a merge conflict"),
];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let machine = machine_paths(workspace.root());
    let files = workspace.files()?;
    let mut findings = Vec::new();
    for path in &files {
        // What is built is checked where it is written.
        let Some(text) = workspace.text(path)?.filter(|_| !path.contains("/dist/")) else {
            continue;
        };
        let extension =
            Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            let said = FORBIDDEN
                .iter()
                .filter(|(extensions, word, _)| {
                    (extensions.is_empty() || extensions.contains(&extension)) && line.contains(word)
                })
                .map(|(_, word, reason)| format!("`{word}`: {reason}"));
            let named = machine
                .iter()
                .filter(|folder| names_path(line, folder))
                .map(|folder| format!("`{folder}`: a path of this machine"));
            findings.extend(said.chain(named).map(|finding| format!("{path}:{}: {finding}", number + 1)));
        }
    }
    verdict(format!("{} files", files.len()), "forbidden words:", &findings)
}

/// Folders that only this machine has: the checkout's own, the user's, and those of other users.
fn machine_paths(root: &Path) -> Vec<String> {
    let mut paths = vec![
        concat!("/ho", "me/").to_owned(),
        concat!("/Us", "ers/").to_owned(),
        concat!("/ro", "ot/").to_owned(),
    ];
    // A checkout at `/src` would make every `/src/` in a text look like it.
    if root.components().count() > 2 {
        paths.push(root.display().to_string());
    }
    paths.extend(std::env::var("HOME").ok().filter(|home| home.len() > 1).map(|home| format!("{home}/")));
    paths.sort();
    paths.dedup();
    paths
}

/// Whether a line holds an absolute path that begins so, not a relative one or an address that goes on so.
fn names_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"_-.*}{)]$~/".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_count() {
        assert!(names_path("see /data/clank/src/lib.rs", "/data/clank"));
        assert!(names_path("\"/data/clank\"", "/data/clank"));
        assert!(!names_path("my/data/clank", "/data/clank"));
        assert!(!names_path("https://example.com/data/clank", "/data/clank"));
    }
}
