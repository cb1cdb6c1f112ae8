//! `clank server`, run as a program: what it prints, how it ends, what it survives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use serve_support::peer::{CLOSE, PING, PONG, frame};
use serve_support::{FIN, HANDSHAKE, Peer, Program, command, eventually, until};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n";

#[test]
fn the_output_of_text_is_that_of_the_bundles_listener() {
    let mut program = Program::start(&[]);
    let address = program.address;
    let mut first = program.client();
    let second = program.client();
    first.send("no JSON");
    assert_eq!(first.closed().0, 1007);
    drop(first);
    until("the first has gone", || program.lines().len() == 6);
    second.leave();
    // Who is refused is not told of.
    assert_eq!(program.request(&HANDSHAKE.replace("wamp", "soap")).status, 400);
    program.signal("TERM");
    assert!(program.wait().success());
    let lines = program.lines();
    let error = "connection error occurred: a WAMP message is JSON: ";
    assert!(lines[4].starts_with(error), "{lines:?}");
    assert_eq!(
        [&lines[..4], &lines[5..]].concat(),
        [
            "Starting Clank",
            &format!("Launching WebSocket server on: ws://{address}"),
            "1 connected",
            "2 connected",
            "1 disconnected",
            "2 disconnected",
        ]
    );
}

#[test]
fn the_output_of_json_is_a_record_a_line() {
    let mut program = Program::start(&[("CLANK_EVENTS_CONSOLE", "json"), ("CLANK_SERVER_NODE", "a-node")]);
    let mut peer = program.client();
    peer.subscribe("t");
    peer.publish("t", &json!(1));
    peer.json();
    peer.send_close(4000, "that's all\n\u{202e}");
    peer.closed();
    until("it is told", || program.every("clank.client.disconnected").len() == 1);
    assert_eq!(program.request(&HANDSHAKE.replace("wamp", "soap")).status, 400);
    until("the rejection is told", || program.every("clank.client.rejected").len() == 1);
    program.signal("TERM");
    assert!(program.wait().success());
    let lines = program.lines();
    assert_eq!(lines[0], "Starting Clank");
    assert!(!lines.iter().any(|line| line.contains('\u{202e}')), "{lines:?}");
    let records = program.records();
    let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "clank.server.launched",
            "clank.client.connected",
            "clank.topic.subscribed",
            "clank.topic.unsubscribed",
            "clank.client.disconnected",
            "clank.client.rejected",
            "clank.server.stopping",
        ]
    );
    assert!(records.iter().all(|record| record["node"] == "a-node" && record["run"] == records[0]["run"]));
    assert_eq!(records[0]["address"], json!(format!("ws://{}", program.address)));
    let gone = &records[4];
    assert_eq!(
        (&gone["cause"], &gone["code"], &gone["reason"]),
        (&json!("client_closed"), &json!(4000), &json!("that's all\n\u{202e}"))
    );
    let ids: BTreeSet<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), records.len());
}

#[test]
fn the_output_may_be_off() {
    let mut program = Program::start(&[("CLANK_EVENTS_CONSOLE", "off")]);
    program.client().leave();
    program.signal("INT");
    assert!(program.wait().success());
    assert_eq!(program.lines().len(), 2);
}

#[test]
fn the_port_serves_pages_too() {
    let program = Program::start(&[]);
    let get = |path: &str| {
        program.request(&format!("GET {path} HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n"))
    };
    for (path, status, words) in [
        ("/healthz", 200, "ok"),
        ("/", 200, "<html"),
        ("/clank.js", 200, "Clank"),
        ("/nowhere", 404, "not found"),
    ] {
        let response = get(path);
        assert_eq!(response.status, status, "{path}");
        assert!(response.body.contains(words), "{path}: {}", response.body);
    }
    assert_eq!(program.request(&HEALTH.replace("GET", "POST")).status, 405);
}

