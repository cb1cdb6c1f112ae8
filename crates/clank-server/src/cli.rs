//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Flag, Problem, reference};
use crate::{operate, remote, secret};

/// A real-time application server: WebSockets, WAMP, and lifecycle events.
#[derive(Debug, Parser)]
#[command(name = "clank", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Server(Options),
    /// Say what is wrong with a configuration.
    Check(File),
    /// Print the configuration in effect, with where each value comes from.
    Config(Options),
    /// Print the settings that keep a user's secret, which is read from standard input.
    Secret(secret::Arguments),
    /// Publish an event on a topic of a running server.
    Publish(remote::Publish),
    /// Call a procedure of a running server.
    Call(remote::Call),
    /// List the clients of a running server.
    Connections(remote::Connections),
    /// Close a connection of a running server, or all of a user.
    Disconnect(remote::Disconnect),
    /// Look after the sinks of lifecycle events.
    #[command(subcommand)]
    Sinks(operate::Sinks),
    /// Look at lifecycle events, and send them again.
    #[command(subcommand)]
    Events(operate::Events),
    /// Look after the journal.
    #[command(subcommand)]
    Journal(operate::JournalCommand),
    /// Renew the parts of the documentation that are written from the source.
    #[command(hide = true)]
    Reference {
        /// The directory of the documentation.
        docs: PathBuf,
    },
}

/// The configuration file.
#[derive(Debug, Args)]
pub struct File {
    /// Configuration file [default: clank.toml, if there is one].
    #[arg(long, value_name = "FILE", env = "CLANK_CONFIG")]
    config: Option<PathBuf>,
}

impl File {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// The configuration file, and the settings that have a flag.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    file: File,
    /// Address to listen on.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Symfony application to run: its directory, or a PHP file that returns its kernel.
    #[arg(long, value_name = "APP")]
    symfony: Option<String>,
    /// What standard output is told of lifecycle events: text, json or off.
    #[arg(long, value_name = "FORMAT")]
    events: Option<String>,
}

impl Options {
    /// The configuration in effect.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(self) -> Result<Config, Vec<Problem>> {
        let flags = [
            ("server.host", "--host", self.host),
            ("server.port", "--port", self.port),
            ("symfony.app", "--symfony", self.symfony),
            ("events.console", "--events", self.events),
        ];
        let given =
            flags.into_iter().filter_map(|(key, flag, value)| Some(Flag { key, flag, value: value? }));
        config::read(self.file.config.as_deref(), given.collect())
    }
}

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Server(options) => crate::serve::run(options),
        Command::Check(file) => check(file.config.as_deref()),
        Command::Config(options) => print_config(options),
        Command::Secret(arguments) => arguments.run(),
        Command::Publish(publish) => publish.run(),
        Command::Call(call) => call.run(),
        Command::Connections(connections) => connections.run(),
        Command::Disconnect(disconnect) => disconnect.run(),
        Command::Sinks(sinks) => sinks.run(),
        Command::Events(events) => events.run(),
        Command::Journal(journal) => journal.run(),
        Command::Reference { docs } => renew_reference(&docs),
    }
}

fn check(file: Option<&Path>) -> ExitCode {
    match config::read(file, Vec::new()) {
        Ok(config) => {
            complain(&config.warnings);
            match config.file {
                Some(name) => print(&format!("{name}: no errors\n")),
                None => print("no configuration file: the defaults are in effect\n"),
            }
        }
        Err(problems) => {
            complain(&problems);
            ExitCode::FAILURE
        }
    }
}

fn print_config(options: Options) -> ExitCode {
    match options.read() {
        Ok(config) => {
            complain(&config.warnings);
            print(&reference::effective(&config))
        }
        Err(problems) => {
            complain(&problems);
            ExitCode::FAILURE
        }
    }
}

fn renew_reference(docs: &Path) -> ExitCode {
    let events = docs.join("lifecycle-events.md");
    let renewed = std::fs::read_to_string(&events).and_then(|page| {
        let page = reference::lifecycle_events(&page)
            .map_err(|name| std::io::Error::other(format!("no table of {name}")))?;
        std::fs::write(&events, page)?;
        std::fs::write(docs.join("configuration.md"), reference::configuration())
    });
    match renewed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&[format!("error: {}: {error}", docs.display())]);
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output. A reader that has gone away has read enough.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// Writes lines to standard error, if anybody reads it.
pub(crate) fn complain(lines: &[impl std::fmt::Display]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let _ = std::io::stderr().write_all(text.as_bytes());
}
