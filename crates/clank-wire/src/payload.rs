//! What a message carries for the application: arguments and keyword arguments, unparsed.
//!
//! A payload is a [`Serializer`] and the raw spans of the arguments. It passes from the received
//! message into the outgoing frame without being parsed; only application code that asks for
//! values pays for parsing.
//!
//! The arguments are kept as the text *between* the brackets of their array. So a WAMP v1 event,
//! which is one value, and the argument list of WAMP v2 are the same span, and neither protocol
//! copies to become the other:
//!
//! | payload | WAMP v1 | WAMP v2 |
//! |---|---|---|
//! | no argument | `null` | `[]` |
//! | one argument, no keywords | the argument | `[argument]` |
//! | anything else | `{"args": [...], "kwargs": {...}}` | `[...], {...}` |

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::{Kind, List, Raw};

/// The format of a payload's spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Serializer {
    /// JSON, RFC 8259.
    Json,
}

/// Arguments and keyword arguments that borrow the message in which they came.
///
/// ```
/// use clank_wire::{json::Raw, payload::Payload};
///
/// let event = Payload::from(Raw::parse(r#"{"user": "anne"}"#).unwrap());
/// let mut frame = Vec::new();
/// event.write_value(&mut frame);
/// assert_eq!(frame, br#"{"user": "anne"}"#);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    serializer: Serializer,
    arguments: &'a [u8],
    count: usize,
    keywords: Option<&'a [u8]>,
}

/// Arguments and keyword arguments that can be held after their message has gone.
///
/// Cloning shares the bytes.
///
/// ```
/// use clank_wire::payload::PayloadBuf;
///
/// let result = PayloadBuf::from_serialize(&[2, 5])?;
/// assert_eq!(result.as_payload().to_value()?, serde_json::json!([2, 5]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadBuf {
    serializer: Serializer,
    arguments: Bytes,
    count: usize,
    keywords: Option<Bytes>,
}

impl<'a> Payload<'a> {
    /// No arguments at all.
    pub const EMPTY: Payload<'static> =
        Payload { serializer: Serializer::Json, arguments: &[], count: 0, keywords: None };

    /// Adds keyword arguments; `None` if they are no object. An empty object counts as none.
    #[must_use]
    pub fn with_keywords(self, keywords: Raw<'a>) -> Option<Self> {
        if keywords.kind() != Kind::Object {
            return None;
        }
        let inner = keywords.as_str().trim_start_matches('{').trim_start();
        let keywords = (!inner.starts_with('}')).then_some(keywords.as_str().as_bytes());
        Some(Payload { keywords, ..self })
    }

    /// The format of the spans.
    pub const fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// How many positional arguments there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The positional arguments as they stand between the brackets of their array.
    pub const fn arguments(&self) -> &'a [u8] {
        self.arguments
    }

    /// The keyword arguments as an object, if there are any.
    pub const fn keywords(&self) -> Option<&'a [u8]> {
        self.keywords
    }

    /// Writes the payload as the one JSON value that WAMP v1 has for an event or a result.
    pub fn write_value(&self, out: &mut Vec<u8>) {
        match (self.count, self.keywords) {
            (0, None) => out.extend_from_slice(b"null"),
            (1, None) => out.extend_from_slice(self.arguments),
            _ => {
                out.extend_from_slice(b"{\"args\":[");
                out.extend_from_slice(self.arguments);
                out.extend_from_slice(b"],\"kwargs\":");
                out.extend_from_slice(self.keywords.unwrap_or(b"{}"));
                out.push(b'}');
            }
        }
    }

    /// How many bytes [`Payload::write_value`] writes.
    pub fn value_len(&self) -> usize {
        match (self.count, self.keywords) {
            (0, None) => "null".len(),
            (1, None) => self.arguments.len(),
            _ => {
                let keywords = self.keywords.unwrap_or(b"{}");
                r#"{"args":[],"kwargs":}"#.len() + self.arguments.len() + keywords.len()
            }
        }
    }

    /// Reads the payload's one value (see [`Payload::write_value`]) into a type of Rust.
    ///
    /// # Errors
    /// When the value doesn't fit the type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        if self.count == 1 && self.keywords.is_none() {
            return serde_json::from_slice(self.arguments);
        }
        let mut value = Vec::with_capacity(self.value_len());
        self.write_value(&mut value);
        serde_json::from_slice(&value)
    }

    /// The payload's one value, parsed.
    ///
    /// # Errors
    /// When a number is larger than `serde_json` can hold or a string has a lone surrogate: the
    /// grammar of JSON allows both.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        self.deserialize()
    }

    /// A copy that can be held after the message has gone.
    pub fn to_buf(&self) -> PayloadBuf {
        self.map(Bytes::copy_from_slice)
    }

    /// As [`Payload::to_buf`], sharing the bytes of the message in which the payload came: it
    /// copies only what lies elsewhere. The whole message is kept as long as the result is.
    pub fn share(&self, message: &Bytes) -> PayloadBuf {
        self.map(|span| share_span(span, message))
    }

    fn map(&self, mut own: impl FnMut(&[u8]) -> Bytes) -> PayloadBuf {
        PayloadBuf {
            serializer: self.serializer,
            arguments: own(self.arguments),
            count: self.count,
            keywords: self.keywords.map(own),
        }
    }
}

impl<'a> From<Raw<'a>> for Payload<'a> {
    /// One argument, as a WAMP v1 event or result is.
    fn from(value: Raw<'a>) -> Self {
        List::from(value).into()
    }
}

impl<'a> From<List<'a>> for Payload<'a> {
    /// Positional arguments, as those of a WAMP v1 call are.
    fn from(arguments: List<'a>) -> Self {
        Payload {
            serializer: Serializer::Json,
            arguments: arguments.as_str().as_bytes(),
            count: arguments.count(),
            keywords: None,
        }
    }
}

impl PayloadBuf {
    /// One argument: a value of Rust as JSON. A `serde_json::value::RawValue` inside it is taken
    /// as it is.
    ///
    /// # Errors
    /// When the value can't be JSON, such as a map whose keys are no strings.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::from_json(serde_json::to_vec(value)?))
    }

    /// One argument, of which `value` is the text.
    pub(crate) fn from_json(value: Vec<u8>) -> Self {
        let arguments = value.into();
        PayloadBuf { serializer: Serializer::Json, arguments, count: 1, keywords: None }
    }

    /// The payload, borrowed.
    pub fn as_payload(&self) -> Payload<'_> {
        Payload {
            serializer: self.serializer,
            arguments: &self.arguments,
            count: self.count,
            keywords: self.keywords.as_deref(),
        }
    }
}

impl Default for PayloadBuf {
    /// No arguments at all.
    fn default() -> Self {
        Payload::EMPTY.to_buf()
    }
}

/// A slice of `message` where the span lies in it, else a copy.
fn share_span(span: &[u8], message: &Bytes) -> Bytes {
    let inside = message.as_ptr_range();
    let range = span.as_ptr_range();
    if inside.start <= range.start && range.end <= inside.end {
        return message.slice_ref(span);
    }
    Bytes::copy_from_slice(span)
}
