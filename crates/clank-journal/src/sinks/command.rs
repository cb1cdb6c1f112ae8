//! A command that reads events from its standard input and answers with their ids.

mod child;
mod lines;

use std::ffi::OsString;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use self::child::Child;
use crate::delivery::{Backoff, Delivery, Jitter, Outcome, Sink, Verdict};

/// Whether a command says what it has done with an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// With each event's id on a line of its standard output, in any order.
    #[default]
    Ids,
    /// It does not: an event counts as delivered once it is in the pipe. What the command had not
    /// read when it died is lost: this is outside of the promise that no event is lost.
    Nothing,
}

/// Which command, and how it is treated.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// The program: a path, or a name that is looked for.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Whether it answers.
    pub answers: Answers,
    /// How long it has to end after its standard input was closed, and again after SIGTERM; then it
    /// is killed. 5 seconds.
    pub grace: Duration,
    /// How long to wait before it is started again.
    pub backoff: Backoff,
}

impl CommandOptions {
    /// A command that answers.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            answers: Answers::Ids,
            grace: Duration::from_secs(5),
            backoff: Backoff::default(),
        }
    }
}

/// Deliveries in a row without an answer, after which a command counts as hung and is ended.
const HUNG_AFTER: u32 = 3;

/// Delivers to a command: an event is a line of JSON on its standard input.
///
/// The command is started with the first event, and anew when it has ended. What one life of it was
/// given, only that life can answer for. It has to end when its standard input does, which is also
/// how it learns that the server was killed. What it writes to standard error goes to the log.
#[derive(Debug)]
pub struct CommandSink {
    options: CommandOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    child: Option<Child>,
    generation: u64,
    /// Lives in a row that were of no use.
    failures: u32,
    not_before: Option<Instant>,
    jitter: Jitter,
}

impl CommandSink {
    /// A sink that starts its command with the first event.
    pub fn new(options: CommandOptions) -> Self {
        if options.answers == Answers::Nothing {
            tracing::warn!(
                command = %options.program.display(),
                "events to a command that does not answer can be lost: it is outside of the promise"
            );
        }
        let jitter = Jitter::new(u64::from(std::process::id()));
        let state = State { child: None, generation: 0, failures: 0, not_before: None, jitter };
        Self { options, state: Mutex::new(state) }
    }

    /// The command's present life, begun if there is none.
    fn child(&self) -> Result<Child, Verdict> {
        let failing = |retry_after, why: String| Verdict::Failing { retry_after, why };
        let mut state = self.state.lock().map_err(|_| failing(None, "a start has panicked".into()))?;
        if let Some(child) = &state.child {
            if child.is_alive() && child.unanswered() < HUNG_AFTER {
                return Ok(child.clone());
            }
            if child.is_alive() {
                tracing::warn!(command = %self.options.program.display(), "a command does not answer: it is ended");
            }
            let was_of_use = child.was_of_use();
            child.end();
            state.child = None;
            state.rest(&self.options, was_of_use);
        }
        let now = Instant::now();
        if let Some(wait) = state.not_before.map(|until| until.saturating_duration_since(now))
            && !wait.is_zero()
        {
            return Err(failing(Some(wait), "the command has ended, and is not started again yet".into()));
        }
        state.generation += 1;
        match Child::start(&self.options, state.generation) {
            Ok(child) => {
                state.child = Some(child.clone());
                Ok(child)
            }
            Err(error) => {
                state.rest(&self.options, false);
                Err(failing(None, format!("the command cannot be started: {error}")))
            }
        }
    }
}

impl State {
    /// After a life has ended.
    fn rest(&mut self, options: &CommandOptions, was_of_use: bool) {
        self.failures = if was_of_use { 0 } else { self.failures.saturating_add(1) };
        let wait = options.backoff.wait(self.failures, &mut self.jitter);
        self.not_before = Some(Instant::now() + wait);
    }
}

impl Sink for CommandSink {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        match self.child() {
            Ok(child) => Outcome::Each(child.deliver(batch).await),
            Err(verdict) => Outcome::All(verdict),
        }
    }

    async fn close(&self) {
        let child = self.state.lock().ok().and_then(|mut state| state.child.take());
        if let Some(child) = child {
            child.end();
            child.ended().await;
        }
    }
}

#[cfg(test)]
mod tests;
