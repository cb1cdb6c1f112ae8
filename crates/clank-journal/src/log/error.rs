//! Why a log cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("the journal in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Its directory lies on a file system whose promises over a network are not enough.
    #[error("the journal in {} would lie on a network file system ({system}); it needs a local disk", .directory.display())]
    Network {
        /// The directory.
        directory: PathBuf,
        /// The file system's name.
        system: &'static str,
    },
    /// A record is damaged that was safe on the disk once, or a part of the log is missing.
    #[error("the journal is damaged: {}, at byte {offset}: {what}; `clank journal repair` makes it usable", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// It was written by another version of the program.
    #[error("{} has format {version}, which this version of Clank does not know", .file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its format.
        version: u32,
    },
    /// The system refused something.
    #[error("{}: {error}", .file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl OpenError {
    /// Says of an error of the system to which file it belongs.
    pub(crate) fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { file: file.to_owned(), error }
    }
}
