//! What a client of WAMP v2 says before it has a session, and why it gets none.

use clank_core::cause::Cause;
use clank_core::wamp2::auth::Denied;
use clank_wire::wamp2::{ClientMessage, Codec, reason};

/// Why a client is refused.
pub(super) struct Refusal {
    pub uri: &'static str,
    pub cause: Cause,
    /// For the listeners.
    pub reason: String,
    /// For the client, if it is to hear something else.
    pub told: Option<String>,
}

impl Refusal {
    pub(super) fn new(uri: &'static str, cause: Cause, reason: impl Into<String>) -> Self {
        Self { uri, cause, reason: reason.into(), told: None }
    }

    pub(super) fn violation(reason: impl Into<String>) -> Self {
        Self::new(reason::PROTOCOL_VIOLATION, Cause::ProtocolViolation, reason)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let told = Some(denied.told());
        Self { told, ..Self::new(denied.uri(), Cause::Unauthorised, denied.to_string()) }
    }
}

/// The only message that a message of the transport may have in it before WELCOME.
pub(super) fn decode(codec: Codec, message: &[u8], is_text: bool) -> Result<ClientMessage<'_>, Refusal> {
    if is_text != codec.is_text() {
        let wanted = if codec.is_text() { "text" } else { "binary" };
        return Err(Refusal::violation(format!("messages of {} are {wanted}", codec.subprotocol())));
    }
    let mut messages = codec.messages(message);
    let first = messages.next().and_then(Result::ok).unwrap_or_default();
    if messages.next().is_some() {
        return Err(Refusal::violation("nothing comes behind HELLO or AUTHENTICATE before WELCOME"));
    }
    ClientMessage::decode(codec.serializer, first)
        .map_err(|error| Refusal::new(reason::PROTOCOL_VIOLATION, Cause::MalformedMessage, error.to_string()))
}
