//! RawSocket of the program: where it is spoken, and what becomes of its Unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};
use serve_support::receiver::{Receiver, Reply};
use serve_support::{Program, command, eventually};

/// The place after these words in a line of standard output.
fn place(program: &Program, words: &str) -> String {
    eventually(words, || program.lines().iter().find_map(|line| line.strip_prefix(words).map(str::to_owned)))
}

/// Joins `realm1` in JSON, and leaves.
fn join(mut stream: impl Read + Write) {
    let hello = json!([1, "realm1", {"roles": {"publisher": {}}}]).to_string();
    stream.write_all(&[&b"\x7f\xf1\0\0\0\0\0"[..], &[hello.len() as u8], hello.as_bytes()].concat()).unwrap();
    let mut shaken = [0; 4];
    stream.read_exact(&mut shaken).unwrap();
    assert_eq!(shaken, *b"\x7f\xb1\0\0");
    assert_eq!(message(&mut stream)[0], 2);
    let goodbye = br#"[6,{},"wamp.close.close_realm"]"#;
    stream.write_all(&[&[0, 0, 0, goodbye.len() as u8], &goodbye[..]].concat()).unwrap();
    assert_eq!(message(&mut stream)[2], "wamp.close.goodbye_and_out");
}

fn message(stream: &mut impl Read) -> Value {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut message = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut message).unwrap();
    serde_json::from_slice(&message).unwrap()
}

#[test]
fn it_is_spoken_where_the_settings_say() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rawsocket.sock");
    let unix = path.to_str().unwrap();
    let settings = [("CLANK_RAWSOCKET_LISTEN", "0"), ("CLANK_RAWSOCKET_UNIX", unix)];
    let program = Program::start(&settings);
    let address = place(&program, "Launching RawSocket server on: rs://127.0.0.1:");
    join(TcpStream::connect(("127.0.0.1", address.parse().unwrap())).unwrap());
    assert_eq!(place(&program, "Launching RawSocket server on: rs://unix:"), unix);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    join(UnixStream::connect(&path).unwrap());
    let second = command(&settings[1..]).output().unwrap();
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(
        complaint.contains(&format!("can't listen on {unix}: another server listens there")),
        "{complaint}"
    );
    assert!(!second.status.success());
    // The file of one that was killed is replaced, that of one that ended in order is gone.
    program.signal("KILL");
    drop(program);
    assert!(path.exists());
    let mut program = Program::start(&settings[1..]);
    join(UnixStream::connect(&path).unwrap());
    program.signal("TERM");
    assert!(program.wait().success());
    assert!(!path.exists());
}

#[test]
fn who_is_asked_hears_that_it_is_rawsocket() {
    let receiver = Receiver::new(|_| {
        Reply::Status(200, "content-type: application/json", r#"{"identity":{"id":"anna"}}"#)
    });
    let url = receiver.url();
    let program = Program::start(&[
        ("CLANK_RAWSOCKET_LISTEN", "0"),
        ("CLANK_CONNECTING_URL", &url),
        ("CLANK_CONNECTING_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("CLANK_CONNECTING_ALLOW_PRIVATE", "true"),
    ]);
    let port = place(&program, "Launching RawSocket server on: rs://127.0.0.1:");
    join(TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap());
    let data = receiver.requests().pop().unwrap().json()["data"].take();
    assert_eq!((&data["transport"], &data["protocol"]), (&json!("rawsocket"), &json!("wamp.2.json")));
    assert_eq!((&data["path"], &data["headers"]), (&json!("/"), &json!({})));
}
