//! Points in time, as records carry them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970 in UTC; RFC 3339 with six decimals as text.
///
/// ```
/// use clank_core::event::Timestamp;
/// let time = Timestamp::from_unix_micros(1_700_000_000_000_001);
/// assert_eq!(time.to_string(), "2023-11-14T22:13:20.000001Z");
/// assert_eq!("2023-11-14T23:13:20.000001+01:00".parse(), Ok(time));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A text that is no time of RFC 3339 from 1970 on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time of RFC 3339 from 1970 on")]
pub struct InvalidTimestamp(Box<str>);

impl Timestamp {
    /// The last one, `9999-12-30T22:00:00Z`: later ones have a fifth digit in
    /// their year somewhere in the world.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// The time so many microseconds after the beginning of 1970; at most
    /// [`MAX`](Self::MAX).
    pub const fn from_unix_micros(micros: u64) -> Self {
        if micros < Self::MAX.0 { Self(micros) } else { Self::MAX }
    }

    /// Microseconds since the beginning of 1970.
    pub const fn unix_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn unix_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The time that passed since `earlier`; zero if that lies ahead, as it may
    /// when the clock was set back.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock that stands before 1970 counts as one that stands at its beginning.
    fn from(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_micros(u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // every value up to MAX is a time, so that the fallbacks are never taken
        let micros = i64::try_from(self.0).unwrap_or_default();
        let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
        write!(f, "{time:.6}")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp(text.into());
        let time: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        u64::try_from(time.as_microsecond()).map(Self::from_unix_micros).map_err(|_| invalid())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_has_one_length_so_that_it_sorts() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_500_000, "1970-01-01T00:00:01.500000Z"),
            (u64::MAX, "9999-12-30T22:00:00.000000Z"),
        ] {
            assert_eq!(Timestamp::from_unix_micros(micros).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "now", "1969-12-31T23:59:59Z", "2023-11-14", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_duration() {
        let (earlier, later) = (Timestamp::from_unix_micros(10), Timestamp::from_unix_micros(25));
        assert_eq!(later.since(earlier), Duration::from_micros(15));
        assert_eq!(earlier.since(later), Duration::ZERO);
    }

    #[test]
    fn system_times_are_taken_over() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567);
        assert_eq!(Timestamp::from(time).unix_micros(), 1_234);
        let time = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(time).unix_micros(), 0);
    }

    proptest! {
        #[test]
        fn any_time_is_read_back(micros in prop_oneof![any::<u64>(), 0..=Timestamp::MAX.0]) {
            let time = Timestamp::from_unix_micros(micros);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
