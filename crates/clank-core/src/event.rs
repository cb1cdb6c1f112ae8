//! The record of a lifecycle event.
//!
//! A record is complete: whoever reads it needs to have seen no other. Its JSON
//! is one flat object, described with an example of each kind in
//! `docs/lifecycle-events.md`.

mod facts;
mod json;
mod time;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use facts::{ConnectionFacts, Headers, Identity, RemoteAddress, RequestFacts, SessionFacts, Transport};
pub use time::Timestamp;

use crate::cause::{Cause, ErrorKind, UnknownLabel};
use crate::id::{ConnectionId, EventId, NodeId, RunId};

/// The name under which listeners are asked whether a client may connect. It is
/// a question, so there is no record of it.
pub const CONNECTING: &str = "clank.client.connecting";

/// What a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// `clank.client.connected`
    Connected,
    /// `clank.client.disconnected`
    Disconnected,
    /// `clank.client.error`
    Error,
    /// `clank.client.rejected`
    Rejected,
    /// `clank.topic.subscribed`
    Subscribed,
    /// `clank.topic.unsubscribed`
    Unsubscribed,
    /// `clank.server.launched`
    Launched,
    /// `clank.server.stopping`
    Stopping,
    /// `clank.user.online`
    Online,
    /// `clank.user.offline`
    Offline,
    /// `clank.journal.gap`
    Gap,
}

impl EventKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Connected,
        Self::Disconnected,
        Self::Error,
        Self::Rejected,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Launched,
        Self::Stopping,
        Self::Online,
        Self::Offline,
        Self::Gap,
    ];

    /// The event's name, as listeners ask for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "clank.client.connected",
            Self::Disconnected => "clank.client.disconnected",
            Self::Error => "clank.client.error",
            Self::Rejected => "clank.client.rejected",
            Self::Subscribed => "clank.topic.subscribed",
            Self::Unsubscribed => "clank.topic.unsubscribed",
            Self::Launched => "clank.server.launched",
            Self::Stopping => "clank.server.stopping",
            Self::Online => "clank.user.online",
            Self::Offline => "clank.user.offline",
            Self::Gap => "clank.journal.gap",
        }
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for EventKind {
    type Err = UnknownLabel;

    fn from_str(name: &str) -> Result<Self, UnknownLabel> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| UnknownLabel::new("event", name))
    }
}

/// One life of one node: where a record comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node.
    pub node: NodeId,
    /// The life of its process.
    pub run: RunId,
}

/// A lifecycle event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened; for a lost node, when that was noticed.
    pub time: Timestamp,
    /// The node and run in which it happened. A sweep that closes the
    /// connections of an earlier run names that run.
    pub origin: Origin,
    /// What the journal knows of the client's identity; it is added there.
    pub presence: Option<Presence>,
    /// What happened, and to whom.
    pub body: Body,
}

/// What the journal knows of an identity when it records an event of one of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The record's position. Of two events of one identity in one journal, the greater version is
    /// the later one: who has applied it leaves out the other.
    pub version: u64,
    /// How many connections of the identity are open after the event.
    pub connections: u64,
}

/// What happened, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Something about a connection that was admitted.
    Client {
        /// The connection.
        connection: Arc<ConnectionFacts>,
        /// The place among the connection's records: 1 for `connected`, one
        /// more for each that follows.
        sequence: u64,
        /// What happened to it.
        change: Change,
    },
    /// A client was refused; no `disconnected` follows.
    Rejected(Box<Rejection>),
    /// The server accepts connections.
    Launched(Launched),
    /// The server has begun to stop.
    Stopping(Stopping),
    /// A user has come, or is gone: the settled view of an identity, in which a short absence does
    /// not show. The two alternate.
    User(Box<User>),
    /// Events that a sink will not get.
    Gap(Gap),
}

/// A user who has come, or is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Who.
    pub identity: Identity,
    /// The connection that made the difference.
    pub connection_id: ConnectionId,
    /// Whether the user has come.
    pub online: bool,
}

/// Events that a sink will not get: the journal had no room for them any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The position of the first one.
    pub from: u64,
    /// The position of the last one.
    pub to: u64,
    /// How many there are.
    pub count: u64,
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It was opened.
    Connected,
    /// It is gone.
    Disconnected(Box<Disconnected>),
    /// Something went wrong on it.
    Error(Box<Failure>),
    /// It subscribed to this topic.
    Subscribed(Box<str>),
    /// It is no longer subscribed to this topic.
    Unsubscribed(Box<str>),
}

