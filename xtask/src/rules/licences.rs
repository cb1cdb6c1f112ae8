//! Licences of everything that Cargo and npm bring in, read from what the packages say of themselves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Result;
use crate::workspace::Workspace;

use super::verdict;

const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Packages of npm under other licences, each with the reason why that does no harm.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let mut findings = Vec::new();
    let packages = workspace.packages()?;
    for package in &packages {
        let licence = package.license.as_deref();
        findings.extend(judge(&format!("{} {}", package.name, package.version), licence));
    }

    let mut from_npm = 0;
    for path in workspace.files()?.iter().filter(|path| path.ends_with("package-lock.json")) {
        let text = workspace.text(path)?.unwrap_or_default();
        let lock: NpmLock = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        // The entry without a name is the package that the lock file belongs to.
        for (name, package) in lock.packages.iter().filter(|(name, _)| !name.is_empty()) {
            from_npm += 1;
            if EXCEPTIONS.iter().all(|(excepted, _)| name != excepted) {
                findings.extend(judge(&format!("{path}: {name}"), package.license.as_deref()));
            }
        }
    }
    verdict(
        format!("{} crates, {from_npm} npm packages", packages.len()),
        "licences that are not allowed:",
        &findings,
    )
}

#[derive(Deserialize)]
struct NpmLock {
    packages: BTreeMap<String, NpmPackage>,
}

#[derive(Deserialize)]
struct NpmPackage {
    license: Option<String>,
}

fn judge(name: &str, licence: Option<&str>) -> Option<String> {
    match licence {
        Some(expression) if allows(expression) => None,
        Some(expression) => Some(format!("{name}: {expression}")),
        None => Some(format!("{name}: says nothing")),
    }
}

/// Whether an SPDX expression can be met with the allowed licences alone.
///
/// `AND` binds tighter than `OR`; an exception (`WITH`) only ever adds permissions, so its licence decides.
/// Anything that cannot be parsed is refused.
fn allows(expression: &str) -> bool {
    // Old crates separate alternatives by a slash.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = Tokens { rest: spaced.split_whitespace().peekable() };
    tokens.alternatives() == Some(true) && tokens.rest.next().is_none()
}

struct Tokens<'a, I: Iterator<Item = &'a str>> {
    rest: std::iter::Peekable<I>,
}

impl<'a, I: Iterator<Item = &'a str>> Tokens<'a, I> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut allowed = self.conjunction()?;
        while self.rest.next_if_eq(&"OR").is_some() {
            allowed |= self.conjunction()?;
        }
        Some(allowed)
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut allowed = self.licence()?;
        while self.rest.next_if_eq(&"AND").is_some() {
            allowed &= self.licence()?;
        }
        Some(allowed)
    }

    fn licence(&mut self) -> Option<bool> {
        if self.rest.next_if_eq(&"(").is_some() {
            let allowed = self.alternatives()?;
            return self.rest.next_if_eq(&")").map(|_| allowed);
        }
        let allowed = ALLOWED.contains(&self.rest.next()?);
        if self.rest.next_if_eq(&"WITH").is_some() {
            self.rest.next()?;
        }
        Some(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_alternative_is_enough() {
        for expression in [
            "MIT",
            "GPL-2.0 OR MIT",
            "MIT/GPL-3.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(allows(expression), "{expression}");
        }
    }

    #[test]
    fn every_part_of_a_conjunction_is_needed() {
        for expression in
            ["GPL-3.0", "MIT AND GPL-2.0", "GPL-2.0 OR MIT AND LGPL-3.0", "(MIT OR ISC) AND AGPL-3.0"]
        {
            assert!(!allows(expression), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "SEE LICENSE IN FILE"] {
            assert!(!allows(expression), "{expression}");
        }
    }
}
