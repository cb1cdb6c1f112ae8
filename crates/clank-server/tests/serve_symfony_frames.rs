//! `clank server --symfony`: what a worker is told, and what it has the server do. The worker is one that does as it
//! is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;
mod symfony_support;

use serde_json::{Value, json};

use serve_support::peer::{HANDSHAKE, Peer};
use serve_support::{eventually, until};
use symfony_support::{Folder, Scripted, generation};

/// A frame without what differs from run to run.
fn plain(frame: &Value) -> Value {
    let mut frame = frame.clone();
    let fields = frame.as_object_mut().unwrap();
    fields.remove("generation");
    fields.remove("seq");
    frame
}

#[test]
fn a_worker_is_told_what_clients_do_in_its_order() {
    let mut server = Scripted::start(&[]);
    let headers = "\r\nCookie: PHPSESSID=5ecret\r\nOrigin: http://clank.test\r\n\r\n";
    let handshake = HANDSHAKE.replacen("GET / ", "GET /?room=1 ", 1).replacen("\r\n\r\n", headers, 1);
    let mut peer = Peer::upgraded(server.program.address, &handshake).welcomed();
    let port = peer.stream.local_addr().unwrap().port();
    peer.subscribe("handled/a");
    peer.subscribe("other");
    peer.publish("handled/a", &json!({"n": 1}));
    assert_eq!(peer.json(), json!([8, "handled/a", {"seen": {"n": 1}}]));
    peer.publish("other", &json!("not for PHP"));
    assert_eq!(peer.json(), json!([8, "other", "not for PHP"]));
    assert_eq!(peer.call("do/echo", &json!({"a": [1.5, "é"]})), json!([3, "call", {"a": [1.5, "é"]}]));
    peer.send(r#"[6,"handled/a"]"#);
    peer.send_close(4000, "that is all");
    peer.closed();
    server.wait_for("close", 1);

    let frames = server.frames();
    let session = peer.session.clone();
    let connection = &frames[1]["connection"];
    let ops: Vec<&str> = frames.iter().map(|frame| frame["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["begin", "open", "subscribe", "subscribe", "publish", "call", "unsubscribe", "close"]);
    assert_eq!(frames[0]["generation"], 1);
    let headers = connection["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["cookie", "PHPSESSID=5ecret"])), "{headers:?}");
    for (name, value) in [
        ("id", json!(1)),
        ("session", json!(session)),
        ("address", json!("127.0.0.1")),
        ("port", json!(port)),
        ("protocol", json!("wamp")),
        ("path", json!("/")),
        ("query", json!("room=1")),
        ("identity", Value::Null),
    ] {
        assert_eq!(connection[name], value, "{name}");
    }
    let begin =
        json!({"op": "begin", "address": format!("ws://{}", server.program.address), "previous": null});
    for (number, said) in [
        (0, begin),
        (2, json!({"op": "subscribe", "id": 1, "topic": "handled/a"})),
        (3, json!({"op": "subscribe", "id": 1, "topic": "other"})),
        (
            4,
            json!({"op": "publish", "id": 1, "topic": "handled/a", "event": {"n": 1}, "exclude": [], "eligible": null}),
        ),
        (5, json!({"op": "call", "id": 1, "procedure": "do/echo", "params": {"a": [1.5, "é"]}})),
        (6, json!({"op": "unsubscribe", "id": 1, "topic": "handled/a", "closing": false})),
        (7, json!({"op": "close", "id": 1, "cause": "client_closed", "code": 4000, "reason": "that is all"})),
    ] {
        assert_eq!(plain(&frames[number]), said);
    }
    let log = server.program.log();
    assert!(!log.contains("5ecret"), "what a client is known by is for the worker alone: {log}");
    let lines = server.end();
    assert_eq!(lines[2..], ["1 connected", "1 disconnected"]);
}

#[test]
fn who_is_excluded_and_eligible_is_told_by_number() {
    let mut server = Scripted::start(&[]);
    let (one, mut two) = (server.client(), server.client());
    two.send(json!([7, "handled", 1, true]).to_string());
    two.send(json!([7, "handled", 2, [one.session], [one.session, two.session]]).to_string());
    let frames = server.wait_for("publish", 2);
    assert_eq!((&frames[0]["exclude"], &frames[0]["eligible"]), (&json!([2]), &Value::Null));
    assert_eq!((&frames[1]["exclude"], &frames[1]["eligible"]), (&json!([1]), &json!([1, 2])));
    one.leave();
    two.leave();
    server.end();
}

#[test]
fn the_end_of_a_connection_comes_with_the_subscriptions_that_a_handler_has() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client();
    peer.subscribe("handled");
    peer.subscribe("other");
    generation(&mut peer);
    drop(peer);
    server.prints("1 disconnected");
    let frames = server.frames();
    let ops: Vec<&str> = frames.iter().skip(4).map(|frame| frame["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["call", "unsubscribe", "close"][..], "{frames:?}");
    assert_eq!((&frames[5]["topic"], &frames[5]["closing"]), (&json!("handled"), &json!(true)));
    assert_eq!(frames[6]["cause"], "network_lost");
    server.end();
}

#[test]
fn a_worker_has_the_server_do_things() {
    let mut server = Scripted::start(&[]);
    let (mut one, mut two) = (server.client(), server.client());
    for peer in [&mut one, &mut two] {
        peer.subscribe("t");
        generation(peer);
    }
    let mut broadcast = |params: Value| {
        one.send(json!([2, "b", "do/broadcast", params]).to_string());
        assert_eq!(
            eventually("the answer", || Some(one.json()).filter(|json| json[0] == 3)),
            json!([3, "b", true])
        );
    };
    broadcast(json!({"topic": "t", "event": [1, {"a": 1.50}], "exclude": [1]}));
    assert_eq!(two.text(), r#"[8,"t",[1,{"a":1.5}]]"#);
    broadcast(json!({"topic": "t", "event": null, "eligible": [2]}));
    assert_eq!(two.json(), json!([8, "t", null]));
    two.send(json!([2, "e", "do/event", {"only": "me"}]).to_string());
    assert_eq!([two.json(), two.json()], [json!([8, "told", {"only": "me"}]), json!([3, "e", true])]);
    two.send(json!([2, "s", "do/send"]).to_string());
    assert_eq!([two.json(), two.json()], [json!([8, "sent", "as it stands"]), json!([3, "s", true])]);
    two.call("do/remove", &json!(["t"]));
    two.call("do/add", &json!(["u"]));
    two.publish("t", &json!(1));
    two.publish("u", &json!(2));
    assert_eq!((one.json(), two.json()), (json!([8, "t", 1]), json!([8, "u", 2])));
    assert_eq!(two.call("do/nothing_of_sense", &json!([])), json!([3, "call", true]));
    assert_eq!(
        two.call("do/error", &json!([])),
        json!([4, "call", "http://example.com/error", "no", [1]]),
        "an error as it was said"
    );
    two.call("do/close", &json!([1]));
    assert_eq!(one.closed(), (4001, String::new()));
    two.leave();
    server.end();
}

#[test]
fn calls_are_those_of_the_applications_services() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client();
    let error = |uri: &str, description: &str, details: Value| json!([4, "call", uri, description, details]);
    let unknown = json!({"code": 404, "rpc": "other/it", "params": []});
    assert_eq!(peer.call("other/it", &json!([])), error("other/it", "Unable to find that command", unknown));
    let malformed = json!({"code": 400, "rpc": "do", "params": [], "topic_name": "do"});
    assert_eq!(peer.call("do", &json!([])), error("do", "Incorrectly formatted Topic name", malformed));
    peer.leave();
    assert!(server.every("call").is_empty());
    server.end();
}

#[test]
fn a_hosted_application_gets_everything() {
    let app = Folder::new();
    app.write("hello.json", r#"{"all_topics": true, "all_calls": true}"#);
    let mut server = Scripted::start_with(app, &[]);
    let mut peer = server.client();
    peer.publish("any", &json!(1));
    server.wait_for("publish", 1);
    assert_eq!(peer.call("http://example.com/whatever", &json!([])), json!([3, "call", true]));
    // It may answer when it likes, in any order.
    peer.send(r#"[2,"l1","do/later"]"#);
    peer.send(r#"[2,"l2","do/later"]"#);
    peer.send(r#"[2,"now","do/answer_all"]"#);
    let mut answers = [peer.json(), peer.json(), peer.json()].map(|answer| answer[1].clone());
    answers.sort_by_key(Value::to_string);
    assert_eq!(answers, ["l1", "l2", "now"]);
    peer.leave();
    server.end();
}

#[test]
fn the_user_of_a_session_is_asked_for_and_known_to_every_event() {
    let app = Folder::new();
    app.write("hello.json", r#"{"connecting": true}"#);
    let mut server = Scripted::start_with(app, &[("CLANK_EVENTS_CONSOLE", "json")]);
    server.client().leave();
    server.prints("1 disconnected");
    let frames = server.frames();
    assert_eq!((&frames[1]["op"], &frames[1]["connection"]["id"]), (&json!("connecting"), &json!(1)));
    assert_eq!(frames[2]["connection"]["identity"], "anna");
    assert_eq!(frames[1]["connection"]["session"], frames[2]["connection"]["session"]);
    let connected =
        server.program.lines().into_iter().find(|line| line.contains("client.connected")).unwrap();
    let record: Value = serde_json::from_str(&connected).unwrap();
    assert_eq!(record["identity"], json!({"id": "anna"}));
    server.end();
}

#[test]
fn ticks_come_at_their_times_and_one_at_a_time() {
    let app = Folder::new();
    app.write(
        "hello.json",
        r#"{"periodics": [{"name": "waits", "interval_ms": 5}, {"name": "never", "interval_ms": 3600000}]}"#,
    );
    let mut server = Scripted::start_with(app, &[]);
    let frames = server.wait_for("tick", 4);
    assert!(frames.iter().all(|frame| frame["name"] == "waits"));
    let mut peer = server.client();
    generation(&mut peer);
    peer.leave();
    server.end();
}

#[test]
fn what_the_application_prints_is_printed() {
    let app = Folder::new();
    app.write("boot.php", r#"<?php echo "one\n\n  two\tthree"; fwrite(STDERR, "a warning\n");"#);
    let mut server = Scripted::start_with(app, &[]);
    server.logs("a warning");
    let lines = server.end();
    let printed: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !is_servers(line)).collect();
    assert_eq!(printed, ["one", "", "  two\tthree"]);
}

#[test]
fn an_application_listens_where_it_says_unless_the_server_is_told() {
    let app = Folder::new();
    app.write("hello.json", r#"{"listen": {"host": "localhost", "port": 1}}"#);
    let mut server = Scripted::start_with(app, &[]);
    assert!(server.program.address.ip().is_loopback());
    assert_ne!(server.program.address.port(), 1, "the port was given");
    server.end();
}

#[test]
fn exceptions_become_error_events_and_are_told_of_by_their_request() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client_with("throws");
    peer.subscribe("handled/throws");
    peer.publish("handled", &json!("throws"));
    assert_eq!(peer.call("do/it", &json!(["throws"])), json!([3, "call", [1, "throws"]]));
    let errors = server.wait_for("error", 4);
    peer.leave();
    until("all is told", || server.every("close").len() == 1);
    let thrown: Vec<Value> = server
        .frames()
        .iter()
        .filter(|frame| ["open", "subscribe", "publish", "call"].iter().any(|op| frame["op"] == *op))
        .map(|frame| frame["seq"].clone())
        .collect();
    let of: Vec<Value> = errors.iter().map(|error| error["of"].clone()).collect();
    assert_eq!(of, thrown);
    let kinds: Vec<&Value> = errors.iter().map(|error| &error["kind"]).collect();
    assert_eq!(kinds, ["listener_failed", "handler_failed", "handler_failed", "handler_failed"]);
    assert!(errors.iter().all(|error| error["message"] == "it throws" && error["id"] == 1));
    server.logs("the application threw RuntimeException: it throws in ");
    server.end();
}

/// Whether the server itself says so, and not its application.
fn is_servers(line: &str) -> bool {
    ["Starting Clank", "Launching WebSocket server on: "].iter().any(|words| line.starts_with(words))
}
