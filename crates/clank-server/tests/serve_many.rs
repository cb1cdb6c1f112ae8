//! `clank server` with many clients, and with clients that mean harm: what it does to its memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use serve_support::peer::{CONTINUATION, PING, TEXT, frame};
use serve_support::{FIN, Peer, Program, until};

const CLIENTS: usize = 10_000;
/// Clients that come first, so that what is only made once is made.
const FIRST: usize = 48;
/// Threads that open connections.
const OPENERS: usize = 8;
/// Bytes of memory that may be left over when all have gone.
const LEFT_OVER: u64 = 2 << 20;

/// The soft limit on this process's descriptors.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX)
}

/// Runs this test again with as many descriptors as the system allows. False if they suffice.
fn runs_again_with_more_descriptors(test: &str) -> bool {
    if descriptors() > CLIENTS + 200 {
        return false;
    }
    let raise = "ulimit -S -n \"$(ulimit -H -n)\" && exec \"$0\" \"$@\"";
    let mut again = Command::new("sh");
    again.args(["-c", raise]).arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
    let marker = "CLANK_TEST_HAS_DESCRIPTORS";
    assert!(std::env::var_os(marker).is_none(), "the system allows {} descriptors", descriptors());
    assert!(again.env(marker, "1").status().unwrap().success());
    true
}

#[test]
fn ten_thousand_come_hear_and_go() {
    if runs_again_with_more_descriptors("ten_thousand_come_hear_and_go") {
        return;
    }
    let program = Program::start(&[
        ("CLANK_EVENTS_CONSOLE", "json"),
        // On a busy machine a client may be slow to answer a ping while it waits for its turn.
        ("CLANK_KEEPALIVE_INTERVAL", "10m"),
    ]);
    let told = come_hear_and_go(&program, FIRST, 0).told;
    let idle = program.resident();
    let first = come_hear_and_go(&program, CLIENTS, told);
    memory_is_back(&program, idle);
    let second = come_hear_and_go(&program, CLIENTS, first.told);
    memory_is_back(&program, idle);
    for kind in ["clank.client.connected", "clank.client.disconnected"] {
        let ids: BTreeSet<String> =
            program.every(kind).iter().map(|record| record["connection_id"].to_string()).collect();
        assert_eq!(ids.len(), second.told, "{kind}");
    }
    println!("resident: {idle} before, {} and {} with {CLIENTS} clients", first.full, second.full);
    assert!((first.full - idle) / (CLIENTS as u64) < 2_048, "a client costs about a kilobyte");
    program.client().leave();
}

/// Waits until the program's memory is what it was before, but for [`LEFT_OVER`].
fn memory_is_back(program: &Program, before: u64) {
    let most = before + LEFT_OVER;
    until(&format!("resident memory is below {most}"), || program.resident() < most);
    println!("resident: {before} before, {} after all have gone", program.resident());
}

/// What was seen of many clients.
struct Seen {
    /// The program's memory while all were there.
    full: u64,
    /// How many clients are told to be gone, with all that came before.
    told: usize,
}

/// Lets so many clients subscribe, receive one event and leave; `told` were there before.
fn come_hear_and_go(program: &Program, clients: usize, told: usize) -> Seen {
    let mut peers = open(program, clients);
    let full = program.resident();
    let mut publisher = program.client();
    publisher.publish("all", &json!(told));
    for peer in &mut peers {
        assert_eq!(peer.json(), json!([8, "all", told]));
    }
    publisher.leave();
    for (number, peer) in peers.into_iter().enumerate() {
        if number % 2 == 0 { drop(peer) } else { close(peer) }
    }
    let told = told + clients + 1;
    until("all are told to be gone", || count(program, "clank.client.disconnected") == told);
    Seen { full, told }
}

/// Clients that have all subscribed.
fn open(program: &Program, clients: usize) -> Vec<Peer> {
    let open = || {
        let mut peers: Vec<Peer> = Vec::new();
        for _ in 0..clients / OPENERS {
            let mut peer = program.client();
            peer.subscribe("all");
            // It has subscribed when it hears from itself alone.
            peer.send(json!([7, "all", "there", [], [peer.session]]).to_string());
            assert_eq!(peer.json()[2], "there");
            peers.push(peer);
        }
        peers
    };
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
        openers.into_iter().flat_map(|opener| opener.join().unwrap()).collect()
    })
}

fn close(mut peer: Peer) {
    peer.send_close(1000, "");
    assert_eq!(peer.closed().0, 1000);
}

/// How many lines of the output tell of such an event.
fn count(program: &Program, kind: &str) -> usize {
    program.lines().iter().filter(|line| line.contains(kind)).count()
}

/// Lets a client do its worst, and checks that others are served and how far memory grew.
fn abuse(program: &Program, most: u64, worst: impl FnOnce(&mut Peer)) {
    let before = program.resident();
    let mut peer = program.client();
    peer.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    worst(&mut peer);
    let mut other = program.client();
    other.subscribe("other");
    other.publish("other", &json!("well"));
    assert_eq!(other.json(), json!([8, "other", "well"]));
    other.leave();
    let grown = program.resident().saturating_sub(before);
    assert!(grown <= most, "it grew by {grown} bytes");
}

/// Writes `bytes` again and again, until the server takes no more or has taken `most`.
fn flood(peer: &mut Peer, bytes: &[u8], most: usize) {
    let mut sent = 0;
    while sent < most && peer.stream.write_all(bytes).is_ok() {
        sent += bytes.len();
    }
}

#[test]
fn nobody_makes_it_grow() {
    const MIB: u64 = 1 << 20;
    let program = Program::start(&[]);
    program.client().leave();
    // Pings whose pongs are not read.
    abuse(&program, 8 * MIB, |peer| flood(peer, &frame(FIN | PING, &[7; 125]).repeat(500), 256 << 20));
    // A message of fragments without end, each of one byte.
    abuse(&program, 8 * MIB, |peer| {
        peer.write(&frame(TEXT, b"["));
        flood(peer, &frame(CONTINUATION, b" ").repeat(10_000), 16 << 20);
    });
    // A length that is declared and never sent.
    abuse(&program, 2 * MIB, |peer| {
        peer.write(&[&[FIN | TEXT, 0xff][..], &(1_u64 << 20).to_be_bytes(), &[1, 2, 3, 4]].concat());
    });
    // Its own events, not read.
    abuse(&program, 24 * MIB, |peer| {
        peer.subscribe("flood");
        let publish = json!([7, "flood", "x".repeat(100_000)]).to_string();
        flood(peer, &frame(FIN | TEXT, publish.as_bytes()), 256 << 20);
    });
    // Topics and prefixes without end.
    abuse(&program, 8 * MIB, |peer| {
        for number in 0..20_000 {
            peer.subscribe(&format!("topic/{number}"));
        }
        for number in 0..100 {
            peer.send(json!([1, number.to_string(), "prefix/"]).to_string());
        }
        peer.send(json!([1, "one more", "prefix/"]).to_string());
    });
    until("all have gone", || {
        let gone = |suffix: &str| program.lines().iter().filter(|line| line.ends_with(suffix)).count();
        gone(" connected") == gone(" disconnected")
    });
    let health: Value = program.request("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status.into();
    assert_eq!(health, 200);
}
