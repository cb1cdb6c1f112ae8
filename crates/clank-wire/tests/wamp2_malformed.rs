//! What is no message of WAMP v2, and in which words its sender hears of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::{ClientMessage, Excerpt, Malformed, RouterMessage};
use proptest::prelude::*;
use serde_json::Value;

mod wamp2_support;

use wamp2_support::{Message, encoded};

/// The words are the same in each serializer.
#[track_caller]
fn is_told(cases: &[(&str, &str)], read: fn(Serializer, &[u8]) -> Result<(), Malformed>) {
    for (received, words) in cases {
        let value: Value = serde_json::from_str(received).expect(received);
        for serializer in Serializer::ALL {
            let error = read(serializer, &encoded(&value, serializer)).expect_err(received);
            assert_eq!(&error.to_string(), words, "{received} in {serializer}");
        }
    }
}

fn client(serializer: Serializer, bytes: &[u8]) -> Result<(), Malformed> {
    ClientMessage::decode(serializer, bytes).map(drop)
}

fn router(serializer: Serializer, bytes: &[u8]) -> Result<(), Malformed> {
    RouterMessage::decode(serializer, bytes).map(drop)
}

#[test]
fn what_is_no_value_of_the_serializer_is_refused() {
    for (serializer, bytes, words) in [
        (Serializer::Json, &b"[1"[..], "a WAMP message is JSON: expected ',' or ']' at byte 2, got the end"),
        (Serializer::Json, b"[1,]", "a WAMP message is JSON: expected a value at byte 3, got ']'"),
        (Serializer::Json, b"[1]]", "a WAMP message is JSON: expected the end at byte 3, got ']'"),
        (Serializer::Json, b"[\"\xff\"]", "a WAMP message is JSON: expected UTF-8 at byte 2"),
        (Serializer::Json, b"", "a WAMP message is JSON: expected a value at byte 0, got the end"),
        (Serializer::Json, b"[16,1,{\"a\" 1}]", "a WAMP message is JSON: expected ':' at byte 11, got '1'"),
        (
            Serializer::Json,
            b"[16,1,{1:1}]",
            "a WAMP message is JSON: expected a key or '}' at byte 7, got '1'",
        ),
        (Serializer::Json, b"{\"a\":}", "a WAMP message is JSON: expected a value at byte 5, got '}'"),
        (
            Serializer::MessagePack,
            b"\x92\x10",
            "a WAMP message is MessagePack: the value at byte 0 goes on behind the end",
        ),
        (
            Serializer::MessagePack,
            b"\x91\xc1",
            "a WAMP message is MessagePack: expected a value at byte 1, got 0xc1",
        ),
        (
            Serializer::MessagePack,
            b"\x91\x10\x00",
            "a WAMP message is MessagePack: expected the end at byte 2",
        ),
        (
            Serializer::MessagePack,
            b"\x91\xd4\x01\x00",
            "a WAMP message is MessagePack: an extension type at byte 1, which WAMP has no value for",
        ),
        (Serializer::Cbor, b"\x9f\x10", "a WAMP message is CBOR: the value at byte 1 goes on behind the end"),
        (Serializer::Cbor, b"\x82\x10\x62\xc3\x28", "a WAMP message is CBOR: expected UTF-8 at byte 3"),
        (
            Serializer::Cbor,
            b"\x82\x10\xa1\x80\x01",
            "a WAMP message is CBOR: expected a scalar as the key at byte 3",
        ),
    ] {
        let error = client(serializer, bytes).unwrap_err();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_malformed_client_message_is_refused_in_words() {
    is_told(
        &[
            ("null", "a WAMP message is a list that begins with its type, got null"),
            ("{}", "a WAMP message is a list that begins with its type, got a dictionary"),
            ("7", "a WAMP message is a list that begins with its type, got 7"),
            ("\"x\"", "a WAMP message is a list that begins with its type, got \"x\""),
            ("[]", "a WAMP v2 message begins with the number of its type, got nothing"),
            ("[0]", "a WAMP v2 message begins with the number of its type, got 0"),
            ("[7]", "a WAMP v2 message begins with the number of its type, got 7"),
            ("[256]", "a WAMP v2 message begins with the number of its type, got 256"),
            ("[-16]", "a WAMP v2 message begins with the number of its type, got -16"),
            ("[16.0]", "a WAMP v2 message begins with the number of its type, got 16.0"),
            ("[\"16\"]", "a WAMP v2 message begins with the number of its type, got \"16\""),
            ("[[16]]", "a WAMP v2 message begins with the number of its type, got a list"),
            ("[true]", "a WAMP v2 message begins with the number of its type, got true"),
            // For routers to send.
            ("[2,1,{}]", "WELCOME is a message that only a router sends"),
            ("[4]", "CHALLENGE is a message that only a router sends"),
            ("[17,1,2]", "PUBLISHED is a message that only a router sends"),
            ("[33,1,2]", "SUBSCRIBED is a message that only a router sends"),
            ("[35,1]", "UNSUBSCRIBED is a message that only a router sends"),
            ("[36,1,2,{}]", "EVENT is a message that only a router sends"),
            ("[50,1,{}]", "RESULT is a message that only a router sends"),
            ("[65,1,2]", "REGISTERED is a message that only a router sends"),
            ("[67,1]", "UNREGISTERED is a message that only a router sends"),
            ("[68,1,2,{}]", "INVOCATION is a message that only a router sends"),
            ("[69,1,{}]", "INTERRUPT is a message that only a router sends"),
            // Elements that are missing or of the wrong kind.
            ("[1]", "HELLO needs a realm URI as its second element, got nothing"),
            ("[1,7,{}]", "HELLO needs a realm URI as its second element, got 7"),
            ("[1,\"r\"]", "HELLO needs a dictionary of details as its third element, got nothing"),
            ("[1,\"r\",[]]", "HELLO needs a dictionary of details as its third element, got a list"),
            ("[1,\"r\",{}]", "HELLO needs a dictionary of roles as its attribute 'roles', got nothing"),
            ("[3]", "ABORT needs a dictionary of details as its second element, got nothing"),
            ("[3,{}]", "ABORT needs a reason (a URI) as its third element, got nothing"),
            ("[3,{},\"a\",1]", "ABORT needs a list of arguments as its fourth element, got 1"),
            ("[5]", "AUTHENTICATE needs a signature as its second element, got nothing"),
            ("[5,\"x\"]", "AUTHENTICATE needs a dictionary of extra data as its third element, got nothing"),
            ("[6]", "GOODBYE needs a dictionary of details as its second element, got nothing"),
            ("[6,{},null]", "GOODBYE needs a reason (a URI) as its third element, got null"),
            (
                "[8]",
                "ERROR needs the type of the request (68, INVOCATION) as its second element, got nothing",
            ),
            (
                "[8,48,1,{},\"e\"]",
                "ERROR needs the type of the request (68, INVOCATION) as its second element, got 48",
            ),
            ("[8,68]", "ERROR needs a request id (1 to 2^53) as its third element, got nothing"),
            ("[8,68,1]", "ERROR needs a dictionary of details as its fourth element, got nothing"),
            ("[8,68,1,{}]", "ERROR needs an error URI as its fifth element, got nothing"),
            (
                "[8,68,1,{},\"e\",{}]",
                "ERROR needs a list of arguments as its sixth element, got a dictionary",
            ),
            (
                "[8,68,1,{},\"e\",[],[]]",
                "ERROR needs a dictionary of keyword arguments as its seventh element, got a list",
            ),
            ("[16]", "PUBLISH needs a request id (1 to 2^53) as its second element, got nothing"),
            ("[16,0,{},\"t\"]", "PUBLISH needs a request id (1 to 2^53) as its second element, got 0"),
            ("[16,-1,{},\"t\"]", "PUBLISH needs a request id (1 to 2^53) as its second element, got -1"),
            ("[16,1.0,{},\"t\"]", "PUBLISH needs a request id (1 to 2^53) as its second element, got 1.0"),
            (
                "[16,9007199254740993,{},\"t\"]",
                "PUBLISH needs a request id (1 to 2^53) as its second element, got 9007199254740993",
            ),
            ("[16,1]", "PUBLISH needs a dictionary of options as its third element, got nothing"),
            ("[16,1,null,\"t\"]", "PUBLISH needs a dictionary of options as its third element, got null"),
            ("[16,1,{}]", "PUBLISH needs a topic URI as its fourth element, got nothing"),
            ("[16,1,{},7]", "PUBLISH needs a topic URI as its fourth element, got 7"),
            ("[16,1,{},\"t\",\"x\"]", "PUBLISH needs a list of arguments as its fifth element, got \"x\""),
            (
                "[16,1,{},\"t\",[],5]",
                "PUBLISH needs a dictionary of keyword arguments as its sixth element, got 5",
            ),
            (
                "[16,1,{},\"t\",null,5]",
                "PUBLISH needs a dictionary of keyword arguments as its sixth element, got 5",
            ),
            ("[32,1,{}]", "SUBSCRIBE needs a topic URI as its fourth element, got nothing"),
            ("[34,1]", "UNSUBSCRIBE needs a subscription id (1 to 2^53) as its third element, got nothing"),
            (
                "[34,1,\"2\"]",
                "UNSUBSCRIBE needs a subscription id (1 to 2^53) as its third element, got \"2\"",
            ),
            ("[48,1,{}]", "CALL needs a procedure URI as its fourth element, got nothing"),
            ("[49,1]", "CANCEL needs a dictionary of options as its third element, got nothing"),
            ("[64,1,{},{}]", "REGISTER needs a procedure URI as its fourth element, got a dictionary"),
            ("[66,1]", "UNREGISTER needs a registration id (1 to 2^53) as its third element, got nothing"),
            ("[70,1]", "YIELD needs a dictionary of options as its third element, got nothing"),
            ("[70,1,{},{}]", "YIELD needs a list of arguments as its fourth element, got a dictionary"),
        ],
        client,
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn an_attribute_of_the_wrong_kind_is_refused_in_words() {
    is_told(
        &[
            ("[1,\"r\",{\"roles\":[]}]", "HELLO needs a dictionary as its attribute 'roles', got a list"),
            (
                "[1,\"r\",{\"roles\":{\"caller\":true}}]",
                "HELLO needs a dictionary of roles, each with a dictionary of features as its attribute 'roles', got a dictionary",
            ),
            (
                "[1,\"r\",{\"roles\":{\"caller\":{\"features\":1}}}]",
                "HELLO needs a dictionary of roles, each with a dictionary of features as its attribute 'roles', got a dictionary",
            ),
            ("[1,\"r\",{\"roles\":{},\"agent\":1}]", "HELLO needs a text as its attribute 'agent', got 1"),
            (
                "[1,\"r\",{\"roles\":{},\"authmethods\":[1]}]",
                "HELLO needs a list of texts as its attribute 'authmethods', got a list",
            ),
            (
                "[1,\"r\",{\"roles\":{},\"authextra\":\"x\"}]",
                "HELLO needs a dictionary as its attribute 'authextra', got \"x\"",
            ),
            ("[3,{\"message\":1},\"a\"]", "ABORT needs a text as its attribute 'message', got 1"),
            (
                "[8,68,1,{\"ppt_scheme\":{}},\"e\"]",
                "ERROR needs a text as its attribute 'ppt_scheme', got a dictionary",
            ),
            (
                "[16,1,{\"acknowledge\":1},\"t\"]",
                "PUBLISH needs a boolean as its attribute 'acknowledge', got 1",
            ),
            (
                "[16,1,{\"exclude_me\":\"no\"},\"t\"]",
                "PUBLISH needs a boolean as its attribute 'exclude_me', got \"no\"",
            ),
            ("[16,1,{\"retain\":[]},\"t\"]", "PUBLISH needs a boolean as its attribute 'retain', got a list"),
            (
                "[16,1,{\"exclude\":7},\"t\"]",
                "PUBLISH needs a list of session ids as its attribute 'exclude', got 7",
            ),
            (
                "[16,1,{\"eligible\":[0]},\"t\"]",
                "PUBLISH needs a list of session ids as its attribute 'eligible', got a list",
            ),
            (
                "[16,1,{\"eligible\":{}},\"t\"]",
                "PUBLISH needs a list of session ids as its attribute 'eligible', got a dictionary",
            ),
            (
                "[16,1,{\"exclude_authid\":[1]},\"t\"]",
                "PUBLISH needs a list of texts as its attribute 'exclude_authid', got a list",
            ),
            (
                "[32,1,{\"match\":\"regex\"},\"t\"]",
                "SUBSCRIBE needs 'exact', 'prefix' or 'wildcard' as its attribute 'match', got \"regex\"",
            ),
            (
                "[32,1,{\"match\":1},\"t\"]",
                "SUBSCRIBE needs 'exact', 'prefix' or 'wildcard' as its attribute 'match', got 1",
            ),
            (
                "[32,1,{\"get_retained\":1},\"t\"]",
                "SUBSCRIBE needs a boolean as its attribute 'get_retained', got 1",
            ),
            (
                "[48,1,{\"timeout\":-1},\"t\"]",
                "CALL needs an integer that is not negative as its attribute 'timeout', got -1",
            ),
            (
                "[48,1,{\"timeout\":1.5},\"t\"]",
                "CALL needs an integer that is not negative as its attribute 'timeout', got 1.5",
            ),
            (
                "[48,1,{\"receive_progress\":0},\"t\"]",
                "CALL needs a boolean as its attribute 'receive_progress', got 0",
            ),
            (
                "[49,1,{\"mode\":\"abort\"}]",
                "CANCEL needs 'skip', 'kill' or 'killnowait' as its attribute 'mode', got \"abort\"",
            ),
            (
                "[64,1,{\"invoke\":\"all\"},\"t\"]",
                "REGISTER needs 'single', 'first', 'last', 'roundrobin' or 'random' as its attribute 'invoke', got \"all\"",
            ),
            (
                "[64,1,{\"concurrency\":\"2\"},\"t\"]",
                "REGISTER needs an integer that is not negative as its attribute 'concurrency', got \"2\"",
            ),
            ("[70,1,{\"progress\":\"x\"}]", "YIELD needs a boolean as its attribute 'progress', got \"x\""),
        ],
        client,
    );
}

#[test]
fn a_malformed_router_message_is_refused_in_words() {
    is_told(
        &[
            ("[1,\"r\",{}]", "HELLO is a message that only a client sends"),
            ("[5,\"\",{}]", "AUTHENTICATE is a message that only a client sends"),
            ("[16,1,{},\"t\"]", "PUBLISH is a message that only a client sends"),
            ("[32,1,{},\"t\"]", "SUBSCRIBE is a message that only a client sends"),
            ("[34,1,2]", "UNSUBSCRIBE is a message that only a client sends"),
            ("[48,1,{},\"t\"]", "CALL is a message that only a client sends"),
            ("[49,1,{}]", "CANCEL is a message that only a client sends"),
            ("[64,1,{},\"t\"]", "REGISTER is a message that only a client sends"),
            ("[66,1,2]", "UNREGISTER is a message that only a client sends"),
            ("[70,1,{}]", "YIELD is a message that only a client sends"),
            ("[2,0,{}]", "WELCOME needs a session id (1 to 2^53) as its second element, got 0"),
            ("[2,1,{}]", "WELCOME needs a dictionary of roles as its attribute 'roles', got nothing"),
            ("[4,1,{}]", "CHALLENGE needs a method of authentication as its second element, got 1"),
            (
                "[8,68,1,{},\"e\"]",
                "ERROR needs the type of the request (16, 32, 34, 48, 64 or 66) as its second element, got 68",
            ),
            ("[17,1]", "PUBLISHED needs a publication id (1 to 2^53) as its third element, got nothing"),
            ("[33,1,0]", "SUBSCRIBED needs a subscription id (1 to 2^53) as its third element, got 0"),
            ("[35]", "UNSUBSCRIBED needs a request id (1 to 2^53) as its second element, got nothing"),
            ("[35,0]", "UNSUBSCRIBED needs a dictionary of details as its third element, got nothing"),
            (
                "[35,0,{}]",
                "UNSUBSCRIBED needs a subscription id (1 to 2^53) as its attribute 'subscription', got nothing",
            ),
            ("[36,1]", "EVENT needs a publication id (1 to 2^53) as its third element, got nothing"),
            ("[36,1,2]", "EVENT needs a dictionary of details as its fourth element, got nothing"),
            (
                "[36,1,2,{\"publisher\":0}]",
                "EVENT needs an id (1 to 2^53) as its attribute 'publisher', got 0",
            ),
            ("[50,1]", "RESULT needs a dictionary of details as its third element, got nothing"),
            ("[65,1]", "REGISTERED needs a registration id (1 to 2^53) as its third element, got nothing"),
            (
                "[67,0,{\"registration\":\"x\"}]",
                "UNREGISTERED needs an id (1 to 2^53) as its attribute 'registration', got \"x\"",
            ),
            ("[68,1]", "INVOCATION needs a registration id (1 to 2^53) as its third element, got nothing"),
            (
                "[69,1,{\"mode\":1}]",
                "INTERRUPT needs 'skip', 'kill' or 'killnowait' as its attribute 'mode', got 1",
            ),
        ],
        router,
    );
}

#[test]
fn nesting_is_bounded_the_message_itself_being_one_level() {
    for (serializer, head, open, close) in [
        (Serializer::Json, &b"[70,1,{},"[..], &b"["[..], &b"]"[..]),
        (Serializer::MessagePack, b"\x94\x46\x01\x80", b"\x91", b""),
        (Serializer::Cbor, b"\x84\x18\x46\x01\xa0", b"\x81", b""),
    ] {
        let nested = |levels: usize| {
            let inner = if close.is_empty() { &b"\0"[..] } else { b"0" };
            let end = if close.is_empty() { &b""[..] } else { b"]" };
            [head, &open.repeat(levels - 1), inner, &close.repeat(levels - 1), end].concat()
        };
        assert!(client(serializer, &nested(64)).is_ok());
        let error = client(serializer, &nested(65)).unwrap_err().to_string();
        let words = format!(
            "a WAMP message is {serializer}: nested deeper than 64 levels at byte {}",
            head.len() + 63
        );
        assert_eq!(error, words);
    }
}

#[test]
fn an_error_repeats_little_of_what_was_sent_and_nothing_unprintable() {
    for received in [Value::from("\u{1b}\u{202e}é".repeat(10_000)), Value::from("x".repeat(10_000))] {
        for serializer in Serializer::ALL {
            let message = serde_json::json!([16, received, {}, "t"]);
            let words = client(serializer, &encoded(&message, serializer)).unwrap_err().to_string();
            let got = words.split("got ").nth(1).unwrap();
            assert_eq!(got.chars().count().min(60), 60, "{got}");
            assert!(got.chars().count() <= Excerpt::MAX_CHARS && !got.contains(char::is_control), "{got}");
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0_u64), 1..100_u64, any::<u64>()].prop_map(Value::from),
        (-5_i64..0).prop_map(Value::from),
        prop::sample::select(vec!["a.b", "exact", "kill", "", "é"]).prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "roles",
        "features",
        "acknowledge",
        "exclude",
        "eligible_authid",
        "match",
        "invoke",
        "timeout",
        "mode",
        "ppt_scheme",
        "subscription",
        "reason",
        "x",
    ]);
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Nearly a message: of a type that there is.
fn nearly() -> impl Strategy<Value = Value> {
    let number = prop::sample::select(clank_wire::wamp2::MessageType::ALL.to_vec());
    (number, prop::collection::vec(json(), 0..7)).prop_map(|(number, rest)| {
        std::iter::once(Value::from(number as u64)).chain(rest).collect::<Vec<_>>().into()
    })
}

fn survives<'a, M: Message<'a>>(serializer: Serializer, bytes: &'a [u8], same: &'a mut Vec<u8>) {
    match M::read(serializer, bytes) {
        Ok(message) => {
            *same = message.write(serializer);
            assert_eq!(M::read(serializer, same), Ok(message));
        }
        Err(error) => {
            let words = error.to_string();
            assert!(!words.contains(char::is_control) && words.chars().count() < 250, "{words:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The serializers agree on what is a message and on what is wrong with it.
    #[test]
    fn a_message_is_judged_alike_in_each_serializer(value in nearly()) {
        let judge = |serializer: Serializer| {
            let bytes = encoded(&value, serializer);
            survives::<ClientMessage<'_>>(serializer, &bytes, &mut Vec::new());
            survives::<RouterMessage<'_>>(serializer, &bytes, &mut Vec::new());
            let words = |judged: Result<Vec<u8>, Malformed>| judged.map_err(|error| error.to_string());
            let client = ClientMessage::decode(serializer, &bytes).map(|message| message.write(Serializer::Json));
            let router = RouterMessage::decode(serializer, &bytes).map(|message| message.write(Serializer::Json));
            (words(client), words(router))
        };
        let json = judge(Serializer::Json);
        prop_assert_eq!(&judge(Serializer::MessagePack), &json);
        prop_assert_eq!(&judge(Serializer::Cbor), &json);
    }

    /// One byte of a message replaced, removed or added.
    #[test]
    fn a_message_with_a_fault_is_judged(
        value in nearly(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        for serializer in Serializer::ALL {
            let mut message = encoded(&value, serializer);
            let at = at.index(message.len());
            message.splice(at..=at, bytes.iter().copied());
            survives::<ClientMessage<'_>>(serializer, &message, &mut Vec::new());
            survives::<RouterMessage<'_>>(serializer, &message, &mut Vec::new());
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for serializer in Serializer::ALL {
            survives::<ClientMessage<'_>>(serializer, &bytes, &mut Vec::new());
            survives::<RouterMessage<'_>>(serializer, &bytes, &mut Vec::new());
        }
    }
}
