//! PREFIX: a short name for the beginning of URIs.

use std::borrow::Cow;

use super::elements::{Elements, Writer};
use super::{Malformed, MessageType};

const MESSAGE: MessageType = MessageType::Prefix;

/// `[1, prefix, uri]`: from now on `prefix:rest` means the URI with `rest` appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// The short name.
    pub prefix: Cow<'a, str>,
    /// What it stands for.
    pub uri: Cow<'a, str>,
}

impl<'a> Prefix<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let prefix = elements.string(MESSAGE, 1, "a prefix")?;
        let uri = elements.string(MESSAGE, 2, "a URI")?;
        Ok(Prefix { prefix, uri })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::begin(MESSAGE, out).string(&self.prefix).string(&self.uri).end();
    }
}
