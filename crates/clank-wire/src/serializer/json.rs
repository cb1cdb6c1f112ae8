//! JSON for the reader: values as tokens, and the numbers and strings in them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::SyntaxError;
use super::reader::{Length, Token};
use crate::json::{Kind, Raw, Scanner, SyntaxError as JsonError};

/// What begins a string that stands for binary data.
pub(super) const BINARY: char = '\0';

/// The integers that a token may be: those of CBOR.
const INTEGERS: std::ops::Range<i128> = -(1 << 64)..1 << 64;

/// Takes a scalar, or the bracket that opens a list or dictionary.
pub(super) fn token<'a>(scanner: &mut Scanner<'a>) -> Result<Token<'a>, SyntaxError> {
    match scanner.peek() {
        Some(b'[') => {
            scanner.expect(b'[', "'['")?;
            Ok(Token::List(Length::Open { first: true, close: b']' }))
        }
        Some(b'{') => {
            scanner.expect(b'{', "'{'")?;
            Ok(Token::Map(Length::Open { first: true, close: b'}' }))
        }
        _ => Ok(scalar(scanner.value(0)?)),
    }
}

/// Takes a key and its colon.
pub(super) fn key<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, SyntaxError> {
    let start = scanner.position();
    scanner.key("a key")?;
    let text = scanner.since(start).trim_end_matches([' ', '\t', '\n', '\r', ':']);
    Ok(text_of(Raw::checked(text)))
}

/// Whether another element follows; if none does, moves behind what closes the container.
pub(super) fn more(scanner: &mut Scanner<'_>, first: &mut bool, close: u8) -> Result<bool, SyntaxError> {
    let was_first = std::mem::replace(first, false);
    scanner.white_space();
    match scanner.peek() {
        Some(byte) if byte == close => {
            scanner.expect(close, "")?;
            return Ok(false);
        }
        // The elements of a list without its brackets.
        None if close == 0 => return Ok(false),
        _ if was_first => return Ok(true),
        _ => {}
    }
    let expected = if close == b'}' { "',' or '}'" } else { "',' or ']'" };
    scanner.expect(b',', expected)?;
    scanner.white_space();
    Ok(true)
}

/// Checks the value that begins here, and counts its elements if it is a list or dictionary.
pub(super) fn check(scanner: &mut Scanner<'_>, levels: u32) -> Result<usize, SyntaxError> {
    let close = match scanner.peek() {
        Some(b'[') => b']',
        Some(b'{') => b'}',
        _ => {
            scanner.value(levels)?;
            return Ok(0);
        }
    };
    let Some(levels) = levels.checked_sub(1) else {
        return Err(JsonError::TooDeep { at: scanner.position() }.into());
    };
    token(scanner)?;
    let (mut first, mut count) = (true, 0);
    while more(scanner, &mut first, close)? {
        if close == b'}' {
            scanner.key(if count == 0 { "a key or '}'" } else { "a key" })?;
        }
        scanner.value(levels)?;
        count += 1;
    }
    Ok(count)
}

fn scalar(raw: Raw<'_>) -> Token<'_> {
    match raw.kind() {
        Kind::Bool => Token::Bool(raw.as_str() == "true"),
        Kind::Number => number(raw.as_str()),
        Kind::String => {
            let text = text_of(raw);
            match text.strip_prefix(BINARY).map(|encoded| STANDARD.decode(encoded)) {
                Some(Ok(bytes)) => Token::Binary(Cow::Owned(bytes)),
                _ => Token::Text(text),
            }
        }
        Kind::Null | Kind::Array | Kind::Object => Token::Null,
    }
}

fn number(text: &str) -> Token<'_> {
    match text.parse::<i128>() {
        // There is no integer that is -0.
        Ok(integer) if INTEGERS.contains(&integer) && text != "-0" => Token::Integer(integer),
        // Rust reads every number of JSON, and takes what is too large for infinity.
        _ => Token::Float(text.parse().unwrap_or(f64::NAN)),
    }
}

/// The characters of a string; a lone surrogate is U+FFFD.
pub(super) fn text_of(raw: Raw<'_>) -> Cow<'_, str> {
    raw.to_text().unwrap_or_else(|| Cow::Owned(lossy(raw.as_str())))
}

/// Replaces each surrogate that has no partner and reads the rest.
#[cold]
fn lossy(string: &str) -> String {
    let mut mended = String::with_capacity(string.len());
    let mut rest = string;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        mended.push_str(plain);
        let len = match (surrogate(escape), escape.get(6..).map(surrogate)) {
            (Some(0xd800..=0xdbff), Some(Some(0xdc00..=0xdfff))) => 12,
            (Some(_), _) => {
                mended.push('\u{fffd}');
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (None, _) => 2,
        };
        let (escape, after) = escape.split_at_checked(len).unwrap_or((escape, ""));
        mended.push_str(escape);
        rest = after;
    }
    mended.push_str(rest);
    serde_json::from_str(&mended).unwrap_or_default()
}

/// The surrogate that an escape names.
fn surrogate(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..=0xdfff).contains(unit))
}
