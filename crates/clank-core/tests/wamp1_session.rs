//! A session of WAMP v1: what a client's messages ask for, and what becomes of one that breaks
//! the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_core::subscription::Audience;
use clank_core::wamp1::{Action, EmptyEligible, Fault, OnMalformed, Options, Request, Session, SessionId};
use proptest::prelude::*;

const ME: u64 = 1;

fn session_id(connection: u64) -> SessionId {
    SessionId::from_random(connection.to_le_bytes())
}

fn session(options: Options) -> Session {
    Session::new(session_id(ME), options.into())
}

/// Sends PREFIX messages, then SUBSCRIBE, and says which topic it was for.
#[track_caller]
fn resolved(prefixes: &[(&str, &str)], topic: &str) -> String {
    let mut session = session(Options::default());
    for (prefix, uri) in prefixes {
        let request = session.receive(&format!(r#"[1,"{prefix}","{uri}"]"#)).map(|r| r == Request::Prefix);
        assert_eq!(request, Ok(true));
    }
    let text = format!(r#"[5,"{topic}"]"#);
    match session.receive(&text) {
        Ok(Request::Subscribe { topic }) => topic.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Whom a PUBLISH with these last elements is for, where the session of connection `n` has the
/// id `$n`.
#[track_caller]
fn audience(options: Options, elements: &str) -> Audience {
    let mut text = format!(r#"[7,"t",{{}}{elements}]"#);
    for connection in 1..5 {
        let id = format!("\"{}\"", session_id(connection));
        text = text.replace(&format!("${connection}"), &id);
    }
    let mut session = session(options);
    match session.receive(&text).expect(&text) {
        Request::Publish { recipients, .. } => {
            recipients.resolve(ME, |id| (1..5).find(|connection| session_id(*connection) == id))
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn heard_by(options: &Options, elements: &str) -> Vec<u64> {
    let audience = audience(options.clone(), elements);
    (1..5).filter(|connection| audience.has(*connection)).collect()
}

#[track_caller]
fn violation(options: &Options, messages: &[&str]) -> (u16, String) {
    let mut session = session(options.clone());
    let (last, before) = messages.split_last().unwrap();
    for message in before {
        session.receive(message).expect(message);
    }
    let violation = session.receive(last).expect_err(last);
    let Action::Close(code) = violation.action else { panic!("{violation:?}") };
    assert_eq!(violation.close_reason(), violation.to_string());
    (code, violation.to_string())
}

#[test]
fn the_session_greets_with_its_id() {
    let mut out = Vec::new();
    session(Options::default()).welcome("Clank/0.1.0", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"[0,"00000000000001",1,"Clank/0.1.0"]"#);
}

#[test]
fn a_session_id_is_written_in_fourteen_digits_and_read_back() {
    for bytes in [[0; 8], [1; 8], [0xff; 8], [0, 0, 0, 0, 0, 0, 0x20, 0]] {
        let id = SessionId::from_random(bytes);
        assert!((1..=1 << 53).contains(&id.value()), "{id}");
        assert_eq!(id.to_string().len(), 14);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    for text in [
        "",
        "1",
        "00000000000000",
        "0000000000000g",
        "0000000000000A",
        "000000000000001",
        "20000000000001",
        "+0000000000001",
        "é000000000000",
    ] {
        assert!(text.parse::<SessionId>().is_err(), "{text}");
    }
}

#[test]
fn each_message_asks_for_something() {
    let mut session = session(Options::default());
    let Ok(Request::Subscribe { topic }) = session.receive(r#"[5,"a"]"#) else { panic!() };
    assert_eq!(topic.as_str(), "a");
    let Ok(Request::Unsubscribe { topic }) = session.receive(r#"[6,"b"]"#) else { panic!() };
    assert_eq!(topic.as_str(), "b");
    let Ok(Request::Publish { topic, payload, .. }) = session.receive(r#"[7,"c", 0 ]"#) else { panic!() };
    assert_eq!((topic.as_str(), payload.arguments()), ("c", &b"0"[..]));
    let Ok(Request::Call(call)) = session.receive(r#"[2,"id","s/m/x",{"a":1}]"#) else { panic!() };
    assert_eq!((&*call.id, call.procedure.uri().as_str()), ("id", "s/m/x"));
    assert_eq!(call.procedure.address(), Some(("s", "m")));
    assert_eq!(call.params.to_buf().as_payload().arguments(), br#"{"a":1}"#);
    assert_eq!(call.arguments.count(), 1);
}

#[test]
fn a_procedure_without_two_segments_has_no_address() {
    let mut session = session(Options::default());
    for (uri, address) in [
        ("s/m", Some(("s", "m"))),
        ("s/m/", Some(("s", "m"))),
        ("s", None),
        ("s/", None),
        ("/m", None),
        ("/", None),
        ("http://example.com/m", None),
    ] {
        let text = format!(r#"[2,"id","{uri}"]"#);
        let Ok(Request::Call(call)) = session.receive(&text) else { panic!("{text}") };
        assert_eq!(call.procedure.address(), address, "{uri}");
        let procedure = call.procedure.into_owned();
        assert_eq!((procedure.uri().as_str(), procedure.address()), (uri, address));
    }
}

#[test]
fn a_curie_is_what_its_prefix_stands_for_with_the_rest_appended() {
    let prefixes = [("p", "http://x/"), ("http", "evil"), ("", "empty/"), ("q", "p:")];
    for (topic, uri) in [
        ("p:x", "http://x/x"),
        ("p:", "http://x/"),
        ("p:x:y", "http://x/x:y"),
        ("p:/x", "http://x//x"),
        (":x", "empty/x"),
        ("q:x", "p:x"),
        // Left as they are.
        ("p", "p"),
        ("px", "px"),
        ("P:x", "P:x"),
        ("urn:x", "urn:x"),
        ("http://x/p:y", "http://x/p:y"),
        ("p://x", "p://x"),
    ] {
        assert_eq!(resolved(&prefixes, topic), uri, "{topic}");
    }
    assert_eq!(resolved(&[("p", "a/"), ("p", "b/")], "p:x"), "b/x");
    assert_eq!(resolved(&[], "p:x"), "p:x");
}

#[test]
fn every_message_resolves_its_curie() {
    let mut session = session(Options::default());
    session.receive(r#"[1,"p","x/"]"#).unwrap();
    let Ok(Request::Unsubscribe { topic }) = session.receive(r#"[6,"p:t"]"#) else { panic!() };
    assert_eq!(topic.as_str(), "x/t");
    let Ok(Request::Publish { topic, .. }) = session.receive(r#"[7,"p:t",1]"#) else { panic!() };
    assert_eq!(topic.as_str(), "x/t");
    let Ok(Request::Call(call)) = session.receive(r#"[2,"id","p:t"]"#) else { panic!() };
    assert_eq!((call.procedure.uri().as_str(), call.procedure.address()), ("x/t", Some(("x", "t"))));
}

#[test]
fn an_event_is_for_the_eligible_subscribers_that_are_not_excluded() {
    let ratchet = Options::default();
    let autobahn =
        Options { publisher_receives: false, empty_eligible: EmptyEligible::Nobody, ..Options::default() };
    // Connection 1 publishes; 1 to 4 have subscribed.
    for (elements, with_ratchet, with_autobahn) in [
        ("", vec![1, 2, 3, 4], vec![2, 3, 4]),
        (",null", vec![1, 2, 3, 4], vec![2, 3, 4]),
        (",false", vec![1, 2, 3, 4], vec![1, 2, 3, 4]),
        (",0", vec![1, 2, 3, 4], vec![1, 2, 3, 4]),
        (",true", vec![2, 3, 4], vec![2, 3, 4]),
        (",\"yes\"", vec![2, 3, 4], vec![2, 3, 4]),
        (",[]", vec![1, 2, 3, 4], vec![1, 2, 3, 4]),
        (",[$2]", vec![1, 3, 4], vec![1, 3, 4]),
        (",[$1,$2,$2]", vec![3, 4], vec![3, 4]),
        (",[\"nobody\",$4]", vec![1, 2, 3], vec![1, 2, 3]),
        (",[],[]", vec![1, 2, 3, 4], vec![]),
        (",[],null", vec![1, 2, 3, 4], vec![1, 2, 3, 4]),
        (",[],[$1,$3]", vec![1, 3], vec![1, 3]),
        (",[$3],[$1,$3]", vec![1], vec![1]),
        (",[],[\"nobody\"]", vec![], vec![]),
        (",[$1,$2,$3,$4],[]", vec![], vec![]),
        (",true,[$1,$3]", vec![3], vec![3]),
        (",null,[$1,$3]", vec![1, 3], vec![3]),
    ] {
        assert_eq!(heard_by(&ratchet, elements), with_ratchet, "{elements}");
        assert_eq!(heard_by(&autobahn, elements), with_autobahn, "{elements}");
    }
}

#[test]
fn a_malformed_message_closes_1007_and_says_why() {
    let options = Options::default();
    // Every row of what Ratchet 0.4.4 closed, took by accident or died of.
    for message in [
        "nonsense",
        "null",
        "{}",
        "7",
        "\"x\"",
        "[]",
        "[9]",
        r#"[0,"id",1,"s"]"#,
        r#"[3,"id",1]"#,
        r#"[4,"id","u","d"]"#,
        r#"[8,"t",1]"#,
        "[5,[]]",
        "[5,{}]",
        r#"["5","t"]"#,
        r#"[true,"p","u"]"#,
        "[5]",
        "[5,null]",
        "[5,7]",
        r#"[1,"p"]"#,
        r#"[7,"t"]"#,
        r#"{"0":5,"1":"x"}"#,
        "[2]",
        r#"[2,"id"]"#,
        r#"[7,"t",1,[],"id"]"#,
        r#"[5,""]"#,
        r#"[5,"a\u0000b"]"#,
    ] {
        let (code, words) = violation(&options, &[message]);
        assert_eq!(code, 1007, "{message}: {words}");
    }
    let words = |message| violation(&options, &[message]).1;
    assert_eq!(words(r#"[5,""]"#), "the URI of SUBSCRIBE is empty");
    assert_eq!(words(r#"[2,"i","a\u0085b"]"#), "the URI of CALL has a control character at byte 1");
}

#[test]
fn a_limit_that_is_passed_closes_1008_and_says_which() {
    let options = Options {
        max_uri_bytes: 8,
        max_call_id_bytes: 2,
        max_prefixes: 2,
        max_prefix_bytes: 12,
        max_listed_sessions: 1,
        ..Options::default()
    };
    for (messages, words) in [
        (&[r#"[5,"123456789"]"#][..], "the URI of SUBSCRIBE has 9 bytes, more than the limit of 8"),
        (
            &[r#"[1,"p","123456"]"#, r#"[6,"p:789"]"#],
            "the URI of UNSUBSCRIBE has 9 bytes, more than the limit of 8",
        ),
        (&[r#"[2,"abc","p"]"#], "the id of CALL has 3 bytes, more than the limit of 2"),
        (
            &[r#"[1,"a",""]"#, r#"[1,"b",""]"#, r#"[1,"c",""]"#],
            "PREFIX would define more prefixes than the limit of 2",
        ),
        (
            &[r#"[1,"a","12345"]"#, r#"[1,"b","123456"]"#],
            "PREFIX would bring the prefixes to 13 bytes, more than the limit of 12",
        ),
        (&[r#"[7,"t",1,["a","b"]]"#], "the exclude list of PUBLISH has 2 sessions, more than the limit of 1"),
        (
            &[r#"[7,"t",1,[],["a","b"]]"#],
            "the eligible list of PUBLISH has 2 sessions, more than the limit of 1",
        ),
    ] {
        assert_eq!(violation(&options, messages), (1008, words.to_owned()));
    }
    // At the limits nothing is wrong, and a prefix that is defined anew takes its own place.
    let mut session = session(options);
    for message in [
        r#"[5,"12345678"]"#,
        r#"[1,"a","12345"]"#,
        r#"[1,"b","12345"]"#,
        r#"[1,"a","54321"]"#,
        r#"[1,"b",""]"#,
        r#"[1,"a","123456789"]"#,
        r#"[2,"ab","p"]"#,
        r#"[7,"t",1,["a"],["b"]]"#,
    ] {
        session.receive(message).expect(message);
    }
    assert_eq!((session.prefix_count(), session.prefix_bytes()), (2, 11));
}

#[test]
fn a_binary_frame_closes_1003() {
    let violation = session(Options::default()).receive_binary();
    assert_eq!(violation.action, Action::Close(1003));
    assert_eq!(violation.to_string(), "WAMP v1 is spoken in text frames, got a binary frame");
}

#[test]
fn where_violations_are_reported_the_session_goes_on() {
    let options = Options { on_malformed: OnMalformed::Report, ..Options::default() };
    let mut session = session(options);
    session.receive(r#"[1,"p","x/"]"#).unwrap();
    let violation = session.receive("[5,null]").unwrap_err();
    assert_eq!(violation.action, Action::Report);
    assert!(matches!(violation.fault, Fault::Malformed(_)));
    assert_eq!(session.receive_binary().action, Action::Report);
    let Ok(Request::Subscribe { topic }) = session.receive(r#"[5,"p:t"]"#) else { panic!() };
    assert_eq!(topic.as_str(), "x/t");
}

#[test]
fn a_close_reason_is_cut_between_characters_to_what_a_close_frame_holds() {
    let text = format!(r#"[7,"t",1,[],"{}"]"#, "é".repeat(100));
    let violation = session(Options::default()).receive(&text).unwrap_err();
    assert!(violation.to_string().len() > 123);
    let reason = violation.close_reason();
    assert!((120..=123).contains(&reason.len()), "{}", reason.len());
    assert!(reason.ends_with("é…"), "{reason}");
}

/// A message that may or may not be right, of few words, so that they meet.
fn message() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["", "p", "q", "p:x", "q:yy", "http://x", "\\u0000", "0123456789"]);
    let element = prop_oneof![
        4 => word.prop_map(|word| format!("\"{word}\"")),
        1 => prop::sample::select(vec!["[]", "{}", "null", "7", "[\"p\"]", "[\"p\",\"q\"]"])
            .prop_map(str::to_owned),
    ];
    (0..10_u8, prop::collection::vec(element, 0..5)).prop_map(|(kind, elements)| {
        let elements: String = elements.iter().map(|element| format!(",{element}")).collect();
        format!("[{kind}{elements}]")
    })
}

proptest! {
    #[test]
    fn whatever_is_received_a_session_keeps_its_bounds(messages in prop::collection::vec(message(), 0..60)) {
        let options = Options {
            max_uri_bytes: 10,
            max_prefixes: 3,
            max_prefix_bytes: 30,
            max_listed_sessions: 1,
            ..Options::default()
        };
        let mut session = session(options);
        for message in &messages {
            let before = (session.prefix_count(), session.prefix_bytes());
            match session.receive(message) {
                Ok(Request::Subscribe { topic } | Request::Unsubscribe { topic } | Request::Publish { topic, .. }) => {
                    prop_assert!((1..=10).contains(&topic.as_str().len()));
                }
                Ok(Request::Prefix | Request::Call(_)) => {}
                Err(violation) => {
                    prop_assert_ne!(violation.action, Action::Report);
                    prop_assert_eq!((session.prefix_count(), session.prefix_bytes()), before);
                }
            }
            prop_assert!(session.prefix_count() <= 3 && session.prefix_bytes() <= 30);
        }
    }
}
