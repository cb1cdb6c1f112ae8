//! A folder for an application, and the worker that does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]
#![allow(dead_code, reason = "each test program uses some of it")]

pub mod project;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::serve_support::peer::{HANDSHAKE, Peer};
use crate::serve_support::{Program, command, eventually};

/// Where the scripted worker takes the place of the bundle's.
pub const SCRIPTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/symfony_support/scripted");

/// A folder that goes with this.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("symfony-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) {
        let file = self.0.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let frames = std::fs::read_to_string(self.0.join("frames.log")).unwrap_or_default();
            eprintln!("what workers got:\n{frames}");
        }
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `clank server` with this application; PHP is found as the tests themselves find it.
pub fn server(app: &Folder, settings: &[(&str, &str)]) -> Command {
    let mut command = command(&[("CLANK_SYMFONY_APP", app.path()), ("CLANK_LOG_LEVEL", "debug")]);
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(settings.iter().copied());
    command
}

/// A server whose worker does as it is told.
pub struct Scripted {
    pub program: Program,
    pub app: Folder,
}

impl Scripted {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with(Folder::new(), settings)
    }

    pub fn start_with(app: Folder, settings: &[(&str, &str)]) -> Self {
        let mut command = server(&app, &[("CLANK_SYMFONY_BUNDLE", SCRIPTED)]);
        command.envs(settings.iter().copied());
        Self { program: Program::spawn(command), app }
    }

    pub fn client(&self) -> Peer {
        self.program.client()
    }

    /// A client whose handshake has a query.
    pub fn client_with(&self, query: &str) -> Peer {
        let handshake = HANDSHAKE.replacen("GET / ", &format!("GET /?{query} "), 1);
        Peer::upgraded(self.program.address, &handshake).welcomed()
    }

    /// The frames that workers have got so far.
    pub fn frames(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.app.0.join("frames.log")).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Those of one operation.
    pub fn every(&self, op: &str) -> Vec<Value> {
        self.frames().into_iter().filter(|frame| frame["op"] == op).collect()
    }

    /// Waits for `count` frames of one operation.
    pub fn wait_for(&self, op: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} frames {op}"), || {
            let frames = self.every(op);
            (frames.len() >= count).then_some(frames)
        })
    }

    /// Waits for a line of standard output.
    pub fn prints(&self, line: &str) {
        eventually(line, || self.program.lines().iter().any(|printed| printed == line).then_some(()));
    }

    /// Waits for a text in the log.
    pub fn logs(&self, text: &str) {
        eventually(text, || self.program.log().contains(text).then_some(()));
    }

    /// Ends the server in order. Nothing is left of its clients.
    pub fn end(&mut self) -> Vec<String> {
        self.program.signal("TERM");
        assert!(self.program.wait().success());
        let log = self.program.log();
        assert!(!log.contains("was not told"), "{log}");
        self.program.lines()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the server logged:\n{}", self.program.log());
        }
    }
}

/// Has the worker carry a word out. What it answers: its life, and the word.
pub fn carry_out(peer: &mut Peer, word: &str) -> Value {
    peer.call("do/it", &json!([word]))
}

/// The life of the worker that answers.
pub fn generation(peer: &mut Peer) -> u64 {
    let answer = carry_out(peer, "nothing");
    assert_eq!(answer[0], 3, "{answer}");
    answer[2][0].as_u64().unwrap()
}
