//! What the outcome of a delivery means for each of its events, and for the sink.

use std::time::{Duration, Instant};

use clank_core::event::EventKind;
use clank_core::id::EventId;

use super::super::options::OnPoison;
use super::super::sink::{Outcome, Verdict};
use super::lanes::{Key, Stream};
use super::{Flying, Item, Now, Scheduler};

/// What becomes of one event.
#[derive(Clone, Debug)]
enum Fate {
    Acked,
    Refused(String),
    /// `alone`: it was this event, and no other, that failed.
    Failed {
        why: String,
        retry_after: Option<Duration>,
        alone: bool,
    },
    /// Offered again, in less company.
    Again,
}

impl Fate {
    fn of(verdict: Verdict, alone: bool) -> Self {
        match verdict {
            Verdict::Acked => Self::Acked,
            Verdict::Refused { why } => Self::Refused(why),
            Verdict::Failing { retry_after, why } => Self::Failed { why, retry_after, alone },
        }
    }

    /// The fate of each of `total` events, and in what company they are tried next.
    fn of_all(outcome: Outcome, total: usize) -> (Vec<Self>, Option<usize>) {
        let half = Some((total / 2).max(1));
        match outcome {
            Outcome::All(Verdict::Acked) => (vec![Self::Acked; total], None),
            Outcome::All(verdict) if total == 1 => (vec![Self::of(verdict, true)], Some(1)),
            Outcome::All(Verdict::Refused { .. }) => (vec![Self::Again; total], half),
            Outcome::All(failing) => (vec![Self::of(failing, false); total], half),
            Outcome::Each(verdicts) => {
                let mut fates: Vec<_> = verdicts.into_iter().map(|verdict| Self::of(verdict, true)).collect();
                let silent = Self::Failed {
                    why: "the sink said nothing of it".into(),
                    retry_after: None,
                    alone: false,
                };
                fates.resize(total, silent);
                (fates, None)
            }
        }
    }
}

impl Scheduler {
    /// Takes the outcome of a delivery.
    pub(in crate::delivery) fn done(&mut self, flight: u64, outcome: Outcome, now: Now) {
        let Some(flying) = self.flights.remove(&flight) else { return };
        let total = flying.parts.iter().map(|(_, events)| events).sum();
        let (fates, company) = Fate::of_all(outcome, total);
        if fates.iter().any(|fate| matches!(fate, Fate::Acked)) {
            self.last_taken = self.last_taken.max(flight);
        }
        // whether tries count is asked before the breaker hears of this delivery
        let may_count = self.breaker.is_closed();
        self.tell_breaker(&flying, &fates, now.at);
        let mut fates = fates.into_iter();
        for (key, events) in flying.parts {
            let fates = fates.by_ref().take(events);
            self.land(key, events, fates, company, may_count, now);
        }
        self.end_replay();
    }

