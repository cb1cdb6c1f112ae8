//! RawSocket: handshakes, frames and ends, in place and out of place.

use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use clank::limits::{Count, Period, Size};
use clank::wamp2::{Auth, Method, Principal, Realm, Secret, Ticket};
use clank::{Admission, Clank, Limits, Tables, Transport};
use clank_wire::serializer::Serializer;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::peer2::raw_frame;
use crate::support::{JSON2, Peer, Peer2, Test, serve, serve_limited, until};

/// A client that has said nothing but its handshake.
fn shaken(test: &Test, handshake: &[u8]) -> Peer {
    let mut peer = Peer::of(test.connect_raw());
    peer.write(handshake);
    peer
}

/// The only frame that comes, which is an ABORT; returns its reason and message.
fn only_abort(peer: &mut Peer) -> (String, String) {
    let head = peer.take(4).unwrap();
    let abort = peer.take(usize::from(head[2]) << 8 | usize::from(head[3])).unwrap();
    assert!(peer.is_ended());
    let abort: Value = serde_json::from_slice(&abort).unwrap();
    assert_eq!(abort[0], 3, "{abort}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&abort[2]), text(&abort[1]["message"]))
}

#[test]
fn each_serializer_has_sessions_topics_and_procedures() {
    let test = serve(|builder| builder);
    for serializer in Serializer::ALL {
        let (mut one, mut other) = (test.client_raw(serializer), test.client2(JSON2));
        let subscription = one.subscribe("com.example.topic");
        let event = json!(["ä", 1, -2.5, null, [true, {"a": 9_007_199_254_740_993_u64}]]);
        let publication = other.publish("com.example.topic", json!({}), &event);
        assert_eq!(one.next(), json!([36, subscription, publication, {}, event]), "{serializer:?}");
        let registration = one.register("com.example.proc");
        let request = other.call("com.example.proc", &json!({}), &event);
        assert_eq!(one.next(), json!([68, 1, registration, {}, event]));
        one.send(&json!([70, 1, {}, event, {"k": 1}]));
        assert_eq!(other.next(), json!([50, request, {}, event, {"k": 1}]));
        one.round_trip();
        one.leave();
        other.leave();
    }
    let of_raw = |record: &&Value| record["transport"] == "rawsocket";
    let connected = test.log.every("clank.client.connected");
    assert_eq!(connected.iter().filter(of_raw).count(), 3);
    for (record, serializer) in connected.iter().filter(of_raw).zip(["json", "msgpack", "cbor"]) {
        assert_eq!(record["session"]["serializer"], serializer);
        assert_eq!(
            (&record["protocol"], &record["path"]),
            (&json!(format!("wamp.2.{serializer}")), &json!("/"))
        );
        assert!(record["remote_address"].is_string() && record["headers"].is_null());
    }
    let disconnected = test.log.every("clank.client.disconnected");
    assert!(disconnected.iter().all(|record| record["cause"] == "client_closed"), "{disconnected:?}");
}

#[test]
fn handshakes_that_are_not_in_order_are_refused() {
    let test = serve(|builder| builder);
    // the handshake; what is answered; cause; reason
    let cases: [(&[u8], &[u8], &str, &str); 8] = [
        (
            b"\x7f\xf4\0\0",
            b"\x7f\x10\0\0",
            "subprotocol_refused",
            "a RawSocket handshake was refused: serializer unsupported",
        ),
        (
            b"\x7f\xf0\0\0",
            b"\x7f\x10\0\0",
            "handshake_malformed",
            "a RawSocket handshake names a serializer, got 0",
        ),
        (
            b"\x7f\x01\0\0",
            b"\x7f\x20\0\0",
            "handshake_malformed",
            "the client takes messages of 512 bytes, and needs to take 2048",
        ),
        (
            b"\x7f\x13\0\0",
            b"\x7f\x20\0\0",
            "handshake_malformed",
            "the client takes messages of 1024 bytes, and needs to take 2048",
        ),
        (
            b"\x7f\xf1\x01\0",
            b"\x7f\x30\0\0",
            "handshake_malformed",
            "a RawSocket handshake was refused: use of reserved bits",
        ),
        (
            b"\x7f\xf1\0\x80",
            b"\x7f\x30\0\0",
            "handshake_malformed",
            "a RawSocket handshake was refused: use of reserved bits",
        ),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            b"",
            "handshake_malformed",
            "a RawSocket handshake begins with 0x7f, got 0x47",
        ),
        (b"\x16\x03\x01\x02", b"", "handshake_malformed", "a RawSocket handshake begins with 0x7f, got 0x16"),
    ];
    for (handshake, answer, cause, reason) in cases {
        let mut peer = shaken(&test, handshake);
        assert_eq!(peer.take(answer.len()).unwrap(), answer, "{handshake:x?}");
        assert!(peer.is_ended());
        let rejected = test.rejected();
        assert_eq!((&rejected["cause"], &rejected["reason"]), (&json!(cause), &json!(reason)));
        assert_eq!(rejected["transport"], "rawsocket");
        assert!(rejected["http_status"].is_null() && rejected["resource_id"].is_null(), "{rejected}");
    }
    test.is_well();
}

