//! What a worker says. Nothing in it is trusted.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The version of the protocol.
pub(super) const VERSION: u32 = 1;

/// One thing that a worker says.
pub(super) enum Said<'a> {
    Hello(Box<Hello>),
    Refused(Exception),
    Done(Done),
    Died(Died),
    Result(Answered<'a>),
    CallError(NotAnswered<'a>),
    Broadcast(Broadcast<'a>),
    Event(Sent<'a>),
    Send(SentText<'a>),
    Add(Membership<'a>),
    Remove(Membership<'a>),
    CloseClient(CloseClient),
    Watch(Watch),
}

/// The application has started, and this is what it is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Hello {
    pub version: u32,
    #[serde(default)]
    pub php: String,
    #[serde(default)]
    pub symfony: Option<String>,
    #[serde(default)]
    pub listen: Option<Listen>,
    /// First segments of topics that have a handler.
    #[serde(default)]
    pub topics: HashSet<String>,
    /// Names of services.
    #[serde(default)]
    pub rpcs: HashSet<String>,
    #[serde(default)]
    pub periodics: Vec<Periodic>,
    /// The events that somebody listens to.
    #[serde(default)]
    pub listeners: HashSet<String>,
    #[serde(default)]
    pub all_topics: bool,
    #[serde(default)]
    pub all_calls: bool,
    /// Whether it is to be asked who a client is.
    #[serde(default)]
    pub connecting: bool,
}

/// Where the application would have the server listen.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listen {
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub port: Option<u16>,
}

/// What runs at intervals.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Periodic {
    pub name: String,
    pub interval_ms: u64,
}

/// An exception, as far as it could be said.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Exception {
    #[serde(default)]
    pub class: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
}

/// A request is over.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Done {
    pub seq: u64,
    #[serde(default)]
    pub errors: Vec<Exception>,
    #[serde(default)]
    pub identity: Option<String>,
    /// Of each connection, what is handed over to the next worker.
    #[serde(default)]
    pub properties: Option<Box<RawValue>>,
}

/// The worker ends.
#[derive(Debug, Deserialize)]
pub(super) struct Died {
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub line: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answered<'a> {
    pub call: u64,
    #[serde(borrow)]
    pub value: &'a RawValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct NotAnswered<'a> {
    pub call: u64,
    #[serde(borrow)]
    pub uri: Cow<'a, str>,
    #[serde(borrow, default)]
    pub description: Cow<'a, str>,
    #[serde(borrow, default)]
    pub details: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Broadcast<'a> {
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    #[serde(borrow)]
    pub event: &'a RawValue,
    #[serde(default)]
    pub exclude: Vec<u64>,
    #[serde(default)]
    pub eligible: Option<Vec<u64>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sent<'a> {
    pub id: u64,
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    #[serde(borrow)]
    pub event: &'a RawValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct SentText<'a> {
    pub id: u64,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Membership<'a> {
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    pub id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct CloseClient {
    pub id: u64,
    #[serde(default)]
    pub code: Option<u16>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Watch {
    pub files: Vec<PathBuf>,
}

/// Why what a worker says is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("it said what can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("it said {0:?}, which nobody knows")]
    Unknown(String),
}

impl<'a> Said<'a> {
    /// Reads the object of a frame.
    ///
    /// # Errors
    /// When it is not one of the protocol.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, NotUnderstood> {
        #[derive(Deserialize)]
        struct Op<'a> {
            #[serde(borrow)]
            op: Cow<'a, str>,
        }
        let Op { op } = serde_json::from_slice(json)?;
        Ok(match &*op {
            "hello" => Self::Hello(serde_json::from_slice(json)?),
            "refused" => Self::Refused(serde_json::from_slice(json)?),
            "done" => Self::Done(serde_json::from_slice(json)?),
            "died" => Self::Died(serde_json::from_slice(json)?),
            "result" => Self::Result(serde_json::from_slice(json)?),
            "call_error" => Self::CallError(serde_json::from_slice(json)?),
            "broadcast" => Self::Broadcast(serde_json::from_slice(json)?),
            "event" => Self::Event(serde_json::from_slice(json)?),
            "send" => Self::Send(serde_json::from_slice(json)?),
            "add" => Self::Add(serde_json::from_slice(json)?),
            "remove" => Self::Remove(serde_json::from_slice(json)?),
            "close_client" => Self::CloseClient(serde_json::from_slice(json)?),
            "watch" => Self::Watch(serde_json::from_slice(json)?),
            _ => return Err(NotUnderstood::Unknown(op.into_owned())),
        })
    }
}

impl Hello {
    /// Whether a handler of the application sees what is published on `topic`.
    pub(super) fn handles(&self, topic: &str) -> bool {
        self.all_topics || self.topics.contains(topic.split('/').next().unwrap_or_default())
    }

    /// Whether calls of `uri` are the application's.
    pub(super) fn answers(&self, uri: &str) -> bool {
        let mut segments = uri.split('/');
        let (service, method) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        self.all_calls || (!method.is_empty() && self.rpcs.contains(service))
    }
}

impl Died {
    /// Why, without where.
    pub(super) fn in_short(&self) -> &str {
        self.message.as_deref().unwrap_or(&self.reason)
    }
}

/// Why, and where.
impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        write_place(f, self.file.as_deref(), self.line)
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, file: Option<&str>, line: Option<u64>) -> fmt::Result {
    match (file.filter(|file| !file.is_empty()), line) {
        (Some(file), Some(line)) => write!(f, " in {file}:{line}"),
        (Some(file), None) => write!(f, " in {file}"),
        (None, _) => Ok(()),
    }
}

impl Done {
    /// What is handed over, by resource id.
    pub(super) fn handed_over(&self) -> HashMap<u64, Box<RawValue>> {
        let all: Option<HashMap<String, Box<RawValue>>> =
            self.properties.as_ref().and_then(|json| serde_json::from_str(json.get()).ok());
        // An empty array of PHP is a list to JSON: then there is nothing.
        all.into_iter().flatten().filter_map(|(id, value)| Some((id.parse().ok()?, value))).collect()
    }
}

/// The message, and where it was thrown.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class.is_empty() {
            true => f.write_str(&self.message)?,
            false => write!(f, "{}: {}", self.class, self.message)?,
        }
        write_place(f, self.file.as_deref(), self.line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn hello(json: &str) -> Hello {
        match Said::read(json.as_bytes()).unwrap() {
            Said::Hello(hello) => *hello,
            _ => panic!("{json}"),
        }
    }

    #[test]
    fn hello_says_what_is_the_applications() {
        let some = hello(r#"{"op":"hello","version":1,"topics":["acme"],"rpcs":["sample"],"more":{}}"#);
        assert!(some.handles("acme") && some.handles("acme/a") && !some.handles("acmes"));
        assert!(some.answers("sample/add") && !some.answers("sample") && !some.answers("sample/"));
        assert!(!some.answers("other/add"));
        let all = hello(r#"{"op":"hello","version":1,"all_topics":true,"all_calls":true}"#);
        assert!(all.handles("x") && all.answers("http://x"));
    }

    #[test]
    fn what_is_not_of_the_protocol_is_refused() {
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"op":7}"#,
            r#"{"op":"sing"}"#,
            r#"{"op":"done"}"#,
            r#"{"op":"done","seq":-1}"#,
            r#"{"op":"broadcast","topic":"a"}"#,
            r#"{"op":"event","id":"1","topic":"a","event":1}"#,
            r#"{"op":"result","call":1,"value":1}{"#,
        ] {
            assert!(Said::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_handed_over_is_found_by_id() {
        let done = |properties: &str| -> Done {
            serde_json::from_str(&format!(r#"{{"seq":1,"properties":{properties}}}"#)).unwrap()
        };
        let handed_over = done(r#"{"7":{"name":"anna"},"x":1}"#).handed_over();
        assert_eq!(handed_over.get(&7).map(|value| value.get()), Some(r#"{"name":"anna"}"#));
        assert_eq!(handed_over.len(), 1);
        assert!(done("[]").handed_over().is_empty() && done("null").handed_over().is_empty());
    }
}
