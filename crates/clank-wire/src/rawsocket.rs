//! WAMP over RawSocket: a handshake of four bytes each way, then messages with a head of four bytes
//! (specification: "RawSocket Transport").
//!
//! Everything here is bytes in and values out: a handshake is judged by [`Request::decode`], what
//! follows it is cut into frames by a [`Decoder`].
//!
//! ```
//! use clank_wire::rawsocket::{FrameHeader, FrameType, MaxLength, Reply, Request};
//! use clank_wire::serializer::Serializer;
//!
//! let request = Request::decode(*b"\x7f\xf2\0\0")?;
//! assert_eq!((request.serializer, request.max_length.bytes()), (Serializer::MessagePack, 1 << 24));
//! let max_length = MaxLength::at_most(1 << 20);
//! let reply = Reply::Accepted(Request { serializer: request.serializer, max_length });
//! assert_eq!(reply.encode(), *b"\x7f\xb2\0\0");
//!
//! let header = FrameHeader::decode(*b"\x01\0\0\x04", max_length)?;
//! assert_eq!((header.kind, header.len), (FrameType::Ping, 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decoder;

pub use decoder::{Decoder, Frame};

use bytes::Bytes;

use crate::serializer::Serializer;

/// What a handshake begins with: no request of HTTP does.
pub const MAGIC: u8 = 0x7f;

/// How many bytes a handshake has, and the head of a frame.
pub const HEAD: usize = 4;

/// The longest message that a peer takes: a power of two from 2^9 to 2^24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MaxLength(u8);

/// What a client asks for, and what a router answers where it agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// How messages become bytes.
    pub serializer: Serializer,
    /// The longest message that the sender of this takes.
    pub max_length: MaxLength,
}

/// What a router answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It goes on, in the client's serializer and with the router's own limit.
    Accepted(Request),
    /// It doesn't, and this is why.
    Refused(Refusal),
}

/// Why a router refuses a handshake, by the number that stands for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// The serializer is not one of the router's.
    #[error("serializer unsupported")]
    Serializer = 1,
    /// The client takes messages that are too short.
    #[error("maximum message length unacceptable")]
    MaxLength = 2,
    /// Bits are set that must be zero.
    #[error("use of reserved bits")]
    ReservedBits = 3,
    /// There are too many connections.
    #[error("maximum connection count reached")]
    Connections = 4,
}

/// Why four bytes are no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The peer speaks something else.
    #[error("a RawSocket handshake begins with 0x7f, got 0x{0:02x}")]
    Magic(u8),
    /// The serializer is zero, which the specification calls illegal.
    #[error("a RawSocket handshake names a serializer, got 0")]
    NoSerializer,
    /// The request is one, and this is what a router answers.
    #[error("a RawSocket handshake was refused: {0}")]
    Refused(Refusal),
    /// The router answers with an error that the specification doesn't have.
    #[error("a RawSocket handshake was refused with the unknown error {0}")]
    Unknown(u8),
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameType {
    /// A message of WAMP.
    Message = 0,
    /// A ping: answered by a pong with the same payload.
    Ping = 1,
    /// The answer to a ping.
    Pong = 2,
}

/// The head of a frame: what it is, and how many bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What it is.
    pub kind: FrameType,
    /// How many bytes follow, at most 2^24.
    pub len: usize,
}

/// Why four bytes are no head of a frame. The connection has to be failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Bits are set that must be zero.
    #[error("the reserved bits of a RawSocket frame are zero, got 0x{0:02x}")]
    ReservedBits(u8),
    /// The type is none that the specification has.
    #[error("a RawSocket frame is a message, a ping or a pong, got type {0}")]
    Type(u8),
    /// The frame is longer than was agreed on.
    #[error("a RawSocket frame of {len} bytes exceeds the {max} that were agreed on")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
        /// How long it may be, in bytes.
        max: usize,
    },
}

impl Serializer {
    /// The number by which a RawSocket handshake names the serializer.
    pub const fn rawsocket_id(self) -> u8 {
        match self {
            Serializer::Json => 1,
            Serializer::MessagePack => 2,
            Serializer::Cbor => 3,
        }
    }

    /// The serializer that a RawSocket handshake names.
    pub fn from_rawsocket_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|serializer| serializer.rawsocket_id() == id)
    }
}

impl MaxLength {
    /// 512 bytes.
    pub const MIN: MaxLength = MaxLength(0);
    /// 16 MiB.
    pub const MAX: MaxLength = MaxLength(15);

    /// The largest that is not more than `bytes`; [`MaxLength::MIN`] if `bytes` is less than that.
    pub const fn at_most(bytes: usize) -> Self {
        let mut exponent = Self::MAX.0;
        while exponent > 0 && MaxLength(exponent).bytes() > bytes {
            exponent -= 1;
        }
        MaxLength(exponent)
    }

    /// How many bytes that is.
    pub const fn bytes(self) -> usize {
        1 << (9 + self.0)
    }
}

