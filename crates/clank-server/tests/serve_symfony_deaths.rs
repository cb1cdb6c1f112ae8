//! `clank server --symfony`: what becomes of everybody when the worker dies, hangs, or talks nonsense. The worker is one
//! that does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;
mod symfony_support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use serve_support::peer::Peer;
use serve_support::{eventually, until};
use symfony_support::{Folder, Scripted, carry_out, generation};

/// Time limits that a test waits for.
const QUICK: [(&str, &str); 1] = [("CLANK_SYMFONY_TIMEOUT", "300ms")];

/// What a word leads to, and what the operator reads of it.
const DEATHS: [(&str, &str); 11] = [
    ("exit", "it ended with status 3"),
    ("killed", "it was ended by signal 9"),
    ("loops", "took longer than symfony.timeout, 300ms"),
    ("sleeps", "took longer than symfony.timeout, 300ms"),
    ("runs_out_of_memory", "Allowed memory size of"),
    ("says_no_json", "it said what can't be read: "),
    ("says_too_much", "it is longer than 16777216 bytes"),
    ("says_half", "it ended with status 0"),
    ("says_the_unknown", r#"it said "sing", which nobody knows"#),
    ("hangs_up", "it was ended by signal 9"),
    ("dies_with_words", "fatal: no more in /app/a.php:7"),
];

/// A call's error has this description.
const ENDED: &str = "the application ended before this was done";

#[test]
fn a_call_of_which_the_worker_dies_gets_one_error_and_others_notice_a_delay() {
    for (word, why) in DEATHS {
        let mut server = Scripted::start(&QUICK);
        let mut other = server.client();
        let mut peer = server.client();
        assert_eq!(generation(&mut peer), 1);
        let answer = carry_out(&mut peer, word);
        assert_eq!((&answer[0], &answer[2]), (&json!(4), &json!("do/it")), "{word}: {answer}");
        assert!(answer[3].as_str().unwrap().starts_with(ENDED), "{word}: {answer}");
        assert_eq!(answer[4]["code"], 500);
        // Nothing comes after it: the next message is the next call's answer.
        for peer in [&mut peer, &mut other] {
            assert_eq!(generation(peer), 2, "{word}");
        }
        server.logs(why);
        server.logs("a call of do/it (connection 2)");
        // Its listeners hear of it by the next worker.
        let errors = server.wait_for("error", 1);
        assert_eq!((&errors[0]["id"], &errors[0]["of"]), (&json!(2), &Value::Null), "{word}");
        assert_eq!((&errors[0]["kind"], errors.len()), (&json!("handler_failed"), 1));
        peer.leave();
        other.leave();
        server.end();
    }
}

#[test]
fn a_worker_that_ends_what_it_is_not_at_is_replaced() {
    for word in ["ends_another", "ends_it_twice"] {
        let mut server = Scripted::start(&QUICK);
        let mut peer = server.client();
        carry_out(&mut peer, word);
        assert_eq!(generation(&mut peer), 2, "{word}");
        server.logs("it ended request ");
        peer.leave();
        server.end();
    }
}

#[test]
fn whatever_it_dies_of_its_connection_is_told_and_lives() {
    for word in ["exit", "killed", "sleeps"] {
        let mut server = Scripted::start(&QUICK);
        let mut peer = server.client_with(word);
        assert_eq!(generation(&mut peer), 2, "open, {word}");
        peer.subscribe(&format!("handled/{word}"));
        assert_eq!(generation(&mut peer), 3, "subscribe, {word}");
        peer.publish("handled", &json!(word));
        assert_eq!(generation(&mut peer), 4, "publish, {word}");
        peer.send(json!([6, format!("handled/{word}")]).to_string());
        assert_eq!(generation(&mut peer), 5, "unsubscribe, {word}");
        let errors = server.wait_for("error", 4);
        let kinds: Vec<&Value> = errors.iter().map(|error| &error["kind"]).collect();
        assert_eq!(kinds, ["listener_failed", "handler_failed", "handler_failed", "handler_failed"]);
        // Of its end it dies too, and has nobody left to tell of it.
        peer.send_close(4000, word);
        peer.closed();
        let mut other = server.client();
        assert_eq!(generation(&mut other), 6, "close, {word}");
        other.leave();
        server.end();
    }
}

#[test]
fn a_subscription_that_the_worker_dies_of_is_there_all_the_same() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client();
    peer.subscribe("handled/exit");
    assert_eq!(generation(&mut peer), 2);
    let restored = server.wait_for("restore", 1);
    assert_eq!(restored[0]["topics"], json!(["handled/exit"]));
    peer.leave();
    server.end();
}

