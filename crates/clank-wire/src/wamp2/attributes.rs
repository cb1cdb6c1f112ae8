//! One attribute of the options or details, read; and all of them, written.

use std::borrow::Cow;

use super::malformed::describe;
use super::values::{Dict, IdList, TextList};
use super::{Id, Malformed, MessageType};
use crate::serializer::{Container, Span, Writer};

/// An entry of the options or details of a message.
pub(super) struct Attribute<'a> {
    pub(super) message: MessageType,
    pub(super) name: Cow<'a, str>,
    pub(super) value: Span<'a>,
}

impl<'a> Attribute<'a> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn bool(&self) -> Result<bool, Malformed> {
        self.value.to_bool().ok_or_else(|| self.unfit("a boolean"))
    }

    pub(super) fn unsigned(&self) -> Result<u64, Malformed> {
        self.value.to_u64().ok_or_else(|| self.unfit("an integer that is not negative"))
    }

    pub(super) fn id(&self) -> Result<Id, Malformed> {
        self.value.to_u64().and_then(Id::new).ok_or_else(|| self.unfit("an id (1 to 2^53)"))
    }

    pub(super) fn text(&self) -> Result<Cow<'a, str>, Malformed> {
        self.value.to_text().ok_or_else(|| self.unfit("a text"))
    }

    /// A text that stands for something. `needs` lists the texts.
    pub(super) fn word<T>(
        &self,
        parse: impl FnOnce(&str) -> Option<T>,
        needs: &'static str,
    ) -> Result<T, Malformed> {
        let word = self.value.to_text().and_then(|text| parse(&text));
        word.ok_or_else(|| self.unfit(needs))
    }

    pub(super) fn ids(&self) -> Result<IdList<'a>, Malformed> {
        IdList::new(self.value).ok_or_else(|| self.unfit("a list of session ids"))
    }

    pub(super) fn texts(&self) -> Result<TextList<'a>, Malformed> {
        TextList::new(self.value).ok_or_else(|| self.unfit("a list of texts"))
    }

    pub(super) fn dict(&self) -> Result<Dict<'a>, Malformed> {
        Dict::new(self.value).ok_or_else(|| self.unfit("a dictionary"))
    }

    #[cold]
    pub(super) fn unfit(&self, needs: &'static str) -> Malformed {
        let (message, name) = (self.message, self.name.as_ref().into());
        Malformed::Attribute { message, name, needs, got: describe(Some(self.value)) }
    }
}

/// Options or details that are being written: what isn't said is left out.
pub(super) struct Attributes<'w, 'b> {
    writer: &'w mut Writer<'b>,
    map: Container,
}

impl<'w, 'b> Attributes<'w, 'b> {
    pub(super) fn begin(writer: &'w mut Writer<'b>) -> Self {
        let map = writer.open(true, None);
        Attributes { writer, map }
    }

    pub(super) fn end(self) {
        self.writer.close(&self.map);
    }

    /// An attribute that is absent where it is false.
    pub(super) fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.bool(name, value);
        }
    }

    pub(super) fn bool(&mut self, name: &str, value: bool) {
        self.writer.key(&mut self.map, name);
        self.writer.bool(value);
    }

    pub(super) fn unsigned(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.writer.key(&mut self.map, name);
            self.writer.unsigned(value);
        }
    }

    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.writer.key(&mut self.map, name);
            self.writer.text(value);
        }
    }

    pub(super) fn ids(&mut self, name: &str, value: Option<&IdList<'_>>) {
        if let Some(value) = value {
            self.writer.key(&mut self.map, name);
            value.write(self.writer);
        }
    }

    pub(super) fn texts(&mut self, name: &str, value: Option<&TextList<'_>>) {
        if let Some(value) = value {
            self.writer.key(&mut self.map, name);
            value.write(self.writer);
        }
    }

    pub(super) fn dict(&mut self, name: &str, value: Option<&Dict<'_>>) {
        if let Some(value) = value {
            self.writer.key(&mut self.map, name);
            value.write(self.writer);
        }
    }
}
