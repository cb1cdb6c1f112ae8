//! RawSocket: whatever the bytes and wherever they are split, a handshake and the frames behind it
//! are read alike, hold little, and survive being encoded again.
//!
//! Input: limit, count of piece sizes, piece sizes, stream.

use clank_wire::rawsocket::{Decoder, FrameError, FrameType, HEAD, MaxLength, Reply, Request, frame};
use clank_wire::ws::Scratch;

pub(crate) fn run(data: &[u8]) {
    let [limit, count, rest @ ..] = data else { return };
    let max_length = MaxLength::at_most(512 << (limit % 16));
    let (pieces, stream) = rest.split_at(usize::from(count % 16).min(rest.len()));
    if let Some(handshake) = stream.first_chunk::<HEAD>() {
        if let Ok(request) = Request::decode(*handshake) {
            assert_eq!(request.encode(), *handshake);
        }
        if let Ok(accepted) = Reply::decode(*handshake) {
            assert_eq!(Reply::Accepted(accepted).encode(), *handshake);
        }
    }
    let whole = decode(max_length, stream, &[stream.len()]);
    let sizes: Vec<usize> = pieces.iter().map(|&size| usize::from(size)).collect();
    assert_eq!(decode(max_length, stream, &sizes), whole);
    if stream.len() <= 4096 {
        assert_eq!(decode(max_length, stream, &[1]), whole);
    }
    for (kind, payload) in &whole.frames {
        assert!(payload.len() <= max_length.bytes());
        let again = frame(*kind, payload).unwrap_or_default();
        let expected = Outcome { frames: vec![(*kind, payload.clone())], error: None, cut: false };
        assert_eq!(decode(max_length, &again, &[again.len()]), expected);
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    frames: Vec<(FrameType, Vec<u8>)>,
    error: Option<FrameError>,
    /// Whether the stream ended within a frame.
    cut: bool,
}

/// Decodes `stream` in pieces of these sizes, over and over; a size of 0 counts as the rest.
fn decode(max_length: MaxLength, stream: &[u8], sizes: &[usize]) -> Outcome {
    let mut decoder = Decoder::new(max_length);
    let mut scratch = Scratch::new();
    let mut frames = Vec::new();
    let mut error = None;
    let mut at = 0;
    for size in sizes.iter().chain(std::iter::once(&0)).cycle() {
        if at == stream.len() || error.is_some() {
            break;
        }
        let end = if *size == 0 { stream.len() } else { stream.len().min(at + size) };
        while at < end {
            let piece = &stream[at..end];
            match decoder.decode(piece, &mut scratch) {
                Ok((used, Some(frame))) => {
                    assert!(used <= piece.len() && used > 0);
                    at += used;
                    frames.push((frame.kind, frame.payload.to_vec()));
                }
                Ok((used, None)) => {
                    assert_eq!(used, piece.len());
                    at += used;
                }
                Err(found) => {
                    error = Some(found);
                    break;
                }
            }
            assert!(decoder.buffered() <= 2 * at + 128);
            assert_eq!(decoder.is_idle(), decoder.buffered() == 0);
        }
    }
    let cut = !decoder.is_idle();
    if error.is_some() {
        assert!(!cut);
        assert_eq!(decoder.decode(&[1, 0, 0, 0], &mut scratch), Ok((4, None)));
    }
    Outcome { frames, error, cut }
}
