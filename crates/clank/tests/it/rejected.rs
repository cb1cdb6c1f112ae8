//! Handshakes that come to nothing, and listeners that decide on them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};

use clank::limits::{Count, Period};
use clank::{Admission, ConnectRequest, Error, EventKind, Limits, Origins, Paths};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::peer::Response;
use crate::support::{HANDSHAKE, Peer, Test, serve, serve_limited, until};

/// The handshake with `from` replaced by `to`.
fn handshake(from: &str, to: &str) -> String {
    assert!(HANDSHAKE.contains(from), "{from}");
    HANDSHAKE.replacen(from, to, 1)
}

/// What two responses have to have in common.
fn essence(response: &Response) -> (u16, BTreeSet<(String, String)>, String) {
    let head = response.head.to_ascii_lowercase();
    let fields = head.lines().filter_map(|line| line.split_once(": ")).filter(|(name, _)| *name != "date");
    // A list may come in one line, or in a line for each.
    let headers =
        fields.flat_map(|(name, values)| values.split(", ").map(|value| (name.into(), value.into())));
    (response.status, headers.collect(), response.body.clone())
}

/// Sends the handshake, whole and in pieces, and checks the answers, and what is told of them.
fn assert_rejected(test: &Test, request: impl AsRef<[u8]>, status: u16, cause: &str) -> Value {
    let request = request.as_ref();
    let [whole, pieces] = [false, true].map(|in_pieces| reject(test, request, in_pieces, status, cause));
    let words = String::from_utf8_lossy(request);
    assert_eq!(essence(&whole.0), essence(&pieces.0), "{words}");
    assert_eq!(whole.1["reason"], pieces.1["reason"], "{words}");
    whole.1
}

fn reject(test: &Test, request: &[u8], in_pieces: bool, status: u16, cause: &str) -> (Response, Value) {
    let words = String::from_utf8_lossy(request).into_owned();
    let mut peer = test.ask(request, in_pieces);
    let response = peer.response();
    assert_eq!(response.status, status, "{words}");
    assert!(response.head.to_ascii_lowercase().contains("\r\ndate: "), "{response:?}");
    assert!(peer.is_ended(), "{words}");
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["http_status"]), (&json!(cause), &json!(status)), "{words}");
    assert!(rejected["resource_id"].is_null(), "it was never connected");
    (response, rejected)
}

