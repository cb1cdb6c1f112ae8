//! One life of a command: its process, its pipes, and who waits for its answers.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clank_core::id::EventId;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Answers, CommandOptions, lines};
use crate::delivery::{Delivery, Verdict};

/// Lines on their way to the pipe; who has more waits.
const QUEUE: usize = 64;
/// What is read of a line that it writes.
const LINE_BYTES: usize = 4_096;

/// A life of a command.
#[derive(Clone, Debug)]
pub(super) struct Child(Arc<Life>);

#[derive(Debug)]
struct Life {
    generation: u64,
    answers: Answers,
    input: mpsc::Sender<Line>,
    /// Who waits for which answer; nobody any more, once it has ended.
    waiting: Mutex<Option<HashMap<EventId, VecDeque<oneshot::Sender<()>>>>>,
    /// Deliveries in a row that had no answer.
    unanswered: AtomicU32,
    of_use: AtomicBool,
    is_to_end: watch::Sender<bool>,
    has_ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct Line {
    json: Bytes,
    /// Told when it is in the pipe.
    written: oneshot::Sender<()>,
}

impl Child {
    pub(super) fn start(options: &CommandOptions, generation: u64) -> io::Result<Self> {
        let mut process = Command::new(&options.program)
            .args(&options.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let (input, written) = mpsc::channel(QUEUE);
        let life = Arc::new(Life {
            generation,
            answers: options.answers,
            input,
            waiting: Mutex::new(Some(HashMap::new())),
            unanswered: AtomicU32::new(0),
            of_use: AtomicBool::new(false),
            is_to_end: watch::Sender::new(false),
            has_ended: watch::Sender::new(false),
        });
        let command = options.program.display().to_string();
        tracing::info!(command, generation, pid = process.id(), "a command was started");
        let writer = tokio::spawn(write(stdin, written));
        let pipes = [
            tokio::spawn(log_errors(stderr, command.clone())),
            tokio::spawn(read_answers(stdout, Arc::clone(&life), command.clone())),
        ];
        tokio::spawn(supervise(process, Arc::clone(&life), options.grace, writer, pipes, command));
        Ok(Self(life))
    }

    pub(super) fn is_alive(&self) -> bool {
        !*self.0.has_ended.borrow() && !*self.0.is_to_end.borrow()
    }

    pub(super) fn unanswered(&self) -> u32 {
        self.0.unanswered.load(Ordering::SeqCst)
    }

    pub(super) fn was_of_use(&self) -> bool {
        self.0.of_use.load(Ordering::SeqCst)
    }

    /// Has it end in order: its input is closed, then it is asked, then it is killed.
    pub(super) fn end(&self) {
        self.0.close();
        self.0.is_to_end.send_replace(true);
    }

    pub(super) async fn ended(&self) {
        // its sender is the life itself
        _ = self.0.has_ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(super) async fn deliver(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let failing = |why: &str| Verdict::Failing { retry_after: None, why: why.into() };
        let unheard = Unheard(&self.0);
        let mut expected = Vec::with_capacity(batch.len());
        for delivery in batch {
            let answer = self.0.expect(delivery.id());
            let (written, is_written) = oneshot::channel();
            let line = Line { json: delivery.json(), written };
            let sent = self.0.input.send(line).await.is_ok();
            expected.push((answer, is_written, sent));
        }
        let mut verdicts = Vec::with_capacity(batch.len());
        for (answer, is_written, sent) in expected {
            let is_done = match (sent, self.0.answers) {
                (false, _) => false,
                (true, Answers::Nothing) => is_written.await.is_ok(),
                (true, Answers::Ids) => answer.await.is_ok(),
            };
            verdicts.push(if is_done {
                Verdict::Acked
            } else {
                failing("the command ended before it answered")
            });
        }
        unheard.heard(verdicts.contains(&Verdict::Acked));
        verdicts
    }
}

impl Life {
    /// The answer for an event; it never comes if the life has ended.
    fn expect(&self, id: EventId) -> oneshot::Receiver<()> {
        let (answered, answer) = oneshot::channel();
        if let Ok(mut waiting) = self.waiting.lock()
            && let Some(waiting) = &mut *waiting
        {
            // one who was given up at its time-out waits no more
            let for_this = waiting.entry(id).or_default();
            for_this.retain(|other| !other.is_closed());
            for_this.push_back(answered);
        }
        answer
    }

    /// An answer has come. Whether somebody waited for it.
    fn answered(&self, id: EventId) -> bool {
        let Ok(mut waiting) = self.waiting.lock() else { return false };
        let Some(all) = &mut *waiting else { return false };
        let Some(for_this) = all.get_mut(&id) else { return false };
        let told = std::iter::from_fn(|| for_this.pop_front()).any(|answered| answered.send(()).is_ok());
        if for_this.is_empty() {
            all.remove(&id);
        }
        told
    }

    /// Nobody waits for it any more, and nothing it says counts.
    fn close(&self) {
        if let Ok(mut waiting) = self.waiting.lock() {
            *waiting = None;
        }
    }
}

/// A delivery that is under way: one that is dropped before it was heard of had no answer.
struct Unheard<'a>(&'a Life);

impl Unheard<'_> {
    fn heard(self, is_taken: bool) {
        if is_taken {
            self.0.unanswered.store(0, Ordering::SeqCst);
            self.0.of_use.store(true, Ordering::SeqCst);
        }
        std::mem::forget(self);
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.0.unanswered.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits for the end of a life, or brings it about.
async fn supervise(
    mut process: tokio::process::Child,
    life: Arc<Life>,
    grace: Duration,
    writer: JoinHandle<()>,
    pipes: [JoinHandle<()>; 2],
    command: String,
) {
    let mut is_to_end = life.is_to_end.subscribe();
    let told = async {
        // its sender lives as long as this task
        _ = is_to_end.wait_for(|is_to_end| *is_to_end).await;
    };
    let ended = tokio::select! {
        ended = process.wait() => ended,
        () = told => {
            writer.abort();
            end(&mut process, grace).await
        }
    };
    writer.abort();
    // what a child of its own still says counts for nothing
    pipes.iter().for_each(JoinHandle::abort);
    let generation = life.generation;
    match ended {
        Ok(status) => tracing::info!(command, generation, %status, "a command has ended"),
        Err(error) => tracing::error!(command, generation, %error, "a command cannot be waited for"),
    }
    life.close();
    life.has_ended.send_replace(true);
}

async fn write(mut to: ChildStdin, mut lines: mpsc::Receiver<Line>) {
    while let Some(Line { json, written }) = lines.recv().await {
        let is_written = async {
            to.write_all(&json).await?;
            to.write_all(b"\n").await?;
            to.flush().await
        };
        if is_written.await.is_err() {
            // it has closed its input: what follows fails
            return;
        }
        // whoever waited may have given up
        _ = written.send(());
    }
}

async fn read_answers(from: impl AsyncRead + Unpin, life: Arc<Life>, command: String) {
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = lines::next(&mut from, LINE_BYTES).await {
        let is_known = line.trim().parse().is_ok_and(|id| life.answered(id));
        if !is_known && life.answers == Answers::Ids {
            let generation = life.generation;
            tracing::debug!(
                command,
                generation,
                line = line.escape_debug().to_string(),
                "an answer that nobody waits for"
            );
        }
    }
}

async fn log_errors(from: impl AsyncRead + Unpin, command: String) {
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = lines::next(&mut from, LINE_BYTES).await {
        tracing::info!(command, line = line.escape_debug().to_string(), "a command says");
    }
}

/// Its input is closed. It has `grace` to end, and again when it was asked to.
async fn end(process: &mut tokio::process::Child, grace: Duration) -> io::Result<std::process::ExitStatus> {
    if let Ok(ended) = timeout(grace, process.wait()).await {
        return ended;
    }
    let pid = process.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap_or_default()));
    if let Some(pid) = pid {
        // one that has ended meanwhile needs no signal
        _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(ended) = timeout(grace, process.wait()).await {
        return ended;
    }
    process.kill().await?;
    process.wait().await
}
