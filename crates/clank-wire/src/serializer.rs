//! JSON, MessagePack and CBOR: values as checked spans, passed on without being parsed.
//!
//! The three are one closed set behind [`Serializer`]. What a peer sends is scanned once: that it
//! is well-formed, that its texts are UTF-8, that it nests no deeper than [`MAX_DEPTH`]. What has
//! been scanned is a [`Span`]: it borrows the message, tells its kind, and is either passed on as it
//! stands or written in another serializer.
//!
//! - **JSON** is RFC 8259.
//! - **MessagePack** has strings apart from binary data (version 5 of its format). Extension types
//!   are refused: WAMP has nothing that they could become, so that what one subscriber receives
//!   could not be told to another.
//! - **CBOR** is RFC 8949: definite and indefinite lengths, floating-point numbers of all sizes;
//!   tags are skipped, `undefined` is null, other simple values are refused.
//!
//! A key in a dictionary is a scalar: WAMP asks for text, and the two binary serializers have
//! others too. In JSON such a key becomes the text of its value.
//!
//! # From one serializer to another
//!
//! | value | becomes |
//! |---|---|
//! | integer | the same integer, also beyond 2^53; where the target ends earlier (MessagePack at -2^63 and 2^64 - 1, CBOR at -2^64), a floating-point number |
//! | floating-point number | the same number; NaN and infinities are `null` in JSON, as in JavaScript |
//! | number in JSON that has a fraction or an exponent, or exceeds CBOR's integers | the nearest `f64`, infinity at worst |
//! | binary data | in JSON a string of `\0` and Base64 (the specification's "Binary conversion of JSON Strings"), and back |
//! | lone surrogate in a JSON string | U+FFFD |
//!
//! Written in another serializer a value takes at most eight times its bytes.

mod cbor;
mod input;
mod json;
mod msgpack;
mod reader;
mod span;
mod transcode;
mod writer;

pub use crate::json::MAX_DEPTH;
pub(crate) use reader::{Reader, Token};
pub(crate) use span::items;
pub use span::{Kind, Span};
pub(crate) use transcode::transcode;
pub(crate) use writer::{Container, Writer};

use std::fmt;

use crate::json::SyntaxError as JsonError;

/// How values become bytes.
///
/// ```
/// use clank_wire::serializer::{Serializer, Span};
///
/// let span = Span::parse(Serializer::Json, br#"{"a": [1, true]}"#)?;
/// let mut packed = Vec::new();
/// span.write(Serializer::MessagePack, &mut packed);
/// assert_eq!(packed, b"\x81\xa1a\x92\x01\xc3");
/// # Ok::<(), clank_wire::serializer::SyntaxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Serializer {
    /// JSON, RFC 8259.
    Json,
    /// MessagePack, with strings and binary data apart.
    MessagePack,
    /// CBOR, RFC 8949.
    Cbor,
}

impl Serializer {
    /// All serializers.
    pub const ALL: [Serializer; 3] = [Serializer::Json, Serializer::MessagePack, Serializer::Cbor];

    /// The name of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Serializer::Json => "JSON",
            Serializer::MessagePack => "MessagePack",
            Serializer::Cbor => "CBOR",
        }
    }
}

impl fmt::Display for Serializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why bytes are no value, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The text is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A text is not UTF-8.
    #[error("expected UTF-8 at byte {at}")]
    Utf8 {
        /// Offset of the first byte that is not, in bytes.
        at: usize,
    },
    /// The bytes end within a value, or a length says more than is there.
    #[error("the value at byte {at} goes on behind the end")]
    Truncated {
        /// Offset of the innermost value that is cut short, in bytes.
        at: usize,
    },
    /// A byte begins nothing that the format has.
    #[error("expected a value at byte {at}, got 0x{byte:02x}")]
    Unexpected {
        /// Offset of the byte.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// An extension type of MessagePack.
    #[error("an extension type at byte {at}, which WAMP has no value for")]
    Extension {
        /// Offset of its first byte.
        at: usize,
    },
    /// A key in a dictionary is a list or a dictionary.
    #[error("expected a scalar as the key at byte {at}")]
    Key {
        /// Offset of the key, in bytes.
        at: usize,
    },
    /// Lists and dictionaries nest deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Offset of the list or dictionary that is one too many, in bytes.
        at: usize,
    },
    /// The value is complete, and something follows.
    #[error("expected the end at byte {at}")]
    Trailing {
        /// Offset of what follows, in bytes.
        at: usize,
    },
}
