//! What must hold of WAMP v1 whatever a peer sends. Run by the fuzzer, and by a test over the
//! corpus that the fuzzer found.

use clank_core::wamp1::{Options, Request, Session, SessionId};
use clank_wire::json::{MAX_DEPTH, Raw, SyntaxError};
use clank_wire::wamp1::{ClientMessage, ServerMessage};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Takes the data as a session of messages, one a line.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    json_is_what_serde_takes_for_json(text);
    let options = Options {
        max_uri_bytes: 32,
        max_call_id_bytes: 8,
        max_prefixes: 3,
        max_prefix_bytes: 48,
        max_listed_sessions: 2,
        ..Options::default()
    };
    let mut session = Session::new(SessionId::from_random([7; 8]), options.clone().into());
    for line in text.split('\n') {
        json_is_what_serde_takes_for_json(line);
        client_message_survives_encoding(line);
        server_message_survives_encoding(line);
        session_keeps_its_bounds(&mut session, &options, line);
    }
}

fn json_is_what_serde_takes_for_json(text: &str) {
    let reference = serde_json::from_str::<IgnoredAny>(text);
    match Raw::parse(text) {
        Ok(raw) => {
            assert!(reference.is_ok(), "accepted what is not JSON: {text:?}");
            assert_eq!(raw.as_str(), text.trim_matches([' ', '\t', '\n', '\r']));
        }
        Err(SyntaxError::TooDeep { at }) => {
            let before = text.as_bytes().get(..=at).expect("a position in the text");
            let opened = before.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
            assert!(opened > MAX_DEPTH as usize, "called too deep: {text:?}");
        }
        Err(error) => assert!(reference.is_err(), "refused JSON: {text:?}: {error}"),
    }
}

fn client_message_survives_encoding(text: &str) {
    let Ok(message) = ClientMessage::decode(text) else { return };
    let mut encoded = Vec::new();
    message.encode(&mut encoded);
    let encoded = std::str::from_utf8(&encoded).expect("JSON is UTF-8");
    assert_eq!(ClientMessage::decode(encoded).as_ref(), Ok(&message), "{text:?}");
    // What follows the event may be written in other words: 1 for true, null for nothing.
    let same = if matches!(message, ClientMessage::Publish(_)) { 3 } else { usize::MAX };
    same_json(text, encoded, same);
}

fn server_message_survives_encoding(text: &str) {
    let Ok(message) = ServerMessage::decode(text) else { return };
    let mut encoded = Vec::new();
    message.encode(&mut encoded);
    let encoded = std::str::from_utf8(&encoded).expect("JSON is UTF-8");
    assert_eq!(ServerMessage::decode(encoded).as_ref(), Ok(&message), "{text:?}");
    same_json(text, encoded, usize::MAX);
}

/// The first elements of both are equal; elements that no message defines may be gone.
fn same_json(text: &str, encoded: &str, elements: usize) {
    // The grammar allows numbers and surrogates that no value can hold.
    let Ok(original) = serde_json::from_str::<Vec<Value>>(text) else { return };
    let encoded: Vec<Value> = serde_json::from_str(encoded).expect("what was decoded is JSON");
    let elements = elements.min(encoded.len());
    assert_eq!(original.get(..elements), encoded.get(..elements));
}

fn session_keeps_its_bounds(session: &mut Session, options: &Options, text: &str) {
    let (prefixes, bytes) = (session.prefix_count(), session.prefix_bytes());
    match session.receive(text) {
        Ok(Request::Prefix) => {}
        Ok(Request::Subscribe { topic } | Request::Unsubscribe { topic }) => {
            assert!((1..=options.max_uri_bytes).contains(&topic.as_str().len()));
        }
        Ok(Request::Publish { topic, recipients, .. }) => {
            assert!((1..=options.max_uri_bytes).contains(&topic.as_str().len()));
            let audience = recipients.resolve(1, |id| Some(id.value()));
            assert!(audience.exclude.count() <= options.max_listed_sessions);
        }
        Ok(Request::Call(call)) => {
            assert!(call.id.len() <= options.max_call_id_bytes);
            let mut params = Vec::new();
            call.params.write(&mut params);
            assert!(matches!(params.first(), Some(b'[' | b'{')));
        }
        Err(violation) => {
            let words = violation.to_string();
            assert!(!words.contains(char::is_control), "{words:?}");
            assert!(words.chars().count() < 200, "{words:?}");
            assert!(violation.close_reason().len() <= 123);
            assert!([1003, 1007, 1008].contains(&violation.fault.close_code()));
            assert_eq!((session.prefix_count(), session.prefix_bytes()), (prefixes, bytes));
        }
    }
    assert!(session.prefix_count() <= options.max_prefixes);
    assert!(session.prefix_bytes() <= options.max_prefix_bytes);
}
