//! Which event goes to a sink next: a state machine without clock, randomness or I/O.
//!
//! ```text
//! PENDING -> IN FLIGHT -> ACKED | PENDING | DEAD      DEAD -> PENDING | DROPPED
//! PENDING -> EVICTED                                  (behind a gap)
//! ```
//!
//! [`admit`](Scheduler::admit) takes what was read, [`next`](Scheduler::next) gives deliveries,
//! [`done`](Scheduler::done) takes their outcome, [`take_changes`](Scheduler::take_changes) gives
//! what is to be kept on disk. The parts:
//!
//! - `window`: what was read and is not settled; from it follows the cursor
//! - `lanes`: who is next, who waits, who is under way
//! - `landing`: what an outcome means for each event
//! - `losses`: events that the sink will not get
//! - `retries`: lanes that wait on disk
//! - `replay`: a second stream, beside what is new
//! - `ledger`: what is to be kept

mod item;
mod landing;
mod lanes;
mod ledger;
mod losses;
mod replay;
mod retries;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clank_core::event::Timestamp;
use clank_core::id::ConnectionId;
use clank_core::journal::Position;

pub(super) use item::Item;
pub use replay::ReplayProgress;

use self::lanes::{Key, Lanes, Stream};
use self::ledger::Ledger;
use self::replay::Replay;
use self::retries::Retries;
use self::window::{Seen, Window};
use super::backoff::Jitter;
use super::breaker::{Allows, Breaker, BreakerState};
use super::options::SinkOptions;
use super::pace::{Class, Pacer};
use super::record::Delivery;
use super::state::{Kept, Lost, OpenGap};

/// Events that are read ahead, at most; one reading more.
pub(super) const WINDOW_EVENTS: usize = 4_096;
/// Bytes that are read ahead, at most; one reading more.
pub(super) const WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// What is read at once.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// A moment: for waiting, and to be written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: Timestamp,
}

/// Events that are to be delivered now.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u64,
    pub(super) batch: Vec<Delivery>,
}

#[derive(Debug)]
struct Flying {
    /// Each lane's first events, and how many.
    parts: Vec<(Key, usize)>,
    probe: bool,
}

/// What has become of events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) acked: u64,
    pub(super) redelivered: u64,
    pub(super) evicted: u64,
    pub(super) poisoned: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scheduler {
    rules: SinkOptions,
    lanes: Lanes,
    window: Window,
    flights: HashMap<u64, Flying>,
    next_flight: u64,
    breaker: Breaker<Key>,
    pacer: Pacer,
    jitter: Jitter,
    /// Connections of which the sink did not get everything.
    lost: HashMap<ConnectionId, Lost>,
    retries: Retries,
    ledger: Ledger,
    /// A gap that is to be told before anything behind it is read.
    gap: Option<OpenGap>,
    /// Events of a gap that has grown before it was told.
    untold: u64,
    replay: Option<Replay>,
    /// The last delivery of which something was taken.
    last_taken: u64,
    counts: Counts,
}

impl Scheduler {
    /// Goes on where `kept` says.
    pub(super) fn new(rules: SinkOptions, kept: Kept, seed: u64) -> Self {
        let window = Window::resume(&kept.progress);
        let mut scheduler = Self {
            lanes: Lanes::default(),
            window,
            flights: HashMap::new(),
            next_flight: 0,
            breaker: Breaker::new(rules.backoff),
            pacer: Pacer::new(rules.pace),
            jitter: Jitter::new(seed),
            lost: kept.lost.into_iter().collect(),
            retries: Retries::new(kept.retry_bytes, !kept.progress.clean),
            ledger: Ledger::new(kept.progress.snapshot_to),
            gap: None,
            untold: 0,
            replay: None,
            last_taken: 0,
            counts: Counts::default(),
            rules,
        };
        for (lane, events) in kept.lanes {
            scheduler.revive_lane(lane, events);
        }
        if let Some(gap) = kept.progress.gap {
            scheduler.resume_gap(gap);
        }
        scheduler
    }

    /// How many bytes may be read now.
    pub(super) fn room(&self) -> usize {
        let full = self.window.len() >= WINDOW_EVENTS
            || self.gap.is_some()
            || self.ledger.is_heavy()
            || self.retries.is_full();
        if full { 0 } else { WINDOW_BYTES.saturating_sub(self.window.bytes()).min(READ_BYTES) }
    }

    /// Where reading goes on.
    pub(super) fn read_to(&self) -> Position {
        self.window.read_to()
    }

    /// Takes what was read, in order: the events that the sink is to hear of, and how far that got.
    pub(super) fn admit(&mut self, items: Vec<Item>, read_to: Position, now: Now) {
        for mut item in items {
            match self.window.meet(item.position()) {
                Seen::Settled => continue,
                Seen::Pending { repeated } => item.repeated = repeated,
            }
            let key = (Stream::Live, item.lane());
            if self.is_parked(&item) {
                self.park(key, &item, now);
            } else if self.lanes.get(&key).is_some_and(|lane| lane.on_disk > 0) {
                self.store(key, &mut item);
            } else {
                self.window.admit(item.position(), item.bytes());
                self.lanes.push(key, item);
            }
        }
        self.window.read(read_to);
    }

