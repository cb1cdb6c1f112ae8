//! SUBSCRIBE and UNSUBSCRIBE: neither is answered.

use std::borrow::Cow;

use super::elements::{Elements, Writer};
use super::{Malformed, MessageType};

/// `[5, topic]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The topic's URI, or a CURIE.
    pub topic: Cow<'a, str>,
}

/// `[6, topic]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The topic's URI, or a CURIE.
    pub topic: Cow<'a, str>,
}

impl<'a> Subscribe<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let topic = elements.string(MessageType::Subscribe, 1, "a topic URI")?;
        Ok(Subscribe { topic })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::begin(MessageType::Subscribe, out).string(&self.topic).end();
    }
}

impl<'a> Unsubscribe<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let topic = elements.string(MessageType::Unsubscribe, 1, "a topic URI")?;
        Ok(Unsubscribe { topic })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::begin(MessageType::Unsubscribe, out).string(&self.topic).end();
    }
}
