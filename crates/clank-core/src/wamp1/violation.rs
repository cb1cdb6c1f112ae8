//! What a client did wrong, and what becomes of it.

use clank_wire::wamp1::{Malformed, MessageType};

use super::OnMalformed;
use crate::topic::InvalidUri;

/// A client broke the rules: how, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Violation {
    /// What it did.
    pub fault: Fault,
    /// What to do with its connection.
    pub action: Action,
}

/// What to do with the connection of a client that broke the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Close it, with this code (RFC 6455, 7.4.1).
    Close(u16),
    /// Tell the application, ignore the message and go on.
    Report,
}

/// What a client did wrong, in words that it may be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It sent what is no message of WAMP v1, or one that only servers send.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A topic or procedure has an impossible URI.
    #[error("the URI of {message} {error}")]
    Uri {
        /// The message that it came in.
        message: MessageType,
        /// What is wrong with it.
        error: InvalidUri,
    },
    /// The id of a call is too long.
    #[error("the id of CALL has {bytes} bytes, more than the limit of {max_bytes}")]
    CallIdTooLong {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        max_bytes: usize,
    },
    /// It defined too many prefixes.
    #[error("PREFIX would define more prefixes than the limit of {max}")]
    TooManyPrefixes {
        /// How many a session may define.
        max: usize,
    },
    /// Its prefixes take too much room.
    #[error("PREFIX would bring the prefixes to {bytes} bytes, more than the limit of {max_bytes}")]
    PrefixesTooLong {
        /// How many bytes they would have.
        bytes: usize,
        /// How many they may have.
        max_bytes: usize,
    },
    /// A PUBLISH lists too many sessions.
    #[error("the {what} list of PUBLISH has {count} sessions, more than the limit of {max}")]
    TooManySessions {
        /// Which list: `exclude` or `eligible`.
        what: &'static str,
        /// How many are on it.
        count: usize,
        /// How many may be on it.
        max: usize,
    },
}

impl Fault {
    /// The code with which a connection is closed for it.
    ///
    /// | fault | code |
    /// |---|---|
    /// | no JSON, no message of WAMP v1, an element of the wrong kind | 1007, as Ratchet 0.4 |
    /// | a message that only servers send (types 0, 3, 4 and 8) | 1007, as Ratchet 0.4, which doesn't tell it from an unknown type |
    /// | an empty URI, or one with control characters | 1007, being an element of the wrong kind |
    /// | a binary frame | 1003, the code that RFC 6455 has for it; Ratchet took it for text |
    /// | a limit of [`super::Options`] was passed | 1008; Ratchet has no such limits |
    ///
    /// Nothing closes 1002: WAMP v1 has no state in which a message that clients may send would
    /// be out of place.
    pub const fn close_code(&self) -> u16 {
        match self {
            Fault::Malformed(Malformed::Binary) => 1003,
            Fault::Malformed(_)
            | Fault::Uri { error: InvalidUri::Empty | InvalidUri::Control { .. }, .. } => 1007,
            Fault::Uri { error: InvalidUri::TooLong { .. }, .. }
            | Fault::CallIdTooLong { .. }
            | Fault::TooManyPrefixes { .. }
            | Fault::PrefixesTooLong { .. }
            | Fault::TooManySessions { .. } => 1008,
        }
    }
}

impl Violation {
    pub(super) fn new(fault: Fault, on_malformed: OnMalformed) -> Self {
        let action = match on_malformed {
            OnMalformed::Close => Action::Close(fault.close_code()),
            OnMalformed::Report => Action::Report,
        };
        Violation { fault, action }
    }

    /// The words as a close frame has room for them: 123 bytes (RFC 6455, 5.5).
    pub fn close_reason(&self) -> String {
        const MAX_BYTES: usize = 123;
        const CUT: &str = "…";
        let mut reason = self.to_string();
        if reason.len() > MAX_BYTES {
            let boundaries = reason.char_indices().map(|(at, _)| at);
            let end = boundaries.take_while(|at| *at <= MAX_BYTES - CUT.len()).last();
            reason.truncate(end.unwrap_or(0));
            reason.push_str(CUT);
        }
        reason
    }
}
