//! Another library of the same protocol agrees on every stream, apart from what is said here:
//!
//! - tungstenite judges a frame when all of it is there. The decoder may fail before; then the rest of the
//!   frame is made up, and tungstenite must fail as well.
//! - It answers a close code that may not be sent with one of its own, and knows no code 1014.
//! - What follows a close frame isn't compared: the decoder ignores it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, reason = "shared by several tests")]
mod ws_support;

use std::io::{self, Cursor, Read, Write};

use clank_wire::ws::{CloseCode, DecoderOptions, OpCode, Role, close_frame, frame, masked, masked_frame};
use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::{Role as OracleRole, WebSocketConfig};
use tungstenite::{Message, WebSocket};
use ws_support::{Owned, close_codes, decode, raw_frame, sessions};

const LIMIT: usize = 100_000;
const OPTIONS: DecoderOptions = DecoderOptions { max_message: LIMIT, deflate: false };

#[derive(Debug, PartialEq)]
enum End {
    /// The input was used up.
    Open,
    Closed,
    Failed,
}

/// Input that never ends but only has no more for now, and output that is kept.
struct Pipe {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.output.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn oracle_socket(role: Role, input: Vec<u8>) -> WebSocket<Pipe> {
    let role = match role {
        Role::Server => OracleRole::Server,
        Role::Client => OracleRole::Client,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    WebSocket::from_raw_socket(Pipe { input: Cursor::new(input), output: Vec::new() }, role, Some(config))
}

fn oracle(role: Role, stream: Vec<u8>) -> (Vec<Owned>, End) {
    let mut socket = oracle_socket(role, stream);
    let mut events = Vec::new();
    loop {
        events.push(match socket.read() {
            Ok(Message::Text(text)) => Owned::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Owned::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Owned::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Owned::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => {
                events.push(Owned::Close(
                    close.map(|close| (close.code.into(), close.reason.as_str().to_owned())),
                ));
                return (events, End::Closed);
            }
            Ok(Message::Frame(frame)) => panic!("a raw frame: {frame}"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (events, End::Open);
            }
            Err(_) => return (events, End::Failed),
        });
    }
}

/// Both read the stream alike.
fn assert_agreement(role: Role, stream: &[u8]) {
    let ours = decode(role, OPTIONS, stream, &[]);
    let mut input = stream.to_vec();
    if ours.error.is_some() {
        input.extend([0; LIMIT + 14]);
    }
    let (mut events, mut end) = oracle(role, input);
    if events.last() == Some(&Owned::Close(Some((1002, "Protocol violation".to_owned())))) {
        events.pop();
        end = End::Failed;
    }
    let mut our_events = ours.events;
    let our_end = match (&ours.error, our_events.last()) {
        (Some(_), _) => End::Failed,
        (None, Some(Owned::Close(Some((1014, _))))) => {
            our_events.pop();
            End::Failed
        }
        (None, Some(Owned::Close(_))) => End::Closed,
        (None, _) => End::Open,
    };
    assert_eq!((our_events, our_end), (events, end));
}

/// With all three forms of the length.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![".{0,60}", ".{60,300}", "(\u{20ac}a){17000}"]
}

fn roles() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

proptest! {
    #[test]
    fn a_valid_session_and_what_follows_it_is_judged_alike(
        (role, session) in roles().prop_flat_map(|role| (Just(role), sessions(role, false))),
        garbage in vec(any::<u8>(), 0..200),
    ) {
        assert_agreement(role, &[session.stream, garbage].concat());
    }

    #[test]
    fn frames_of_any_first_byte_are_judged_alike(
        role in roles(),
        frames in vec((any::<u8>(), vec(any::<u8>(), 0..130), any::<[u8; 4]>()), 1..6),
    ) {
        let frames: Vec<_> =
            frames.iter().map(|(first, payload, mask)| raw_frame(role, *first, payload, *mask)).collect();
        assert_agreement(role, &frames.concat());
    }

    #[test]
    fn frames_of_known_kinds_in_any_order_are_judged_alike(
        role in roles(),
        frames in vec((
            prop::sample::select(&[0x00_u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a][..]),
            prop_oneof![".{0,5}".prop_map(String::into_bytes), vec(any::<u8>(), 0..5)],
            any::<[u8; 4]>(),
        ), 1..12),
    ) {
        let frames: Vec<_> =
            frames.iter().map(|(first, payload, mask)| raw_frame(role, *first, payload, *mask)).collect();
        assert_agreement(role, &frames.concat());
    }

    #[test]
    fn close_frames_are_judged_alike(
        role in roles(),
        code in close_codes(),
        reason in prop_oneof![".{0,30}".prop_map(String::into_bytes), vec(any::<u8>(), 0..123)],
        length in 0_usize..=125,
    ) {
        let mut payload = code.as_u16().to_be_bytes().to_vec();
        payload.extend(reason);
        payload.truncate(length);
        assert_agreement(role, &raw_frame(role, 0x88, &payload, [1, 2, 3, 4]));
    }

    #[test]
    fn masking_is_demanded_alike(role in roles(), as_for in roles(), payload in vec(any::<u8>(), 0..50)) {
        assert_agreement(role, &raw_frame(as_for, 0x82, &payload, [9, 8, 7, 6]));
    }

    #[test]
    fn the_oracle_reads_what_is_encoded(
        text in texts(),
        ping in vec(any::<u8>(), 0..=125),
        reason in ".{0,60}",
        mask in any::<[u8; 4]>(),
    ) {
        let close = close_frame(CloseCode::GOING_AWAY, &reason);
        let expected = vec![
            Owned::Ping(ping.clone()),
            Owned::Text(text.clone()),
            Owned::Close(Some((1001, String::from_utf8_lossy(&close[4..]).into_owned()))),
        ];
        let text = text.as_bytes();
        let of_server = [frame(OpCode::Ping, &ping), frame(OpCode::Text, text), close.clone()].concat();
        prop_assert_eq!(oracle(Role::Client, of_server), (expected.clone(), End::Closed));
        let of_client = [
            masked_frame(OpCode::Ping, &ping, mask),
            masked_frame(OpCode::Text, text, mask),
            masked(&close, mask),
        ];
        prop_assert_eq!(oracle(Role::Server, of_client.concat()), (expected, End::Closed));
    }

    #[test]
    fn what_the_oracle_encodes_is_read(
        role in roles(),
        text in texts(),
        binary in vec(any::<u8>(), 0..300),
    ) {
        let peer = match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let mut socket = oracle_socket(peer, Vec::new());
        socket.send(Message::text(text.clone())).unwrap();
        socket.send(Message::binary(binary.clone())).unwrap();
        let decoded = decode(role, OPTIONS, &socket.get_ref().output, &[]);
        prop_assert_eq!(decoded.error, None);
        prop_assert_eq!(decoded.events, [Owned::Text(text), Owned::Binary(binary)]);
    }
}
