//! Lists and dictionaries within options and details: kept as they came, read where they are asked.

use std::borrow::Cow;

use serde::Serialize;

use super::Id;
use crate::serializer::{Serializer, Span, Writer, items};

/// A list of session ids, such as PUBLISH has in its `exclude` and `eligible`.
///
/// ```
/// use clank_wire::wamp2::{Id, IdList};
///
/// let list: IdList = [Id::MIN, Id::MAX].into_iter().collect();
/// assert_eq!(list.count(), 2);
/// assert_eq!(list.iter().last(), Some(Id::MAX));
/// ```
#[derive(Debug, Clone)]
pub struct IdList<'a>(Elements<'a>);

/// A list of texts, such as authentication ids and roles.
///
/// ```
/// use clank_wire::wamp2::TextList;
///
/// let list: TextList = ["anne", "bert"].into_iter().collect();
/// assert_eq!(list.iter().collect::<Vec<_>>(), ["anne", "bert"]);
/// ```
#[derive(Debug, Clone)]
pub struct TextList<'a>(Elements<'a>);

/// A dictionary that WAMP leaves to others: the extra data of authentication.
///
/// ```
/// use clank_wire::wamp2::Dict;
///
/// let extra = Dict::from_serialize(&serde_json::json!({"iterations": 1000})).unwrap();
/// assert_eq!(extra.span().to_string(), r#"{"iterations":1000}"#);
/// assert_eq!(extra.value("iterations").and_then(|value| value.to_u64()), Some(1000));
/// ```
#[derive(Debug, Clone)]
pub struct Dict<'a> {
    serializer: Serializer,
    bytes: Cow<'a, [u8]>,
    count: usize,
}

/// Elements one behind the other.
#[derive(Debug, Clone)]
struct Elements<'a> {
    serializer: Serializer,
    bytes: Cow<'a, [u8]>,
    count: usize,
}

impl<'a> IdList<'a> {
    pub(super) fn new(span: Span<'a>) -> Option<Self> {
        let fits = span.items().all(|item| item.to_u64().and_then(Id::new).is_some());
        Elements::new(span).filter(|_| fits).map(IdList)
    }

    /// How many ids are on the list.
    pub const fn count(&self) -> usize {
        self.0.count
    }

    /// The ids in order, as the publisher wrote them: they need not exist.
    pub fn iter(&self) -> impl Iterator<Item = Id> {
        self.0.iter().filter_map(Span::to_u64).filter_map(Id::new)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        self.0.write(writer);
    }
}

impl FromIterator<Id> for IdList<'_> {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> Self {
        IdList(Elements::collect(ids, |id, writer| writer.unsigned(id.get())))
    }
}

impl PartialEq for IdList<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for IdList<'_> {}

impl<'a> TextList<'a> {
    pub(super) fn new(span: Span<'a>) -> Option<Self> {
        let fits = span.items().all(|item| item.to_text().is_some());
        Elements::new(span).filter(|_| fits).map(TextList)
    }

    /// How many texts are on the list.
    pub const fn count(&self) -> usize {
        self.0.count
    }

    /// The texts in order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.iter().filter_map(Span::to_text)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        self.0.write(writer);
    }
}

impl<'i> FromIterator<&'i str> for TextList<'_> {
    fn from_iter<I: IntoIterator<Item = &'i str>>(texts: I) -> Self {
        TextList(Elements::collect(texts, |text, writer| writer.text(text)))
    }
}

impl PartialEq for TextList<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TextList<'_> {}

impl<'a> Dict<'a> {
    /// A dictionary that has been checked; `None` if the value is of another kind.
    pub fn new(span: Span<'a>) -> Option<Self> {
        let (serializer, bytes, count) = (span.serializer(), span.bytes().into(), span.count());
        span.is_map().then_some(Dict { serializer, bytes, count })
    }

    /// A value of Rust as a dictionary; `None` if it becomes something else in JSON.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Option<Self> {
        let bytes = serde_json::to_vec(value).ok()?;
        let (serializer, count) = (Serializer::Json, Span::parse(Serializer::Json, &bytes).ok()?.count());
        bytes.starts_with(b"{").then_some(Dict { serializer, bytes: bytes.into(), count })
    }

    /// The dictionary as a value.
    pub fn span(&self) -> Span<'_> {
        Span::checked(self.serializer, &self.bytes, self.count)
    }

    /// What stands under a key; the last, if there are several.
    pub fn value(&self, key: &str) -> Option<Span<'_>> {
        self.span().entries().filter(|(name, _)| name == key).last().map(|(_, value)| value)
    }

    /// The dictionary without a borrow.
    pub fn into_owned(self) -> Dict<'static> {
        Dict { serializer: self.serializer, bytes: self.bytes.into_owned().into(), count: self.count }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let serializer = writer.serializer();
        self.span().write(serializer, writer.out());
    }
}

impl Default for Dict<'_> {
    /// A dictionary without entries.
    fn default() -> Self {
        Dict { serializer: Serializer::Json, bytes: b"{}".into(), count: 0 }
    }
}

impl PartialEq for Dict<'_> {
    /// Whether both become the same JSON.
    fn eq(&self, other: &Self) -> bool {
        (self.serializer == other.serializer && self.bytes == other.bytes)
            || self.span().to_string() == other.span().to_string()
    }
}

impl Eq for Dict<'_> {}

impl<'a> Elements<'a> {
    fn new(span: Span<'a>) -> Option<Self> {
        let (bytes, count) = span.list()?;
        Some(Elements { serializer: span.serializer(), bytes: bytes.into(), count })
    }

    /// MessagePack needs nothing between elements.
    fn collect<T>(items: impl IntoIterator<Item = T>, write: impl Fn(T, &mut Writer<'_>)) -> Self {
        let serializer = Serializer::MessagePack;
        let (mut bytes, mut count) = (Vec::new(), 0);
        let mut writer = Writer::new(serializer, &mut bytes);
        for item in items {
            write(item, &mut writer);
            count += 1;
        }
        Elements { serializer, bytes: bytes.into(), count }
    }

    fn iter(&self) -> impl Iterator<Item = Span<'_>> {
        items(self.serializer, &self.bytes, self.count)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let serializer = writer.serializer();
        let mut list = writer.open(false, Some(self.count));
        if serializer == self.serializer {
            writer.out().extend_from_slice(&self.bytes);
        } else {
            for item in self.iter() {
                writer.item(&mut list);
                item.write(serializer, writer.out());
            }
        }
        writer.close(&list);
    }
}
