//! Events that the sink will not get: poisoned, parked behind a poisoned one, or evicted.

use clank_core::event::EventKind;
use clank_core::id::EventId;
use clank_core::journal::Position;

use super::super::options::OnPoison;
use super::super::record::Missing;
use super::super::state::{About, Change, Dead, Lost, OpenGap};
use super::lanes::{Key, Stream};
use super::{Item, Now, Scheduler};
use crate::source::Entry;

impl Scheduler {
    /// Gives an event up. In a replay that is all; else it goes to the dead letters.
    pub(super) fn poison(&mut self, key: Key, item: &Item, why: &str, now: Now) {
        if key.0 == Stream::Replay {
            self.vacate(key, item);
            self.replayed(false);
            return;
        }
        let parks = self.rules.on_poison == OnPoison::Park;
        self.bury(key, item, why, parks, now);
    }

    /// Whether an event follows another of its connection to the dead letters.
    pub(super) fn is_parked(&self, item: &Item) -> bool {
        let connection = item.entry.connection;
        connection.and_then(|connection| self.lost.get(&connection)).is_some_and(|lost| lost.parked)
    }

    pub(super) fn park(&mut self, key: Key, item: &Item, now: Now) {
        let behind = item.entry.connection.and_then(|connection| self.lost.get(&connection));
        let why = behind.map_or_else(String::new, |lost| format!("parked behind {}", lost.missing.last));
        self.bury(key, item, &why, true, now);
    }

    /// Parks what waits in a lane behind a poisoned event of its connection.
    pub(super) fn park_rest(&mut self, key: Key, now: Now) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let waiting = std::mem::take(&mut lane.queue);
        for item in waiting {
            if self.is_parked(&item) {
                self.park(key, &item, now);
            } else if let Some(lane) = self.lanes.get_mut(&key) {
                lane.queue.push_back(item);
            }
        }
    }

    fn bury(&mut self, key: Key, item: &Item, why: &str, parks: bool, now: Now) {
        self.vacate(key, item);
        self.counts.poisoned += 1;
        let connection = item.entry.connection;
        if let Some(row) = item.row() {
            let group = connection.filter(|_| parks);
            let about = About { why: why.into(), died: now.wall, group, superseded: false };
            self.ledger.push(Change::Dead(item.position(), Box::new(Dead { about, row: *row })));
        }
        let Some(connection) = connection else { return };
        let before = self.lost.get(&connection);
        let open = match item.id {
            EventId::Open(_) => Some(item.position().value()),
            _ => before.and_then(|lost| lost.open),
        };
        // a `connected` among the dead letters waits to see its `disconnected` taken
        if item.entry.kind == EventKind::Disconnected && open.is_none() {
            if self.lost.remove(&connection).is_some() {
                self.ledger.push(Change::Over(connection));
            }
            return;
        }
        let count = before.map_or(0, |lost| lost.missing.count) + 1;
        let lost = Lost { missing: Missing { count, last: item.id }, open, parked: parks };
        self.lost.insert(connection, lost);
        self.ledger.push(Change::Lost(connection, lost));
    }

    /// After an event was taken: its connection is over, or less of it is missing.
    pub(super) fn heal(&mut self, item: &Item) {
        let Some(connection) = item.entry.connection else { return };
        let Some(lost) = self.lost.get_mut(&connection) else { return };
        if item.entry.kind == EventKind::Disconnected {
            if let Some(open) = lost.open {
                self.ledger.push(Change::Superseded(Position::new(open)));
            }
            self.lost.remove(&connection);
            self.ledger.push(Change::Over(connection));
        } else if item.revived {
            lost.missing.count = lost.missing.count.saturating_sub(1);
            lost.open = lost.open.filter(|open| *open != item.position().value());
            if lost.missing.count == 0 {
                self.lost.remove(&connection);
                self.ledger.push(Change::Over(connection));
            } else {
                self.ledger.push(Change::Lost(connection, *lost));
            }
        }
    }

    /// The journal has dropped all up to `to`. The first position and the number of the events
    /// that are lost by it, if there are any: a record of that is to be
    /// [told](Self::tell_gap) next.
    pub(in crate::delivery) fn evict(&mut self, to: Position) -> Option<(Position, u64)> {
        let from = Position::new(self.window.read_to().value() + 1);
        let count = self.window.unread(to);
        self.window.read(to);
        self.counts.evicted += count;
        let count = count + std::mem::take(&mut self.untold);
        (count > 0).then_some((from, count))
    }

    /// Tells of a gap of so many events before anything behind it is read. `entry` lies where the
    /// gap ends.
    pub(in crate::delivery) fn tell_gap(&mut self, entry: Entry, count: u64) {
        let record = String::from_utf8_lossy(&entry.json).into();
        let Some(item) = Item::new(entry) else { return };
        self.gap = Some(OpenGap { to: item.position().value(), count, record });
        self.window.admit(item.position(), item.bytes());
        self.window.reach(item.position());
        self.lanes.push((Stream::Live, item.lane()), item);
    }

    /// A gap that an earlier run did not bring home. It is told again; unless that run also left
    /// events before it which the journal has dropped since: then it has grown.
    pub(super) fn resume_gap(&mut self, gap: OpenGap) {
        let to = Position::new(gap.to);
        // the gap's own place is one of them
        if self.window.unread(to) > 1 {
            self.untold = gap.count.saturating_sub(1);
            return;
        }
        self.window.read(to);
        let json = String::from(gap.record).into();
        let entry = Entry { position: to, kind: EventKind::Gap, connection: None, lane: 0, json };
        self.tell_gap(entry, gap.count);
    }
}
