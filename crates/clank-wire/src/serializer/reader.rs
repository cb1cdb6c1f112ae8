//! One reader for the three serializers: tokens, and values that are checked and skipped.

use std::borrow::Cow;

use super::input::Input;
use super::{Serializer, Span, SyntaxError, cbor, json, msgpack};
use crate::json::Scanner;

/// A scalar, or the head of a list or dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    Null,
    Bool(bool),
    /// From -2^64 up to 2^64 - 1.
    Integer(i128),
    Float(f64),
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    List(Length),
    Map(Length),
}

/// How many elements of a list or dictionary are still to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Length {
    /// As many.
    Known(usize),
    /// As many as there are before the byte that closes it; `close` is zero if the end does.
    Open { first: bool, close: u8 },
}

/// A position in a serialized value.
pub(crate) enum Reader<'a> {
    Json(Scanner<'a>),
    MessagePack(Input<'a>),
    Cbor(Input<'a>),
}

impl Length {
    pub(super) const UNTIL_BREAK: Length = Length::Open { first: true, close: cbor::BREAK };

    pub(super) const fn known(self) -> Option<usize> {
        match self {
            Length::Known(count) => Some(count),
            Length::Open { .. } => None,
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        match serializer {
            Serializer::Json => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Reader::Json(Scanner::new(text))),
                Err(error) => Err(SyntaxError::Utf8 { at: error.valid_up_to() }),
            },
            Serializer::MessagePack => Ok(Reader::MessagePack(Input::new(bytes))),
            Serializer::Cbor => Ok(Reader::Cbor(Input::new(bytes))),
        }
    }

    const fn serializer(&self) -> Serializer {
        match self {
            Reader::Json(_) => Serializer::Json,
            Reader::MessagePack(_) => Serializer::MessagePack,
            Reader::Cbor(_) => Serializer::Cbor,
        }
    }

    pub(crate) fn position(&self) -> usize {
        match self {
            Reader::Json(scanner) => scanner.position(),
            Reader::MessagePack(input) | Reader::Cbor(input) => input.position(),
        }
    }

    fn since(&self, start: usize) -> &'a [u8] {
        match self {
            Reader::Json(scanner) => scanner.since(start).as_bytes(),
            Reader::MessagePack(input) | Reader::Cbor(input) => input.since(start),
        }
    }

    /// Takes a scalar, or the head of a list or dictionary.
    pub(crate) fn token(&mut self) -> Result<Token<'a>, SyntaxError> {
        match self {
            Reader::Json(scanner) => json::token(scanner),
            Reader::MessagePack(input) => msgpack::token(input),
            Reader::Cbor(input) => cbor::token(input),
        }
    }

    /// Takes the key of a dictionary's entry, which is a scalar.
    pub(crate) fn key(&mut self) -> Result<Token<'a>, SyntaxError> {
        if let Reader::Json(scanner) = self {
            return json::key(scanner).map(Token::Text);
        }
        let at = self.position();
        match self.token()? {
            Token::List(_) | Token::Map(_) => Err(SyntaxError::Key { at }),
            scalar => Ok(scalar),
        }
    }

    /// Whether another element follows in the list or dictionary; if none does, it has been closed.
    pub(crate) fn more(&mut self, length: &mut Length) -> Result<bool, SyntaxError> {
        match (length, self) {
            (Length::Known(0), _) => Ok(false),
            (Length::Known(count), reader) => {
                // In JSON the elements are not counted, and `close` is set.
                debug_assert!(!matches!(reader, Reader::Json(_)));
                *count -= 1;
                Ok(true)
            }
            (Length::Open { first, close }, Reader::Json(scanner)) => json::more(scanner, first, *close),
            (Length::Open { .. }, Reader::MessagePack(input) | Reader::Cbor(input)) => {
                if input.peek().is_none() {
                    return Err(input.truncated());
                }
                Ok(!input.skip_byte(cbor::BREAK))
            }
        }
    }

    /// Checks and takes the value that begins here, at most `levels` deep.
    pub(crate) fn value(&mut self, levels: u32) -> Result<Span<'a>, SyntaxError> {
        let start = self.position();
        let count = match self {
            Reader::Json(scanner) => json::check(scanner, levels)?,
            _ => self.skip(levels)?,
        };
        Ok(Span::checked(self.serializer(), self.since(start), count))
    }

    /// White space in JSON, which may stand around a value.
    pub(crate) fn white_space(&mut self) {
        if let Reader::Json(scanner) = self {
            scanner.white_space();
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        match self {
            Reader::Json(scanner) => Ok(scanner.end()?),
            Reader::MessagePack(input) | Reader::Cbor(input) if input.rest() == 0 => Ok(()),
            Reader::MessagePack(input) | Reader::Cbor(input) => {
                Err(SyntaxError::Trailing { at: input.position() })
            }
        }
    }

    /// Checks a value of a binary serializer and counts its elements. It recurses, and `levels`
    /// bounds how far.
    fn skip(&mut self, levels: u32) -> Result<usize, SyntaxError> {
        let at = self.position();
        let (mut length, map) = match self.token()? {
            Token::List(length) => (length, false),
            Token::Map(length) => (length, true),
            _ => return Ok(0),
        };
        let Some(levels) = levels.checked_sub(1) else {
            return Err(SyntaxError::TooDeep { at });
        };
        let mut count = 0;
        while self.more(&mut length)? {
            if map {
                self.key()?;
            }
            self.skip(levels)?;
            count += 1;
        }
        Ok(count)
    }
}
