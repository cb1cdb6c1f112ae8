//! CBOR: what its first byte says (RFC 8949, section 3).

use std::borrow::Cow;

use super::SyntaxError;
use super::input::Input;
use super::reader::{Length, Token};

/// Ends what has an indefinite length.
pub(super) const BREAK: u8 = 0xff;

const TAG: u8 = 6;
const INDEFINITE: u8 = 31;

/// Takes a scalar, or the head of a list or dictionary, with the tags before it.
pub(super) fn token<'a>(input: &mut Input<'a>) -> Result<Token<'a>, SyntaxError> {
    let mut first = input.first()?;
    while first >> 5 == TAG {
        argument(input, first)?;
        first = input.first()?;
    }
    let indefinite = first & 0x1f == INDEFINITE;
    match first >> 5 {
        0 => Ok(Token::Integer(argument(input, first)?.into())),
        1 => Ok(Token::Integer(-1 - i128::from(argument(input, first)?))),
        2 if indefinite => chunks(input, 2).map(|bytes| Token::Binary(Cow::Owned(bytes))),
        2 => {
            let len = argument(input, first)?;
            Ok(Token::Binary(Cow::Borrowed(input.slice(len)?)))
        }
        3 if indefinite => {
            // Each chunk has been checked.
            let text = chunks(input, 3).map(String::from_utf8)?;
            Ok(Token::Text(Cow::Owned(text.unwrap_or_default())))
        }
        3 => {
            let len = argument(input, first)?;
            Ok(Token::Text(Cow::Borrowed(input.text(len)?)))
        }
        4 if indefinite => Ok(Token::List(Length::UNTIL_BREAK)),
        4 => {
            let count = argument(input, first)?;
            Ok(Token::List(Length::Known(input.count(count, 1)?)))
        }
        5 if indefinite => Ok(Token::Map(Length::UNTIL_BREAK)),
        5 => {
            let count = argument(input, first)?;
            Ok(Token::Map(Length::Known(input.count(count, 2)?)))
        }
        _ => simple(input, first),
    }
}

/// The number that a head holds or that follows it (section 3 of RFC 8949).
fn argument(input: &mut Input<'_>, first: u8) -> Result<u64, SyntaxError> {
    match first & 0x1f {
        small @ 0..=23 => Ok(small.into()),
        24 => input.unsigned::<1>(),
        25 => input.unsigned::<2>(),
        26 => input.unsigned::<4>(),
        27 => input.unsigned::<8>(),
        _ => Err(input.unexpected(first)),
    }
}

/// A string of indefinite length: definite ones of the same major type, until the break.
fn chunks(input: &mut Input<'_>, major: u8) -> Result<Vec<u8>, SyntaxError> {
    let mut joined = Vec::new();
    while !input.skip_byte(BREAK) {
        let first = input.first()?;
        if first >> 5 != major {
            return Err(input.unexpected(first));
        }
        let len = argument(input, first)?;
        let chunk = if major == 3 { input.text(len)?.as_bytes() } else { input.slice(len)? };
        joined.extend_from_slice(chunk);
    }
    Ok(joined)
}

/// Major type 7: simple values and floating-point numbers.
fn simple<'a>(input: &mut Input<'a>, first: u8) -> Result<Token<'a>, SyntaxError> {
    match first & 0x1f {
        20 | 21 => Ok(Token::Bool(first & 1 == 1)),
        // null and undefined
        22 | 23 => Ok(Token::Null),
        25 => Ok(Token::Float(half(u16::from_be_bytes(input.array()?)))),
        26 => Ok(Token::Float(f32::from_be_bytes(input.array()?).into())),
        27 => Ok(Token::Float(f64::from_be_bytes(input.array()?))),
        _ => Err(input.unexpected(first)),
    }
}

/// A number of half precision (IEEE 754 binary16; RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
