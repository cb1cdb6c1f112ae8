//! The elements of a received message: found and checked in one pass, then read by position.

use std::borrow::Cow;

use super::attributes::Attribute;
use super::malformed::describe;
use super::{Id, Malformed, MessageType};
use crate::payload::Payload;
use crate::serializer::{MAX_DEPTH, Reader, Serializer, Span, SyntaxError, Token};

/// No message has more elements than ERROR; what follows them is checked and ignored.
const ELEMENTS: usize = 7;

pub(super) const REQUEST_ID: &str = "a request id (1 to 2^53)";

/// The elements of a message. All of it has been checked.
pub(super) struct Elements<'a> {
    serializer: Serializer,
    message: MessageType,
    elements: [Option<Span<'a>>; ELEMENTS],
}

impl<'a> Elements<'a> {
    pub(super) fn scan(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let syntax = |error| Malformed::Syntax { serializer, error };
        let mut elements = [None; ELEMENTS];
        if !find(serializer, bytes, &mut elements).map_err(syntax)? {
            let span = Span::parse(serializer, bytes).map_err(syntax)?;
            return Err(Malformed::NotList(describe(Some(span))));
        }
        let number = elements[0].and_then(Span::to_u64);
        let message = number.and_then(MessageType::from_number);
        let message = message.ok_or_else(|| Malformed::Type(describe(elements[0])))?;
        Ok(Elements { serializer, message, elements })
    }

    pub(super) const fn message(&self) -> MessageType {
        self.message
    }

    /// The element at `index`, counted from zero.
    pub(super) fn at(&self, index: usize) -> Option<Span<'a>> {
        self.elements.get(index).copied().flatten()
    }

    /// The id at `index`. `needs` says what it is of.
    pub(super) fn id(&self, index: usize, needs: &'static str) -> Result<Id, Malformed> {
        let id = self.at(index).and_then(Span::to_u64).and_then(Id::new);
        id.ok_or_else(|| self.unfit(index, needs))
    }

    /// The text at `index`. `needs` says what it is.
    pub(super) fn text(&self, index: usize, needs: &'static str) -> Result<Cow<'a, str>, Malformed> {
        let text = self.at(index).and_then(Span::to_text);
        text.ok_or_else(|| self.unfit(index, needs))
    }

    /// The dictionary at `index`. `needs` says what is in it.
    pub(super) fn map(&self, index: usize, needs: &'static str) -> Result<Span<'a>, Malformed> {
        let map = self.at(index).filter(|span| span.is_map());
        map.ok_or_else(|| self.unfit(index, needs))
    }

    /// The entries of the options or details at `index`: those that are null are as good as absent.
    pub(super) fn attributes(
        &self,
        index: usize,
        needs: &'static str,
    ) -> Result<impl Iterator<Item = Attribute<'a>> + use<'a>, Malformed> {
        let (map, message) = (self.map(index, needs)?, self.message);
        let entries = map.entries().filter(|(_, value)| !value.is_null());
        Ok(entries.map(move |(name, value)| Attribute { message, name, value }))
    }

    /// The arguments at `index`, and the keyword arguments behind them. Either may be absent, or
    /// null.
    pub(super) fn payload(&self, index: usize) -> Result<Payload<'a>, Malformed> {
        let arguments = self.at(index).filter(|span| !span.is_null());
        let keywords = self.at(index + 1).filter(|span| !span.is_null());
        Payload::from_spans(self.serializer, arguments, keywords).ok_or_else(|| match arguments {
            Some(arguments) if arguments.list().is_none() => self.unfit(index, "a list of arguments"),
            _ => self.unfit(index + 1, "a dictionary of keyword arguments"),
        })
    }

    /// What a router says that ends a subscription or registration of its own accord: the id under
    /// `name`, and a reason.
    pub(super) fn revocation(
        &self,
        name: &'static str,
        needs: &'static str,
    ) -> Result<(Id, Option<Cow<'a, str>>), Malformed> {
        let (mut id, mut reason) = (None, None);
        for detail in self.attributes(2, "a dictionary of details")? {
            match detail.name() {
                "reason" => reason = Some(detail.text()?),
                other if other == name => id = Some(detail.id()?),
                _ => {}
            }
        }
        let id = id.ok_or_else(|| self.lacks(name, needs))?;
        Ok((id, reason))
    }

    /// The error that says that the message needs something else at `index`.
    #[cold]
    pub(super) fn unfit(&self, index: usize, needs: &'static str) -> Malformed {
        Malformed::Element { message: self.message, index, needs, got: describe(self.at(index)) }
    }

    /// The error that says that the message can't do without an attribute.
    #[cold]
    pub(super) fn lacks(&self, name: &'static str, needs: &'static str) -> Malformed {
        Malformed::Attribute { message: self.message, name: name.into(), needs, got: describe(None) }
    }
}

/// Finds the first elements of the list. False if there is none.
fn find<'a>(
    serializer: Serializer,
    bytes: &'a [u8],
    elements: &mut [Option<Span<'a>>; ELEMENTS],
) -> Result<bool, SyntaxError> {
    let mut reader = Reader::new(serializer, bytes)?;
    reader.white_space();
    let Token::List(mut length) = reader.token()? else { return Ok(false) };
    let mut slots = elements.iter_mut();
    while reader.more(&mut length)? {
        let element = reader.value(MAX_DEPTH - 1)?;
        if let Some(slot) = slots.next() {
            *slot = Some(element);
        }
    }
    reader.end()?;
    Ok(true)
}