#[test]
fn a_closed_output_does_not_end_it() {
    let mut child = command(&[("CLANK_EVENTS_CONSOLE", "json")]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let second = lines.next().unwrap().unwrap();
    let address = second.strip_prefix("Launching WebSocket server on: ws://").unwrap().parse().unwrap();
    drop(lines);
    drop(child.stderr.take());
    for _ in 0..20 {
        let mut peer = Peer::wamp(address);
        peer.subscribe("t");
        peer.publish("t", &json!("still there"));
        assert_eq!(peer.json(), json!([8, "t", "still there"]));
        peer.leave();
    }
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(eventually("it ends", || child.try_wait().unwrap()).success());
}

#[test]
fn an_output_that_is_not_read_stops_nobody() {
    let mut child = command(&[("CLANK_EVENTS_CONSOLE", "json")]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    stdout.read_line(&mut lines).unwrap();
    lines.clear();
    stdout.read_line(&mut lines).unwrap();
    let address = lines.trim().strip_prefix("Launching WebSocket server on: ws://").unwrap().parse().unwrap();
    // More than a pipe holds.
    for _ in 0..400 {
        Peer::wamp(address).leave();
    }
    let mut peer = Peer::wamp(address);
    peer.subscribe("t");
    peer.publish("t", &json!(1));
    peer.json();
    peer.leave();
    // What waited is there for a reader that comes late.
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.matches("clank.client.disconnected").count(), 401);
    assert!(eventually("it ends", || child.try_wait().unwrap()).success());
}

#[test]
fn a_termination_closes_everybody_in_order() {
    const CLIENTS: usize = 30;
    let mut program = Program::start(&[("CLANK_EVENTS_CONSOLE", "json"), ("CLANK_SHUTDOWN_DRAIN", "1500ms")]);
    let mut peers: Vec<Peer> = (0..CLIENTS).map(|_| program.client()).collect();
    assert_eq!(program.request(HEALTH).status, 200);
    program.signal("TERM");
    until("it is unwell", || program.request(HEALTH).status == 503);
    assert_eq!(program.request(HANDSHAKE).status, 503);
    let begun = Instant::now();
    for peer in &mut peers {
        assert_eq!(peer.closed(), (1001, "the server is stopping".to_owned()));
    }
    assert!(begun.elapsed() > Duration::from_millis(700), "spread: {:?}", begun.elapsed());
    assert_eq!(program.wait().code(), Some(0));
    let gone = program.every("clank.client.disconnected");
    assert_eq!(gone.len(), CLIENTS);
    assert!(gone.iter().all(|record| record["cause"] == "server_shutdown" && record["code"] == 1001));
    assert_eq!(program.every("clank.server.stopping")[0]["open"], CLIENTS);
}

#[test]
fn a_second_signal_hastens() {
    let settings = [("CLANK_SHUTDOWN_DRAIN", "10m"), ("CLANK_SHUTDOWN_DEADLINE", "20m")];
    let mut program = Program::start(&settings);
    let mut peers: Vec<Peer> = (0..10).map(|_| program.client()).collect();
    program.signal("TERM");
    until("it is unwell", || program.request(HEALTH).status == 503);
    program.signal("INT");
    for peer in &mut peers {
        assert_eq!(peer.closed().0, 1001);
    }
    assert_eq!(program.wait().code(), Some(0));
    assert_eq!(program.lines().iter().filter(|line| line.ends_with(" disconnected")).count(), 10);
}

#[test]
fn a_port_in_use_is_told_and_fails() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command(&[("CLANK_SERVER_PORT", &port)]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains(&format!("127.0.0.1:{port}")) && words.contains("in use"), "{words}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Starting Clank\n");
}