#[test]
fn who_is_asked_for_while_it_dies_is_refused_and_the_next_one_is_not() {
    let app = Folder::new();
    app.write("hello.json", r#"{"connecting": true}"#);
    let mut server = Scripted::start_with(app, &[]);
    let response = server.program.request(&serve_support::HANDSHAKE.replacen("GET / ", "GET /?exit ", 1));
    assert_eq!((response.status, &*response.body), (503, "the application can't be asked"));
    let mut peer = server.client();
    assert_eq!(generation(&mut peer), 2);
    peer.leave();
    server.end();
}

#[test]
fn a_tick_and_a_launch_that_it_dies_of_concern_no_client() {
    let app = Folder::new();
    app.write("hello.json", r#"{"periodics": [{"name": "exit", "interval_ms": 300}]}"#);
    app.write("begin", "killed");
    let mut server = Scripted::start_with(app, &[]);
    server.logs("it was at clank.server.launched");
    std::fs::remove_file(server.app.0.join("begin")).unwrap();
    let mut peer = server.client();
    server.logs("it was at a tick of exit");
    std::fs::write(server.app.0.join("hello.json"), "{}").unwrap();
    assert_eq!(carry_out(&mut peer, "x")[0], 3);
    peer.leave();
    server.end();
}

#[test]
fn what_was_not_begun_is_done_by_the_next_worker_in_its_order() {
    let mut server = Scripted::start(&QUICK);
    let mut peers: Vec<Peer> = (0..8).map(|_| server.client()).collect();
    let (first, others) = peers.split_first_mut().unwrap();
    first.send(json!([2, "x", "do/it", ["sleeps"]]).to_string());
    server.wait_for("call", 1);
    first.send(json!([2, "y", "do/it", ["after"]]).to_string());
    for (number, peer) in others.iter_mut().enumerate() {
        peer.subscribe("handled");
        peer.publish("handled", &json!(number));
        peer.send(json!([2, number.to_string(), "do/it", [number]]).to_string());
    }
    assert_eq!(first.json()[0], 4);
    assert_eq!(first.json(), json!([3, "y", [2, "after"]]));
    for (number, peer) in others.iter_mut().enumerate() {
        let answer = eventually("its answer", || Some(peer.json()).filter(|json| json[0] == 3));
        assert_eq!(answer, json!([3, number.to_string(), [2, number]]));
    }
    assert_eq!(server.every("publish").len(), 7, "each once");
    assert_eq!(server.every("subscribe").len(), 7);
    drop(peers);
    server.end();
}

#[test]
fn calls_beyond_the_bound_are_refused_and_who_waits_too_long_is_told() {
    let mut settings = vec![("CLANK_SYMFONY_QUEUE", "40"), ("CLANK_SYMFONY_WAIT", "100ms")];
    settings.push(("CLANK_SYMFONY_TIMEOUT", "1s"));
    let mut server = Scripted::start(&settings);
    let mut peer = server.client();
    // One runs, 31 are on their way to it, nine wait.
    for number in 0..80 {
        let word = if number == 0 { "sleeps" } else { "nothing" };
        peer.send(json!([2, number.to_string(), "do/it", [word]]).to_string());
    }
    let answers: Vec<Value> = (0..80).map(|_| peer.json()).collect();
    let described = |words: &str| {
        answers.iter().filter(|answer| answer[3].as_str().is_some_and(|text| text.contains(words))).count()
    };
    assert_eq!(described("too many requests wait"), 80 - 32 - 9);
    assert_eq!(described("did not come to it in time"), 9);
    assert_eq!(described(ENDED), 1);
    assert_eq!(answers.iter().filter(|answer| answer[0] == 3).count(), 31);
    peer.leave();
    server.end();
}

#[test]
fn while_no_worker_starts_calls_are_answered_with_an_error_and_later_ones_are_done() {
    let mut server = Scripted::start(&[("CLANK_SYMFONY_WAIT", "200ms")]);
    let (mut deadly, mut peer) = (server.client(), server.client());
    assert_eq!(generation(&mut peer), 1);
    server.app.write("boot.php", "<?php exit(7);");
    carry_out(&mut deadly, "exit");
    let answer = carry_out(&mut peer, "nothing");
    assert_eq!(answer[3], "the application did not come to it in time");
    server.logs("the application does not start: it ended with status 7");
    std::fs::remove_file(server.app.0.join("boot.php")).unwrap();
    // Tries have pauses between them, which grow.
    eventually("it starts again", || (carry_out(&mut peer, "nothing")[0] == 3).then_some(()));
    deadly.leave();
    peer.leave();
    server.end();
}

#[test]
fn a_connection_of_which_the_worker_died_is_not_told_again() {
    let mut server = Scripted::start(&[]);
    let (mut deadly, mut other) = (server.client_with("exit"), server.client());
    assert_eq!(generation(&mut deadly), 2);
    carry_out(&mut other, "exit");
    assert_eq!(generation(&mut deadly), 3);
    let again: Vec<Value> =
        server.every("open").into_iter().filter(|open| open["rehydrated"] == true).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0]["connection"]["id"], 2);
    assert_eq!(server.every("restore").len(), 1 + 2);
    deadly.leave();
    other.leave();
    server.end();
}

