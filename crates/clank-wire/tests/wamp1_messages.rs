//! Every message of WAMP v1, well-formed and malformed, read and written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::wamp1::{ClientMessage, Excerpt, Exclude, Malformed, ServerMessage};
use proptest::prelude::*;
use serde_json::{Value, json};

fn encode_client(message: &ClientMessage<'_>) -> String {
    let mut out = Vec::new();
    message.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn encode_server(message: &ServerMessage<'_>) -> String {
    let mut out = Vec::new();
    message.encode(&mut out);
    String::from_utf8(out).unwrap()
}

/// Each is read, and written as the text beside it, which reads as the same message.
#[track_caller]
fn client_writes(cases: &[(&str, &str)]) {
    for (received, written) in cases {
        let message = ClientMessage::decode(received).expect(received);
        assert_eq!(&encode_client(&message), written, "{received}");
        assert_eq!(ClientMessage::decode(written).as_ref(), Ok(&message), "{received}");
    }
}

#[track_caller]
fn server_writes(cases: &[(&str, &str)]) {
    for (received, written) in cases {
        let message = ServerMessage::decode(received).expect(received);
        assert_eq!(&encode_server(&message), written, "{received}");
        assert_eq!(ServerMessage::decode(written).as_ref(), Ok(&message), "{received}");
    }
}

#[track_caller]
fn client_is_told(cases: &[(&str, &str)]) {
    for (received, words) in cases {
        let error = ClientMessage::decode(received).expect_err(received);
        assert_eq!(&error.to_string(), words, "{received}");
    }
}

#[test]
fn a_client_message_is_read_and_written() {
    client_writes(&[
        (r#"[1,"p","http://x/"]"#, r#"[1,"p","http://x/"]"#),
        (r#"[2,"id","s/m"]"#, r#"[2,"id","s/m"]"#),
        (r#"[2,"id","s/m",null]"#, r#"[2,"id","s/m",null]"#),
        (r#"[2,"id","s/m",2,5]"#, r#"[2,"id","s/m",2,5]"#),
        (r#"[2,"id","s/m",[2,5],{"a":"b"},1]"#, r#"[2,"id","s/m",[2,5],{"a":"b"},1]"#),
        (r#"[2,"","s/m"]"#, r#"[2,"","s/m"]"#),
        (r#"[5,"t"]"#, r#"[5,"t"]"#),
        (" [ 5 ,\t\"t\"\r\n] ", r#"[5,"t"]"#),
        (r#"[5,"a\"b\\c\/d\u00e9\ud83d\ude00"]"#, r#"[5,"a\"b\\c/dé😀"]"#),
        (r#"[5,"\u0000\b\f\n\r\t\u001f\u007f"]"#, "[5,\"\\u0000\\b\\f\\n\\r\\t\\u001f\u{7f}\"]"),
        (r#"[5,""]"#, r#"[5,""]"#),
        (r#"[5,"t","more",1]"#, r#"[5,"t"]"#),
        (r#"[6,"t"]"#, r#"[6,"t"]"#),
        (r#"[7,"t",null]"#, r#"[7,"t",null]"#),
        (r#"[7,"t", {"a" : [1, 2]} ]"#, r#"[7,"t",{"a" : [1, 2]}]"#),
        (r#"[7,"t","\ud800",true]"#, r#"[7,"t","\ud800",true]"#),
        (r#"[7,"t",1e999,false]"#, r#"[7,"t",1e999,false]"#),
        (r#"[7,"t",1,[]]"#, r#"[7,"t",1,[]]"#),
        (r#"[7,"t",1,["a","b"],["c"]]"#, r#"[7,"t",1,["a","b"],["c"]]"#),
        (r#"[7,"t",1,null,["c"]]"#, r#"[7,"t",1,null,["c"]]"#),
        (r#"[7,"t",1,true,[]]"#, r#"[7,"t",1,true,[]]"#),
        (r#"[7,"t",1,null,null]"#, r#"[7,"t",1]"#),
    ]);
}

#[test]
fn a_server_message_is_read_and_written() {
    server_writes(&[
        (r#"[0,"0123456789abcd",1,"Clank/0.1.0"]"#, r#"[0,"0123456789abcd",1,"Clank/0.1.0"]"#),
        (r#"[1,"p","http://x/"]"#, r#"[1,"p","http://x/"]"#),
        (r#"[3,"id",null]"#, r#"[3,"id",null]"#),
        (r#"[3,"id",{"result":7}]"#, r#"[3,"id",{"result":7}]"#),
        (r#"[4,"id","s/m","no \"m\""]"#, r#"[4,"id","s/m","no \"m\""]"#),
        (r#"[4,"id","s/m","no",{"code":404}]"#, r#"[4,"id","s/m","no",{"code":404}]"#),
        (r#"[4,"id","s/m","no",null]"#, r#"[4,"id","s/m","no",null]"#),
        (r#"[8,"t",[1,2,3]]"#, r#"[8,"t",[1,2,3]]"#),
        (r#"[8,"t",false]"#, r#"[8,"t",false]"#),
    ]);
}

/// What Ratchet 0.4 took or died of, and Clank refuses; and what both refuse.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_malformed_client_message_is_refused_in_words() {
    client_is_told(&[
        // No JSON.
        ("", "a WAMP message is JSON: expected a value at byte 0, got the end"),
        ("hello", "a WAMP message is JSON: expected a value at byte 0, got 'h'"),
        ("[5,\"t\"", "a WAMP message is JSON: expected ',' or ']' at byte 6, got the end"),
        ("[5,\"t\"]]", "a WAMP message is JSON: expected the end at byte 7, got ']'"),
        (
            "[5,\"a\nb\"]",
            "a WAMP message is JSON: expected an escape of the control character at byte 5, got '\\n'",
        ),
        ("[5,'t']", "a WAMP message is JSON: expected a value at byte 3, got \"'\""),
        ("[5,\"t\",]", "a WAMP message is JSON: expected a value at byte 7, got ']'"),
        ("[,]", "a WAMP message is JSON: expected a value at byte 1, got ','"),
        ("{\"a\" 1}", "a WAMP message is JSON: expected ':' at byte 5, got '1'"),
        ("\u{feff}[5,\"t\"]", "a WAMP message is JSON: expected a value at byte 0, got '\\u{feff}'"),
        // That the whole is JSON is checked first.
        ("[5,null", "a WAMP message is JSON: expected ',' or ']' at byte 7, got the end"),
        // JSON, but no message.
        ("null", "a WAMP message is a JSON array that begins with its type, got null"),
        ("{}", "a WAMP message is a JSON array that begins with its type, got {}"),
        ("7", "a WAMP message is a JSON array that begins with its type, got 7"),
        ("\"x\"", "a WAMP message is a JSON array that begins with its type, got \"x\""),
        (
            r#"{"0":5,"1":"x"}"#,
            r#"a WAMP message is a JSON array that begins with its type, got {"0":5,"1":"x"}"#,
        ),
        // No type.
        ("[]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got nothing"),
        ("[9]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got 9"),
        ("[-1]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got -1"),
        ("[05]", "a WAMP message is JSON: expected ',' or ']' at byte 2, got '5'"),
        ("[5.0,\"t\"]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got 5.0"),
        ("[5e0,\"t\"]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got 5e0"),
        (r#"["5","t"]"#, r#"a WAMP v1 message begins with its type, an integer from 0 to 8, got "5""#),
        (r#"[true,"p","u"]"#, "a WAMP v1 message begins with its type, an integer from 0 to 8, got true"),
        ("[[5],\"t\"]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got [5]"),
        // Out of place: for servers to send.
        (r#"[0,"id",1,"me"]"#, "WELCOME is a message that only a server sends"),
        (r#"[3,"id",1]"#, "CALLRESULT is a message that only a server sends"),
        (r#"[4,"id","u","d"]"#, "CALLERROR is a message that only a server sends"),
        (r#"[8,"t",1]"#, "EVENT is a message that only a server sends"),
        // Elements that are missing or of the wrong kind.
        ("[1]", "PREFIX needs a prefix as its second element, got nothing"),
        (r#"[1,"p"]"#, "PREFIX needs a URI as its third element, got nothing"),
        (r#"[1,1,"u"]"#, "PREFIX needs a prefix as its second element, got 1"),
        (r#"[1,"p",["u"]]"#, r#"PREFIX needs a URI as its third element, got ["u"]"#),
        ("[2]", "CALL needs a call id (a string) as its second element, got nothing"),
        (r#"[2,"id"]"#, "CALL needs a procedure URI as its third element, got nothing"),
        (r#"[2,7,"s/m"]"#, "CALL needs a call id (a string) as its second element, got 7"),
        (r#"[2,"id",null]"#, "CALL needs a procedure URI as its third element, got null"),
        ("[5]", "SUBSCRIBE needs a topic URI as its second element, got nothing"),
        ("[5,null]", "SUBSCRIBE needs a topic URI as its second element, got null"),
        ("[5,7]", "SUBSCRIBE needs a topic URI as its second element, got 7"),
        ("[5,[]]", "SUBSCRIBE needs a topic URI as its second element, got []"),
        ("[5,{\"a\":1}]", "SUBSCRIBE needs a topic URI as its second element, got {\"a\":1}"),
        (r#"[5,"\ud800"]"#, r#"SUBSCRIBE needs a topic URI as its second element, got "\ud800""#),
        ("[6]", "UNSUBSCRIBE needs a topic URI as its second element, got nothing"),
        ("[6,false]", "UNSUBSCRIBE needs a topic URI as its second element, got false"),
        ("[7]", "PUBLISH needs a topic URI as its second element, got nothing"),
        (r#"[7,"t"]"#, "PUBLISH needs an event as its third element, got nothing"),
        (r#"[7,null,1]"#, "PUBLISH needs a topic URI as its second element, got null"),
        (
            r#"[7,"t",1,[1]]"#,
            "PUBLISH needs a boolean or a list of session ids as its fourth element, got [1]",
        ),
        (r#"[7,"t",1,[],"id"]"#, r#"PUBLISH needs a list of session ids as its fifth element, got "id""#),
        (r#"[7,"t",1,[],[null]]"#, "PUBLISH needs a list of session ids as its fifth element, got [null]"),
        (r#"[7,"t",1,[],true]"#, "PUBLISH needs a list of session ids as its fifth element, got true"),
    ]);
}

#[test]
fn a_malformed_server_message_is_refused_in_words() {
    for (received, words) in [
        ("[0]", "WELCOME needs a session id as its second element, got nothing"),
        (r#"[0,"id",2,"s"]"#, "WELCOME needs the protocol version 1 as its third element, got 2"),
        (r#"[0,"id"]"#, "WELCOME needs the protocol version 1 as its third element, got nothing"),
        (r#"[0,"id",1]"#, "WELCOME needs the server's name as its fourth element, got nothing"),
        (r#"[1,"p"]"#, "PREFIX needs a URI as its third element, got nothing"),
        (r#"[3,"id"]"#, "CALLRESULT needs a result as its third element, got nothing"),
        (r#"[3,1,1]"#, "CALLRESULT needs a call id (a string) as its second element, got 1"),
        (r#"[4,"id","u"]"#, "CALLERROR needs a description as its fourth element, got nothing"),
        (r#"[4,"id",1,"d"]"#, "CALLERROR needs an error URI as its third element, got 1"),
        (r#"[8,"t"]"#, "EVENT needs an event as its third element, got nothing"),
        (r#"[8,1,1]"#, "EVENT needs a topic URI as its second element, got 1"),
        (r#"[2,"id","p"]"#, "CALL is a message that only a client sends"),
        (r#"[5,"t"]"#, "SUBSCRIBE is a message that only a client sends"),
        (r#"[6,"t"]"#, "UNSUBSCRIBE is a message that only a client sends"),
        (r#"[7,"t",1]"#, "PUBLISH is a message that only a client sends"),
        ("[]", "a WAMP v1 message begins with its type, an integer from 0 to 8, got nothing"),
    ] {
        let error = ServerMessage::decode(received).expect_err(received);
        assert_eq!(error.to_string(), words, "{received}");
    }
}

#[test]
fn the_fourth_element_of_publish_is_true_as_in_php() {
    for (element, excludes_me) in [
        ("true", true),
        ("1", true),
        ("-0.5", true),
        ("1e-400", false),
        ("1e999", true),
        ("\"me\"", true),
        ("\"false\"", true),
        ("{}", true),
        ("false", false),
        ("0", false),
        ("-0.0e5", false),
        ("\"\"", false),
        ("\"0\"", false),
    ] {
        let text = format!(r#"[7,"t",1,{element}]"#);
        let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(&text) else { panic!("{text}") };
        assert_eq!(publish.exclude, Exclude::Me(excludes_me), "{text}");
    }
}

#[test]
fn the_params_of_a_call_are_its_only_compound_argument_or_the_list() {
    for (arguments, params) in [
        ("", "[]"),
        (",[2,5]", "[2,5]"),
        (",{\"a\":1}", "{\"a\":1}"),
        (",[]", "[]"),
        (",\"x\"", "[\"x\"]"),
        (",null", "[null]"),
        (",2,5", "[2,5]"),
        (",[2],[5]", "[[2],[5]]"),
        (",[2],null", "[[2],null]"),
        (", 2 , [5] ", "[2 , [5]]"),
    ] {
        let text = format!(r#"[2,"id","s/m"{arguments}]"#);
        let Ok(ClientMessage::Call(call)) = ClientMessage::decode(&text) else { panic!("{text}") };
        let mut written = Vec::new();
        call.params().write(&mut written);
        assert_eq!(String::from_utf8_lossy(&written), params, "{text}");
        assert_eq!(call.params().len(), written.len(), "{text}");
        let value: Value = call.params().deserialize().unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(params).unwrap());
        assert_eq!(call.params().to_buf().as_payload().to_value().unwrap(), value);
        assert_eq!(call.arguments.iter().count(), call.arguments.count());
    }
}

#[test]
fn nesting_is_bounded_the_message_itself_being_one_level() {
    let nested = |levels: usize| format!(r#"[7,"t",{}{}]"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(ClientMessage::decode(&nested(64)).is_ok());
    let error = ClientMessage::decode(&nested(65)).unwrap_err().to_string();
    assert_eq!(error, "a WAMP message is JSON: nested deeper than 64 levels at byte 70");
    let bomb = "[".repeat(1 << 20);
    assert!(matches!(ClientMessage::decode(&bomb), Err(Malformed::Json(_))));
}

#[test]
fn an_error_repeats_little_of_what_was_sent_and_nothing_unprintable() {
    let text = format!("[5,[\"\u{1b}]8;;\u{202e}\u{2028}{}\"]]", "é".repeat(10_000));
    let text = text.replace('\u{1b}', "\\u001b");
    let words = ClientMessage::decode(&text).unwrap_err().to_string();
    let got = words.strip_prefix("SUBSCRIBE needs a topic URI as its second element, got ").unwrap();
    assert!(got.starts_with(r#"["\u001b]8;;\u{202e}\u{2028}éé"#), "{got}");
    assert_eq!(got.chars().count(), Excerpt::MAX_CHARS);
    for char in ['\0', '\u{85}', '\u{200f}', '\u{2066}', '\u{7f}'] {
        let shown = Excerpt::new(&char.to_string().repeat(100)).to_string();
        assert!(shown.starts_with('\\') && shown.ends_with('…'), "{shown}");
        assert!(shown.chars().count() <= Excerpt::MAX_CHARS);
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Both sides of a comparison are parsed from text, which makes the same of a number each time.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

proptest! {
    /// Any client message, written by another JSON library in either of its layouts.
    #[test]
    fn what_another_library_writes_is_read_and_written_as_equal_json(
        (text, other) in (any::<String>(), any::<String>()),
        values in prop::collection::vec(json_value(), 1..5),
        sessions in prop::collection::vec(any::<String>(), 0..4),
    ) {
        let mut call = vec![json!(2), json!(text), json!(other)];
        call.extend(values.iter().cloned());
        for message in [
            json!([1, text, other]),
            Value::Array(call),
            json!([5, text]),
            json!([6, text]),
            json!([7, text, values[0]]),
            json!([7, text, values[0], true]),
            json!([7, text, values[0], sessions, sessions]),
        ] {
            for received in [message.to_string(), serde_json::to_string_pretty(&message).unwrap()] {
                let decoded = ClientMessage::decode(&received).unwrap();
                prop_assert_eq!(parse(&encode_client(&decoded)), parse(&received));
            }
        }
    }

    #[test]
    fn what_a_server_writes_is_read_by_another_library(
        (text, other) in (any::<String>(), any::<String>()),
        value in json_value(),
    ) {
        for message in [
            json!([0, text, 1, other]),
            json!([3, text, value]),
            json!([4, text, other, text, value]),
            json!([4, text, other, text]),
            json!([8, text, value]),
        ] {
            let received = message.to_string();
            let decoded = ServerMessage::decode(&received).unwrap();
            prop_assert_eq!(parse(&encode_server(&decoded)), parse(&received));
        }
    }

    #[test]
    fn nothing_received_panics(text in any::<String>()) {
        let _ = (ClientMessage::decode(&text), ServerMessage::decode(&text));
    }
}
