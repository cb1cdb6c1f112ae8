//! Every message of WAMP v2 in each serializer, read and written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::{CancelMode, ClientMessage, Id, Invoke, Match, RouterMessage, Unsubscribed};
use serde_json::Value;

mod wamp2_support;

use wamp2_support::{Message, decoded, encoded};

/// A message in JSON, and what is written of it, in whatever serializer it came and goes.
#[track_caller]
fn check(received: &str, written: &str, read: fn(Serializer, &[u8], Serializer) -> Vec<u8>) {
    let expected: Value = serde_json::from_str(written).unwrap();
    assert_eq!(
        String::from_utf8(read(Serializer::Json, received.as_bytes(), Serializer::Json)).unwrap(),
        written
    );
    let received: Value = serde_json::from_str(received).unwrap();
    for from in Serializer::ALL {
        for to in Serializer::ALL {
            let bytes = read(from, &encoded(&received, from), to);
            assert_eq!(decoded(&bytes, to), expected, "{written}: {from} to {to}");
        }
    }
}

/// Reads a message, checks that what is written of it reads as the same, and writes it in `to`.
fn again<'a, M: Message<'a>>(
    from: Serializer,
    bytes: &'a [u8],
    same: &'a mut Vec<u8>,
    to: Serializer,
) -> Vec<u8> {
    let message = M::read(from, bytes).unwrap_or_else(|error| panic!("{error}"));
    *same = message.write(from);
    let reread = M::read(from, same).unwrap();
    assert_eq!(reread, message);
    for end in 0..same.len() {
        assert!(M::read(from, &same[..end]).is_err(), "cut at {end}: {message:?}");
    }
    message.write(to)
}

#[track_caller]
fn client_writes(cases: &[(&str, &str)]) {
    for (received, written) in cases {
        check(received, written, |from, bytes, to| {
            again::<ClientMessage<'_>>(from, bytes, &mut Vec::new(), to)
        });
    }
}

