//! What is compressed here can be inflated by the library that does it for others, and the reverse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, reason = "shared by several tests")]
mod ws_support;

use clank_wire::ws::deflate::{Deflater, Inflater, WindowBits};
use clank_wire::ws::{OpCode, ProtocolError, frame, payload};
use flate2::{Decompress, FlushDecompress};
use proptest::collection::vec;
use proptest::prelude::*;
use ws_support::raw_deflate;

/// Data with repetitions near and far, so that windows matter, or without any.
fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => repetitive(), 1 => vec(any::<u8>(), 0..3000)]
}

fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let chunk = (vec(any::<u8>(), 1..40), 1_usize..60).prop_map(|(bytes, times)| bytes.repeat(times));
    vec(chunk, 0..30).prop_map(|chunks| {
        let once = chunks.concat();
        [&once[..], &once[..once.len() / 2]].concat()
    })
}

fn windows() -> impl Strategy<Value = WindowBits> {
    (9_u8..=15).prop_map(|bits| WindowBits::new(bits).unwrap())
}

/// Inflates in pieces of 16 bytes, so that the library has nothing but a window of that size to look back.
fn inflate_by_window(compressed: &[u8], window: WindowBits, length: usize) -> Vec<u8> {
    let mut state = Decompress::new_with_window_bits(false, window.as_u8());
    let mut message = Vec::new();
    while message.len() < length {
        let from = state.total_in() as usize;
        let mut piece = Vec::with_capacity(16);
        state.decompress_vec(&compressed[from..], &mut piece, FlushDecompress::None).unwrap();
        assert!(!piece.is_empty(), "the data is complete");
        message.extend(piece);
    }
    message
}

proptest! {
    #[test]
    fn frames_can_be_inflated_within_their_window(
        data in data(),
        window in windows(),
        level in 1_u8..=9,
    ) {
        let sent = Deflater::new(level).frame(OpCode::Binary, window, &data);
        if sent[0] == 0xc2 {
            prop_assert!(payload(&sent).len() < data.len());
            prop_assert_eq!(inflate_by_window(payload(&sent), window, data.len()), data);
        } else {
            prop_assert_eq!(sent, frame(OpCode::Binary, &data));
        }
    }

    #[test]
    fn one_deflater_and_one_inflater_serve_many(
        messages in vec(data(), 1..12),
        window in windows(),
        level in 1_u8..=9,
    ) {
        let (mut deflater, mut inflater) = (Deflater::new(level), Inflater::new());
        for data in messages {
            let sent = deflater.frame(OpCode::Binary, window, &data);
            prop_assert_eq!(&sent, &Deflater::new(level).frame(OpCode::Binary, window, &data));
            if sent[0] == 0xc2 {
                prop_assert_eq!(inflater.inflate(payload(&sent), data.len()), Ok(&data[..]));
            }
        }
    }

    #[test]
    fn messages_of_others_are_inflated_to_the_limit(data in data(), window in windows()) {
        let compressed = raw_deflate(&data, window.as_u8());
        let mut inflater = Inflater::new();
        prop_assert_eq!(inflater.inflate(&compressed, data.len()), Ok(&data[..]));
        if let Some(less) = data.len().checked_sub(1) {
            prop_assert_eq!(inflater.inflate(&compressed, less), Err(ProtocolError::MessageTooBig));
        }
    }
}
