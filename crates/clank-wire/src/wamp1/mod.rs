//! WAMP v1: its nine messages, read and written.
//!
//! Every message is a JSON array that begins with its type. [`ClientMessage`] is what a server
//! reads and [`ServerMessage`] what a client reads; each family of messages has a file with the
//! same verbs in it: `decode` takes the elements of the array, `encode` appends the message to a
//! buffer, so that a frame can be built in place.
//!
//! What is decoded borrows the received text; payloads stay unparsed. The specification is the
//! last text of version 1 (2014-06-04). Where implementations differ, this one reads what Ratchet
//! 0.4 reads, less what Ratchet took by accident of PHP's types: a type that is no integer, a
//! topic that is no string, an object in place of the array, a PUBLISH without an event. Elements
//! behind the last that a message defines are ignored, as in Ratchet.
//!
//! ```
//! use clank_wire::wamp1::{ClientMessage, Event};
//!
//! let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(r#"[7, "chat", {"hi": 1}]"#) else {
//!     panic!("a PUBLISH");
//! };
//! let mut frame = Vec::new();
//! Event { topic: publish.topic, payload: publish.event }.encode(&mut frame);
//! assert_eq!(frame, br#"[8,"chat",{"hi": 1}]"#);
//! ```

mod call;
mod elements;
mod malformed;
mod prefix;
mod publish;
mod subscribe;
mod welcome;

pub use crate::excerpt::Excerpt;
pub use call::{Call, CallError, CallResult, Params};
pub use malformed::Malformed;
pub use prefix::Prefix;
pub use publish::{Event, Exclude, Publish, SessionList};
pub use subscribe::{Subscribe, Unsubscribe};
pub use welcome::Welcome;

use std::fmt;

use elements::Elements;

/// The types of message, by the number that stands for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// The server greets: its first message.
    Welcome = 0,
    /// A short name for the beginning of URIs.
    Prefix = 1,
    /// A client calls a procedure.
    Call = 2,
    /// What the procedure returned.
    CallResult = 3,
    /// Why the call failed.
    CallError = 4,
    /// A client wants a topic's events.
    Subscribe = 5,
    /// A client wants them no more.
    Unsubscribe = 6,
    /// A client publishes to a topic.
    Publish = 7,
    /// What was published on a topic.
    Event = 8,
}

/// What a client sends and a server reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// `[1, prefix, uri]`
    Prefix(Prefix<'a>),
    /// `[2, id, procedure, ...arguments]`
    Call(Call<'a>),
    /// `[5, topic]`
    Subscribe(Subscribe<'a>),
    /// `[6, topic]`
    Unsubscribe(Unsubscribe<'a>),
    /// `[7, topic, event, exclude?, eligible?]`
    Publish(Publish<'a>),
}

/// What a server sends and a client reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// `[0, session, 1, server]`
    Welcome(Welcome<'a>),
    /// `[1, prefix, uri]`
    Prefix(Prefix<'a>),
    /// `[3, id, result]`
    CallResult(CallResult<'a>),
    /// `[4, id, uri, description, details?]`
    CallError(CallError<'a>),
    /// `[8, topic, event]`
    Event(Event<'a>),
}

impl<'a> ClientMessage<'a> {
    /// Reads the text of a frame that a client sent.
    ///
    /// # Errors
    /// When the text is not JSON, not a message of WAMP v1 or not one that clients send. That the
    /// whole text is JSON is checked before anything else.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut elements = Elements::NONE;
        elements.scan(text)?;
        match elements.message_type()? {
            MessageType::Prefix => Prefix::decode(&elements).map(Self::Prefix),
            MessageType::Call => Call::decode(&elements).map(Self::Call),
            MessageType::Subscribe => Subscribe::decode(&elements).map(Self::Subscribe),
            MessageType::Unsubscribe => Unsubscribe::decode(&elements).map(Self::Unsubscribe),
            MessageType::Publish => Publish::decode(&elements).map(Self::Publish),
            message => Err(Malformed::Direction { message, sender: "server" }),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Prefix(prefix) => prefix.encode(out),
            Self::Call(call) => call.encode(out),
            Self::Subscribe(subscribe) => subscribe.encode(out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(out),
            Self::Publish(publish) => publish.encode(out),
        }
    }
}

impl<'a> ServerMessage<'a> {
    /// Reads the text of a frame that a server sent.
    ///
    /// # Errors
    /// As [`ClientMessage::decode`].
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let mut elements = Elements::NONE;
        elements.scan(text)?;
        match elements.message_type()? {
            MessageType::Welcome => Welcome::decode(&elements).map(Self::Welcome),
            MessageType::Prefix => Prefix::decode(&elements).map(Self::Prefix),
            MessageType::CallResult => CallResult::decode(&elements).map(Self::CallResult),
            MessageType::CallError => CallError::decode(&elements).map(Self::CallError),
            MessageType::Event => Event::decode(&elements).map(Self::Event),
            message => Err(Malformed::Direction { message, sender: "client" }),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(welcome) => welcome.encode(out),
            Self::Prefix(prefix) => prefix.encode(out),
            Self::CallResult(result) => result.encode(out),
            Self::CallError(error) => error.encode(out),
            Self::Event(event) => event.encode(out),
        }
    }
}

impl MessageType {
    const ALL: [MessageType; 9] = [
        MessageType::Welcome,
        MessageType::Prefix,
        MessageType::Call,
        MessageType::CallResult,
        MessageType::CallError,
        MessageType::Subscribe,
        MessageType::Unsubscribe,
        MessageType::Publish,
        MessageType::Event,
    ];

    /// The name that the specification gives the message, such as `SUBSCRIBE`.
    pub const fn name(self) -> &'static str {
        match self {
            MessageType::Welcome => "WELCOME",
            MessageType::Prefix => "PREFIX",
            MessageType::Call => "CALL",
            MessageType::CallResult => "CALLRESULT",
            MessageType::CallError => "CALLERROR",
            MessageType::Subscribe => "SUBSCRIBE",
            MessageType::Unsubscribe => "UNSUBSCRIBE",
            MessageType::Publish => "PUBLISH",
            MessageType::Event => "EVENT",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
