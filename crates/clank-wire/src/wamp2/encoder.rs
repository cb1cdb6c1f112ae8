//! Writes a message element by element, straight into the buffer that becomes the frame.

use super::attributes::Attributes;
use super::values::Dict;
use super::{Id, MessageType};
use crate::payload::Payload;
use crate::serializer::{Container, Serializer, Writer};

/// A message that is being written.
pub(super) struct Encoder<'b> {
    writer: Writer<'b>,
    message: Container,
}

impl<'b> Encoder<'b> {
    pub(super) fn begin(message: MessageType, serializer: Serializer, out: &'b mut Vec<u8>) -> Self {
        let mut writer = Writer::new(serializer, out);
        let container = writer.open(false, None);
        Encoder { writer, message: container }.number(message as u64)
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.writer.item(&mut self.message);
        self.writer.unsigned(number);
        self
    }

    pub(super) fn id(self, id: Id) -> Self {
        self.number(id.get())
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.writer.item(&mut self.message);
        self.writer.text(text);
        self
    }

    pub(super) fn dict(mut self, dict: &Dict<'_>) -> Self {
        self.writer.item(&mut self.message);
        dict.write(&mut self.writer);
        self
    }

    /// Options or details.
    pub(super) fn attributes(mut self, write: impl FnOnce(&mut Attributes<'_, 'b>)) -> Self {
        self.writer.item(&mut self.message);
        let mut attributes = Attributes::begin(&mut self.writer);
        write(&mut attributes);
        attributes.end();
        self
    }

    /// No request, and what has been revoked.
    pub(super) fn revocation(self, name: &str, id: Id, reason: Option<&str>) -> Self {
        self.number(0).attributes(|details| {
            details.unsigned(name, Some(id.get()));
            details.text("reason", reason);
        })
    }

    /// The arguments and keyword arguments, as far as there are any.
    pub(super) fn payload(mut self, payload: &Payload<'_>) -> Self {
        let serializer = self.writer.serializer();
        if !payload.is_empty() {
            self.writer.item(&mut self.message);
            let arguments = self.writer.open(false, Some(payload.count()));
            payload.write_arguments(serializer, self.writer.out());
            self.writer.close(&arguments);
        }
        if let Some(keywords) = payload.keyword_span() {
            self.writer.item(&mut self.message);
            keywords.write(serializer, self.writer.out());
        }
        self
    }

    pub(super) fn end(mut self) {
        self.writer.close(&self.message);
    }
}
