//! What changes something: publish, call, send, disconnect, and several of them in one request.

use std::time::Duration;

use clank::wamp1::SessionId;
use clank::{Audience, Connection, Event, Handle, RpcError, Topic};
use clank_wire::ws::CloseCode;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::problem::{Problem, ProblemKind};
use super::respond::{Answer, json};

/// Topics of one publication, and commands of one batch.
pub(super) const MOST: usize = 1_000;
/// Bytes of a close frame's reason, RFC 6455, section 5.5.
const LONGEST_REASON: usize = 123;

/// A command; in a batch, an object with its name as the only member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    Publish(Publish),
    Call(Call),
    Send(Send),
    Disconnect(Disconnect),
}

/// Publishes one event on one topic or on several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    topic: Option<String>,
    topics: Option<Vec<String>>,
    event: Box<RawValue>,
    #[serde(default)]
    exclude: Vec<Named>,
    eligible: Option<Vec<Named>>,
}

/// Calls a procedure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    uri: String,
    params: Option<Box<RawValue>>,
    timeout_ms: Option<u64>,
}

/// Sends an event to one connection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    pub resource_id: u64,
    topic: String,
    event: Box<RawValue>,
}

/// An event for the connection that the path names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendHere {
    topic: String,
    event: Box<RawValue>,
}

impl SendHere {
    pub(super) fn to(self, resource_id: u64) -> Send {
        Send { resource_id, topic: self.topic, event: self.event }
    }
}

/// Closes one connection, or all of a user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disconnect {
    pub resource_id: Option<u64>,
    pub identity: Option<String>,
    pub code: Option<u16>,
    #[serde(default)]
    pub reason: String,
}

/// A connection, by its resource id or the id of its WAMP session.
#[derive(Debug)]
enum Named {
    Resource(u64),
    Session(SessionId),
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a resource id (an integer) or a session id (a string)")]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Number(number) => Ok(Self::Resource(number)),
            Written::Text(text) => text.parse().map(Self::Session).map_err(serde::de::Error::custom),
        }
    }
}

impl Named {
    /// Who has left is not found, and receives nothing.
    fn find(&self, clank: &Handle) -> Option<Connection> {
        match self {
            Self::Resource(id) => clank.connection(*id),
            Self::Session(id) => clank.connection_of_session(*id),
        }
    }
}

impl Command {
    /// Carries it out by `deadline`.
    pub(super) async fn run(self, clank: &Handle, deadline: Instant) -> Result<Box<RawValue>, Problem> {
        match self {
            Self::Publish(publish) => publish.run(clank),
            Self::Call(call) => call.run(clank, deadline).await,
            Self::Send(send) => send.run(clank),
            Self::Disconnect(disconnect) => disconnect.run(clank),
        }
    }
}

/// Carries out one command after the other; each has its own result, whatever becomes of others.
pub(super) async fn run_all(
    commands: Vec<Command>,
    clank: &Handle,
    deadline: Instant,
) -> Result<Box<RawValue>, Problem> {
    #[derive(Serialize)]
    struct Outcome {
        status: u16,
        body: Box<RawValue>,
    }
    #[derive(Serialize)]
    struct Outcomes {
        results: Vec<Outcome>,
    }
    let mut results = Vec::new();
    for command in commands {
        let result = match Instant::now() < deadline {
            true => command.run(clank, deadline).await,
            false => Err(Problem::new(ProblemKind::OutOfTime, "send it again, in a batch of fewer commands")),
        };
        let Answer { status, body, .. } = result.into();
        results.push(Outcome { status: status.as_u16(), body });
    }
    json(&Outcomes { results })
}

