//! The elements of a message: found and checked in one pass, then read by position.

use std::borrow::Cow;

use super::{Excerpt, Malformed, MessageType};
use crate::json::{Kind, List, MAX_DEPTH, Raw, Scanner, SyntaxError, write_string};

/// No message has more elements than these, except the arguments of CALL, which have their list.
const HEAD: usize = 5;
/// Where the arguments of CALL begin.
const ARGUMENTS: usize = 3;

/// The elements of a received message. The whole text has been checked.
pub(super) struct Elements<'a> {
    head: [Option<Raw<'a>>; HEAD],
    /// Those of them with an escape in them, a bit each.
    escaped: u8,
    arguments: List<'a>,
}

impl<'a> Elements<'a> {
    pub(super) const NONE: Self = Elements { head: [None; HEAD], escaped: 0, arguments: List::EMPTY };

    /// Takes the elements of `text`, where there were [none](Self::NONE).
    pub(super) fn scan(&mut self, text: &'a str) -> Result<(), Malformed> {
        let mut scanner = Scanner::new(text);
        scanner.white_space();
        if scanner.peek() != Some(b'[') {
            return Err(Malformed::NotArray(Excerpt::new(Raw::parse(text)?.as_str())));
        }
        scanner.expect(b'[', "'['")?;
        scanner.white_space();
        self.scan_elements(&mut scanner)?;
        scanner.expect(b']', "',' or ']'")?;
        Ok(scanner.end()?)
    }

    fn scan_elements(&mut self, scanner: &mut Scanner<'a>) -> Result<(), SyntaxError> {
        if scanner.peek() == Some(b']') {
            return Ok(());
        }
        let (mut count, mut arguments_start) = (0, 0);
        let end = loop {
            if count == ARGUMENTS {
                arguments_start = scanner.position();
            }
            let element = scanner.value(MAX_DEPTH - 1)?;
            if let Some(place) = self.head.get_mut(count) {
                *place = Some(element);
                self.escaped |= u8::from(scanner.take_escaped()) << count;
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
            let arguments = scanner.between(arguments_start, end);
            self.arguments = List::from_scanned(arguments, count - ARGUMENTS);
        }
        Ok(())
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
        let element = self.at(index);
        let text = match self.escaped >> index & 1 {
            0 => element.and_then(Raw::to_plain_text).map(Cow::Borrowed),
            _ => element.and_then(Raw::to_text),
        };
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