impl Change {
    /// What a record of it tells of.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Connected => EventKind::Connected,
            Self::Disconnected(_) => EventKind::Disconnected,
            Self::Error(_) => EventKind::Error,
            Self::Subscribed(_) => EventKind::Subscribed,
            Self::Unsubscribed(_) => EventKind::Unsubscribed,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// Why.
    pub cause: Cause,
    /// The code of the close frame that began the closing, else the cause's own.
    pub code: u16,
    /// The text of that close frame, or words for the operator.
    pub reason: Box<str>,
    /// How long the connection was open; for a lost node, at least.
    pub duration: Duration,
    /// What the client had sent.
    pub received: Traffic,
    /// What the client had been sent.
    pub sent: Traffic,
    /// For a lost node: when it was last known to be alive.
    pub alive_until: Option<Timestamp>,
}

/// Messages and their bytes, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages of the application's protocol; control frames are none.
    pub messages: u64,
    /// Bytes of their payloads, before compression.
    pub bytes: u64,
}

/// Something that went wrong on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The same in words, for the operator.
    pub message: Box<str>,
    /// Whether the connection outlived it. If not, `disconnected` is next.
    pub survived: bool,
}

/// A client that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The name that the connection would have had.
    pub connection_id: ConnectionId,
    /// What was known of it.
    pub request: RequestFacts,
    /// Why.
    pub cause: Cause,
    /// The HTTP status that it was answered; `None` if it was not, or if the
    /// refusal came after the upgrade.
    pub http_status: Option<u16>,
    /// The same in words, for the operator.
    pub reason: Box<str>,
}

/// A server that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The address it listens on, as a URL: `ws://127.0.0.1:8080`.
    pub address: Box<str>,
    /// Where it speaks RawSocket, as URLs: `rs://127.0.0.1:8081`, `rs://unix:/run/clank.sock`.
    pub rawsocket: Box<[Box<str>]>,
    /// The node's run before this one, where there is a record of it.
    pub previous: Option<PreviousRun>,
}

/// How a node's earlier run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousRun {
    /// Its name.
    pub run: RunId,
    /// Whether it ended by a shutdown.
    pub clean: bool,
    /// How many connections it left open.
    pub left_open: u64,
}

/// A server that has begun to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// How many connections are open.
    pub open: u64,
}

impl Disconnected {
    /// An end for which only the cause is known, with its close code and no traffic.
    pub fn new(cause: Cause) -> Self {
        Self {
            cause,
            code: cause.close_code().unwrap_or(1006),
            reason: "".into(),
            duration: Duration::ZERO,
            received: Traffic::default(),
            sent: Traffic::default(),
            alive_until: None,
        }
    }
}

impl Rejection {
    /// A refusal with the cause's HTTP status.
    pub fn new(connection_id: ConnectionId, request: RequestFacts, cause: Cause, reason: &str) -> Self {
        Self { connection_id, request, cause, http_status: cause.http_status(), reason: reason.into() }
    }
}

impl Event {
    /// A record as the server makes it.
    pub fn new(time: Timestamp, origin: Origin, body: Body) -> Self {
        Self { time, origin, presence: None, body }
    }

    /// The event's name in the whole world; the same on every repetition.
    pub fn id(&self) -> EventId {
        match &self.body {
            Body::Client { connection, sequence, change } => match change {
                Change::Connected => EventId::Open(connection.connection_id),
                Change::Disconnected(_) => EventId::Close(connection.connection_id),
                Change::Error(_) | Change::Subscribed(_) | Change::Unsubscribed(_) => {
                    EventId::Within(connection.connection_id, *sequence)
                }
            },
            Body::Rejected(rejection) => EventId::Rejected(rejection.connection_id),
            Body::Launched(_) => EventId::Launched(self.origin.run),
            Body::Stopping(_) => EventId::Stopping(self.origin.run),
            Body::User(user) if user.online => EventId::Online(user.connection_id),
            Body::User(user) => EventId::Offline(user.connection_id),
            Body::Gap(gap) => EventId::Gap(self.origin.run, gap.from),
        }
    }

    /// What the record tells of.
    pub fn kind(&self) -> EventKind {
        match &self.body {
            Body::Client { change, .. } => change.kind(),
            Body::Rejected(_) => EventKind::Rejected,
            Body::Launched(_) => EventKind::Launched,
            Body::Stopping(_) => EventKind::Stopping,
            Body::User(user) if user.online => EventKind::Online,
            Body::User(_) => EventKind::Offline,
            Body::Gap(_) => EventKind::Gap,
        }
    }

    /// The connection that it tells of, if that was admitted.
    pub fn connection(&self) -> Option<&Arc<ConnectionFacts>> {
        match &self.body {
            Body::Client { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// Who it is about, if that is known.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.body {
            Body::Client { connection, .. } => connection.identity.as_deref(),
            Body::User(user) => Some(&user.identity),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
