//! What a client did wrong.

use std::borrow::Cow;

use clank_wire::wamp2::{BatchError, Id, Malformed, MessageType};

/// Why a session ends: the client broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no message that a client sends.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A WebSocket message is no batch of messages.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The WebSocket message is text where it has to be binary, or the reverse.
    #[error("messages of {subprotocol} are {wanted} to WebSocket")]
    Opcode {
        /// The subprotocol that was agreed on.
        subprotocol: &'static str,
        /// `text` or `binary`.
        wanted: &'static str,
    },
    /// The message exists, but not here.
    #[error("{message} is out of place: {state}")]
    Order {
        /// The message.
        message: MessageType,
        /// What the session is at.
        state: &'static str,
    },
    /// The client answers an invocation that it was never sent.
    #[error("there was no invocation {0}")]
    NoInvocation(Id),
    /// The client calls in parts, and has not said in HELLO that it might.
    #[error("call {0} is to come in parts, which HELLO did not announce")]
    NoParts(Id),
    /// The client calls under a request id whose call is still in flight.
    #[error("call {0} is still in flight")]
    CallInFlight(Id),
}

impl Fault {
    /// Whether the message itself is none, rather than out of place.
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Fault::Malformed(_) | Fault::Batch(_))
    }
}

/// A request that is answered with an ERROR. The session goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for.
    pub request_type: MessageType,
    /// The id of the request.
    pub request: Id,
    /// What error it is (specification: "Predefined URIs").
    pub uri: &'static str,
    /// The same in words.
    pub reason: Cow<'static, str>,
    /// Nobody waits for an answer: a PUBLISH that is not to be acknowledged.
    pub silent: bool,
}
