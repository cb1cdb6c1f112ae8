//! What can be asked of the journal and its sinks.

use std::io;
use std::sync::Arc;

use clank_core::event::{EventKind, Timestamp};
use clank_core::id::EventId;
use clank_core::journal::Position;
use clank_journal::delivery::{DeadLetter, Refused, SinkName};
use clank_journal::log::Log;
use clank_journal::source::{Entry, Source};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::problem::{Problem, ProblemKind};
use super::request::Query;
use super::respond::json;
use crate::events::Access;
use crate::search::{self, Begin, Journal, Search};
use crate::shown;

/// The parameters of a search for events.
pub(super) const SEARCH: &[&str] = &["after", "since", "type", "connection", "identity", "limit", "cursor"];

/// What is asked.
#[derive(Debug)]
pub(super) enum Question {
    Sinks,
    DeadLetters { sink: SinkName, after: Position, limit: usize },
    Events(Search),
    Event(EventId),
    Journal,
}

impl Question {
    pub(super) fn dead_letters(sink: &str, query: &Query) -> Result<Self, Problem> {
        let after = Position::new(query.number("cursor")?.unwrap_or(0));
        Ok(Self::DeadLetters { sink: sink_name(sink)?, after, limit: query.limit()? })
    }

    pub(super) fn events(query: &Query) -> Result<Self, Problem> {
        let (cursor, after) = (query.number("cursor")?, query.number("after")?);
        let since: Option<Timestamp> = word(query, "since", "a time as RFC 3339 has it")?;
        let begin = match (cursor.or(after), since) {
            (Some(position), _) => Begin::Behind(Position::new(position)),
            (None, Some(time)) => Begin::At(time),
            (None, None) => Begin::Behind(Position::START),
        };
        let kind: Option<EventKind> =
            word(query, "type", "the name of an event, such as clank.client.connected")?;
        let connection = word(query, "connection", "the id of a connection")?;
        let identity = query.find("identity").map(str::to_owned);
        Ok(Self::Events(Search { begin, kind, connection, identity, limit: query.limit()? }))
    }

    pub(super) fn event(id: &str) -> Result<Self, Problem> {
        let not_found = |_| Problem::new(ProblemKind::EventNotFound, format!("{id:?} is no id of an event"));
        id.parse().map(Self::Event).map_err(not_found)
    }

    pub(super) async fn answer(self, journal: &Access) -> Result<Box<RawValue>, Problem> {
        match self {
            Self::Sinks => sinks(journal).await,
            Self::DeadLetters { sink, after, limit } => dead_letters(journal, &sink, after, limit).await,
            Self::Events(search) => json(&in_log(journal, move |log| search.page(readable(log))).await?),
            Self::Event(id) => {
                let not_found = || {
                    let detail = format!("{id} was not kept, or has been dropped since");
                    Problem::new(ProblemKind::EventNotFound, detail)
                };
                let found = in_log(journal, move |log| search::find(id, readable(log))).await?;
                json(&found.ok_or_else(not_found)?)
            }
            Self::Journal => json(&state(&journal.log)),
        }
    }
}

/// A parameter that is more than text.
fn word<T: std::str::FromStr>(query: &Query, name: &str, what: &str) -> Result<Option<T>, Problem> {
    let Some(text) = query.find(name) else { return Ok(None) };
    let wrong = |_| Problem::new(ProblemKind::BadRequest, format!("{name}: {text:?} is not {what}"));
    text.parse().map(Some).map_err(wrong)
}

fn readable(log: &Log) -> Journal<impl FnMut(Position, usize) -> io::Result<Vec<Entry>>> {
    let read = |after, most| log.read(after, most);
    Journal { read, dropped: log.dropped(), end: *Source::end(log).borrow() }
}

/// Reads in the log, where that may block.
async fn in_log<T: Send + 'static>(
    journal: &Access,
    work: impl FnOnce(&Log) -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let log = Arc::clone(&journal.log);
    let done = tokio::task::spawn_blocking(move || work(&log)).await;
    done.map_err(io::Error::other).and_then(|read| read).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::JournalFailed, error.to_string())
}

/// The name of a sink that a path has.
pub(super) fn sink_name(text: &str) -> Result<SinkName, Problem> {
    text.parse().map_err(|error| Problem::new(ProblemKind::SinkNotFound, format!("{error}")))
}

/// Whether a sink that has been here is configured.
pub(super) fn is_configured(journal: &Access, sink: &SinkName) -> Result<bool, Problem> {
    let not_found = || Problem::new(ProblemKind::SinkNotFound, format!("no sink was ever called {sink}"));
    journal.dispatcher.is_configured(sink).ok_or_else(not_found)
}

pub(super) fn refused(error: &Refused) -> Problem {
    match error {
        Refused::NoSuchSink => Problem::new(ProblemKind::SinkNotConfigured, "it is served no longer"),
        Refused::Replaying => {
            let detail = "wait for its end, or break it off: DELETE .../replays";
            Problem::new(ProblemKind::ReplayUnderWay, detail)
        }
        error => failed(error),
    }
}

/// `GET /v1/sinks`
async fn sinks(journal: &Access) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Sinks<'a> {
        sinks: Vec<shown::Sink<'a>>,
    }
    let all = journal.dispatcher.status().await;
    json(&Sinks { sinks: all.iter().map(shown::Sink::from).collect() })
}

/// `GET /v1/sinks/{sink}/dead-letters`
async fn dead_letters(
    journal: &Access,
    sink: &SinkName,
    after: Position,
    limit: usize,
) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Page<'a> {
        dead_letters: Vec<shown::Letter<'a>>,
        next: Option<String>,
    }
    is_configured(journal, sink)?;
    // one more, to know whether there is one
    let found = journal.dispatcher.dead_letters(sink, after, limit + 1).await;
    let mut letters: Vec<DeadLetter> = found.map_err(|error| refused(&error))?;
    let is_last = letters.len() <= limit;
    letters.truncate(limit);
    let next = letters.last().filter(|_| !is_last).map(|letter| letter.position.to_string());
    let dead_letters = letters.iter().map(shown::Letter::new).collect::<Result<_, _>>();
    json(&Page { dead_letters: dead_letters.map_err(|error| failed(&error))?, next })
}

/// `GET /v1/journal`
fn state(log: &Log) -> Value {
    let metrics = log.metrics();
    let records: serde_json::Map<String, Value> = EventKind::ALL
        .into_iter()
        .zip(metrics.records)
        .map(|(kind, count)| (kind.name().to_owned(), count.into()))
        .collect();
    json!({
        "id": log.id().to_string(),
        "end": Source::end(log).borrow().value(),
        "dropped": log.dropped().value(),
        "metrics": {
            "commits": metrics.commits,
            "commit_seconds": metrics.commit_time.as_secs_f64(),
            "commit_longest_seconds": metrics.commit_longest.as_secs_f64(),
            "bytes": metrics.bytes,
            "records": records,
            "shed": metrics.shed,
            "refused": metrics.refused,
            "conflicts": metrics.conflicts,
            "failures": metrics.failures,
            "waiting": metrics.waiting,
            "open": metrics.open,
            "used": metrics.used,
            "reserved": metrics.reserved,
            "free": metrics.free,
            "evicted": metrics.evicted,
        },
    })
}