#[test]
fn the_servers_own_limit_is_the_power_of_two_below() {
    for (message, exponent) in [(16 * 1024, 14), (100_000, 16), (1 << 20, 20), (60 << 20, 24)] {
        let limits = Limits { message: Size::of(message), ..Limits::DEFAULT };
        let test = serve_limited(limits, |builder| builder);
        let mut peer = shaken(&test, b"\x7f\x22\0\0");
        assert_eq!(peer.take(4).unwrap(), [0x7f, (exponent - 9) << 4 | 2, 0, 0], "{message}");
    }
}

#[test]
fn all_may_come_byte_by_byte() {
    let test = serve(|builder| builder);
    let mut whole = b"\x7f\xf1\0\0".to_vec();
    for message in [json!([1, "realm1", {"roles": {"publisher": {}}}]), json!([32, 1, {}, "a.b"])] {
        whole.extend(raw_frame(0, message.to_string().as_bytes()));
        whole.extend(raw_frame(1, b"are you there?"));
    }
    let mut peer = Peer2::of_raw(Peer::of(test.connect_raw()), Serializer::Json);
    for byte in &whole {
        peer.peer.write(&[*byte]);
    }
    assert_eq!(peer.peer.take(4).unwrap(), *b"\x7f\xb1\0\0");
    let (mut messages, mut pongs) = (Vec::new(), 0);
    while messages.len() + pongs < 4 {
        match peer.raw_frame() {
            (0, message) => messages.push(serde_json::from_slice::<Value>(&message).unwrap()),
            frame => {
                assert_eq!(frame, (2, b"are you there?".to_vec()));
                pongs += 1;
            }
        }
    }
    assert_eq!((&messages[0][0], &messages[1][0], pongs), (&json!(2), &json!(33), 2));
    peer.leave();
}

#[test]
fn all_may_come_at_once() {
    let test = serve(|builder| builder);
    let messages = [
        json!([1, "realm1", {"roles": {"publisher": {}}}]),
        json!([32, 1, {}, "a.b"]),
        json!([16, 2, {"exclude_me": false}, "a.b", [1]]),
        json!([6, {}, "wamp.close.close_realm"]),
    ];
    let frames = messages.iter().flat_map(|message| raw_frame(0, message.to_string().as_bytes()));
    let mut peer = Peer2::of_raw(Peer::of(test.connect_raw()), Serializer::Json);
    peer.peer.write(&b"\x7f\xf1\0\0".iter().copied().chain(frames).collect::<Vec<_>>());
    peer.peer.end();
    assert_eq!(peer.peer.take(4).unwrap(), *b"\x7f\xb1\0\0");
    let kinds: Vec<Value> = (0..4).map(|_| peer.next()[0].take()).collect();
    assert_eq!(kinds, [2, 33, 36, 6]);
    assert!(peer.peer.is_ended());
    assert_eq!(test.disconnected()["cause"], "client_closed");
}

