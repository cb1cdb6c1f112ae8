//! One process to a directory, and a disk that can be trusted below it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::OpenError;

/// Keeps other processes out of a directory for as long as it lives. The system opens the lock's
/// file as close-on-exec: no child inherits it.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks `directory`, which is made if there is none: records hold personal data, so nobody else
    /// may look into it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(OpenError::io(directory))?;
        judge_file_system(directory)?;
        let path = directory.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(OpenError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => Err(OpenError::Io { file: path, error }),
        }
    }
}

fn judge_file_system(directory: &Path) -> Result<(), OpenError> {
    let file = File::open(directory).map_err(OpenError::io(directory))?;
    let found = rustix::fs::fstatfs(&file)
        .map_err(|error| OpenError::Io { file: directory.to_owned(), error: error.into() })?;
    // the type is a C long, whose width and sign differ between machines; the low half is what counts
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low half is wanted")]
    let number = found.f_type as u32;
    match Trust::of(number) {
        Trust::Full => Ok(()),
        Trust::Doubtful(why) => {
            tracing::warn!(directory = %directory.display(), "the journal lies on {why}");
            Ok(())
        }
        Trust::None(system) => Err(OpenError::Network { directory: directory.to_owned(), system }),
    }
}

/// What a file system's promises are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Full,
    /// It works, and may lose everything.
    Doubtful(&'static str),
    /// A lock or a sync may mean nothing there.
    None(&'static str),
}

impl Trust {
    /// Judges a file system by its number in statfs(2).
    const fn of(number: u32) -> Self {
        match number {
            0x6969 => Self::None("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Self::None("SMB"),
            0x564c => Self::None("NCP"),
            0x5346_414f | 0x6b41_4653 => Self::None("AFS"),
            0x7375_7245 => Self::None("Coda"),
            0x00c3_6400 => Self::None("Ceph"),
            0x0102_1997 => Self::None("9P"),
            0x0bd0_0bd0 => Self::None("Lustre"),
            0x4750_4653 => Self::None("GPFS"),
            0x0102_1994 => Self::Doubtful("tmpfs: it is gone when the machine stops"),
            0x8584_58f6 => Self::Doubtful("ramfs: it is gone when the machine stops"),
            0x794c_7630 => Self::Doubtful("overlayfs: it is commonly gone with its container"),
            0x6573_5546 => Self::Doubtful("FUSE: what a sync means there is unknown"),
            _ => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::rig::Directory;
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let directory = Directory::new();
        let first = DirectoryLock::take(directory.path()).unwrap();
        let error = DirectoryLock::take(directory.path()).unwrap_err().to_string();
        let expected = format!("the journal in {} is in use by another process", directory.path().display());
        assert_eq!(error, expected);
        drop(first);
        DirectoryLock::take(directory.path()).unwrap();
    }

    #[test]
    fn file_systems_are_trusted_as_they_deserve() {
        assert_eq!(Trust::of(0xef53), Trust::Full);
        assert_eq!(Trust::of(0x6969), Trust::None("NFS"));
        assert!(matches!(Trust::of(0x0102_1994), Trust::Doubtful(_)));
    }
}
