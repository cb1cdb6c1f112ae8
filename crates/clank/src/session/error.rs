//! What goes wrong in a session.

use std::fmt;

use clank_wire::payload::{Payload, PayloadBuf};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Arguments, parse};
use crate::client::ClientDisconnected;

/// An error of WAMP: what the server or a procedure answers, and what a procedure of the program's own
/// returns.
///
/// ```
/// use clank::session::Fault;
///
/// let fault = Fault::new("com.example.error.sold_out").message("come again tomorrow");
/// assert_eq!(fault.to_string(), "com.example.error.sold_out: come again tomorrow");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    uri: String,
    payload: PayloadBuf,
}

/// Why something that a session asked for was not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The server does not let the client in.
    #[error("{0}")]
    Refused(String),
    /// The server does not let the client join the realm, or has ended the session, with this reason.
    #[error("{reason}: {message}")]
    Aborted {
        /// The reason as a URI.
        reason: String,
        /// The same in words.
        message: String,
    },
    /// The request was answered with an error.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The connection has ended.
    #[error(transparent)]
    Disconnected(#[from] ClientDisconnected),
    /// Arguments or results are not what the types say.
    #[error("{0}")]
    Json(String),
    /// So many events were lost, because they were not taken in time.
    #[error("{0} events were lost")]
    Lost(u64),
    /// The subscription has ended.
    #[error("the subscription has ended")]
    Over,
}

impl Fault {
    /// An error without arguments.
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), payload: PayloadBuf::default() }
    }

    /// The same, with words for people as its only argument.
    #[must_use]
    pub fn message(self, message: &str) -> Self {
        Self { payload: PayloadBuf::from_error(message, None), ..self }
    }

    /// The same, with these arguments. Those that can't be JSON are left out.
    #[must_use]
    pub fn arguments<T: Serialize + ?Sized>(self, arguments: &T) -> Self {
        let arguments = Arguments::of(arguments);
        let payload = arguments.payload().map(|payload| payload.to_buf());
        Self { payload: payload.unwrap_or_default(), ..self }
    }

    /// What error it is.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Its first argument, if that is text.
    pub fn description(&self) -> Option<String> {
        self.payload.as_payload().split_description().0.map(Into::into)
    }

    /// Its arguments.
    ///
    /// # Errors
    /// When they are not what the type says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse(&self.payload)?)
    }

    pub(super) fn received(uri: &str, payload: Payload<'_>) -> Self {
        Self { uri: uri.to_owned(), payload: payload.to_buf() }
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        self.payload.as_payload()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.description() {
            Some(description) => write!(f, "{}: {description}", self.uri),
            None => f.write_str(&self.uri),
        }
    }
}

impl std::error::Error for Fault {}

impl SessionError {
    /// The error that the request was answered with, if it was.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for SessionError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}
