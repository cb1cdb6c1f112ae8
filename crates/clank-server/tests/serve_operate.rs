//! What an operator does at night: looks at the sinks and the journal, puts back, drops, replays,
//! removes and repairs; with the server running, and without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use serve_support::receiver::{OK, Receiver, Reply};
use serve_support::{Peer, Program, command, eventually, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "0123456789abcdef";
const REFUSED: Reply = Reply::Status(422, "", "");

/// A journal, and the settings that belong to it.
struct Place {
    directory: PathBuf,
    settings: BTreeMap<String, String>,
}

/// What a command has done: exit code, standard output, standard error.
type Ended = (i32, String, String);

impl Place {
    /// An empty directory for a journal.
    fn new(name: &str) -> Self {
        let name = format!("operate-{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        _ = std::fs::remove_dir_all(&directory);
        let path = directory.to_str().unwrap().to_owned();
        let settings = BTreeMap::from([("CLANK_JOURNAL_PATH".to_owned(), path)]);
        Self { directory, settings }
    }

    /// The same with a webhook of this name.
    fn with(mut self, name: &str, receiver: &Receiver) -> Self {
        let name = name.to_uppercase();
        for (key, value) in [
            ("TYPE", "webhook"),
            ("URL", &receiver.url()),
            ("SECRETS", SECRET),
            ("ALLOW_PRIVATE", "true"),
            ("BACKOFF", "100ms"),
        ] {
            self.settings.insert(format!("CLANK_SINKS_{name}_{key}"), value.to_owned());
        }
        self
    }

    /// The same without a webhook.
    fn without(mut self, name: &str) -> Self {
        let begin = format!("CLANK_SINKS_{}_", name.to_uppercase());
        self.settings.retain(|key, _| !key.starts_with(&begin));
        self
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn start(&self) -> Program {
        Program::start(&self.environment())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clank"));
        command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR")).env_clear();
        command.envs(self.environment()).stdin(Stdio::null());
        command
    }

    fn clank(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// What a command prints that does what it should.
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.clank(arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
        stdout
    }

    /// The same, a JSON object on each line.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let lines = self.ok(&[arguments, &["--json"]].concat());
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a command complains of, and its exit code.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let (code, _, stderr) = self.clank(arguments);
        assert_ne!(code, 0, "{arguments:?}");
        (code, stderr)
    }

    /// Waits until the one sink is as wanted.
    fn sink(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || self.json(&["sinks", "list"]).into_iter().find(&wanted))
    }
}

/// What a receiver has heard: CloudEvents.
fn heard(receiver: &Receiver) -> Vec<Value> {
    receiver.requests().iter().map(serve_support::receiver::Request::json).collect()
}

fn is(event: &Value, kind: &str, resource_id: u64) -> bool {
    event["type"] == kind && event["data"]["resource_id"] == resource_id
}

fn stop(mut program: Program) {
    program.signal("TERM");
    assert!(program.wait().success());
}

/// A client that comes and goes.
fn visit(program: &Program) {
    program.client().leave();
}

#[test]
fn a_poisoned_event_is_set_aside_and_put_back_or_dropped() {
    let refuse = |request: &serve_support::receiver::Request| {
        let is_poisoned = is(&request.json(), "clank.client.connected", 2);
        if is_poisoned { REFUSED } else { OK }
    };
    let receiver = Receiver::new(refuse);
    let place = Place::new("poison").with("test", &receiver);
    let program = place.start();
    let clients: Vec<Peer> = (0..3).map(|_| program.client()).collect();
    place.sink("one is refused, the others are taken", |sink| {
        sink["dead_letters"] == 1 && sink["acked"] == 2 && sink["lag_events"] == 0
    });
    let letters = place.json(&["events", "dead-letters", "list"]);
    let letter = &letters[0];
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letter["why"], &letter["attempts"]),
        (&json!("it answered 422 Unprocessable Entity"), &json!(1))
    );
    let id = letter["id"].as_str().unwrap();
    let line = place.ok(&["events", "dead-letters", "list", "--sink", "test"]);
    assert!(line.starts_with(&format!("test\t{id}\tclank.client.connected\t")), "{line}");

    let unknown = id.replace(".open", ".close");
    let (code, error) = place.refused(&["events", "dead-letters", "retry", &unknown]);
    assert_eq!((code, error), (1, format!("error: {unknown} is no dead letter\n")));
    receiver.script(|_| OK);
    assert_eq!(place.ok(&["events", "dead-letters", "retry", id]), "1 put back\n");
    let taken = || heard(&receiver).into_iter().filter(|event| event["id"] == id).count();
    until("it is delivered under its id", || taken() == 2);
    place.sink("nothing is left", |sink| sink["dead_letters"] == 0 && sink["acked"] == 3);

    receiver.script(|request| if is(&request.json(), "clank.client.connected", 4) { REFUSED } else { OK });
    let late = program.client();
    place.sink("another is refused", |sink| sink["dead_letters"] == 1);
    assert_eq!(place.ok(&["events", "dead-letters", "drop", "--all"]), "1 dropped\n");
    let gap = eventually("the gap is told", || {
        heard(&receiver).into_iter().find(|event| event["type"] == "clank.journal.gap")
    });
    assert_eq!(gap["data"]["count"], 1);
    assert_eq!(place.ok(&["events", "dead-letters", "list"]), "");
    clients.into_iter().chain([late]).for_each(Peer::leave);
    stop(program);
}

