//! The scheduler against a model, with random steps.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use clank_core::event::{EventKind, Timestamp};
use clank_core::id::ConnectionId;
use clank_core::journal::Position;
use proptest::prelude::*;

use super::super::*;
use crate::delivery::options::OnPoison;
use crate::delivery::sink::{Outcome, Verdict};
use crate::delivery::state::{Change, Changes, Dead, Lane, Progress, Row};
use crate::delivery::testing::entry;
use crate::source::Entry;

/// What the store keeps, in memory.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) progress: Progress,
    pub(super) retries: BTreeMap<(Lane, u64), Row>,
    pub(super) dead: BTreeMap<u64, Dead>,
    pub(super) lost: HashMap<ConnectionId, Lost>,
}

impl Disk {
    pub(super) fn apply(&mut self, changes: &Changes) {
        self.progress = changes.progress.clone();
        for change in &changes.made {
            match change {
                Change::Retry(lane, position, row) => {
                    self.retries.insert((*lane, position.value()), (**row).clone());
                }
                Change::Done(lane, position) => {
                    self.retries.remove(&(*lane, position.value()));
                }
                Change::Dead(position, dead) => {
                    self.dead.insert(position.value(), (**dead).clone());
                }
                Change::Lost(connection, lost) => {
                    self.lost.insert(*connection, *lost);
                }
                Change::Over(connection) => {
                    self.lost.remove(connection);
                }
                Change::Superseded(position) => {
                    if let Some(dead) = self.dead.get_mut(&position.value()) {
                        dead.about.superseded = true;
                    }
                }
            }
        }
    }

    pub(super) fn kept(&self) -> Kept {
        let mut lanes = BTreeMap::new();
        for (lane, _) in self.retries.keys() {
            *lanes.entry(*lane).or_insert(0) += 1;
        }
        let retry_bytes = self.retries.values().map(|row| row.record.get().len() as u64).sum();
        let lost = self.lost.iter().map(|(connection, lost)| (*connection, *lost)).collect();
        Kept { progress: self.progress.clone(), lanes: lanes.into_iter().collect(), retry_bytes, lost }
    }

    pub(super) fn rows(&self, lane: Lane, most: usize) -> Vec<(Position, Row)> {
        let rows = self.retries.range((lane, 0)..=(lane, u64::MAX)).take(most);
        rows.map(|((_, position), row)| (Position::new(*position), row.clone())).collect()
    }
}

/// A scheduler with a journal before it and a disk behind it.
pub(super) struct World {
    pub(super) log: Vec<Entry>,
    pub(super) scheduler: Scheduler,
    pub(super) disk: Disk,
    pub(super) options: SinkOptions,
    pub(super) start: Instant,
    pub(super) millis: u64,
    pub(super) flights: VecDeque<Flight>,
    /// Acknowledged in this life or durably before.
    pub(super) acked: BTreeSet<u64>,
    durable: BTreeSet<u64>,
    /// Ever acknowledged.
    ever: BTreeSet<u64>,
    pub(super) offers: Vec<(u64, Delivery)>,
}

impl World {
    pub(super) fn new(log: Vec<Entry>, options: SinkOptions) -> Self {
        let mut world = Self {
            log,
            scheduler: Scheduler::new(options.clone(), Kept::default(), 7),
            disk: Disk::default(),
            options,
            start: Instant::now(),
            millis: 0,
            flights: VecDeque::new(),
            acked: BTreeSet::new(),
            durable: BTreeSet::new(),
            ever: BTreeSet::new(),
            offers: Vec::new(),
        };
        world.sync();
        world
    }

    pub(super) fn now(&self) -> Now {
        Now {
            at: self.start + Duration::from_millis(self.millis),
            wall: Timestamp::from_unix_micros(1_700_000_000_000_000 + self.millis * 1_000),
        }
    }

    /// The id of the event at a position.
    pub(super) fn log_id(&self, position: usize) -> clank_core::id::EventId {
        Item::new(self.log[position - 1].clone()).unwrap().id
    }

    /// Reads the next events.
    pub(super) fn read(&mut self, most: usize) {
        if self.scheduler.room() == 0 {
            return;
        }
        let after = self.scheduler.read_to().value() as usize;
        let page: Vec<_> = self.log.iter().skip(after).take(most).cloned().collect();
        let read_to = Position::new((after + page.len()) as u64);
        let items = page.into_iter().map(|entry| Item::new(entry).unwrap()).collect();
        self.scheduler.admit(items, read_to, self.now());
    }

    /// Starts one delivery.
    pub(super) fn send(&mut self) -> bool {
        let Some(flight) = self.scheduler.next(self.now().at) else {
            self.fetch();
            return false;
        };
        for (at, delivery) in flight.batch.iter().enumerate() {
            self.check_offer(delivery, &flight.batch[..at]);
            self.offers.push((self.millis, delivery.clone()));
        }
        self.flights.push_back(flight);
        true
    }

