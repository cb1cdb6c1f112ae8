//! RawSocket: every handshake and every head of a frame.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use clank_wire::rawsocket::{
    Decoder, FrameError, FrameHeader, FrameType, HandshakeError, MaxLength, Refusal, Reply, Request,
    build_message, frame,
};
use clank_wire::serializer::Serializer;
use clank_wire::ws::Scratch;
use proptest::prelude::*;

#[path = "../../../fuzz/bodies/rawsocket.rs"]
mod body;

#[test]
fn a_handshake_is_read_and_written() {
    for (bytes, serializer, max_bytes) in [
        ([0x7f, 0x01, 0, 0], Serializer::Json, 512),
        ([0x7f, 0x12, 0, 0], Serializer::MessagePack, 1024),
        ([0x7f, 0xe3, 0, 0], Serializer::Cbor, 1 << 23),
        ([0x7f, 0xf1, 0, 0], Serializer::Json, 1 << 24),
    ] {
        let request = Request::decode(bytes).unwrap();
        assert_eq!((request.serializer, request.max_length.bytes()), (serializer, max_bytes));
        assert_eq!(request.encode(), bytes);
        assert_eq!(Reply::Accepted(request).encode(), bytes);
        assert_eq!(Reply::decode(bytes), Ok(request));
    }
}

#[test]
fn what_is_no_handshake_is_refused_in_words() {
    for (bytes, words) in [
        ([b'G', b'E', b'T', b' '], "a RawSocket handshake begins with 0x7f, got 0x47"),
        ([0x7f, 0xf0, 0, 0], "a RawSocket handshake names a serializer, got 0"),
        ([0x7f, 0xf4, 0, 0], "a RawSocket handshake was refused: serializer unsupported"),
        ([0x7f, 0xff, 0, 0], "a RawSocket handshake was refused: serializer unsupported"),
        ([0x7f, 0xf1, 1, 0], "a RawSocket handshake was refused: use of reserved bits"),
        ([0x7f, 0xf1, 0, 1], "a RawSocket handshake was refused: use of reserved bits"),
    ] {
        assert_eq!(Request::decode(bytes).unwrap_err().to_string(), words);
    }
    for (refusal, bytes, words) in [
        (Refusal::Serializer, 0x10, "serializer unsupported"),
        (Refusal::MaxLength, 0x20, "maximum message length unacceptable"),
        (Refusal::ReservedBits, 0x30, "use of reserved bits"),
        (Refusal::Connections, 0x40, "maximum connection count reached"),
    ] {
        let reply = Reply::Refused(refusal).encode();
        assert_eq!(reply, [0x7f, bytes, 0, 0]);
        assert_eq!(Reply::decode(reply), Err(HandshakeError::Refused(refusal)));
        assert_eq!(refusal.to_string(), words);
    }
    assert_eq!(Reply::decode([0x7f, 0, 0, 0]), Err(HandshakeError::Unknown(0)));
    assert_eq!(Reply::decode([0x7f, 0xf0, 0, 0]), Err(HandshakeError::Unknown(15)));
    assert_eq!(Reply::decode([0x7e, 0x11, 0, 0]), Err(HandshakeError::Magic(0x7e)));
}

#[test]
fn a_limit_is_the_power_of_two_that_fits() {
    for (bytes, limit) in [
        (0, 512),
        (512, 512),
        (1023, 512),
        (1024, 1024),
        (65_535, 32_768),
        (1 << 24, 1 << 24),
        (usize::MAX, 1 << 24),
    ] {
        assert_eq!(MaxLength::at_most(bytes).bytes(), limit, "{bytes}");
    }
    assert_eq!((MaxLength::MIN.bytes(), MaxLength::MAX.bytes()), (512, 1 << 24));
}

#[test]
fn a_frame_is_announced() {
    for (bytes, kind, len) in [
        ([0, 0, 0, 0], FrameType::Message, 0),
        ([0, 0, 1, 2], FrameType::Message, 258),
        ([1, 0, 0, 4], FrameType::Ping, 4),
        ([2, 0xff, 0xff, 0xff], FrameType::Pong, (1 << 24) - 1),
        ([8, 0, 0, 0], FrameType::Message, 1 << 24),
        ([9, 0, 0, 0], FrameType::Ping, 1 << 24),
    ] {
        let header = FrameHeader::decode(bytes, MaxLength::MAX).unwrap();
        assert_eq!(header, FrameHeader { kind, len });
        assert_eq!(header.encode(), Some(bytes));
    }
    assert_eq!(FrameHeader { kind: FrameType::Message, len: (1 << 24) + 1 }.encode(), None);
}