#[test]
fn a_dead_letter_is_put_back_while_no_server_runs() {
    let receiver =
        Receiver::new(
            |request| {
                if request.json()["type"] == "clank.client.connected" { REFUSED } else { OK }
            },
        );
    let place = Place::new("offline").with("test", &receiver);
    let program = place.start();
    let clients = [program.client(), program.client()];
    place.sink("both are refused", |sink| sink["dead_letters"] == 2);
    let mut program = program;
    program.signal("KILL");
    program.wait();
    drop(clients);
    let letters = place.json(&["events", "dead-letters", "list"]);
    let [first, second] = [0, 1].map(|number: usize| letters[number]["id"].as_str().unwrap());
    assert_eq!(place.ok(&["events", "dead-letters", "retry", first]), "1 put back for the next start\n");
    assert_eq!(place.ok(&["events", "dead-letters", "drop", second]), "1 dropped\n");
    let (code, error) = place.refused(&["events", "dead-letters", "drop", second]);
    assert_eq!((code, error), (1, format!("error: {second} is no dead letter\n")));

    receiver.script(|_| OK);
    let program = place.start();
    place.sink("nothing is left", |sink| sink["lag_events"] == 0 && sink["dead_letters"] == 0);
    let heard = heard(&receiver);
    let count = |id: &str| heard.iter().filter(|event| event["id"] == id).count();
    assert_eq!((count(first), count(second)), (2, 1));
    assert!(heard.iter().any(|event| event["type"] == "clank.journal.gap"));
    stop(program);
}

#[test]
fn a_replay_delivers_again_under_the_same_ids() {
    let receiver = Receiver::new(|_| OK);
    let place = Place::new("replay").with("test", &receiver);
    let program = place.start();
    (0..3).for_each(|_| visit(&program));
    place.sink("all are taken", |sink| sink["acked"] == 6 && sink["lag_events"] == 0);
    let before = heard(&receiver);
    assert_eq!(place.ok(&["events", "replay", "--sink", "test", "--from", "0"]), "6 delivered, 0 failed\n");
    let again = heard(&receiver).split_off(before.len());
    let ids = |events: &[Value]| {
        let mut ids: Vec<String> =
            events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&before));
    assert!(again.iter().all(|event| event["replayid"] == again[0]["replayid"]));
    assert!(before.iter().all(|event| event.get("replayid").is_none()));
    let replay = &place.json(&["sinks", "list"])[0]["replay"];
    assert_eq!((&replay["id"], &replay["finished"]), (&again[0]["replayid"], &json!(true)));

    let events = place.json(&["events", "list", "--type", "clank.client.connected"]);
    let last = events[2]["position"].to_string();
    let replayed = place.json(&["events", "replay", "--sink", "test", "--from", &last]);
    assert_eq!((&replayed[0]["delivered"], &replayed[0]["failed"]), (&json!(2), &json!(0)));
    assert_eq!(place.ok(&["events", "replay", "--sink", "test", "--from", "1h"]), "6 delivered, 0 failed\n");
    assert_eq!(place.ok(&["events", "replay", "--sink", "test", "--cancel"]), "0 broken off\n");
    let (code, error) = place.refused(&["events", "replay", "--sink", "other", "--from", "0"]);
    assert!(code == 1 && error.starts_with("error: There is no such sink."), "{error}");
    stop(program);
}

