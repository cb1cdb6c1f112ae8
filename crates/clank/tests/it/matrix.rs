//! Every version, transport and serializer does what every other does, and meets every other.

use serde_json::{Value, json};

use crate::support::cell::{Cell, Client, Sent};
use crate::support::{Test, serve};

/// What is published and called with.
fn payloads() -> Vec<Sent> {
    let sent = |arguments: Value| Sent { arguments, keywords: None };
    vec![
        sent(json!([])),
        sent(json!([null])),
        sent(json!([""])),
        sent(json!(["ä€😀 \"quoted\" \\ \u{1f} \u{2028}"])),
        // What MessagePack and CBOR have as bytes.
        sent(json!(["\u{0}AQIDBA=="])),
        sent(json!([0, -1, 1.5, -2.25e10, 9_007_199_254_740_993_u64, u64::MAX, i64::MIN, true, null])),
        sent(json!([{"nested": [[], {}, {"list": [1, [2, [3]]]}], "ключ": "значение"}])),
        sent(json!([["a", "list"], "and", {"more": false}])),
        Sent { arguments: json!([]), keywords: Some(json!({"k": "v", "n": [1, 2]})) },
        Sent { arguments: json!([1, "two"]), keywords: Some(json!({"schlüssel": null})) },
        sent(json!(["x".repeat(150_000)])),
        sent(json!([(0..5_000).collect::<Vec<u32>>()])),
    ]
}

/// One client of each cell.
fn everybody(test: &Test) -> Vec<Client> {
    Cell::all().into_iter().map(|cell| cell.connect(test)).collect()
}

fn sent(value: impl Into<Value>) -> Sent {
    Sent { arguments: json!([value.into()]), keywords: None }
}

#[test]
fn all_hear_what_each_publishes_in_its_order() {
    let test = serve(|builder| builder);
    let mut all = everybody(&test);
    all.iter_mut().for_each(|client| client.subscribe("com.example.topic"));
    for at in 0..all.len() {
        for payload in payloads() {
            all[at].publish("com.example.topic", &payload, &[]);
            let by = all[at].cell;
            for client in &mut all {
                let heard = client.hears("com.example.topic");
                assert!(heard == payload.value(), "{:?} by {by:?}: {payload:?}", client.cell);
            }
        }
        for number in 0..100 {
            all[at].publish("com.example.topic", &sent(number), &[]);
        }
        for client in &mut all {
            let heard: Vec<Value> = (0..100).map(|_| client.hears("com.example.topic")).collect();
            assert_eq!(Value::from(heard), json!((0..100).collect::<Vec<u32>>()), "{:?}", client.cell);
        }
    }
    all.into_iter().for_each(Client::leave);
}

#[test]
fn each_can_be_left_out_by_each() {
    let test = serve(|builder| builder);
    let mut all = everybody(&test);
    let sessions: Vec<u64> = all.iter().map(Client::session).collect();
    all.iter_mut().for_each(|client| client.subscribe("com.example.topic"));
    for publisher in 0..all.len() {
        for (left_out, session) in sessions.iter().enumerate() {
            all[publisher].publish("com.example.topic", &sent("secret"), &[*session]);
            all[publisher].publish("com.example.topic", &sent("for all"), &[]);
            for (at, client) in all.iter_mut().enumerate() {
                if at != left_out {
                    assert_eq!(client.hears("com.example.topic"), "secret", "{:?}", client.cell);
                }
                assert_eq!(client.hears("com.example.topic"), "for all", "{:?}", client.cell);
            }
        }
    }
    all.into_iter().for_each(Client::leave);
}

#[test]
fn who_has_unsubscribed_hears_no_more() {
    let test = serve(|builder| builder);
    let mut all = everybody(&test);
    for client in &mut all {
        client.subscribe("com.example.left");
        client.subscribe("com.example.kept");
    }
    for at in 0..all.len() {
        all[at].unsubscribe("com.example.left");
        all[at].publish("com.example.left", &sent("not to itself"), &[]);
        for client in &mut all[at + 1..] {
            assert_eq!(client.hears("com.example.left"), "not to itself");
        }
        all[at].publish("com.example.kept", &sent("to all"), &[]);
        for client in &mut all {
            assert_eq!(client.hears("com.example.kept"), "to all", "{:?}", client.cell);
        }
    }
    assert_eq!(test.handle().tables().topics, 1);
    all.into_iter().for_each(Client::leave);
}

#[test]
fn all_call_what_each_offers() {
    let test = serve(|builder| builder);
    let mut callers = everybody(&test);
    for cell in Cell::all().into_iter().filter(|cell| cell.version == 2) {
        let mut callee = cell.connect(&test);
        callee.offer("com.example.proc");
        for caller in &mut callers {
            let what = format!("{:?} called by {:?}", cell, caller.cell);
            // WAMP v1 has no keyword arguments.
            let has_keywords = caller.cell.version == 2;
            for payload in payloads().iter().filter(|it| it.keywords.is_none() || has_keywords) {
                let result = meanwhile(&mut callee, || caller.call("com.example.proc", payload));
                assert!(result == Ok(payload.value()), "{what}: {payload:?}");
            }
            let failed = meanwhile(&mut callee, || caller.call("com.example.proc", &sent("fail")));
            let expected = ("com.example.error".to_owned(), "why".to_owned(), json!({"code": 7}));
            assert_eq!(failed, Err(expected), "{what}");
        }
        callee.leave();
        for caller in &mut callers {
            let gone = caller.call("com.example.proc", &sent(1)).unwrap_err();
            let expected =
                if caller.cell.version == 1 { "com.example.proc" } else { "wamp.error.no_such_procedure" };
            assert_eq!(gone.0, expected, "{:?}", caller.cell);
        }
    }
    callers.into_iter().for_each(Client::leave);
}

#[test]
fn all_call_what_the_server_offers() {
    let test = serve(|builder| builder);
    for mut client in everybody(&test) {
        let list = json!(["ä", 1, {"a": [null]}]);
        let echoed = client.call("test/echo", &sent(list.clone()));
        assert_eq!(echoed, Ok(list), "{:?}", client.cell);
        assert_eq!(client.call("test/nothing", &sent(1)), Ok(Value::Null), "{:?}", client.cell);
        let (uri, description, details) = client.call("test/fail", &sent(1)).unwrap_err();
        assert_eq!((uri.as_str(), description.as_str()), ("test/fail", "it did not work"));
        assert_eq!((&details["code"], &details["hint"]), (&json!(417), &json!("try again")));
        client.leave();
    }
}

/// Calls while the callee answers.
fn meanwhile<T: Send>(callee: &mut Client, call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let calling = scope.spawn(call);
        callee.answer();
        calling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
