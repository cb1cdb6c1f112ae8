//! What was wrong with a message, in words that its sender can act on.

use super::{Excerpt, MessageType};
use crate::serializer::{Kind, Serializer, Span, SyntaxError};

/// Why bytes are no message of WAMP v2, or none that their sender may send.
///
/// The words are the same in each serializer. Of what the peer sent they repeat an [`Excerpt`] of a
/// scalar at most. All are protocol violations (specification: "Protocol Errors").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are no value of the serializer, or nest too deep.
    #[error("a WAMP message is {serializer}: {error}")]
    Syntax {
        /// The serializer that was agreed on.
        serializer: Serializer,
        /// What is wrong, and where.
        error: SyntaxError,
    },
    /// The value is no list.
    #[error("a WAMP message is a list that begins with its type, got {0}")]
    NotList(Excerpt),
    /// The list doesn't begin with the number of a message.
    #[error("a WAMP v2 message begins with the number of its type, got {0}")]
    Type(Excerpt),
    /// The message exists, but is for the other side to send.
    #[error("{message} is a message that only a {sender} sends")]
    Direction {
        /// The message.
        message: MessageType,
        /// Who may send it: `client` or `router`.
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
    /// An attribute in the options or details is missing or of the wrong kind.
    #[error("{message} needs {needs} as its attribute '{name}', got {got}")]
    Attribute {
        /// The message.
        message: MessageType,
        /// The name of the attribute.
        name: Box<str>,
        /// What the message needs there, such as `a boolean`.
        needs: &'static str,
        /// What stands there.
        got: Excerpt,
    },
}

/// What stands in a place, in words: a scalar as JSON, of anything else what it is.
pub(super) fn describe(span: Option<Span<'_>>) -> Excerpt {
    let Some(span) = span else { return Excerpt::new("nothing") };
    match span.kind() {
        Kind::List => Excerpt::new("a list"),
        Kind::Map => Excerpt::new("a dictionary"),
        Kind::Binary => Excerpt::new("binary data"),
        _ => Excerpt::new(&span.to_string()),
    }
}

fn ordinal(index: usize) -> &'static str {
    let names = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
    names.get(index).copied().unwrap_or("last")
}
