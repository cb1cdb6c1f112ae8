//! What a durable record costs: connections that open and close, handed over by two threads and
//! waited for, beside a bare file that takes the same bytes.
//!
//! ```text
//! cargo bench -p clank-journal --bench append [-- <directory>]
//! ```
//!
//! - `rounds`: so many records are handed over, and all of them waited for: each round is a batch or two
//! - `clients`: so many clients, each of whom goes on when its last record is kept
//!
//! The directory should lie on the disk in question.
#![allow(clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use clank_core::cause::Cause;
use clank_core::event::{
    Body, Change, ConnectionFacts, Disconnected, Event, Identity, Origin, RequestFacts, Timestamp,
};
use clank_core::id::{ConnectionId, RunId};
use clank_core::journal::Journal;
use clank_journal::log::{Durability, Log, Metrics, Options};

const THREADS: usize = 2;
const SECONDS: u64 = 3;

fn main() {
    let argument = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let directory = argument.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("clank-append-{}", std::process::id()));
    println!(
        "{:>6} {:>8} {:>6} {:>8} {:>10} {:>9} {:>9} {:>9} {:>11} {:>8}",
        "", "", "many", "batch", "events/s", "commit µs", "worst µs", "CPU µs/ev", "bare file/s", "of bare"
    );
    for durability in [Durability::Fsync, Durability::Os] {
        for (name, load) in [("rounds", rounds as Load), ("clients", clients)] {
            for count in [1, 64, 1_000] {
                print!("{:>6} {name:>8} {count:>6} ", format!("{durability:?}"));
                measure(&directory, durability, count, load);
            }
        }
    }
}

/// Hands records over until time is up, so many at once; returns how many.
type Load = fn(&Arc<Log>, usize, Instant) -> u64;

fn measure(directory: &Path, durability: Durability, count: usize, load: Load) {
    let _ = std::fs::remove_dir_all(directory);
    let retained = Options { retention_bytes: 0, max_bytes: 8 << 30, ..Options::default() };
    let log = Arc::new(Log::open(directory, Options { durability, ..retained }).unwrap());
    log.begin(&origin(), now()).unwrap();
    let began = Instant::now();
    let threads = count.min(THREADS);
    let events: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| load(&log, count / threads, began))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let took = began.elapsed();
    let cpu = writer_cpu();
    let metrics = log.metrics();
    Journal::end(&*log, now());
    drop(log);
    let _ = std::fs::remove_dir_all(directory);
    report(directory, durability, events, took, cpu, &metrics);
}

fn report(
    directory: &Path,
    durability: Durability,
    events: u64,
    took: Duration,
    cpu: Duration,
    metrics: &Metrics,
) {
    let batch = events as f64 / metrics.commits as f64;
    let rate = events as f64 / took.as_secs_f64();
    let bytes = metrics.bytes as f64 / events as f64;
    let bare = bare_file(directory, durability, (bytes * batch) as usize) * batch;
    println!(
        "{batch:>8.1} {rate:>10.0} {:>9.1} {:>9.0} {:>9.2} {bare:>11.0} {:>7.0}%",
        metrics.commit_time.as_secs_f64() * 1e6 / metrics.commits as f64,
        metrics.commit_longest.as_secs_f64() * 1e6,
        cpu.as_secs_f64() * 1e6 / events as f64,
        100.0 * rate / bare,
    );
}

/// Hands records over, round by round; returns how many.
fn rounds(log: &Arc<Log>, round: usize, began: Instant) -> u64 {
    let waiting = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let hand = |record: Event| {
        let waiting = Arc::clone(&waiting);
        let then = move |result: Result<_, _>| {
            result.unwrap();
            let mut left = waiting.0.lock().unwrap();
            *left -= 1;
            if *left == 0 {
                waiting.1.notify_one();
            }
        };
        log.append(record, Box::new(then));
    };
    let wait = || drop(waiting.1.wait_while(waiting.0.lock().unwrap(), |left| *left > 0).unwrap());
    let mut events = 0;
    while began.elapsed() < Duration::from_secs(SECONDS) {
        let connections: Vec<_> = (0..round).map(|_| connection(log)).collect();
        for change in [opened, closed] {
            *waiting.0.lock().unwrap() = round;
            connections.iter().map(change).for_each(&hand);
            wait();
            events += round as u64;
        }
    }
    events
}

/// Opens and closes connections, each as soon as what came before is kept; returns how many records.
fn clients(log: &Arc<Log>, count: usize, began: Instant) -> u64 {
    let (told, kept) = channel();
    let hand = |record: Event, connection: Option<Arc<ConnectionFacts>>| {
        let told = told.clone();
        let then = move |result: Result<_, _>| {
            result.unwrap();
            told.send(connection).unwrap();
        };
        log.append(record, Box::new(then));
    };
    let open = || {
        let connection = connection(log);
        hand(opened(&connection), Some(connection));
    };
    (0..count).for_each(|_| open());
    let (mut events, mut running) = (0, count);
    while running > 0 {
        let next = kept.recv().unwrap();
        events += 1;
        match next {
            Some(connection) => hand(closed(&connection), None),
            None if began.elapsed() < Duration::from_secs(SECONDS) => open(),
            None => running -= 1,
        }
    }
    events
}

/// How often a second a bare file takes so many bytes.
fn bare_file(directory: &Path, durability: Durability, bytes: usize) -> f64 {
    let path = directory.with_extension("bare");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    let (data, space) = (vec![b'x'; bytes], 64 << 20);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, space).unwrap();
    file.sync_all().unwrap();
    let (began, mut count, mut offset) = (Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_secs(1) {
        offset = if offset + bytes as u64 > space { 0 } else { offset };
        file.write_all_at(&data, offset).unwrap();
        if durability == Durability::Fsync {
            file.sync_data().unwrap();
        }
        offset += bytes as u64;
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    rate
}

/// The processor time of the thread that writes.
fn writer_cpu() -> Duration {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.trim() == "clank-journal" {
            let times = std::fs::read_to_string(task.join("schedstat")).unwrap();
            nanos += times.split_whitespace().next().unwrap().parse::<u64>().unwrap();
        }
    }
    Duration::from_nanos(nanos)
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn origin() -> Origin {
    Origin { node: "eu-1".parse().unwrap(), run: RunId::new(1_700_000_000_000, &[1; 10]) }
}

fn connection(log: &Log) -> Arc<ConnectionFacts> {
    let resource_id = log.next_resource_id().unwrap();
    let mut random = [0; 10];
    random[2..].copy_from_slice(&resource_id.value().to_be_bytes());
    Arc::new(ConnectionFacts {
        connection_id: ConnectionId::new(1_700_000_000_000, &random),
        resource_id,
        request: RequestFacts {
            remote_address: Some("192.0.2.7:50000".parse().unwrap()),
            protocol: Some("wamp".into()),
            path: Some("/".into()),
            headers: [("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")].into_iter().collect(),
            ..RequestFacts::default()
        },
        identity: resource_id.value().is_multiple_of(4).then(|| Box::new(Identity::new("alice"))),
        session: None,
        attributes: None,
    })
}

fn event(connection: &Arc<ConnectionFacts>, sequence: u64, change: Change) -> Event {
    Event::new(now(), origin(), Body::Client { connection: Arc::clone(connection), sequence, change })
}

fn opened(connection: &Arc<ConnectionFacts>) -> Event {
    event(connection, 1, Change::Connected)
}

fn closed(connection: &Arc<ConnectionFacts>) -> Event {
    event(connection, 2, Change::Disconnected(Box::new(Disconnected::new(Cause::ClientClosed))))
}
