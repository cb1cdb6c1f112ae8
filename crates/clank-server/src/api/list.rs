//! What can be asked: connections, topics, and who is there.
//!
//! All lists come in pages, in a stable order: a page says in `next` where the one after it begins.
//! A page takes no lock for longer than a look at 256 connections, or at the ids of one topic's
//! members: sockets are served meanwhile.

use std::collections::BTreeMap;

use clank::{Connection, Handle, Identity, Topic, Transport};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::command::{find_connection, find_topic};
use super::problem::{Problem, ProblemKind};
use super::request::Query;
use super::respond::json;

/// Connections that are looked at under one lock.
const LOOK: usize = 256;
/// Connections that are looked at for one page: one of which few fit is shorter than it may be.
const MOST_LOOKED_AT: usize = 20_000;

/// A connection, with the names that its records have.
#[derive(Serialize)]
struct Shown<'a> {
    resource_id: u64,
    connection_id: String,
    session_id: String,
    identity: Option<&'a Identity>,
    attributes: Option<&'a Map<String, Value>>,
    remote_address: Option<String>,
    transport: Transport,
    protocol: Option<&'a str>,
    path: Option<&'a str>,
    headers: Value,
}

pub(super) fn show(connection: &Connection) -> Result<Box<RawValue>, Problem> {
    let facts = connection.facts();
    let request = &facts.request;
    json(&Shown {
        resource_id: connection.resource_id(),
        connection_id: connection.id().to_string(),
        session_id: connection.session_id().to_string(),
        identity: connection.identity(),
        attributes: facts.attributes.as_deref(),
        remote_address: request.remote_address.map(|address| address.to_string()),
        transport: request.transport,
        protocol: request.protocol.as_deref(),
        path: request.path.as_deref(),
        headers: serde_json::to_value(&request.headers).unwrap_or_default(),
    })
}

/// Which connections are asked for.
struct Filter<'a> {
    identity: Option<&'a str>,
    topic: Option<Topic>,
    path: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(clank: &Handle, query: &'a Query) -> Result<Self, Problem> {
        let topic = query.find("topic").map(|topic| find_topic(clank, topic)).transpose()?;
        Ok(Self { identity: query.find("identity"), topic, path: query.find("path") })
    }

    fn fits(&self, connection: &Connection) -> bool {
        let identity = |identity| connection.identity().is_some_and(|known| &*known.id == identity);
        let path = |path| connection.facts().request.path.as_deref() == Some(path);
        self.identity.is_none_or(identity)
            && self.path.is_none_or(path)
            && self.topic.as_ref().is_none_or(|topic| topic.has(connection))
    }

    /// Where to look: at what the narrowest index has, else at all.
    fn source<'c>(&self, clank: &'c Handle) -> Source<'c> {
        match (self.identity, &self.topic) {
            (Some(identity), _) => Source::These(clank, ids(&clank.connections_of(identity))),
            (None, Some(topic)) => Source::These(clank, topic.member_ids()),
            (None, None) => Source::All(clank),
        }
    }
}

fn ids(connections: &[Connection]) -> Vec<u64> {
    connections.iter().map(Connection::resource_id).collect()
}

/// Connections in the order of their resource ids.
enum Source<'c> {
    All(&'c Handle),
    These(&'c Handle, Vec<u64>),
}

impl Source<'_> {
    /// Some of those after `after`, and the last id that was looked at; `None`: that was all.
    fn look(&self, after: u64) -> Option<(Vec<Connection>, u64)> {
        match self {
            Self::All(clank) => {
                let found = clank.connections_after(after, LOOK);
                let last = found.last()?.resource_id();
                Some((found, last))
            }
            Self::These(clank, ids) => {
                let rest = ids.get(ids.partition_point(|id| *id <= after)..)?;
                let looked_at = rest.get(..LOOK).unwrap_or(rest);
                let last = *looked_at.last()?;
                Some((looked_at.iter().filter_map(|id| clank.connection(*id)).collect(), last))
            }
        }
    }
}

/// `GET /v1/connections`
pub(super) fn connections(clank: &Handle, query: &Query) -> Result<Box<RawValue>, Problem> {
    let filter = Filter::of(clank, query)?;
    page(&filter.source(clank), query, |connection| filter.fits(connection))
}

/// `GET /v1/connections/count`
pub(super) fn count(clank: &Handle, query: &Query) -> Result<Box<RawValue>, Problem> {
    let filter = Filter::of(clank, query)?;
    let count = match &filter {
        Filter { identity: None, topic: None, path: None } => clank.tables().open,
        Filter { identity: None, topic: Some(topic), path: None } => topic.count(),
        _ => {
            let source = filter.source(clank);
            let mut after = 0;
            let looks = std::iter::from_fn(|| {
                let (found, last) = source.look(after)?;
                after = last;
                Some(found.iter().filter(|connection| filter.fits(connection)).count())
            });
            looks.sum()
        }
    };
    json(&json!({ "count": count }))
}

