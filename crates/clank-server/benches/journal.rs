//! What the journal costs those who connect, and what a storm of ends costs those who stay.
//!
//! ```text
//! ulimit -n 20000; cargo bench -p clank-server --bench journal [-- connects|storm]
//! ```
//!
//! `connects`: connections a second, with a journal that is synced and without one, in turns; the median
//! of the ratios is to be at least 0.9. First 18,000 clients connect, are welcomed and stay. Then clients
//! connect, are welcomed and go, which is two records for each; that ratio is printed, and judged by nobody.
//!
//! `storm`: 19,000 clients go at once, and a webhook is told of 2,000 a second; the round trip of
//! another client meanwhile, against the same before it. Its 99th percentile is to be at most a tenth
//! above the highest of five quiet stretches.
//!
//! Processors that have other work to do make both meaningless.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![expect(clippy::disallowed_methods, reason = "load has a pace: it is no test that waits for something")]

#[path = "../tests/serve_support/mod.rs"]
mod serve_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serve_support::journal::{connect, directory, history, start_with};
use serve_support::peer::PING;
use serve_support::receiver::{OK, Receiver, Request};
use serve_support::{FIN, Peer, Program, until};

/// Clients that connect at the same time: enough to leave no processor idle while a batch is synced.
const CONNECTING: u8 = 200;
const ROUND: Duration = Duration::from_secs(3);
/// Connections that each of them keeps, where they stay.
const KEPT: usize = 90;
const ROUNDS: usize = 9;
const LEAST_RATIO: f64 = 0.9;

/// Clients of the storm, in two processes: one has too few descriptors.
const STORM: [usize; 2] = [9_500, 9_500];
const PACE: usize = 2_000;
/// The stretch of time over which the pace holds; what the network pushes together is left room.
const PACE_WINDOW: Duration = Duration::from_millis(4_900);
const STRETCH: Duration = Duration::from_secs(2);
const MOST_RATIO: f64 = 1.1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let is_good = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hold", address, count] => {
            hold(address.parse().unwrap(), count.parse().unwrap());
            true
        }
        ["connects"] => connects(),
        ["storm"] => storm(),
        _ => connects() & storm(),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn connects() -> bool {
    let stay = compare("connections a second, that stay", stays);
    let go = compare("connections a second, that go again", cycles);
    println!(
        "median ratio {stay:.3} of those that stay, to be at least {LEAST_RATIO}; {go:.3} of those that go"
    );
    stay >= LEAST_RATIO
}

/// The median of the ratios, with a journal that is synced to without one, in turns.
fn compare(what: &str, rate: impl Fn(&Program) -> f64) -> f64 {
    println!("{what}: without a journal, with one that is synced, ratio");
    let ratios = (0..ROUNDS).map(|_| {
        let everywhere = ("CLANK_SERVER_HOST", "0.0.0.0");
        let without = rate(&Program::start(&[everywhere]));
        let data = directory("connects");
        let with = rate(&Program::start(&[everywhere, ("CLANK_JOURNAL_PATH", data.to_str().unwrap())]));
        std::fs::remove_dir_all(&data).unwrap();
        println!("{without:9.0} {with:9.0} {:7.2}", with / without);
        with / without
    });
    median(ratios.collect())
}

/// Connections a second, each opened and welcomed, until all are there.
fn stays(program: &Program) -> f64 {
    let begun = Instant::now();
    let kept =
        by_all(program, |address| (0..KEPT).map(|_| connect(address, "stay").unwrap()).collect::<Vec<_>>());
    let took = begun.elapsed();
    kept.iter().map(Vec::len).sum::<usize>() as f64 / took.as_secs_f64()
}

/// Connections a second, each opened, welcomed and closed.
fn cycles(program: &Program) -> f64 {
    let begun = Instant::now();
    let counts = by_all(program, |address| {
        let mut count = 0;
        while begun.elapsed() < ROUND {
            drop(connect(address, "churn").unwrap());
            count += 1;
        }
        count
    });
    f64::from(counts.iter().sum::<u32>()) / begun.elapsed().as_secs_f64()
}

