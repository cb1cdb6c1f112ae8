//! MessagePack: what its first byte says.

use std::borrow::Cow;

use super::SyntaxError;
use super::input::Input;
use super::reader::{Length, Token};

/// Takes a scalar, or the head of a list or dictionary.
pub(super) fn token<'a>(input: &mut Input<'a>) -> Result<Token<'a>, SyntaxError> {
    let first = input.first()?;
    match first {
        0x00..=0x7f => Ok(Token::Integer(first.into())),
        0x80..=0x8f => map(input, u64::from(first & 0x0f)),
        0x90..=0x9f => list(input, u64::from(first & 0x0f)),
        0xa0..=0xbf => text(input, u64::from(first & 0x1f)),
        0xc0 => Ok(Token::Null),
        0xc1 => Err(input.unexpected(first)),
        0xc2 | 0xc3 => Ok(Token::Bool(first == 0xc3)),
        0xc4 => input.unsigned::<1>().and_then(|len| binary(input, len)),
        0xc5 => input.unsigned::<2>().and_then(|len| binary(input, len)),
        0xc6 => input.unsigned::<4>().and_then(|len| binary(input, len)),
        0xc7..=0xc9 | 0xd4..=0xd8 => Err(input.extension()),
        0xca => Ok(Token::Float(f32::from_be_bytes(input.array()?).into())),
        0xcb => Ok(Token::Float(f64::from_be_bytes(input.array()?))),
        0xcc => Ok(Token::Integer(input.unsigned::<1>()?.into())),
        0xcd => Ok(Token::Integer(input.unsigned::<2>()?.into())),
        0xce => Ok(Token::Integer(input.unsigned::<4>()?.into())),
        0xcf => Ok(Token::Integer(input.unsigned::<8>()?.into())),
        0xd0 => Ok(Token::Integer(i8::from_be_bytes(input.array()?).into())),
        0xd1 => Ok(Token::Integer(i16::from_be_bytes(input.array()?).into())),
        0xd2 => Ok(Token::Integer(i32::from_be_bytes(input.array()?).into())),
        0xd3 => Ok(Token::Integer(i64::from_be_bytes(input.array()?).into())),
        0xd9 => input.unsigned::<1>().and_then(|len| text(input, len)),
        0xda => input.unsigned::<2>().and_then(|len| text(input, len)),
        0xdb => input.unsigned::<4>().and_then(|len| text(input, len)),
        0xdc => input.unsigned::<2>().and_then(|count| list(input, count)),
        0xdd => input.unsigned::<4>().and_then(|count| list(input, count)),
        0xde => input.unsigned::<2>().and_then(|count| map(input, count)),
        0xdf => input.unsigned::<4>().and_then(|count| map(input, count)),
        0xe0..=0xff => Ok(Token::Integer(i8::from_be_bytes([first]).into())),
    }
}

fn text<'a>(input: &mut Input<'a>, len: u64) -> Result<Token<'a>, SyntaxError> {
    input.text(len).map(|text| Token::Text(text.into()))
}

fn binary<'a>(input: &mut Input<'a>, len: u64) -> Result<Token<'a>, SyntaxError> {
    input.slice(len).map(|bytes| Token::Binary(Cow::Borrowed(bytes)))
}

fn list<'a>(input: &mut Input<'a>, count: u64) -> Result<Token<'a>, SyntaxError> {
    input.count(count, 1).map(|count| Token::List(Length::Known(count)))
}

fn map<'a>(input: &mut Input<'a>, count: u64) -> Result<Token<'a>, SyntaxError> {
    input.count(count, 2).map(|count| Token::Map(Length::Known(count)))
}
