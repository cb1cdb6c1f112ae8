//! What clients must not be able to do. After each attempt the server lives, others are served and
//! nothing is left behind.

use std::io::Write;
use std::time::{Duration, Instant};

use clank::limits::{Count, Period, Size};
use clank::{Limits, Message};
use clank_wire::ws::deflate::{Deflater, WindowBits};
use clank_wire::ws::{self, OpCode};
use serde_json::json;

use crate::support::peer::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame};
use crate::support::{FIN, HANDSHAKE, Peer, Test, eventually, serve, serve_limited, until};

/// A frame's head with this length of payload, which need not follow.
fn head(first: u8, length: u64) -> Vec<u8> {
    [&[first, 0x80 | 127][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat()
}

#[test]
fn frames_that_break_the_rules_close_with_the_code_of_the_rule() {
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("length of 2^63", head(FIN | BINARY, 1 << 63), 1002),
        ("length of 2^62", head(FIN | TEXT, 1 << 62), 1009),
        ("length of 2^40", head(FIN | TEXT, 1 << 40), 1009),
        ("a byte above the limit", head(FIN | TEXT, (1 << 20) + 1), 1009),
        ("length of control frame", head(FIN | PING, 126), 1002),
        ("no mask", vec![FIN | TEXT, 1, b'x'], 1002),
        ("RSV1 without deflate", frame(FIN | 0x40 | TEXT, b"x"), 1002),
        ("RSV2", frame(FIN | 0x20 | TEXT, b"x"), 1002),
        ("RSV3", frame(FIN | 0x10 | TEXT, b"x"), 1002),
        ("reserved opcode 3", frame(FIN | 3, b"x"), 1002),
        ("reserved opcode 11", frame(FIN | 11, b"x"), 1002),
        ("ping in fragments", frame(PING, b"x"), 1002),
        ("pong in fragments", frame(PONG, b"x"), 1002),
        ("close in fragments", frame(CLOSE, b""), 1002),
        ("ping of 126 bytes", frame(FIN | PING, &[0; 126]), 1002),
        ("continuation of nothing", frame(FIN | CONTINUATION, b"x"), 1002),
        ("text within text", [frame(TEXT, b"["), frame(FIN | TEXT, b"]")].concat(), 1002),
        ("close with one byte", frame(FIN | CLOSE, &[3]), 1002),
        ("close with code 0", frame(FIN | CLOSE, &close_payload(0, "")), 1002),
        ("close with code 1006", frame(FIN | CLOSE, &close_payload(1006, "")), 1002),
        ("close with code 5000", frame(FIN | CLOSE, &close_payload(5000, "")), 1002),
        ("close with no UTF-8", frame(FIN | CLOSE, b"\x03\xe8\xff"), 1007),
        ("text that is no UTF-8", frame(FIN | TEXT, b"[\"\xc0\xaf\"]"), 1007),
        ("no UTF-8, seen before the end", frame(TEXT, b"[\"\xff"), 1007),
        ("half a character", [frame(TEXT, b"[\"\xe2\x82"), frame(FIN, b"\"]")].concat(), 1007),
    ];
    let test = serve(|builder| builder);
    for (what, bytes, code) in cases {
        let mut peer = test.client();
        peer.write(bytes);
        assert_eq!(peer.closed().0, *code, "{what}");
        assert_eq!(test.disconnected()["code"], *code, "{what}");
    }
    test.is_well();
}

#[test]
fn a_message_without_end_is_cut_off_at_the_limit() {
    let test = serve(|builder| builder);
    for fragment in [&[b' '; 4096][..], &[b' '; 1]] {
        let mut peer = test.client();
        let fragments = frame(CONTINUATION, fragment).repeat(64);
        peer.write(&frame(TEXT, b"["));
        // It may be cut off while it is still at it.
        let mut sent = 0;
        while sent < 2 << 20 && peer.stream.write_all(&fragments).is_ok() {
            sent += 64 * fragment.len();
        }
        if let Ok(frame) = peer.try_frame() {
            assert_eq!((frame.opcode(), &frame.payload[..2]), (CLOSE, &1009_u16.to_be_bytes()[..]));
        }
        assert_eq!(test.disconnected()["cause"], "message_too_big");
    }
    test.is_well();
}

#[test]
fn empty_fragments_cost_nothing() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.write(&frame(TEXT, b""));
    let fragments = frame(CONTINUATION, b"").repeat(10_000);
    (0..10).for_each(|_| peer.write(&fragments));
    peer.write(&frame(FIN, br#"[2,"id","test/echo"]"#));
    assert_eq!(peer.json(), json!([3, "id", []]));
    peer.leave();
}

/// Writes until the server takes no more, or has taken `most` bytes; returns how much it took.
fn flood(peer: &mut Peer, bytes: &[u8], most: usize) -> usize {
    peer.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    while sent < most && peer.stream.write_all(bytes).is_ok() {
        sent += bytes.len();
    }
    sent
}

#[test]
fn a_ping_within_a_message_is_answered_before_it() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    let parts = [frame(TEXT, b"[2,\"call\","), frame(FIN | PING, b"there"), frame(FIN, b"\"test/echo\",1]")];
    peer.write(&parts.concat());
    assert_eq!(peer.frame().payload, b"there");
    assert_eq!(peer.text(), r#"[3,"call",[1]]"#);
}

#[test]
fn a_flood_of_pings_that_reads_no_pong_is_held_back() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    let pings = frame(FIN | PING, &[7; 125]).repeat(500);
    flood(&mut peer, &pings, 128 << 20);
    test.is_well();
    let waiting = test.handle().tables().waiting;
    assert!(waiting < 2 << 20, "{waiting} bytes of pongs wait");
    drop(peer);
    test.disconnected();
}

#[test]
fn calls_whose_answers_are_not_read_are_held_back() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    let call = frame(FIN | TEXT, json!([2, "id", "test/echo", "x".repeat(10_000)]).to_string().as_bytes());
    flood(&mut peer, &call.repeat(10), 128 << 20);
    test.is_well();
    let waiting = test.handle().tables().waiting;
    // While its socket still takes something, a queue may be sixteen times as long as its limit.
    assert!(waiting < 18 << 20, "{waiting} bytes of answers wait");
    drop(peer);
    test.disconnected();
}