#[test]
fn handshakes_that_are_not_in_order_are_refused() {
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const HOST: &str = "Host: clank.test\r\n";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol: wamp\r\n";
    // what is replaced, by what; status; cause
    let cases = [
        ("GET", "POST", 405, "handshake_malformed"),
        ("HTTP/1.1", "HTTP/1.0", 505, "handshake_malformed"),
        ("Connection: Upgrade\r\n", "", 400, "handshake_malformed"),
        ("Connection: Upgrade", "Connection: keep-alive", 400, "handshake_malformed"),
        (VERSION, "", 426, "version_unsupported"),
        (VERSION, "Sec-WebSocket-Version: 8\r\n", 426, "version_unsupported"),
        (VERSION, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n", 426, "version_unsupported"),
        (KEY, "", 400, "handshake_malformed"),
        (KEY, "Sec-WebSocket-Key: short\r\n", 400, "handshake_malformed"),
        (KEY, "Sec-WebSocket-Key: !!!!IHNhbXBsZSBub25jZQ==\r\n", 400, "handshake_malformed"),
        (KEY, &[KEY, KEY].concat(), 400, "handshake_malformed"),
        (HOST, "", 400, "handshake_malformed"),
        (HOST, &[HOST, HOST].concat(), 400, "handshake_malformed"),
        (HOST, "Host: user@clank.test\r\n", 400, "handshake_malformed"),
        (HOST, &[HOST, "Content-Length: 3\r\n"].concat(), 400, "handshake_malformed"),
        (HOST, &[HOST, "Transfer-Encoding: chunked\r\n"].concat(), 400, "handshake_malformed"),
        (
            HOST,
            &[HOST, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"].concat(),
            400,
            "handshake_malformed",
        ),
        (PROTOCOL, "", 400, "subprotocol_refused"),
        (PROTOCOL, "Sec-WebSocket-Protocol: soap, mqtt\r\n", 400, "subprotocol_refused"),
        (PROTOCOL, "Sec-WebSocket-Protocol: WAMP\r\n", 400, "subprotocol_refused"),
        (PROTOCOL, "Sec-WebSocket-Protocol: wamp, wamp\r\n", 400, "handshake_malformed"),
        (PROTOCOL, "Sec-WebSocket-Protocol: w\u{e4}mp\r\n", 400, "handshake_malformed"),
        (PROTOCOL, "Sec-WebSocket-Protocol: wamp;\r\n", 400, "handshake_malformed"),
        ("GET / ", "GET /elsewhere ", 404, "path_unknown"),
        (HOST, &[HOST, "Origin: http://evil.test\r\n"].concat(), 403, "origin_refused"),
        (HOST, &[HOST, "Origin: null\r\n"].concat(), 403, "origin_refused"),
        (HOST, &[HOST, "Origin: http://clank.test:81\r\n"].concat(), 403, "origin_refused"),
        (HOST, &[HOST, "Sec-WebSocket-Extensions: a;;b\r\n"].concat(), 400, "handshake_malformed"),
        // No HTTP at all.
        (HOST, "Host : clank.test\r\n", 400, "handshake_malformed"),
        (HOST, "Host: clank\0test\r\n", 400, "handshake_malformed"),
        (HOST, "no header\r\n", 400, "handshake_malformed"),
        ("GET / HTTP/1.1", "GET / HTTP/9", 400, "handshake_malformed"),
    ];
    let test = serve(|builder| builder);
    for (from, to, status, cause) in cases {
        assert_rejected(&test, handshake(from, to), status, cause);
    }
    test.is_well();
    // Refused by its first byte.
    let no_text = handshake("GET / HTTP/1.1", "\x16\x03\x01\x02");
    reject(&test, no_text.as_bytes(), false, 400, "handshake_malformed");
    // In Latin-1, as older clients would write it.
    let (before, after) = HANDSHAKE.split_once("wamp").unwrap();
    let latin = [before.as_bytes(), b"w\xe4mp", after.as_bytes()].concat();
    assert_rejected(&test, latin, 400, "handshake_malformed");
    assert_eq!(test.log.every("clank.client.connected").len(), 1);
}

#[test]
fn handshakes_that_are_in_order_are_taken() {
    let test = serve(|builder| builder.origins(Origins::Listed(vec!["https://app.test".into()])));
    let cases = [
        ("Upgrade: websocket", "upgrade:\tWebSocket "),
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        ("Protocol: wamp", "Protocol: soap, wamp, mqtt"),
        ("Protocol: wamp\r\n", "Protocol: soap\r\nSec-WebSocket-Protocol: wamp\r\n"),
        ("GET / ", "GET /?token=secret "),
        ("GET / ", "GET http://clank.test/ "),
        ("Host: clank.test\r\n", "Host: clank.test\r\nOrigin: http://clank.test\r\n"),
        ("Host: clank.test\r\n", "Host: clank.test\r\nOrigin: https://app.test\r\n"),
        ("Host: clank.test\r\n", "Host: clank.test\r\nContent-Length: 0\r\n"),
        ("Host: clank.test\r\n", "Host: clank.test\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
    ];
    for (from, to) in cases {
        let request = handshake(from, to);
        let [(first, whole), (peer, response)] = [false, true].map(|in_pieces| {
            let mut peer = test.ask(request.as_bytes(), in_pieces);
            let response = peer.response();
            (peer, response)
        });
        assert_eq!(essence(&whole), essence(&response), "{to}");
        assert_eq!(response.status, 101, "{to}: {response:?}");
        let head = response.head.to_ascii_lowercase();
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        assert!(head.contains("sec-websocket-protocol: wamp\r\n"), "{head}");
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        first.welcomed().leave();
        peer.welcomed().leave();
    }
}

#[test]
fn records_tell_where_a_client_came_from_and_keep_no_secret() {
    let test = serve(|builder| builder.paths(Paths::Any).keep_headers(["User-Agent", "Cookie", "X-Kept"]));
    let request = handshake("GET / ", "GET /room?token=secret ").replace(
        "Host: clank.test\r\n",
        "Host: clank.test\r\nUser-Agent: a test\r\nCookie: secret\r\nX-Kept: yes\r\nX-Other: no\r\n",
    );
    let peer = Peer::upgraded(test.address, &request).welcomed();
    let address = peer.stream.local_addr().unwrap().to_string();
    peer.leave();
    for record in [test.log.wait_for("clank.client.connected"), test.disconnected()] {
        assert_eq!(
            (&record["remote_address"], &record["path"], &record["protocol"], &record["headers"]),
            (
                &json!(address),
                &json!("/room"),
                &json!("wamp"),
                &json!({"user-agent": "a test", "x-kept": "yes"})
            )
        );
        assert!(!record.to_string().contains("secret"), "{record}");
    }
}

#[test]
fn a_socket_that_stays_silent_is_closed_in_time() {
    let limits = Limits { handshake: Period::of(150), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    for begun in ["", "GET / HTTP/1.1\r\nHost: clank.test\r\n"] {
        let mut peer = Peer::connect(test.address);
        peer.write(begun.as_bytes());
        assert_eq!(peer.response().status, 408);
        assert!(peer.is_ended());
        assert_eq!(test.rejected()["cause"], "handshake_timeout");
    }
    // One that drips is no better off.
    let mut peer = Peer::connect(test.address);
    for byte in HANDSHAKE.bytes().cycle() {
        if std::io::Write::write_all(&mut peer.stream, &[byte.max(b'a')]).is_err() {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    assert_eq!(test.rejected()["cause"], "handshake_timeout");
}

#[test]
fn headers_beyond_the_limits_are_refused() {
    let test = serve(|builder| builder);
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(40_000));
    for headers in [many, long] {
        let request = handshake("Host: clank.test\r\n", &format!("Host: clank.test\r\n{headers}"));
        let mut peer = Peer::connect(test.address);
        // It may answer before it has read all.
        _ = std::io::Write::write_all(&mut peer.stream, request.as_bytes());
        if let Ok(response) = peer.try_response() {
            assert_eq!(response.status, 431);
        }
        assert_eq!(test.rejected()["cause"], "headers_too_large");
    }
    test.is_well();
}

#[test]
fn who_goes_before_the_handshake_is_complete_has_aborted() {
    let test = serve(|builder| builder);
    let mut peer = Peer::connect(test.address);
    peer.write(&HANDSHAKE.as_bytes()[..50]);
    drop(peer);
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["initiator"]), (&json!("aborted"), &json!("client")));
    assert!(rejected["http_status"].is_null());
    // Who said nothing at all asked for nothing.
    drop(Peer::connect(test.address));
    test.until_empty();
    assert_eq!(test.log.every("clank.client.rejected").len(), 1);
}

#[test]
fn there_is_room_for_so_many_connections_and_no_more() {
    let in_all = Limits { connections: Count::of(3), ..Limits::DEFAULT };
    let of_one = Limits { connections_per_address: Count::of(3), ..Limits::DEFAULT };
    for (limits, status, cause) in [(in_all, 503, "server_full"), (of_one, 429, "address_limit")] {
        let test = serve_limited(limits, |builder| builder);
        let peers: Vec<Peer> = (0..3).map(|_| test.client()).collect();
        for _ in 0..3 {
            assert_rejected(&test, HANDSHAKE, status, cause);
        }
        // The port is still served.
        assert_eq!(test.request("GET /healthz HTTP/1.1\r\nHost: clank.test\r\n\r\n").status, 200);
        for peer in peers {
            peer.leave();
        }
        test.until_empty();
        test.is_well();
    }
}

#[test]
fn there_is_room_for_so_many_unfinished_handshakes() {
    let in_all = Limits { handshakes: Count::of(3), ..Limits::DEFAULT };
    let of_one = Limits { handshakes_per_address: Count::of(3), ..Limits::DEFAULT };
    for (limits, status, cause) in [(in_all, 503, "server_full"), (of_one, 429, "address_limit")] {
        let test = serve_limited(limits, |builder| builder);
        let silent: Vec<Peer> = (0..3).map(|_| Peer::connect(test.address)).collect();
        until("all are counted", || test.handle().tables().handshakes == 3);
        let mut refused = Peer::connect(test.address);
        assert_eq!(refused.response().status, status);
        assert!(refused.is_ended());
        assert_eq!(test.rejected()["cause"], cause);
        drop(silent);
        test.until_empty();
        test.is_well();
    }
}

fn decide(
    decider: impl Fn(ConnectRequest) -> clank::Result<Admission> + Send + Sync + 'static,
) -> impl FnOnce(clank::Builder) -> clank::Builder {
    move |builder| {
        builder.on_connecting(move |request| {
            let decision = decider(request);
            async move { decision }
        })
    }
}

#[test]
fn a_connecting_listener_rejects_with_its_own_status_and_words() {
    let test = serve(decide(|request| {
        let status = request.cookie("status").unwrap_or("403").parse().unwrap_or(StatusCode::FORBIDDEN);
        Ok(Admission::reject(status, "not today"))
    }));
    for (status, cause) in [(401, "unauthorised"), (403, "rejected"), (451, "rejected")] {
        let request = handshake("Host:", &format!("Cookie: a=b; status={status}\r\nHost:"));
        let rejected = assert_rejected(&test, &request, status, cause);
        assert_eq!(rejected["reason"], "not today");
        assert_eq!(test.request(request).body, "not today");
        test.rejected();
    }
}

#[test]
fn identity_and_attributes_are_in_every_later_record() {
    let test = serve(|builder| {
        builder
            .on_connecting(|request| async move {
                assert_eq!((request.path(), request.protocol()), ("/", "wamp"));
                Admission::accept().identity("nobody").attribute("plan", "gold")
            })
            .on_connecting(|request| async move {
                let user = request.query().unwrap_or_default().to_owned();
                Admission::accept().identity(user).attribute("id", &request.resource_id())
            })
            .rpc_fn("who", |_, call| async move {
                let caller = call.caller().unwrap();
                let user = caller.identity().unwrap().id.clone();
                Ok(json!([user, caller.attribute("plan"), caller.attribute("none")]))
            })
    });
    let mut peer = Peer::upgraded(test.address, &handshake("GET / ", "GET /?anna ")).welcomed();
    assert_eq!(peer.call("who/am-i", &json!([])), json!([3, "call", ["anna", "gold", null]]));
    peer.call("test/panic", &json!([]));
    peer.leave();
    let records = [
        test.log.wait_for("clank.client.connected"),
        test.log.wait_for("clank.client.error"),
        test.disconnected(),
    ];
    for record in records {
        let id = record["resource_id"].clone();
        assert_eq!(
            (&record["identity"], &record["attributes"]),
            (&json!({"id": "anna"}), &json!({"plan": "gold", "id": id}))
        );
    }
}

#[test]
fn the_first_refusal_is_the_last_question() {
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let test = serve(|builder| {
        builder.on_connecting(|_| async { Ok(Admission::reject(StatusCode::FORBIDDEN, "no")) }).on_connecting(
            move |_| {
                *counted.lock().unwrap() += 1;
                async { Ok(Admission::accept()) }
            },
        )
    });
    assert_rejected(&test, HANDSHAKE, 403, "rejected");
    assert_eq!(*asked.lock().unwrap(), 0);
}

#[test]
fn a_connecting_listener_that_fails_refuses_with_500() {
    let limits = Limits { listener: Period::of(100), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| {
        builder.on_connecting(|request| async move {
            match request.query() {
                Some("fails") => Err(Error::new("the password is secret")),
                Some("panics") => panic!("the password is secret"),
                Some("hangs") => std::future::pending().await,
                _ => Ok(Admission::accept()),
            }
        })
    });
    for how in ["fails", "panics", "hangs"] {
        let request = handshake("GET / ", &format!("GET /?{how} "));
        let rejected = assert_rejected(&test, &request, 500, "handler_failure");
        assert!(!rejected.to_string().contains("secret"), "{rejected}");
        assert!(!test.request(&request).body.contains("secret"));
        test.rejected();
        test.is_well();
    }
}

#[test]
fn who_goes_while_a_listener_decides_has_aborted() {
    let (asked, was_asked) = mpsc::channel();
    let test = serve(|builder| {
        builder.on_connecting(move |_| {
            asked.send(()).unwrap();
            std::future::pending()
        })
    });
    let mut peer = Peer::connect(test.address);
    peer.write(HANDSHAKE.as_bytes());
    was_asked.recv().unwrap();
    assert_eq!(test.handle().tables().connections, 1, "its place is kept");
    drop(peer);
    assert_eq!(test.rejected()["cause"], "aborted");
}

#[test]
fn who_is_let_in_after_the_server_began_to_stop_is_refused() {
    let (asked, was_asked) = mpsc::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let released = Arc::new(Mutex::new(Some(released)));
    let test = serve(|builder| {
        builder.on_connecting(move |_| {
            asked.send(()).unwrap();
            let released = released.lock().unwrap().take();
            async move {
                released.unwrap().await?;
                Ok(Admission::accept())
            }
        })
    });
    let mut peer = Peer::connect(test.address);
    peer.write(HANDSHAKE.as_bytes());
    was_asked.recv().unwrap();
    test.handle().shutdown();
    test.log.wait_for("clank.server.stopping");
    release.send(()).unwrap();
    assert_eq!(peer.response().status, 503);
    assert_eq!(test.rejected()["cause"], "server_shutdown");
}

#[test]
fn rejections_are_heard_by_name() {
    let (heard, hear) = mpsc::channel();
    let test = serve(|builder| {
        builder.on(EventKind::Rejected, move |event| {
            heard.send(event.connection().is_none()).unwrap();
            async { Ok(()) }
        })
    });
    assert_rejected(&test, handshake("GET / ", "GET /x "), 404, "path_unknown");
    assert!(hear.recv().unwrap());
}