#[test]
fn what_breaks_the_framing_ends_the_connection() {
    let test = serve_limited(Limits { message: Size::of(65_536), ..Limits::DEFAULT }, |builder| builder);
    // what is sent; cause; reason
    let cases: [(&[u8], &str, &str); 7] = [
        (b"\x10\0\0\0", "protocol_violation", "the reserved bits of a RawSocket frame are zero, got 0x10"),
        (b"\x80\0\0\0", "protocol_violation", "the reserved bits of a RawSocket frame are zero, got 0x80"),
        (b"\x03\0\0\0", "protocol_violation", "a RawSocket frame is a message, a ping or a pong, got type 3"),
        (
            b"\0\x01\0\x01",
            "message_too_big",
            "a RawSocket frame of 65537 bytes exceeds the 65536 that were agreed on",
        ),
        (
            b"\x01\x01\0\x01",
            "message_too_big",
            "a RawSocket frame of 65537 bytes exceeds the 65536 that were agreed on",
        ),
        (
            b"\x08\0\0\0",
            "message_too_big",
            "a RawSocket frame of 16777216 bytes exceeds the 65536 that were agreed on",
        ),
        (b"\0\0\0\x02[\xff", "malformed_message", "a message of wamp.2.json is not UTF-8"),
    ];
    for (bytes, cause, reason) in cases {
        let mut peer = test.client_raw(Serializer::Json);
        peer.peer.write(bytes);
        assert!(peer.peer.is_ended(), "{bytes:x?}");
        let end = test.disconnected();
        assert_eq!((&end["cause"], &end["reason"]), (&json!(cause), &json!(reason)));
    }
    for bytes in [&b"\0\0\0\0"[..], b"\0\0\0\x02[]", b"\0\0\0\x031.5", b"\0\0\0\x08[33,1,2]"] {
        let mut peer = test.client_raw(Serializer::Json);
        peer.peer.write(bytes);
        assert_eq!(peer.aborted().0, "wamp.error.protocol_violation", "{bytes:x?}");
        let end = test.disconnected();
        assert!(
            ["malformed_message", "protocol_violation"].contains(&end["cause"].as_str().unwrap()),
            "{end}"
        );
    }
}

#[test]
fn before_the_session_only_hello_is_in_place() {
    let test = serve(|builder| builder);
    for (message, reason, cause) in [
        (json!([32, 1, {}, "a.b"]), "wamp.error.protocol_violation", "protocol_violation"),
        (json!([1, "nowhere", {"roles": {}}]), "wamp.error.no_such_realm", "rejected"),
        (json!([5]), "wamp.error.protocol_violation", "malformed_message"),
    ] {
        let mut peer = Peer2::raw(test.connect_raw(), Serializer::Cbor, 24);
        peer.send(&message);
        assert_eq!(peer.aborted(), (reason.into(), 0), "{message}");
        assert_eq!(test.rejected()["cause"], cause);
    }
    let mut peer = Peer2::raw(test.connect_raw(), Serializer::Json, 24);
    peer.peer.write(&raw_frame(1, b"1"));
    assert_eq!(peer.raw_frame(), (2, b"1".to_vec()), "pings are answered from the first");
    peer.peer.write(b"\0\x10\0\0");
    assert_eq!(peer.aborted().0, "wamp.error.protocol_violation");
    assert_eq!(test.rejected()["cause"], "message_too_big");
}

#[test]
fn pings_are_answered_each_with_its_payload() {
    let test = serve(|builder| builder);
    let mut peer = test.client_raw(Serializer::MessagePack);
    let long = vec![7; 100_000];
    let payloads: Vec<&[u8]> = (0..500).map(|at| &long[..at]).chain([&long[..]]).collect();
    peer.peer.write(&payloads.iter().flat_map(|payload| raw_frame(1, payload)).collect::<Vec<_>>());
    for payload in payloads {
        assert_eq!(peer.raw_frame(), (2, payload.to_vec()));
    }
    // A pong that was not asked for is nothing.
    peer.peer.write(&raw_frame(2, b"unasked"));
    peer.round_trip();
    peer.leave();
    let mut small = Peer2::raw(test.connect_raw(), Serializer::Json, 12);
    small.hello("realm1");
    small.welcomed();
    small.peer.write(&raw_frame(1, &[0; 5000]));
    assert!(small.peer.is_ended());
    let reasons: Vec<Value> =
        (0..2).map(|_| test.disconnected()).map(|end| json!([end["cause"], end["reason"]])).collect();
    let expected = json!(["protocol_violation", "a ping of 5000 bytes, more than the client itself takes"]);
    assert!(reasons.contains(&expected), "{reasons:?}");
}

#[test]
fn who_is_silent_is_pinged_and_given_up() {
    let limits = Limits {
        keepalive_interval: Period::of(1_000),
        keepalive_timeout: Period::of(1_000),
        ..Limits::DEFAULT
    };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client_raw(Serializer::Json);
    assert_eq!(peer.raw_frame(), (1, Vec::new()));
    peer.peer.write(&raw_frame(2, b""));
    assert_eq!(peer.raw_frame(), (1, Vec::new()), "it was heard, and is pinged again");
    assert!(peer.peer.is_ended(), "it was not heard");
    assert_eq!(test.disconnected()["cause"], "keepalive_timeout");
}

