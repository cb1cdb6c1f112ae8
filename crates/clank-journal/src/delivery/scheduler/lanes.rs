//! Lanes: who may be delivered next, who waits, who is under way.

use std::cmp::Reverse;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use clank_core::event::Timestamp;
use clank_core::journal::Position;

use super::super::pace::Class;
use super::super::record::Head;
use super::super::state::Lane;
use super::item::Item;

/// Which of a sink's two streams an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::delivery) enum Stream {
    Live,
    Replay,
}

pub(super) type Key = (Stream, Lane);

/// Events that are delivered one after the other.
#[derive(Debug)]
pub(super) struct LaneState {
    /// Those in memory. The first `flying` are under way.
    pub(super) queue: VecDeque<Item>,
    pub(super) flying: usize,
    /// How many lie in the table of retries, those in `queue` included.
    pub(super) on_disk: u64,
    /// The most events of a delivery that this lane may be part of.
    pub(super) most: usize,
    /// Failures of its first event in a row.
    pub(super) failures: u32,
    /// Its event that failed last, and the last delivery that had begun by then.
    pub(super) failed: Option<(Position, u64)>,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is under way, or new.
    Idle,
    Ready,
    Waiting(Instant),
    Fetching,
}

impl LaneState {
    fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            flying: 0,
            on_disk: 0,
            most: usize::MAX,
            failures: 0,
            failed: None,
            turn: Turn::Idle,
        }
    }

    fn class(&self) -> Class {
        self.queue.front().map_or(Class::Other, Item::class)
    }

    fn is_over(&self) -> bool {
        self.queue.is_empty() && self.on_disk == 0 && self.flying == 0
    }
}

/// All lanes of a sink.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    map: HashMap<Key, LaneState>,
    disconnects: VecDeque<Key>,
    others: VecDeque<Key>,
    waiting: BinaryHeap<Reverse<(Instant, Key)>>,
    to_fetch: Vec<Key>,
}

impl Lanes {
    pub(super) fn get(&self, key: &Key) -> Option<&LaneState> {
        self.map.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut LaneState> {
        self.map.get_mut(key)
    }

    /// The lane, which is made if it is new.
    pub(super) fn enter(&mut self, key: Key) -> &mut LaneState {
        self.map.entry(key).or_insert_with(LaneState::new)
    }

    pub(super) fn has(&self, stream: Stream) -> bool {
        self.map.keys().any(|(of, _)| *of == stream)
    }

    /// Puts an event behind the others of its lane.
    pub(super) fn push(&mut self, key: Key, item: Item) {
        self.enter(key).queue.push_back(item);
        self.settle(key, None);
    }

    /// Brings a lane to where it belongs after something about it has changed: `wait` until its
    /// next turn, which else is now.
    pub(super) fn settle(&mut self, key: Key, wait: Option<Instant>) {
        let Slot::Occupied(mut lane) = self.map.entry(key) else { return };
        let state = lane.get_mut();
        if state.is_over() {
            lane.remove();
        } else if state.flying == 0 && state.turn == Turn::Idle {
            match wait {
                Some(until) => {
                    state.turn = Turn::Waiting(until);
                    self.waiting.push(Reverse((until, key)));
                }
                None => self.make_ready(key, false),
            }
        }
    }

    fn make_ready(&mut self, key: Key, first: bool) {
        let Some(state) = self.map.get_mut(&key) else { return };
        state.turn = Turn::Ready;
        let ready = match state.class() {
            Class::Disconnect => &mut self.disconnects,
            Class::Other => &mut self.others,
        };
        if first {
            ready.push_front(key);
        } else {
            ready.push_back(key);
        }
    }

    /// Readies those whose time has come.
    pub(super) fn wake(&mut self, now: Instant) {
        while self.next_wake().is_some_and(|until| until <= now) {
            if let Some(Reverse((until, key))) = self.waiting.pop() {
                self.wake_now(key, until);
            }
        }
    }

    /// Readies all that wait and have used up no try: their sink is back.
    pub(super) fn wake_blameless(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for Reverse((until, key)) in waiting.into_sorted_vec().into_iter().rev() {
            let tries = self.map.get(&key).and_then(|lane| lane.queue.front()).map(|item| item.tries);
            if tries == Some(0) {
                self.wake_now(key, until);
            } else {
                self.waiting.push(Reverse((until, key)));
            }
        }
    }

    /// An entry of the heap counts only while its lane still waits for that time.
    fn wake_now(&mut self, key: Key, until: Instant) {
        if self.map.get(&key).is_some_and(|lane| lane.turn == Turn::Waiting(until)) {
            self.make_ready(key, false);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((until, _))| *until)
    }

    pub(super) fn has_ready(&self, class: Class) -> bool {
        match class {
            Class::Disconnect => !self.disconnects.is_empty(),
            Class::Other => !self.others.is_empty(),
        }
    }

    /// The next lane of a class. One whose events are all on disk is left to be fetched instead.
    pub(super) fn pop(&mut self, class: Class) -> Option<Key> {
        loop {
            let key = match class {
                Class::Disconnect => self.disconnects.pop_front(),
                Class::Other => self.others.pop_front(),
            }?;
            let Some(state) = self.map.get_mut(&key).filter(|state| state.turn == Turn::Ready) else {
                continue;
            };
            if state.queue.is_empty() {
                state.turn = Turn::Fetching;
                self.to_fetch.push(key);
                continue;
            }
            if state.class() != class {
                // its first event has changed since
                self.make_ready(key, true);
                continue;
            }
            state.turn = Turn::Idle;
            return Some(key);
        }
    }

    /// Puts back what was popped, as the first of its kind.
    pub(super) fn unpop(&mut self, key: Key) {
        self.make_ready(key, true);
    }

    /// The lanes whose next events are to be fetched.
    pub(super) fn take_fetches(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.to_fetch)
    }

    /// What was fetched has come.
    pub(super) fn fetched(&mut self, key: Key) {
        if let Some(state) = self.map.get_mut(&key) {
            state.turn = Turn::Idle;
            if state.is_over() {
                self.map.remove(&key);
            } else if state.flying == 0 {
                self.make_ready(key, true);
            }
        }
    }

    /// Takes all lanes of a stream away, but for what is under way.
    pub(super) fn clear(&mut self, stream: Stream) {
        self.map.retain(|(of, _), lane| {
            if *of == stream {
                lane.queue.truncate(lane.flying);
            }
            *of != stream || lane.flying > 0
        });
    }
}

/// What the status of a sink tells of.
impl Lanes {
    /// When the event at a position happened, if that is in memory.
    pub(super) fn time_of(&self, position: Position) -> Option<Timestamp> {
        let mut items = self.map.values().flat_map(|lane| &lane.queue);
        let item = items.find(|item| item.position() == position)?;
        Head::read(&item.entry.json).ok()?.time.parse().ok()
    }

    pub(super) fn most_tries(&self) -> u32 {
        let first = self.map.values().filter_map(|lane| lane.queue.front());
        first.map(|item| item.tries).max().unwrap_or_default()
    }
}
