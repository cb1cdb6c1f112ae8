//! What a log asks of the disk. Tests put faults in between.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Files in one directory.
pub(crate) trait Disk: Send {
    /// Makes a file. `space` bytes are taken for it in advance, where the file system can do that
    /// and has them.
    fn create(&self, path: &Path, space: u64) -> io::Result<Box<dyn Output>>;

    /// Opens a file to go on writing.
    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Output>>;

    /// Removes a file; that there is none is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes durable which files there are.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// A file that is written.
pub(crate) trait Output: Send {
    /// Writes some of `bytes`, and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes durable what was written.
    fn sync(&self) -> io::Result<()>;

    /// Cuts off what lies behind `length`.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// Writes all of `bytes`.
pub(crate) fn write_all(output: &dyn Output, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether there is room again once somebody has made some.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The disk as it is.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path, space: u64) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        if space > 0 {
            // without it all works as well, only more slowly
            let _ = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, space);
        }
        Ok(Box::new(file))
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(OpenOptions::new().write(true).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}

impl Output for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
