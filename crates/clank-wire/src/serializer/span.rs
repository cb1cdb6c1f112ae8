//! One value as the bytes that it stands in.

use std::borrow::Cow;
use std::fmt;

use super::reader::{Length, Reader, Token};
use super::{MAX_DEPTH, Serializer, SyntaxError, Writer, transcode};
use crate::json::Raw;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Null; in CBOR also `undefined`.
    Null,
    /// True or false.
    Bool,
    /// An integer.
    Integer,
    /// A floating-point number.
    Float,
    /// Text.
    Text,
    /// Binary data.
    Binary,
    /// A list.
    List,
    /// A dictionary.
    Map,
}

/// One checked value that borrows the message in which it came.
///
/// ```
/// use clank_wire::serializer::{Kind, Serializer, Span};
///
/// let span = Span::parse(Serializer::Cbor, b"\xa1\x61a\x82\x01\x02")?;
/// assert_eq!((span.kind(), span.count()), (Kind::Map, 1));
/// assert_eq!(span.to_string(), r#"{"a":[1,2]}"#);
/// # Ok::<(), clank_wire::serializer::SyntaxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    serializer: Serializer,
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Span<'a> {
    /// Checks that the bytes are one value.
    ///
    /// # Errors
    /// Says what is wrong and where; that the value nests deeper than [`MAX_DEPTH`] is among it.
    pub fn parse(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        let mut reader = Reader::new(serializer, bytes)?;
        reader.white_space();
        let span = reader.value(MAX_DEPTH)?;
        reader.end()?;
        Ok(span)
    }

    /// `bytes` have been checked to be one value of `count` elements.
    pub(crate) const fn checked(serializer: Serializer, bytes: &'a [u8], count: usize) -> Self {
        Span { serializer, bytes, count }
    }

    /// The serializer of the bytes.
    pub const fn serializer(self) -> Serializer {
        self.serializer
    }

    /// The bytes of the value.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many elements a list has, or entries a dictionary; zero for other values.
    pub const fn count(self) -> usize {
        self.count
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match self.token() {
            Token::Null => Kind::Null,
            Token::Bool(_) => Kind::Bool,
            Token::Integer(_) => Kind::Integer,
            Token::Float(_) => Kind::Float,
            Token::Text(_) => Kind::Text,
            Token::Binary(_) => Kind::Binary,
            Token::List(_) => Kind::List,
            Token::Map(_) => Kind::Map,
        }
    }

    /// A boolean.
    pub fn to_bool(self) -> Option<bool> {
        match self.token() {
            Token::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub fn to_u64(self) -> Option<u64> {
        if self.serializer == Serializer::Json {
            return decimal(self.bytes);
        }
        match self.token() {
            Token::Integer(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// A text: borrowed unless escapes or chunks had to be read.
    ///
    /// In JSON that is any string, also one that stands for binary data, but none with an escape
    /// that names no character (a lone surrogate).
    pub fn to_text(self) -> Option<Cow<'a, str>> {
        if self.serializer == Serializer::Json {
            return Raw::checked(std::str::from_utf8(self.bytes).ok()?).to_text();
        }
        match self.token() {
            Token::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; none of another value.
    pub fn items(self) -> impl Iterator<Item = Span<'a>> {
        let (bytes, count) = self.list().unwrap_or_default();
        items(self.serializer, bytes, count)
    }

    /// The entries of a dictionary whose keys are texts; none of another value.
    pub fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Span<'a>)> {
        let reader = (self.count > 0).then(|| Reader::new(self.serializer, self.bytes).ok()).flatten();
        let mut entries = reader.and_then(|mut reader| match reader.token() {
            Ok(Token::Map(length)) => Some((reader, length)),
            _ => None,
        });
        std::iter::from_fn(move || {
            let (reader, length) = entries.as_mut()?;
            while reader.more(length).ok()? {
                let key = reader.key().ok()?;
                reader.white_space();
                let value = reader.value(MAX_DEPTH).ok()?;
                if let Token::Text(key) = key {
                    return Some((key, value));
                }
            }
            None
        })
    }

    /// The bytes of a list's elements without what frames them, and how many elements they are.
    pub(crate) fn list(self) -> Option<(&'a [u8], usize)> {
        if self.serializer == Serializer::Json {
            let inner = self.bytes.strip_prefix(b"[")?.strip_suffix(b"]")?;
            return Some((inner.trim_ascii(), self.count));
        }
        let mut reader = Reader::new(self.serializer, self.bytes).ok()?;
        let Ok(Token::List(length)) = reader.token() else { return None };
        // What closes a list of indefinite length is one byte.
        let close = usize::from(length.known().is_none());
        let end = self.bytes.len().saturating_sub(close);
        Some((self.bytes.get(reader.position()..end).unwrap_or_default(), self.count))
    }

    /// Whether the value is a dictionary.
    pub(crate) fn is_map(self) -> bool {
        match self.serializer {
            Serializer::Json => self.bytes.first() == Some(&b'{'),
            Serializer::MessagePack | Serializer::Cbor => matches!(self.token(), Token::Map(_)),
        }
    }

    /// Whether the value is null.
    pub(crate) fn is_null(self) -> bool {
        match self.serializer {
            Serializer::Json => self.bytes.first() == Some(&b'n'),
            Serializer::MessagePack => self.bytes.first() == Some(&0xc0),
            Serializer::Cbor => matches!(self.token(), Token::Null),
        }
    }

    /// Appends the value to `out` as `serializer` writes it: as it stands, where that is its own.
    pub fn write(self, serializer: Serializer, out: &mut Vec<u8>) {
        if serializer == self.serializer {
            return out.extend_from_slice(self.bytes);
        }
        if let Ok(mut reader) = Reader::new(self.serializer, self.bytes) {
            transcode(&mut reader, &mut Writer::new(serializer, out));
        }
    }

    /// What the value begins with. It has been checked, so that there is something.
    pub(super) fn token(self) -> Token<'a> {
        let reader = Reader::new(self.serializer, self.bytes);
        reader.and_then(|mut reader| reader.token()).unwrap_or(Token::Null)
    }
}

impl fmt::Display for Span<'_> {
    /// The value as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(Serializer::Json, &mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// The digits of a number in JSON that has nothing else.
fn decimal(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Walks checked elements that stand one behind the other.
pub(crate) fn items(serializer: Serializer, bytes: &[u8], count: usize) -> impl Iterator<Item = Span<'_>> {
    let length = match serializer {
        Serializer::Json => Length::Open { first: true, close: 0 },
        Serializer::MessagePack | Serializer::Cbor => Length::Known(count),
    };
    let mut elements = Reader::new(serializer, bytes).ok().map(|reader| (reader, length));
    std::iter::from_fn(move || {
        let (reader, length) = elements.as_mut()?;
        reader.more(length).ok()?.then(|| reader.value(MAX_DEPTH).ok())?
    })
}