#[test]
fn a_port_that_gets_free_in_time_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut child = command(&[("CLANK_SERVER_PORT", &port.to_string())]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "Starting Clank");
    drop(taken);
    assert_eq!(
        lines.next().unwrap().unwrap(),
        format!("Launching WebSocket server on: ws://127.0.0.1:{port}")
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_server_can_be_started_again_at_once() {
    let program = Program::start(&[]);
    let port = program.address.port().to_string();
    let peers: Vec<Peer> = (0..50).map(|_| program.client()).collect();
    drop(program);
    let again = Program::start(&[("CLANK_SERVER_PORT", &port)]);
    again.client().leave();
    drop(peers);
}

#[test]
fn a_bad_setting_is_told_and_nothing_is_served() {
    for (name, value, words) in [
        ("CLANK_SERVER_PORT", "80800", "server.port"),
        ("CLANK_EVENTS_CONSOLE", "yaml", "events.console"),
        ("CLANK_LIMITS_MESSAGE", "unlimited", "limits.message"),
        ("CLANK_LIMITS_MESSAGE", "10GiB", "out of range"),
    ] {
        let output = command(&[(name, value)]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with(name) && told.contains(words), "{told}");
        assert!(output.stdout.is_empty());
    }
    let flag = command(&[]).args(["--port", "eight"]).output().unwrap();
    assert_eq!(flag.status.code(), Some(1));
    assert!(String::from_utf8(flag.stderr).unwrap().contains("--port"));
}

#[test]
fn a_host_that_can_not_be_bound_is_told() {
    let output = command(&[("CLANK_SERVER_HOST", "192.0.2.1")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("192.0.2.1"));
}

#[test]
fn settings_reach_the_server() {
    let program = Program::start(&[
        ("CLANK_SERVER_PATH", "/ws"),
        ("CLANK_SERVER_ORIGINS", "https://app.test"),
        ("CLANK_LIMITS_MESSAGE", "1KiB"),
        ("CLANK_WAMP1_PUBLISHER_RECEIVES", "false"),
        ("CLANK_DEFLATE_ENABLED", "true"),
    ]);
    assert_eq!(program.request(HANDSHAKE).status, 404);
    let handshake = HANDSHAKE.replace("GET / ", "GET /ws ");
    let origin = |origin: &str| handshake.replace("Host:", &format!("Origin: {origin}\r\nHost:"));
    assert_eq!(program.request(&origin("https://evil.test")).status, 403);
    assert_eq!(program.request(&origin("https://app.test")).status, 101);
    let deflate = handshake.replace("Host:", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost:");
    assert!(program.request(&deflate).head.contains("permessage-deflate"));
    let mut peer = Peer::upgraded(program.address, &handshake).welcomed();
    peer.subscribe("t");
    peer.publish("t", &json!("not for me"));
    peer.send(r#"[7,"t","for me",false]"#);
    assert_eq!(peer.json(), json!([8, "t", "for me"]));
    peer.send(" ".repeat(1025));
    assert_eq!(peer.closed().0, 1009);
}

#[test]
fn a_server_that_was_stopped_keeps_clients_that_have_spoken_meanwhile() {
    let settings = [
        ("CLANK_KEEPALIVE_INTERVAL", "200ms"),
        ("CLANK_KEEPALIVE_TIMEOUT", "300ms"),
        ("CLANK_EVENTS_CONSOLE", "json"),
    ];
    let program = Program::start(&settings);
    let mut silent = program.client();
    let mut answering = program.client();
    let mut talking = program.client();
    // Pinged, and stopped before it could hear an answer.
    for peer in [&mut silent, &mut answering, &mut talking] {
        assert_eq!(peer.frame().opcode(), PING);
    }
    program.signal("STOP");
    until("it is stopped", || program.state() == 'T');
    answering.write(&frame(FIN | PONG, b""));
    talking.publish("t", &json!(1));
    let stopped = Instant::now();
    // Longer than interval and time-out together.
    until("time has passed", || stopped.elapsed() > Duration::from_millis(1_200));
    program.signal("CONT");
    // Those who had spoken are asked again; who had not is gone.
    for peer in [&mut answering, &mut talking] {
        assert_eq!(peer.frame().opcode(), PING);
        peer.write(&frame(FIN | PONG, b""));
    }
    assert_eq!(silent.closed().0, 1011);
    for mut peer in [answering, talking] {
        peer.send_close(1000, "");
        while peer.frame().opcode() != CLOSE {}
    }
    until("all are told", || program.every("clank.client.disconnected").len() == 3);
    let causes: Vec<Value> =
        program.every("clank.client.disconnected").iter().map(|record| record["cause"].clone()).collect();
    assert_eq!(causes, ["keepalive_timeout", "client_closed", "client_closed"]);
}

#[test]
fn the_log_goes_to_standard_error() {
    let mut program = Program::start(&[("CLANK_LOG_LEVEL", "debug"), ("CLANK_LOG_FORMAT", "json")]);
    let mut peer = program.client();
    peer.send("no JSON, and a \u{1b}[31msecret");
    peer.closed();
    drop(peer);
    program.signal("TERM");
    assert!(program.wait().success());
    let log = program.log();
    assert!(!log.is_empty());
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_server_without_standard_input_output_or_error_serves() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut command = command(&[("CLANK_SERVER_PORT", &address.port().to_string())]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it listens", || std::net::TcpStream::connect(address).is_ok());
    Peer::wamp(address).leave();
    child.kill().unwrap();
    child.wait().unwrap();
}
