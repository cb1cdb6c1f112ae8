//! Frames of WebSocket, and messages of both protocols, both ways.

use std::hint::black_box;

use clank_wire::json::{List, Raw};
use clank_wire::payload::Payload;
use clank_wire::serializer::Serializer::{self, Cbor, Json, MessagePack};
use clank_wire::serializer::Span;
use clank_wire::wamp1;
use clank_wire::wamp2::{self, EventDetails, Id, PublishOptions, ResultDetails};
use clank_wire::ws::{Decoder, DecoderOptions, Event, OpCode, Role, Scratch, frame, masked_frame};

use super::{Piece, measure};

pub(crate) const PIECES: &[Piece] = &[
    ("frame in, 128 bytes", || frame_in(128)),
    ("frame in, 4,096 bytes", || frame_in(4_096)),
    ("frame out, 128 bytes", || frame_out(128)),
    ("frame out, 4,096 bytes", || frame_out(4_096)),
    ("masked frame out, 128 bytes", || masked_frame_out(128)),
    ("masked frame out, 4,096 bytes", || masked_frame_out(4_096)),
    ("wamp1 in: CALL", || wamp1_in(&wamp1_call())),
    ("wamp1 in: PUBLISH, 128 bytes", || wamp1_in(&wamp1_publish())),
    ("wamp1 out: EVENT, 128 bytes", wamp1_event_out),
    ("wamp1 out: CALLRESULT", wamp1_result_out),
    ("wamp2 in: CALL in JSON", || wamp2_in(Json, &wamp2_call(Json))),
    ("wamp2 in: CALL in MessagePack", || wamp2_in(MessagePack, &wamp2_call(MessagePack))),
    ("wamp2 in: CALL in CBOR", || wamp2_in(Cbor, &wamp2_call(Cbor))),
    ("wamp2 in: PUBLISH in JSON, 128 bytes", || wamp2_in(Json, &wamp2_publish(Json))),
    ("wamp2 in: PUBLISH in MessagePack, 128 bytes", || wamp2_in(MessagePack, &wamp2_publish(MessagePack))),
    ("wamp2 in: PUBLISH in CBOR, 128 bytes", || wamp2_in(Cbor, &wamp2_publish(Cbor))),
    ("wamp2 out: EVENT in JSON, 128 bytes", || wamp2_event_out(Json)),
    ("wamp2 out: EVENT in MessagePack, 128 bytes", || wamp2_event_out(MessagePack)),
    ("wamp2 out: EVENT in CBOR, 128 bytes", || wamp2_event_out(Cbor)),
    ("wamp2 out: RESULT in JSON", || wamp2_result_out(Json)),
    ("wamp2 out: RESULT in MessagePack", || wamp2_result_out(MessagePack)),
    ("wamp2 out: RESULT in CBOR", || wamp2_result_out(Cbor)),
];

const MASK: [u8; 4] = [0x5a, 0xc3, 0x3c, 0xa5];
pub(crate) const TOPIC: &str = "com.example.news.world";
const PROCEDURE: &str = "com.example.calculator.add";
/// Room for any of the messages.
const ROOM: usize = 1024;

/// JSON of so many bytes: a text.
pub(crate) fn json(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length.saturating_sub(2)))
}

/// Header, unmasking, and the check of UTF-8. What has been read is unmasked: each time needs a frame.
fn frame_in(length: usize) {
    let options = DecoderOptions { max_message: 1 << 20, deflate: false };
    let bytes = || masked_frame(OpCode::Text, json(length).as_bytes(), MASK).to_vec();
    let received = (Decoder::new(Role::Server, options), Scratch::new(), [bytes(), bytes()], 0);
    measure(received, |(decoder, scratch, frames, next)| {
        let decoded = frames.get_mut(*next).map(|bytes| decoder.decode(black_box(bytes), scratch));
        assert!(matches!(decoded, Some(Ok((_, Some(Event::Text(_)))))));
        *next += 1;
    });
}

fn frame_out(length: usize) {
    measure(json(length), |json| frame(OpCode::Text, black_box(json.as_bytes())));
}

