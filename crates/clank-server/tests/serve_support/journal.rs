//! A server with a journal that tells a webhook, and clients that say who they are.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::history::{HEADER, History};
use super::receiver::{Receiver, Request};
use super::{HANDSHAKE, PATIENCE, Program, eventually};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An empty directory for a journal.
pub fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&directory);
    directory
}

/// A server with a journal that tells a webhook.
pub fn start(directory: &Path, receiver: &Receiver) -> Program {
    start_with(directory, receiver, &[])
}

/// The same, with more settings.
pub fn start_with(directory: &Path, receiver: &Receiver, more: &[(&str, &str)]) -> Program {
    let url = receiver.url();
    Program::start(&[&settings(directory.to_str().unwrap(), &url), more].concat())
}

/// A journal in this directory that tells the webhook at `url`.
pub fn settings<'a>(directory: &'a str, url: &'a str) -> [(&'static str, &'a str); 9] {
    [
        ("CLANK_JOURNAL_PATH", directory),
        ("CLANK_SINKS_TEST_TYPE", "webhook"),
        ("CLANK_SINKS_TEST_URL", url),
        ("CLANK_SINKS_TEST_SECRETS", SECRET),
        ("CLANK_SINKS_TEST_ALLOW_PRIVATE", "true"),
        ("CLANK_SINKS_TEST_MODE", "batch"),
        ("CLANK_SINKS_TEST_BATCH", "200"),
        ("CLANK_SINKS_TEST_PACE", "100000"),
        ("CLANK_SERVER_HEADERS", HEADER),
    ]
}

/// What the receiver has been sent.
pub fn history(receiver: &Receiver) -> History {
    let bodies: Vec<Value> = receiver.requests().iter().map(Request::json).collect();
    History::of_events(&bodies)
}

/// A client that says its name. `None` if it was not welcomed.
pub fn connect(address: SocketAddr, name: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let handshake = HANDSHAKE.replace("\r\n\r\n", &format!("\r\n{HEADER}: {name}\r\n\r\n"));
    stream.write_all(handshake.as_bytes()).ok()?;
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    // WELCOME is the first frame behind the response.
    while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") || !seen.ends_with(b"]") {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&buffer[..read]);
    }
    Some(stream)
}

/// Waits until the receiver has heard of the end of all that it heard of, and of everybody.
pub fn until_told(receiver: &Receiver, welcomed: &BTreeSet<String>) -> History {
    eventually("everything is told", || {
        let history = history(receiver);
        let (opened, closed) =
            (history.ids("clank.client.connected").len(), history.ids("clank.client.disconnected").len());
        (opened == closed && opened >= welcomed.len()).then_some(history)
    })
}
