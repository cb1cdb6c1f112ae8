//! Lock files: one for Cargo, one beside each `package.json`, none that names where packages were fetched from.

use crate::Result;
use crate::workspace::Workspace;

use super::verdict;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Cargo locks that are not the workspace's: `cargo fuzz` wants a workspace of its own.
const OTHER_CARGO_LOCKS: &[&str] = &["fuzz/Cargo.lock"];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let files = workspace.files()?;
    let mut findings = Vec::new();

    if let Err(error) = workspace.packages() {
        findings.push(format!("Cargo.lock is out of date: {error}"));
    }
    for path in files.iter().filter(|path| path.ends_with("Cargo.lock")) {
        if path != "Cargo.lock" && !OTHER_CARGO_LOCKS.contains(&path.as_str()) {
            findings.push(format!("{path}: the workspace has one Cargo.lock, at its root"));
        }
        let text = workspace.text(path)?.unwrap_or_default();
        let sources = text
            .lines()
            .filter_map(|line| line.strip_prefix("source = \""))
            .map(|line| line.trim_end_matches('"'));
        findings.extend(
            sources
                .filter(|source| *source != CRATES_IO)
                .map(|source| format!("{path}: {source} is not crates.io")),
        );
    }

    let packages = files.iter().filter(|path| *path == "package.json" || path.ends_with("/package.json"));
    for path in packages {
        let lock = path.replace("package.json", "package-lock.json");
        if !files.contains(&lock) {
            findings.push(format!("{lock} is missing"));
        }
    }
    for path in files.iter().filter(|path| path.ends_with("package-lock.json")) {
        let text = workspace.text(path)?.unwrap_or_default();
        let hosts = text.lines().filter(|line| line.contains("\"resolved\": \"http")).count();
        if hosts > 0 {
            findings.push(format!("{path}: {hosts} entries name a registry; `npm install --omit-lockfile-registry-resolved` leaves them out"));
        }
    }
    verdict(String::new(), "faults in lock files:", &findings)
}
