//! What was wrong with a message, in words that its sender can act on.

use super::{Excerpt, MessageType};
use crate::json::SyntaxError;

/// Why a frame is no message of WAMP v1, or none that its sender may send.
///
/// The words name what was wrong, where, and what was expected. Of what the peer sent they repeat
/// an [`Excerpt`] at most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The text is not JSON, or nests too deep.
    #[error("a WAMP message is JSON: {0}")]
    Json(#[from] SyntaxError),
    /// The text is JSON but no array.
    #[error("a WAMP message is a JSON array that begins with its type, got {0}")]
    NotArray(Excerpt),
    /// The array doesn't begin with one of the nine types.
    #[error("a WAMP v1 message begins with its type, an integer from 0 to 8, got {0}")]
    Type(Excerpt),
    /// The message exists, but is for the other side to send.
    #[error("{message} is a message that only a {sender} sends")]
    Direction {
        /// The message.
        message: MessageType,
        /// Who may send it: `client` or `server`.
        sender: &'static str,
    },
    /// An element is missing or not of the kind that the message needs.
    #[error("{message} needs {needs} as its {} element, got {got}", ordinal(*.index))]
    Element {
        /// The message.
        message: MessageType,
        /// Which element, counted from zero, the type being number zero.
        index: usize,
        /// What the message needs there, such as `a topic URI`.
        needs: &'static str,
        /// What stands there.
        got: Excerpt,
    },
    /// The frame is binary.
    #[error("WAMP v1 is spoken in text frames, got a binary frame")]
    Binary,
}

fn ordinal(index: usize) -> &'static str {
    ["first", "second", "third", "fourth", "fifth"].get(index).copied().unwrap_or("last")
}
