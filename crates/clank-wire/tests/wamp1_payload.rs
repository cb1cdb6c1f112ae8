//! Payloads pass through as they came, and as each protocol needs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use bytes::Bytes;
use clank_wire::json::{List, Raw};
use clank_wire::payload::{Payload, PayloadBuf, Serializer};
use clank_wire::wamp1::{ClientMessage, Event};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn payload<'a>(arguments: &'a str, keywords: Option<&'a str>) -> Payload<'a> {
    let arguments = Raw::parse(arguments).unwrap().to_list().unwrap();
    match keywords {
        None => arguments.into(),
        Some(keywords) => Payload::from(arguments).with_keywords(Raw::parse(keywords).unwrap()).unwrap(),
    }
}

#[test]
fn a_payload_becomes_one_value_by_its_number_of_arguments() {
    for (arguments, keywords, value) in [
        ("[]", None, "null"),
        ("[]", Some("{ }"), "null"),
        ("[ 1.0 ]", None, "1.0"),
        ("[[1, 2]]", Some("{}"), "[1, 2]"),
        ("[null]", None, "null"),
        ("[1, 2]", None, r#"{"args":[1, 2],"kwargs":{}}"#),
        ("[1]", Some(r#"{"a": 1}"#), r#"{"args":[1],"kwargs":{"a": 1}}"#),
        ("[]", Some(r#"{"a":[]}"#), r#"{"args":[],"kwargs":{"a":[]}}"#),
    ] {
        let payload = payload(arguments, keywords);
        let mut written = Vec::new();
        payload.write_value(&mut written);
        assert_eq!(String::from_utf8_lossy(&written), value);
        assert_eq!(payload.value_len(), value.len());
        assert_eq!(payload.to_value().unwrap(), serde_json::from_str::<Value>(value).unwrap());
        assert_eq!(payload.to_buf().as_payload(), payload);
        assert_eq!(payload.serializer(), Serializer::Json);
    }
}

#[test]
fn keywords_are_an_object_or_nothing() {
    assert_eq!(Payload::EMPTY.with_keywords(Raw::parse("[]").unwrap()), None);
    assert_eq!(Payload::from(List::EMPTY), Payload::EMPTY);
    assert_eq!(PayloadBuf::default().as_payload(), Payload::EMPTY);
    assert_eq!(payload("[]", Some("{\"a\":1}")).keywords(), Some(&b"{\"a\":1}"[..]));
}

#[test]
fn the_bytes_of_an_event_reach_the_frame_as_they_came() {
    let event = r#"{ "price": 1.10, "big": 123456789012345678901234567890, "x": "\u00e9\ud800" }"#;
    let text = format!(r#"[7, "t", {event}]"#);
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(&text) else { panic!() };
    let mut frame = b"head".to_vec();
    Event { topic: publish.topic, payload: publish.event }.encode(&mut frame);
    assert_eq!(String::from_utf8(frame).unwrap(), format!(r#"head[8,"t",{event}]"#));
}

#[test]
fn a_shared_payload_keeps_the_message_and_copies_nothing() {
    let message = Bytes::from_static(br#"[7,"t",{"a":1}]"#);
    let text = std::str::from_utf8(&message).unwrap();
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(text) else { panic!() };
    let shared = publish.event.share(&message);
    assert_eq!(shared.as_payload().arguments().as_ptr(), publish.event.arguments().as_ptr());
    assert_eq!(shared, publish.event.to_buf());

    let elsewhere = Bytes::from_static(b"another message, longer than the payload");
    let copied = publish.event.share(&elsewhere);
    assert_ne!(copied.as_payload().arguments().as_ptr(), publish.event.arguments().as_ptr());
    assert_eq!(copied, shared);
    assert_eq!(Payload::EMPTY.share(&message), PayloadBuf::default());
}

#[test]
fn the_params_of_a_call_are_shared_where_they_stand_in_the_message() {
    for (text, shares) in [(r#"[2,"id","s/m",{"a": 1}]"#, true), (r#"[2,"id","s/m",1,2]"#, false)] {
        let message = Bytes::from_static(text.as_bytes());
        let Ok(ClientMessage::Call(call)) = ClientMessage::decode(text) else { panic!("{text}") };
        let shared = call.params().share(&message);
        assert_eq!(shared, call.params().to_buf());
        let span = shared.as_payload().arguments().as_ptr();
        assert_eq!(message.as_ptr_range().contains(&span), shares, "{text}");
    }
}

#[test]
fn values_of_rust_become_payloads_and_come_back() {
    let raw = RawValue::from_string("{\"n\": 1.50}".to_owned()).unwrap();
    let result = PayloadBuf::from_serialize(&HashMap::from([("raw", raw)])).unwrap();
    assert_eq!(result.as_payload().arguments(), br#"{"raw":{"n": 1.50}}"#);
    assert_eq!(result.as_payload().to_value().unwrap(), json!({"raw": {"n": 1.5}}));
    let back: HashMap<String, Box<RawValue>> = result.as_payload().deserialize().unwrap();
    assert_eq!(back["raw"].get(), "{\"n\": 1.50}");
    assert!(result.as_payload().deserialize::<u8>().is_err());
    assert!(PayloadBuf::from_serialize(&HashMap::from([([1], 1)])).is_err());
    assert_eq!(PayloadBuf::from_serialize("text").unwrap().as_payload().arguments(), b"\"text\"");
}
