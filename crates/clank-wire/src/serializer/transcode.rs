//! From one serializer to another, value by value as they are read.

use super::reader::{Length, Reader, Token};
use super::{Serializer, Writer};

/// Writes the checked value that begins at the reader's position. It recurses as deep as the value
/// nests, which the check has bounded.
pub(crate) fn transcode(reader: &mut Reader<'_>, writer: &mut Writer<'_>) {
    reader.white_space();
    match reader.token() {
        Ok(Token::List(length)) => list(length, reader, writer),
        Ok(Token::Map(length)) => map(length, reader, writer),
        Ok(token) => scalar(&token, writer),
        // Nothing that has been checked leads here.
        Err(_) => writer.null(),
    }
}

fn list(mut length: Length, reader: &mut Reader<'_>, writer: &mut Writer<'_>) {
    let mut container = writer.open(false, length.known());
    while let Ok(true) = reader.more(&mut length) {
        writer.item(&mut container);
        transcode(reader, writer);
    }
    writer.close(&container);
}

fn map(mut length: Length, reader: &mut Reader<'_>, writer: &mut Writer<'_>) {
    let mut container = writer.open(true, length.known());
    while let Ok(true) = reader.more(&mut length) {
        writer.item(&mut container);
        key(&reader.key().unwrap_or(Token::Null), writer);
        transcode(reader, writer);
    }
    writer.close(&container);
}

/// In JSON a key is text, whatever it is elsewhere.
fn key(token: &Token<'_>, writer: &mut Writer<'_>) {
    match (token, writer.serializer()) {
        (Token::Text(text), _) => writer.text(text),
        (Token::Binary(bytes), Serializer::Json) => writer.binary(bytes),
        (_, Serializer::Json) => {
            writer.out().push(b'"');
            scalar(token, writer);
            writer.out().push(b'"');
        }
        _ => scalar(token, writer),
    }
    writer.key_end();
}

fn scalar(token: &Token<'_>, writer: &mut Writer<'_>) {
    match token {
        Token::Null | Token::List(_) | Token::Map(_) => writer.null(),
        Token::Bool(value) => writer.bool(*value),
        Token::Integer(value) => writer.integer(*value),
        Token::Float(value) => writer.float(*value),
        Token::Text(text) => writer.text(text),
        Token::Binary(bytes) => writer.binary(bytes),
    }
}
