//! `clank events list`, `tail` and `show`: what has happened.

use std::io;

use clank_core::event::{Event, EventKind};
use clank_core::id::{ConnectionId, EventId};
use clank_core::journal::Position;
use clank_journal::log::Reader;
use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use super::when::When;
use super::{Found as Place, Where, escaped, look, pause};
use crate::remote::{Failure, Target, encode, is_read, print};
use crate::search::{Begin, Found, Journal, Page, Search, find};

/// Events of a page.
const PAGE: usize = 1_000;

/// Which events.
#[derive(Debug, Args)]
struct Filter {
    /// Of this type only, such as clank.client.disconnected.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventKind>,
    /// Of the connection with this id only.
    #[arg(long, value_name = "ID")]
    connection: Option<ConnectionId>,
    /// Of this user only.
    #[arg(long, value_name = "USER")]
    identity: Option<String>,
    /// With which it begins: a position, a time (2026-01-31T12:00:00Z), or how long ago (1h).
    #[arg(long, value_name = "WHEN")]
    from: Option<When>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The event's id.
    id: EventId,
    #[command(flatten)]
    place: Where,
}

impl Filter {
    fn search(self) -> Search {
        let Self { kind, connection, identity, from } = self;
        let begin = match from {
            None => Begin::Behind(Position::START),
            Some(When::Position(position)) => Begin::Behind(Position::new(position.saturating_sub(1))),
            Some(When::Time(time)) => Begin::At(time),
        };
        Search { begin, kind, connection, identity, limit: PAGE }
    }
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { filter, limit, place } = self;
        let found = place.find().await?;
        let (mut pages, mut search, mut left) = (Pages::of(&found)?, filter.search(), limit);
        while left > 0 {
            search.limit = PAGE.min(usize::try_from(left).unwrap_or(PAGE));
            let Page { events, next, read_to } = pages.page(&search).await?;
            left -= events.len() as u64;
            for event in &events {
                if !is_read(&line(event, place.json)?)? {
                    return Ok(());
                }
            }
            if next.is_none() {
                break;
            }
            search.begin = Begin::Behind(Position::new(read_to));
        }
        Ok(())
    }
}

impl Tail {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { filter, place } = self;
        let found = place.find().await?;
        let (mut pages, from_now) = (Pages::of(&found)?, filter.from.is_none());
        let mut search = filter.search();
        if from_now {
            search.begin = Begin::Behind(pages.end().await?);
        }
        loop {
            let Page { events, next, read_to } = pages.page(&search).await?;
            for event in &events {
                if !is_read(&line(event, place.json)?)? {
                    return Ok(());
                }
            }
            search.begin = Begin::Behind(Position::new(read_to));
            if next.is_none() {
                pause().await;
            }
        }
    }
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let event = Pages::of(&found)?.show(self.id).await?;
        print(&match self.place.json {
            true => event.record.get().to_owned(),
            false => pretty(&event.record),
        })
    }
}

/// A record over several lines, with its fields in their order.
fn pretty(record: &RawValue) -> String {
    let event = serde_json::from_str::<Event>(record.get());
    event.and_then(|event| serde_json::to_string_pretty(&event)).unwrap_or_else(|_| record.get().to_owned())
}

/// Position, time, id, type, user and cause of an event; or its record.
fn line(event: &Found, json: bool) -> Result<String, Failure> {
    if json {
        return serde_json::to_string(event).map_err(Failure::unusable);
    }
    let record: Value = serde_json::from_str(event.record.get()).map_err(Failure::unusable)?;
    let about = ["cause", "topic", "message", "count"].into_iter().find_map(|name| record.get(name));
    let words = [&record["time"], &record["id"], &record["type"], &record["identity"]["id"]];
    let words = words.map(escaped).join("\t");
    Ok(format!("{}\t{words}\t{}", event.position, escaped(about.unwrap_or(&Value::Null))))
}

/// Where events are read: from the server that runs, or in the directory of one that does not.
enum Pages<'a> {
    Running(&'a Target),
    Stopped(Reader),
}

impl<'a> Pages<'a> {
    fn of(found: &'a Place) -> Result<Self, Failure> {
        match &found.server {
            Some(server) => Ok(Self::Running(server)),
            None => Reader::open(&found.directory).map(Self::Stopped).map_err(Failure::unusable),
        }
    }

    async fn page(&mut self, search: &Search) -> Result<Page, Failure> {
        match self {
            Self::Running(server) => {
                let answer = look(server, &format!("/v1/events?{}", query(search))).await?;
                serde_json::from_str(answer.get()).map_err(Failure::unusable)
            }
            Self::Stopped(reader) => {
                let (dropped, end) = (reader.dropped(), reader.end());
                let read = |after, most| reader.read(after, most).map_err(io::Error::other);
                search.page(Journal { read, dropped, end }).map_err(Failure::unusable)
            }
        }
    }

    async fn show(&mut self, id: EventId) -> Result<Found, Failure> {
        match self {
            Self::Running(server) => {
                let answer = look(server, &format!("/v1/events/{id}")).await?;
                serde_json::from_str(answer.get()).map_err(Failure::unusable)
            }
            Self::Stopped(reader) => {
                let (dropped, end) = (reader.dropped(), reader.end());
                let read = |after, most| reader.read(after, most).map_err(io::Error::other);
                let found = find(id, Journal { read, dropped, end }).map_err(Failure::unusable)?;
                found.ok_or_else(|| Failure::unusable(format!("the journal has no event {id}")))
            }
        }
    }

    /// The last event's position.
    async fn end(&self) -> Result<Position, Failure> {
        match self {
            Self::Running(server) => {
                let answer = look(server, "/v1/journal").await?;
                let journal: Value = serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
                Ok(Position::new(journal["end"].as_u64().unwrap_or_default()))
            }
            Self::Stopped(reader) => Ok(reader.end()),
        }
    }
}

fn query(search: &Search) -> String {
    let Search { begin, kind, connection, identity, limit } = search;
    let mut query = match begin {
        Begin::Behind(position) => format!("after={position}"),
        Begin::At(time) => format!("since={}", encode(&time.to_string())),
    };
    query.push_str(&format!("&limit={limit}"));
    let connection = connection.map(|connection| connection.to_string());
    let rest = [
        ("type", kind.map(EventKind::name)),
        ("connection", connection.as_deref()),
        ("identity", identity.as_deref()),
    ];
    for (name, value) in rest.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        query.push_str(&format!("&{name}={}", encode(value)));
    }
    query
}
