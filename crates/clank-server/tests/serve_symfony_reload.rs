//! `clank server --symfony`: how workers are replaced, and how an application that does not start is told of. The worker
//! is one that does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;
mod symfony_support;

use std::process::{Command, Output};

use serde_json::{Value, json};

use serve_support::peer::Peer;
use serve_support::{eventually, until};
use symfony_support::{Folder, SCRIPTED, Scripted, carry_out, generation, server};

fn reload(server: &Scripted, generation: u64) {
    server.program.signal("HUP");
    until("the next one begins", || {
        server.every("begin").iter().any(|begin| begin["generation"] == generation)
    });
}

#[test]
fn a_reload_under_many_clients_drops_none_and_they_are_known_to_the_next_worker() {
    let mut server = Scripted::start(&[]);
    let mut peers: Vec<Peer> = (0..300).map(|_| server.client()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.subscribe(&format!("handled/{}", number % 3));
        peer.subscribe("all");
    }
    server.wait_for("subscribe", 600);
    for next in 2..5 {
        // Some ask while it happens.
        for peer in &mut peers[..50] {
            peer.send(json!([2, "call", "do/it", ["waits"]]).to_string());
        }
        reload(&server, next);
        for peer in &mut peers[..50] {
            assert_eq!(peer.json()[0], 3);
        }
        assert_eq!(generation(&mut peers[299]), next);
    }
    let restored: Vec<Value> =
        server.every("restore").into_iter().filter(|frame| frame["generation"] == 4).collect();
    assert_eq!(restored.len(), 300);
    let mut topics: Vec<&str> =
        restored[1]["topics"].as_array().unwrap().iter().map(|topic| topic.as_str().unwrap()).collect();
    topics.sort_unstable();
    assert_eq!(topics, ["all", "handled/1"]);
    let opened = |generation: u64| {
        server.every("open").iter().filter(|frame| frame["generation"] == generation).count()
    };
    assert_eq!([opened(1), opened(2), opened(3), opened(4)], [300; 4], "each is told once in each life");
    assert_eq!(server.every("stop").len(), 3);
    peers[0].publish("all", &json!("to all"));
    for peer in &mut peers {
        assert_eq!(peer.json(), json!([8, "all", "to all"]));
    }
    drop(peers);
    server.wait_for("close", 300);
    server.end();
}

#[test]
fn what_hangs_on_a_connection_is_handed_over_where_that_is_asked_for() {
    let mut server = Scripted::start(&[("CLANK_SYMFONY_ON_RESTART", "snapshot")]);
    let mut peers = [server.client(), server.client()];
    peers.iter_mut().for_each(|peer| assert_eq!(generation(peer), 1));
    reload(&server, 2);
    let restored = server.wait_for("restore", 2);
    assert_eq!(
        [&restored[0]["connection"]["properties"], &restored[1]["connection"]["properties"]],
        [&json!({"name": "anna"}), &json!([])]
    );
    assert_eq!(generation(&mut peers[0]), 2);
    assert_eq!(server.every("open").len(), 2, "nobody is told again");
    peers.into_iter().for_each(Peer::leave);
    server.end();
}

#[test]
fn clients_are_disconnected_where_that_is_asked_for() {
    let mut server = Scripted::start(&[("CLANK_SYMFONY_ON_RESTART", "disconnect_clients")]);
    let (mut one, mut two) = (server.client(), server.client());
    assert_eq!((generation(&mut one), generation(&mut two)), (1, 1));
    carry_out(&mut one, "exit");
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.closed(), (1012, "the application begins anew".to_owned()));
    }
    // The next worker does not know them, and is told all the same.
    let gone = server.wait_for("gone", 2);
    assert_eq!((&gone[0]["event"], &gone[0]["cause"]), (&json!("close"), &json!("server_closed")));
    assert!(server.every("restore").is_empty());
    let mut three = server.client();
    assert_eq!(generation(&mut three), 2);
    three.leave();
    server.end();
}

