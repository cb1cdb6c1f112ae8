//! The webhook that is asked who may connect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use http::{HeaderMap, HeaderName};
use serde_json::json;
use serve_support::receiver::{OK, Receiver, Reply, Request};
use serve_support::{HANDSHAKE, Peer, Program, eventually};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn start(receiver: &Receiver, more: &[(&str, &str)]) -> Program {
    let url = receiver.url();
    let settings = [
        ("CLANK_CONNECTING_URL", url.as_str()),
        ("CLANK_CONNECTING_SECRETS", SECRET),
        ("CLANK_CONNECTING_ALLOW_PRIVATE", "true"),
        ("CLANK_CONNECTING_TIMEOUT", "500ms"),
        ("CLANK_EVENTS_CONSOLE", "json"),
    ];
    Program::start(&[&settings, more].concat())
}

fn verify(request: &Request) -> bool {
    let headers: HeaderMap = request
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(request.body.as_bytes(), &headers).is_ok()
}

/// The handshake with a cookie, on a path with a query.
fn handshake(cookie: &str) -> String {
    HANDSHAKE
        .replace("GET / ", "GET /?room=7 ")
        .replace("\r\n\r\n", &format!("\r\nCookie: user={cookie}\r\nX-Else: no\r\n\r\n"))
}

#[test]
fn the_application_says_who_a_client_is() {
    let answer = r#"{"identity":{"id":"anna","attributes":{"role":"admin"}},"attributes":{"plan":"gold"}}"#;
    let receiver = Receiver::new(move |_| Reply::Status(200, "content-type: application/json", answer));
    let program = start(&receiver, &[]);
    let peer = Peer::upgraded(program.address, &handshake("anna")).welcomed();
    let connected = eventually("it is told of", || program.every("clank.client.connected").pop());
    assert_eq!(connected["identity"], json!({ "id": "anna", "attributes": { "role": "admin" } }));
    assert_eq!(connected["attributes"], json!({ "plan": "gold" }));
    let request = receiver.requests().pop().unwrap();
    assert!(verify(&request), "{request:?}");
    let event = request.json();
    assert_eq!(event["type"], "clank.client.connecting");
    let data = &event["data"];
    assert_eq!((&data["path"], &data["query"]), (&json!("/"), &json!("room=7")));
    assert_eq!(data["headers"], json!({ "cookie": "user=anna" }), "those that were chosen, no others");
    assert_eq!(data["connection_id"], connected["connection_id"]);
    peer.leave();
}

#[test]
fn the_application_refuses() {
    let receiver =
        Receiver::new(|request| match request.json()["data"]["headers"]["cookie"].as_str().unwrap() {
            "user=poor" => Reply::Status(200, "", r#"{"reject":{"status":402,"reason":"pay first"}}"#),
            _ => Reply::Status(401, "", ""),
        });
    let program = start(&receiver, &[]);
    let answer = program.request(&handshake("poor"));
    assert_eq!((answer.status, answer.body.as_str()), (402, "pay first"));
    assert_eq!(program.request(&handshake("nobody")).status, 401);
    let rejected = eventually("both are told of", || {
        let rejected = program.every("clank.client.rejected");
        (rejected.len() == 2).then_some(rejected)
    });
    assert_eq!((&rejected[0]["cause"], &rejected[1]["cause"]), (&json!("rejected"), &json!("unauthorised")));
}

#[test]
fn an_application_that_does_not_decide_refuses_or_accepts_as_it_is_set() {
    let replies = || {
        let replies = [
            Reply::Status(500, "", ""),
            Reply::Status(302, "location: /elsewhere", ""),
            Reply::Status(200, "", "no decision"),
            Reply::Reset,
            Reply::Garbage,
            Reply::Torn,
            Reply::Hang,
        ];
        let mut replies = replies.into_iter();
        move |_: &Request| replies.next().unwrap_or(OK)
    };
    for (policy, status) in [("reject", 503), ("accept", 101)] {
        let receiver = Receiver::new(replies());
        let program = start(&receiver, &[("CLANK_CONNECTING_ON_UNAVAILABLE", policy)]);
        for number in 0..7 {
            assert_eq!(program.request(&handshake("anna")).status, status, "{policy} {number}");
        }
        assert_eq!(program.request(&handshake("anna")).status, 101, "it has recovered");
        assert_eq!(receiver.requests().len(), 8, "nobody followed the redirect, and nothing was asked twice");
        assert!(program.log().contains("the application did not decide"), "{}", program.log());
    }
}

#[test]
fn a_private_address_is_refused_unless_it_is_allowed() {
    let mut command = serve_support::command(&[
        ("CLANK_CONNECTING_URL", "http://127.0.0.1:9/"),
        ("CLANK_CONNECTING_SECRETS", SECRET),
    ]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("allow_private"), "{said}");
}
