//! The elements of a message: found and checked in one pass, then read by position.

use std::borrow::Cow;

use super::{Excerpt, Malformed, MessageType};
use crate::json::{Kind, List, MAX_DEPTH, Raw, Scanner, write_string};

/// No message has more elements than these, except the arguments of CALL, which have their list.
const HEAD: usize = 5;
/// Where the arguments of CALL begin.
const ARGUMENTS: usize = 3;

/// The elements of a received message. The whole text has been checked.
pub(super) struct Elements<'a> {
    head: [Option<Raw<'a>>; HEAD],
    arguments: List<'a>,
}

impl<'a> Elements<'a> {
    pub(super) fn scan(text: &'a str) -> Result<Self, Malformed> {
        let mut scanner = Scanner::new(text);
        scanner.white_space();
        if scanner.peek() != Some(b'[') {
            return Err(Malformed::NotArray(Excerpt::new(Raw::parse(text)?.as_str())));
        }
        scanner.expect(b'[', "'['")?;
        scanner.white_space();
        let elements = Self::scan_elements(&mut scanner)?;
        scanner.expect(b']', "',' or ']'")?;
        scanner.end()?;
        Ok(elements)
    }

    fn scan_elements(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut elements = Elements { head: [None; HEAD], arguments: List::EMPTY };
        if scanner.peek() == Some(b']') {
            return Ok(elements);
        }
        let (mut count, mut arguments_start) = (0, 0);
        let end = loop {
            if count == ARGUMENTS {
                arguments_start = scanner.position();
            }
            let element = scanner.value(MAX_DEPTH - 1)?;
            if let Some(place) = elements.head.get_mut(count) {
                *place = Some(element);
            }
            count += 1;
            let end = scanner.position();
            scanner.white_space();
            if !scanner.skip_comma() {
                break end;
            }
            scanner.white_space();
        };
        if count > ARGUMENTS {
            elements.arguments = List::from_scanned(scanner.between(arguments_start, end), count - ARGUMENTS);
        }
        Ok(elements)
    }

    /// The type: digits alone, since `true`, `"5"` and `5.0` are other types in JSON.
    pub(super) fn message_type(&self) -> Result<MessageType, Malformed> {
        let element = self.head[0].map(Raw::as_str);
        let message = match element.map(str::as_bytes) {
            Some([digit @ b'0'..=b'8']) => MessageType::ALL.get(usize::from(digit - b'0')),
            _ => None,
        };
        message.copied().ok_or_else(|| Malformed::Type(excerpt(self.head[0])))
    }

    /// The element at `index`, counted from zero.
    pub(super) fn at(&self, index: usize) -> Option<Raw<'a>> {
        self.head.get(index).copied().flatten()
    }

    /// The elements from the fourth on, as a list.
    pub(super) fn arguments(&self) -> List<'a> {
        self.arguments
    }

    /// The string at `index`, which the message can't do without. `needs` says what it is.
    pub(super) fn string(
        &self,
        message: MessageType,
        index: usize,
        needs: &'static str,
    ) -> Result<Cow<'a, str>, Malformed> {
        let text = self.at(index).and_then(Raw::to_text);
        text.ok_or_else(|| self.unfit(message, index, needs))
    }

    /// The value at `index`, of any kind.
    pub(super) fn value(
        &self,
        message: MessageType,
        index: usize,
        needs: &'static str,
    ) -> Result<Raw<'a>, Malformed> {
        self.at(index).ok_or_else(|| self.unfit(message, index, needs))
    }

    /// The optional value at `index`: `null` is as good as nothing.
    pub(super) fn optional(&self, index: usize) -> Option<Raw<'a>> {
        self.at(index).filter(|element| element.kind() != Kind::Null)
    }

    /// The error that says that `message` needs something else at `index`.
    #[cold]
    pub(super) fn unfit(&self, message: MessageType, index: usize, needs: &'static str) -> Malformed {
        Malformed::Element { message, index, needs, got: excerpt(self.at(index)) }
    }
}

/// An excerpt of an element, or the word `nothing`.
fn excerpt(element: Option<Raw<'_>>) -> Excerpt {
    Excerpt::new(element.map_or("nothing", Raw::as_str))
}

/// Writes a message element by element.
pub(super) struct Writer<'b>(&'b mut Vec<u8>);

impl<'b> Writer<'b> {
    pub(super) fn begin(message: MessageType, out: &'b mut Vec<u8>) -> Self {
        out.extend_from_slice(&[b'[', b'0' + message as u8]);
        Writer(out)
    }

    pub(super) fn string(self, text: &str) -> Self {
        self.0.push(b',');
        write_string(text, self.0);
        self
    }

    /// Adds what `text` holds: one JSON value, or several with commas between them.
    pub(super) fn raw(self, text: &[u8]) -> Self {
        self.0.push(b',');
        self.0.extend_from_slice(text);
        self
    }

    pub(super) fn value(self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.0.push(b',');
        write(self.0);
        self
    }

    pub(super) fn end(self) {
        self.0.push(b']');
    }
}
