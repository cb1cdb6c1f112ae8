//! What delivery reads: the durable records, in order.

use std::borrow::Cow;
use std::io;

use bytes::Bytes;
use clank_core::event::{EventKind, Timestamp};
use clank_core::id::ConnectionId;
use clank_core::journal::Position;
use serde::Deserialize;
use tokio::sync::watch;

/// Records lie in the order in which they were kept, and their times are about that: how far the
/// two may be apart, in microseconds.
const DISORDER: u64 = 60_000_000;
/// Bytes that are read at once where records are looked at one by one.
const STRIDE: usize = 256 * 1024;

/// A record as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub position: Position,
    /// What it tells of.
    pub kind: EventKind,
    /// The connection that it tells of, if that was admitted.
    pub connection: Option<ConnectionId>,
    /// What is delivered in order: the same number for all events of one identity, or of one
    /// connection where no identity is known; 0 for those of the server itself and of clients that
    /// were rejected.
    pub lane: u64,
    /// The whole record, a JSON object without line breaks.
    pub json: Bytes,
}

impl Entry {
    /// When it happened, as the record says.
    pub fn time(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            time: Cow<'a, str>,
        }
        serde_json::from_slice::<Head<'_>>(&self.json).ok()?.time.parse().ok()
    }
}

/// The position behind which the records since `time` begin: the first one there is not older.
///
/// `read` is that of a [`Source`] whose records lie behind `dropped`, up to `end`.
///
/// # Errors
/// Those of `read`.
pub fn behind(
    time: Timestamp,
    dropped: Position,
    end: Position,
    mut read: impl FnMut(Position, usize) -> io::Result<Vec<Entry>>,
) -> io::Result<Position> {
    let early = Timestamp::from_unix_micros(time.unix_micros().saturating_sub(DISORDER));
    // what lies up to `after` is older, what lies behind `before` is not
    let (mut after, mut before) = (dropped.value(), end.value());
    while after < before {
        let middle = after + (before - after) / 2;
        let found = read(Position::new(middle), 1)?.into_iter().next();
        match found.filter(|entry| entry.position.value() <= before) {
            Some(entry) if entry.time().is_some_and(|time| time < early) => after = entry.position.value(),
            _ => before = middle,
        }
    }
    let mut after = Position::new(after);
    loop {
        let page = read(after, STRIDE)?;
        if page.is_empty() {
            return Ok(after);
        }
        for entry in page {
            if entry.time().is_some_and(|happened| happened >= time) {
                return Ok(after);
            }
            after = entry.position;
        }
    }
}

/// Where durable records are read.
pub trait Source: Send + Sync + 'static {
    /// The records behind `after`, in order: at least one if there is one, beyond that as many as
    /// fit into `max_bytes`. It blocks on the disk.
    ///
    /// # Errors
    /// When the disk cannot be read, or what it says is corrupt.
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>>;

    /// The last durable record's position, now and whenever it changes.
    fn end(&self) -> watch::Receiver<Position>;

    /// The last position that has been dropped; all that lies behind it can be read.
    fn dropped(&self) -> Position;

    /// The `connected` records of the connections that are open at a position, and that position.
    fn open(&self) -> (Position, Vec<Entry>);

    /// Records up to this position are needed by nobody any more, but for those that the
    /// configuration keeps for a time.
    fn release(&self, up_to: Position);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::delivery::testing::entry;

    #[test]
    fn the_first_record_since_a_time_is_found_by_few_looks() {
        // a record every ten seconds, of which every seventh lies five seconds too late
        let time = |number: u64| {
            let late = if number.is_multiple_of(7) { 5_000_000 } else { 0 };
            Timestamp::from_unix_micros(1_700_000_000_000_000 + number * 10_000_000 - late)
        };
        let entries: Vec<Entry> = (1..=1000)
            .map(|number| {
                let mut entry = entry(number * 3, EventKind::Connected, number, number);
                entry.json = format!(r#"{{"time":"{}"}}"#, time(number)).into();
                entry
            })
            .collect();
        let mut looks = 0;
        let mut find = |time, dropped: u64| {
            looks = 0;
            let found = behind(time, Position::new(dropped), Position::new(3000), |after, bytes| {
                looks += 1;
                let rest = entries.iter().filter(|entry| entry.position > after);
                Ok(rest.take(if bytes == 1 { 1 } else { 50 }).cloned().collect())
            });
            assert!(looks < 20, "{looks}");
            found.unwrap().value()
        };
        assert_eq!(find(time(1), 0), 0);
        assert_eq!(find(time(500), 0), 499 * 3);
        assert_eq!(find(Timestamp::from_unix_micros(time(501).unix_micros() - 1), 0), 500 * 3);
        assert_eq!(find(time(500), 2400), 2400);
        assert_eq!(find(time(1001), 0), 3000);
    }
}
