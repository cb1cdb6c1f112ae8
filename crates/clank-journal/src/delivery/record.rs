//! An event on its way to a sink, and what is said of it beside its record.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::event::{Event, EventKind, Timestamp};
use clank_core::id::EventId;
use clank_core::journal::Position;
use serde::{Deserialize, Serialize};

use crate::source::Entry;

/// An event, as it is handed to a sink.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The record.
    pub entry: Entry,
    /// How often it has been offered, this time included.
    pub attempt: u32,
    /// Whether it may have been offered before, if only to be cut off.
    pub redelivered: bool,
    /// Whether it tells of a connection that was open already when the sink was added.
    pub snapshot: bool,
    /// The events of its connection that the sink will not get, where there are some.
    pub gap: Option<Missing>,
    /// The replay that it belongs to.
    pub replay: Option<Arc<str>>,
    pub(super) id: EventId,
}

/// Events of a connection that went to the dead letters before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// How many there are.
    pub count: u64,
    /// The last of them.
    pub last: EventId,
}

impl Delivery {
    /// The event's id: the same on every repetition.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// What it tells of.
    pub fn kind(&self) -> EventKind {
        self.entry.kind
    }

    /// Where its record lies.
    pub fn position(&self) -> Position {
        self.entry.position
    }

    /// When it happened.
    pub fn time(&self) -> Option<Timestamp> {
        self.entry.time()
    }

    /// The record, parsed.
    ///
    /// # Errors
    /// When it was written by a version that words its records in another way.
    pub fn event(&self) -> Result<Event, serde_json::Error> {
        serde_json::from_slice(&self.entry.json)
    }

    /// The record with what is said of it, as further fields at its end: `redelivered`, `snapshot`
    /// (both only where they are true), `gap` (`count` and `last`, an event id) and `replay`.
    ///
    /// Where nothing is to be said, these are the journal's bytes, which are shared.
    pub fn json(&self) -> Bytes {
        let mut fields = String::new();
        if self.redelivered {
            fields.push_str(r#","redelivered":true"#);
        }
        if self.snapshot {
            fields.push_str(r#","snapshot":true"#);
        }
        if let Some(Missing { count, last }) = self.gap {
            // writing to a string cannot fail
            _ = write!(fields, r#","gap":{{"count":{count},"last":"{last}"}}"#);
        }
        if let Some(replay) = &self.replay {
            _ = write!(fields, r#","replay":"{replay}""#);
        }
        splice(&self.entry.json, &fields)
    }
}

/// `object` with `fields`, each behind a comma, before its final brace. Records have fields, so that
/// the first comma is in place.
fn splice(object: &Bytes, fields: &str) -> Bytes {
    match object.strip_suffix(b"}") {
        Some(head) if !fields.is_empty() => [head, fields.as_bytes(), b"}"].concat().into(),
        _ => object.clone(),
    }
}

/// What delivery itself reads in a record.
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) topic: Option<Cow<'a, str>>,
}

impl<'a> Head<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clank_core::event::{Body, Gap, Origin};
    use clank_core::id::{ConnectionId, RunId};

    use super::*;

    fn delivery() -> Delivery {
        let origin = Origin { node: "n".parse().unwrap(), run: RunId::new(1, &[1; 10]) };
        let gap = Gap { from: 1, to: 2, count: 2 };
        let event = Event::new(Timestamp::from_unix_micros(7), origin, Body::Gap(gap));
        let json = serde_json::to_vec(&event).unwrap().into();
        let entry =
            Entry { position: Position::new(2), kind: EventKind::Gap, connection: None, lane: 0, json };
        Delivery {
            entry,
            attempt: 1,
            redelivered: false,
            snapshot: false,
            gap: None,
            replay: None,
            id: event.id(),
        }
    }

    #[test]
    fn a_record_of_which_nothing_is_said_is_passed_on_as_it_is() {
        let delivery = delivery();
        assert_eq!(delivery.json().as_ptr(), delivery.entry.json.as_ptr());
        assert_eq!(delivery.time(), Some(Timestamp::from_unix_micros(7)));
        assert_eq!(delivery.event().unwrap().id(), delivery.id());
    }

    #[test]
    fn what_is_said_of_a_record_are_fields_at_its_end() {
        let last = EventId::Open(ConnectionId::new(1, &[2; 10]));
        let marked = Delivery {
            redelivered: true,
            snapshot: true,
            gap: Some(Missing { count: 2, last }),
            replay: Some("r1".into()),
            ..delivery()
        };
        let json: serde_json::Value = serde_json::from_slice(&marked.json()).unwrap();
        assert_eq!(json["redelivered"], true);
        assert_eq!(json["snapshot"], true);
        assert_eq!(json["gap"], serde_json::json!({"count": 2, "last": last.to_string()}));
        assert_eq!(json["replay"], "r1");
        assert_eq!(json["count"], 2);
        // and a reader of records passes over them
        assert_eq!(serde_json::from_slice::<Event>(&marked.json()).unwrap().id(), marked.id());
    }
}