#[test]
fn a_sink_that_is_no_longer_configured_is_kept_until_it_is_removed() {
    let receiver = Receiver::new(|_| OK);
    let place = Place::new("removed").with("test", &receiver).with("old", &receiver).with("older", &receiver);
    let program = place.start();
    visit(&program);
    stop(program);
    let (code, error) = place.refused(&["sinks", "remove", "old"]);
    assert!(code == 1 && error.contains("take it out of the configuration first"), "{error}");
    let place = place.without("old").without("older");
    assert_eq!(place.ok(&["sinks", "remove", "older"]), "1 removed\n");
    let (code, error) = place.refused(&["sinks", "remove", "older"]);
    assert_eq!((code, error.as_str()), (1, "error: there is no sink older\n"));

    let program = place.start();
    visit(&program);
    let old = place.sink("it is not served", |sink| sink["configured"] == false);
    assert_eq!(old["sink"], "old");
    assert!(old["lag_events"].as_u64() > Some(0), "it pins what it has not had: {old}");
    assert!(place.ok(&["sinks", "list"]).contains("not configured"));
    let (code, error) = place.refused(&["sinks", "remove", "test"]);
    assert!(code == 1 && error.starts_with("error: The sink is configured."), "{error}");
    let (code, error) = place.refused(&["events", "replay", "--sink", "old", "--from", "0"]);
    assert!(code == 1 && error.starts_with("error: The sink is not configured."), "{error}");
    assert_eq!(place.ok(&["sinks", "remove", "old"]), "1 removed\n");
    assert_eq!(place.json(&["sinks", "list"]).len(), 1);
    let (code, error) = place.refused(&["sinks", "remove", "old"]);
    assert!(code == 1 && error.starts_with("error: There is no such sink."), "{error}");
    stop(program);
}

