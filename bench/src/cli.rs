//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::peer::{PEERS, Peer, Places};
use crate::raw::{Mode, Raw};
use crate::record::Records;
use crate::report::{self, Report};
use crate::run::{self, Run};
use crate::scenario::{Plan, Scenario};
use crate::{Result, serve};

/// Measures Clank beside its peers.
#[derive(Debug, Parser)]
#[command(name = "clank-bench", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and print what was found.
    Run(Options),
    /// Print, or write, what an earlier run has found.
    Report(Results),
    /// List the servers: which are there, and how the others are installed.
    Peers(Where),
    /// Serve as the loop that does nothing but send.
    #[command(hide = true)]
    Raw {
        mode: Mode,
        #[arg(long)]
        port: u16,
    },
    /// Serve as Clank with a procedure that adds.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        port: u16,
        /// Threads that serve sockets [default: as many as processors].
        #[arg(long)]
        workers: Option<usize>,
    },
}

#[derive(Debug, Args)]
struct Where {
    /// Where peers are installed.
    #[arg(long, value_name = "DIR", default_value = "target/peers")]
    peers_dir: PathBuf,
    /// The program `clank` [default: beside this program].
    #[arg(long, value_name = "FILE")]
    clank: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Results {
    /// File of what was found.
    #[arg(long, value_name = "FILE", default_value = "target/bench/results.jsonl")]
    results: PathBuf,
    /// Write `performance.md` and its plot in this folder, too.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    places: Where,
    #[command(flatten)]
    results: Results,
    /// Add to what is in the file.
    #[arg(long)]
    add: bool,
    /// Servers to measure, with commas [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_peer)]
    peers: Vec<Peer>,
    /// Scenarios, with commas [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    scenarios: Vec<Scenario>,
    /// Rounds, in each of which all servers take turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each part of a round is measured.
    #[arg(long, default_value_t = 2.5, value_parser = parse_seconds)]
    seconds: f64,
    /// Let server and load share all processors, instead of one for each.
    #[arg(long)]
    nopin: bool,
    /// Idle connections.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = parse_count)]
    connections: usize,
    /// Subscribers of the one topic beside which others are measured.
    #[arg(long, value_name = "COUNT", default_value_t = 19_000, value_parser = parse_count)]
    crowd: usize,
}

pub(crate) fn main() -> Result {
    match Cli::parse().command {
        Command::Run(options) => options.run(),
        Command::Report(results) => results.report(),
        Command::Peers(places) => list(&places.places()?),
        Command::Raw { mode, port } => Raw::bind(port, mode)?.serve(),
        Command::Serve { port, workers } => {
            let _server = serve::start(port, false, workers)?;
            loop {
                std::thread::park();
            }
        }
    }
}

impl Where {
    fn places(self) -> Result<Places> {
        let beside = std::env::current_exe()?.with_file_name("clank");
        let clank = self.clank.unwrap_or(beside);
        Ok(Places { clank, peers: self.peers_dir, scratch: run::scratch() })
    }
}

impl Options {
    fn run(self) -> Result {
        let command = self.command();
        let or_all = |all: &[Peer], chosen: Vec<Peer>| if chosen.is_empty() { all.to_vec() } else { chosen };
        let run = Run {
            peers: or_all(&PEERS, self.peers),
            scenarios: if self.scenarios.is_empty() { Scenario::ALL.to_vec() } else { self.scenarios },
            rounds: self.rounds,
            plan: Plan {
                connections: self.connections,
                subscribers: 1_000,
                crowd: self.crowd,
                callers: 100,
                staying: 15_000,
                time: Duration::from_secs_f64(self.seconds),
                pinned: !self.nopin,
            },
            places: self.places.places()?,
            command,
        };
        let outcome = run.drive(&mut Records::open(&self.results.results, self.add)?);
        std::fs::remove_dir_all(&run.places.scratch).ok();
        outcome?;
        self.results.report()
    }

    /// The command without the names of this machine's folders.
    fn command(&self) -> String {
        let mut command = "cargo run --release -p clank-bench -- run".to_owned();
        if !self.peers.is_empty() {
            let names: Vec<&str> = self.peers.iter().map(|peer| peer.name).collect();
            command += &format!(" --peers {}", names.join(","));
        }
        if !self.scenarios.is_empty() {
            let names: Vec<String> =
                self.scenarios.iter().map(|scenario| format!("{scenario:?}").to_lowercase()).collect();
            command += &format!(" --scenarios {}", names.join(","));
        }
        command += &format!(" --rounds {} --seconds {}", self.rounds, self.seconds);
        command += &format!(" --connections {} --crowd {}", self.connections, self.crowd);
        if self.nopin {
            command += " --nopin";
        }
        command
    }
}

impl Results {
    fn report(&self) -> Result {
        let records = Records::read(&self.results)?;
        let report = Report::new(&records);
        println!("{}", report.markdown(None));
        self.write.as_deref().map_or(Ok(()), |docs| report::write(&report, docs))
    }
}

fn list(places: &Places) -> Result {
    for peer in PEERS {
        match peer.version(places) {
            Ok(version) => println!("{:17} {} {version}", peer.name, peer.title),
            Err(_) => println!("{:17} missing: {}", peer.name, peer.install(places)),
        }
    }
    Ok(())
}

fn parse_peer(name: &str) -> std::result::Result<Peer, String> {
    Peer::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        format!("there are {}", names.join(", "))
    })
}

fn parse_seconds(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("0.1 to 60 seconds".to_owned()),
    }
}

fn parse_count(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000) => Ok(count),
        _ => Err("1 to 1,000,000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn options(line: &str) -> std::result::Result<Options, clap::Error> {
        let parsed = Cli::try_parse_from(["clank-bench", "run"].into_iter().chain(line.split_whitespace()))?;
        match parsed.command {
            Command::Run(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_is_shown_as_it_was_asked_for() {
        let line = "--peers clank,bun --scenarios rpc,idle --rounds 2 --nopin --peers-dir somewhere";
        assert_eq!(
            options(line).unwrap().command(),
            "cargo run --release -p clank-bench -- run --peers clank,bun --scenarios rpc,idle --rounds 2 \
             --seconds 2.5 --connections 10000 --crowd 19000 --nopin"
        );
        assert!(!options("").unwrap().command().contains("--peers"));
    }

    #[test]
    fn what_can_t_be_measured_is_refused() {
        for line in
            ["--peers nobody", "--rounds 0", "--seconds 0", "--seconds NaN", "--crowd 0", "--scenarios x"]
        {
            let error = options(line).unwrap_err().to_string();
            assert!(error.contains("invalid value"), "{line}: {error}");
        }
    }
}
