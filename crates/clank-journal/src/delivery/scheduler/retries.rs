//! Lanes that wait on disk: those whose first event fails while others are taken. They pin neither
//! the cursor nor memory.

use clank_core::event::EventKind;
use clank_core::id::ConnectionId;
use clank_core::journal::Position;

use super::super::state::{Change, Lane, Row};
use super::lanes::{Key, Stream};
use super::{Item, Now, Scheduler};

/// The most lanes that wait on disk; further ones stop the cursor, as those of a failing sink do.
const MAX_LANES: usize = 1_024;
/// Bytes of records that wait on disk, at most; one reading more.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What waits on disk.
#[derive(Debug)]
pub(super) struct Retries {
    lanes: usize,
    events: u64,
    bytes: u64,
    /// An earlier run may have offered more of them than it could note down.
    suspect: bool,
}

impl Retries {
    pub(super) fn new(bytes: u64, suspect: bool) -> Self {
        Self { lanes: 0, events: 0, bytes, suspect }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }
}

impl Scheduler {
    /// Moves a lane to disk, with what waits behind its first event. A lane of which something
    /// lies there already follows without being `asked`.
    pub(super) fn spill(&mut self, key: Key, asked: bool) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let is_gap = lane.queue.front().is_some_and(|item| item.entry.kind == EventKind::Gap && !item.stored);
        let begins = lane.on_disk == 0;
        if key.0 == Stream::Replay || is_gap || (begins && (!asked || self.retries.lanes >= MAX_LANES)) {
            return;
        }
        // what is under way is settled when it comes back
        let waiting = lane.queue.split_off(lane.flying.min(lane.queue.len()));
        for mut item in waiting {
            let bytes = item.bytes();
            if !item.stored {
                self.window.settle(item.position(), bytes);
                self.store(key, &mut item);
            } else if let Some(row) = item.row() {
                // with what it has used up
                self.ledger.push(Change::Retry(key.1, item.position(), row));
            }
        }
    }

    /// Puts an event behind the others of its lane that lie on disk.
    pub(super) fn store(&mut self, key: Key, item: &mut Item) {
        let Some(row) = item.row() else { return };
        item.stored = true;
        self.retries.bytes += row.record.get().len() as u64;
        self.ledger.push(Change::Retry(key.1, item.position(), row));
        self.window.settle(item.position(), 0);
        self.add_to_disk(key, 1);
    }

    /// An event that lay on disk is settled.
    pub(super) fn unstore(&mut self, key: Key, item: &Item) {
        self.ledger.push(Change::Done(key.1, item.position()));
        self.retries.bytes = self.retries.bytes.saturating_sub(item.bytes() as u64);
        self.retries.events = self.retries.events.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.on_disk = lane.on_disk.saturating_sub(1);
            self.retries.lanes -= usize::from(lane.on_disk == 0 && self.retries.lanes > 0);
        }
    }

    fn add_to_disk(&mut self, key: Key, events: u64) {
        let lane = self.lanes.enter(key);
        self.retries.lanes += usize::from(lane.on_disk == 0 && events > 0);
        lane.on_disk += events;
        self.retries.events += events;
    }

    /// Events of a lane lie on disk that the lane does not know of yet: it goes on with those.
    pub(in crate::delivery) fn revive_lane(&mut self, lane: Lane, events: u64) {
        let key = (Stream::Live, lane);
        self.add_to_disk(key, events);
        self.spill(key, true);
        self.lanes.settle(key, None);
    }

    /// Dead letters were put back into a lane; `unparked` is the connection whose group they were.
    pub(in crate::delivery) fn revive(&mut self, lane: Lane, bytes: u64, unparked: Option<ConnectionId>) {
        self.retries.bytes += bytes;
        self.revive_lane(lane, 1);
        if let Some(connection) = unparked
            && let Some(lost) = self.lost.get_mut(&connection)
            && lost.parked
        {
            lost.parked = false;
            self.ledger.push(Change::Lost(connection, *lost));
        }
    }

    /// The lanes whose next events are to be read from disk, once what has changed is there.
    pub(in crate::delivery) fn take_fetches(&mut self) -> Vec<Lane> {
        self.lanes.take_fetches().into_iter().map(|(_, lane)| lane).collect()
    }

    /// Takes the first events of a lane that were read from disk.
    pub(in crate::delivery) fn fetched(&mut self, lane: Lane, rows: Vec<(Position, Row)>, now: Now) {
        let key = (Stream::Live, lane);
        if rows.is_empty()
            && let Some(state) = self.lanes.get_mut(&key)
        {
            tracing::error!(
                ?lane,
                events = state.on_disk,
                "events that wait for another try are not on disk"
            );
            self.retries.events = self.retries.events.saturating_sub(state.on_disk);
            self.retries.lanes = self.retries.lanes.saturating_sub(1);
            state.on_disk = 0;
        }
        for (position, row) in rows {
            let item = Item::stored(position, row, self.retries.suspect);
            if self.is_parked(&item) {
                self.park(key, &item, now);
            } else if let Some(state) = self.lanes.get_mut(&key) {
                state.queue.push_back(item);
            }
        }
        self.lanes.fetched(key);
    }
}
