//! JSON text (RFC 8259) as spans: checked in one linear pass, never parsed into values.
//!
//! A message that is passed on needs to be known as JSON, not understood. [`Raw`] is one checked
//! value and [`List`] the elements of an array; both borrow the received text. The check accepts
//! exactly RFC 8259 and nests at most [`MAX_DEPTH`] levels; it keeps one bit a level and
//! allocates nothing, whatever the text says.
//!
//! `serde_json`'s `RawValue` finds such spans too, but sets no bound to the depth of what it
//! skips, allocates a list of the elements, and took 1.7 times as long to read the message of a
//! call (126 ns against 73; on messages of some kilobytes the two are equal).

mod scan;
mod string;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

pub(crate) use scan::Scanner;
pub(crate) use string::write_string;

/// How deep arrays and objects may nest in what a peer sends, the outermost counted as one.
pub const MAX_DEPTH: u32 = 64;

/// Why a text is not JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Something other than what the grammar asks for stands at a position.
    #[error("expected {expected} at byte {at}, got {}", Found(*.found))]
    Unexpected {
        /// What the grammar allows there.
        expected: &'static str,
        /// Offset into the text, in bytes.
        at: usize,
        /// The character that stands there; `None` at the end of the text.
        found: Option<char>,
    },
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Offset of the bracket that is one too many, in bytes.
        at: usize,
    },
}

struct Found(Option<char>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some('\'') => f.write_str("\"'\""),
            Some('"') => f.write_str("'\"'"),
            Some(found) => write!(f, "'{}'", found.escape_debug()),
            None => f.write_str("the end"),
        }
    }
}

/// What a JSON value is, told by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One JSON value as the text that it stands in, without white space around it.
///
/// What was parsed from a peer's text is valid by RFC 8259 and at most [`MAX_DEPTH`] deep. As the
/// grammar allows, strings in it may hold lone surrogates (`"\ud800"`) and numbers may be larger
/// than any machine type; [`Raw::deserialize`] then fails.
///
/// ```
/// use clank_wire::json::{Kind, Raw};
///
/// let event = Raw::parse(r#" {"hello": [1, 2]} "#)?;
/// assert_eq!(event.as_str(), r#"{"hello": [1, 2]}"#);
/// assert_eq!(event.kind(), Kind::Object);
/// assert!(Raw::parse("{'hello': 1}").is_err());
/// # Ok::<(), clank_wire::json::SyntaxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// `null`
    pub const NULL: Raw<'static> = Raw("null");

    /// Checks that the text is one JSON value, with white space around it or none.
    ///
    /// # Errors
    /// Says what the grammar wants and where, or that the value nests too deep.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut scanner = Scanner::new(text);
        scanner.white_space();
        let value = scanner.value(MAX_DEPTH)?;
        scanner.end()?;
        Ok(value)
    }

    /// `text` has been checked to be one value, with nothing around it.
    pub(crate) const fn checked(text: &'a str) -> Self {
        Raw(text)
    }

    /// The text of the value.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The characters of a string: borrowed where it holds no escape.
    ///
    /// `None` if the value is no string, or one with an escape that names no character (a lone
    /// surrogate).
    pub fn to_text(self) -> Option<Cow<'a, str>> {
        let inner = self.to_plain_text()?;
        // A checked string holds no quote or control character: what isn't plain is an escape.
        if string::plain_run(inner.as_bytes()) == inner.len() {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_str(self.0).ok().map(Cow::Owned)
    }

    /// The characters of a string that is known to hold no escape; `None` if the value is no string.
    pub(crate) fn to_plain_text(self) -> Option<&'a str> {
        if self.kind() != Kind::String {
            return None;
        }
        self.0.get(1..self.0.len() - 1)
    }

    /// The elements of an array; `None` if the value is none.
    pub fn to_list(self) -> Option<List<'a>> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        let elements = inner.trim_matches(scan::WHITE_SPACE);
        let count = Elements(Scanner::new(elements)).count();
        Some(List { elements, count })
    }

    /// Reads the value into a type of Rust.
    ///
    /// # Errors
    /// When the value doesn't fit the type.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The elements of a JSON array as the text between its brackets.
///
/// ```
/// use clank_wire::json::Raw;
///
/// let list = Raw::parse("[1, [2, 3]]").unwrap().to_list().unwrap();
/// assert_eq!((list.as_str(), list.count()), ("1, [2, 3]", 2));
/// assert_eq!(list.iter().map(Raw::as_str).collect::<Vec<_>>(), ["1", "[2, 3]"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    elements: &'a str,
    count: usize,
}

impl<'a> List<'a> {
    /// A list without elements.
    pub const EMPTY: List<'static> = List { elements: "", count: 0 };

    /// `elements` is `count` valid values with commas between them.
    pub(crate) const fn from_scanned(elements: &'a str, count: usize) -> Self {
        List { elements, count }
    }

    /// The elements with the commas between them, without the brackets.
    pub const fn as_str(self) -> &'a str {
        self.elements
    }

    /// How many elements the list has.
    pub const fn count(self) -> usize {
        self.count
    }

    /// The elements in order.
    pub fn iter(self) -> impl Iterator<Item = Raw<'a>> {
        Elements(Scanner::new(self.elements))
    }

    /// The only element, if there is exactly one.
    pub fn single(self) -> Option<Raw<'a>> {
        (self.count == 1).then_some(Raw(self.elements))
    }
}

impl<'a> From<Raw<'a>> for List<'a> {
    /// A list of one: the value's text is already that of its only element.
    fn from(value: Raw<'a>) -> Self {
        List { elements: value.0, count: 1 }
    }
}

/// Walks the elements of a list whose text has been checked before.
struct Elements<'a>(Scanner<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.0.white_space();
        let value = self.0.value(MAX_DEPTH).ok()?;
        self.0.white_space();
        self.0.skip_comma();
        Some(value)
    }
}
