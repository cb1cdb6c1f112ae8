//! How long to wait before another try.

use std::time::Duration;

/// How long to wait before another try: a random time between `min` and a bound that doubles with
/// each failure in a row, up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The least.
    pub min: Duration,
    /// The most.
    pub max: Duration,
}

impl Default for Backoff {
    /// Between 100 ms and a minute.
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The time to wait after so many failures in a row.
    pub(crate) fn wait(self, failures: u32, jitter: &mut Jitter) -> Duration {
        let doubled = 1u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX);
        let bound = self.min.saturating_mul(doubled).min(self.max).max(self.min);
        self.min + jitter.below(bound - self.min)
    }
}

/// Randomness for waiting times (splitmix64); its seed comes from outside.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: Duration) -> Duration {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.next() % bound.saturating_add(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_spread_below_a_bound_that_doubles() {
        let (backoff, mut jitter) = (Backoff::default(), Jitter::new(1));
        for (failures, bound) in [(0, 100), (1, 200), (4, 1_600), (10, 60_000), (99, 60_000)] {
            let waits: Vec<_> = (0..200).map(|_| backoff.wait(failures, &mut jitter)).collect();
            let (least, most) = (waits.iter().min(), waits.iter().max());
            assert!(least >= Some(&backoff.min));
            assert!(most <= Some(&Duration::from_millis(bound)), "{most:?}");
            assert!(failures == 0 || most > Some(&Duration::from_millis(bound * 8 / 10)), "{most:?}");
        }
    }
}
