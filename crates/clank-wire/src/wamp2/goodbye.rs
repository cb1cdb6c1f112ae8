//! ABORT and GOODBYE: a session ends. Only GOODBYE is answered.

use std::borrow::Cow;

use super::elements::Elements;
use super::encoder::Encoder;
use super::{Malformed, MessageType};
use crate::payload::Payload;
use crate::serializer::Serializer;

/// `[3, details, reason, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort<'a> {
    /// Why, as a URI.
    pub reason: Cow<'a, str>,
    /// Why, in words: an attribute of the details.
    pub message: Option<Cow<'a, str>>,
    /// More about it.
    pub payload: Payload<'a>,
}

/// `[6, details, reason]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye<'a> {
    /// Why, as a URI.
    pub reason: Cow<'a, str>,
    /// Why, in words: an attribute of the details.
    pub message: Option<Cow<'a, str>>,
}

impl<'a> Abort<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let message = message(elements)?;
        let reason = elements.text(2, "a reason (a URI)")?;
        Ok(Abort { reason, message, payload: elements.payload(3)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Abort, serializer, out)
            .attributes(|details| details.text("message", self.message.as_deref()))
            .text(&self.reason)
            .payload(&self.payload)
            .end();
    }
}

impl<'a> Goodbye<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let message = message(elements)?;
        let reason = elements.text(2, "a reason (a URI)")?;
        Ok(Goodbye { reason, message })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Goodbye, serializer, out)
            .attributes(|details| details.text("message", self.message.as_deref()))
            .text(&self.reason)
            .end();
    }
}

fn message<'a>(elements: &Elements<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    let mut message = None;
    for detail in elements.attributes(1, "a dictionary of details")? {
        if detail.name() == "message" {
            message = Some(detail.text()?);
        }
    }
    Ok(message)
}