/// Has all clients do something at the same time, each with an address of its own to connect to: one has
/// no more than some 14,000 ports a second, for the system keeps each for two.
fn by_all<T: Send>(program: &Program, act: impl Fn(SocketAddr) -> T + Sync) -> Vec<T> {
    let (port, act) = (program.address.port(), &act);
    std::thread::scope(|scope| {
        let one = |number: u8| scope.spawn(move || act(SocketAddr::from(([127, 0, 1, number], port))));
        let threads: Vec<_> = (1..=CONNECTING).map(one).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Holds so many clients until standard input ends, and ends with all of them.
fn hold(address: SocketAddr, count: usize) {
    let clients: Vec<TcpStream> = (0..count)
        .map(|number| connect(address, &format!("{}-{number}", std::process::id())).unwrap())
        .collect();
    println!("{} are there", clients.len());
    _ = std::io::stdin().read(&mut [0]);
}

/// A process that holds clients.
fn holder(address: SocketAddr, count: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["hold", &address.to_string(), &count.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("are there\n"), "{line}");
    child
}

fn storm() -> bool {
    let (data, receiver) = (directory("storm"), Receiver::new(|_| OK));
    let pace = PACE.to_string();
    let settings = [("CLANK_SINKS_TEST_PACE", pace.as_str()), ("CLANK_KEEPALIVE_INTERVAL", "10m")];
    let program = start_with(&data, &receiver, &settings);
    let mut holders: Vec<Child> = STORM.iter().map(|count| holder(program.address, *count)).collect();
    let clients: usize = STORM.iter().sum();
    until("all are told", || history(&receiver).ids("clank.client.connected").len() == clients);
    let mut peer = program.client();
    let quiet: Vec<f64> = (0..5).map(|_| p99(&mut peer)).collect();
    let begun = Instant::now();
    holders.iter_mut().for_each(|holder| holder.kill().unwrap());
    holders.iter_mut().for_each(|holder| _ = holder.wait().unwrap());
    let mut loaded = Vec::new();
    while ends(&receiver).len() < clients {
        loaded.push(p99(&mut peer));
    }
    let (quiet, loaded) = (quiet.iter().copied().fold(0.0, f64::max), median(loaded));
    let ends = ends(&receiver);
    let took = *ends.last().unwrap() - begun;
    let window =
        |first: &Instant| ends.iter().filter(|end| *end >= first && **end - *first < PACE_WINDOW).count();
    let most = ends.iter().step_by(50).map(window).max().unwrap();
    let allowed = 5 * PACE;
    println!(
        "storm: {clients} ends told in {took:.1?}; in five seconds {most} at most, of {allowed} allowed"
    );
    println!(
        "p99 of a round trip: {quiet:.0} us at most while it is quiet, {loaded:.0} us meanwhile (median)"
    );
    std::fs::remove_dir_all(&data).unwrap();
    loaded <= MOST_RATIO * quiet && most <= allowed
}

/// When the receiver was told of each end.
fn ends(receiver: &Receiver) -> Vec<Instant> {
    let told = |request: &Request| {
        std::iter::repeat_n(request.at, request.body.matches(".close\",\"source\"").count())
    };
    let mut ends: Vec<Instant> = receiver.requests().iter().flat_map(told).collect();
    ends.sort();
    ends
}

/// The 99th percentile of round trips, in microseconds, over a stretch of time.
fn p99(peer: &mut Peer) -> f64 {
    let (begun, mut times) = (Instant::now(), Vec::new());
    let ping = serve_support::peer::frame(FIN | PING, b"there");
    while begun.elapsed() < STRETCH {
        std::thread::sleep(Duration::from_millis(1));
        let sent = Instant::now();
        peer.stream.write_all(&ping).unwrap();
        assert_eq!(peer.frame().payload, b"there");
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}
