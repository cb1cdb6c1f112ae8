//! What the tests of the WebSocket codec share: sessions of valid frames, and a decoder run over pieces.

use clank_wire::ws::{
    CloseCode, Decoder, DecoderOptions, Event, OpCode, ProtocolError, Role, Scratch, frame, masked,
};
use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// An event that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Owned {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(close) => {
                Self::Close(close.map(|(code, reason)| (code.as_u16(), reason.to_owned())))
            }
        }
    }
}

/// What a decoder made of a stream.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    pub events: Vec<Owned>,
    pub error: Option<ProtocolError>,
    pub idle: bool,
}

/// Decodes `stream` in pieces that end at `cuts`, and checks after each that little is held.
pub fn decode(role: Role, options: DecoderOptions, stream: &[u8], cuts: &[Index]) -> Decoded {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();

    let mut stream = stream.to_vec();
    let mut decoder = Decoder::new(role, options);
    let mut scratch = Scratch::new();
    let mut decoded = Decoded { events: Vec::new(), error: None, idle: true };
    let mut at = 0;
    for end in ends {
        while at < end {
            match decoder.decode(&mut stream[at..end], &mut scratch) {
                Ok((used, event)) => {
                    at += used;
                    assert!(at == end || event.is_some(), "input is left without an event");
                    decoded.events.extend(event.map(Owned::from));
                }
                Err(error) => {
                    decoded.error = Some(error);
                    return decoded;
                }
            }
            assert!(decoder.buffered() <= 2 * at + 256, "{} of {at}", decoder.buffered());
        }
    }
    decoded.idle = decoder.is_idle();
    decoded
}

/// Valid frames of one side and the events that they are.
#[derive(Debug, Clone)]
pub struct Session {
    pub stream: Vec<u8>,
    pub events: Vec<Owned>,
    /// Where in the stream no message is open.
    pub rests: Vec<usize>,
}

/// Sessions of messages in fragments, with control frames in between; some of them compressed if `deflate`.
pub fn sessions(role: Role, deflate: bool) -> impl Strategy<Value = Session> {
    vec(part(deflate), 0..8).prop_map(move |parts| {
        let mut session = Session { stream: Vec::new(), events: Vec::new(), rests: vec![0] };
        for part in parts {
            part.write(role, &mut session);
            session.rests.push(session.stream.len());
        }
        session
    })
}

/// A frame as `role`'s peer sends it, with the first byte given, so that any can be built.
pub fn raw_frame(role: Role, first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let whole = frame(OpCode::Binary, payload);
    let mut bytes = match role {
        Role::Server => masked(&whole, mask).to_vec(),
        Role::Client => whole.to_vec(),
    };
    bytes[0] = first;
    bytes
}

/// A message with the control frames that come between its fragments.
#[derive(Debug, Clone)]
struct Part {
    message: Owned,
    compressed: bool,
    cuts: Vec<(Index, Option<Owned>)>,
    mask: [u8; 4],
}

fn part(deflate: bool) -> impl Strategy<Value = Part> {
    let text = prop_oneof![".{0,40}", "[a-zé€😀]{100,200}", "(ab){40000,40010}"];
    let message =
        prop_oneof![text.prop_map(Owned::Text), vec(any::<u8>(), 0..300).prop_map(Owned::Binary), control(),];
    let cuts = vec((any::<Index>(), proptest::option::of(control())), 0..5);
    (message, any::<bool>(), cuts, any::<[u8; 4]>()).prop_map(move |(message, compressed, cuts, mask)| Part {
        message,
        compressed: compressed && deflate,
        cuts,
        mask,
    })
}

fn control() -> impl Strategy<Value = Owned> {
    let payload = || vec(any::<u8>(), 0..=125);
    prop_oneof![payload().prop_map(Owned::Ping), payload().prop_map(Owned::Pong)]
}

impl Part {
    fn write(self, role: Role, session: &mut Session) {
        let Self { message, compressed, mut cuts, mask } = self;
        let (opcode, mut payload) = match &message {
            Owned::Text(text) => (OpCode::Text, text.clone().into_bytes()),
            Owned::Binary(bytes) => (OpCode::Binary, bytes.clone()),
            control => {
                write_control(control, role, mask, session);
                return;
            }
        };
        let mut first = opcode as u8;
        if compressed {
            payload = raw_deflate(&payload, 15);
            first |= 0x40;
        }
        cuts.sort_by_key(|(cut, _)| cut.index(payload.len() + 1));
        let mut at = 0;
        for (cut, control) in cuts {
            let end = cut.index(payload.len() + 1);
            session.stream.extend(raw_frame(role, first, &payload[at..end], mask));
            (at, first) = (end, OpCode::Continuation as u8);
            if let Some(control) = control {
                write_control(&control, role, mask, session);
            }
        }
        session.stream.extend(raw_frame(role, 0x80 | first, &payload[at..], mask));
        session.events.push(message);
    }
}

fn write_control(control: &Owned, role: Role, mask: [u8; 4], session: &mut Session) {
    let (first, payload) = match control {
        Owned::Ping(payload) => (0x89, payload),
        Owned::Pong(payload) => (0x8a, payload),
        other => panic!("{other:?} is no ping or pong"),
    };
    session.stream.extend(raw_frame(role, first, payload, mask));
    session.events.push(control.clone());
}

/// Compresses as RFC 7692, section 7.2.1, says, by the library alone.
pub fn raw_deflate(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() * 2 + 64);
    let mut state = Compress::new_with_window_bits(Compression::best(), false, window_bits);
    state.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
    out
}

/// A close code for the tests that need one of any kind.
pub fn close_codes() -> impl Strategy<Value = CloseCode> {
    prop_oneof![990_u16..1020, 2990_u16..3010, 4990_u16..5010, any::<u16>()].prop_map(CloseCode::new)
}
