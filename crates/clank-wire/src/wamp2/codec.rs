//! What a subprotocol stands for: a serializer, and one message or a batch in each frame.

use crate::serializer::Serializer;

/// What stands behind each message of a batch in JSON, where it can't stand within one.
const SEPARATOR: u8 = 0x1e;
/// The length before each message of a batch in MessagePack or CBOR, in bytes.
const PREFIX: usize = 4;

/// A serializer, and whether a WebSocket message holds one message of WAMP or several
/// (specification: "WebSocket Transport" and "Message Batching").
///
/// ```
/// use clank_wire::serializer::Serializer;
/// use clank_wire::wamp2::Codec;
///
/// let codec = Codec::from_subprotocol("wamp.2.json.batched").unwrap();
/// assert_eq!((codec.serializer, codec.batched), (Serializer::Json, true));
/// let messages: Vec<_> = codec.messages(b"[1]\x1e[2]\x1e").collect();
/// assert_eq!(messages, [Ok(&b"[1]"[..]), Ok(&b"[2]"[..])]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codec {
    /// How messages become bytes.
    pub serializer: Serializer,
    /// Whether they come in batches.
    pub batched: bool,
}

/// Why a WebSocket message is no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It has no messages: the specification calls that illegal.
    #[error("a batch holds at least one message, got none")]
    Empty,
    /// What follows the last separator of JSON has none.
    #[error("each message of a batch ends with 0x1e, got none after byte {at}")]
    Unterminated {
        /// Where the message begins, in bytes.
        at: usize,
    },
    /// A length is cut short, or says more than is there.
    #[error("the message at byte {at} of the batch goes on behind the end")]
    Truncated {
        /// Where its length begins, in bytes.
        at: usize,
    },
}

/// The messages of WAMP in a WebSocket message. The first error is the last item.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    codec: Codec,
    data: &'a [u8],
    /// `None` at the end, or behind an error.
    at: Option<usize>,
}

impl Codec {
    /// All codecs, in no order of preference.
    pub const ALL: [Codec; 6] = [
        Codec { serializer: Serializer::Json, batched: false },
        Codec { serializer: Serializer::MessagePack, batched: false },
        Codec { serializer: Serializer::Cbor, batched: false },
        Codec { serializer: Serializer::Json, batched: true },
        Codec { serializer: Serializer::MessagePack, batched: true },
        Codec { serializer: Serializer::Cbor, batched: true },
    ];

    /// The codec of a WebSocket subprotocol.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.subprotocol() == name)
    }

    /// The name of its WebSocket subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match (self.serializer, self.batched) {
            (Serializer::Json, false) => "wamp.2.json",
            (Serializer::MessagePack, false) => "wamp.2.msgpack",
            (Serializer::Cbor, false) => "wamp.2.cbor",
            (Serializer::Json, true) => "wamp.2.json.batched",
            (Serializer::MessagePack, true) => "wamp.2.msgpack.batched",
            (Serializer::Cbor, true) => "wamp.2.cbor.batched",
        }
    }

    /// Whether its WebSocket messages are text; else they are binary.
    pub const fn is_text(self) -> bool {
        matches!(self.serializer, Serializer::Json)
    }

    /// The messages of WAMP in a WebSocket message.
    ///
    /// # Errors
    /// An item is an error where the rest is no batch.
    pub const fn messages(self, data: &[u8]) -> Messages<'_> {
        Messages { codec: self, data, at: Some(0) }
    }

    /// Appends a message that `write` appends, with what frames it in a batch.
    ///
    /// ```
    /// use clank_wire::serializer::Serializer;
    /// use clank_wire::wamp2::{Codec, Id, Published};
    ///
    /// let codec = Codec { serializer: Serializer::Cbor, batched: true };
    /// let mut batch = Vec::new();
    /// let published = Published { request: Id::MIN, publication: Id::MIN };
    /// codec.append(&mut batch, |serializer, out| published.encode(serializer, out));
    /// assert_eq!(batch, b"\0\0\0\x04\x83\x11\x01\x01");
    /// ```
    pub fn append(self, out: &mut Vec<u8>, write: impl FnOnce(Serializer, &mut Vec<u8>)) {
        let start = out.len();
        if self.batched && !self.is_text() {
            out.extend_from_slice(&[0; PREFIX]);
        }
        write(self.serializer, out);
        if self.batched && self.is_text() {
            out.push(SEPARATOR);
        } else if self.batched {
            // No frame is as long as 4 GiB.
            let len = u32::try_from(out.len() - start - PREFIX).unwrap_or(u32::MAX);
            if let Some(prefix) = out.get_mut(start..).and_then(|frame| frame.first_chunk_mut()) {
                *prefix = len.to_be_bytes();
            }
        }
    }
}

impl<'a> Messages<'a> {
    /// What is left: as long a batch as there are messages in it, or nothing.
    pub fn rest(&self) -> &'a [u8] {
        self.at.and_then(|at| self.data.get(at..)).unwrap_or_default()
    }

    /// The message at `at`, and where the next one begins.
    fn cut(&self, at: usize) -> Result<(&'a [u8], usize), BatchError> {
        let rest = self.data.get(at..).unwrap_or_default();
        if !self.codec.batched {
            return Ok((rest, self.data.len()));
        }
        if rest.is_empty() {
            return Err(BatchError::Empty);
        }
        if self.codec.is_text() {
            let end = rest.iter().position(|byte| *byte == SEPARATOR);
            let message = end.and_then(|end| rest.get(..end)).ok_or(BatchError::Unterminated { at })?;
            return Ok((message, at + message.len() + 1));
        }
        let truncated = BatchError::Truncated { at };
        let (prefix, rest) = rest.split_first_chunk::<PREFIX>().ok_or(truncated)?;
        let len = usize::try_from(u32::from_be_bytes(*prefix)).map_err(|_| truncated)?;
        let message = rest.get(..len).ok_or(truncated)?;
        Ok((message, at + PREFIX + len))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.cut(self.at?);
        self.at = match taken {
            Ok((_, next)) if next < self.data.len() => Some(next),
            _ => None,
        };
        Some(taken.map(|(message, _)| message))
    }
}