#[track_caller]
fn router_writes(cases: &[(&str, &str)]) {
    for (received, written) in cases {
        check(received, written, |from, bytes, to| {
            again::<RouterMessage<'_>>(from, bytes, &mut Vec::new(), to)
        });
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_client_message_is_read_and_written() {
    client_writes(&[
        (
            r#"[1,"realm1",{"roles":{"publisher":{},"callee":{"features":{"call_canceling":true}}}}]"#,
            r#"[1,"realm1",{"roles":{"publisher":{},"callee":{"features":{"call_canceling":true}}}}]"#,
        ),
        (
            r#"[1,"realm1",{"roles":{},"agent":"test","authid":"anne","authrole":"user","authmethods":["ticket","wampcra"],"authextra":{"k":[1]},"other":1}]"#,
            r#"[1,"realm1",{"roles":{},"agent":"test","authid":"anne","authrole":"user","authmethods":["ticket","wampcra"],"authextra":{"k":[1]}}]"#,
        ),
        (r#"[3,{},"wamp.error.canceled"]"#, r#"[3,{},"wamp.error.canceled"]"#),
        (
            r#"[3,{"message":"no","other":1},"wamp.error.canceled",[1],{"a":2}]"#,
            r#"[3,{"message":"no"},"wamp.error.canceled",[1],{"a":2}]"#,
        ),
        (r#"[5,"secret",{}]"#, r#"[5,"secret",{}]"#),
        (r#"[5,"",{"nonce":"x","n":{"a":[]}}]"#, r#"[5,"",{"nonce":"x","n":{"a":[]}}]"#),
        (r#"[6,{},"wamp.close.close_realm"]"#, r#"[6,{},"wamp.close.close_realm"]"#),
        (r#"[6,{"message":"bye"},"a.b",1,2,3]"#, r#"[6,{"message":"bye"},"a.b"]"#),
        (r#"[8,68,1,{},"com.error"]"#, r#"[8,68,1,{},"com.error"]"#),
        (
            r#"[8,68,9007199254740992,{"ppt_scheme":"x_mine"},"com.error",["why"],{"code":1}]"#,
            r#"[8,68,9007199254740992,{"ppt_scheme":"x_mine"},"com.error",["why"],{"code":1}]"#,
        ),
        (r#"[16,1,{},"com.t"]"#, r#"[16,1,{},"com.t"]"#),
        (r#"[16,1,{},"com.t",[]]"#, r#"[16,1,{},"com.t"]"#),
        (r#"[16,1,{},"com.t",[],{}]"#, r#"[16,1,{},"com.t"]"#),
        (r#"[16,1,{},"com.t",null,{"a":1}]"#, r#"[16,1,{},"com.t",[],{"a":1}]"#),
        (r#"[16,1,{},"com.t",[1,[2],{"x":null}],null]"#, r#"[16,1,{},"com.t",[1,[2],{"x":null}]]"#),
        (
            r#"[16,1,{},"com.t",[-1.5,true,"é"],{"k":[]},7,8]"#,
            r#"[16,1,{},"com.t",[-1.5,true,"é"],{"k":[]}]"#,
        ),
        (
            r#"[16,1,{"acknowledge":true,"exclude_me":false,"disclose_me":true,"retain":true,"rkey":"k"},"com.t"]"#,
            r#"[16,1,{"acknowledge":true,"exclude_me":false,"disclose_me":true,"retain":true,"rkey":"k"},"com.t"]"#,
        ),
        (
            r#"[16,1,{"acknowledge":false,"exclude_me":true,"disclose_me":null,"_private":{},"timeout":"x"},"com.t"]"#,
            r#"[16,1,{},"com.t"]"#,
        ),
        (
            r#"[16,1,{"exclude":[1,9007199254740992],"exclude_authid":["a","é"],"exclude_authrole":[],"eligible":[],"eligible_authid":["b"],"eligible_authrole":["c"]},"com.t"]"#,
            r#"[16,1,{"exclude":[1,9007199254740992],"exclude_authid":["a","é"],"exclude_authrole":[],"eligible":[],"eligible_authid":["b"],"eligible_authrole":["c"]},"com.t"]"#,
        ),
        (
            r#"[16,1,{"ppt_scheme":"wamp","ppt_serializer":"cbor","ppt_cipher":"c","ppt_keyid":"k"},"com.t",["AP8Q"]]"#,
            r#"[16,1,{"ppt_scheme":"wamp","ppt_serializer":"cbor","ppt_cipher":"c","ppt_keyid":"k"},"com.t",["AP8Q"]]"#,
        ),
        (r#"[32,1,{},"com.t"]"#, r#"[32,1,{},"com.t"]"#),
        (r#"[32,1,{"match":"exact","get_retained":false},"com.t"]"#, r#"[32,1,{},"com.t"]"#),
        (
            r#"[32,1,{"match":"prefix","get_retained":true,"nkey":"k"},"com.t"]"#,
            r#"[32,1,{"match":"prefix","get_retained":true,"nkey":"k"},"com.t"]"#,
        ),
        (r#"[32,1,{"match":"wildcard"},"com..t"]"#, r#"[32,1,{"match":"wildcard"},"com..t"]"#),
        (r#"[34,1,2]"#, r#"[34,1,2]"#),
        (r#"[34,1,2,{"forward_for":[]}]"#, r#"[34,1,2]"#),
        (r#"[48,1,{},"com.p"]"#, r#"[48,1,{},"com.p"]"#),
        (r#"[48,1,{},"com.p",[1,2],{"a":"b"}]"#, r#"[48,1,{},"com.p",[1,2],{"a":"b"}]"#),
        (
            r#"[48,1,{"receive_progress":true,"progress":true,"timeout":1000,"disclose_me":true,"rkey":"k","runmode":"partition"},"com.p"]"#,
            r#"[48,1,{"receive_progress":true,"progress":true,"timeout":1000,"disclose_me":true,"rkey":"k","runmode":"partition"},"com.p"]"#,
        ),
        (r#"[48,1,{"timeout":0},"com.p"]"#, r#"[48,1,{},"com.p"]"#),
        (r#"[49,1,{}]"#, r#"[49,1,{}]"#),
        (r#"[49,1,{"mode":"skip"}]"#, r#"[49,1,{"mode":"skip"}]"#),
        (r#"[49,1,{"mode":"kill"}]"#, r#"[49,1,{"mode":"kill"}]"#),
        (r#"[49,1,{"mode":"killnowait"}]"#, r#"[49,1,{"mode":"killnowait"}]"#),
        (r#"[64,1,{},"com.p"]"#, r#"[64,1,{},"com.p"]"#),
        (r#"[64,1,{"match":"exact","invoke":"single"},"com.p"]"#, r#"[64,1,{},"com.p"]"#),
        (
            r#"[64,1,{"match":"prefix","invoke":"roundrobin","concurrency":3,"disclose_caller":true,"forward_timeout":true},"com.p"]"#,
            r#"[64,1,{"match":"prefix","invoke":"roundrobin","concurrency":3,"disclose_caller":true,"forward_timeout":true},"com.p"]"#,
        ),
        (r#"[64,1,{"invoke":"first"},"com.p"]"#, r#"[64,1,{"invoke":"first"},"com.p"]"#),
        (r#"[64,1,{"invoke":"last"},"com.p"]"#, r#"[64,1,{"invoke":"last"},"com.p"]"#),
        (r#"[64,1,{"invoke":"random"},"com.p"]"#, r#"[64,1,{"invoke":"random"},"com.p"]"#),
        (r#"[66,1,2]"#, r#"[66,1,2]"#),
        (r#"[70,1,{}]"#, r#"[70,1,{}]"#),
        (r#"[70,1,{"progress":true},[1]]"#, r#"[70,1,{"progress":true},[1]]"#),
        (r#"[70,1,{"ppt_scheme":"mqtt"},["x"],{"a":1}]"#, r#"[70,1,{"ppt_scheme":"mqtt"},["x"],{"a":1}]"#),
    ]);
}

#[test]
fn a_router_message_is_read_and_written() {
    router_writes(&[
        (
            r#"[2,9007199254740992,{"roles":{"broker":{},"dealer":{"features":{"x":true}}}}]"#,
            r#"[2,9007199254740992,{"roles":{"broker":{},"dealer":{"features":{"x":true}}}}]"#,
        ),
        (
            r#"[2,1,{"roles":{},"agent":"Clank","realm":"r","authid":"a","authrole":"b","authmethod":"c","authprovider":"d","authextra":{}}]"#,
            r#"[2,1,{"roles":{},"agent":"Clank","realm":"r","authid":"a","authrole":"b","authmethod":"c","authprovider":"d","authextra":{}}]"#,
        ),
        (r#"[3,{},"wamp.error.no_such_realm"]"#, r#"[3,{},"wamp.error.no_such_realm"]"#),
        (r#"[3,{"message":"no"},"a.b",[],{"c":1}]"#, r#"[3,{"message":"no"},"a.b",[],{"c":1}]"#),
        (r#"[4,"ticket",{}]"#, r#"[4,"ticket",{}]"#),
        (
            r#"[4,"wampcra",{"challenge":"{}","iterations":1000}]"#,
            r#"[4,"wampcra",{"challenge":"{}","iterations":1000}]"#,
        ),
        (
            r#"[6,{"message":"bye"},"wamp.close.system_shutdown"]"#,
            r#"[6,{"message":"bye"},"wamp.close.system_shutdown"]"#,
        ),
        (r#"[8,16,1,{},"e"]"#, r#"[8,16,1,{},"e"]"#),
        (r#"[8,32,1,{},"e"]"#, r#"[8,32,1,{},"e"]"#),
        (r#"[8,34,1,{},"e"]"#, r#"[8,34,1,{},"e"]"#),
        (r#"[8,48,1,{},"e",["x"]]"#, r#"[8,48,1,{},"e",["x"]]"#),
        (r#"[8,64,1,{},"e",[],{"a":1}]"#, r#"[8,64,1,{},"e",[],{"a":1}]"#),
        (r#"[8,66,1,{"ppt_keyid":"k"},"e"]"#, r#"[8,66,1,{"ppt_keyid":"k"},"e"]"#),
        (r#"[17,1,2]"#, r#"[17,1,2]"#),
        (r#"[33,1,2]"#, r#"[33,1,2]"#),
        (r#"[35,1]"#, r#"[35,1]"#),
        (r#"[35,0,{"subscription":7}]"#, r#"[35,0,{"subscription":7}]"#),
        (r#"[35,0,{"reason":"gone","subscription":7}]"#, r#"[35,0,{"subscription":7,"reason":"gone"}]"#),
        (r#"[36,1,2,{}]"#, r#"[36,1,2,{}]"#),
        (r#"[36,1,2,{},[1,2]]"#, r#"[36,1,2,{},[1,2]]"#),
        (
            r#"[36,1,2,{"publisher":3,"publisher_authid":"a","publisher_authrole":"b","trustlevel":0,"topic":"com.t","retained":true,"ppt_cipher":"c"},[],{"k":1}]"#,
            r#"[36,1,2,{"publisher":3,"publisher_authid":"a","publisher_authrole":"b","trustlevel":0,"topic":"com.t","retained":true,"ppt_cipher":"c"},[],{"k":1}]"#,
        ),
        (r#"[50,1,{}]"#, r#"[50,1,{}]"#),
        (
            r#"[50,1,{"progress":true,"callee":2,"callee_authid":"a","callee_authrole":"b","ppt_scheme":"s"},[7]]"#,
            r#"[50,1,{"progress":true,"callee":2,"callee_authid":"a","callee_authrole":"b","ppt_scheme":"s"},[7]]"#,
        ),
        (r#"[65,1,2]"#, r#"[65,1,2]"#),
        (r#"[67,1]"#, r#"[67,1]"#),
        (r#"[67,0,{"registration":7,"reason":"moved"}]"#, r#"[67,0,{"registration":7,"reason":"moved"}]"#),
        (r#"[68,1,2,{}]"#, r#"[68,1,2,{}]"#),
        (
            r#"[68,1,2,{"caller":3,"caller_authid":"a","caller_authrole":"b","trustlevel":1,"procedure":"com.p","timeout":5,"receive_progress":true,"progress":true,"ppt_serializer":"s"},[1],{"k":2}]"#,
            r#"[68,1,2,{"caller":3,"caller_authid":"a","caller_authrole":"b","trustlevel":1,"procedure":"com.p","timeout":5,"receive_progress":true,"progress":true,"ppt_serializer":"s"},[1],{"k":2}]"#,
        ),
        (r#"[69,1,{}]"#, r#"[69,1,{}]"#),
        (
            r#"[69,1,{"mode":"kill","reason":"wamp.error.timeout"}]"#,
            r#"[69,1,{"mode":"kill","reason":"wamp.error.timeout"}]"#,
        ),
    ]);
}

/// Written by hand, and not by any library.
#[test]
fn a_message_has_these_bytes() {
    let call = br#"[48,300,{"timeout":70000},"a.b",[true,-1,"x"],{"k":null}]"#;
    let call = ClientMessage::decode(Serializer::Json, call).unwrap();
    let packed =
        b"\x96\x30\xcd\x01\x2c\x81\xa7timeout\xce\x00\x01\x11\x70\xa3a.b\x93\xc3\xff\xa1x\x81\xa1k\xc0";
    assert_eq!(call.write(Serializer::MessagePack), packed);
    let cbor =
        b"\x86\x18\x30\x19\x01\x2c\xa1\x67timeout\x1a\x00\x01\x11\x70\x63a.b\x83\xf5\x20\x61x\xa1\x61k\xf6";
    assert_eq!(call.write(Serializer::Cbor), cbor);

    // Indefinite lengths, a tag, a long head and chunks say the same.
    let long = b"\xd9\xd9\xf7\x9f\x18\x30\x1a\x00\x00\x01\x2c\xbf\x7f\x64time\x63out\xff\x1b\x00\x00\x00\x00\x00\x01\x11\x70\xff\x78\x03a.b\x9f\xf5\x20\x61x\xff\xbf\x61k\xf7\xff\xff";
    let read = ClientMessage::decode(Serializer::Cbor, long).unwrap();
    assert_eq!(read.write(Serializer::Json), call.write(Serializer::Json));
    assert_eq!(read.write(Serializer::MessagePack), packed);
}

#[test]
fn a_payload_passes_as_it_came() {
    let received = br#"[16,1,{},"com.t", [ 1.0, "\u00e9\ud800" , 12345678901234567890123 ], { "a" : 1e2 } ]"#;
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(Serializer::Json, received) else {
        panic!()
    };
    assert_eq!(publish.payload.arguments(), br#"1.0, "\u00e9\ud800" , 12345678901234567890123"#);
    assert_eq!(publish.payload.keywords(), Some(&br#"{ "a" : 1e2 }"#[..]));
    assert_eq!(publish.payload.count(), 3);
}

#[test]
fn an_option_is_what_was_said_or_its_default() {
    let decode = |text| ClientMessage::decode(Serializer::Json, text).unwrap();
    let ClientMessage::Publish(publish) = decode(br#"[16,1,{},"t"]"#) else { panic!() };
    assert!(publish.options.exclude_me && !publish.options.acknowledge && publish.options.eligible.is_none());
    let ClientMessage::Register(register) = decode(br#"[64,1,{"invoke":"last"},"t"]"#) else { panic!() };
    assert_eq!((register.options.invoke, register.options.matching), (Invoke::Last, Match::Exact));
    let ClientMessage::Cancel(cancel) = decode(br#"[49,1,{"mode":"kill"}]"#) else { panic!() };
    assert_eq!(cancel.mode, Some(CancelMode::Kill));
    // Of several entries of one name, the last counts.
    let ClientMessage::Call(call) = decode(br#"[48,1,{"timeout":1,"timeout":2},"t"]"#) else { panic!() };
    assert_eq!(call.options.timeout, 2);
    let revoked = RouterMessage::decode(Serializer::Json, br#"[35,0,{"subscription":7}]"#);
    let subscription = Id::new(7).unwrap();
    assert_eq!(
        revoked,
        Ok(RouterMessage::Unsubscribed(Unsubscribed::Revoked { subscription, reason: None }))
    );
}

/// JSON can't tell the two apart, and a text of the other serializers may look like binary data.
#[test]
fn a_text_that_looks_like_binary_data_is_a_text() {
    let packed = b"\x93\x06\x81\xa7message\xa5\0AA==\xa1e";
    let goodbye = ClientMessage::decode(Serializer::MessagePack, packed).unwrap();
    let json = goodbye.write(Serializer::Json);
    assert_eq!(json, br#"[6,{"message":"\u0000AA=="},"e"]"#);
    assert_eq!(ClientMessage::decode(Serializer::Json, &json), Ok(goodbye));
    let error = ClientMessage::decode(Serializer::Json, br#"[6,{},"\ud800"]"#).unwrap_err().to_string();
    assert_eq!(error, r#"GOODBYE needs a reason (a URI) as its third element, got "\ud800""#);
}