    fn check_offer(&self, delivery: &Delivery, before: &[Delivery]) {
        let position = delivery.position().value();
        assert!(!self.acked.contains(&position), "{position} is offered although it was taken");
        let repeats = self.offers.iter().any(|(_, earlier)| earlier.position() == delivery.position());
        assert!(!repeats || delivery.redelivered, "{position} is not marked as a repetition");
        let lane = Lane::of(&delivery.entry);
        for earlier in &self.log[..position as usize - 1] {
            let number = earlier.position.value();
            let is_settled = self.acked.contains(&number)
                || self.is_dead(number)
                || before.iter().any(|other| other.position() == earlier.position);
            assert!(Lane::of(earlier) != lane || is_settled, "{position} is offered before {number}");
        }
    }

    fn is_dead(&self, position: u64) -> bool {
        self.disk.dead.contains_key(&position) || self.dying().any(|dead| dead == position)
    }

    /// Dead letters that are not on disk yet.
    fn dying(&self) -> impl Iterator<Item = u64> {
        self.scheduler.ledger.changes().filter_map(|change| match change {
            Change::Dead(position, _) => Some(position.value()),
            _ => None,
        })
    }

    pub(super) fn finish(&mut self, at: usize, outcome: impl FnOnce(&[Delivery]) -> Outcome) {
        let at = at.min(self.flights.len().saturating_sub(1));
        let Some(flight) = self.flights.remove(at) else { return };
        let outcome = outcome(&flight.batch);
        for (at, delivery) in flight.batch.iter().enumerate() {
            let taken = match &outcome {
                Outcome::All(verdict) => *verdict == Verdict::Acked,
                Outcome::Each(verdicts) => verdicts.get(at) == Some(&Verdict::Acked),
            };
            if taken {
                self.acked.insert(delivery.position().value());
                self.ever.insert(delivery.position().value());
            }
        }
        self.scheduler.done(flight.id, outcome, self.now());
        self.check_cursor();
    }

    pub(super) fn sync(&mut self) {
        let changes = self.scheduler.take_changes(false);
        self.disk.apply(&changes);
        self.scheduler.synced(&changes);
        self.durable = self.acked.clone();
    }

    pub(super) fn fetch(&mut self) {
        self.sync();
        for lane in self.scheduler.take_fetches() {
            let rows = self.disk.rows(lane, self.options.batch.get());
            self.scheduler.fetched(lane, rows, self.now());
        }
    }

    /// All that was not on disk is forgotten.
    pub(super) fn kill(&mut self) {
        self.flights.clear();
        self.acked = self.durable.clone();
        self.scheduler = Scheduler::new(self.options.clone(), self.disk.kept(), self.millis);
        self.sync();
    }

    pub(super) fn check_cursor(&self) {
        let cursor = self.scheduler.cursor().value();
        let moved: BTreeSet<u64> = self
            .scheduler
            .ledger
            .changes()
            .filter_map(|change| match change {
                Change::Retry(_, position, _) => Some(position.value()),
                _ => None,
            })
            .chain(self.disk.retries.keys().map(|(_, position)| *position))
            .collect();
        for position in 1..=cursor.min(self.log.len() as u64) {
            let is_safe =
                self.acked.contains(&position) || self.is_dead(position) || moved.contains(&position);
            assert!(is_safe, "the cursor is at {cursor}, and {position} is not settled");
        }
        assert!(self.scheduler.pending() <= WINDOW_EVENTS + 1_000);
    }

    /// Goes on with a sink that answers `outcome`, until nothing is left.
    pub(super) fn drain(&mut self, outcome: impl Fn(&[Delivery]) -> Outcome) {
        for _ in 0..200_000 {
            self.read(64);
            while self.send() {}
            if self.flights.is_empty() {
                let done = self.scheduler.pending() == 0
                    && self.scheduler.retrying() == 0
                    && self.scheduler.read_to().value() >= self.log.len() as u64;
                if done {
                    self.sync();
                    return self.check_end();
                }
                let now = self.now().at;
                let wake = self.scheduler.wake_at(now).map_or(1, |at| (at - now).as_millis() as u64 + 1);
                self.millis += wake;
            }
            self.finish(0, &outcome);
        }
        panic!("it does not end: {:?}", self.scheduler);
    }

    fn check_end(&self) {
        for position in 1..=self.log.len() as u64 {
            let (acked, dead) = (self.acked.contains(&position), self.disk.dead.contains_key(&position));
            assert!(acked || dead, "{position} has no end");
        }
        assert!(self.disk.retries.is_empty());
        assert!(!self.scheduler.lanes.has(Stream::Live), "an empty house");
        assert_eq!(self.scheduler.in_flight(), 0);
        assert_eq!(self.scheduler.window.bytes(), 0);
        assert_eq!(self.disk.progress.cursor.value(), self.log.len() as u64);
        assert!(self.disk.progress.unsettled.is_empty());
    }
}

