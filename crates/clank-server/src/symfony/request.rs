//! What a worker is asked to do, and how that ended.

use std::fmt;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::said::{Done, Exception};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Begin,
    Connecting,
    Open,
    /// A connection that was open already when the worker began.
    OpenAgain,
    Subscribe,
    Unsubscribe,
    Publish,
    Call,
    Error,
    Close,
    /// An event of a connection that is gone.
    Gone,
    Tick,
    Stop,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Begin => "clank.server.launched",
            Self::Connecting => "the question who a client is",
            Self::Open | Self::OpenAgain => "clank.client.connected",
            Self::Subscribe => "a subscription to",
            Self::Unsubscribe => "the end of a subscription to",
            Self::Publish => "a publication on",
            Self::Call => "a call of",
            Self::Error => "clank.client.error",
            Self::Close => "clank.client.disconnected",
            Self::Gone => "an event of a connection that is gone,",
            Self::Tick => "a tick of",
            Self::Stop => "its end",
        }
    }

    /// Whether it may be refused because too many wait. What workers know of connections and topics
    /// hangs on the others; of those each connection has at most one.
    pub(super) fn is_optional(self) -> bool {
        matches!(self, Self::Connecting | Self::Publish | Self::Call)
    }
}

/// Something to be done, once.
pub(super) struct Request {
    pub seq: u64,
    pub kind: Kind,
    /// Whose it is.
    pub connection: Option<u64>,
    /// The topic, procedure or service that it is about.
    pub subject: Box<str>,
    pub frame: Bytes,
    /// What is sent in its place to a worker that does not know the connection.
    pub detached: Option<Bytes>,
    /// Who waits for its end.
    pub reply: Option<oneshot::Sender<Ended>>,
}

/// As an operator reads of it.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if !self.subject.is_empty() {
            write!(f, " {}", self.subject.escape_debug())?;
        }
        match self.connection {
            Some(id) => write!(f, " (connection {id})"),
            None => Ok(()),
        }
    }
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The worker has done it, and this is what it says.
    Done(Done),
    /// The worker died of it, in these words.
    Died(String),
    /// Nobody did it.
    Refused(&'static str),
}

impl Ended {
    /// What went wrong: what is told of as `clank.client.error`.
    pub(super) fn errors(&self) -> Vec<String> {
        match self {
            Self::Done(done) => done.errors.iter().map(said).collect(),
            Self::Died(why) => vec![why.clone()],
            Self::Refused(why) => vec![(*why).to_owned()],
        }
    }
}

/// An exception in the words that an error event has: its message, as the bundle's listener prints
/// it; its class, where it has none.
fn said(exception: &Exception) -> String {
    match exception.message.is_empty() {
        true => exception.class.clone(),
        false => exception.message.clone(),
    }
}