#[test]
fn slow_readers_are_cut_off_and_the_others_are_served() {
    const SLOW: usize = 20;
    let limits = Limits { outbound: Size::of(256 * 1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let slow: Vec<Peer> = (0..SLOW)
        .map(|_| {
            let mut peer = test.client();
            peer.subscribe("t");
            peer
        })
        .collect();
    test.until_subscribed("t", SLOW);
    let (mut publisher, mut reader) = (test.client(), test.client());
    reader.subscribe("t");
    test.until_subscribed("t", SLOW + 1);
    let event = json!("x".repeat(100_000));
    for _ in 0..200 {
        publisher.publish("t", &event);
        assert_eq!(reader.json()[2], event);
        assert!(test.handle().tables().waiting <= SLOW * (256 * 1024 + 200_000));
    }
    until("all slow ones are cut off", || test.handle().topic("t").unwrap().count() == 1);
    for _ in 0..SLOW {
        assert_eq!(test.disconnected()["cause"], "slow_consumer");
    }
    drop(slow);
    reader.round_trip();
}

#[test]
fn events_are_dropped_and_counted_where_that_is_chosen() {
    let limits = Limits {
        outbound: Size::of(64 * 1024),
        slow_consumer: clank::SlowConsumer::DropEvents,
        ..Limits::DEFAULT
    };
    let test = serve_limited(limits, |builder| builder);
    let mut slow = test.client();
    slow.subscribe("t");
    test.until_subscribed("t", 1);
    let handle = test.handle();
    let event = "x".repeat(32 * 1024);
    until("the socket is full", || {
        handle.publish("t", &event).unwrap();
        handle.tables().waiting > 0
    });
    (0..100).for_each(|_| handle.publish("t", &event).unwrap());
    // Everything that was kept arrives whole, and then what comes next.
    slow.publish("end", &json!(null));
    let error = eventually("the loss is told", || {
        let frame = slow.frame();
        assert!(frame.opcode() == PING || frame.text().ends_with("x\"]"));
        test.log.every("clank.client.error").first().cloned()
    });
    assert_eq!((&error["kind"], &error["survived"]), (&json!("events_dropped"), &json!(true)));
    handle.publish("t", "end").unwrap();
    while slow.text() != r#"[8,"t","end"]"# {}
    slow.round_trip();
    slow.leave();
}

#[test]
fn what_is_no_websocket_is_turned_away() {
    let limits = Limits { handshake: Period::of(300), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let tls: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let cases: [&[u8]; 6] = [
        b"\0\0\0\0\0\0\0\0",
        tls,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0xff; 100_000],
        &frame(FIN | TEXT, b"[5,\"t\"]"),
        b"GET / HTTP/1.1\r\n",
    ];
    for bytes in cases {
        let mut peer = Peer::connect(test.address);
        _ = peer.stream.write_all(bytes);
        test.rejected();
        // An answer or none: the connection ends.
        until("it ends", || !matches!(std::io::Read::read(&mut peer.stream, &mut [0; 1024]), Ok(1..)));
    }
    test.is_well();
}

fn deflating(limits: Limits) -> Test {
    serve_limited(limits, |builder| builder.deflate(true))
}

/// A client that has agreed on permessage-deflate; its WELCOME is taken.
fn deflated(test: &Test) -> Peer {
    let request = HANDSHAKE.replace(
        "Protocol: wamp\r\n",
        "Protocol: wamp\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n",
    );
    let mut peer = Peer::connect(test.address);
    peer.write(request.as_bytes());
    let response = peer.response();
    assert!(response.head.to_ascii_lowercase().contains("permessage-deflate"), "{response:?}");
    peer.frame();
    peer
}

/// A compressed message as a client sends it.
fn compressed(text: &[u8]) -> Vec<u8> {
    let plain = Deflater::default().frame(OpCode::Text, WindowBits::MAX, text);
    ws::masked(&plain, [9, 8, 7, 6]).to_vec()
}

#[test]
fn a_compressed_message_that_swells_past_the_limit_closes_1009() {
    let test = deflating(Limits::DEFAULT);
    let mut fits = deflated(&test);
    let text = format!("[7,\"t\",1]{}", " ".repeat(1_000_000));
    fits.write(&compressed(text.as_bytes()));
    fits.send(r#"[2,"id","test/echo"]"#);
    assert_eq!(fits.frame().opcode(), TEXT);
    let bomb = compressed(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let mut peer = deflated(&test);
    peer.write(&bomb);
    assert_eq!(peer.closed().0, 1009);
    assert_eq!(test.disconnected()["cause"], "message_too_big");
    test.is_well();
}

#[test]
fn what_is_no_deflate_closes() {
    let test = deflating(Limits::DEFAULT);
    let mut peer = deflated(&test);
    peer.write(&frame(FIN | 0x40 | TEXT, &[0xff; 64]));
    let (code, _) = peer.closed();
    assert!(matches!(code, 1002 | 1007), "{code}");
    assert_eq!(test.disconnected()["code"], code);
    test.is_well();
}

#[test]
fn a_worker_survives_a_raw_handler_that_panics() {
    let test = serve(|builder| {
        builder.workers(1).raw(|connection: &clank::Connection, message: Message<'_>| {
            assert!(message != Message::Text("panic"), "on purpose");
            connection.send(message);
        })
    });
    let request = HANDSHAKE.replace("Sec-WebSocket-Protocol: wamp\r\n", "");
    let mut peer = Peer::upgraded(test.address, &request);
    peer.send("panic");
    peer.send("hello");
    assert_eq!(peer.text(), "hello");
    peer.write(&frame(FIN | BINARY, &[0, 255]));
    assert_eq!(peer.frame(), crate::support::peer::Frame { first: FIN | BINARY, payload: vec![0, 255] });
    assert_eq!(test.log.wait_for("clank.client.error")["kind"], "handler_panicked");
    peer.leave();
}

#[test]
fn many_connects_and_leaves_leave_nothing() {
    let test = serve_limited(Limits { handshakes_per_address: Count::of(1_000), ..Limits::DEFAULT }, |it| it);
    let begun = Instant::now();
    for round in 0..500 {
        match round % 5 {
            0 => drop(Peer::connect(test.address)),
            1 => Peer::connect(test.address).write(&HANDSHAKE.as_bytes()[..round % HANDSHAKE.len()]),
            2 => Peer::connect(test.address).write(HANDSHAKE.as_bytes()),
            3 => drop(test.client()),
            _ => test.client().subscribe("t"),
        }
    }
    test.is_well();
    test.until_empty();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(
        test.log.every("clank.client.connected").len(),
        test.log.every("clank.client.disconnected").len()
    );
}
