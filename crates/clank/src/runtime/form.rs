//! In which form a connection gets its messages: which version of WAMP, and how it is written.

use bytes::Bytes;
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use clank_wire::ws::deflate::WindowBits;
use clank_wire::ws::{self, OpCode};

use super::turn::frame_for;

/// In which form a connection gets its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// WAMP v1; also where no WAMP is spoken, and nothing is published to.
    Wamp1,
    /// WAMP v2.
    Wamp2(Codec),
}

/// How many codecs WAMP v2 has.
pub(super) const CODECS: usize = Codec::ALL.len();

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
pub(super) const fn opcode(codec: Codec) -> OpCode {
    if codec.is_text() { OpCode::Text } else { OpCode::Binary }
}

/// A message of WAMP v2 as one connection gets it, and how many bytes it carries.
pub(super) fn frame(
    codec: Codec,
    window: Option<WindowBits>,
    write: impl FnOnce(Serializer, &mut Vec<u8>),
) -> (Bytes, usize) {
    if window.is_some() {
        let mut message = Vec::new();
        codec.append(&mut message, write);
        return (frame_for(window, opcode(codec), &message), message.len());
    }
    let frame = ws::build_frame(opcode(codec), 64, |out| codec.append(out, write));
    let message = ws::payload(&frame).len();
    (frame, message)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn each_codec_has_a_place_of_its_own() {
        let mut places = Codec::ALL.map(index);
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2, 3, 4, 5]);
    }
}
