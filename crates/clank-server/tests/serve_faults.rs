//! What a server with a journal does when its sinks, its disk or its network fail.
//!
//! `CLANK_TEST_EVENTS=500000`, `CLANK_TEST_STORM=9000` and the like make it hard; what runs by default
//! is smaller, so that it can run each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serve_support::history::HEADER;
use serve_support::journal::{connect, directory, history, settings, start_with, until_told};
use serve_support::receiver::{OK, Receiver, Reply};
use serve_support::{HANDSHAKE, Peer, Program, command, eventually, until};

fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |size| size.parse().unwrap())
}

/// Lets so many clients come and go, by four at a time. Returns their names.
fn come_and_go(address: SocketAddr, clients: usize, prefix: &str) -> BTreeSet<String> {
    let names: Vec<String> = (0..clients).map(|number| format!("{prefix}{number}")).collect();
    std::thread::scope(|scope| {
        for share in names.chunks(clients.div_ceil(4)) {
            scope.spawn(move || share.iter().for_each(|name| drop(connect(address, name).unwrap())));
        }
    });
    names.into_iter().collect()
}

#[test]
fn a_sink_that_was_down_gets_everything_in_order_and_costs_no_memory() {
    let events = size("CLANK_TEST_EVENTS", 6_000);
    let (directory, receiver) = (directory("down"), Receiver::new(|_| Reply::Reset));
    let program = start_with(&directory, &receiver, &[("CLANK_SINKS_TEST_BACKOFF", "500ms")]);
    let mut names = come_and_go(program.address, 500, "first-");
    let before = program.resident();
    names.extend(come_and_go(program.address, events / 2, "then-"));
    let grown = program.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "it has grown by {grown} bytes");
    receiver.script(|_| OK);
    let history = until_told(&receiver, &names);
    history.check(&names).assert_none();
    let gaps = history.deliveries.iter().filter(|record| record["gap"] == true).count();
    assert_eq!(gaps, 0, "nothing went to the dead letters");
    println!("{events} events waited; memory grew by {grown} bytes");
}

#[test]
fn when_all_leave_at_once_the_sink_is_told_at_its_pace() {
    let (clients, pace) = (size("CLANK_TEST_STORM", 600), size("CLANK_TEST_PACE", 200));
    let (directory, receiver) = (directory("storm"), Receiver::new(|_| OK));
    let rate = pace.to_string();
    let program = start_with(&directory, &receiver, &[("CLANK_SINKS_TEST_PACE", &rate)]);
    let sockets: Vec<TcpStream> =
        (0..clients).map(|number| connect(program.address, &number.to_string()).unwrap()).collect();
    let names = (0..clients).map(|number| number.to_string()).collect();
    until("all are known", || history(&receiver).ids("clank.client.connected").len() == clients);
    drop(sockets);
    until_told(&receiver, &names).check(&names).assert_none();
    let mut ends: Vec<Instant> = Vec::new();
    for request in receiver.requests() {
        let body = request.json();
        let of_kind = |event: &&Value| event["type"] == "clank.client.disconnected";
        ends.extend(body.as_array().unwrap().iter().filter(of_kind).map(|_| request.at));
    }
    ends.sort();
    // In no stretch of five seconds more than the pace allows; the network may push two together.
    let most = pace * 5;
    for (at, begin) in ends.iter().enumerate() {
        let within =
            ends[at..].iter().take_while(|end| **end - *begin < Duration::from_millis(4_900)).count();
        assert!(within <= most, "{within} in five seconds, at most {most}");
    }
}

/// A server whose journal lies on a small disk of its own, with the path of that disk.
fn on_a_small_disk(receiver: &Receiver, megabytes: u32) -> (Program, PathBuf) {
    let mount = directory("disk");
    std::fs::create_dir_all(&mount).unwrap();
    let clank = command(&[]);
    let mut wrapped = Command::new("unshare");
    let script =
        format!("mount -t tmpfs -o size={megabytes}m tmpfs {0} && exec \"$0\" server", mount.display());
    wrapped.args(["--mount", "sh", "-c", &script]).arg(clank.get_program());
    wrapped
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    wrapped.envs([("CLANK_SERVER_PORT", "0"), ("CLANK_JOURNAL_MAX_BYTES", "4MiB")]);
    wrapped.envs(settings(mount.join("data").to_str().unwrap(), &receiver.url()));
    wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = Program::spawn(wrapped);
    // Only the server sees the disk there.
    let seen =
        Path::new("/proc").join(program.id().to_string()).join("root").join(mount.strip_prefix("/").unwrap());
    (program, seen)
}

/// What a handshake is answered.
fn answer(program: &Program) -> u16 {
    let mut peer = Peer::connect(program.address);
    peer.write(HANDSHAKE.as_bytes());
    let status = peer.response().status;
    if status == 101 {
        peer.welcomed().leave();
    }
    status
}

