//! What is no message of WAMP v1, or comes from the wrong side.

use clank::limits::{Count, Size};
use clank::{Limits, wamp1};
use serde_json::json;

use crate::support::peer::{BINARY, TEXT, frame};
use crate::support::{FIN, Peer, serve, serve_limited};

/// Texts that are no message, with words that the reason has.
const NO_MESSAGE: &[(&str, &str)] = &[
    // no JSON, or no array
    ("", "JSON"),
    ("{", "JSON"),
    ("[5,\"t\"", "JSON"),
    ("[5,\"t\"] x", "JSON"),
    ("null", "array"),
    ("{}", "array"),
    ("7", "array"),
    ("\"x\"", "array"),
    (r#"{"0":5,"1":"x"}"#, "array"),
    // no type
    ("[]", "type"),
    ("[9]", "type"),
    (r#"[9,"t"]"#, "type"),
    (r#"[-1,"t"]"#, "type"),
    (r#"[5.5,"t"]"#, "type"),
    (r#"["5","t"]"#, "type"),
    (r#"[true,"p","u"]"#, "type"),
    ("[null]", "type"),
    ("[[5]]", "type"),
    // messages that only servers send
    (r#"[0,"session",1,"server"]"#, "only a server"),
    (r#"[3,"id",1]"#, "only a server"),
    (r#"[4,"id","uri","words"]"#, "only a server"),
    (r#"[8,"t",1]"#, "only a server"),
    // elements that are missing or of another kind
    ("[1]", "PREFIX"),
    (r#"[1,"p"]"#, "PREFIX"),
    (r#"[1,"p",7]"#, "PREFIX"),
    (r#"[1,7,"u"]"#, "PREFIX"),
    ("[2]", "CALL"),
    (r#"[2,"id"]"#, "CALL"),
    (r#"[2,7,"test/echo"]"#, "CALL"),
    (r#"[2,"id",null]"#, "CALL"),
    ("[5]", "SUBSCRIBE"),
    ("[5,null]", "SUBSCRIBE"),
    ("[5,7]", "SUBSCRIBE"),
    (r#"[5,["a"]]"#, "SUBSCRIBE"),
    (r#"[5,{"a":1}]"#, "SUBSCRIBE"),
    ("[6]", "UNSUBSCRIBE"),
    ("[6,true]", "UNSUBSCRIBE"),
    ("[7]", "PUBLISH"),
    (r#"[7,"t"]"#, "PUBLISH"),
    ("[7,1,2]", "PUBLISH"),
    (r#"[7,"t",1,[],"session"]"#, "PUBLISH"),
    (r#"[7,"t",1,[],{}]"#, "PUBLISH"),
    // URIs that can't be
    (r#"[5,""]"#, "empty"),
    (r#"[6,""]"#, "empty"),
    (r#"[7,"",1]"#, "empty"),
    (r#"[2,"id",""]"#, "empty"),
    (r#"[5,"a\u0007b"]"#, "control"),
    (r#"[5,"a\nb"]"#, "control"),
];

#[test]
fn what_is_no_message_closes_1007_and_says_why() {
    let test = serve(|builder| builder);
    for (text, words) in NO_MESSAGE {
        let mut peer = test.client();
        peer.send(text);
        let (code, reason) = peer.closed();
        assert_eq!(code, 1007, "{text}: {reason}");
        assert!(reason.contains(words), "{text}: {reason}");
        let gone = test.disconnected();
        assert_eq!(
            (&gone["cause"], &gone["code"], &gone["initiator"]),
            (&json!("malformed_message"), &json!(1007), &json!("server")),
            "{text}"
        );
        assert_eq!(gone["reason"], reason, "{text}");
        let records = test.log.of(gone["resource_id"].as_u64().unwrap());
        let error = &records[records.len() - 2];
        assert_eq!((&error["kind"], &error["survived"]), (&json!("malformed"), &json!(false)), "{text}");
    }
    test.is_well();
}

#[test]
fn what_is_no_message_is_reported_where_that_is_chosen() {
    let options = wamp1::Options { on_malformed: wamp1::OnMalformed::Report, ..Default::default() };
    let test = serve(|builder| builder.wamp1(options));
    let mut peer = test.client();
    for (text, words) in NO_MESSAGE {
        peer.send(text);
        peer.round_trip();
        let error = test.log.wait_for("clank.client.error");
        assert_eq!((&error["kind"], &error["survived"]), (&json!("malformed"), &json!(true)), "{text}");
        assert!(error["message"].as_str().unwrap().contains(words), "{text}: {error}");
    }
    peer.write(&frame(FIN | BINARY, b"[5]"));
    peer.round_trip();
    assert!(test.log.wait_for("clank.client.error")["message"].as_str().unwrap().contains("binary"));
    peer.leave();
}

#[test]
fn frames_of_the_wrong_kind_close_with_their_own_code() {
    let cases: &[(u8, &[u8], u16, &str, &str)] = &[
        (FIN | BINARY, br#"[5,"t"]"#, 1003, "unsupported_data", "malformed"),
        (FIN | BINARY, b"", 1003, "unsupported_data", "malformed"),
        (FIN | TEXT, b"[5,\"\xff\"]", 1007, "malformed_message", "malformed"),
        (FIN | TEXT, b"[5,\"\xed\xa0\x80\"]", 1007, "malformed_message", "malformed"),
    ];
    let test = serve(|builder| builder);
    for (first, payload, code, cause, kind) in cases {
        let mut peer = test.client();
        peer.write(&frame(*first, payload));
        assert_eq!(peer.closed().0, *code);
        let gone = test.disconnected();
        assert_eq!((&gone["cause"], &gone["code"]), (&json!(cause), &json!(code)));
        assert_eq!(test.log.wait_for("clank.client.error")["kind"], *kind);
    }
}

#[test]
fn what_goes_past_a_limit_of_the_session_closes_1008() {
    let limits = Limits {
        uri: Size::of(32),
        call_id: Size::of(16),
        prefixes: Count::of(2),
        prefix_bytes: Size::of(256),
        listed_sessions: Count::of(2),
        ..Limits::DEFAULT
    };
    let long = "x".repeat(33);
    let cases: &[&[String]] = &[
        &[json!([5, long]).to_string()],
        &[json!([7, long, 1]).to_string()],
        &[json!([2, "id", long]).to_string()],
        &[json!([2, "seventeen letters", "test/echo"]).to_string()],
        &[json!([1, "p", "x".repeat(30)]).to_string(), json!([5, "p:abc"]).to_string()],
        &[
            json!([1, "a", "a"]).to_string(),
            json!([1, "a", "b"]).to_string(),
            json!([1, "b", "b"]).to_string(),
            json!([1, "c", "c"]).to_string(),
        ],
        &[json!([1, "a", "x".repeat(300)]).to_string()],
        &[json!([7, "t", 1, ["a", "b", "c"]]).to_string()],
        &[json!([7, "t", 1, [], ["a", "b", "c"]]).to_string()],
    ];
    let test = serve_limited(limits, |builder| builder);
    for messages in cases {
        let mut peer = test.client();
        messages.iter().for_each(|message| peer.send(message));
        let (code, reason) = peer.closed();
        assert_eq!(code, 1008, "{messages:?}: {reason}");
        assert!(reason.contains("limit"), "{messages:?}: {reason}");
        assert_eq!(test.disconnected()["cause"], "limit_exceeded", "{messages:?}");
        assert_eq!(test.log.wait_for("clank.client.error")["kind"], "limit_exceeded");
    }
}

#[test]
fn what_is_at_a_limit_is_taken() {
    let limits = Limits { uri: Size::of(16), call_id: Size::of(16), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client();
    let (topic, id) = ("x".repeat(16), "i".repeat(16));
    peer.subscribe(&topic);
    peer.publish(&topic, &json!(1));
    assert_eq!(peer.json(), json!([8, topic, 1]));
    peer.send(json!([2, id, "test/echo", 1]).to_string());
    assert_eq!(peer.json(), json!([3, id, [1]]));
    peer.leave();
}

#[test]
fn json_may_nest_to_its_limit_and_no_deeper() {
    let nested = |depth: usize| format!(r#"[7,"t",{}{}]"#, "[".repeat(depth), "]".repeat(depth));
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.subscribe("t");
    // The message itself is the first level.
    peer.send(nested(63));
    assert!(peer.text().starts_with(r#"[8,"t",[[["#));
    for depth in [64, 1_000, 100_000] {
        let mut peer = test.client();
        peer.send(nested(depth));
        assert_eq!(peer.closed().0, 1007, "{depth}");
    }
    peer.round_trip();
}

#[test]
fn further_elements_are_passed_over() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.send(r#"[1,"p","topic/",7,{}]"#);
    peer.send(r#" [ 5 , "p:a" , null , [ ] ] "#);
    peer.send(r#"[7,"p:a",1,[],[],"more",{"a":[1]}]"#);
    assert_eq!(peer.json(), json!([8, "topic/a", 1]));
    peer.send(r#"[6,"p:a","more"]"#);
    peer.round_trip();
    assert_eq!(test.handle().tables().topics, 0);
    peer.leave();
}

#[test]
fn a_message_behind_one_that_closed_is_not_handled() {
    let test = serve(|builder| builder);
    let mut other = test.client();
    other.subscribe("t");
    other.round_trip();
    let mut peer: Peer = test.client();
    let both = [frame(FIN | TEXT, b"[5]"), frame(FIN | TEXT, br#"[7,"t","too late"]"#)].concat();
    peer.write(&both);
    assert_eq!(peer.closed().0, 1007);
    test.disconnected();
    other.round_trip();
    other.leave();
}
