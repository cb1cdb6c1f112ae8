//! A record as one flat JSON object, with its fields in a fixed order.
//!
//! What does not apply is left out. A reader passes over fields it does not
//! know: later versions add some. `identity.version` and `identity.connections`
//! are there once a journal has added them.

use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    Body, Change, ConnectionFacts, Disconnected, Event, EventKind, Failure, Gap, Headers, Identity, Launched,
    Origin, Presence, PreviousRun, Rejection, RemoteAddress, RequestFacts, SessionFacts, Stopping, Timestamp,
    Traffic, Transport, User,
};
use crate::cause::{Cause, ErrorKind};
use crate::id::{ConnectionId, EventId, NodeId, ResourceId, RunId};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("id", &self.id())?;
        map.serialize_entry("type", self.kind().name())?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("node", &self.origin.node)?;
        map.serialize_entry("run", &self.origin.run)?;
        match &self.body {
            Body::Client { connection, sequence, change } => {
                connection_fields(&mut map, connection, *sequence, self.presence)?;
                change_fields(&mut map, change)?;
            }
            Body::Rejected(rejection) => rejection_fields(&mut map, rejection)?,
            Body::Launched(launched) => {
                map.serialize_entry("address", &launched.address)?;
                optional(&mut map, "rawsocket", Some(&launched.rawsocket).filter(|it| !it.is_empty()))?;
                optional(&mut map, "previous", launched.previous.as_ref())?;
            }
            Body::Stopping(stopping) => map.serialize_entry("open", &stopping.open)?,
            Body::User(user) => {
                map.serialize_entry("connection_id", &user.connection_id)?;
                map.serialize_entry(
                    "identity",
                    &Known { identity: &user.identity, presence: self.presence },
                )?;
            }
            Body::Gap(Gap { from, to, count }) => {
                map.serialize_entry("from", from)?;
                map.serialize_entry("to", to)?;
                map.serialize_entry("count", count)?;
            }
        }
        map.end()
    }
}

fn connection_fields<M: SerializeMap>(
    map: &mut M,
    facts: &ConnectionFacts,
    sequence: u64,
    presence: Option<Presence>,
) -> Result<(), M::Error> {
    map.serialize_entry("connection_id", &facts.connection_id)?;
    map.serialize_entry("resource_id", &facts.resource_id)?;
    map.serialize_entry("sequence", &sequence)?;
    request_fields(map, &facts.request)?;
    optional(map, "session", facts.session.as_ref())?;
    let known = facts.identity.as_ref().map(|identity| Known { identity, presence });
    optional(map, "identity", known.as_ref())?;
    optional(map, "attributes", facts.attributes.as_ref())
}

/// An identity with what the journal knows of it.
#[derive(Serialize)]
struct Known<'a> {
    #[serde(flatten)]
    identity: &'a Identity,
    #[serde(flatten)]
    presence: Option<Presence>,
}

/// The same, read back.
#[derive(Deserialize)]
struct ReadKnown {
    id: Box<str>,
    #[serde(default)]
    attributes: Map<String, Value>,
    version: Option<u64>,
    connections: Option<u64>,
}

impl ReadKnown {
    fn into_parts(self) -> (Identity, Option<Presence>) {
        let presence = self.version.zip(self.connections);
        let presence = presence.map(|(version, connections)| Presence { version, connections });
        (Identity { id: self.id, attributes: self.attributes }, presence)
    }
}

fn request_fields<M: SerializeMap>(map: &mut M, request: &RequestFacts) -> Result<(), M::Error> {
    optional(map, "remote_address", request.remote_address.as_ref())?;
    optional(map, "transport", Some(&request.transport).filter(|known| **known != Transport::default()))?;
    optional(map, "protocol", request.protocol.as_deref())?;
    optional(map, "path", request.path.as_deref())?;
    optional(map, "headers", Some(&request.headers).filter(|headers| !headers.is_empty()))
}

fn change_fields<M: SerializeMap>(map: &mut M, change: &Change) -> Result<(), M::Error> {
    match change {
        Change::Connected => Ok(()),
        Change::Disconnected(end) => {
            map.serialize_entry("cause", &end.cause)?;
            map.serialize_entry("code", &end.code)?;
            map.serialize_entry("reason", &end.reason)?;
            map.serialize_entry("initiator", &end.cause.initiator())?;
            map.serialize_entry("duration_ms", &u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX))?;
            map.serialize_entry("messages_received", &end.received.messages)?;
            map.serialize_entry("bytes_received", &end.received.bytes)?;
            map.serialize_entry("messages_sent", &end.sent.messages)?;
            map.serialize_entry("bytes_sent", &end.sent.bytes)?;
            optional(map, "alive_until", end.alive_until.as_ref())
        }
        Change::Error(failure) => {
            map.serialize_entry("kind", &failure.kind)?;
            map.serialize_entry("message", &failure.message)?;
            map.serialize_entry("survived", &failure.survived)
        }
        Change::Subscribed(topic) | Change::Unsubscribed(topic) => map.serialize_entry("topic", topic),
    }
}

fn rejection_fields<M: SerializeMap>(map: &mut M, rejection: &Rejection) -> Result<(), M::Error> {
    map.serialize_entry("connection_id", &rejection.connection_id)?;
    request_fields(map, &rejection.request)?;
    map.serialize_entry("cause", &rejection.cause)?;
    optional(map, "http_status", rejection.http_status.as_ref())?;
    map.serialize_entry("reason", &rejection.reason)?;
    map.serialize_entry("initiator", &rejection.cause.initiator())
}

