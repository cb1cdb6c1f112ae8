//! A worker's process: its start, its output, and its end.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::config::SymfonySettings;
use crate::output::Output;

/// What is printed of one line; what is longer is cut.
const LINE: usize = 64 << 10;
/// Lines that are kept to say why a process has ended.
const LAST: usize = 20;
/// How long output is waited for that others hold open whom the process began.
const OUTPUT: Duration = Duration::from_millis(500);

/// How workers are started.
pub(super) struct Launcher {
    php: String,
    arguments: Vec<String>,
    app: PathBuf,
    /// Whether a program is there that ties a process to the life of its parent.
    has_setpriv: bool,
    stdout: Arc<Output>,
}

/// A process. It is killed, with all that it began, when this is dropped.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    pipes: Vec<JoinHandle<()>>,
    last: Arc<Last>,
}

/// The last lines of standard error.
#[derive(Default)]
struct Last(Mutex<VecDeque<String>>);

impl Launcher {
    pub(super) async fn new(
        settings: &SymfonySettings,
        app: &Path,
        worker: &Path,
        stdout: Arc<Output>,
    ) -> Self {
        let mut arguments: Vec<String> = ["-d", "display_errors=stderr", "-d", "html_errors=0"]
            .map(str::to_owned)
            .into_iter()
            .chain([worker.display().to_string(), format!("--app={}", app.display())])
            .collect();
        if !settings.env.as_str().is_empty() {
            arguments.push(format!("--env={}", settings.env.as_str()));
        }
        if !settings.debug {
            arguments.push("--no-debug".to_owned());
        }
        let php = settings.php.as_str().to_owned();
        Self { php, arguments, app: app.to_owned(), has_setpriv: has_setpriv().await, stdout }
    }

    /// Starts a worker that connects to `socket`.
    pub(super) fn start(&self, socket: &Path, generation: u64) -> io::Result<Process> {
        let mut command = match self.has_setpriv {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "--", &self.php]);
                command
            }
            false => Command::new(&self.php),
        };
        command
            .args(&self.arguments)
            .current_dir(if self.app.is_dir() { &self.app } else { self.app.parent().unwrap_or(&self.app) })
            .env("CLANK_WORKER_SOCKET", socket)
            .env("CLANK_WORKER_GENERATION", generation.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let last = Arc::<Last>::default();
        let mut pipes = Vec::new();
        if let Some(from) = child.stdout.take() {
            let stdout = Arc::clone(&self.stdout);
            pipes.push(tokio::spawn(read(from, move |line| stdout.line(line))));
        }
        if let Some(from) = child.stderr.take() {
            let last = Arc::clone(&last);
            pipes.push(tokio::spawn(read(from, move |line| {
                tracing::warn!("the application says: {}", line.replace(char::is_control, "\u{fffd}"));
                last.keep(line);
            })));
        }
        Ok(Process { child, group, pipes, last })
    }
}

/// Whether `setpriv` of util-linux is there; others of that name don't know the option.
async fn has_setpriv() -> bool {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

impl Process {
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub(super) async fn exited(&mut self) {
        // What can't be waited for is told of by `ended`.
        _ = self.child.wait().await;
    }

    /// Waits for its end, and for the end of its output.
    pub(super) async fn ended(&mut self) -> String {
        let ended = self.child.wait().await;
        self.kill();
        while let Some(mut pipe) = self.pipes.pop() {
            if tokio::time::timeout(OUTPUT, &mut pipe).await.is_err() {
                pipe.abort();
            }
        }
        match ended {
            Ok(status) => said(status),
            Err(error) => format!("it can't be waited for: {error}"),
        }
    }

    /// The last that it wrote to standard error.
    pub(super) fn last_words(&self) -> String {
        let last = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Kills it, and all that it began.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group {
            // Where nobody is left, there is nobody to be killed.
            _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Its resident memory in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.id()?)).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

impl Last {
    fn keep(&self, line: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= LAST {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    }
}

/// How a process ended, in words.
fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => format!("it ended: {status}"),
    }
}

/// Hands on what comes, line by line.
async fn read(from: impl AsyncRead + Unpin, hand_on: impl Fn(&str)) {
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = next_line(&mut from).await {
        hand_on(&line);
    }
}

/// The next line, without its end and without what is too long; `None` at the end.
async fn next_line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut begun = false;
    loop {
        let block = from.fill_buf().await?;
        if block.is_empty() {
            return Ok(begun.then(|| String::from_utf8_lossy(&line).into_owned()));
        }
        begun = true;
        let end = block.iter().position(|byte| *byte == b'\n');
        let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        let room = LINE.saturating_sub(line.len());
        line.extend_from_slice(part.get(..room).unwrap_or(part));
        let read = part.len() + usize::from(end.is_some());
        from.consume(read);
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}
