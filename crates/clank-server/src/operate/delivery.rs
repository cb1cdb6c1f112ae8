//! The sinks and their dead letters: by the server that runs, or in the directory of one that does not.

use std::time::SystemTime;

use clank_core::id::{EventId, NodeId};
use clank_core::journal::Position;
use clank_journal::delivery::{self, Offline, Retried, SinkName, new_origin};
use clank_journal::log::Reader;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::{Found, disk, look};
use crate::remote::{Answer, Failure, Target, encode};
use crate::shown;

/// Dead letters that are read at once.
const PAGE: usize = 1_000;

/// Who knows of the sinks.
pub(super) enum Delivery<'a> {
    Running(&'a Target),
    /// `None`: there was never a sink.
    Stopped(&'a Found, Option<Offline>),
}

/// Which dead letters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    All,
    One(EventId),
}

/// Dead letters, as JSON, and where the next ones begin.
#[derive(Deserialize)]
pub(super) struct Page {
    pub dead_letters: Vec<Box<RawValue>>,
    pub next: Option<String>,
}

impl<'a> Delivery<'a> {
    pub(super) fn of(found: &'a Found) -> Result<Self, Failure> {
        if let Some(server) = &found.server {
            return Ok(Self::Running(server));
        }
        let node =
            found.settings.as_ref().map_or_else(NodeId::default, |settings| settings.server.node.clone());
        let origin = new_origin(node).map_err(Failure::unusable)?;
        let offline = Offline::open(&found.directory, origin);
        Ok(Self::Stopped(found, offline.map_err(Failure::unusable)?))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// How every sink is doing, as JSON.
    pub(super) async fn sinks(&self) -> Result<Vec<Box<RawValue>>, Failure> {
        #[derive(Deserialize)]
        struct Sinks {
            sinks: Vec<Box<RawValue>>,
        }
        let (found, offline) = match self {
            Self::Running(server) => {
                let answer = look(server, "/v1/sinks").await?;
                return Ok(serde_json::from_str::<Sinks>(answer.get()).map_err(Failure::unusable)?.sinks);
            }
            Self::Stopped(_, None) => return Ok(Vec::new()),
            Self::Stopped(found, Some(offline)) => (found, offline),
        };
        let end = Reader::open(&found.directory).map_err(Failure::unusable)?.end();
        let mut all = offline.status(end).map_err(disk)?;
        for status in &mut all {
            status.configured = found.has_sink(&status.sink);
        }
        all.iter().map(|status| to_json(&shown::Sink::from(status))).collect()
    }

    /// The names of the sinks: this one, or all that there are.
    pub(super) async fn names(&self, sink: Option<&SinkName>) -> Result<Vec<SinkName>, Failure> {
        if let Some(sink) = sink {
            return Ok(vec![sink.clone()]);
        }
        #[derive(Deserialize)]
        struct Named {
            sink: String,
        }
        let name = |status: &RawValue| {
            let Named { sink } = serde_json::from_str(status.get()).map_err(Failure::unusable)?;
            sink.parse().map_err(Failure::unusable)
        };
        self.sinks().await?.iter().map(|status| name(status)).collect()
    }

    /// Forgets a sink.
    pub(super) async fn remove(&self, sink: &SinkName) -> Result<(), Failure> {
        let is_there = match self {
            Self::Running(server) => {
                return server.ask(Method::DELETE, &path(sink, ""), None).await?.judge(false).map(drop);
            }
            Self::Stopped(found, _) if found.has_sink(sink) => {
                let message = format!("{sink} is configured: take it out of the configuration first");
                return Err(Failure::unusable(message));
            }
            Self::Stopped(_, None) => false,
            Self::Stopped(_, Some(offline)) => offline.remove(sink).map_err(disk)?,
        };
        if is_there { Ok(()) } else { Err(Failure::unusable(format!("there is no sink {sink}"))) }
    }

    /// Some of a sink's dead letters.
    pub(super) async fn letters(&self, sink: &SinkName, cursor: &str) -> Result<Page, Failure> {
        match self {
            Self::Running(server) => {
                let query = format!("/dead-letters?limit={PAGE}&cursor={cursor}");
                let answer = look(server, &path(sink, &query)).await?;
                serde_json::from_str(answer.get()).map_err(Failure::unusable)
            }
            Self::Stopped(_, None) => Ok(Page { dead_letters: Vec::new(), next: None }),
            Self::Stopped(_, Some(offline)) => {
                let after = Position::new(cursor.parse().map_err(Failure::unusable)?);
                let letters = offline.dead_letters(sink, after, PAGE).map_err(disk)?;
                let is_last = letters.len() < PAGE;
                let next = letters.last().filter(|_| !is_last).map(|letter| letter.position.to_string());
                let show = |letter| {
                    let letter = shown::Letter::new(letter).map_err(Failure::unusable)?;
                    to_json(&letter)
                };
                let dead_letters = letters.iter().map(show).collect::<Result<_, Failure>>()?;
                Ok(Page { dead_letters, next })
            }
        }
    }

    /// Puts dead letters back; `None` if the sink has no such one.
    pub(super) async fn retry(
        &self,
        sink: &SinkName,
        which: Which,
        force: bool,
    ) -> Result<Option<Retried>, Failure> {
        match self {
            Self::Running(server) => {
                let body = match which {
                    Which::All => json!({ "all": true, "force": force }),
                    Which::One(id) => json!({ "id": id.to_string(), "force": force }),
                };
                let path = path(sink, "/dead-letters/retry");
                let answer = server.ask(Method::POST, &path, Some(body.to_string())).await?;
                Ok(unless_not_found(answer)?.map(|answer| Retried {
                    queued: number(&answer["queued"]),
                    withheld: number(&answer["withheld"]),
                    left: number(&answer["left"]),
                }))
            }
            Self::Stopped(_, None) => Ok(None),
            Self::Stopped(_, Some(offline)) => {
                let Some(which) = locate(offline, sink, which)? else { return Ok(None) };
                offline.retry_dead(sink, which, force).map(Some).map_err(disk)
            }
        }
    }

    /// Drops dead letters, and says how many; `None` if the sink has no such one.
    pub(super) async fn drop_dead(&self, sink: &SinkName, which: Which) -> Result<Option<u64>, Failure> {
        match self {
            Self::Running(server) => {
                let query = match which {
                    Which::All => "?all=true".to_owned(),
                    Which::One(id) => format!("?id={}", encode(&id.to_string())),
                };
                let path = path(sink, &format!("/dead-letters{query}"));
                let answer = unless_not_found(server.ask(Method::DELETE, &path, None).await?)?;
                Ok(answer.map(|answer| number(&answer["dropped"])))
            }
            Self::Stopped(_, None) => Ok(None),
            Self::Stopped(_, Some(offline)) => {
                let Some(which) = locate(offline, sink, which)? else { return Ok(None) };
                offline.drop_dead(sink, which, SystemTime::now().into()).map(Some).map_err(disk)
            }
        }
    }
}

impl Found {
    fn has_sink(&self, sink: &SinkName) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.sinks.contains_key(sink.as_str()))
    }
}

fn path(sink: &SinkName, rest: &str) -> String {
    format!("/v1/sinks/{}{rest}", encode(sink.as_str()))
}

fn locate(offline: &Offline, sink: &SinkName, which: Which) -> Result<Option<delivery::Letters>, Failure> {
    Ok(match which {
        Which::All => Some(delivery::Letters::All),
        Which::One(id) => offline.find_dead(sink, id).map_err(disk)?.map(delivery::Letters::One),
    })
}

/// The answer, unless there is no such dead letter.
fn unless_not_found(answer: Answer) -> Result<Option<Value>, Failure> {
    if answer.status == StatusCode::NOT_FOUND && answer.body.get().contains("/problems/dead-letter-not-found")
    {
        return Ok(None);
    }
    let body = answer.judge(false)?;
    serde_json::from_str(body.get()).map(Some).map_err(Failure::unusable)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, Failure> {
    to_raw_value(value).map_err(Failure::unusable)
}
