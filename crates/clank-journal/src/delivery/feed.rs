//! What a sink is to hear of, in order: first the snapshot it began with, then the journal.

use std::io;
use std::sync::Arc;

use clank_core::journal::Position;

use super::filter::Filter;
use super::options::SinkName;
use super::scheduler::Item;
use super::store::Store;
use crate::source::{Entry, Source};

/// What one reading brought.
pub(super) enum Page {
    /// Events, and how far it got.
    Events(Vec<Item>, Position),
    /// The journal has dropped what was to be read, up to this position.
    Dropped(Position),
}

/// Where one sink reads. Its methods block on the disk.
#[derive(Clone)]
pub(super) struct Feed {
    pub(super) source: Arc<dyn Source>,
    pub(super) store: Arc<Store>,
    pub(super) sink: SinkName,
    pub(super) filter: Filter,
    /// The snapshot has the positions up to this one.
    pub(super) snapshot_to: Position,
}

impl Feed {
    pub(super) fn read(&self, after: Position, max_bytes: usize) -> io::Result<Page> {
        if after < self.snapshot_to {
            return self.read_snapshot(after, max_bytes);
        }
        self.read_journal(after, max_bytes)
    }

    fn read_snapshot(&self, after: Position, max_bytes: usize) -> io::Result<Page> {
        let entries = self.store.snapshot(&self.sink, after, max_bytes)?;
        let Some(read_to) = entries.last().map(|entry| entry.position) else {
            return Ok(Page::Events(Vec::new(), self.snapshot_to));
        };
        let mut items = self.pass(entries)?;
        for item in &mut items {
            item.snapshot = true;
        }
        Ok(Page::Events(items, read_to))
    }

    pub(super) fn read_journal(&self, after: Position, max_bytes: usize) -> io::Result<Page> {
        let end = *self.source.end().borrow();
        let entries = self.source.read(after, max_bytes)?;
        // asked behind the reading: what was dropped while it read may be missing from it
        let dropped = self.source.dropped();
        if dropped > after {
            return Ok(Page::Dropped(dropped));
        }
        if entries.is_empty() && end > after {
            let error = format!("there is nothing behind {after}, although the journal ends at {end}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let read_to = entries.last().map_or(after, |entry| entry.position);
        Ok(Page::Events(self.pass(entries)?, read_to))
    }

    /// The entries that the filter lets pass.
    pub(super) fn pass(&self, entries: Vec<Entry>) -> io::Result<Vec<Item>> {
        let passing = entries.into_iter().map(|entry| Item::passing(entry, &self.filter));
        let items: Result<Vec<_>, _> = passing.filter_map(Result::transpose).collect();
        items.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
