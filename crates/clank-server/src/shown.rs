//! What is shown of the journal and its sinks, as JSON: by the API, and by commands without a server.

use clank_journal::delivery::{BreakerState, DeadLetter, ReplayProgress, SinkStatus};
use serde::Serialize;
use serde_json::value::RawValue;

/// How a sink is doing.
#[derive(Serialize)]
pub(crate) struct Sink<'a> {
    sink: &'a str,
    configured: bool,
    cursor: u64,
    lag_events: u64,
    lag_seconds: f64,
    in_flight: u64,
    retrying: u64,
    tries: u32,
    breaker: &'static str,
    dead_letters: u64,
    dead_letter_bytes: u64,
    acked: u64,
    redelivered: u64,
    evicted: u64,
    poisoned: u64,
    replay: Option<Replay<'a>>,
}

impl<'a> From<&'a SinkStatus> for Sink<'a> {
    fn from(status: &'a SinkStatus) -> Self {
        Self {
            sink: status.sink.as_str(),
            configured: status.configured,
            cursor: status.cursor.value(),
            lag_events: status.lag_events,
            lag_seconds: status.lag.as_secs_f64(),
            in_flight: status.in_flight,
            retrying: status.retrying,
            tries: status.tries,
            breaker: breaker(status.breaker),
            dead_letters: status.dead_letters,
            dead_letter_bytes: status.dead_letter_bytes,
            acked: status.acked,
            redelivered: status.redelivered,
            evicted: status.evicted,
            poisoned: status.poisoned,
            replay: status.replay.as_ref().map(Replay::from),
        }
    }
}

fn breaker(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::Probing => "probing",
    }
}

#[derive(Serialize)]
struct Replay<'a> {
    id: &'a str,
    read_to: u64,
    to: u64,
    delivered: u64,
    failed: u64,
    finished: bool,
}

impl<'a> From<&'a ReplayProgress> for Replay<'a> {
    fn from(replay: &'a ReplayProgress) -> Self {
        Self {
            id: &replay.id,
            read_to: replay.read_to.value(),
            to: replay.to.value(),
            delivered: replay.delivered,
            failed: replay.failed,
            finished: replay.finished,
        }
    }
}

/// A dead letter.
#[derive(Serialize)]
pub(crate) struct Letter<'a> {
    sink: &'a str,
    position: u64,
    id: String,
    r#type: &'static str,
    why: &'a str,
    attempts: u32,
    tries: u32,
    first_failed: Option<String>,
    died: String,
    group: Option<String>,
    superseded: bool,
    record: &'a RawValue,
}

impl<'a> Letter<'a> {
    /// # Errors
    /// When the record is no JSON.
    pub(crate) fn new(letter: &'a DeadLetter) -> serde_json::Result<Self> {
        Ok(Self {
            sink: letter.sink.as_str(),
            position: letter.position.value(),
            id: letter.id.to_string(),
            r#type: letter.kind.name(),
            why: &letter.why,
            attempts: letter.attempts,
            tries: letter.tries,
            first_failed: letter.first_failed.map(|time| time.to_string()),
            died: letter.died.to_string(),
            group: letter.group.map(|connection| connection.to_string()),
            superseded: letter.superseded,
            record: serde_json::from_slice(&letter.record)?,
        })
    }
}
