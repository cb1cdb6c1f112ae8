//! An open loop: events leave when they are due, whether or not those before them have arrived.

use std::time::{Duration, Instant};

use super::broadcast::{Broadcast, GRACE};
use crate::Result;
use crate::displaced::Displaced;
use crate::histogram::Histogram;
use crate::load::TURN;
use crate::mark::{Body, Mark};

/// Events that leave at a pace, on topics that take turns, and how long they take to arrive.
///
/// Time counts from when an event was due: what leaves late because the load was busy is late, too. Where
/// it is known when the server was displaced the load has a thread that does nothing else, and time counts
/// from when an event left: what leaves late is so by the machine's doing alone.
pub(super) struct Pace {
    begun: Instant,
    interval: Duration,
    topics: std::ops::Range<u32>,
    /// Events of this pace that have left, and how many there will be.
    left: u64,
    count: u64,
    /// Events that each topic had before.
    before: u64,
    times: Histogram,
    displaced: Option<Displaced>,
    /// Of each event that has left, if the server may be displaced.
    departures: Vec<Departure>,
    left_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct Departure {
    at: Instant,
    /// How long the server had been displaced until then.
    displaced: i64,
}

const BODY: Body = Body::Text(128);
/// A delivery is left out during which the server waited longer for its processor,
const DISPLACED: Duration = Duration::from_micros(50);
/// and for more than this part of the time that the delivery took.
const DISPLACED_PART: u32 = 10;

impl Pace {
    /// `before` events have been published on each of the topics. Deliveries in which the server was
    /// `displaced` are left out.
    pub(super) fn new(
        rate: u32,
        time: Duration,
        topics: std::ops::Range<u32>,
        before: u64,
        displaced: Option<Displaced>,
    ) -> Self {
        let interval = Duration::from_secs(1) / rate;
        // As many on each topic.
        let rounds = (time.as_secs_f64() * f64::from(rate) / topics.len() as f64).ceil().max(1.0);
        let count = rounds as u64 * topics.len() as u64;
        Self {
            begun: Instant::now(),
            interval,
            topics,
            left: 0,
            count,
            before,
            times: Histogram::new(),
            displaced,
            departures: Vec::new(),
            left_out: 0,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.left >= self.count
    }

    /// Events on each topic, those before this pace included.
    pub(super) fn events(&self) -> u64 {
        self.before + self.count / self.topics.len() as u64
    }

    /// Publishes what is due, and returns the time until more is.
    pub(super) fn publish(&mut self, broadcast: &mut Broadcast<'_>) -> Result<Duration> {
        while !self.is_over() {
            let wait = self.due(self.left).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Ok(wait);
            }
            let topic = self.topics.start + (self.left % self.topics.len() as u64) as u32;
            let displaced = self.displaced.as_ref().map(Displaced::until_now);
            let departure = displaced.map(|displaced| Departure { at: Instant::now(), displaced });
            self.departures.extend(departure);
            broadcast.publish(topic, 1, BODY)?;
            self.left += 1;
        }
        Ok(TURN)
    }

    /// An event has arrived at one of its subscribers.
    pub(super) fn heard(&mut self, mark: Mark) {
        let round = mark.sequence.saturating_sub(self.before);
        let place = u64::from(mark.topic - self.topics.start);
        let event = round * self.topics.len() as u64 + place;
        let now = Instant::now();
        let Some(left) = self.departures.get(event as usize) else {
            return self.times.add(now.saturating_duration_since(self.due(event)));
        };
        let time = now - left.at;
        let displaced = self.displaced.as_ref().map_or(0, Displaced::until_now) - left.displaced;
        let displaced = Duration::from_nanos(u64::try_from(displaced).unwrap_or_default());
        if displaced > DISPLACED.max(time / DISPLACED_PART) {
            self.left_out += 1;
        } else {
            self.times.add(time);
        }
    }

    /// The share of the deliveries that is left out.
    pub(super) fn left_out(&self) -> f64 {
        self.left_out as f64 / (self.left_out + self.times.count()).max(1) as f64
    }

    /// # Errors
    /// If the last event left long ago.
    pub(super) fn check_patience(&self) -> Result {
        let late = Instant::now().saturating_duration_since(self.due(self.count));
        if late > GRACE { Err("events of other topics have not come".into()) } else { Ok(()) }
    }

    fn due(&self, event: u64) -> Instant {
        self.begun + self.interval.saturating_mul(event.try_into().unwrap_or(u32::MAX))
    }

    /// The 50th, 99th and 99.9th percentile, in microseconds.
    pub(super) fn percentiles(&self) -> Option<[f64; 3]> {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| self.times.quantile(share));
        Some([p50?, p99?, p999?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_when_an_event_was_due() {
        let mut pace = Pace::new(10, Duration::from_secs(1), 3..5, 7, None);
        assert_eq!((pace.count, pace.events()), (10, 12));
        pace.begun -= Duration::from_secs(2);
        // The fourth event, the second on the second topic, was due 300 ms after the first.
        pace.heard(Mark { topic: 4, sequence: 8 });
        let [p50, ..] = pace.percentiles().unwrap();
        assert!((1.7e6..1.8e6).contains(&p50), "{p50}");
    }

    #[test]
    fn deliveries_of_a_displaced_server_are_left_out() {
        let own = crate::process::Processes { root: std::process::id() };
        let mut pace = Pace::new(10, Duration::from_secs(1), 3..4, 0, Some(Displaced::new(own).unwrap()));
        // Before the first and the last, the server had waited much less than until now.
        for displaced in [i64::MIN / 2, i64::MAX / 2, i64::MIN / 2] {
            pace.departures.push(Departure { at: Instant::now(), displaced });
        }
        for (sequence, counted) in [(0, 0), (1, 1), (2, 1)] {
            pace.heard(Mark { topic: 3, sequence });
            assert_eq!((pace.times.count(), pace.left_out), (counted, sequence + 1 - counted));
        }
        assert!((0.66..0.67).contains(&pace.left_out()));
    }
}