#[test]
fn who_leaves_while_no_worker_is_there_is_told_of_as_gone() {
    let mut server = Scripted::start(&[]);
    let (mut stays, leaves) = (server.client(), server.client());
    server.wait_for("open", 2);
    server.app.write("boot.php", "<?php if (is_file($app.'/wait')) { while (is_file($app.'/wait')) { usleep(1000); clearstatcache(); } }");
    server.app.write("wait", "");
    carry_out(&mut stays, "exit");
    leaves.leave();
    std::fs::remove_file(server.app.0.join("wait")).unwrap();
    assert_eq!(generation(&mut stays), 2);
    let gone = server.wait_for("gone", 1);
    assert_eq!((&gone[0]["connection"]["id"], &gone[0]["code"]), (&json!(2), &json!(1000)));
    assert_eq!(server.every("restore").len(), 1);
    stays.leave();
    server.prints("2 gone");
    server.end();
}

#[test]
fn a_reload_that_fails_changes_nothing_but_the_log() {
    let mut server = Scripted::start(&[]);
    let mut peer = server.client();
    server.app.write("boot.php", "<?php this is no PHP");
    server.program.signal("HUP");
    server.logs("the application does not start anew: it ended with status 255");
    server.logs("Parse error");
    assert_eq!(generation(&mut peer), 1);
    std::fs::remove_file(server.app.0.join("boot.php")).unwrap();
    server.program.signal("HUP");
    eventually("it is replaced", || (generation(&mut peer) > 1).then_some(()));
    peer.leave();
    server.end();
}

#[test]
fn an_order_to_begin_anew_that_comes_while_a_worker_starts_is_followed() {
    let mut server = Scripted::start(&[]);
    let (mut one, mut two) = (server.client(), server.client());
    server.app.write(
        "boot.php",
        "<?php touch($app.'/boots'); while (is_file($app.'/wait')) { rest(0.001); clearstatcache(); }",
    );
    server.app.write("wait", "");
    carry_out(&mut one, "exit");
    until("it starts", || server.app.0.join("boots").exists());
    server.program.signal("HUP");
    std::fs::remove_file(server.app.0.join("wait")).unwrap();
    eventually("the third life", || (generation(&mut two) == 3).then_some(()));
    one.leave();
    two.leave();
    server.end();
}

#[test]
fn a_worker_that_has_done_its_requests_is_replaced() {
    let mut server =
        Scripted::start(&[("CLANK_SYMFONY_MAX_REQUESTS", "10"), ("CLANK_SYMFONY_TIMEOUT", "100ms")]);
    let mut peer = server.client();
    eventually("it is replaced twice", || (generation(&mut peer) >= 3).then_some(()));
    server.logs("the worker is replaced: symfony.max_requests");
    peer.leave();
    server.end();
}

#[test]
fn a_worker_that_holds_too_much_is_replaced() {
    let settings = [("CLANK_SYMFONY_MAX_MEMORY", "60MiB"), ("CLANK_SYMFONY_TIMEOUT", "200ms")];
    let mut server = Scripted::start(&settings);
    let mut peer = server.client();
    let pid = peer.call("do/pid", &json!([]));
    assert_eq!(peer.call("do/memory", &json!([64 << 20])), pid);
    eventually("it is replaced", || (peer.call("do/pid", &json!([])) != pid).then_some(()));
    server.logs("the worker is replaced: symfony.max_memory");
    peer.leave();
    server.end();
}

#[test]
fn a_worker_that_is_old_is_replaced() {
    let mut server =
        Scripted::start(&[("CLANK_SYMFONY_MAX_AGE", "200ms"), ("CLANK_SYMFONY_TIMEOUT", "200ms")]);
    let mut peer = server.client();
    eventually("it is replaced", || (generation(&mut peer) >= 2).then_some(()));
    peer.leave();
    server.end();
}

