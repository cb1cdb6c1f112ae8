//! Times, counted by how long they are.

use std::time::Duration;

/// Buckets for each doubling: a quantile is at most 1/64 longer than what was measured.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// A histogram of nanoseconds, finer where times are short; it takes 30 KiB however much is added.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let buckets = bucket(u64::MAX) + 1;
        Self { buckets: vec![0; buckets], count: 0 }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.buckets.get_mut(bucket(nanoseconds)) {
            *count += 1;
        }
        self.count += 1;
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The time, in microseconds, that this share of those added did not exceed; `None` of nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut below = 0;
        let found = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(longest(found) as f64 / 1e3)
    }
}

/// The first 64 nanoseconds have a bucket each, and each doubling after them has 64.
fn bucket(nanoseconds: u64) -> usize {
    let doubling = nanoseconds.max(1).ilog2().saturating_sub(STEP_BITS);
    let step = nanoseconds >> doubling;
    (u64::from(doubling) * STEPS + step) as usize
}

/// The longest time that a bucket takes.
fn longest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doubling = (bucket / STEPS).saturating_sub(1);
    let step = bucket - doubling * STEPS;
    (u128::from(step + 1) << doubling).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket() {
        let mut last = 0;
        for shift in 0..64 {
            for time in [1u64 << shift, (1 << shift) + (1 << shift) / 3, (1 << shift) - 1, u64::MAX >> shift]
            {
                let found = longest(bucket(time));
                assert!(found >= time, "{time} in a bucket up to {found}");
                assert!(found - time <= time / STEPS, "{time} shown as {found}");
            }
            assert!(bucket(1 << shift) > last || shift == 0);
            last = bucket(1 << shift);
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut times = Histogram::new();
        assert_eq!(times.quantile(0.5), None);
        for microseconds in 1..=1000 {
            times.add(Duration::from_micros(microseconds));
        }
        for (share, expected) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let found = times.quantile(share).unwrap();
            assert!((expected..expected * 1.02).contains(&found), "{share}: {found}");
        }
        assert_eq!(times.count, 1000);
    }
}
