//! PUBLISH and EVENT: what one client says on a topic and its subscribers hear.

use std::borrow::Cow;

use super::elements::{Elements, Writer};
use super::{Malformed, MessageType};
use crate::json::{Kind, List, Raw, write_string};
use crate::payload::Payload;

/// `[7, topic, event]`, `[7, topic, event, exclude_me]` or
/// `[7, topic, event, exclude, eligible?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The topic's URI, or a CURIE.
    pub topic: Cow<'a, str>,
    /// The event.
    pub event: Payload<'a>,
    /// Which subscribers shall not have it.
    pub exclude: Exclude<'a>,
    /// Which subscribers may have it; `None` where the message says nothing about that.
    pub eligible: Option<SessionList<'a>>,
}

/// Whom a PUBLISH excludes: its fourth element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclude<'a> {
    /// Nothing was said, or `null`.
    Unsaid,
    /// Whether the publisher itself is excluded.
    ///
    /// What is neither a boolean nor an array is read as Ratchet reads it, by PHP's idea of
    /// truth: `0`, `""` and `"0"` are false and everything else is true.
    Me(bool),
    /// The sessions on the list, and no others: on it the publisher too needs to be named.
    Sessions(SessionList<'a>),
}

/// A list of session ids: a JSON array that holds strings alone.
///
/// ```
/// use clank_wire::wamp1::SessionList;
///
/// let list: SessionList = ["4f1c", "4f1d"].into_iter().collect();
/// assert_eq!(list.count(), 2);
/// assert_eq!(list.iter().collect::<Vec<_>>(), ["4f1c", "4f1d"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionList<'a> {
    /// The elements between the brackets.
    elements: Cow<'a, str>,
    count: usize,
}

/// `[8, topic, event]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The topic's full URI.
    pub topic: Cow<'a, str>,
    /// The event.
    pub payload: Payload<'a>,
}

impl<'a> Publish<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        const MESSAGE: MessageType = MessageType::Publish;
        let topic = elements.string(MESSAGE, 1, "a topic URI")?;
        let event = elements.value(MESSAGE, 2, "an event")?.into();
        let exclude = match elements.optional(3) {
            None => Exclude::Unsaid,
            Some(list) if list.kind() == Kind::Array => SessionList::decode(list)
                .map(Exclude::Sessions)
                .ok_or_else(|| elements.unfit(MESSAGE, 3, "a boolean or a list of session ids"))?,
            Some(scalar) => Exclude::Me(!is_false(scalar)),
        };
        let eligible = match elements.optional(4) {
            None => None,
            Some(list) => {
                let list = SessionList::decode(list);
                Some(list.ok_or_else(|| elements.unfit(MESSAGE, 4, "a list of session ids"))?)
            }
        };
        Ok(Publish { topic, event, exclude, eligible })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let writer = Writer::begin(MessageType::Publish, out)
            .string(&self.topic)
            .value(|out| self.event.write_value(out));
        let writer = match (&self.exclude, &self.eligible) {
            (Exclude::Unsaid, None) => return writer.end(),
            (Exclude::Unsaid, Some(_)) => writer.raw(b"null"),
            (Exclude::Me(true), _) => writer.raw(b"true"),
            (Exclude::Me(false), _) => writer.raw(b"false"),
            (Exclude::Sessions(list), _) => writer.value(|out| list.encode(out)),
        };
        match &self.eligible {
            None => writer.end(),
            Some(list) => writer.value(|out| list.encode(out)).end(),
        }
    }
}

impl<'a> SessionList<'a> {
    fn decode(list: Raw<'a>) -> Option<Self> {
        let list = list.to_list()?;
        let strings = list.iter().all(|element| element.to_text().is_some());
        strings.then_some(SessionList { elements: list.as_str().into(), count: list.count() })
    }

    /// How many ids are on the list.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The ids in order, as the publisher wrote them: they need not exist.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        List::from_scanned(&self.elements, self.count).iter().filter_map(Raw::to_text)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(self.elements.as_bytes());
        out.push(b']');
    }
}

impl<'i> FromIterator<&'i str> for SessionList<'_> {
    fn from_iter<I: IntoIterator<Item = &'i str>>(ids: I) -> Self {
        let (mut elements, mut count) = (Vec::new(), 0);
        for id in ids {
            if count > 0 {
                elements.push(b',');
            }
            write_string(id, &mut elements);
            count += 1;
        }
        let elements = String::from_utf8_lossy(&elements).into_owned().into();
        SessionList { elements, count }
    }
}

impl<'a> Event<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let topic = elements.string(MessageType::Event, 1, "a topic URI")?;
        let payload = elements.value(MessageType::Event, 2, "an event")?.into();
        Ok(Event { topic, payload })
    }

    /// Appends the message to `out`: the payload's bytes go into it as they came.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // The brackets, commas and quotes come to seven bytes.
        out.reserve(self.topic.len() + self.payload.value_len() + 8);
        Writer::begin(MessageType::Event, out)
            .string(&self.topic)
            .value(|out| self.payload.write_value(out))
            .end();
    }
}

/// What PHP takes for false, less `null` and the empty array.
fn is_false(scalar: Raw<'_>) -> bool {
    match scalar.kind() {
        Kind::Number => scalar.deserialize::<f64>().is_ok_and(|number| number == 0.0),
        _ => matches!(scalar.as_str(), "false" | "\"\"" | "\"0\""),
    }
}