#[test]
fn on_a_full_disk_clients_are_refused_and_every_end_is_told_when_there_is_room_again() {
    let receiver = Receiver::new(|_| OK);
    let (program, disk) = on_a_small_disk(&receiver, 6);
    let names: BTreeSet<String> = (0..20).map(|number| format!("open-{number}")).collect();
    let sockets: Vec<TcpStream> = names.iter().map(|name| connect(program.address, name).unwrap()).collect();
    std::io::copy(&mut std::io::repeat(0), &mut std::fs::File::create(disk.join("fill")).unwrap())
        .unwrap_err();
    // What the journal has taken for itself in advance is used up first.
    until("there is no room left", || answer(&program) == 503);
    drop(sockets);
    until("all have left", || program.lines().iter().any(|line| line.ends_with("connected")));
    until("there is none still", || answer(&program) == 503);
    std::fs::remove_file(disk.join("fill")).unwrap();
    let begun = Instant::now();
    until("clients are let in again", || answer(&program) == 101);
    let took = begun.elapsed();
    until_told(&receiver, &names).check(&names).assert_none();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    connect(program.address, "after").unwrap();
}

#[test]
fn at_the_most_bytes_clients_are_refused_and_no_end_is_lost() {
    let (directory, receiver) = (directory("refuse"), Receiver::new(|_| Reply::Reset));
    let more = [("CLANK_JOURNAL_MAX_BYTES", "1MiB"), ("CLANK_SINKS_TEST_BACKOFF", "200ms")];
    let program = start_with(&directory, &receiver, &more);
    let mut names: BTreeSet<String> = (0..50).map(|number| format!("open-{number}")).collect();
    let sockets: Vec<TcpStream> = names.iter().map(|name| connect(program.address, name).unwrap()).collect();
    let mut number = 0;
    while let Some(socket) = connect(program.address, &format!("churn-{number}")) {
        drop(socket);
        names.insert(format!("churn-{number}"));
        number += 1;
        assert!(number < 20_000, "it never fills");
    }
    // The end of one makes room for the beginning of another, at most.
    until("they are refused again", || answer(&program) == 503);
    drop(sockets);
    receiver.script(|_| OK);
    until_told(&receiver, &names).check(&names).assert_none();
    until("clients are let in again", || answer(&program) == 101);
}

#[test]
fn at_the_most_bytes_what_is_evicted_is_told_as_a_gap() {
    let (directory, receiver) = (directory("evict"), Receiver::new(|_| Reply::Reset));
    let more = [
        ("CLANK_JOURNAL_MAX_BYTES", "1MiB"),
        ("CLANK_JOURNAL_ON_FULL", "evict"),
        ("CLANK_SINKS_TEST_BACKOFF", "200ms"),
    ];
    let program = start_with(&directory, &receiver, &more);
    come_and_go(program.address, 4_000, "lost-");
    receiver.script(|_| OK);
    let gap = eventually("the gap is told", || {
        let gap = |record: &Value| record["type"] == "clank.journal.gap";
        history(&receiver).deliveries.into_iter().find(gap)
    });
    assert!(gap["count"].as_u64().unwrap() > 0 && gap["from"].as_u64() <= gap["to"].as_u64(), "{gap}");
    // Behind it nothing is missing.
    let names = come_and_go(program.address, 100, "kept-");
    let told = |name: &String| {
        let of = |record: &&Value| record["headers"][HEADER] == json!(name);
        history(&receiver).deliveries.iter().filter(of).count() == 2
    };
    until("all that come later are told", || names.iter().all(told));
}

/// Runs this test again in a network of its own. False if it does already.
fn runs_again_in_its_own_network(test: &str) -> bool {
    let marker = "CLANK_TEST_HAS_NETWORK";
    if std::env::var_os(marker).is_some() {
        return false;
    }
    let mut again = Command::new("unshare");
    again.args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    again.arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
    assert!(again.env(marker, "1").status().unwrap().success());
    true
}

#[test]
fn clients_whose_packets_are_lost_are_found_within_interval_and_timeout() {
    if runs_again_in_its_own_network("clients_whose_packets_are_lost_are_found_within_interval_and_timeout") {
        return;
    }
    let clients = size("CLANK_TEST_CLIENTS", 900);
    let (directory, receiver) = (directory("hole"), Receiver::new(|_| OK));
    let more = [("CLANK_KEEPALIVE_INTERVAL", "1s"), ("CLANK_KEEPALIVE_TIMEOUT", "1s")];
    let program = start_with(&directory, &receiver, &more);
    let names: BTreeSet<String> = (0..clients).map(|number| number.to_string()).collect();
    let _sockets: Vec<TcpStream> = names.iter().map(|name| connect(program.address, name).unwrap()).collect();
    let port = program.address.port().to_string();
    let rule = ["-p", "tcp", "--dport", &port, "-j", "DROP"];
    let drop_packets = Command::new("iptables").args(["-I", "INPUT"]).args(rule).status();
    assert!(drop_packets.unwrap().success());
    let begun = Instant::now();
    let history = until_told(&receiver, &names);
    let took = begun.elapsed();
    history.check(&names).assert_none();
    let of_kind = |record: &&Value| record["type"] == "clank.client.disconnected";
    let causes: BTreeSet<&str> =
        history.deliveries.iter().filter(of_kind).map(|record| record["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["keepalive_timeout"].into());
    // Interval and timeout, and a second for the way to the receiver.
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    println!("{clients} clients were found dead in {took:?}");
}