#[test]
fn events_are_read_alike_with_a_server_and_without() {
    let receiver = Receiver::new(|_| OK);
    let place = Place::new("events").with("test", &receiver);
    let program = place.start();
    (0..3).for_each(|_| visit(&program));
    place.sink("all are taken", |sink| sink["acked"] == 6);
    let all = place.json(&["events", "list"]);
    assert_eq!(all.len(), 7, "the launch, and two for each client: {all:?}");
    let record = &all[2]["record"];
    let [id, connection] = ["id", "connection_id"].map(|name| record[name].as_str().unwrap().to_owned());
    let questions = [
        vec!["events", "list", "--limit", "5"],
        vec!["events", "list", "--limit", "5", "--json"],
        vec!["events", "list", "--type", "clank.client.disconnected"],
        vec!["events", "list", "--connection", &connection, "--json"],
        vec!["events", "list", "--identity", "nobody"],
        vec!["events", "list", "--from", "4", "--limit", "2"],
        vec!["events", "list", "--from", "1h", "--limit", "2"],
        vec!["events", "list", "--from", "2100-01-01T00:00:00Z"],
        vec!["events", "show", &id],
        vec!["events", "show", &id, "--json"],
        vec!["events", "dead-letters", "list"],
        vec!["journal", "check"],
    ];
    let running: Vec<String> = questions.iter().map(|question| place.ok(question)).collect();
    let lines = |text: &str| text.lines().count();
    let counts: Vec<usize> = running.iter().map(|text| lines(text)).collect();
    assert_eq!([&counts[..8], &counts[9..]].concat(), [5, 5, 3, 2, 0, 2, 2, 0, 1, 0, 1]);
    assert_eq!(serde_json::from_str::<Value>(&running[8]).unwrap(), *record);
    let missing = "018bcfe5-6800-7bab-abab-abababababab.open";
    let (code, error) = place.refused(&["events", "show", missing]);
    assert!(code == 1 && error.starts_with("error: The journal has no such event."), "{error}");
    let (code, error) = place.refused(&["journal", "repair"]);
    assert!(code == 1 && error.contains("is in use by another process: stop the server first"), "{error}");
    stop(program);

    for (question, running) in questions.iter().zip(&running).filter(|(question, _)| question[0] == "events")
    {
        assert_eq!(place.ok(question), *running, "{question:?}");
    }
    let (code, error) = place.refused(&["events", "show", missing]);
    assert_eq!((code, error), (1, format!("error: the journal has no event {missing}\n")));
    let (code, error) = place.refused(&["events", "replay", "--sink", "test", "--from", "0"]);
    assert!(code == 3 && error.starts_with("error: this needs a running server"), "{error}");
    assert!(place.ok(&["sinks", "list"]).starts_with("No server runs"));
    assert!(place.ok(&["journal", "repair"]).ends_with("nothing to repair\n"));
    let elsewhere = ["events", "list", "--journal", "/nowhere"];
    let (code, error) = place.refused(&elsewhere);
    assert!(code == 1 && error.starts_with("error: /nowhere: there is no journal"), "{error}");
    for wrong in [
        &["events", "replay", "--sink", "test"][..],
        &["events", "replay", "--sink", "test", "--from", "yesterday"],
        &["events", "dead-letters", "drop"],
        &["events", "dead-letters", "retry", "x"],
        &["events", "list", "--type", "x"],
        &["sinks", "remove", "a/b"],
        &["sinks"],
    ] {
        assert_eq!(place.refused(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn what_happens_is_followed() {
    let receiver = Receiver::new(|_| OK);
    let place = Place::new("tail").with("test", &receiver);
    let program = place.start();
    visit(&program);
    let tail = ["events", "tail", "--from", "0", "--type", "clank.client.disconnected", "--json"];
    let mut child = place.command(&tail).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["record"]["resource_id"], 1);
    visit(&program);
    assert_eq!(next()["record"]["resource_id"], 2);
    // it ends when nobody reads any more
    drop(lines);
    until("it ends", || {
        visit(&program);
        child.try_wait().unwrap().is_some()
    });
    stop(program);
}

#[test]
fn the_server_answers_in_its_journal_whatever_the_configuration_says_of_the_api() {
    let receiver = Receiver::new(|_| OK);
    // Longer than the system lets the name of a socket be.
    let place = Place::new(&format!("control{}", "-long".repeat(20))).with("test", &receiver);
    let socket = place.directory.join("control.sock");
    let mut program = place.start();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let client = program.client();
    assert_eq!(place.ok(&["connections", "--count"]), "1\n");
    client.leave();
    let (status, journal) = ask(&socket, "/v1/journal");
    assert!(status == 200 && journal["end"].as_u64() >= Some(2) && journal["dropped"] == 0, "{journal}");
    assert_eq!(journal["metrics"]["records"]["clank.server.launched"], 1);
    program.signal("KILL");
    program.wait();
    assert!(socket.exists(), "nobody could remove it");
    assert_eq!(place.json(&["sinks", "list"]).len(), 1, "and it misleads nobody");
    let program = place.start();
    assert_eq!(ask(&socket, "/v1/connections/count"), (200, json!({"count": 0})));
    stop(program);
    assert!(!socket.exists());
}

/// A connection to a socket, however long its name is.
fn connect(socket: &Path) -> UnixStream {
    let directory = std::fs::File::open(socket.parent().unwrap()).unwrap();
    UnixStream::connect(format!("/proc/self/fd/{}/control.sock", directory.as_raw_fd())).unwrap()
}

/// Status and body of an answer.
fn ask(socket: &Path, path: &str) -> (u16, Value) {
    let (status, body) = read(connect(socket), path, "");
    (status, serde_json::from_str(&body).unwrap())
}

fn read(stream: impl Read + Write, path: &str, header: &str) -> (u16, String) {
    request(stream, "GET", path, header, "")
}

fn request(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {length}\r\n");
    write!(stream, "{head}Content-Type: application/json\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What is not understood, or not there, is refused with the kind of problem that it is.
fn assert_misunderstood(socket: &Path) {
    let tell = |method: &str, path: &str, body: &str| {
        let (status, body) = request(connect(socket), method, path, "", body);
        let body: Value = serde_json::from_str(&body).unwrap();
        let kind = body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/").to_owned();
        (status, kind)
    };
    let (dead, replays) = ("/v1/sinks/test/dead-letters", "/v1/sinks/test/replays");
    let (retry, id) = (format!("{dead}/retry"), "018bcfe5-6800-7bab-abab-abababababab.open");
    for (method, path, body, status, kind) in [
        ("GET", "/v1/events?since=yesterday", "", 400, "bad-request"),
        ("GET", "/v1/events?type=connected", "", 400, "bad-request"),
        ("GET", "/v1/events?connection=1", "", 400, "bad-request"),
        ("GET", "/v1/events?limit=1001", "", 400, "bad-request"),
        ("GET", "/v1/events/1", "", 404, "event-not-found"),
        ("GET", "/v1/sinks/none/dead-letters", "", 404, "sink-not-found"),
        ("GET", "/v1/sinks/a%2Fb/dead-letters", "", 404, "sink-not-found"),
        ("DELETE", "/v1/sinks/test", "", 409, "sink-configured"),
        ("DELETE", dead, "", 400, "bad-request"),
        ("DELETE", &format!("{dead}?all=yes"), "", 400, "bad-request"),
        ("DELETE", &format!("{dead}?all=true&id={id}"), "", 400, "bad-request"),
        ("DELETE", &format!("{dead}?id={id}"), "", 404, "dead-letter-not-found"),
        ("POST", &retry, "{}", 422, "invalid-request"),
        ("POST", &retry, "{\"id\": \"x\"}", 422, "invalid-request"),
        ("POST", &retry, "{\"all\": true, \"forced\": true}", 422, "invalid-request"),
        ("POST", replays, "{}", 422, "invalid-request"),
        ("POST", replays, "{\"position\": 1, \"time\": \"2026-01-31T12:00:00Z\"}", 422, "invalid-request"),
        ("POST", "/v1/sinks/none/replays", "{\"position\": 1}", 404, "sink-not-found"),
    ] {
        assert_eq!(tell(method, path, body), (status, kind.to_owned()), "{method} {path} {body}");
    }
}

#[test]
fn lists_come_in_pages_and_what_is_misunderstood_is_refused() {
    let receiver =
        Receiver::new(
            |request| {
                if request.json()["type"] == "clank.client.connected" { REFUSED } else { OK }
            },
        );
    let place = Place::new("pages").with("test", &receiver);
    let socket = place.directory.join("control.sock");
    let program = place.start();
    (0..3).for_each(|_| visit(&program));
    place.sink("three are refused", |sink| sink["dead_letters"] == 3 && sink["acked"] == 3);
    // What is counted at once is written down, and listed, a moment later.
    let listed = || ask(&socket, "/v1/sinks/test/dead-letters").1["dead_letters"].as_array().map(Vec::len);
    until("they are written down", || listed() == Some(3));
    for (list, member, all) in
        [("/v1/events", "events", 7), ("/v1/sinks/test/dead-letters", "dead_letters", 3)]
    {
        let (mut seen, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let (status, page) = ask(&socket, &format!("{list}?limit=2&cursor={cursor}"));
            assert_eq!(status, 200);
            let things = page[member].as_array().unwrap();
            assert!(things.len() <= 2, "{page}");
            seen.extend(things.iter().map(|thing| thing["position"].as_u64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert!(seen.len() == all && seen.is_sorted(), "{list}: {seen:?}");
    }
    assert_misunderstood(&socket);
    // the ends of all three were taken
    assert_eq!(
        place.json(&["events", "dead-letters", "retry", "--all"])[0],
        json!({"queued": 0, "withheld": 3})
    );
    receiver.script(|_| OK);
    let forced = place.ok(&["events", "dead-letters", "retry", "--all", "--force"]);
    assert_eq!(forced, "3 put back\n");
    place.sink("they are taken", |sink| sink["dead_letters"] == 0 && sink["acked"] == 6);
    stop(program);
}

#[test]
fn numbers_are_there_for_who_watches() {
    let receiver =
        Receiver::new(|request| if is(&request.json(), "clank.client.connected", 2) { REFUSED } else { OK });
    let mut place = Place::new("metrics").with("test", &receiver);
    place.settings.insert("CLANK_API_LISTEN".to_owned(), "0".to_owned());
    place.settings.insert("CLANK_API_TOKENS".to_owned(), TOKEN.to_owned());
    let program = place.start();
    visit(&program);
    let client = program.client();
    place.sink("one is refused", |sink| sink["dead_letters"] == 1 && sink["acked"] == 2);
    let log = program.log();
    let (_, address) = log.split_once("the API listens on http://").unwrap();
    let address = address.split_whitespace().next().unwrap();
    let scrape = |header: &str| read(std::net::TcpStream::connect(address).unwrap(), "/metrics", header);
    assert_eq!(scrape("").0, 401);
    let (status, page) = scrape(&format!("Authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(status, 200);
    for line in [
        "# TYPE clank_connections gauge",
        "clank_connections 1",
        "clank_journal_records_total{type=\"clank.client.connected\"} 2",
        "clank_journal_open_connections 1",
        "clank_journal_shed_total 0",
        "# TYPE clank_journal_commit_seconds summary",
        "clank_sink_up{sink=\"test\"} 1",
        "clank_sink_dead_letters{sink=\"test\"} 1",
        "clank_sink_poisoned_total{sink=\"test\"} 1",
        "clank_sink_acked_total{sink=\"test\"} 2",
        "clank_sink_lag_events{sink=\"test\"} 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
        let family = name.split('{').next().unwrap();
        let family = family.trim_end_matches("_sum").trim_end_matches("_count");
        assert!(page.contains(&format!("# TYPE {family} ")), "{line}");
    }
    client.leave();
    stop(program);
}

#[test]
fn a_damaged_journal_is_repaired_and_the_gap_is_told() {
    let receiver = Receiver::new(|_| OK);
    let place = Place::new("damage").with("test", &receiver);
    stop(place.start());
    // What is recorded now waits for the sink.
    let idle = place.without("test");
    let program = idle.start();
    (0..3).for_each(|_| visit(&program));
    stop(program);
    let file = idle.directory.join("0000000000000001.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let place_of_first = bytes.windows(22).position(|found| found == b"clank.client.connected").unwrap();
    bytes[place_of_first] ^= 1;
    std::fs::write(&file, &bytes).unwrap();

    let place = idle.with("test", &receiver);
    let refused = command(&place.environment()).output().unwrap();
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains(file.to_str().unwrap()), "{complaint}");
    assert!(complaint.contains("`clank journal repair` makes it usable"), "{complaint}");
    let (code, found, error) = place.clank(&["journal", "check"]);
    assert_eq!(code, 1, "{found}{error}");
    assert!(found.starts_with(&format!("damaged: {}, at byte ", file.display())), "{found}");
    assert!(found.contains("\nlost: events "), "{found}");
    assert!(error.contains("`clank journal repair` makes it usable"), "{error}");

    let repaired = place.ok(&["journal", "repair"]);
    assert!(repaired.starts_with(&found[..found.find("\njournal ").unwrap()]), "{found}{repaired}");
    assert!(repaired.ends_with("\nrepaired\n"), "{repaired}");
    let kept =
        repaired.lines().find_map(|line| line.strip_prefix("kept: what can't be read is in ")).unwrap();
    assert!(std::fs::read(kept).unwrap().windows(14).any(|found| found == b"lient.connecte"), "{kept}");
    assert_eq!(place.clank(&["journal", "check"]).0, 0);

    let program = place.start();
    let gap = eventually("the gap is told", || {
        heard(&receiver).into_iter().find(|event| event["type"] == "clank.journal.gap")
    });
    assert_eq!(gap["data"]["count"], 1);
    place.sink("the rest is delivered", |sink| sink["lag_events"] == 0);
    stop(program);
}
