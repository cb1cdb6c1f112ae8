//! What is to be kept on disk. It is written lazily, and all of it at once.

use clank_core::journal::Position;

use super::super::state::{Change, Changes, Progress};
use super::Scheduler;

/// Acknowledgements after which the disk is asked for.
const SYNC_ACKS: u64 = 1_000;
/// Acknowledgements that are not durable, at most: so many deliveries repeat after a kill, and those
/// under way.
pub(in crate::delivery) const MAX_UNSYNCED: u64 = 10_000;
/// How far ahead of what was read events may be offered before the disk knows.
const OFFER_AHEAD: u64 = 16_384;
/// Bytes of changes after which the disk is asked for, and after which nothing more is read.
const SYNC_BYTES: usize = 1024 * 1024;
const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Ledger {
    made: Vec<Change>,
    bytes: usize,
    /// Since changes were last taken.
    acks: u64,
    /// Not durable.
    unsynced: u64,
    /// What may be offered: after a kill, all up to here is suspected of having been offered.
    offer_to: Position,
    wants_room: bool,
    taken_cursor: Position,
    snapshot_to: Position,
}

impl Ledger {
    pub(super) fn new(snapshot_to: Position) -> Self {
        Self {
            made: Vec::new(),
            bytes: 0,
            acks: 0,
            unsynced: 0,
            offer_to: Position::START,
            wants_room: true,
            taken_cursor: Position::START,
            snapshot_to,
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.made.push(change);
    }

    pub(super) fn acked(&mut self) {
        self.acks += 1;
        self.unsynced += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.unsynced >= MAX_UNSYNCED
    }

    #[cfg(test)]
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.made.iter()
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    pub(super) fn may_offer(&mut self, position: Position) -> bool {
        let may = position <= self.offer_to;
        self.wants_room |= !may;
        may
    }
}

impl Scheduler {
    /// Whether changes should be written without waiting for more of them.
    pub(in crate::delivery) fn is_due(&self) -> bool {
        self.ledger.wants_room || self.ledger.acks >= SYNC_ACKS || self.ledger.bytes > SYNC_BYTES
    }

    /// Whether there is anything to write.
    pub(in crate::delivery) fn is_dirty(&self) -> bool {
        self.ledger.acks > 0 || !self.ledger.made.is_empty() || self.ledger.taken_cursor != self.cursor()
    }

    /// What has changed since it was asked last. `clean`: nothing will be offered any more.
    pub(in crate::delivery) fn take_changes(&mut self, clean: bool) -> Changes {
        let (cursor, mark, unsettled) = self.window.progress();
        let ahead = Position::new(self.window.read_to().max(mark).value().saturating_add(OFFER_AHEAD));
        let gap = self.gap.clone();
        let ledger = &mut self.ledger;
        ledger.wants_room = false;
        ledger.taken_cursor = cursor;
        ledger.bytes = 0;
        Changes {
            progress: Progress {
                cursor,
                mark,
                unsettled,
                offered_to: if clean { mark } else { ahead },
                clean,
                snapshot_to: ledger.snapshot_to,
                gap,
            },
            made: std::mem::take(&mut ledger.made),
            acks: std::mem::take(&mut ledger.acks),
        }
    }

    /// These changes are durable.
    pub(in crate::delivery) fn synced(&mut self, changes: &Changes) {
        self.ledger.offer_to = self.ledger.offer_to.max(changes.progress.offered_to);
        self.ledger.unsynced = self.ledger.unsynced.saturating_sub(changes.acks);
    }
}
