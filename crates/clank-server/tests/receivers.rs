//! The example receivers of webhooks, in four languages: what is genuine is applied once, what is
//! forged, altered or stale is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use serve_support::{PATIENCE, until};
use standardwebhooks::Webhook;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A running example; killed when it is dropped.
struct Example {
    process: Child,
    address: SocketAddr,
    applied: Arc<Mutex<Vec<String>>>,
}

/// Where the examples are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/receivers")
}

fn state_file() -> PathBuf {
    let unique = format!("receiver-{}.json", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
    _ = std::fs::remove_file(&file);
    file
}

impl Example {
    /// One that prints where it listens.
    fn start(command: &mut Command) -> Self {
        let (process, mut output) = spawn(command);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").unwrap().parse().unwrap();
        Self::running(process, output, address)
    }

    /// PHP's own server, which takes no port 0.
    fn start_php() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("php");
        command.args(["-S", &address.to_string(), "receiver.php"]).env("STATE_FILE", state_file());
        let (process, output) = spawn(command.current_dir(folder()));
        until("PHP listens", || TcpStream::connect(address).is_ok());
        Self::running(process, output, address)
    }

    fn running(process: Child, output: impl BufRead + Send + 'static, address: SocketAddr) -> Self {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&applied);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self { process, address, applied }
    }

    fn post(&self, headers: &[(&str, String)], body: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (address, length) = (self.address, body.len());
        let head = format!(
            "POST /hook HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/cloudevents+json\r\n"
        );
        write!(stream, "{head}{headers}content-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
    }

    /// Waits until this is what has been applied.
    fn until_applied(&self, expected: &[&str]) {
        let applied = || self.applied.lock().unwrap().clone();
        until("the receiver has applied it", || applied().len() >= expected.len());
        assert_eq!(applied(), expected);
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn spawn(command: &mut Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut process = command
        .env("WEBHOOK_SECRET", SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let output = BufReader::new(process.stdout.take().unwrap());
    (process, output)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn event(id: &str, identity: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/clank/eu-1",
        "type": "clank.client.connected",
        "data": { "id": id, "type": "clank.client.connected", "identity": identity },
    })
}

/// The headers of a delivery that was signed with `secret` at `time`.
fn signed(secret: &str, id: &str, time: i64, body: &str) -> Vec<(&'static str, String)> {
    let signature = Webhook::new(secret).unwrap().sign(id, time, body.as_bytes()).unwrap();
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time.to_string()),
        ("webhook-signature", signature),
    ]
}

/// What every receiver has to do.
fn check(example: &Example) {
    let one = event("one.open", &json!({ "id": "anna", "version": 5, "connections": 1 }));
    let body = one.to_string();
    let genuine = signed(SECRET, "one_open", now(), &body);
    assert!((200..300).contains(&example.post(&genuine, &body)));

    let refused = |what: &str, headers: &[(&str, String)], body: &str| {
        let status = example.post(headers, body);
        assert!((400..500).contains(&status), "{what}: {status}");
    };
    let two = event("two.open", &Value::Null).to_string();
    refused("forged", &signed(OTHER, "two_open", now(), &two), &two);
    refused("altered", &genuine, &two);
    refused(
        "under another id",
        &{
            let mut headers = signed(SECRET, "two_open", now(), &two);
            headers[0].1 = "three_open".to_owned();
            headers
        },
        &two,
    );
    refused(
        "at another time",
        &{
            let mut headers = signed(SECRET, "two_open", now() - 400, &two);
            headers[1].1 = now().to_string();
            headers
        },
        &two,
    );
    refused("stale", &signed(SECRET, "two_open", now() - 301, &two), &two);
    refused("from the future", &signed(SECRET, "two_open", now() + 400, &two), &two);
    for missing in 0..3 {
        let mut headers = signed(SECRET, "two_open", now(), &two);
        headers.remove(missing);
        refused("incomplete", &headers, &two);
    }
    for bad in ["", "v1,", "v2,AAAA", "v1a,AAAA", "v1,AAAA v1,", ","] {
        let mut headers = signed(SECRET, "two_open", now(), &two);
        headers[2].1 = bad.to_owned();
        refused("badly signed", &headers, &two);
    }
    refused("no JSON", &signed(SECRET, "x", now(), "{"), "{");

    // Replayed: it is acknowledged, for the server may have missed the first answer, and changes nothing.
    assert!((200..300).contains(&example.post(&genuine, &body)));
    // Signed with two secrets, one of which is the receiver's: the sender changes over.
    let mut both = signed(OTHER, "two_open", now(), &two);
    both[2].1 = format!("{} {}", both[2].1, signed(SECRET, "two_open", now(), &two)[2].1);
    assert!((200..300).contains(&example.post(&both, &two)));
    // A batch, with an event of Anna's that is older than what is known, and a newer one.
    let batch = json!([
        event("old.close", &json!({ "id": "anna", "version": 3, "connections": 0 })),
        event("new.open", &json!({ "id": "anna", "version": 9, "connections": 2 })),
    ])
    .to_string();
    assert!((200..300).contains(&example.post(&signed(SECRET, "batch", now(), &batch), &batch)));
    let applied = ["one.open", "two.open", "new.open"].map(|id| format!("clank.client.connected {id}"));
    example.until_applied(&applied.each_ref().map(String::as_str));
}

#[test]
fn rust() {
    // All of the workspace, so that dependencies have the features that they have already.
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--workspace", "--examples"]);
    assert!(build.status().unwrap().success(), "the examples do not build");
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().with_file_name("examples").join("receiver");
    check(&Example::start(Command::new(program).arg("0")));
}

#[test]
fn php() {
    check(&Example::start_php());
}

#[test]
fn python() {
    check(&Example::start(Command::new("python3").args(["receiver.py", "0"]).current_dir(folder())));
}

#[test]
fn node() {
    check(&Example::start(Command::new("node").args(["receiver.mjs", "0"]).current_dir(folder())));
}
