//! Where the project lies and what Cargo and Git know about it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::{Result, process};

/// The checked-out project.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// What `cargo metadata` tells about one package, as far as the rules ask.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// `None` for packages of this workspace.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a package's dependency tables.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Workspace {
    /// The workspace that this program was built in.
    ///
    /// # Errors
    /// The sources are no longer where they were.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
        match root {
            Some(root) if root.join("Cargo.toml").exists() => Ok(Self { root }),
            _ => Err("the workspace that xtask was built in is gone: build it anew".to_owned()),
        }
    }

    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the workspace.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A Cargo command at the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        // Set by Cargo for what it runs; the same toolchain must run the steps.
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        process::command(&self.root, &cargo, arguments)
    }

    /// All packages that the lock file can bring in, on any platform.
    ///
    /// # Errors
    /// Cargo fails, for instance because the lock file is out of date.
    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
        }
        let json = process::output(&mut self.cargo(&["metadata", "--locked", "--format-version", "1"]))?;
        let metadata: Metadata =
            serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(metadata.packages)
    }

    /// Where Cargo puts what it builds.
    ///
    /// # Errors
    /// Cargo fails.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        #[derive(Deserialize)]
        struct Metadata {
            target_directory: PathBuf,
        }
        let json = process::output(&mut self.cargo(&[
            "metadata",
            "--locked",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let metadata: Metadata =
            serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(metadata.target_directory)
    }

    /// The paths, from the root, of all files under version control or about to be.
    ///
    /// # Errors
    /// Git fails.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = process::output(&mut process::command(&self.root, "git", &arguments))?;
        let mut files: Vec<String> =
            listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.retain(|name| self.path(name).is_file()); // deleted, but not yet committed
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// A file's text, or `None` if it is not text.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn text(&self, relative: &str) -> Result<Option<String>> {
        let bytes = std::fs::read(self.path(relative)).map_err(|error| format!("{relative}: {error}"))?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
    }
}