#[test]
fn a_worker_that_is_killed_while_it_is_idle_is_replaced() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client();
    let pid = peer.call("do/pid", &json!([]))[2].as_i64().unwrap();
    kill(pid);
    server.logs("it was ended by signal 9");
    assert_eq!(generation(&mut peer), 2);
    assert!(server.every("error").is_empty(), "nobody had asked it for anything");
    peer.leave();
    server.end();
}

#[test]
fn a_worker_ends_with_its_server_whatever_it_is_at() {
    for word in ["nothing", "loops"] {
        let server = Scripted::start(&[]);
        let mut peer = server.client();
        let pid = peer.call("do/pid", &json!([]))[2].as_i64().unwrap();
        peer.send(json!([2, "x", "do/it", [word]]).to_string());
        server.wait_for("call", 2);
        server.program.signal("KILL");
        until("the worker has ended", || !is_alive(pid));
    }
}

#[test]
fn a_shutdown_waits_for_nobody_who_hangs() {
    let mut server = Scripted::start(&[("CLANK_SHUTDOWN_DEADLINE", "600ms"), ("CLANK_SHUTDOWN_DRAIN", "0s")]);
    let mut peer = server.client();
    let pid = peer.call("do/pid", &json!([]))[2].as_i64().unwrap();
    peer.send(json!([2, "x", "do/it", ["loops"]]).to_string());
    server.wait_for("call", 2);
    let begun = Instant::now();
    server.program.signal("TERM");
    assert!(server.program.wait().success());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(!is_alive(pid));
}

#[test]
fn kills_at_any_moment_lose_no_answer_and_no_connection() {
    let mut server = Scripted::start(&[]);
    let mut peers: Vec<Peer> = (0..4).map(|_| server.client()).collect();
    for round in 0..12 {
        let pid = peers[0].call("do/pid", &json!([]));
        for (number, peer) in peers.iter_mut().enumerate() {
            for call in 0..20 {
                peer.send(json!([2, format!("{number}-{call}"), "do/it", ["nothing"]]).to_string());
            }
        }
        let answered = usize::try_from(round).unwrap() * 3 % 20;
        for _ in 0..answered {
            assert_eq!(peers[0].json()[0], 3);
        }
        kill(pid[2].as_i64().unwrap());
        let mut failed = 0;
        for (number, peer) in peers.iter_mut().enumerate() {
            let left = if number == 0 { 20 - answered } else { 20 };
            failed += (0..left).filter(|_| peer.json()[0] == 4).count();
        }
        assert!(failed <= 1, "only what ran is not tried again: {failed}");
        eventually("it goes on", || (carry_out(&mut peers[0], "nothing")[0] == 3).then_some(()));
    }
    drop(peers);
    server.end();
}

fn kill(pid: i64) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether a process runs: one that has ended and was not yet waited for does not.
fn is_alive(pid: i64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}
