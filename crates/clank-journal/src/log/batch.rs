//! A batch: entries for the end of a segment, and how to take back what they change.

use clank_core::event::Event;
use serde::Serialize;

use super::format::{self, EntryHead};
use super::intake::Answer;
use super::ledger::{Leaving, Online, Row};

/// A batch is written when it has so many bytes.
const FULL: usize = 2 << 20;

/// Entries that are written together.
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    staged: Vec<Staged>,
    /// The position of the last record before it.
    after: u64,
    home: u64,
    durable: u32,
}

/// A record in a batch.
pub(crate) struct Staged {
    pub(crate) record: Event,
    pub(crate) answer: Answer,
    pub(crate) position: u64,
    /// Where in the batch it begins.
    pub(crate) offset: usize,
    pub(crate) undo: Undo,
}

/// How what a record changed is taken back.
pub(crate) enum Undo {
    Nothing,
    Opened {
        /// The user had gone, and came back within the grace period.
        stayed: Option<Leaving>,
    },
    Closed {
        row: Row,
        /// Whether somebody waits for its end to be recorded.
        waits: bool,
    },
    Within {
        /// The sequence of the record before.
        sequence: u64,
    },
    CameOnline,
    WentOffline(Online),
}

impl Batch {
    pub(crate) fn new(position: u64) -> Self {
        Self { bytes: Vec::new(), staged: Vec::new(), after: position, home: 0, durable: 0 }
    }

    /// Begins anew behind the record at `after`, in segment `home`, of which so much is durable.
    pub(crate) fn begin(&mut self, after: u64, home: u64, durable: u32) {
        debug_assert!(self.staged.is_empty(), "a batch is written or taken back");
        self.bytes.clear();
        self.after = after;
        self.home = home;
        self.durable = durable;
    }

    pub(crate) fn home(&self) -> u64 {
        self.home
    }

    /// The position of its first record, should it have one.
    pub(crate) fn first(&self) -> u64 {
        self.after + 1
    }

    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.bytes.len() >= FULL || self.staged.len() >= most
    }

    pub(crate) fn staged(&self) -> &[Staged] {
        &self.staged
    }

    /// Takes the records, so that the batch can begin anew.
    pub(crate) fn take(&mut self) -> impl DoubleEndedIterator<Item = Staged> + use<> {
        // the next batch is likely to be as long
        let next = Vec::with_capacity(self.staged.len());
        std::mem::replace(&mut self.staged, next).into_iter()
    }

    /// Appends an entry; returns where it begins, and how long it is.
    pub(crate) fn encode(&mut self, head: &EntryHead, payload: &impl Serialize) -> Option<(usize, usize)> {
        let offset = self.bytes.len();
        let write = |to: &mut Vec<u8>| serde_json::to_writer(to, payload);
        // serde_json fails only where a map's keys are no texts, and ours all are
        let length = format::encode(&mut self.bytes, head, self.durable, write).ok()?;
        Some((offset, length))
    }

    pub(crate) fn note(&mut self, head: &EntryHead, payload: &impl Serialize) {
        let encoded = self.encode(head, payload);
        debug_assert!(encoded.is_some(), "a note is always JSON");
    }

    pub(crate) fn push(&mut self, staged: Staged) {
        self.staged.push(staged);
    }
}
