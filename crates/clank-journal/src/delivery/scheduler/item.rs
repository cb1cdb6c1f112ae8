//! An event between the journal and its end.

use clank_core::event::{EventKind, Timestamp};
use clank_core::id::EventId;
use clank_core::journal::Position;
use serde_json::value::RawValue;

use super::super::filter::Filter;
use super::super::pace::Class;
use super::super::record::Head;
use super::super::state::{Lane, Row};
use crate::source::Entry;

/// A record that is no event: the journal is corrupt.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the record at {0} is no event")]
pub(in crate::delivery) struct Unreadable(Position);

/// An event that was read and is not settled.
#[derive(Debug)]
pub(in crate::delivery) struct Item {
    pub(in crate::delivery) entry: Entry,
    pub(in crate::delivery) id: EventId,
    pub(in crate::delivery) snapshot: bool,
    /// How often it was offered.
    pub(super) attempts: u32,
    /// An earlier run may have offered it.
    pub(super) repeated: bool,
    /// Failures that count.
    pub(super) tries: u32,
    pub(super) first_failed: Option<Timestamp>,
    /// It lies in the table of retries.
    pub(super) stored: bool,
    /// It was a dead letter before.
    pub(super) revived: bool,
}

impl Item {
    /// `None` if the record is none.
    pub(in crate::delivery) fn new(entry: Entry) -> Option<Self> {
        let id = Head::read(&entry.json).ok()?.id.parse().ok()?;
        Some(Self::with_id(entry, id))
    }

    /// The entry, if the filter lets it pass.
    pub(in crate::delivery) fn passing(entry: Entry, filter: &Filter) -> Result<Option<Self>, Unreadable> {
        if !filter.hears(entry.kind) {
            return Ok(None);
        }
        let head = Head::read(&entry.json).map_err(|_| Unreadable(entry.position))?;
        if !filter.passes(entry.kind, &head) {
            return Ok(None);
        }
        let id = head.id.parse().map_err(|_| Unreadable(entry.position))?;
        Ok(Some(Self::with_id(entry, id)))
    }

    fn with_id(entry: Entry, id: EventId) -> Self {
        Self {
            entry,
            id,
            snapshot: false,
            attempts: 0,
            repeated: false,
            tries: 0,
            first_failed: None,
            stored: false,
            revived: false,
        }
    }

    /// One that waited in the table of retries; `repeated` if an earlier run may have offered it.
    pub(in crate::delivery) fn stored(position: Position, row: Row, repeated: bool) -> Self {
        Self {
            id: row.id,
            snapshot: row.snapshot,
            attempts: row.attempts,
            repeated,
            tries: row.tries,
            first_failed: row.first_failed,
            stored: true,
            revived: row.revived,
            entry: row.entry(position),
        }
    }

    pub(in crate::delivery) fn row(&self) -> Option<Box<Row>> {
        let record: Box<RawValue> = serde_json::from_slice(&self.entry.json).ok()?;
        Some(Box::new(Row {
            kind: self.entry.kind,
            id: self.id,
            connection: self.entry.connection,
            lane: self.entry.lane,
            snapshot: self.snapshot,
            revived: self.revived,
            attempts: self.attempts,
            tries: self.tries,
            first_failed: self.first_failed,
            record,
        }))
    }

    pub(super) fn position(&self) -> Position {
        self.entry.position
    }

    pub(super) fn bytes(&self) -> usize {
        self.entry.json.len()
    }

    pub(super) fn lane(&self) -> Lane {
        Lane::of(&self.entry)
    }

    pub(super) fn class(&self) -> Class {
        match self.entry.kind {
            EventKind::Disconnected => Class::Disconnect,
            _ => Class::Other,
        }
    }
}