#[test]
fn handshakes_and_hellos_have_their_time() {
    let limits = Limits { handshake: Period::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    for begun in [&b""[..], b"\x7f", b"\x7f\xf1\0"] {
        let mut peer = shaken(&test, begun);
        assert!(peer.is_ended());
        assert_eq!(test.rejected()["cause"], "handshake_timeout");
    }
    let mut peer = Peer2::raw(test.connect_raw(), Serializer::Json, 24);
    assert_eq!(peer.aborted().0, "wamp.error.protocol_violation");
    assert_eq!(test.rejected()["cause"], "handshake_timeout");
    let mut peer = shaken(&test, b"\x7f\xf1");
    peer.end();
    assert!(peer.is_ended());
    assert_eq!(test.rejected()["cause"], "aborted");
    // Who only looks whether the port is open is nobody.
    drop(shaken(&test, b""));
    until("it is forgotten", || test.handle().tables().handshakes == 0);
    assert_eq!(test.log.every("clank.client.rejected").len(), 5);
}

#[test]
fn ends_have_their_causes() {
    let test = serve(|builder| builder);
    let peer = test.client_raw(Serializer::Json);
    drop(peer);
    let end = test.disconnected();
    assert_eq!(end["cause"], "network_lost");
    assert_eq!(
        (&end["code"], &end["reason"]),
        (&json!(1006), &json!("the client ended the connection without GOODBYE"))
    );
    let mut peer = test.client_raw(Serializer::Json);
    peer.send(&json!([3, {}, "wamp.close.logout"]));
    assert!(peer.peer.is_ended());
    let end = test.disconnected();
    assert_eq!((&end["cause"], &end["reason"]), (&json!("client_closed"), &json!("wamp.close.logout")));
    let mut peer = test.client_raw(Serializer::Json);
    test.handle().connections()[0].close(4000, "enough");
    assert_eq!(peer.next(), json!([6, {"message": "enough"}, "wamp.close.killed"]));
    assert!(peer.peer.is_ended());
    let end = test.disconnected();
    assert_eq!((&end["cause"], &end["code"]), (&json!("server_closed"), &json!(4000)));
    let mut peer = test.client_raw(Serializer::Json);
    test.handle().shutdown();
    assert_eq!(peer.next()[2], "wamp.close.system_shutdown");
    assert!(peer.peer.is_ended());
    assert_eq!(test.disconnected()["cause"], "server_shutdown");
}

#[test]
fn a_session_may_follow_another_on_the_same_socket() {
    let test = serve(|builder| builder);
    let mut peer = test.client_raw(Serializer::Cbor);
    let first = peer.session;
    for _ in 0..2 {
        peer.send(&json!([6, {}, "wamp.close.close_realm"]));
        assert_eq!(peer.next()[0], 6);
        peer.hello("realm1");
        peer.welcomed();
        peer.round_trip();
    }
    assert_ne!(peer.session, first);
    peer.leave();
    assert_eq!(test.log.every("clank.client.connected").len(), 3);
}

#[test]
fn listeners_decide_by_what_there_is() {
    let test = serve(|builder| {
        builder.on_connecting(|request| async move {
            assert_eq!((request.path(), request.query(), request.headers().len()), ("/", None, 0));
            assert_eq!(request.transport(), Transport::RawSocket);
            assert!(request.remote_addr().is_some());
            Ok(match request.protocol() {
                "wamp.2.json" => Admission::reject(StatusCode::FORBIDDEN, "no JSON here"),
                "wamp.2.msgpack" => Admission::reject(StatusCode::UNAUTHORIZED, "who are you?"),
                _ => Admission::accept().identity("by cable"),
            })
        })
    });
    let mut peer = shaken(&test, b"\x7f\xf1\0\0");
    assert_eq!(peer.take(4).unwrap(), *b"\x7f\xb1\0\0");
    assert_eq!(only_abort(&mut peer), ("wamp.error.not_authorized".into(), "no JSON here".into()));
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["reason"]), (&json!("rejected"), &json!("no JSON here")));
    assert!(rejected["http_status"].is_null());
    let mut peer = Peer2::raw(test.connect_raw(), Serializer::MessagePack, 24);
    peer.hello("realm1");
    assert_eq!(peer.aborted().0, "wamp.error.authentication_denied");
    assert_eq!(test.rejected()["cause"], "unauthorised");
    let peer = test.client_raw(Serializer::Cbor);
    assert_eq!(
        (&peer.welcome[2]["authid"], &peer.welcome[2]["authmethod"]),
        (&json!("by cable"), &json!("cookie"))
    );
    peer.leave();
}