impl Publish {
    fn run(self, clank: &Handle) -> Result<Box<RawValue>, Problem> {
        let topics = match (self.topic, self.topics) {
            (Some(topic), None) => vec![topic],
            (None, Some(topics)) if topics.len() <= MOST => topics,
            (None, Some(_)) => return Err(Problem::invalid(format!("topics: at most {MOST}"))),
            _ => return Err(Problem::invalid("say either `topic` or `topics`")),
        };
        // All of them before the first event goes out.
        let topics = topics.iter().map(|topic| find_topic(clank, topic)).collect::<Result<Vec<_>, _>>()?;
        let event = Event::new(&*self.event).map_err(|error| Problem::invalid(format!("event: {error}")))?;
        let find = |named: &[Named]| -> Vec<Connection> {
            named.iter().filter_map(|named| named.find(clank)).collect()
        };
        let mut audience = Audience::everyone().exclude(&find(&self.exclude));
        if let Some(eligible) = &self.eligible {
            audience = audience.eligible(&find(eligible));
        }
        let receivers: usize = topics.iter().map(|topic| topic.publish(&event, &audience)).sum();
        json(&json!({ "receivers": receivers }))
    }
}

impl Call {
    async fn run(self, clank: &Handle, deadline: Instant) -> Result<Box<RawValue>, Problem> {
        #[derive(Serialize)]
        struct Returned {
            result: Box<RawValue>,
        }
        let params = self.params.as_deref().map_or("[]", RawValue::get).trim_ascii_start();
        if !params.starts_with(['[', '{']) {
            return Err(Problem::invalid("params: an array or an object"));
        }
        let params: &RawValue =
            serde_json::from_str(params).map_err(|error| Problem::invalid(error.to_string()))?;
        let given = self.timeout_ms.map(Duration::from_millis);
        let deadline = given
            .map_or(deadline, |given| deadline.min(Instant::now() + given.min(Duration::from_secs(600))));
        let answer = timeout_at(deadline, clank.call::<_, Box<RawValue>>(&self.uri, params)).await;
        let late = |_| {
            let detail = "the call was dropped; whether it had an effect is for the procedure to say";
            Problem::new(ProblemKind::CallTimeout, detail)
        };
        let result = answer.map_err(late)?.map_err(|error| failed(&error))?;
        json(&Returned { result })
    }
}

/// A procedure's own codes are the application's: only the class of them shows in the status.
fn failed(error: &RpcError) -> Problem {
    let status = match error.kind() {
        404 => StatusCode::NOT_FOUND,
        400..=499 => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(ProblemKind::ProcedureFailed, error.description())
        .status_of(status)
        .member("code", error.kind())
        .member("details", error.details().clone())
}

impl Send {
    fn run(self, clank: &Handle) -> Result<Box<RawValue>, Problem> {
        let topic = find_topic(clank, &self.topic)?;
        let connection = find_connection(clank, self.resource_id)?;
        topic.send(&connection, &*self.event).map_err(|error| Problem::invalid(format!("event: {error}")))?;
        json(&json!({ "receivers": 1 }))
    }
}

impl Disconnect {
    fn run(self, clank: &Handle) -> Result<Box<RawValue>, Problem> {
        let code = self.code.unwrap_or(CloseCode::NORMAL.as_u16());
        if !CloseCode::new(code).is_sendable() {
            return Err(Problem::invalid(format!(
                "code: {code} is no code of a close frame; yours are 4000 to 4999"
            )));
        }
        if self.reason.len() > LONGEST_REASON {
            return Err(Problem::invalid(format!("reason: at most {LONGEST_REASON} bytes")));
        }
        let connections = match (self.resource_id, &self.identity) {
            (Some(id), None) => vec![find_connection(clank, id)?],
            (None, Some(identity)) => clank.connections_of(identity),
            _ => return Err(Problem::invalid("say either `resource_id` or `identity`")),
        };
        connections.iter().for_each(|connection| connection.close(code, &self.reason));
        json(&json!({ "disconnected": connections.len() }))
    }
}

pub(super) fn find_connection(clank: &Handle, resource_id: u64) -> Result<Connection, Problem> {
    clank.connection(resource_id).ok_or_else(|| {
        let detail = format!("no open connection has the resource id {resource_id}");
        Problem::new(ProblemKind::ConnectionNotFound, detail)
    })
}

pub(super) fn find_topic(clank: &Handle, uri: &str) -> Result<Topic, Problem> {
    clank.topic(uri).map_err(|error| Problem::invalid(format!("topic: {error}")))
}
