//! What requests may use of the server, and what they can't do to it.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::support::{Answer, Peer, TOKEN, request, serve, serve_with, until};

/// A body of so many bytes.
fn publication(bytes: usize) -> String {
    let empty = json!({"topic": "t", "event": ""}).to_string();
    json!({"topic": "t", "event": "x".repeat(bytes - empty.len())}).to_string()
}

#[test]
fn a_body_that_is_too_long_is_refused_declared_or_not() {
    let test = serve_with(&[("api.body", "1KiB")]);
    let json = [("Content-Type", "application/json")];
    assert_eq!(test.request("POST", "/v1/publish", &json, &publication(1_024)).ok(), json!({"receivers": 0}));
    for bytes in [1_025, 100_000] {
        let refused = test.request("POST", "/v1/publish", &json, &publication(bytes));
        assert_eq!(refused.problem(), (413, "body-too-large"), "{bytes}");
    }
    let mut peer = Peer::connect(test.api.address());
    let head = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    peer.write(head.as_bytes());
    for _ in 0..3 {
        peer.write(format!("200\r\n{}\r\n", "x".repeat(0x200)).as_bytes());
    }
    peer.write(b"0\r\n\r\n");
    assert_eq!(Answer::of(peer.response()).problem(), (413, "body-too-large"));
}

#[test]
fn a_body_that_is_refused_is_not_asked_for() {
    let test = serve_with(&[("api.body", "1KiB")]);
    let ask = |token: &str, length: usize| {
        let mut peer = Peer::connect(test.api.address());
        let head = format!(
            "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        peer.write(head.as_bytes());
        peer
    };
    assert_eq!(Answer::of(ask("wrong", 100).response()).problem(), (401, "unauthorized"));
    assert_eq!(Answer::of(ask(TOKEN, 2_000).response()).problem(), (413, "body-too-large"));
    let body = publication(1_000);
    let mut peer = ask(TOKEN, body.len());
    assert_eq!(peer.response().status, 100);
    peer.write(body.as_bytes());
    assert_eq!(peer.response().status, 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let test = serve_with(&[("api.timeout", "100ms")]);
    let mut peer = Peer::connect(test.api.address());
    let whole = request("POST", "/v1/publish", &[("Content-Type", "application/json")], &publication(100));
    peer.write(&whole[..whole.len() - 1]);
    assert_eq!(Answer::of(peer.response()).problem(), (408, "request-timeout"));
    // A client that goes away in the middle of its request harms nobody.
    let mut peer = Peer::connect(test.api.address());
    peer.write(&whole[..whole.len() - 1]);
    drop(peer);
    test.get("/v1/connections").ok();
}

#[test]
fn heads_that_are_too_long_or_no_http_are_refused() {
    let test = serve();
    let ask = |bytes: &[u8]| {
        let mut peer = Peer::connect(test.api.address());
        // It may hang up before all is written.
        _ = peer.stream.write_all(bytes);
        let mut response = Vec::new();
        _ = peer.stream.read_to_end(&mut response);
        String::from_utf8_lossy(&response).lines().next().unwrap_or_default().to_owned()
    };
    let long = "x".repeat(20_000);
    let cases = [
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), &["414", "431"][..]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), &["431"]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100)), &["431"]),
        ("nonsense\r\n\r\n".to_owned(), &["400"]),
        ("GET / HTTP/3.0\r\n\r\n".to_owned(), &["400"]),
        ("POST /v1/publish HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(), &["400"]),
        ("POST /v1/publish HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), &["400"]),
    ];
    for (bytes, statuses) in cases {
        let line = ask(bytes.as_bytes());
        assert!(
            statuses.iter().any(|status| line.contains(status)),
            "{line}: {}",
            &bytes[..bytes.len().min(60)]
        );
    }
    test.get("/v1/connections").ok();
}

#[test]
fn connections_beyond_the_most_are_told_so() {
    let test = serve_with(&[("api.connections", "2")]);
    let mut peers = [0; 2].map(|_| test.begin("POST", "/v1/call", &[], &json!({"uri": "test/wait"})));
    until("they are served", || test.calls.count.load(Ordering::Acquire) == 2);
    let refused = test.get("/v1/connections");
    assert_eq!(refused.problem(), (503, "too-many-connections"));
    assert!(refused.head.contains("retry-after: 1\r\n"), "{}", refused.head);
    // Sockets are served all the same.
    let mut client = test.subscriber("t");
    test.handle().publish("t", &1).unwrap();
    assert_eq!(client.json(), json!([8, "t", 1]));
    client.leave();
    test.calls.go.add_permits(2);
    peers.iter_mut().for_each(|peer| assert_eq!(peer.response().status, 200));
    until("there is room again", || test.get("/v1/connections").status == 200);
}

#[test]
fn work_whose_client_has_gone_is_bounded() {
    let test = serve_with(&[("api.connections", "2")]);
    for count in 1..=2 {
        let gone = test.begin("POST", "/v1/call", &[], &json!({"uri": "test/wait"}));
        until("it works", || test.calls.count.load(Ordering::Acquire) == count);
        drop(gone);
    }
    until("they are gone", || {
        let answer = test.post("/v1/publish", &json!({"topic": "t", "event": 1}));
        answer.status == 429 && answer.problem() == (429, "too-many-requests")
    });
    test.get("/v1/connections").ok();
    test.calls.go.add_permits(2);
    until("there is room again", || {
        test.post("/v1/publish", &json!({"topic": "t", "event": 1})).status == 200
    });
}
