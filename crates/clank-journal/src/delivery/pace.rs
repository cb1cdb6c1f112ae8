//! How fast disconnects go out, and who goes first.
//!
//! A node that loses its network loses all its clients at once. What they leave behind is told at a
//! pace that the receiver survives, while everything else goes on beside it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How fast `disconnected` goes to a sink, first and further tries together.
///
/// In no stretch of `per` do more than `events` go out. A tenth of them, the burst, may go at once;
/// the rest follows evenly. The default is 10,000 in 5 seconds.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use clank_journal::delivery::Pace;
///
/// let pace = Pace::new(NonZeroU32::new(10_000).unwrap(), Duration::from_secs(5));
/// assert_eq!(pace, Pace::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    events: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
    share: u8,
}

impl Pace {
    /// So many in so long a time, which is a microsecond at least.
    pub fn new(events: NonZeroU32, per: Duration) -> Self {
        let burst = NonZeroU32::new(events.get() / 10).unwrap_or(NonZeroU32::MIN);
        Self { events, per: per.max(Duration::from_micros(1)), burst, share: 25 }
    }

    /// How many of them may go at once; at most all.
    #[must_use]
    pub fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst.min(self.events);
        self
    }

    /// The share of deliveries, in percent, that disconnects keep while others wait too; 25 unless
    /// said otherwise, at least 1 and at most 99. What one side does not use is the other's.
    #[must_use]
    pub fn min_share(mut self, percent: u8) -> Self {
        self.share = percent.clamp(1, 99);
        self
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(NonZeroU32::MIN.saturating_add(9_999), Duration::from_secs(5))
    }
}

/// The two kinds of events that compete for deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Disconnect,
    Other,
}

/// A [`Pace`] at work: a virtual schedule (GCRA), and the turns of the two classes.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Between two events of the even stream.
    interval: Duration,
    /// How far ahead of that stream the burst may run.
    ahead: Duration,
    /// When the even stream would let the next one go.
    due: Option<Instant>,
    share: u32,
    credit: u32,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        let evenly = (pace.events.get() - pace.burst.get()).max(1);
        // rounded up: never too many
        let interval = pace.per.div_ceil(evenly);
        let ahead = interval.saturating_mul(pace.burst.get() - 1);
        Self { interval, ahead, due: None, share: u32::from(pace.share), credit: 0 }
    }

    /// When the next disconnect may go.
    pub(super) fn free_at(&self, now: Instant) -> Instant {
        self.due.and_then(|due| due.checked_sub(self.ahead)).unwrap_or(now)
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.free_at(now) <= now
    }

    /// Counts a disconnect that goes out; call it only when [`is_free`](Self::is_free).
    pub(super) fn take(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + self.interval);
    }

    /// Whose turn it is when both wait.
    pub(super) fn turn(&mut self) -> Class {
        self.credit += self.share;
        if self.credit >= 100 {
            self.credit -= 100;
            Class::Disconnect
        } else {
            Class::Other
        }
    }
}

trait DivCeil {
    fn div_ceil(self, by: u32) -> Self;
}

impl DivCeil for Duration {
    fn div_ceil(self, by: u32) -> Self {
        let nanos = self.as_nanos().div_ceil(u128::from(by));
        Self::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn pace(events: u32, millis: u64, burst: u32) -> Pace {
        Pace::new(NonZeroU32::new(events).unwrap(), Duration::from_millis(millis))
            .burst(NonZeroU32::new(burst).unwrap())
    }

    #[test]
    fn a_storm_of_ten_thousand_takes_five_seconds() {
        let (mut pacer, start) = (Pacer::new(Pace::default()), Instant::now());
        let mut now = start;
        for _ in 0..10_000 {
            now = now.max(pacer.free_at(now));
            pacer.take(now);
        }
        let took = now - start;
        assert!(took > Duration::from_millis(4_900) && took < Duration::from_millis(5_001), "{took:?}");
    }

    #[test]
    fn disconnects_have_their_share_when_others_wait() {
        let mut pacer = Pacer::new(Pace::default());
        let disconnects = (0..100).filter(|_| pacer.turn() == Class::Disconnect).count();
        assert_eq!(disconnects, 25);
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_lets_more_through(
            events in 2u32..60,
            burst in 1u32..60,
            steps in proptest::collection::vec(0u64..400, 1..400),
        ) {
            prop_assume!(burst < events);
            let mut pacer = Pacer::new(pace(events, 1_000, burst));
            let mut now = Instant::now();
            let mut passed = Vec::new();
            for step in steps {
                now += Duration::from_millis(step / 8);
                while pacer.is_free(now) {
                    pacer.take(now);
                    passed.push(now);
                }
            }
            for (at, first) in passed.iter().enumerate() {
                let within = passed[at..].iter().filter(|time| **time - *first < Duration::from_secs(1));
                prop_assert!(within.count() <= events as usize);
            }
        }
    }
}