impl Request {
    /// Reads a client's handshake.
    ///
    /// # Errors
    /// When it is no handshake, or one that a router answers with a [`Refusal`].
    pub fn decode(bytes: [u8; HEAD]) -> Result<Self, HandshakeError> {
        let [magic, agreed, high, low] = bytes;
        if magic != MAGIC {
            return Err(HandshakeError::Magic(magic));
        }
        if agreed & 0x0f == 0 {
            return Err(HandshakeError::NoSerializer);
        }
        if (high, low) != (0, 0) {
            return Err(HandshakeError::Refused(Refusal::ReservedBits));
        }
        let serializer = Serializer::from_rawsocket_id(agreed & 0x0f);
        let serializer = serializer.ok_or(HandshakeError::Refused(Refusal::Serializer))?;
        Ok(Request { serializer, max_length: MaxLength(agreed >> 4) })
    }

    /// The bytes of the handshake.
    pub const fn encode(self) -> [u8; HEAD] {
        [MAGIC, self.max_length.0 << 4 | self.serializer.rawsocket_id(), 0, 0]
    }
}

impl Reply {
    /// Reads a router's handshake.
    ///
    /// # Errors
    /// When it is no handshake, refuses or names a serializer that nobody can have asked for.
    pub fn decode(bytes: [u8; HEAD]) -> Result<Request, HandshakeError> {
        let [magic, answer, ..] = bytes;
        if magic == MAGIC && answer & 0x0f == 0 {
            let refusal = Refusal::from_number(answer >> 4);
            return Err(refusal.map_or(HandshakeError::Unknown(answer >> 4), HandshakeError::Refused));
        }
        Request::decode(bytes)
    }

    /// The bytes of the answer.
    pub const fn encode(self) -> [u8; HEAD] {
        match self {
            Reply::Accepted(request) => request.encode(),
            Reply::Refused(refusal) => [MAGIC, (refusal as u8) << 4, 0, 0],
        }
    }
}

impl Refusal {
    fn from_number(number: u8) -> Option<Self> {
        let all = [Refusal::Serializer, Refusal::MaxLength, Refusal::ReservedBits, Refusal::Connections];
        all.into_iter().find(|refusal| *refusal as u8 == number)
    }
}

impl FrameHeader {
    /// Reads the head of a frame of at most `max_length`.
    ///
    /// # Errors
    /// When reserved bits are set, the type is unknown or the frame too long.
    pub fn decode(bytes: [u8; HEAD], max_length: MaxLength) -> Result<Self, FrameError> {
        let [head, high, middle, low] = bytes;
        if head & 0xf0 != 0 {
            return Err(FrameError::ReservedBits(head));
        }
        let kind = match head & 0x07 {
            0 => FrameType::Message,
            1 => FrameType::Ping,
            2 => FrameType::Pong,
            other => return Err(FrameError::Type(other)),
        };
        // The 25th bit alone is the length of 16 MiB.
        let len = u32::from_be_bytes([head >> 3, high, middle, low]) as usize;
        match max_length.bytes() {
            max if len > max => Err(FrameError::TooLong { len, max }),
            _ => Ok(FrameHeader { kind, len }),
        }
    }

    /// The head of a frame; `None` if `len` is more than 2^24.
    pub fn encode(self) -> Option<[u8; HEAD]> {
        let len = u32::try_from(self.len).ok().filter(|len| *len <= 1 << 24)?;
        let [extra, high, middle, low] = len.to_be_bytes();
        Some([extra << 3 | self.kind as u8, high, middle, low])
    }
}

/// A whole frame. The bytes can be shared by every receiver.
///
/// `None` if the payload is longer than a frame can be.
///
/// ```
/// use clank_wire::rawsocket::{FrameType, frame};
/// assert_eq!(frame(FrameType::Pong, b"hi").as_deref(), Some(&b"\x02\0\0\x02hi"[..]));
/// ```
pub fn frame(kind: FrameType, payload: &[u8]) -> Option<Bytes> {
    let head = FrameHeader { kind, len: payload.len() }.encode()?;
    Some([&head, payload].concat().into())
}

/// As [`frame`], of a message that `write` appends to the buffer, so that it isn't copied.
///
/// `size_hint` is the message's likely length in bytes. The buffer that `write` sees is not empty:
/// room for the head is in front, and must stay.
///
/// ```
/// use clank_wire::rawsocket::build_message;
/// let built = build_message(8, |buf| buf.extend_from_slice(b"[6]"));
/// assert_eq!(built.as_deref(), Some(&b"\0\0\0\x03[6]"[..]));
/// ```
pub fn build_message(size_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Option<Bytes> {
    let mut buf = Vec::with_capacity(HEAD + size_hint);
    append_message(&mut buf, write);
    (!buf.is_empty()).then(|| buf.into())
}

/// Appends a frame as [`build_message`] makes it to `out`, for one receiver alone. Returns the bytes of
/// the message; if they are more than a frame can have, nothing has been appended.
///
/// What is in `out` before must stay when `write` appends to it.
///
/// ```
/// use clank_wire::rawsocket::append_message;
///
/// let mut out = Vec::new();
/// assert_eq!(append_message(&mut out, |out| out.extend_from_slice(b"[6]")), 3);
/// assert_eq!(append_message(&mut out, |out| out.resize(20_000_000, b' ')), 20_000_000 - 11);
/// assert_eq!(out, b"\0\0\0\x03[6]");
/// ```
pub fn append_message(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    write(out);
    let len = out.len().saturating_sub(start + HEAD);
    let head = FrameHeader { kind: FrameType::Message, len }.encode();
    match (head, out.get_mut(start..).and_then(|frame| frame.first_chunk_mut())) {
        (Some(head), Some(place)) => *place = head,
        _ => out.truncate(start),
    }
    len
}