#[test]
fn who_goes_or_waits_too_long_while_listeners_decide_is_told_of_once() {
    let limits = Limits { handshake: Period::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| {
        builder.on_connecting(|_| async { std::future::pending::<clank::Result<Admission>>().await })
    });
    let peer = shaken(&test, b"\x7f\xf1\0\0");
    until("it is asked about", || test.handle().tables().connections == 1);
    drop(peer);
    assert_eq!(test.rejected()["cause"], "aborted");
    let mut peer = shaken(&test, b"\x7f\xf1\0\0");
    assert!(peer.is_ended());
    assert_eq!(test.rejected()["cause"], "handshake_timeout");
    test.until_empty();
    assert_eq!(test.log.every("clank.client.rejected").len(), 2);
}

#[test]
fn a_server_that_stops_says_so() {
    let limits = Limits { drain: Period::of(10_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    // Two on each worker: the second of them is closed later than at once.
    let kept: Vec<Peer> = (0..4).map(|_| test.client()).collect();
    test.handle().shutdown();
    test.log.wait_for("clank.server.stopping");
    let mut peer = shaken(&test, b"\x7f\xf1\0\0");
    assert_eq!(peer.take(4).unwrap(), *b"\x7f\xb1\0\0");
    assert_eq!(only_abort(&mut peer), ("wamp.close.system_shutdown".into(), "the server is stopping".into()));
    assert_eq!(test.rejected()["cause"], "server_shutdown");
    test.handle().shutdown();
    drop(kept);
}

#[test]
fn limits_hold_as_for_all_others() {
    let limits = Limits { connections: Count::of(2), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let (one, two) = (test.client2(JSON2), test.client_raw(Serializer::Json));
    let mut third = shaken(&test, b"\x7f\xf1\0\0");
    assert_eq!(third.take(4).unwrap(), *b"\x7f\x40\0\0", "maximum connection count reached");
    assert!(third.is_ended());
    assert_eq!(test.rejected()["cause"], "server_full");
    one.leave();
    two.leave();
    drop(test);
    let limits = Limits { handshakes_per_address: Count::of(1), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut first = shaken(&test, b"\x7f");
    until("it has arrived", || test.handle().tables().handshakes == 1);
    let mut second = shaken(&test, b"");
    assert_eq!(second.take(4).unwrap(), *b"\x7f\x40\0\0");
    assert_eq!(test.rejected()["cause"], "address_limit");
    first.write(b"\xf1\0\0");
    assert_eq!(first.take(4).unwrap(), *b"\x7f\xb1\0\0");
}

#[test]
fn what_is_longer_than_a_client_takes_is_not_sent_to_it() {
    let test = serve(|builder| builder);
    let join = |serializer| {
        let mut peer = Peer2::raw(test.connect_raw(), serializer, 12);
        peer.hello("realm1");
        peer.welcomed();
        peer
    };
    let (mut small, mut large) = (join(Serializer::Json), test.client_raw(Serializer::Json));
    let (short, long) = (json!(["x".repeat(3_000)]), json!(["x".repeat(5_000)]));
    let subscription = small.subscribe("a.b");
    for _ in 0..3 {
        large.publish("a.b", json!({}), &long);
    }
    let publication = large.publish("a.b", json!({}), &short);
    assert_eq!(small.next(), json!([36, subscription, publication, {}, short]));
    small.round_trip();
    let told = test.log.wait_for("clank.client.error");
    assert_eq!((&told["kind"], &told["survived"]), (&json!("events_dropped"), &json!(true)));
    let message = told["message"].as_str().unwrap();
    assert!(message.ends_with("events were dropped: the client takes 4096 bytes at most"), "{message}");
    // A call of it has one answer all the same.
    let request = small.call("test/echo", &json!({}), &short);
    assert_eq!(small.next()[1], request);
    let request = small.call("test/echo", &json!({}), &long);
    let refused = json!("wamp.error.payload_size_exceeded");
    let error = small.next();
    assert_eq!((&error[0], &error[2], &error[4]), (&json!(8), &json!(request), &refused), "{error}");
    // So has one that it was to answer.
    let registration = small.register("small.proc");
    let request = large.call("small.proc", &json!({}), &long);
    let error = large.next();
    assert_eq!((&error[0], &error[2], &error[4]), (&json!(8), &json!(request), &refused));
    let request = large.call("small.proc", &json!({}), &short);
    let invocation = small.next();
    assert_eq!((&invocation[0], &invocation[2]), (&json!(68), &json!(registration)));
    small.send(&json!([70, invocation[1], {}, [1]]));
    assert_eq!(large.next(), json!([50, request, {}, [1]]));
    // And one that is answered by another client.
    large.register("large.proc");
    let request = small.call("large.proc", &json!({"receive_progress": true}), &json!([]));
    let invocation = large.invoked();
    large.send(&json!([70, invocation, {"progress": true}, long]));
    large.send(&json!([70, invocation, {"progress": true}, [1]]));
    large.send(&json!([70, invocation, {}, long]));
    assert_eq!(small.next(), json!([50, request, {"progress": true}, [1]]));
    assert_eq!(small.next()[4], refused);
    small.leave();
    large.leave();
}

#[test]
fn what_must_be_answered_is_answered_in_short_or_ends() {
    let authextra = json!({"photo": "x".repeat(3_000)}).as_object().unwrap().clone();
    let joe = Principal {
        ticket: Some(Ticket::plain(&Secret::from("s3cret"))),
        authextra,
        ..Principal::new("joe", "user")
    };
    let realm = Realm::new("com.example").auth(Auth::new([Method::Ticket]).principal(joe));
    let limits = Limits { uri: Size::of(4_096), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.realm(realm));
    let hello =
        json!([1, "com.example", {"roles": {"caller": {}}, "authid": "joe", "authmethods": ["ticket"]}]);
    for (exponent, welcomed) in [(13, true), (11, false)] {
        let mut peer = Peer2::raw(test.connect_raw(), Serializer::Json, exponent);
        peer.send(&hello);
        assert_eq!(peer.next(), json!([4, "ticket", {}]));
        peer.send(&json!([5, "s3cret", {}]));
        if welcomed {
            peer.welcomed();
            peer.leave();
            assert_eq!(test.disconnected()["cause"], "client_closed");
            continue;
        }
        assert_eq!(peer.aborted().0, "wamp.error.payload_size_exceeded");
        let end = test.disconnected();
        assert_eq!((&end["cause"], &end["messages_sent"]), (&json!("limit_exceeded"), &json!(1)));
    }
    let mut peer = Peer2::raw(test.connect_raw(), Serializer::Cbor, 11);
    peer.hello("realm1");
    peer.welcomed();
    let request = peer.call(&format!("com.{}", "x".repeat(1_900)), &json!({}), &json!([]));
    assert_eq!(peer.next(), json!([8, 48, request, {}, "wamp.error.no_such_procedure"]));
    peer.leave();
}

/// A path of a test's own, at which nothing is.
fn unix_path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("clank-it-{name}-{}.sock", std::process::id()));
    _ = std::fs::remove_file(&path);
    path
}

#[test]
fn a_unix_socket_is_served_and_removed() {
    let path = unix_path("served");
    let at = path.clone();
    let limits = Limits { connections_per_address: Count::of(1), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.bind_rawsocket_unix(at));
    let connect = || TcpStream::from(OwnedFd::from(UnixStream::connect(&path).unwrap()));
    let launched = test.log.wait_for("clank.server.launched");
    let tcp = format!("rs://{}", test.server.rawsocket_addrs()[0]);
    assert_eq!(launched["rawsocket"], json!([tcp, format!("rs://unix:{}", path.display())]));
    for serializer in Serializer::ALL {
        let mut peer = Peer2::join_raw(connect(), serializer);
        let mut other = Peer2::join_raw(connect(), serializer);
        let subscription = peer.subscribe("a.b");
        let long = json!(["x".repeat(700_000)]);
        let publication = other.publish("a.b", json!({}), &long);
        assert_eq!(peer.next(), json!([36, subscription, publication, {}, long]));
        peer.leave();
        other.leave();
    }
    let connected = test.log.every("clank.client.connected");
    assert!(connected.iter().all(|record| record["remote_address"].is_null()), "{connected:?}");
    let second = Clank::builder().bind_rawsocket_unix(&path).start().map(drop).unwrap_err();
    let expected = format!("can't listen on {}: another server listens there", path.display());
    assert_eq!(second.to_string(), expected);
    let half = connect();
    half.shutdown(Shutdown::Both).unwrap();
    test.until_empty();
    assert_eq!(test.handle().tables(), Tables::default());
    drop(test);
    assert!(!path.exists());
}