/// `GET /v1/users/{identity}/connections`
pub(super) fn connections_of(
    clank: &Handle,
    identity: &str,
    query: &Query,
) -> Result<Box<RawValue>, Problem> {
    page(&Source::These(clank, ids(&clank.connections_of(identity))), query, |_| true)
}

/// `GET /v1/topics/{topic}/connections`
pub(super) fn members(clank: &Handle, topic: &str, query: &Query) -> Result<Box<RawValue>, Problem> {
    page(&Source::These(clank, find_topic(clank, topic)?.member_ids()), query, |_| true)
}

/// A page of those connections of `source` that `fits` lets through.
fn page(
    source: &Source<'_>,
    query: &Query,
    fits: impl Fn(&Connection) -> bool,
) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Page {
        connections: Vec<Box<RawValue>>,
        next: Option<String>,
    }
    let limit = query.limit()?;
    let mut after = query.number("cursor")?.unwrap_or(0);
    let (mut connections, mut looked_at) = (Vec::new(), 0);
    while looked_at < MOST_LOOKED_AT {
        let Some((found, last)) = source.look(after) else {
            return json(&Page { connections, next: None });
        };
        looked_at += LOOK;
        for connection in found.iter().filter(|connection| fits(connection)) {
            if connections.len() == limit {
                return json(&Page { connections, next: Some(after.to_string()) });
            }
            connections.push(show(connection)?);
            after = connection.resource_id();
        }
        after = last;
    }
    json(&Page { connections, next: Some(after.to_string()) })
}

#[derive(Serialize)]
struct ShownTopic {
    topic: String,
    subscribers: usize,
}

impl ShownTopic {
    fn of(topic: &Topic) -> Self {
        Self { topic: topic.uri().to_owned(), subscribers: topic.count() }
    }
}

/// `GET /v1/topics`
pub(super) fn topics(clank: &Handle, query: &Query) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Page {
        topics: Vec<ShownTopic>,
        next: Option<String>,
    }
    let (prefix, after) =
        (query.find("prefix").unwrap_or_default(), query.find("cursor").unwrap_or_default());
    let limit = query.limit()?;
    // One more, to know whether there is one.
    let mut topics = clank.topics_after(prefix, after, limit + 1);
    let is_last = topics.len() <= limit;
    topics.truncate(limit);
    let next = topics.last().filter(|_| !is_last).map(|topic| topic.uri().to_owned());
    json(&Page { topics: topics.iter().map(ShownTopic::of).collect(), next })
}

/// `GET /v1/topics/{topic}`
pub(super) fn topic(clank: &Handle, topic: &str) -> Result<Box<RawValue>, Problem> {
    json(&ShownTopic::of(&find_topic(clank, topic)?))
}

/// `GET /v1/topics/{topic}/users`: who is there, each user once.
pub(super) fn users(clank: &Handle, topic: &str, query: &Query) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct User {
        identity: Box<str>,
        connections: usize,
    }
    #[derive(Serialize)]
    struct Page {
        users: Vec<User>,
        /// Connections of nobody in particular.
        anonymous: usize,
        next: Option<String>,
    }
    let (limit, after) = (query.limit()?, query.find("cursor"));
    let source = Source::These(clank, find_topic(clank, topic)?.member_ids());
    let (mut users, mut anonymous, mut from) = (BTreeMap::<Box<str>, usize>::new(), 0, 0);
    while let Some((found, last)) = source.look(from) {
        from = last;
        for connection in &found {
            match connection.identity() {
                Some(identity) => *users.entry(identity.id.clone()).or_default() += 1,
                None => anonymous += 1,
            }
        }
    }
    let mut rest = users.into_iter().filter(|(id, _)| after.is_none_or(|after| **id > *after)).peekable();
    let page: Vec<User> =
        rest.by_ref().take(limit).map(|(identity, connections)| User { identity, connections }).collect();
    let next = rest.peek().and(page.last()).map(|last| last.identity.to_string());
    json(&Page { users: page, anonymous, next })
}

/// `GET /v1/connections/{resource_id}`
pub(super) fn connection(clank: &Handle, id: &str) -> Result<Box<RawValue>, Problem> {
    show(&find_connection(clank, resource_id(id)?)?)
}

/// The resource id that a path names.
pub(super) fn resource_id(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| {
        let detail = format!("a resource id is a number, not {text:?}");
        Problem::new(ProblemKind::ConnectionNotFound, detail)
    })
}
