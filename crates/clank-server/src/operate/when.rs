//! A position or a time, as it is written on a command line.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clank_core::event::Timestamp;

/// With which event something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// With the one at this position, or the first behind it.
    Position(u64),
    /// With the first one that is not older.
    Time(Timestamp),
}

/// A text that is neither.
#[derive(Debug, thiserror::Error)]
#[error("write a position (123), a time (2026-01-31T12:00:00Z), or how long ago (90s, 5m, 1h, 2d)")]
pub(super) struct Invalid;

impl FromStr for When {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        read(text, SystemTime::now().into())
    }
}

fn read(text: &str, now: Timestamp) -> Result<When, Invalid> {
    if let Ok(position) = text.parse() {
        return Ok(When::Position(position));
    }
    let ago = text.trim_end_matches("ago").trim_end();
    if let Some(ago) = duration(ago) {
        let micros = u64::try_from(ago.as_micros()).map_err(|_| Invalid)?;
        return Ok(When::Time(Timestamp::from_unix_micros(now.unix_micros().saturating_sub(micros))));
    }
    text.parse().map(When::Time).map_err(|_| Invalid)
}

fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "s") => (number, 1),
        (number, "m") => (number, 60),
        (number, "h") => (number, 3_600),
        (number, "d") => (number, 86_400),
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_a_time_and_how_long_ago_are_told_apart() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let time = |text: &str| When::Time(text.parse().unwrap());
        for (text, when) in [
            ("0", When::Position(0)),
            ("17", When::Position(17)),
            ("90s", time("2026-01-31T11:58:30Z")),
            ("1h", time("2026-01-31T11:00:00Z")),
            ("1h ago", time("2026-01-31T11:00:00Z")),
            ("2d", time("2026-01-29T12:00:00Z")),
            ("2026-01-31T13:00:00+02:00", time("2026-01-31T11:00:00Z")),
        ] {
            assert_eq!(read(text, now).unwrap(), when, "{text}");
        }
        for wrong in ["", "-1", "h", "1y", "1.5h", "yesterday", "2026-01-31", "é"] {
            assert!(read(wrong, now).is_err(), "{wrong}");
        }
    }
}
