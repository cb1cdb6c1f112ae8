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
//!
//! MessagePack and CBOR put the elements of a list one behind the other too, behind a head that says
//! how many they are; so their spans are kept in the same way. Into another serializer a payload is
//! written only where somebody needs it there: [`Payload::transcode`], and the messages that write it
//! straight into a frame.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::{Kind, List, Raw, write_string};
pub use crate::serializer::Serializer;
use crate::serializer::{Kind as ValueKind, Span, items};

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

    /// The arguments and keyword arguments as a WAMP v2 message has them: a list, and a dictionary.
    ///
    /// `None` if one of them is of another kind, or not in `serializer`.
    pub fn from_spans(
        serializer: Serializer,
        arguments: Option<Span<'a>>,
        keywords: Option<Span<'a>>,
    ) -> Option<Self> {
        if arguments.iter().chain(&keywords).any(|span| span.serializer() != serializer) {
            return None;
        }
        let (arguments, count) = match arguments {
            Some(span) => span.list()?,
            None => (&[][..], 0),
        };
        let keywords = match keywords {
            Some(span) if !span.is_map() => return None,
            keywords => keywords.filter(|span| span.count() > 0).map(Span::bytes),
        };
        Some(Payload { serializer, arguments, count, keywords })
    }

    /// The format of the spans.
    pub const fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// How many positional arguments there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The positional arguments as they stand between the brackets of their array: in MessagePack
    /// and CBOR, behind its head.
    pub const fn arguments(&self) -> &'a [u8] {
        self.arguments
    }

    /// The keyword arguments as an object, if there are any.
    pub const fn keywords(&self) -> Option<&'a [u8]> {
        self.keywords
    }

    /// The keyword argument of that name; the last, if there are several.
    pub fn keyword(&self, name: &str) -> Option<Span<'a>> {
        let keywords = Span::parse(self.serializer, self.keywords?).ok()?;
        keywords.entries().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// The positional arguments, each for itself.
    pub fn iter(&self) -> impl Iterator<Item = Span<'a>> {
        items(self.serializer, self.arguments, self.count)
    }

    /// Whether there is neither an argument nor a keyword argument.
    pub const fn is_empty(&self) -> bool {
        self.count == 0 && self.keywords.is_none()
    }

    /// Writes the payload as the one JSON value that WAMP v1 has for an event or a result.
    pub fn write_value(&self, out: &mut Vec<u8>) {
        match (self.count, self.keywords) {
            (0, None) => out.extend_from_slice(b"null"),
            (1, None) => self.write_arguments(Serializer::Json, out),
            _ => {
                out.extend_from_slice(b"{\"args\":[");
                self.write_arguments(Serializer::Json, out);
                out.extend_from_slice(b"],\"kwargs\":");
                match self.keyword_span() {
                    Some(keywords) => keywords.write(Serializer::Json, out),
                    None => out.extend_from_slice(b"{}"),
                }
                out.push(b'}');
            }
        }
    }

    /// How many bytes [`Payload::write_value`] writes; of a payload that isn't JSON, a guess that
    /// serves for reserving room.
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

    /// Reads the payload's one value (see [`Payload::write_value`]) into a type of Rust. What isn't
    /// JSON is read as the JSON that it becomes: binary data is a string of `\0` and Base64.
    ///
    /// # Errors
    /// When the value doesn't fit the type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        if self.count == 1 && self.keywords.is_none() && self.serializer == Serializer::Json {
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

    /// The payload in another serializer. In its own it is a copy; [`PayloadBuf::transcode`] then
    /// shares the bytes.
    ///
    /// ```
    /// use clank_wire::{json::Raw, payload::{Payload, Serializer}};
    ///
    /// let event = Payload::from(Raw::parse("[9007199254740993, true]").unwrap());
    /// let packed = event.transcode(Serializer::MessagePack);
    /// assert_eq!(packed.as_payload().arguments(), b"\x92\xcf\x00\x20\x00\x00\x00\x00\x00\x01\xc3");
    /// let back = packed.transcode(Serializer::Json);
    /// assert_eq!(back.as_payload().arguments(), b"[9007199254740993,true]");
    /// ```
    pub fn transcode(&self, serializer: Serializer) -> PayloadBuf {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        self.write_arguments(serializer, &mut arguments);
        let keywords = self.keyword_span().map(|keywords| {
            let mut out = Vec::with_capacity(keywords.bytes().len());
            keywords.write(serializer, &mut out);
            out.into()
        });
        PayloadBuf { serializer, arguments: arguments.into(), count: self.count, keywords }
    }

    /// What an error says to people and what it says to programs: its first argument, if that is a
    /// text, and the rest. So a WAMP v2 ERROR becomes the description and details of a WAMP v1
    /// CALLERROR; [`PayloadBuf::from_error`] is the way back.
    pub fn split_description(&self) -> (Option<Cow<'a, str>>, Payload<'a>) {
        let first = self.iter().next().filter(|first| first.kind() == ValueKind::Text);
        let Some((first, text)) = first.and_then(|first| Some((first, first.to_text()?))) else {
            return (None, *self);
        };
        let rest = self.arguments.get(first.bytes().len()..).unwrap_or_default();
        let rest = match self.serializer {
            Serializer::Json => {
                let rest = rest.trim_ascii_start();
                rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start()
            }
            Serializer::MessagePack | Serializer::Cbor => rest,
        };
        (Some(text), Payload { arguments: rest, count: self.count - 1, ..*self })
    }

    /// Writes the arguments one behind the other, in JSON with commas between them.
    pub fn write_arguments(&self, serializer: Serializer, out: &mut Vec<u8>) {
        if serializer == self.serializer {
            return out.extend_from_slice(self.arguments);
        }
        for (index, argument) in self.iter().enumerate() {
            if index > 0 && serializer == Serializer::Json {
                out.push(b',');
            }
            argument.write(serializer, out);
        }
    }

    /// The keyword arguments as a value; how many they are is not said.
    pub(crate) fn keyword_span(&self) -> Option<Span<'a>> {
        self.keywords.map(|keywords| Span::checked(self.serializer, keywords, 0))
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

    /// Arguments, and keyword arguments: a sequence of values of Rust, and a map or structure.
    ///
    /// ```
    /// use clank_wire::payload::PayloadBuf;
    ///
    /// let payload = PayloadBuf::from_arguments(&(7, "anne"), Some(&serde_json::json!({"code": 1000})))?;
    /// assert_eq!(payload.as_payload().arguments(), br#"7,"anne""#);
    /// assert!(PayloadBuf::from_arguments::<_, ()>(&"anne", None).is_err());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// When they are something else in JSON.
    pub fn from_arguments<A: Serialize + ?Sized, K: Serialize + ?Sized>(
        arguments: &A,
        keywords: Option<&K>,
    ) -> Result<Self, serde_json::Error> {
        use serde::ser::Error as _;

        let unfit = |needs| serde_json::Error::custom(needs);
        let text = serde_json::to_string(arguments)?;
        let list = Raw::parse(&text).ok().and_then(Raw::to_list);
        let payload = Payload::from(list.ok_or_else(|| unfit("arguments are a list"))?);
        let Some(keywords) = keywords else { return Ok(payload.to_buf()) };
        let text = serde_json::to_string(keywords)?;
        let payload = Raw::parse(&text).ok().and_then(|keywords| payload.with_keywords(keywords));
        Ok(payload.ok_or_else(|| unfit("keyword arguments are a dictionary"))?.to_buf())
    }

    /// One argument, of which `value` is the text.
    pub(crate) fn from_json(value: Vec<u8>) -> Self {
        let arguments = value.into();
        PayloadBuf { serializer: Serializer::Json, arguments, count: 1, keywords: None }
    }

    /// The arguments of an error: its description, and its details as a second argument. The
    /// inverse of [`Payload::split_description`] as far as WAMP v1 has room for it.
    pub fn from_error(description: &str, details: Option<Payload<'_>>) -> Self {
        let mut arguments = Vec::new();
        write_string(description, &mut arguments);
        if let Some(details) = details {
            arguments.push(b',');
            details.write_value(&mut arguments);
        }
        let (serializer, count) = (Serializer::Json, 1 + usize::from(details.is_some()));
        PayloadBuf { serializer, arguments: arguments.into(), count, keywords: None }
    }

    /// The payload in another serializer; in its own it shares the bytes.
    #[must_use]
    pub fn transcode(&self, serializer: Serializer) -> PayloadBuf {
        if serializer == self.serializer {
            return self.clone();
        }
        self.as_payload().transcode(serializer)
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
