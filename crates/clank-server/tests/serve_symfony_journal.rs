//! `clank server --symfony` with a journal: what the application's listeners had not heard of when the server ended, they
//! hear of after the next start. The worker is one that does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;
mod symfony_support;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use serve_support::peer::Peer;
use serve_support::{eventually, until};
use symfony_support::{Folder, SCRIPTED, Scripted, generation, server};

/// What a command prints about the journal of an application's server.
fn clank(app: &Folder, arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clank"));
    command.args(arguments).arg("--json").current_dir(env!("CARGO_TARGET_TMPDIR")).env_clear();
    let output =
        command.env("CLANK_JOURNAL_PATH", app.0.join("journal")).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn start(app: Folder, settings: &[(&str, &str)]) -> Scripted {
    let journal = app.0.join("journal");
    Scripted::start_with(app, &[&[("CLANK_JOURNAL_PATH", journal.to_str().unwrap())], settings].concat())
}

/// Kills the server, with its worker, and starts another one.
fn kill(server: &mut Scripted) -> Folder {
    server.program.signal("KILL");
    server.program.wait();
    std::mem::replace(&mut server.app, Folder::new())
}

/// Waits until the listeners have all that there is, also on the disk.
fn settled(app: &Folder) {
    eventually("all is settled", || {
        let sinks = clank(app, &["sinks", "list"]);
        let sink = sinks.iter().find(|sink| sink["sink"] == "symfony")?;
        (sink["lag_events"] == 0 && sink["in_flight"] == 0).then_some(())
    });
}

/// Waits for so many ends of connections that were gone. That they were open may be told again, too: what was settled
/// in the quarter of a second before the kill may not have been written down.
fn ends(server: &Scripted, count: usize) -> Vec<Value> {
    let ends = || -> Vec<Value> {
        server.every("gone").into_iter().filter(|frame| frame["event"] == "close").collect()
    };
    eventually("the ends", || Some(ends()).filter(|ends| ends.len() >= count))
}

/// The ids of connections in these frames.
fn ids(frames: &[Value], event: &str) -> Vec<u64> {
    let mut ids: Vec<u64> = frames
        .iter()
        .filter(|frame| frame["event"] == event)
        .map(|frame| frame["connection"]["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn listeners_hear_of_the_end_of_those_whom_a_killed_server_left() {
    let mut server = start(Folder::new(), &[]);
    let peers: Vec<Peer> = (0..20).map(|_| server.client()).collect();
    server.wait_for("open", 20);
    settled(&server.app);
    let app = kill(&mut server);
    drop(peers);
    let mut next = start(app, &[]);
    let gone = ends(&next, 20);
    assert_eq!(ids(&gone, "close"), (1..=20).collect::<Vec<u64>>());
    assert!(gone.iter().all(|frame| frame["cause"] == "node_lost"));
    let connection = &gone[0]["connection"];
    assert_eq!((&connection["address"], &connection["path"]), (&json!("127.0.0.1"), &json!("/")));
    let begin = next.every("begin").pop().unwrap();
    assert_eq!((&begin["previous"]["clean"], &begin["previous"]["left_open"]), (&json!(false), &json!(20)));
    settled(&next.app);
    next.end();
}

#[test]
fn what_was_heard_is_not_heard_again_after_a_stop() {
    let mut server = start(Folder::new(), &[("CLANK_SHUTDOWN_DRAIN", "0s")]);
    let peers: Vec<Peer> = (0..20).map(|_| server.client()).collect();
    server.wait_for("open", 20);
    server.client().leave();
    server.program.signal("TERM");
    assert!(server.program.wait().success());
    drop(peers);
    assert_eq!(server.every("close").len(), 21);
    let app = std::mem::replace(&mut server.app, Folder::new());
    let mut next = start(app, &[]);
    let mut peer = next.client();
    generation(&mut peer);
    peer.leave();
    next.wait_for("close", 22);
    settled(&next.app);
    assert!(next.every("gone").is_empty());
    next.end();
}

#[test]
fn an_end_that_a_worker_was_at_when_the_server_was_killed_is_told_again() {
    let mut server = start(Folder::new(), &[]);
    let mut peer = server.client();
    server.wait_for("open", 1);
    settled(&server.app);
    peer.send_close(4000, "sleeps");
    server.wait_for("close", 1);
    let app = kill(&mut server);
    let mut next = start(app, &[]);
    let gone = ends(&next, 1);
    assert_eq!((&gone[0]["cause"], &gone[0]["reason"]), (&json!("client_closed"), &json!("sleeps")));
    assert_eq!(ids(&gone, "close"), [1]);
    next.end();
}

#[test]
fn an_event_of_which_the_worker_died_is_a_dead_letter() {
    let mut server = start(Folder::new(), &[]);
    let mut peer = server.client_with("exit");
    assert_eq!(generation(&mut peer), 2);
    peer.send_close(4000, "killed");
    peer.closed();
    let letters = eventually("both are dead letters", || {
        let letters = clank(&server.app, &["events", "dead-letters", "list", "--sink", "symfony"]);
        (letters.len() == 2).then_some(letters)
    });
    let text = json!(letters).to_string();
    assert!(text.contains("the application ended before this was done"), "{text}");
    assert!(server.every("gone").is_empty(), "they are not told again");
    // Unless somebody wants it.
    clank(&server.app, &["events", "dead-letters", "retry", "--all", "--force"]);
    let gone = server.wait_for("gone", 2);
    assert_eq!([ids(&gone, "open"), ids(&gone, "close")], [[1], [1]]);
    let mut other = server.client();
    assert_eq!(generation(&mut other), 3);
    other.leave();
    server.end();
}

#[test]
fn an_event_of_which_the_worker_died_is_told_again_where_that_is_asked_for() {
    let mut server = start(Folder::new(), &[("CLANK_SYMFONY_RETRY", "true")]);
    let mut peer = server.client_with("exit");
    assert_eq!(generation(&mut peer), 2);
    let gone = server.wait_for("gone", 1);
    assert_eq!(ids(&gone, "open"), [1]);
    peer.leave();
    server.wait_for("close", 1);
    server.end();
}

#[test]
fn a_worker_that_dies_costs_no_event_of_the_others() {
    let mut server = start(Folder::new(), &[]);
    let mut deadly = server.client();
    for round in 0..5 {
        deadly.send(json!([2, "x", "do/it", ["exit"]]).to_string());
        let peers: Vec<Peer> = (0..10).map(|_| server.client()).collect();
        drop(peers);
        assert_eq!(deadly.json()[0], 4);
        let ended = (round + 1) * 10;
        until("all are told once", || server.every("close").len() + server.every("gone").len() == ended);
    }
    settled(&server.app);
    deadly.leave();
    server.end();
}

#[test]
fn a_sink_of_the_users_cannot_have_the_listeners_name() {
    let app = Folder::new();
    let journal = app.0.join("journal");
    let mut command = server(
        &app,
        &[("CLANK_SYMFONY_BUNDLE", SCRIPTED), ("CLANK_JOURNAL_PATH", journal.to_str().unwrap())],
    );
    command.envs([("CLANK_SINKS_SYMFONY_TYPE", "file"), ("CLANK_SINKS_SYMFONY_PATH", "events.jsonl")]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
}
