//! How a sink is served.

use std::borrow::Borrow;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::filter::Filter;
use super::pace::Pace;

/// A sink's name, under which its cursor and dead letters are kept: 1 to 64 of the characters
/// `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SinkName(Arc<str>);

/// A text that is no sink's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a sink: 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
pub struct InvalidSinkName(Box<str>);

impl SinkName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SinkName {
    type Err = InvalidSinkName;

    fn from_str(text: &str) -> Result<Self, InvalidSinkName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSinkName(text.into()))
        }
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for SinkName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What becomes of a connection's events behind one that the sink will not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPoison {
    /// They go out, marked with the gap.
    #[default]
    Skip,
    /// They follow it to the dead letters, as one ordered group.
    Park,
}

/// How a sink is served.
///
/// ```
/// use std::num::NonZeroUsize;
/// use clank_journal::delivery::{OnPoison, SinkOptions};
///
/// let mut options = SinkOptions::default();
/// options.batch = NonZeroUsize::new(100).unwrap();
/// options.on_poison = OnPoison::Park;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkOptions {
    /// Which events it hears of.
    pub filter: Filter,
    /// How many deliveries may be under way at once; each has lanes of its own. 16.
    pub concurrency: NonZeroUsize,
    /// The most events in one delivery. 1.
    pub batch: NonZeroUsize,
    /// After how many tries an event counts as poisoned. Only those count that fail although
    /// another lane's event was taken since the try before, so that the first never does. 8.
    pub tries: NonZeroU32,
    /// How long an event that failed waits, and between two probes of a sink that is down.
    pub backoff: Backoff,
    /// After which time a delivery counts as failed. 10 seconds.
    pub timeout: Duration,
    /// What becomes of a connection's events behind one that is poisoned.
    pub on_poison: OnPoison,
    /// How fast disconnects go out.
    pub pace: Pace,
    /// How many bytes of dead letters are kept; past it the oldest are dropped, which leaves a gap.
    /// 64 MiB.
    pub max_dead_letter_bytes: u64,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            concurrency: NonZeroUsize::MIN.saturating_add(15),
            batch: NonZeroUsize::MIN,
            tries: NonZeroU32::MIN.saturating_add(7),
            backoff: Backoff::default(),
            timeout: Duration::from_secs(10),
            on_poison: OnPoison::default(),
            pace: Pace::default(),
            max_dead_letter_bytes: 64 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_keys_and_urls() {
        assert!("billing-1.eu_west".parse::<SinkName>().is_ok());
        for refused in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(refused.parse::<SinkName>().is_err(), "{refused}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let options = SinkOptions::default();
        assert_eq!((options.concurrency.get(), options.batch.get(), options.tries.get()), (16, 1, 8));
    }
}
