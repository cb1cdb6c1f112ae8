//! Payload passthru mode: how a payload was packed that the router can't read.

use std::borrow::Cow;

use super::Malformed;
use super::attributes::{Attribute, Attributes};

/// The `ppt_` attributes (specification: "Payload Passthru Mode"). A router hands them on as they
/// are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passthru<'a> {
    /// Which scheme the payload follows, such as `wamp` or `x_mine`; without it there is no
    /// passthru.
    pub scheme: Option<Cow<'a, str>>,
    /// How the payload was serialized.
    pub serializer: Option<Cow<'a, str>>,
    /// How the payload was encrypted.
    pub cipher: Option<Cow<'a, str>>,
    /// With which key.
    pub keyid: Option<Cow<'a, str>>,
}

impl<'a> Passthru<'a> {
    /// Takes an attribute if it is one of these.
    pub(super) fn read(&mut self, attribute: &Attribute<'a>) -> Result<(), Malformed> {
        match attribute.name() {
            "ppt_scheme" => self.scheme = Some(attribute.text()?),
            "ppt_serializer" => self.serializer = Some(attribute.text()?),
            "ppt_cipher" => self.cipher = Some(attribute.text()?),
            "ppt_keyid" => self.keyid = Some(attribute.text()?),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn write(&self, attributes: &mut Attributes<'_, '_>) {
        attributes.text("ppt_scheme", self.scheme.as_deref());
        attributes.text("ppt_serializer", self.serializer.as_deref());
        attributes.text("ppt_cipher", self.cipher.as_deref());
        attributes.text("ppt_keyid", self.keyid.as_deref());
    }
}