/// As a client within the program sends it.
fn masked_frame_out(length: usize) {
    measure(json(length), |json| masked_frame(OpCode::Text, black_box(json.as_bytes()), MASK));
}

fn wamp1_call() -> String {
    let mut out = Vec::new();
    let arguments = Raw::parse("[20,22]").ok().and_then(Raw::to_list).unwrap_or(List::EMPTY);
    wamp1::Call { id: "1042".into(), procedure: PROCEDURE.into(), arguments }.encode(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn wamp1_publish() -> String {
    let (mut out, event) = (Vec::new(), json(128));
    let event = Raw::parse(&event).map_or(Payload::EMPTY, Payload::from);
    let exclude = wamp1::Exclude::Unsaid;
    wamp1::Publish { topic: TOPIC.into(), event, exclude, eligible: None }.encode(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn wamp1_in(message: &str) {
    measure((), |()| assert!(black_box(wamp1::ClientMessage::decode(black_box(message))).is_ok()));
}

fn wamp1_event_out() {
    let event = json(128);
    let payload = Raw::parse(&event).map_or(Payload::EMPTY, Payload::from);
    let event = wamp1::Event { topic: TOPIC.into(), payload };
    measure(Vec::with_capacity(ROOM), |out| black_box(&event).encode(out));
}

fn wamp1_result_out() {
    let result = Raw::parse("42").map_or(Payload::EMPTY, Payload::from);
    let result = wamp1::CallResult { id: "1042".into(), result };
    measure(Vec::with_capacity(ROOM), |out| black_box(&result).encode(out));
}

/// A list of values, given in JSON.
fn arguments(serializer: Serializer, values: &str) -> Vec<u8> {
    let (mut out, list) = (Vec::new(), format!("[{values}]"));
    Span::parse(Json, list.as_bytes()).into_iter().for_each(|list| list.write(serializer, &mut out));
    out
}

fn payload(serializer: Serializer, arguments: &[u8]) -> Payload<'_> {
    let arguments = Span::parse(serializer, arguments).ok();
    Payload::from_spans(serializer, arguments, None).unwrap_or(Payload::EMPTY)
}

fn id(value: u64) -> Id {
    Id::new(value).unwrap_or(Id::MIN)
}

pub(crate) fn wamp2_call(serializer: Serializer) -> Vec<u8> {
    let (mut out, arguments) = (Vec::new(), arguments(serializer, "20,22"));
    let payload = payload(serializer, &arguments);
    let (request, options) = (id(1042), wamp2::CallOptions::default());
    wamp2::Call { request, options, procedure: PROCEDURE.into(), payload }.encode(serializer, &mut out);
    out
}

fn wamp2_publish(serializer: Serializer) -> Vec<u8> {
    let (mut out, arguments) = (Vec::new(), arguments(serializer, &json(128)));
    let payload = payload(serializer, &arguments);
    let (request, options) = (id(1042), PublishOptions::default());
    wamp2::Publish { request, options, topic: TOPIC.into(), payload }.encode(serializer, &mut out);
    out
}

fn wamp2_in(serializer: Serializer, message: &[u8]) {
    measure((), |()| {
        let decoded = black_box(wamp2::ClientMessage::decode(serializer, black_box(message)));
        assert!(decoded.is_ok());
    });
}

fn wamp2_event_out(serializer: Serializer) {
    let arguments = arguments(serializer, &json(128));
    let (payload, details) = (payload(serializer, &arguments), EventDetails::default());
    let event = wamp2::Event { subscription: id(7), publication: id(1 << 50), details, payload };
    measure(Vec::with_capacity(ROOM), |out| black_box(&event).encode(serializer, out));
}

fn wamp2_result_out(serializer: Serializer) {
    let arguments = arguments(serializer, "42");
    let payload = payload(serializer, &arguments);
    let result = wamp2::CallResult { request: id(1042), details: ResultDetails::default(), payload };
    measure(Vec::with_capacity(ROOM), |out| black_box(&result).encode(serializer, out));
}
