//! Payloads between serializers, and between WAMP v1 and v2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use clank_wire::json::Raw;
use clank_wire::payload::{Payload, PayloadBuf, Serializer};
use clank_wire::wamp1;
use clank_wire::wamp2::{
    ClientMessage, Error, Event, EventDetails, Id, MessageType, Passthru, RouterMessage,
};
use serde_json::{Value, json};

mod wamp2_support;

use wamp2_support::encoded;

fn id() -> Id {
    Id::new(7).unwrap()
}

/// The payload of a PUBLISH with these elements behind the topic.
fn publication(arguments: &str, serializer: Serializer) -> Bytes {
    let message: Value = serde_json::from_str(&format!("[16,1,{{}},\"t\"{arguments}]")).unwrap();
    encoded(&message, serializer).into()
}

fn payload(message: &Bytes, serializer: Serializer) -> Payload<'_> {
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(serializer, message) else { panic!() };
    publish.payload
}

#[test]
fn an_event_of_v2_is_one_value_in_v1() {
    for (arguments, event) in [
        ("", "null"),
        (",[]", "null"),
        (",[],{}", "null"),
        (",[1]", "1"),
        (",[[1,2]]", "[1,2]"),
        (",[null]", "null"),
        (r#",[{"a":"é"}]"#, r#"{"a":"é"}"#),
        (",[1,2]", r#"{"args":[1,2],"kwargs":{}}"#),
        (r#",[1],{"a":1}"#, r#"{"args":[1],"kwargs":{"a":1}}"#),
        (r#",[],{"a":[true]}"#, r#"{"args":[],"kwargs":{"a":[true]}}"#),
    ] {
        for serializer in Serializer::ALL {
            let message = publication(arguments, serializer);
            let payload = payload(&message, serializer);
            assert_eq!(payload.serializer(), serializer);
            let mut frame = Vec::new();
            wamp1::Event { topic: "t".into(), payload }.encode(&mut frame);
            assert_eq!(String::from_utf8(frame).unwrap(), format!(r#"[8,"t",{event}]"#), "{serializer}");
            assert_eq!(payload.to_value().unwrap(), serde_json::from_str::<Value>(event).unwrap());
            let mut result = Vec::new();
            wamp1::CallResult { id: "id".into(), result: payload }.encode(&mut result);
            assert_eq!(String::from_utf8(result).unwrap(), format!(r#"[3,"id",{event}]"#));
        }
    }
}

#[test]
fn an_event_of_v1_is_the_only_argument_in_v2() {
    for (event, packed) in
        [("null", &b"\x91\xc0"[..]), ("[1,2]", b"\x91\x92\x01\x02"), ("1.5", b"\x91\xcb\x3f\xf8\0\0\0\0\0\0")]
    {
        let text = format!(r#"[7,"t",{event}]"#);
        let Ok(wamp1::ClientMessage::Publish(publish)) = wamp1::ClientMessage::decode(&text) else {
            panic!()
        };
        let details = EventDetails::default();
        let event_of_v2 = Event { subscription: id(), publication: id(), details, payload: publish.event };
        let mut frame = Vec::new();
        event_of_v2.encode(Serializer::Json, &mut frame);
        assert_eq!(String::from_utf8(frame).unwrap(), format!("[36,7,7,{{}},[{event}]]"));
        let mut frame = Vec::new();
        event_of_v2.encode(Serializer::MessagePack, &mut frame);
        assert_eq!(frame, [b"\x95\x24\x07\x07\x80", packed].concat());
    }
}

#[test]
fn a_payload_is_transcoded_when_asked_and_shared_where_it_is_the_same() {
    let arguments =
        r#",[9007199254740993,-9007199254740993,18446744073709551615,1.1,"é"],{"k":[null,{"x":false}]}"#;
    for from in Serializer::ALL {
        let message = publication(arguments, from);
        let shared = payload(&message, from).share(&message);
        assert_eq!(
            shared.transcode(from).as_payload().arguments().as_ptr(),
            shared.as_payload().arguments().as_ptr()
        );
        for to in Serializer::ALL {
            let there = shared.transcode(to);
            assert_eq!(there.as_payload().serializer(), to);
            let expected = publication(arguments, to);
            assert_eq!(there.as_payload(), payload(&expected, to), "{from} to {to}");
            assert_eq!(there.as_payload().count(), 5);
            let spans: Vec<_> = there.as_payload().iter().map(|span| span.to_string()).collect();
            assert_eq!(spans[..3], ["9007199254740993", "-9007199254740993", "18446744073709551615"]);
        }
    }
}

#[test]
fn binary_data_is_a_marked_string_in_json() {
    let packed = b"\x95\x10\x01\x80\xa1t\x91\xc4\x03\x00\xff\x10";
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(Serializer::MessagePack, packed) else {
        panic!()
    };
    let event = Event {
        subscription: id(),
        publication: id(),
        details: EventDetails::default(),
        payload: publish.payload,
    };
    let mut json = Vec::new();
    event.encode(Serializer::Json, &mut json);
    assert_eq!(json, br#"[36,7,7,{},["\u0000AP8Q"]]"#);
    let mut cbor = Vec::new();
    event.encode(Serializer::Cbor, &mut cbor);
    assert_eq!(cbor, b"\x85\x18\x24\x07\x07\xa0\x81\x43\x00\xff\x10");
    let Ok(RouterMessage::Event(read)) = RouterMessage::decode(Serializer::Json, &json) else { panic!() };
    assert_eq!(read.payload.transcode(Serializer::Cbor).as_payload().arguments(), b"\x43\x00\xff\x10");
}

#[test]
fn an_error_has_a_description_and_details_in_v1() {
    for (arguments, description, details) in [
        ("", "", None),
        (r#",["no"]"#, "no", None),
        (r#",["n\u00f6", {"code": 404}]"#, "nö", Some(r#"{"code":404}"#)),
        (r#",["no",1,2]"#, "no", Some(r#"{"args":[1,2],"kwargs":{}}"#)),
        (r#",["no"],{"code":1}"#, "no", Some(r#"{"args":[],"kwargs":{"code":1}}"#)),
        (r#",[404,"no"]"#, "", Some(r#"{"args":[404,"no"],"kwargs":{}}"#)),
        (r#",[404]"#, "", Some("404")),
    ] {
        for serializer in Serializer::ALL {
            let message: Value =
                serde_json::from_str(&format!("[8,48,1,{{}},\"com.e\"{arguments}]")).unwrap();
            let message = encoded(&message, serializer);
            let Ok(RouterMessage::Error(error)) = RouterMessage::decode(serializer, &message) else {
                panic!()
            };
            let (said, rest) = error.payload.split_description();
            assert_eq!(said.as_deref().unwrap_or_default(), description, "{arguments} in {serializer}");
            let rest = (!rest.is_empty()).then(|| rest.to_value().unwrap());
            assert_eq!(rest, details.map(|details| serde_json::from_str(details).unwrap()), "{arguments}");
        }
    }
}

#[test]
fn an_error_of_v1_goes_to_v2_and_back() {
    for details in [None, Some(r#"{"code": 404}"#), Some("null"), Some("[1,2]")] {
        let details = details.map(|details| Payload::from(Raw::parse(details).unwrap()));
        let arguments = PayloadBuf::from_error("no \"m\"", details);
        let (request_type, request, passthru) = (MessageType::Call, id(), Passthru::default());
        let error =
            Error { request_type, request, passthru, uri: "com.e".into(), payload: arguments.as_payload() };
        for serializer in Serializer::ALL {
            let mut out = Vec::new();
            error.encode(serializer, &mut out);
            let Ok(RouterMessage::Error(read)) = RouterMessage::decode(serializer, &out) else { panic!() };
            let (description, rest) = read.payload.split_description();
            assert_eq!(description.as_deref(), Some("no \"m\""));
            assert_eq!(rest.count(), usize::from(details.is_some()));
            if let Some(details) = details {
                assert_eq!(rest.to_value().unwrap(), details.to_value().unwrap());
            }
        }
    }
}

#[test]
fn a_payload_of_any_serializer_is_read_into_types_of_rust() {
    for serializer in Serializer::ALL {
        let message = publication(r#",[{"name":"anne","tags":["a"]}]"#, serializer);
        let value: Value = payload(&message, serializer).deserialize().unwrap();
        assert_eq!(value, json!({"name": "anne", "tags": ["a"]}));
        assert!(payload(&message, serializer).deserialize::<u8>().is_err());
    }
}
