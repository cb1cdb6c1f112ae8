//! Dependency direction: wire <- core <- { clank, journal, engines } <- server.

use crate::workspace::{Package, Workspace};
use crate::{Result, process};

use super::verdict;

/// Each crate of ours and the crates of ours that it may depend on; a crate missing here is refused.
const DIRECTION: &[(&str, &[&str])] = &[
    ("clank-wire", &[]),
    ("clank-sys", &[]),
    ("clank-core", &["clank-wire"]),
    ("clank", &["clank-core", "clank-sys", "clank-wire"]),
    ("clank-journal", &["clank-core", "clank-wire"]),
    ("clank-engines", &["clank-core", "clank-wire"]),
    ("clank-server", &["clank", "clank-core", "clank-engines", "clank-journal", "clank-wire"]),
    ("clank-bench", &["clank", "clank-wire"]),
    ("clank-testkit", &["clank", "clank-core", "clank-journal", "clank-wire"]),
    ("xtask", &[]),
];

const PURE: &[&str] = &["clank-wire", "clank-core"];

/// What must be nowhere below a pure crate: runtimes, sockets, clocks, randomness.
const IMPURE: &[&str] = &[
    "async-std",
    "axum",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "polling",
    "rand",
    "rand_core",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tokio-util",
    "tracing-subscriber",
];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let packages = workspace.packages()?;
    let ours: Vec<&Package> = packages.iter().filter(|package| package.source.is_none()).collect();
    let mut findings: Vec<String> =
        ours.iter().flat_map(|package| against_direction(package, &ours)).collect();
    for name in PURE {
        findings.extend(impurities(workspace, name)?);
    }
    verdict(format!("{} crates", ours.len()), "forbidden dependencies:", &findings)
}

fn against_direction(package: &Package, ours: &[&Package]) -> Vec<String> {
    let Some((_, allowed)) = DIRECTION.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{}: no rule says what it may depend on; add it to DIRECTION", package.name)];
    };
    package
        .dependencies
        .iter()
        // Tests may look down from anywhere.
        .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
        .filter(|dependency| ours.iter().any(|other| other.name == dependency.name))
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| format!("{} must not depend on {}", package.name, dependency.name))
        .collect()
}

/// Asks `cargo tree` rather than the metadata: only there are features those of this crate alone.
fn impurities(workspace: &Workspace, name: &str) -> Result<Vec<String>> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        name,
        "--all-features",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let tree = process::output(&mut workspace.cargo(&arguments))?;
    let below = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut findings: Vec<String> = below
        .filter(|dependency| IMPURE.contains(dependency))
        .map(|dependency| {
            format!(
                "{name} is pure and must not bring in {dependency}; `cargo tree -p {name} -i {dependency}` shows how"
            )
        })
        .collect();
    findings.sort();
    findings.dedup();
    Ok(findings)
}
