//! Frames: whatever the bytes and wherever they are split, the decoder answers the same, holds
//! little, and its events survive being encoded again.
//!
//! Input: options, limit, count of piece sizes, piece sizes, stream.

use clank_wire::ws::{
    CloseCode, Decoder, DecoderOptions, Event, OpCode, ProtocolError, Role, Scratch, close_frame, frame,
};

const LIMITS: [usize; 8] = [0, 1, 125, 126, 1_000, 65_535, 65_536, 1 << 20];

pub(crate) fn run(data: &[u8]) {
    let [options, limit, count, rest @ ..] = data else { return };
    let role = if options & 1 == 0 { Role::Server } else { Role::Client };
    let options = DecoderOptions { max_message: LIMITS[usize::from(limit % 8)], deflate: options & 2 != 0 };
    let (pieces, stream) = rest.split_at(usize::from(count % 16).min(rest.len()));

    let whole = decode(role, options, stream, &[stream.len()]);
    let sizes: Vec<usize> = pieces.iter().map(|&size| usize::from(size)).collect();
    assert_eq!(decode(role, options, stream, &sizes), whole);
    if stream.len() <= 4096 {
        assert_eq!(decode(role, options, stream, &[1]), whole);
    }
    whole.events.iter().for_each(encode_again);
}

#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Owned>,
    error: Option<ProtocolError>,
    /// Whether the stream ended within a message or frame.
    cut: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

impl From<Event<'_>> for Owned {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(close) => Self::Close(close.map(|(code, reason)| (code, reason.to_owned()))),
        }
    }
}

/// Decodes `stream` in pieces of these sizes, over and over; a size of 0 counts as the rest.
fn decode(role: Role, options: DecoderOptions, stream: &[u8], sizes: &[usize]) -> Outcome {
    let mut decoder = Decoder::new(role, options);
    let mut scratch = Scratch::new();
    let mut events = Vec::new();
    let mut error = None;
    let mut stream = stream.to_vec();
    let mut at = 0;
    for size in sizes.iter().chain(std::iter::once(&0)).cycle() {
        if at == stream.len() || error.is_some() {
            break;
        }
        let end = if *size == 0 { stream.len() } else { stream.len().min(at + size) };
        while at < end {
            let piece = &mut stream[at..end];
            let available = piece.len();
            match decoder.decode(piece, &mut scratch) {
                Ok((used, Some(event))) => {
                    assert!(used <= available && used > 0);
                    at += used;
                    events.push(event.into());
                }
                Ok((used, None)) => {
                    assert_eq!(used, available);
                    at += used;
                }
                Err(found) => {
                    error = Some(found);
                    break;
                }
            }
            assert!(decoder.buffered() <= 2 * at + 256);
            assert_eq!(decoder.is_idle(), decoder.buffered() == 0);
        }
    }
    let cut = !decoder.is_idle();
    if let Some(error) = error {
        assert!(matches!(error.close_code().as_u16(), 1002 | 1007 | 1009));
        assert!(!cut);
    }
    if error.is_some() || matches!(events.last(), Some(Owned::Close(_))) {
        let mut ping = [0x89, 0x00];
        assert_eq!(decoder.decode(&mut ping, &mut scratch), Ok((2, None)));
    }
    Outcome { events, error, cut }
}

fn encode_again(event: &Owned) {
    let bytes = match event {
        Owned::Text(text) => frame(OpCode::Text, text.as_bytes()),
        Owned::Binary(bytes) => frame(OpCode::Binary, bytes),
        Owned::Ping(bytes) => frame(OpCode::Ping, bytes),
        Owned::Pong(bytes) => frame(OpCode::Pong, bytes),
        Owned::Close(Some((code, reason))) => close_frame(*code, reason),
        Owned::Close(None) => close_frame(CloseCode::NO_STATUS, ""),
    };
    let options = DecoderOptions { max_message: 1 << 20, deflate: false };
    let again = decode(Role::Client, options, &bytes, &[bytes.len()]);
    assert_eq!(again, Outcome { events: vec![event.clone()], error: None, cut: false });
}