    /// The next delivery, if one may start now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Flight> {
        self.lanes.wake(now);
        if self.flights.len() >= self.rules.concurrency.get() || self.ledger.is_full() {
            return None;
        }
        let (mut most, probe) = match self.breaker.allows(now) {
            Allows::All => (self.rules.batch.get(), false),
            Allows::OneProbe => (1, true),
            Allows::Nothing => return None,
        };
        let (mut batch, mut parts) = (Vec::new(), Vec::new());
        while batch.len() < most
            && let Some(key) = self.pick(now)
        {
            let lane_most = self.lanes.get(&key).map_or(most, |lane| lane.most);
            // a lane that is to be tried in less company waits for a delivery of its own
            let events = if lane_most > batch.len() {
                self.load(key, most.min(lane_most), now, &mut batch)
            } else {
                0
            };
            if events == 0 {
                self.lanes.unpop(key);
                break;
            }
            most = most.min(lane_most);
            parts.push((key, events));
        }
        if parts.is_empty() {
            return None;
        }
        if probe {
            self.breaker.probed();
        }
        self.next_flight += 1;
        self.flights.insert(self.next_flight, Flying { parts, probe });
        Some(Flight { id: self.next_flight, batch })
    }

    /// The lane whose turn it is.
    fn pick(&mut self, now: Instant) -> Option<Key> {
        loop {
            let disconnect = self.lanes.has_ready(Class::Disconnect) && self.pacer.is_free(now);
            let other = self.lanes.has_ready(Class::Other);
            let class = match (disconnect, other) {
                (true, true) => self.pacer.turn(),
                (true, false) => Class::Disconnect,
                (false, true) => Class::Other,
                (false, false) => return None,
            };
            if let Some(key) = self.lanes.pop(class) {
                return Some(key);
            }
        }
    }

    /// Adds a lane's first events to a batch, which is to hold `most`. How many there were.
    fn load(&mut self, key: Key, most: usize, now: Instant, batch: &mut Vec<Delivery>) -> usize {
        let replay = self.replay_id(key.0);
        let Some(lane) = self.lanes.get_mut(&key) else { return 0 };
        let on_disk = lane.on_disk > 0;
        let mut events = 0;
        for item in &mut lane.queue {
            let paced = item.class() == Class::Disconnect;
            let is_new = key.0 == Stream::Live && !item.stored;
            // behind what lies on disk, it waits for that
            let waits = (paced && !self.pacer.is_free(now)) || (is_new && on_disk);
            if batch.len() >= most || waits || (is_new && !self.ledger.may_offer(item.position())) {
                break;
            }
            if paced {
                self.pacer.take(now);
            }
            if is_new {
                self.window.offered(item.position());
            }
            item.attempts = item.attempts.saturating_add(1);
            batch.push(delivery(item, &self.lost, replay.clone()));
            events += 1;
        }
        lane.flying = events;
        events
    }

    /// When [`next`](Self::next) may give something that it does not give now, if nothing else
    /// happens until then.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let disconnects = self.lanes.has_ready(Class::Disconnect);
        let others = self.lanes.has_ready(Class::Other);
        let probe = self.breaker.probe_at().filter(|_| disconnects || others);
        let paced = Some(self.pacer.free_at(now)).filter(|_| disconnects);
        let times = [self.lanes.next_wake(), probe, paced];
        times.into_iter().flatten().filter(|time| *time > now).min()
    }

    pub(super) fn cursor(&self) -> Position {
        self.window.cursor()
    }

    pub(super) fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many events are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.flights.values().flat_map(|flight| &flight.parts).map(|(_, events)| events).sum()
    }

    /// How many events are in memory and not settled.
    pub(super) fn pending(&self) -> usize {
        self.window.len()
    }

    /// How many events wait on disk for another try.
    pub(super) fn retrying(&self) -> u64 {
        self.retries.events()
    }

    /// When the event happened that has waited longest, of those in memory.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.lanes.time_of(self.window.first()?)
    }

    /// The most tries that an event in memory has used up.
    pub(super) fn most_tries(&self) -> u32 {
        self.lanes.most_tries()
    }
}

fn delivery(item: &Item, lost: &HashMap<ConnectionId, Lost>, replay: Option<Arc<str>>) -> Delivery {
    let lost =
        item.entry.connection.filter(|_| replay.is_none()).and_then(|connection| lost.get(&connection));
    Delivery {
        entry: item.entry.clone(),
        attempt: item.attempts,
        redelivered: item.attempts > 1 || item.repeated,
        snapshot: item.snapshot,
        // an event that comes back from the dead letters is not missing from itself
        gap: lost.map(|lost| lost.missing).filter(|missing| missing.last != item.id),
        replay,
        id: item.id,
    }
}

#[cfg(test)]
mod tests;
