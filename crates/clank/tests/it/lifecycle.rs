//! How connections end, and what is told of it.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use clank::limits::{Count, Period, Size};
use clank::{EventKind, Limits, OnListenerTimeout};
use serde_json::{Value, json};
use socket2::SockRef;

use crate::support::peer::{CLOSE, PING, TEXT, close_payload, frame};
use crate::support::{FIN, Peer, Test, serve, serve_limited, until};

/// What a record of the end says: cause, code, reason, initiator.
fn assert_end(gone: &Value, cause: &str, code: u16, reason: &str, initiator: &str) {
    assert_eq!(
        (&gone["cause"], &gone["code"], &gone["reason"], &gone["initiator"]),
        (&json!(cause), &json!(code), &json!(reason), &json!(initiator)),
        "{gone}"
    );
}

/// Checks that the error before the end of this connection has this kind, and was its death.
fn assert_died_of(test: &Test, gone: &Value, kind: &str) {
    let records = test.log.of(gone["resource_id"].as_u64().unwrap());
    let error = records.iter().rev().find(|record| record["type"] == "clank.client.error").unwrap();
    assert_eq!((&error["kind"], &error["survived"]), (&json!(kind), &json!(false)), "{records:?}");
}

fn has_no_error(test: &Test, gone: &Value) {
    let records = test.log.of(gone["resource_id"].as_u64().unwrap());
    assert!(records.iter().all(|record| record["type"] != "clank.client.error"), "{records:?}");
}

#[test]
fn a_close_frame_ends_with_the_clients_own_code_and_reason() {
    let test = serve(|builder| builder);
    let cases: &[(&[u8], u16, &str)] = &[
        (b"", 1005, ""),
        (&close_payload(1000, ""), 1000, ""),
        (&close_payload(1000, "done"), 1000, "done"),
        (&close_payload(1001, "the page is left"), 1001, "the page is left"),
        (&close_payload(3999, ""), 3999, ""),
        (&close_payload(4999, "é"), 4999, "é"),
    ];
    for (payload, code, reason) in cases {
        let mut peer = test.client();
        peer.write(&frame(FIN | CLOSE, payload));
        assert_eq!(peer.closed(), (*code, String::new()), "the answer repeats the code");
        assert!(peer.is_ended());
        let gone = test.disconnected();
        assert_end(&gone, "client_closed", *code, reason, "client");
        has_no_error(&test, &gone);
    }
}

#[test]
fn a_close_frame_counts_also_if_the_socket_ends_right_behind_it() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    // The connect listener still runs while everything has come already.
    let test = serve(|builder| {
        builder.on(EventKind::Connected, move |_| {
            let released = Arc::clone(&released);
            async move {
                _ = released.lock().unwrap().recv();
                Ok(())
            }
        })
    });
    let mut other = test.client();
    release.send(()).unwrap();
    other.subscribe("t");
    other.round_trip();
    let mut peer = test.client();
    peer.publish("t", &json!("last words"));
    peer.send_close(1001, "gone");
    drop(peer);
    // That the server has seen the end of the stream shows by nothing: give it other work first.
    (0..5).for_each(|_| other.round_trip());
    release.send(()).unwrap();
    assert_eq!(other.json(), json!([8, "t", "last words"]));
    assert_end(&test.disconnected(), "client_closed", 1001, "gone", "client");
    drop(release);
}

