//! The program as a child process, with its output and its signals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]
#![allow(dead_code, unused_imports, reason = "each test program uses some of it")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "../../../clank/tests/support/peer.rs"]
pub mod peer;

pub mod history;
pub mod journal;
pub mod receiver;

pub use peer::{FIN, HANDSHAKE, PATIENCE, Peer};

/// Waits until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came to be: {what}");
        // The one wait: another process tells nobody of what is looked for.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Waits until `look` is true.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    eventually(what, || look().then_some(()));
}

/// `clank server` with these settings of the environment, in a directory without a configuration.
pub fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clank"));
    command.arg("server").current_dir(env!("CARGO_TARGET_TMPDIR")).env_clear();
    command.env("CLANK_SERVER_PORT", "0").envs(settings.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running `clank server`; killed when it is dropped.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    stdout: Lines,
    stderr: Lines,
}

/// The lines that a process has written so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let read = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                read.0.lock().unwrap().push(line);
            }
        });
        lines
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Program {
    /// Starts the program, and waits until it listens.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(settings))
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        let address = eventually("it listens", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended with {status}: {:?}", stderr.all());
            }
            let is_launching =
                |line: &String| line.strip_prefix("Launching WebSocket server on: ws://").map(str::to_owned);
            Some(stdout.all().iter().find_map(is_launching)?.parse().unwrap())
        });
        Self { child, address, stdout, stderr }
    }

    pub fn client(&self) -> Peer {
        Peer::wamp(self.address)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.stderr.all().join("\n")
    }

    /// The records that `--events json` has printed so far.
    pub fn records(&self) -> Vec<Value> {
        self.lines().iter().skip(2).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The records of one type.
    pub fn every(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// The process's state, as `/proc/PID/stat` has it: `T` for stopped.
    pub fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The answer to a request on a connection of its own.
    pub fn request(&self, request: &str) -> peer::Response {
        let mut peer = Peer::connect(self.address);
        peer.write(request.as_bytes());
        peer.response()
    }

    /// Waits for its end, and for the end of its output.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("it ends", || self.child.try_wait().unwrap());
        // Whoever reads its output holds one more.
        until("its output has ended", || {
            Arc::strong_count(&self.stdout.0) == 1 && Arc::strong_count(&self.stderr.0) == 1
        });
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
