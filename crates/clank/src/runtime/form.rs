//! In which form a connection gets its messages: which version of WAMP, how it is written, and what
//! frames it.

use bytes::Bytes;
use clank_core::event::Transport;
use clank_wire::rawsocket::{self, FrameType, Request as Agreed};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use clank_wire::ws::deflate::WindowBits;
use clank_wire::ws::{self, OpCode};

use super::turn::compress;

/// In which form a connection gets its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// WAMP v1; also where no WAMP is spoken, and nothing is published to.
    Wamp1,
    /// WAMP v2.
    Wamp2(Framed),
}

/// How messages of WAMP v2 are written, and what frames them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    WebSocket(Codec),
    /// The serializer, and the longest message that the client takes.
    RawSocket(Agreed),
}

/// How many codecs WAMP v2 has on a WebSocket.
pub(super) const CODECS: usize = Codec::ALL.len();
/// How many forms of a message of WAMP v2 there are.
pub(super) const FORMS: usize = CODECS + Serializer::ALL.len();

/// Bytes that the header of a frame commonly takes.
const HEADER: usize = 4;

/// Where a codec stands in a table of all.
pub(super) const fn index(codec: Codec) -> usize {
    let serializer = match codec.serializer {
        Serializer::Json => 0,
        Serializer::MessagePack => 1,
        Serializer::Cbor => 2,
    };
    if codec.batched { serializer + CODECS / 2 } else { serializer }
}

/// What WebSocket calls the codec's messages.
const fn opcode(codec: Codec) -> OpCode {
    if codec.is_text() { OpCode::Text } else { OpCode::Binary }
}

impl Form {
    /// What the connection is carried by.
    pub(crate) const fn transport(self) -> Transport {
        match self {
            Self::Wamp2(Framed::RawSocket(_)) => Transport::RawSocket,
            Self::Wamp1 | Self::Wamp2(Framed::WebSocket(_)) => Transport::WebSocket,
        }
    }

    /// Whether the client takes a message of so many bytes.
    pub(crate) const fn takes(self, message: usize) -> bool {
        message <= self.longest()
    }

    /// The longest message that the client takes, in bytes.
    pub(crate) const fn longest(self) -> usize {
        match self {
            Self::Wamp2(Framed::RawSocket(agreed)) => agreed.max_length.bytes(),
            Self::Wamp1 | Self::Wamp2(Framed::WebSocket(_)) => usize::MAX,
        }
    }

    /// A ping, without content.
    pub(super) fn ping(self) -> Bytes {
        match self.transport() {
            Transport::RawSocket => rawsocket::frame(FrameType::Ping, b"").unwrap_or_default(),
            Transport::WebSocket => ws::frame(OpCode::Ping, b""),
        }
    }

    /// The answer to a ping with this content.
    pub(super) fn pong(self, payload: &[u8]) -> Bytes {
        match self.transport() {
            // No ping is longer than a frame can be.
            Transport::RawSocket => rawsocket::frame(FrameType::Pong, payload).unwrap_or_default(),
            Transport::WebSocket => ws::frame(OpCode::Pong, payload),
        }
    }
}

impl Framed {
    /// The codec of a WebSocket that is written alike.
    pub(crate) const fn codec(self) -> Codec {
        match self {
            Self::WebSocket(codec) => codec,
            Self::RawSocket(agreed) => Codec { serializer: agreed.serializer, batched: false },
        }
    }

    /// Where it stands in a table of all forms.
    pub(super) const fn place(self) -> usize {
        match self {
            Self::WebSocket(codec) => index(codec),
            Self::RawSocket(_) => CODECS + index(self.codec()),
        }
    }

    /// A message of WAMP v2 that is not compressed, and how many bytes it carries.
    pub(super) fn build(self, hint: usize, write: impl FnOnce(Serializer, &mut Vec<u8>)) -> (Bytes, usize) {
        let mut frame = Vec::with_capacity(HEADER + hint);
        let message = self.append(None, &mut frame, write);
        (frame.into(), message)
    }

    /// A message as `window` has it: what RawSocket frames is never compressed.
    pub(super) fn frame(
        self,
        window: Option<WindowBits>,
        write: impl FnOnce(Serializer, &mut Vec<u8>),
    ) -> (Bytes, usize) {
        let mut frame = Vec::with_capacity(HEADER + 64);
        let message = self.append(window, &mut frame, write);
        (frame.into(), message)
    }

    /// Appends a message as `window` has it. Returns how many bytes it carries; if that is more than a frame
    /// can have, and so more than any client takes, nothing has been appended.
    pub(super) fn append(
        self,
        window: Option<WindowBits>,
        out: &mut Vec<u8>,
        write: impl FnOnce(Serializer, &mut Vec<u8>),
    ) -> usize {
        let codec = self.codec();
        match (self, window) {
            (Self::RawSocket(_), _) => rawsocket::append_message(out, |out| codec.append(out, write)),
            (Self::WebSocket(_), None) => {
                ws::append_frame(opcode(codec), out, |out| codec.append(out, write))
            }
            (Self::WebSocket(_), Some(window)) => {
                let mut message = Vec::new();
                codec.append(&mut message, write);
                out.extend_from_slice(&compress(opcode(codec), window, &message));
                message.len()
            }
        }
    }

    /// What WebSocket calls its messages, if that is what frames them.
    pub(super) const fn opcode(self) -> OpCode {
        opcode(self.codec())
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use clank_wire::rawsocket::MaxLength;

    use super::*;

    #[test]
    fn each_form_has_a_place_of_its_own() {
        let by_websocket = Codec::ALL.map(Framed::WebSocket);
        let by_rawsocket = Serializer::ALL
            .map(|serializer| Framed::RawSocket(Agreed { serializer, max_length: MaxLength::MIN }));
        let mut places: Vec<usize> = by_websocket.iter().chain(&by_rawsocket).map(|it| it.place()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..FORMS).collect::<Vec<_>>());
    }

    #[test]
    fn a_message_is_as_long_in_whatever_frame() {
        let write = |_: Serializer, out: &mut Vec<u8>| out.extend_from_slice(&[7; 300]);
        let agreed = Agreed { serializer: Serializer::Cbor, max_length: MaxLength::MIN };
        for framed in [Framed::WebSocket(Codec::ALL[2]), Framed::RawSocket(agreed)] {
            let (frame, message) = framed.frame(None, write);
            assert_eq!((frame.len(), message), (304, 300));
        }
        let form = Form::Wamp2(Framed::RawSocket(agreed));
        assert_eq!((form.takes(512), form.takes(513)), (true, false));
    }
}
