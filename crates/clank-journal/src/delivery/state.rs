//! What delivery keeps about a sink on disk.

use bytes::Bytes;
use clank_core::event::{EventKind, Timestamp};
use clank_core::id::{ConnectionId, EventId};
use clank_core::journal::Position;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::record::Missing;
use crate::source::Entry;

/// What is delivered in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Lane {
    /// A lane of the journal's.
    Of(u64),
    /// An event that has no others to keep in order with, by its position.
    Alone(u64),
}

impl Lane {
    /// The lane of an entry. Clients that were rejected share the server's number, and would wait
    /// for each other for nothing.
    pub(super) fn of(entry: &Entry) -> Self {
        match entry.kind {
            EventKind::Rejected => Self::Alone(entry.position.value()),
            _ => Self::Of(entry.lane),
        }
    }

    pub(super) fn key(self) -> (u8, u64) {
        match self {
            Self::Of(number) => (0, number),
            Self::Alone(number) => (1, number),
        }
    }

    pub(super) fn from_key((tag, number): (u8, u64)) -> Self {
        if tag == 0 { Self::Of(number) } else { Self::Alone(number) }
    }
}

/// How far a sink has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// All up to here is settled.
    #[serde(with = "number")]
    pub(super) cursor: Position,
    /// Nothing behind this is settled.
    #[serde(with = "number")]
    pub(super) mark: Position,
    /// What is not settled between the two, and whether it has been offered.
    pub(super) unsettled: Vec<(u64, bool)>,
    /// Nothing behind this has been offered.
    #[serde(with = "number")]
    pub(super) offered_to: Position,
    /// Whether the sink was stopped in order, so that `unsettled` is exact.
    pub(super) clean: bool,
    /// The snapshot that a new sink begins with has the positions up to this one; the journal is
    /// read behind it.
    #[serde(with = "number")]
    pub(super) snapshot_to: Position,
    pub(super) gap: Option<OpenGap>,
}

/// A gap that was not delivered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenGap {
    /// Its last position, which is where it is delivered.
    pub(super) to: u64,
    pub(super) count: u64,
    pub(super) record: Box<str>,
}

/// An event that waits for another try, or was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(with = "name")]
    pub(super) kind: EventKind,
    pub(super) id: EventId,
    pub(super) connection: Option<ConnectionId>,
    pub(super) lane: u64,
    pub(super) snapshot: bool,
    /// It was a dead letter before.
    pub(super) revived: bool,
    pub(super) attempts: u32,
    pub(super) tries: u32,
    pub(super) first_failed: Option<Timestamp>,
    pub(super) record: Box<RawValue>,
}

impl Row {
    pub(super) fn entry(self, position: Position) -> Entry {
        let json = Bytes::from(String::from(Box::<str>::from(self.record)));
        Entry { position, kind: self.kind, connection: self.connection, lane: self.lane, json }
    }
}

/// A dead letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dead {
    pub(super) about: About,
    pub(super) row: Row,
}

/// Why an event was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) why: Box<str>,
    pub(super) died: Timestamp,
    /// The connection whose events were parked with it.
    pub(super) group: Option<ConnectionId>,
    /// It is a `connected`, and its `disconnected` has been taken since.
    pub(super) superseded: bool,
}

/// What a sink did not get of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    pub(super) missing: Missing,
    /// Its `connected`, where that is among the dead letters.
    pub(super) open: Option<u64>,
    /// What follows goes there too.
    pub(super) parked: bool,
}

/// A change to what is kept about a sink.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// It waits for another try.
    Retry(Lane, Position, Box<Row>),
    /// It waits no longer.
    Done(Lane, Position),
    /// It was given up.
    Dead(Position, Box<Dead>),
    /// Events of the connection are missing.
    Lost(ConnectionId, Lost),
    /// The connection is over.
    Over(ConnectionId),
    /// A dead `connected` whose `disconnected` was taken.
    Superseded(Position),
}

impl Change {
    /// About how much memory it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Retry(_, _, row) => 200 + row.record.get().len(),
            Self::Dead(_, dead) => 200 + dead.row.record.get().len(),
            _ => 100,
        }
    }
}

/// Changes that are made together or not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) progress: Progress,
    pub(super) made: Vec<Change>,
    /// How many acknowledgements they make durable.
    pub(super) acks: u64,
}

/// What was kept about a sink.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) progress: Progress,
    /// The lanes that wait for another try: how many events and bytes of records.
    pub(super) lanes: Vec<(Lane, u64)>,
    pub(super) retry_bytes: u64,
    pub(super) lost: Vec<(ConnectionId, Lost)>,
}

mod number {
    use super::{Deserialize, Deserializer, Position, Serializer};

    pub(super) fn serialize<S: Serializer>(position: &Position, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(position.value())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Position, D::Error> {
        u64::deserialize(from).map(Position::new)
    }
}

mod name {
    use super::{Deserialize, Deserializer, EventKind, Serializer};

    pub(super) fn serialize<S: Serializer>(kind: &EventKind, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(kind)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
        let name = Box::<str>::deserialize(from)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}