    /// A delivery that was broken off: its events are pending again, and nothing is said of the
    /// sink.
    pub(in crate::delivery) fn broken_off(&mut self, flight: u64) {
        let Some(flying) = self.flights.remove(&flight) else { return };
        if flying.probe {
            self.breaker.unprobed();
        }
        for (key, _) in flying.parts {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.flying = 0;
            }
            self.lanes.settle(key, None);
        }
    }

    /// A sink that takes or refuses anything is up.
    fn tell_breaker(&mut self, flying: &Flying, fates: &[Fate], now: Instant) {
        let patience = fates.iter().filter_map(|fate| match fate {
            Fate::Failed { retry_after, .. } => *retry_after,
            _ => None,
        });
        let patience = patience.max();
        if fates.iter().any(|fate| !matches!(fate, Fate::Failed { .. })) {
            if self.breaker.answered() {
                self.lanes.wake_blameless();
            }
        } else if let Some((key, _)) = flying.parts.first() {
            self.breaker.failed(*key, flying.probe, patience, now, &mut self.jitter);
        }
    }

    /// Brings the first events of a lane home.
    fn land(
        &mut self,
        key: Key,
        events: usize,
        fates: impl Iterator<Item = Fate>,
        company: Option<usize>,
        may_count: bool,
        now: Now,
    ) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.flying = 0;
        let flown: Vec<Item> = lane.queue.drain(..events.min(lane.queue.len())).collect();
        let (mut kept, mut closed) = (Vec::new(), None);
        let (mut wait, mut spill, mut poisoned) = (None, false, false);
        for (mut item, fate) in flown.into_iter().zip(fates) {
            match fate {
                Fate::Acked => {
                    if let EventId::Close(connection) = item.id {
                        closed = Some(EventId::Open(connection));
                    }
                    self.acked(key, &item);
                }
                Fate::Again => kept.push(item),
                Fate::Refused(why) => {
                    poisoned = true;
                    self.poison(key, &item, &why, now);
                }
                // the first that fails speaks for its lane
                Fate::Failed { .. } if wait.is_some() => kept.push(item),
                Fate::Failed { why, retry_after, alone } => {
                    let counts = self.fail(key, &mut item, alone && may_count, now);
                    if item.tries >= self.rules.tries.get() {
                        poisoned = true;
                        self.poison(key, &item, &why, now);
                    } else {
                        wait = Some(self.wait(key, retry_after, now.at));
                        spill = counts;
                        kept.push(item);
                    }
                }
            }
        }
        self.put_back(key, kept, closed, company);
        if poisoned && self.rules.on_poison == OnPoison::Park {
            self.park_rest(key, now);
        }
        self.spill(key, spill);
        self.lanes.settle(key, wait);
    }

    /// Notes a failure. Whether it counts: a delivery that began after this event failed before
    /// brought another lane's event home, and the sink is not known to be down.
    ///
    /// So a sink that is down uses up no tries, however long it stays away.
    fn fail(&mut self, key: Key, item: &mut Item, may_count: bool, now: Now) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        let before = lane.failed.replace((item.position(), self.next_flight));
        let begun = before.filter(|(position, _)| *position == item.position()).map(|(_, begun)| begun);
        let counts = may_count && begun.is_some_and(|begun| begun < self.last_taken);
        item.tries += u32::from(counts);
        item.first_failed.get_or_insert(now.wall);
        counts
    }

    fn wait(&mut self, key: Key, retry_after: Option<Duration>, now: Instant) -> Instant {
        let failures = self.lanes.get_mut(&key).map_or(0, |lane| {
            lane.failures = lane.failures.saturating_add(1);
            lane.failures - 1
        });
        let patience = retry_after.unwrap_or_default().min(self.rules.backoff.max);
        now + self.rules.backoff.wait(failures, &mut self.jitter).max(patience)
    }

    /// Puts what was not settled before the rest of its lane. A `connected` whose `disconnected`
    /// was just taken is not offered again.
    fn put_back(&mut self, key: Key, kept: Vec<Item>, closed: Option<EventId>, company: Option<usize>) {
        if key.0 == Stream::Replay && self.replay_is_over() {
            return self.lanes.clear(Stream::Replay);
        }
        let (late, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|item| Some(item.id) == closed);
        for item in late {
            self.vacate(key, &item);
        }
        if let Some(lane) = self.lanes.get_mut(&key) {
            if kept.is_empty() {
                lane.failures = 0;
                lane.most = usize::MAX;
            } else {
                lane.most = company.unwrap_or(lane.most);
            }
            for item in kept.into_iter().rev() {
                lane.queue.push_front(item);
            }
        }
    }

    fn acked(&mut self, key: Key, item: &Item) {
        self.vacate(key, item);
        match key.0 {
            Stream::Replay => self.replayed(true),
            Stream::Live => {
                self.counts.acked += 1;
                self.counts.redelivered += u64::from(item.attempts > 1 || item.repeated);
                self.ledger.acked();
                self.heal(item);
            }
        }
    }

    /// Gives up an event's place, wherever it is kept.
    pub(super) fn vacate(&mut self, key: Key, item: &Item) {
        if key.0 == Stream::Replay {
            self.replay_left();
        } else if item.stored {
            self.unstore(key, item);
        } else {
            self.window.settle(item.position(), item.bytes());
            if item.entry.kind == EventKind::Gap
                && self.gap.as_ref().is_some_and(|gap| gap.to == item.position().value())
            {
                self.gap = None;
            }
        }
    }
}