#[test]
fn a_connection_stays_with_one_of_several_workers() {
    let app = Folder::new();
    app.write("hello.json", r#"{"periodics": [{"name": "t", "interval_ms": 5}]}"#);
    let settings = [("CLANK_SYMFONY_STATELESS", "true"), ("CLANK_SYMFONY_WORKERS", "3")];
    let mut server = Scripted::start_with(app, &settings);
    let mut peers: Vec<Peer> = (0..6).map(|_| server.client()).collect();
    let mut pids = || -> Vec<Value> {
        peers.iter_mut().map(|peer| peer.call("do/pid", &json!([]))[2].clone()).collect()
    };
    let first = pids();
    assert_eq!(pids(), first);
    assert_eq!(first[..3], first[3..]);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    // One dies: the others' connections notice nothing, and its own have the next one.
    carry_out(&mut peers[0], "exit");
    let mut pids = || -> Vec<Value> {
        peers.iter_mut().map(|peer| peer.call("do/pid", &json!([]))[2].clone()).collect()
    };
    let second = pids();
    assert_eq!(second[1..3], first[1..3]);
    assert_ne!(second[0], first[0]);
    peers[1].subscribe("t");
    peers[2].subscribe("t");
    generation(&mut peers[1]);
    peers[0].publish("t", &json!(1));
    assert_eq!((peers[1].json(), peers[2].json()), (json!([8, "t", 1]), json!([8, "t", 1])));
    drop(peers);
    server.wait_for("close", 6);
    server.end();
}

/// What a server says that does not start.
fn fails(app: &Folder, settings: &[(&str, &str)]) -> String {
    let mut command: Command = server(app, &[("CLANK_SYMFONY_BUNDLE", SCRIPTED)]);
    let Output { status, stderr, .. } = command.envs(settings.iter().copied()).output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[test]
fn an_application_that_does_not_start_ends_the_server_with_what_php_says() {
    let app = Folder::new();
    let cases = [
        ("<?php exit(9);", "error: the application does not start: it ended with status 9"),
        ("<?php throw new Exception('no database');", "Uncaught Exception: no database in "),
        ("<?php nonsense(", "boot.php on line 1"),
        (
            "<?php $socket = stream_socket_client('unix://'.getenv('CLANK_WORKER_SOCKET')); say(['op' => 'refused', 'class' => 'LogicException', 'message' => 'no kernel', 'file' => '/app/a.php', 'line' => 3]); exit(1);",
            "error: the application does not start: LogicException: no kernel in /app/a.php:3",
        ),
        (
            "<?php $socket = stream_socket_client('unix://'.getenv('CLANK_WORKER_SOCKET')); say(['op' => 'hello', 'version' => 2]); rest(60);",
            "they are not of one release",
        ),
        ("<?php rest(60);", "it took longer than symfony.boot_timeout, 1s"),
    ];
    for (boot, why) in cases {
        app.write("boot.php", boot);
        let said = fails(&app, &[("CLANK_SYMFONY_BOOT_TIMEOUT", "1s")]);
        assert!(said.contains(why), "{boot}: {said}");
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_said() {
    let app = Folder::new();
    let said = fails(&app, &[("CLANK_SYMFONY_PHP", "no-such-php")]);
    assert!(said.contains("symfony.php names the program") || said.contains("no-such-php"), "{said}");
    let said = fails(&app, &[("CLANK_SYMFONY_APP", "/no/such/app")]);
    assert!(said.contains("symfony.app: /no/such/app: No such file or directory"), "{said}");
    let said = fails(&app, &[("CLANK_SYMFONY_WORKERS", "2")]);
    assert!(said.contains("symfony.stateless = true"), "{said}");
    let said = fails(&app, &[("CLANK_LIMITS_LISTENER", "1s")]);
    assert!(said.contains("not more than symfony.timeout"), "{said}");
}

#[test]
fn a_file_that_changes_begins_the_application_anew() {
    let app = Folder::new();
    app.write("src/A.php", "<?php");
    let mut server = Scripted::start_with(app, &[("CLANK_SYMFONY_TIMEOUT", "100ms")]);
    let mut peer = server.client();
    assert_eq!(peer.call("do/watch", &json!([server.app.0.join("src/A.php")])), json!([3, "call", true]));
    // The first look has to be over before a change is one.
    let file = std::fs::File::options().write(true).open(server.app.0.join("src/A.php")).unwrap();
    let mut age = 1;
    eventually("it is replaced", || {
        age += 1;
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60 * age)).unwrap();
        (generation(&mut peer) > 1).then_some(())
    });
    server.logs("a file of the application has changed");
    peer.leave();
    server.end();
}