#[test]
fn a_frame_that_breaks_the_rules_is_refused_in_words() {
    for (bytes, max, words) in [
        ([0x10, 0, 0, 0], 512, "the reserved bits of a RawSocket frame are zero, got 0x10"),
        ([0x83, 0, 0, 0], 512, "the reserved bits of a RawSocket frame are zero, got 0x83"),
        ([3, 0, 0, 0], 512, "a RawSocket frame is a message, a ping or a pong, got type 3"),
        ([7, 0, 0, 0], 512, "a RawSocket frame is a message, a ping or a pong, got type 7"),
        ([0, 0, 2, 1], 512, "a RawSocket frame of 513 bytes exceeds the 512 that were agreed on"),
        ([1, 1, 0, 0], 512, "a RawSocket frame of 65536 bytes exceeds the 512 that were agreed on"),
        ([8, 0, 0, 0], 512, "a RawSocket frame of 16777216 bytes exceeds the 512 that were agreed on"),
        (
            [8, 0, 0, 1],
            1 << 24,
            "a RawSocket frame of 16777217 bytes exceeds the 16777216 that were agreed on",
        ),
    ] {
        let error = FrameHeader::decode(bytes, MaxLength::at_most(max)).unwrap_err();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn frames_are_made_in_one_buffer() {
    for message in [&b""[..], b"[6]", &[7; 70_000]] {
        let made = frame(FrameType::Message, message).unwrap();
        for hint in [0, message.len(), message.len() + 100] {
            assert_eq!(build_message(hint, |buf| buf.extend_from_slice(message)), Some(made.clone()));
        }
        assert_eq!(made.len(), 4 + message.len());
    }
    assert_eq!(frame(FrameType::Ping, &vec![0; (1 << 24) + 1]), None);
    assert_eq!(build_message(0, |buf| buf.resize((1 << 24) + 5, 0)), None);
    assert_eq!(build_message(0, Vec::clear), None, "its writer has taken the room for the head");
}

#[test]
fn a_long_frame_holds_as_much_memory_as_has_come_of_it() {
    let mut decoder = Decoder::new(MaxLength::MAX);
    let mut scratch = Scratch::new();
    assert_eq!(decoder.decode(&[0, 0xff, 0xff, 0xff], &mut scratch), Ok((4, None)));
    assert!(decoder.buffered() < 128, "nothing of it has come");
    for received in (1000..=100_000).step_by(1000) {
        assert_eq!(decoder.decode(&[0; 1000], &mut scratch), Ok((1000, None)));
        assert!(decoder.buffered() <= 2 * received + 128);
    }
    assert!(!decoder.is_idle());
}

#[test]
fn a_decoder_that_has_failed_takes_no_more() {
    let mut decoder = Decoder::new(MaxLength::MIN);
    let mut scratch = Scratch::new();
    assert_eq!(decoder.decode(&[0, 0], &mut scratch), Ok((2, None)));
    let error = FrameError::TooLong { len: 513, max: 512 };
    assert_eq!(decoder.decode(&[2, 1, 0], &mut scratch), Err(error));
    assert_eq!(decoder.decode(&[1, 0, 0, 0], &mut scratch), Ok((4, None)));
    assert!(decoder.is_idle());
}

#[test]
fn the_corpus_of_rawsocket_runs() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rawsocket");
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        body::run(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 10, "only {files} files in the corpus");
}

proptest! {
    #[test]
    fn any_stream_is_cut_alike_wherever_it_is_split(bytes in prop::collection::vec(0_u8..8, 0..400)) {
        body::run(&bytes);
    }

    #[test]
    fn any_four_bytes_are_judged(bytes in any::<[u8; 4]>()) {
        let with_magic = [0x7f, bytes[1], bytes[2], bytes[3]];
        for bytes in [bytes, with_magic] {
            if let Ok(request) = Request::decode(bytes) {
                prop_assert_eq!(request.encode(), bytes);
            }
            let _ = Reply::decode(bytes);
        }
        let masked = [bytes[0] & 0x0f, bytes[1], bytes[2], bytes[3]];
        for bytes in [bytes, masked] {
            if let Ok(header) = FrameHeader::decode(bytes, MaxLength::MAX) {
                prop_assert_eq!(header.encode(), Some(bytes));
            }
        }
    }
}
