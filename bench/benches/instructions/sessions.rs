//! From the text of a frame to what is asked for, with full URIs and limits judged; and from a result to
//! the frame that is queued.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::{wamp1, wamp2};
use clank_wire::json::Raw;
use clank_wire::payload::Payload;
use clank_wire::serializer::Serializer;
use clank_wire::wamp1::CallResult;
use clank_wire::wamp2::Codec;
use clank_wire::ws::{OpCode, build_frame};

use super::codec::wamp2_call;
use super::{Piece, measure};

const CALL: &str = r#"[2,"1042","http://example.com/calculator#add",[20,22]]"#;

pub(crate) const PIECES: &[Piece] = &[
    ("wamp1 session: CALL", || wamp1_request(CALL)),
    ("wamp1 session: CALL by prefix", || wamp1_request(r#"[2,"1042","calculator:add",[20,22]]"#)),
    ("wamp1 session: PUBLISH", || wamp1_request(r#"[7,"http://example.com/news/world","news"]"#)),
    ("wamp1 session: CALL to the frame of its result", wamp1_call_to_frame),
    ("wamp2 session: CALL in JSON", || wamp2_request(Serializer::Json)),
    ("wamp2 session: CALL in MessagePack", || wamp2_request(Serializer::MessagePack)),
    ("wamp2 session: CALL in CBOR", || wamp2_request(Serializer::Cbor)),
];

/// A session that has defined a prefix.
fn session() -> wamp1::Session {
    let id = wamp1::SessionId::from_random([1; 8]);
    let mut session = wamp1::Session::new(id, Arc::new(wamp1::Options::default()));
    let prefix = session.receive(r#"[1,"calculator","http://example.com/calculator#"]"#);
    assert!(prefix.is_ok());
    session
}

fn wamp1_request(message: &str) {
    measure(session(), |session| assert!(black_box(session.receive(black_box(message))).is_ok()));
}

/// All of a call but the procedure and the queue.
fn wamp1_call_to_frame() {
    measure(session(), |session| -> Bytes {
        let Ok(wamp1::Request::Call(call)) = session.receive(black_box(CALL)) else { panic!("no call") };
        let result = Raw::parse(black_box("42")).map_or(Payload::EMPTY, Payload::from);
        let answer = CallResult { id: call.id, result };
        build_frame(OpCode::Text, 64, |out| answer.encode(out))
    });
}

fn wamp2_request(serializer: Serializer) {
    let message = wamp2_call(serializer);
    let session = wamp2::Session::new(Codec { serializer, batched: false }, wamp2::Options::default());
    measure(session, |session| {
        let received = black_box(session.receive(black_box(&message)));
        assert!(matches!(received, Ok(wamp2::Received::Request(_))));
    });
}
