use std::borrow::Cow;
use std::str;

use super::deflate::Inflater;
use super::{CloseCode, OpCode, ProtocolError};

/// What the peer sent. The bytes lie in the read buffer or in the [`Scratch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping of at most 125 bytes; the same bytes go into the pong that is owed.
    Ping(&'a [u8]),
    /// A pong of at most 125 bytes.
    Pong(&'a [u8]),
    /// The peer closes, with a code that [is sendable](CloseCode::is_sendable) and a reason, or
    /// without either. Nothing follows it.
    Close(Option<(CloseCode, &'a str)>),
}

/// What all decoders of one worker share: the inflater, and the message handed over last when it
/// could not be lent out of the read buffer.
#[derive(Debug, Default)]
pub struct Scratch {
    assembled: Vec<u8>,
    inflater: Inflater,
}

impl Scratch {
    /// Takes no memory before the first message that needs it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives back the message handed over last and what the inflater holds above 64 KiB.
    ///
    /// Worth a call at the end of a worker's turn: without it one message, at most the longest
    /// allowed, stays in memory until the next one.
    pub fn trim(&mut self) {
        self.assembled = Vec::new();
        self.inflater.trim();
    }

    /// Keeps a message that could not be lent out of the read buffer, and lends it out itself.
    pub(crate) fn keep(&mut self, message: Vec<u8>) -> &[u8] {
        self.assembled = message;
        &self.assembled
    }
}

/// A message or control frame whose bytes are all there.
pub(super) struct Complete<'a> {
    /// Text, Binary or that of a control frame.
    pub(super) opcode: OpCode,
    /// Whether `bytes` are to be inflated.
    pub(super) compressed: bool,
    /// Lent from the read buffer, or gathered.
    pub(super) bytes: Cow<'a, [u8]>,
}

impl<'a> Complete<'a> {
    /// Inflates and checks the bytes, which `scratch` keeps unless the read buffer does.
    pub(super) fn into_event(
        self,
        max_message: usize,
        scratch: &'a mut Scratch,
    ) -> Result<Event<'a>, ProtocolError> {
        let Scratch { assembled, inflater } = scratch;
        let mut bytes = match self.bytes {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                *assembled = bytes;
                assembled
            }
        };
        if self.compressed {
            bytes = inflater.inflate(bytes, max_message)?;
        }
        Ok(match self.opcode {
            OpCode::Text => Event::Text(utf8(bytes)?),
            // Messages are named by their first frame: a continuation never gets here.
            OpCode::Binary | OpCode::Continuation => Event::Binary(bytes),
            OpCode::Ping => Event::Ping(bytes),
            OpCode::Pong => Event::Pong(bytes),
            OpCode::Close => Event::Close(close(bytes)?),
        })
    }
}

/// Reads the payload of a close frame, RFC 6455, section 5.5.1.
fn close(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, ProtocolError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let (code, reason) = payload.split_first_chunk().ok_or(ProtocolError::ClosePayload)?;
    let code = CloseCode::new(u16::from_be_bytes(*code));
    if !code.is_sendable() {
        return Err(ProtocolError::CloseCode(code.as_u16()));
    }
    Ok(Some((code, utf8(reason)?)))
}

fn utf8(bytes: &[u8]) -> Result<&str, ProtocolError> {
    str::from_utf8(bytes).map_err(|_| ProtocolError::Utf8)
}
