//! How a sink is doing.

use std::time::Duration;

use clank_core::journal::Position;

use super::breaker::BreakerState;
use super::options::SinkName;
use super::scheduler::ReplayProgress;
use super::store::Total;

/// How a sink is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SinkStatus {
    /// Its name.
    pub sink: SinkName,
    /// Whether it is served. One that was taken out of the configuration is not, and pins the
    /// journal until it is removed; of it only the cursor and the dead letters are known.
    pub configured: bool,
    /// All up to here is settled.
    pub cursor: Position,
    /// Records that are not settled: those not read yet, those in memory, and those on disk that wait
    /// for another try.
    pub lag_events: u64,
    /// How long ago the oldest of those in memory happened; zero if there is none.
    pub lag: Duration,
    /// Events that are under way.
    pub in_flight: u64,
    /// Events on disk that wait for another try.
    pub retrying: u64,
    /// The most tries that an event in memory has used up.
    pub tries: u32,
    /// Whether the sink is asked at all.
    pub breaker: BreakerState,
    /// Dead letters, and about how many bytes they have.
    pub dead_letters: u64,
    /// See `dead_letters`.
    pub dead_letter_bytes: u64,
    /// Events that were taken, since the start.
    pub acked: u64,
    /// Of these, events that had been offered before.
    pub redelivered: u64,
    /// Events that were lost behind a gap, since the start.
    pub evicted: u64,
    /// Events that became dead letters, since the start.
    pub poisoned: u64,
    /// The last replay.
    pub replay: Option<ReplayProgress>,
}

impl SinkStatus {
    /// That of a sink that is not served, in a journal that ends at `end`.
    pub(super) fn idle(sink: SinkName, cursor: Position, end: Position, dead: Total) -> Self {
        Self {
            sink,
            configured: false,
            cursor,
            lag_events: end.value().saturating_sub(cursor.value()),
            lag: Duration::ZERO,
            in_flight: 0,
            retrying: 0,
            tries: 0,
            breaker: BreakerState::Closed,
            dead_letters: dead.letters,
            dead_letter_bytes: dead.bytes,
            acked: 0,
            redelivered: 0,
            evicted: 0,
            poisoned: 0,
            replay: None,
        }
    }
}

/// What became of an order to put dead letters back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// They wait for another try.
    pub queued: u64,
    /// `connected` records whose `disconnected` was taken: they are sent by force alone.
    pub withheld: u64,
    /// More than one order puts back: give it again.
    pub left: u64,
}
