//! `clank sinks`, `events` and `journal`: the journal and its sinks, looked after.
//!
//! The journal's directory is the only thing that the commands need to know. If a server answers at
//! the socket in it, they ask the server; else they open the directory themselves.
//!
//! - `delivery`: the sinks and their dead letters, with a server or without
//! - `sinks`, `letters`, `events`, `replay`, `journal`: the commands
//! - `when`: a position or a time on the command line

mod delivery;
mod events;
mod journal;
mod letters;
mod replay;
mod sinks;
mod when;

use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::api::connect;
use crate::cli::File;
use crate::config::{self, Settings};
use crate::remote::{FAILED, Failure, GRACE, Target, finish};

/// How long a server may take where the configuration, which says how long, is not read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two looks at what goes on.
const WATCH: Duration = Duration::from_millis(100);

/// Which journal, and how answers are printed.
#[derive(Debug, Args)]
pub(crate) struct Where {
    #[command(flatten)]
    file: File,
    /// The journal's directory [default: journal.path]. With it, the configuration is not read.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sinks {
    /// How every sink is doing.
    List(sinks::List),
    /// Forget a sink that is no longer configured, and let go what only it needs.
    Remove(sinks::Remove),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List what the journal has, the oldest first.
    List(events::List),
    /// Print what happens from now on, as it is recorded.
    Tail(events::Tail),
    /// Print one event.
    Show(events::Show),
    /// Deliver to a sink once more what it has had.
    Replay(replay::Replay),
    /// Events that a sink would not take.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them.
    List(letters::List),
    /// Put them back, to be tried anew.
    Retry(letters::Retry),
    /// Drop them: the sink is told of a gap.
    Drop(letters::Drop),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Say whether the journal is damaged. Nothing is changed.
    Check(journal::Check),
    /// Make a damaged journal usable.
    Repair(journal::Repair),
}

impl Sinks {
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::List(list) => finish(list.run()),
            Self::Remove(remove) => finish(remove.run()),
        }
    }
}

impl Events {
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::List(list) => finish(list.run()),
            Self::Tail(tail) => finish(tail.run()),
            Self::Show(show) => finish(show.run()),
            Self::Replay(replay) => finish(replay.run()),
            Self::DeadLetters(DeadLetters::List(list)) => finish(list.run()),
            Self::DeadLetters(DeadLetters::Retry(retry)) => finish(retry.run()),
            Self::DeadLetters(DeadLetters::Drop(drop)) => finish(drop.run()),
        }
    }
}

impl JournalCommand {
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Check(check) => finish(check.run()),
            Self::Repair(repair) => finish(repair.run()),
        }
    }
}

/// A journal, and its server if one runs.
struct Found {
    directory: PathBuf,
    /// `None` if the configuration was not read.
    settings: Option<Settings>,
    server: Option<Target>,
}

impl Where {
    async fn find(&self) -> Result<Found, Failure> {
        let settings = match self.journal {
            Some(_) => None,
            None => Some(self.settings()?),
        };
        let configured = settings.as_ref().map(|settings| settings.journal.path.path());
        let directory = self.journal.as_deref().or(configured).unwrap_or(Path::new("."));
        if !directory.is_dir() {
            let message = "there is no journal; journal.path or --journal says where it is";
            return Err(Failure::unusable(format!("{}: {message}", directory.display())));
        }
        let patience = settings.as_ref().map_or(PATIENCE, |settings| settings.api.timeout.duration());
        let cant = |error| Failure::unusable(format!("the server in {}: {error}", directory.display()));
        let answers = connect(directory).await.map_err(cant)?.is_some();
        let server = answers.then(|| Target::control(directory, patience + GRACE));
        Ok(Found { directory: directory.to_owned(), settings, server })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let failure = |problems: Vec<config::Problem>| Failure {
            code: FAILED,
            lines: problems.iter().map(ToString::to_string).collect(),
        };
        config::read(self.file.path(), Vec::new()).map(|config| config.settings).map_err(failure)
    }
}

impl Found {
    /// The server, for what needs one.
    fn running(&self) -> Result<&Target, Failure> {
        let message = || {
            let directory = self.directory.display();
            Failure::unreached(format!("this needs a running server, and none answers in {directory}"))
        };
        self.server.as_ref().ok_or_else(message)
    }
}

/// Waits for the next look: a server that is asked tells nothing by itself.
async fn pause() {
    _ = timeout(WATCH, pending::<()>()).await;
}

/// What a server answers to a question.
async fn look(server: &Target, path: &str) -> Result<Box<RawValue>, Failure> {
    server.ask(Method::GET, path, None).await?.judge(false)
}

/// Words of a client or a sink, in which nothing can forge a line.
fn escaped(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn disk(error: std::io::Error) -> Failure {
    Failure::unusable(error)
}