#[test]
fn a_lost_network_is_told() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.round_trip();
    drop(peer);
    let gone = test.disconnected();
    assert_eq!((&gone["cause"], &gone["code"]), (&json!("network_lost"), &json!(1006)));
    assert_eq!(gone["initiator"], "network");
    has_no_error(&test, &gone);
    // A reset, also with something unread.
    let peer = test.client();
    SockRef::from(&peer.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    let gone = test.disconnected();
    assert_eq!((&gone["cause"], &gone["code"]), (&json!("network_lost"), &json!(1006)));
    // The end of one direction, without a close frame, in the middle of a frame.
    let mut peer = test.client();
    peer.write(&frame(FIN | TEXT, b"[5,\"t\"]")[..9]);
    peer.end();
    assert_eq!(test.disconnected()["cause"], "network_lost");
    assert!(peer.is_ended());
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let limits = Limits { message: Size::of(1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let unmasked: &[u8] = &[FIN | TEXT, 2, b'[', b']'];
    let cases: &[(&[u8], u16, &str, &str)] = &[
        (unmasked, 1002, "protocol_violation", "protocol"),
        (&frame(FIN | 0x40 | TEXT, b"[]"), 1002, "protocol_violation", "protocol"),
        (&frame(FIN | 3, b""), 1002, "protocol_violation", "protocol"),
        (&frame(FIN | PING, &[0; 126]), 1002, "protocol_violation", "protocol"),
        (&frame(FIN | CLOSE, &[3]), 1002, "protocol_violation", "protocol"),
        (&frame(FIN | CLOSE, &close_payload(1005, "")), 1002, "protocol_violation", "protocol"),
        (&frame(FIN | TEXT, &[b' '; 1025]), 1009, "message_too_big", "message_too_big"),
        (&frame(FIN | TEXT, b"\xff"), 1007, "malformed_message", "malformed"),
    ];
    for (bytes, code, cause, kind) in cases {
        let mut peer = test.client();
        peer.write(bytes);
        let (sent, reason) = peer.closed();
        assert_eq!(sent, *code, "{cause}");
        let gone = test.disconnected();
        assert_end(&gone, cause, *code, &reason, "server");
        assert_died_of(&test, &gone, kind);
    }
    // At the limit, all is well.
    let mut peer = test.client();
    peer.send(format!("[7,\"t\",1]{}", " ".repeat(1015)));
    peer.round_trip();
    peer.leave();
}

#[test]
fn a_client_that_answers_no_ping_is_given_up_in_time() {
    let limits =
        Limits { keepalive_interval: Period::of(150), keepalive_timeout: Period::of(150), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut silent = test.client();
    assert_eq!(silent.frame().opcode(), PING);
    assert_eq!(silent.closed().0, 1011);
    let gone = test.disconnected();
    assert_end(&gone, "keepalive_timeout", 1011, "nothing was heard from the client", "network");
    has_no_error(&test, &gone);
    let lasted = gone["duration_ms"].as_u64().unwrap();
    assert!((300..2_000).contains(&lasted), "{lasted} ms");
    // One that answers, or says anything at all, stays.
    let mut answering = test.client();
    let mut talking = test.client();
    for _ in 0..4 {
        let ping = answering.frame();
        assert_eq!(ping.opcode(), PING);
        answering.write(&frame(FIN | crate::support::peer::PONG, &ping.payload));
        assert_eq!(talking.frame().opcode(), PING);
        talking.publish("t", &json!(1));
    }
    for (mut peer, code) in [(answering, 1000), (talking, 1001)] {
        peer.send_close(code, "");
        assert_eq!(peer.closed().0, code);
        assert_eq!(test.disconnected()["cause"], "client_closed");
    }
}

#[test]
fn a_client_that_reads_nothing_is_a_slow_consumer() {
    let limits = Limits { outbound: Size::of(16 * 1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut slow = test.client();
    slow.subscribe("t");
    test.until_subscribed("t", 1);
    let mut publisher = test.client();
    let event = json!("x".repeat(64 * 1024));
    until("the slow consumer is cut off", || {
        publisher.publish("t", &event);
        publisher.round_trip();
        test.handle().topic("t").unwrap().count() == 0
    });
    let gone = test.disconnected();
    assert_end(&gone, "slow_consumer", 1008, "too much is waiting to be read", "server");
    assert_died_of(&test, &gone, "slow_consumer");
    publisher.leave();
}

#[test]
fn a_client_that_takes_nothing_for_the_write_time_out_is_a_slow_consumer() {
    let limits = Limits { write: Period::of(150), outbound: Size::of(64 * 1024 * 1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut slow = test.client();
    slow.subscribe("t");
    test.until_subscribed("t", 1);
    let handle = test.handle();
    let event = "x".repeat(64 * 1024);
    until("the socket is full", || {
        handle.publish("t", &event).unwrap();
        handle.tables().waiting > 0
    });
    let gone = test.disconnected();
    assert_end(&gone, "slow_consumer", 1008, "nothing was read for the write time-out", "server");
    assert_died_of(&test, &gone, "slow_consumer");
}

#[test]
fn the_application_closes_with_a_code_and_a_reason() {
    let test = serve(|builder| builder);
    let handle = test.handle();
    for (code, reason) in [(1000, ""), (4001, "logged in elsewhere")] {
        let (mut peer, id) = test.client_and_id();
        let connection = handle.connection(id).unwrap();
        connection.close(code, reason);
        connection.close(4000, "the second close is ignored");
        assert_eq!(peer.closed(), (code, reason.to_owned()));
        assert_end(&test.disconnected(), "server_closed", code, reason, "server");
        assert!(!connection.is_open());
    }
}

#[test]
fn a_close_that_can_not_be_sent_as_it_is_breaks_nothing() {
    let test = serve(|builder| builder);
    let long = "\u{e9}".repeat(100);
    for (code, reason) in [(0, "x"), (1004, "x"), (1005, "x"), (1006, ""), (5000, "x"), (1000, &long)] {
        let (mut peer, id) = test.client_and_id();
        test.handle().connection(id).unwrap().close(code, reason);
        // Whatever becomes of it, what is sent follows RFC 6455, 5.5.1 and 7.4.
        let (sent, words) = peer.closed();
        assert!(matches!(sent, 1000..=1003 | 1005 | 1007..=1014 | 3000..=4999), "{code}: {sent}");
        assert!(words.len() <= 123 && reason.starts_with(&words), "{words}");
        let gone = test.disconnected();
        assert_eq!((&gone["cause"], &gone["initiator"]), (&json!("server_closed"), &json!("server")));
    }
}

#[test]
fn a_client_that_does_not_answer_the_close_frame_is_not_waited_for() {
    let test = serve(|builder| builder);
    let (mut peer, id) = test.client_and_id();
    test.handle().connection(id).unwrap().close(1000, "");
    assert_eq!(peer.frame().opcode(), CLOSE);
    // Told at once, while the socket is still waited for.
    assert_eq!(test.disconnected()["cause"], "server_closed");
    test.until_empty();
}

#[test]
fn traffic_is_counted_in_messages_and_their_bytes() {
    let test = serve(|builder| builder);
    let mut peer = Peer::upgraded(test.address, crate::support::HANDSHAKE);
    let welcome = peer.text().len();
    peer.write(&frame(FIN | PING, b"not counted"));
    peer.frame();
    let subscribe = r#"[5,"t"]"#;
    let publish = r#"[7,"t","abc"]"#;
    let event = r#"[8,"t","abc"]"#;
    peer.send(subscribe);
    // In two fragments: one message.
    peer.write(&frame(TEXT, &publish.as_bytes()[..5]));
    peer.write(&frame(FIN, &publish.as_bytes()[5..]));
    assert_eq!(peer.text(), event);
    peer.leave();
    let gone = test.disconnected();
    let counts = ["messages_received", "bytes_received", "messages_sent", "bytes_sent"].map(|it| &gone[it]);
    let expected = [2, subscribe.len() + publish.len(), 2, welcome + event.len()];
    assert_eq!(counts.map(|count| count.as_u64().unwrap() as usize), expected);
}

#[test]
fn a_connect_listener_that_takes_too_long_closes_or_serves_by_choice() {
    for choice in [OnListenerTimeout::Close, OnListenerTimeout::Serve] {
        let limits = Limits { listener: Period::of(100), ..Limits::DEFAULT };
        let test = serve_limited(limits, |builder| {
            builder
                .on_listener_timeout(choice)
                .on(EventKind::Connected, |_| async { std::future::pending().await })
        });
        let mut peer = test.client();
        if choice == OnListenerTimeout::Close {
            assert_eq!(peer.closed().0, 1011);
            let gone = test.disconnected();
            assert_eq!((&gone["cause"], &gone["initiator"]), (&json!("handler_failure"), &json!("server")));
        } else {
            peer.round_trip();
            peer.leave();
            assert_eq!(test.disconnected()["cause"], "client_closed");
        }
        let error = test.log.wait_for("clank.client.error");
        assert_eq!(error["kind"], "listener_timed_out");
    }
}

#[test]
fn connected_is_heard_before_the_first_message_and_disconnected_after_the_last() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap().push(what)
    };
    let (connected, called, published, disconnected) =
        (note("connected"), note("called"), note("published"), note("disconnected"));
    let published = Arc::new(published);
    let called = Arc::new(called);
    let (connected, disconnected) = (Arc::new(connected), Arc::new(disconnected));
    let test = serve(|builder| {
        builder
            .on(EventKind::Connected, move |_| {
                let connected = Arc::clone(&connected);
                async move {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    connected();
                    Ok(())
                }
            })
            .on(EventKind::Disconnected, move |_| {
                disconnected();
                async { Ok(()) }
            })
            .topic("noted", move |_, _, _| {
                let published = Arc::clone(&published);
                async move {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    published();
                    Ok(clank::Forward::Unchanged)
                }
            })
            .rpc_fn("noted", move |_, _| {
                called();
                async { Ok(Value::Null) }
            })
    });
    let mut peer = Peer::connect(test.address);
    let call = frame(FIN | TEXT, br#"[2,"id","noted/it"]"#);
    let publish = frame(FIN | TEXT, br#"[7,"noted/t",1]"#);
    let close = frame(FIN | CLOSE, b"");
    peer.write(&[crate::support::HANDSHAKE.as_bytes(), &publish, &publish, &call].concat());
    peer.response();
    let mut peer = peer.welcomed();
    assert_eq!(peer.json()[0], 3);
    peer.write(&[publish, close].concat());
    peer.closed();
    until("the end is heard", || log.lock().unwrap().last() == Some(&"disconnected"));
    let heard = log.lock().unwrap().clone();
    assert_eq!(heard, ["connected", "published", "published", "called", "published", "disconnected"]);
}

#[test]
fn subscriptions_beyond_the_limit_are_refused_with_an_error_event() {
    let limits = Limits { subscriptions: Count::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client();
    for number in 0..10_000 {
        peer.subscribe(&format!("t/{number}"));
    }
    peer.round_trip();
    assert_eq!(test.handle().tables().topics, 1_000);
    let error = test.log.wait_for("clank.client.error");
    assert_eq!((&error["kind"], &error["survived"]), (&json!("limit_exceeded"), &json!(true)));
    // Room that was made can be used.
    peer.send(r#"[6,"t/0"]"#);
    peer.subscribe("t/9999");
    peer.publish("t/9999", &json!(1));
    assert_eq!(peer.json(), json!([8, "t/9999", 1]));
    peer.leave();
}
