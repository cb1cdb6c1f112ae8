//! `clank server --symfony`: an application that was written for the bundle, run as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;
mod symfony_support;

use std::process::Command;

use serde_json::{Value, json};

use serve_support::peer::{HANDSHAKE, Peer};
use serve_support::{Program, eventually, until};
use symfony_support::project::{LISTENER, PAGE_OF_A_SESSION, SESSIONS, block, project};
use symfony_support::{Folder, server};

const PROD: [(&str, &str); 2] = [("CLANK_SYMFONY_ENV", "prod"), ("CLANK_SYMFONY_DEBUG", "false")];

fn start(app: &Folder, settings: &[(&str, &str)]) -> Program {
    Program::spawn(crate::server(app, &[&PROD[..], settings].concat()))
}

/// The lines that the application printed.
fn printed(program: &Program) -> Vec<String> {
    program.lines().into_iter().filter(|line| !is_servers(line)).collect()
}

fn prints(program: &Program, line: &str) {
    eventually(line, || program.lines().iter().any(|printed| printed == line).then_some(()));
}

fn end(mut program: Program) -> Vec<String> {
    program.signal("TERM");
    assert!(program.wait().success());
    let log = program.log();
    assert!(!log.contains("was not told"), "{log}");
    printed(&program)
}

#[test]
fn the_pages_listener_is_told_byte_for_byte() {
    let app = project("");
    let mut command = server(&app, &PROD);
    command.env_remove("CLANK_SYMFONY_APP").arg("--symfony").arg(app.path());
    let program = Program::spawn(command);
    let (one, mut two) = (program.client(), program.client());
    one.leave();
    prints(&program, "1 disconnected");
    two.send("no JSON");
    two.closed();
    drop(two);
    prints(&program, "2 disconnected");
    let lines = end(program);
    assert_eq!(lines[..3], ["1 connected", "2 connected", "1 disconnected"]);
    assert!(lines[3].starts_with("connection error occurred: a WAMP message is JSON"), "{lines:?}");
    assert_eq!(lines[4..], ["2 disconnected"]);
    let class = std::fs::read_to_string(app.0.join(LISTENER)).unwrap();
    assert_eq!(class, block("php"), "and the file is as it was");
}

#[test]
fn topics_and_procedures_of_the_application_are_served() {
    let app = project("");
    let program = start(&app, &[]);
    let (mut one, mut two) = (program.client(), program.client());
    one.subscribe("acme/channel");
    assert_eq!(one.json(), json!([8, "acme/channel", "1 has joined acme/channel"]));
    two.subscribe("acme/channel");
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.json(), json!([8, "acme/channel", "2 has joined acme/channel"]));
    }
    one.send(json!([7, "acme/channel", {"a": "é"}, true]).to_string());
    assert_eq!(two.json(), json!([8, "acme/channel", {"from": 1, "event": {"a": "é"}}]));
    assert_eq!(one.call("sample/add_func", &json!([2, 5])), json!([3, "call", {"result": 7}]));
    assert_eq!(
        one.call("sample/fail", &json!([1])),
        json!([4, "call", "sample/fail", "not like this", {"code": 12, "rpc": "sample/fail", "params": [1]}])
    );
    assert_eq!(one.call("sample/missing", &json!([]))[3], "Unable to find that command");
    assert_eq!(one.call("missing/missing", &json!([]))[3], "Unable to find that command");
    two.subscribe("free");
    two.publish("free", &json!([1]));
    assert_eq!(two.json(), json!([8, "free", [1]]), "without a handler, the server has it");
    two.send(r#"[6,"acme/channel"]"#);
    assert_eq!(one.json(), json!([8, "acme/channel", "2 has left, 1 stay"]));
    two.subscribe("acme/channel");
    one.json();
    two.leave();
    assert_eq!(one.json(), json!([8, "acme/channel", "2 has left, 1 stay"]));
    one.leave();
    assert_eq!(end(program).len(), 4);
}

#[test]
fn a_visitors_session_is_read_and_its_user_is_the_identity() {
    let app = project(SESSIONS);
    app.write("page.php", PAGE_OF_A_SESSION);
    std::fs::create_dir(app.0.join("sessions")).unwrap();
    for (id, user) in [("visitor", ""), ("member", "alice")] {
        let page = Command::new("php").arg(app.0.join("page.php")).args([id, user]).output().unwrap();
        assert!(page.status.success() && page.stdout.is_empty(), "{page:?}");
    }
    let program = start(&app, &[("CLANK_EVENTS_CONSOLE", "json")]);
    let cases =
        [("member", "red", "alice"), ("visitor", "red", ""), ("forged", "none", ""), ("", "none", "")];
    for (number, (cookie, colour, user)) in cases.into_iter().enumerate() {
        let handshake = format!("Cookie: PHPSESSID={cookie}\r\n\r\n");
        let mut peer =
            Peer::upgraded(program.address, &HANDSHAKE.replace("\r\n\r\n", &format!("\r\n{handshake}")));
        peer = peer.welcomed();
        peer.send(json!([2, "x", "sample/visitor", []]).to_string());
        assert_eq!(peer.json(), json!([3, "x", [colour]]), "{cookie}");
        let record = eventually("its record", || {
            let records =
                program.lines().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
            records.filter(|record| record["type"] == "clank.client.connected").nth(number)
        });
        assert_eq!(record["identity"]["id"].as_str().unwrap_or_default(), user, "{record}");
        assert!(!record.to_string().contains("PHPSESSID"), "a cookie is in no record");
        peer.leave();
    }
    end(program);
    let files: Vec<_> = std::fs::read_dir(app.0.join("sessions")).unwrap().collect();
    assert_eq!(files.len(), 2, "none was made");
}