fn optional<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: Option<&(impl Serialize + ?Sized)>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(from)?;
        let id = fields.id;
        let origin = Origin { node: fields.node.clone(), run: fields.run };
        let time = fields.time;
        let known = fields.identity.take().map(|known| known.into_parts());
        let (identity, presence) = known.map_or((None, None), |(identity, known)| (Some(identity), known));
        let body = fields.take_body(identity).map_err(|missing| D::Error::missing_field(missing.0))?;
        let event = Self { time, origin, presence, body };
        // the id is a function of the rest, so that a record with another one was not written here
        if event.id() == id {
            Ok(event)
        } else {
            Err(D::Error::custom(format_args!("event id {id} does not fit")))
        }
    }
}

/// Every field that a record may have.
#[derive(Deserialize)]
struct Fields {
    id: EventId,
    #[serde(rename = "type", deserialize_with = "kind")]
    event: EventKind,
    time: Timestamp,
    node: NodeId,
    run: RunId,
    connection_id: Option<ConnectionId>,
    resource_id: Option<ResourceId>,
    sequence: Option<u64>,
    remote_address: Option<RemoteAddress>,
    #[serde(default)]
    transport: Transport,
    protocol: Option<Box<str>>,
    path: Option<Box<str>>,
    #[serde(default)]
    headers: Headers,
    session: Option<Box<SessionFacts>>,
    identity: Option<Box<ReadKnown>>,
    attributes: Option<Box<Map<String, Value>>>,
    cause: Option<Cause>,
    code: Option<u16>,
    reason: Option<Box<str>>,
    duration_ms: Option<u64>,
    messages_received: Option<u64>,
    bytes_received: Option<u64>,
    messages_sent: Option<u64>,
    bytes_sent: Option<u64>,
    alive_until: Option<Timestamp>,
    http_status: Option<u16>,
    kind: Option<ErrorKind>,
    message: Option<Box<str>>,
    survived: Option<bool>,
    topic: Option<Box<str>>,
    address: Option<Box<str>>,
    #[serde(default)]
    rawsocket: Box<[Box<str>]>,
    previous: Option<PreviousRun>,
    open: Option<u64>,
    from: Option<u64>,
    to: Option<u64>,
    count: Option<u64>,
}

fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
    let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
    name.parse().map_err(D::Error::custom)
}

/// The name of a field without which a record of its kind is none.
struct Missing(&'static str);

/// Takes the named fields out, or returns which one is missing.
macro_rules! take {
    ($fields:ident.$name:ident) => {
        $fields.$name.take().ok_or(Missing(stringify!($name)))?
    };
}

impl Fields {
    fn take_body(&mut self, identity: Option<Identity>) -> Result<Body, Missing> {
        match self.event {
            EventKind::Connected => self.take_client(identity, Change::Connected),
            EventKind::Disconnected => {
                let end = self.take_disconnected()?;
                self.take_client(identity, Change::Disconnected(Box::new(end)))
            }
            EventKind::Error => {
                let failure = Failure {
                    kind: take!(self.kind),
                    message: take!(self.message),
                    survived: take!(self.survived),
                };
                self.take_client(identity, Change::Error(Box::new(failure)))
            }
            EventKind::Subscribed => {
                let topic = take!(self.topic);
                self.take_client(identity, Change::Subscribed(topic))
            }
            EventKind::Unsubscribed => {
                let topic = take!(self.topic);
                self.take_client(identity, Change::Unsubscribed(topic))
            }
            EventKind::Rejected => Ok(Body::Rejected(Box::new(Rejection {
                connection_id: take!(self.connection_id),
                request: self.take_request(),
                cause: take!(self.cause),
                http_status: self.http_status,
                reason: take!(self.reason),
            }))),
            EventKind::Launched => {
                let rawsocket = std::mem::take(&mut self.rawsocket);
                Ok(Body::Launched(Launched {
                    address: take!(self.address),
                    rawsocket,
                    previous: self.previous,
                }))
            }
            EventKind::Stopping => Ok(Body::Stopping(Stopping { open: take!(self.open) })),
            EventKind::Online | EventKind::Offline => Ok(Body::User(Box::new(User {
                identity: identity.ok_or(Missing("identity"))?,
                connection_id: take!(self.connection_id),
                online: self.event == EventKind::Online,
            }))),
            EventKind::Gap => {
                Ok(Body::Gap(Gap { from: take!(self.from), to: take!(self.to), count: take!(self.count) }))
            }
        }
    }

    fn take_client(&mut self, identity: Option<Identity>, change: Change) -> Result<Body, Missing> {
        let connection = Arc::new(ConnectionFacts {
            connection_id: take!(self.connection_id),
            resource_id: take!(self.resource_id),
            request: self.take_request(),
            identity: identity.map(Box::new),
            attributes: self.attributes.take(),
            session: self.session.take(),
        });
        Ok(Body::Client { connection, sequence: take!(self.sequence), change })
    }

    fn take_request(&mut self) -> RequestFacts {
        RequestFacts {
            remote_address: self.remote_address,
            transport: self.transport,
            protocol: self.protocol.take().map(Arc::from),
            path: self.path.take().map(Arc::from),
            headers: std::mem::take(&mut self.headers),
        }
    }

    fn take_disconnected(&mut self) -> Result<Disconnected, Missing> {
        Ok(Disconnected {
            cause: take!(self.cause),
            code: take!(self.code),
            reason: take!(self.reason),
            duration: Duration::from_millis(take!(self.duration_ms)),
            received: Traffic { messages: take!(self.messages_received), bytes: take!(self.bytes_received) },
            sent: Traffic { messages: take!(self.messages_sent), bytes: take!(self.bytes_sent) },
            alive_until: self.alive_until,
        })
    }
}
