//! The directory of a server's workers: their sockets, and the bundle where it is the program's own.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The bundle's files, by their names in its directory.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));
/// The program that a worker runs, in the bundle's directory.
const WORKER: &str = "bin/worker.php";
/// What a socket's name may be long, with some room for its own part.
const SHORT: usize = 80;

/// A directory that only this user can look into. It goes when this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    worker: PathBuf,
    /// Whoever clears away what is old passes over a directory that is locked.
    _lock: File,
}

impl Directory {
    /// Makes the directory, with the program's bundle unless another is named.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn make(bundle: Option<&Path>) -> io::Result<Self> {
        let path = make_private(&std::env::temp_dir())?;
        let lock = File::open(&path)?;
        lock.lock_shared()?;
        let mut directory = Self { worker: PathBuf::new(), path, _lock: lock };
        directory.worker = match bundle {
            Some(bundle) => std::path::absolute(bundle)?.join(WORKER),
            None => directory.unpack()?.join(WORKER),
        };
        Ok(directory)
    }

    /// What PHP is to run.
    pub(super) fn worker(&self) -> &Path {
        &self.worker
    }

    /// The socket of one life of a worker.
    pub(super) fn socket(&self, slot: usize, generation: u64) -> PathBuf {
        self.path.join(format!("{slot}-{generation}.sock"))
    }

    fn unpack(&self) -> io::Result<PathBuf> {
        let bundle = self.path.join("bundle");
        for (name, text) in FILES {
            let file = bundle.join(name);
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(file, text)?;
        }
        Ok(bundle)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // If it stays, it is in the way of nobody.
        _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A new directory below `parent`, or below `/tmp` if a socket's name would be too long there.
fn make_private(parent: &Path) -> io::Result<PathBuf> {
    let parent = if parent.as_os_str().len() < SHORT { parent } else { Path::new("/tmp") };
    for attempt in 0..100 {
        let path = parent.join(format!("clank-{}-{attempt}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_bundle_is_unpacked_where_nobody_else_looks_and_goes_with_its_server() {
        let (one, two) = (Directory::make(None).unwrap(), Directory::make(None).unwrap());
        assert_ne!(one.path, two.path);
        assert_eq!(std::fs::metadata(&one.path).unwrap().permissions().mode() & 0o777, 0o700);
        for (name, text) in FILES {
            assert_eq!(std::fs::read_to_string(one.path.join("bundle").join(name)).unwrap(), *text);
        }
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists());
    }

    #[test]
    fn a_bundle_that_is_named_takes_its_place() {
        let directory = Directory::make(Some(Path::new("/opt/bundle"))).unwrap();
        assert_eq!(directory.worker(), Path::new("/opt/bundle/bin/worker.php"));
        assert!(!directory.path.join("bundle").exists());
    }
}