#[test]
fn a_periodic_service_ticks() {
    let app = project("    periodic: [{ service: acme, time: 20 }]\n");
    let program = start(&app, &[]);
    prints(&program, "tick 3");
    end(program);
}

#[test]
fn exceptions_and_errors_are_told_to_the_listener_and_the_worker_lives() {
    let app = project("");
    let program = start(&app, &[]);
    let mut peer = program.client();
    peer.publish("acme/a", &json!("throw"));
    prints(&program, "connection error occurred: no such event");
    peer.publish("acme/a", &json!("blow"));
    eventually("the error", || {
        printed(&program)
            .iter()
            .any(|line| line.starts_with("connection error occurred: Call to undefined function"))
            .then_some(())
    });
    let blown = peer.call("sample/blow", &json!([]));
    assert!(blown[3].as_str().unwrap().starts_with("Call to undefined function"), "{blown}");
    assert_eq!(peer.call("sample/whoami", &json!([])), json!([3, "call", [1, null, 0]]));
    peer.leave();
    end(program);
}

#[test]
fn what_ends_php_costs_one_call_and_the_application_goes_on() {
    let app = project("");
    let program = start(&app, &[("CLANK_SYMFONY_TIMEOUT", "500ms")]);
    let (mut one, mut two) = (program.client(), program.client());
    two.subscribe("acme/a");
    two.json();
    two.call("sample/name", &json!(["anna"]));
    let deaths = [
        ("sample/leave", "exit: The application ended PHP by exit() during call sample/leave"),
        ("sample/eat", "fatal: Allowed memory size of 50331648 bytes exhausted"),
        ("sample/loop", "a call of sample/loop (connection 1) took longer than symfony.timeout, 500ms"),
    ];
    for (procedure, why) in deaths {
        let answer = one.call(procedure, &json!([]));
        assert_eq!((&answer[0], &answer[2]), (&json!(4), &json!(procedure)), "{answer}");
        until(why, || program.log().contains(why));
        // It knows its clients and their subscriptions, and no more what was in its memory.
        assert_eq!(two.call("sample/whoami", &json!([])), json!([3, "call", [2, null, 1]]), "{procedure}");
    }
    let log = program.log();
    assert!(log.contains("Acme.php:"), "file and line are told: {log}");
    one.leave();
    two.leave();
    let lines = end(program);
    let errors = lines.iter().filter(|line| line.starts_with("connection error occurred")).count();
    assert_eq!(errors, 3);
    let connected = lines.iter().filter(|line| *line == "2 connected").count();
    assert_eq!(connected, 4, "it is told again in each life");
}

#[test]
fn a_reload_takes_in_what_was_changed_and_hands_scalars_over() {
    let app = project("");
    let program = start(&app, &[]);
    let mut peers: Vec<Peer> = (0..50).map(|_| program.client()).collect();
    peers[7].call("sample/name", &json!(["anna"]));
    let source = std::fs::read_to_string(app.0.join("src/Acme/HelloBundle/Acme.php")).unwrap();
    app.write("src/Acme/HelloBundle/Acme.php", &source.replace("array_sum($params)", "'new'"));
    program.signal("HUP");
    eventually("the new code", || {
        (peers[0].call("sample/add_func", &json!([1]))[2] == json!({"result": "new"})).then_some(())
    });
    assert_eq!(peers[7].call("sample/whoami", &json!([])), json!([3, "call", [8, "anna", 0]]));
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.call("sample/whoami", &json!([]))[2][0], json!(number + 1));
    }
    drop(peers);
    let all: Vec<Value> = (1..=50).map(|id| json!(format!("{id} disconnected"))).collect();
    until("all are told", || {
        let lines = printed(&program);
        all.iter().all(|line| lines.iter().any(|printed| *line == json!(printed)))
    });
    end(program);
}

#[test]
fn an_application_that_is_wrong_is_said_to_be_with_file_and_line() {
    let app = project("    nonsense: true\n");
    let output = server(&app, &PROD).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("error: the application does not start: ") && said.contains("nonsense"), "{said}");
    assert!(said.contains(".php:"), "{said}");
}

/// Whether the server itself says so, and not its application.
fn is_servers(line: &str) -> bool {
    ["Starting Clank", "Launching WebSocket server on: "].iter().any(|words| line.starts_with(words))
}
