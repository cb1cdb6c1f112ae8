//! CHALLENGE and AUTHENTICATE: a client proves who it is, before it is welcome.

use std::borrow::Cow;

use super::elements::Elements;
use super::encoder::Encoder;
use super::{Dict, Malformed, MessageType};
use crate::serializer::Serializer;

/// `[4, method, extra]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// The method of authentication, such as `ticket` or `wampcra`.
    pub method: Cow<'a, str>,
    /// What the client needs for its answer.
    pub extra: Dict<'a>,
}

/// `[5, signature, extra]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate<'a> {
    /// The answer to the challenge.
    pub signature: Cow<'a, str>,
    /// What else the method asks for.
    pub extra: Dict<'a>,
}

impl<'a> Challenge<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let method = elements.text(1, "a method of authentication")?;
        let extra = Dict::new(elements.map(2, "a dictionary of extra data")?).unwrap_or_default();
        Ok(Challenge { method, extra })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Challenge, serializer, out);
        encoder.text(&self.method).dict(&self.extra).end();
    }
}

impl<'a> Authenticate<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let signature = elements.text(1, "a signature")?;
        let extra = Dict::new(elements.map(2, "a dictionary of extra data")?).unwrap_or_default();
        Ok(Authenticate { signature, extra })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Authenticate, serializer, out);
        encoder.text(&self.signature).dict(&self.extra).end();
    }
}