/// Connections that come, err and go, several to a lane.
pub(super) fn log(lanes: u64, choices: &[u8]) -> Vec<Entry> {
    let mut open: Vec<u64> = Vec::new();
    let (mut log, mut next) = (Vec::new(), 0);
    for choice in choices {
        let position = log.len() as u64 + 1;
        let at = usize::from(*choice) / 4 % open.len().max(1);
        let (kind, number) = match (choice % 4, open.get(at).copied()) {
            (1 | 2, Some(number)) => (EventKind::Error, number),
            (3, Some(number)) => {
                open.swap_remove(at);
                (EventKind::Disconnected, number)
            }
            (2, None) => (EventKind::Rejected, 1_000_000 + position),
            _ => {
                next += 1;
                open.push(next);
                (EventKind::Connected, next)
            }
        };
        log.push(entry(position, kind, number, 1 + number % lanes));
    }
    log
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Send,
    Finish(usize, u8),
    Wait(u64),
    Sync,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1usize..20).prop_map(Step::Read),
        8 => Just(Step::Send),
        8 => (0usize..4, any::<u8>()).prop_map(|(at, how)| Step::Finish(at, how)),
        2 => (1u64..5_000).prop_map(Step::Wait),
        1 => Just(Step::Sync),
        1 => Just(Step::Kill),
    ]
}

/// Fails for every fifth event, and what lies behind it in its lane; takes the rest.
fn stubborn(batch: &[Delivery]) -> Outcome {
    let mut failed = BTreeSet::new();
    let verdicts = batch.iter().map(|delivery| {
        let lane = Lane::of(&delivery.entry);
        if delivery.position().value() % 5 == 0 || failed.contains(&lane) {
            failed.insert(lane);
            return Verdict::Failing { retry_after: None, why: "500".into() };
        }
        Verdict::Acked
    });
    Outcome::Each(verdicts.collect())
}

/// A sink in a bad mood: anything goes.
fn mood(how: u8, batch: &[Delivery]) -> Outcome {
    let failing = |retry_after| Verdict::Failing { retry_after, why: "down".into() };
    let refused = || Verdict::Refused { why: "no".into() };
    match how % 16 {
        0..=2 => Outcome::ACKED,
        3..=7 => stubborn(batch),
        8 => Outcome::failing("down"),
        9 => Outcome::All(failing(Some(Duration::from_secs(3)))),
        10 => Outcome::refused("no"),
        11 => Outcome::Each(Vec::new()),
        12 | 13 => {
            let verdict = |at| if (usize::from(how) / 16 + at) % 2 == 0 { Verdict::Acked } else { refused() };
            Outcome::Each((0..batch.len()).map(verdict).collect())
        }
        _ => {
            // a sink that takes a later event and not the former has itself to blame for the order
            let taken = usize::from(how) / 16 % (batch.len() + 1);
            let verdict = |at| if at < taken { Verdict::Acked } else { failing(None) };
            Outcome::Each((0..batch.len()).map(verdict).collect())
        }
    }
}

pub(super) fn options(concurrency: usize, batch: usize, on_poison: OnPoison) -> SinkOptions {
    SinkOptions {
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        batch: NonZeroUsize::new(batch).unwrap(),
        tries: NonZeroU32::new(3).unwrap(),
        on_poison,
        ..SinkOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Order within a lane, no early cursor, repetitions marked, nothing durable repeated: checked
    /// at each offer; and in the end every event has ended.
    #[test]
    fn every_event_ends_and_lanes_keep_their_order(
        lanes in 1u64..6,
        choices in proptest::collection::vec(any::<u8>(), 1..120),
        steps in proptest::collection::vec(step(), 1..500),
        concurrency in 1usize..6,
        batch in 1usize..7,
        parks: bool,
    ) {
        let on_poison = if parks { OnPoison::Park } else { OnPoison::Skip };
        let mut world = World::new(log(lanes, &choices), options(concurrency, batch, on_poison));
        for step in steps {
            match step {
                Step::Read(most) => world.read(most),
                Step::Send => _ = world.send(),
                Step::Finish(at, how) => world.finish(at, |batch| mood(how, batch)),
                Step::Wait(millis) => world.millis += millis,
                Step::Sync => world.sync(),
                Step::Kill => world.kill(),
            }
            world.check_cursor();
        }
        world.drain(|_| Outcome::ACKED);
    }

    /// A sink that is down is asked for as long as it takes; nobody's tries are used up by it.
    #[test]
    fn a_sink_that_is_down_uses_up_no_tries(
        choices in proptest::collection::vec(any::<u8>(), 20..120),
        batch in 1usize..4,
        steps in 1usize..300,
    ) {
        let mut world = World::new(log(5, &choices), options(4, batch, OnPoison::Skip));
        // well, down, well
        for _ in 0..5 {
            world.read(8);
            world.send();
            world.finish(0, |_| Outcome::ACKED);
        }
        for step in 0..steps {
            world.read(8);
            world.send();
            if step % 3 == 0 {
                world.finish(step % 4, |_| Outcome::failing("refused"));
            }
            world.millis += 977;
            prop_assert_eq!(world.scheduler.most_tries(), 0);
        }
        while !world.flights.is_empty() {
            world.finish(0, |_| Outcome::failing("refused"));
        }
        world.drain(|_| Outcome::ACKED);
        prop_assert!(world.disk.dead.is_empty());
    }
}
