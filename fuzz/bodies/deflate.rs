//! permessage-deflate: offers are answered consistently, anything can be inflated up to the limit,
//! and what was compressed comes back, also through the window agreed on.
//!
//! Input: mode, parameter, data.

use clank_wire::ws::deflate::{Deflater, Inflater, Options, WindowBits, agree};
use clank_wire::ws::{
    Decoder, DecoderOptions, Event, OpCode, ProtocolError, Role, Scratch, parse_extensions, payload,
};
use flate2::{Decompress, FlushDecompress};

pub(crate) fn run(data: &[u8]) {
    let [mode, parameter, data @ ..] = data else { return };
    match mode % 3 {
        0 => offers(*parameter, data),
        1 => inflate(*parameter, data),
        _ => round_trip(*parameter, data),
    }
}

fn offers(parameter: u8, data: &[u8]) {
    let Ok(value) = str::from_utf8(data) else { return };
    let Ok(offers) = parse_extensions(value) else { return };
    let options = Options { max_window_bits: window(parameter) };
    let Some(agreement) = agree(&options, &offers) else { return };
    assert!(agreement.server_window_bits() <= options.max_window_bits);
    let answer = parse_extensions(&agreement.header_value()).expect("the answer follows the grammar");
    let again = agree(&options, &answer).expect("the answer is a valid offer");
    assert_eq!(again.header_value(), agreement.header_value());
}

fn inflate(parameter: u8, data: &[u8]) {
    let limit = 1 << (parameter % 21);
    let mut inflater = Inflater::new();
    let first = inflater.inflate(data, limit).map(<[u8]>::to_vec);
    match &first {
        Ok(message) => assert!(message.len() <= limit),
        Err(error) => {
            assert!(matches!(error, ProtocolError::Deflate | ProtocolError::MessageTooBig));
        }
    }
    let second = inflater.inflate(data, limit).map(<[u8]>::to_vec);
    assert_eq!(first, second, "nothing is left over from the message before");
}

/// The first byte of the data says into how many messages the rest is cut.
fn round_trip(parameter: u8, data: &[u8]) {
    let Some((count, data)) = data.split_first() else { return };
    let (window, level) = (window(parameter), parameter / 7 % 10);
    let mut deflater = Deflater::new(level);
    let mut inflater = Inflater::new();
    for message in data.chunks(data.len().div_ceil(usize::from(count % 32) + 1).max(1)) {
        let frame = deflater.frame(OpCode::Binary, window, message);
        assert!(payload(&frame).len() <= message.len());
        const RSV1: u8 = 0x40;
        if frame[0] & RSV1 != 0 {
            assert_eq!(inflate_by_window(window, payload(&frame), message.len()), message);
            assert_eq!(inflater.inflate(payload(&frame), message.len()), Ok(message));
        }
        decoded(&frame, message);
    }
    let last = data.get(data.len() / 2..).unwrap_or_default();
    let fresh = Deflater::new(level).frame(OpCode::Binary, window, last);
    assert_eq!(deflater.frame(OpCode::Binary, window, last), fresh, "a message starts afresh");
}

fn decoded(frame: &[u8], message: &[u8]) {
    let options = DecoderOptions { max_message: message.len(), deflate: true };
    let mut decoder = Decoder::new(Role::Client, options);
    let mut scratch = Scratch::new();
    let mut input = frame.to_vec();
    let event = decoder.decode(&mut input, &mut scratch);
    assert_eq!(event, Ok((frame.len(), Some(Event::Binary(message)))));
}

/// Inflates with a window of just that size. The output is taken in small pieces, so that nothing
/// but the window remembers what came before.
fn inflate_by_window(window: WindowBits, compressed: &[u8], length: usize) -> Vec<u8> {
    let mut state = Decompress::new_with_window_bits(false, window.as_u8());
    let mut message = Vec::new();
    while message.len() < length {
        let from = state.total_in() as usize;
        let mut piece = Vec::with_capacity(16);
        state
            .decompress_vec(&compressed[from..], &mut piece, FlushDecompress::None)
            .expect("no distance exceeds the window");
        assert!(!piece.is_empty(), "the data is complete");
        message.extend_from_slice(&piece);
    }
    message
}

fn window(parameter: u8) -> WindowBits {
    WindowBits::new(9 + parameter % 7).expect("from 9 to 15")
}
