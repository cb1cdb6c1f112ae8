//! What the sinks of a journal can be told: retried, dropped, replayed, removed.

use clank_core::event::Timestamp;
use clank_core::id::EventId;
use clank_core::journal::Position;
use clank_journal::delivery::{Letters, ReplayFrom, Retried, SinkName};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::journal::{is_configured, refused, sink_name};
use super::problem::{Problem, ProblemKind};
use super::request::{Query, parse};
use super::respond::json;
use crate::events::Access;

/// An order about one sink.
#[derive(Debug)]
pub(super) struct Order {
    sink: SinkName,
    what: What,
}

#[derive(Debug)]
enum What {
    Remove,
    Retry { which: Which, force: bool },
    Drop(Which),
    Replay(ReplayFrom),
    CancelReplay,
}

/// Which dead letters.
#[derive(Debug)]
enum Which {
    All,
    One(EventId),
}

impl Which {
    fn read(id: Option<&str>, all: bool) -> Result<Self, String> {
        match (id, all) {
            (Some(id), false) => id.parse().map(Self::One).map_err(|error| format!("id: {error}")),
            (None, true) => Ok(Self::All),
            _ => Err("say either `id`, or `all` as true".to_owned()),
        }
    }
}

impl Order {
    fn new(sink: &str, what: What) -> Result<Self, Problem> {
        Ok(Self { sink: sink_name(sink)?, what })
    }

    pub(super) fn remove(sink: &str) -> Result<Self, Problem> {
        Self::new(sink, What::Remove)
    }

    pub(super) fn retry(sink: &str, body: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Retry {
            id: Option<String>,
            #[serde(default)]
            all: bool,
            #[serde(default)]
            force: bool,
        }
        let Retry { id, all, force } = parse(body)?;
        let which = Which::read(id.as_deref(), all).map_err(Problem::invalid)?;
        Self::new(sink, What::Retry { which, force })
    }

    pub(super) fn drop_dead(sink: &str, query: &Query) -> Result<Self, Problem> {
        let wrong = |detail: String| Problem::new(ProblemKind::BadRequest, detail);
        let all = match query.find("all") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(wrong(format!("all: {other:?} is neither true nor false"))),
        };
        Self::new(sink, What::Drop(Which::read(query.find("id"), all).map_err(wrong)?))
    }

    pub(super) fn replay(sink: &str, body: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Replay {
            position: Option<u64>,
            time: Option<Timestamp>,
        }
        let from = match parse(body)? {
            Replay { position: Some(position), time: None } => ReplayFrom::Position(Position::new(position)),
            Replay { position: None, time: Some(time) } => ReplayFrom::Time(time),
            _ => return Err(Problem::invalid("say either `position` or `time`")),
        };
        Self::new(sink, What::Replay(from))
    }

    pub(super) fn cancel_replay(sink: &str) -> Result<Self, Problem> {
        Self::new(sink, What::CancelReplay)
    }

    pub(super) async fn run(self, journal: &Access) -> Result<Box<RawValue>, Problem> {
        let Self { sink, what } = self;
        let (dispatcher, is_configured) = (&journal.dispatcher, is_configured(journal, &sink)?);
        if let What::Remove = what {
            return remove(journal, &sink, is_configured).await;
        }
        if !is_configured {
            let detail = "nothing is delivered to it: configure it again, or remove it";
            return Err(Problem::new(ProblemKind::SinkNotConfigured, detail));
        }
        match what {
            What::Remove => unreachable!("it has been done"),
            What::Retry { which, force } => {
                let which = find(journal, &sink, which).await?;
                let retried = dispatcher.retry_dead(&sink, which, force).await;
                let Retried { queued, withheld, left } = retried.map_err(|error| refused(&error))?;
                tracing::info!(%sink, queued, withheld, force, "dead letters were put back");
                json(&json!({ "queued": queued, "withheld": withheld, "left": left }))
            }
            What::Drop(which) => {
                let which = find(journal, &sink, which).await?;
                let dropped = dispatcher.drop_dead(&sink, which).await.map_err(|error| refused(&error))?;
                tracing::info!(%sink, dropped, "dead letters were dropped");
                json(&json!({ "dropped": dropped }))
            }
            What::Replay(from) => {
                let id = dispatcher.replay(&sink, from).await.map_err(|error| refused(&error))?;
                tracing::info!(%sink, replay = &*id, "a replay begins");
                json(&json!({ "replay": &*id }))
            }
            What::CancelReplay => {
                let is_under_way = is_replaying(journal, &sink).await;
                dispatcher.cancel_replay(&sink).await;
                json(&json!({ "cancelled": u8::from(is_under_way) }))
            }
        }
    }
}

async fn remove(journal: &Access, sink: &SinkName, is_configured: bool) -> Result<Box<RawValue>, Problem> {
    if is_configured {
        let detail = format!("take {sink} out of the configuration, start the server again, then remove it");
        return Err(Problem::new(ProblemKind::SinkConfigured, detail));
    }
    journal.dispatcher.remove(sink).await.map_err(|error| refused(&error))?;
    tracing::info!(%sink, "a sink was removed");
    json(&json!({ "removed": 1 }))
}

async fn find(journal: &Access, sink: &SinkName, which: Which) -> Result<Letters, Problem> {
    let id = match which {
        Which::All => return Ok(Letters::All),
        Which::One(id) => id,
    };
    let found = journal.dispatcher.find_dead(sink, id).await.map_err(|error| refused(&error))?;
    let not_found = || Problem::new(ProblemKind::DeadLetterNotFound, format!("{sink} has none of {id}"));
    found.map(Letters::One).ok_or_else(not_found)
}

async fn is_replaying(journal: &Access, sink: &SinkName) -> bool {
    let all = journal.dispatcher.status().await;
    let replay = all.into_iter().find(|status| status.sink == *sink).and_then(|status| status.replay);
    replay.is_some_and(|replay| !replay.finished)
}
