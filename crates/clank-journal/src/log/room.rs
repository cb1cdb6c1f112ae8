//! How much may be written: bytes on the disk, and records of minor kinds in a second.

use std::time::Duration;

/// The bytes of a log.
///
/// A connection that opens takes, beside its record, the most that its end can need. So the end of
/// every open connection has room, whatever else was written before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) most: u64,
    /// Bytes of all segments.
    pub(crate) used: u64,
    /// Bytes that the ends of open connections may need.
    pub(crate) reserved: u64,
}

impl Room {
    /// Whether it is not too much, with so many bytes more.
    pub(crate) fn fits(&self, more: u64) -> bool {
        self.used.saturating_add(self.reserved).saturating_add(more) <= self.most
    }

    /// Bytes that are neither used nor reserved.
    pub(crate) fn free(&self) -> u64 {
        self.most.saturating_sub(self.used).saturating_sub(self.reserved)
    }
}

/// Lets `rate` records a second through, and as many at once after a silence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    rate: u64,
    /// What is left, in millionths of a record.
    micros: u64,
    filled: Duration,
}

impl TokenBucket {
    pub(crate) fn new(rate: u32) -> Self {
        let rate = u64::from(rate);
        Self { rate, micros: rate * 1_000_000, filled: Duration::ZERO }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = u64::try_from(now.saturating_sub(self.filled).as_micros()).unwrap_or(u64::MAX);
        self.filled = self.filled.max(now);
        self.micros = passed.saturating_mul(self.rate).saturating_add(self.micros).min(self.rate * 1_000_000);
        let left = self.micros.checked_sub(1_000_000);
        self.micros = left.unwrap_or(self.micros);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_not_free() {
        let room = Room { most: 100, used: 50, reserved: 20 };
        assert!(room.fits(30));
        assert!(!room.fits(31));
        assert!(!Room { used: 81, ..room }.fits(0));
        assert_eq!(Room { used: 90, ..room }.free(), 0);
    }

    #[test]
    fn a_bucket_lets_its_rate_through() {
        let mut bucket = TokenBucket::new(10);
        let mut taken = |millis| (0..100).filter(|_| bucket.take(Duration::from_millis(millis))).count();
        assert_eq!(taken(0), 10);
        assert_eq!(taken(50), 0);
        assert_eq!(taken(100), 1);
        assert_eq!(taken(350), 2);
        assert_eq!(taken(60_000), 10);
        let mut none = TokenBucket::new(0);
        assert!(!none.take(Duration::from_secs(9)));
    }
}
