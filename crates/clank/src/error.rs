//! What goes wrong in application code, and in starting a server.

use std::fmt;
use std::io;

/// What application code returns: `Ok(())`, or any error, which `?` turns into an [`Error`].
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// An error of application code: any error, or words.
///
/// It becomes a `clank.client.error` event whose message is the error's text.
///
/// ```
/// fn port(text: &str) -> clank::Result<u16> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("x").unwrap_err().to_string(), "invalid digit found in string");
/// assert_eq!(clank::Error::new("no such room").to_string(), "no such room");
/// ```
pub struct Error(Box<dyn std::error::Error + Send + Sync>);

impl Error {
    /// An error that is nothing but words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// `Error` is no `std::error::Error` itself: this conversion would overlap with `From<T> for T`.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, not this machine's, or may not be used by this user.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address that was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no threads or no descriptors.
    #[error("can't start the workers: {0}")]
    Workers(#[from] io::Error),
    /// The journal can't be written.
    #[error(transparent)]
    Journal(#[from] clank_core::journal::CannotBegin),
    /// A cron expression is none.
    #[error("`{expression}` is no cron expression: {message}")]
    Cron {
        /// The expression as it was given.
        expression: String,
        /// What is wrong with it.
        message: String,
    },
}
