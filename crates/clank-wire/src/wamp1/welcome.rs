//! WELCOME: the server's first message.

use std::borrow::Cow;

use super::elements::{Elements, Writer};
use super::{Malformed, MessageType};

const MESSAGE: MessageType = MessageType::Welcome;
const PROTOCOL_VERSION: &str = "1";

/// `[0, session, 1, server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The id of the session, by which others exclude it or deem it eligible.
    pub session_id: Cow<'a, str>,
    /// The name and version of the server.
    pub server: Cow<'a, str>,
}

impl<'a> Welcome<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let session_id = elements.string(MESSAGE, 1, "a session id")?;
        let needs = "the protocol version 1";
        let version = elements.value(MESSAGE, 2, needs)?;
        if version.as_str() != PROTOCOL_VERSION {
            return Err(elements.unfit(MESSAGE, 2, needs));
        }
        let server = elements.string(MESSAGE, 3, "the server's name")?;
        Ok(Welcome { session_id, server })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::begin(MESSAGE, out)
            .string(&self.session_id)
            .raw(PROTOCOL_VERSION.as_bytes())
            .string(&self.server)
            .end();
    }
}
