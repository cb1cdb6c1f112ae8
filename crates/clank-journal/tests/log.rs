//! The log as others use it: its thread, its lock, its ports.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use clank_core::cause::Cause;
use clank_core::event::{
    Body, Change, ConnectionFacts, Disconnected, Event, EventKind, Origin, RequestFacts, Timestamp,
};
use clank_core::id::{ConnectionId, RunId};
use clank_core::journal::{Journal, NotRecorded, Position};
use clank_journal::log::{Durability, Log, OpenError, Options, Reader, check, renew_id};
use clank_journal::source::Source;

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("clank-log-{}-{count}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix_micros(1_700_000_000_000_000)
}

fn origin(run: u8) -> Origin {
    Origin { node: "n".parse().unwrap(), run: RunId::new(1_700_000_000_000, &[run; 10]) }
}

fn client(log: &Log, number: u64) -> Arc<ConnectionFacts> {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Arc::new(ConnectionFacts {
        connection_id: ConnectionId::new(1_700_000_000_000, &random),
        resource_id: log.next_resource_id().unwrap(),
        request: RequestFacts::default(),
        identity: None,
        session: None,
        attributes: None,
    })
}

fn opened(connection: &Arc<ConnectionFacts>) -> Event {
    let body = Body::Client { connection: Arc::clone(connection), sequence: 1, change: Change::Connected };
    Event::new(now(), origin(1), body)
}

fn closed(connection: &Arc<ConnectionFacts>) -> Event {
    let change = Change::Disconnected(Box::new(Disconnected::new(Cause::ClientClosed)));
    let body = Body::Client { connection: Arc::clone(connection), sequence: 2, change };
    Event::new(now(), origin(1), body)
}

/// Opens and closes so many connections on each of four threads, every end handed over as soon as
/// its beginning is kept.
fn connect(log: &Arc<Log>, each: u64) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let (done, all_done) = channel();
                for number in 0..each {
                    let connection = client(log, thread * each + number);
                    let (kept, is_kept) = channel();
                    log.append(opened(&connection), Box::new(move |result| kept.send(result).unwrap()));
                    let position = is_kept.recv().unwrap().unwrap();
                    let done = done.clone();
                    log.append(
                        closed(&connection),
                        Box::new(move |result| done.send(result.unwrap() > position).unwrap()),
                    );
                }
                drop(done);
                assert!(all_done.iter().all(|is_later| is_later));
            });
        }
    });
}

#[test]
fn threads_share_a_log_and_everything_is_read_back() {
    for durability in [Durability::Fsync, Durability::Os, Durability::Memory] {
        let directory = Directory::new();
        let log = Arc::new(Log::open(&directory.0, Options { durability, ..Options::default() }).unwrap());
        let first = log.begin(&origin(1), now()).unwrap().first;
        assert_eq!(log.next_resource_id(), Some(first));
        connect(&log, 50);
        let end = *Source::end(&*log).borrow();
        assert_eq!(end, Position::new(400));
        let entries = log.read(Position::START, usize::MAX).unwrap();
        assert_eq!(entries.len(), 400);
        assert!(entries.windows(2).all(|pair| pair[0].position < pair[1].position));
        let metrics = log.metrics();
        assert_eq!((metrics.open, metrics.waiting, metrics.records[0], metrics.records[1]), (0, 0, 200, 200));

        // who only reads sees the same, while the log is open
        assert_eq!(Reader::open(&directory.0).unwrap().read(Position::START, usize::MAX).unwrap(), entries);
        Journal::end(&*log, now());
        let id = log.id();
        drop(log);
        let log = Log::open(&directory.0, Options::default()).unwrap();
        assert_eq!(log.id(), id);
        assert_eq!(log.read(Position::START, usize::MAX).unwrap(), entries);
        assert!(log.begin(&origin(2), now()).unwrap().previous.unwrap().clean);
    }
}

#[test]
fn the_open_connections_are_known() {
    let directory = Directory::new();
    let log = Log::open(&directory.0, Options::default()).unwrap();
    log.begin(&origin(1), now()).unwrap();
    let connections: Vec<_> = (0..3).map(|number| client(&log, number)).collect();
    let (told, results) = channel();
    for record in connections.iter().map(opened).chain([closed(&connections[1])]) {
        let told = told.clone();
        log.append(record, Box::new(move |result| told.send(result).unwrap()));
    }
    drop(told);
    assert_eq!(results.iter().filter(Result::is_ok).count(), 4);
    let (position, open) = log.open();
    assert_eq!(position, Position::new(4));
    let all = log.read(Position::START, usize::MAX).unwrap();
    assert_eq!(open, [all[0].clone(), all[2].clone()]);
    assert!(open.iter().all(|entry| entry.kind == EventKind::Connected));
}

#[test]
fn a_reader_follows_a_log_that_is_written_and_shortened() {
    let directory = Directory::new();
    let options = Options { segment_bytes: 64 << 10, retention_bytes: 0, ..Options::default() };
    let log = Arc::new(Log::open(&directory.0, Options { durability: Durability::Os, ..options }).unwrap());
    log.begin(&origin(1), now()).unwrap();
    let writing = std::thread::spawn({
        let log = Arc::clone(&log);
        move || connect(&log, 1_000)
    });
    let mut reader = Reader::open(&directory.0).unwrap();
    let (mut by_file, mut by_log) = (Position::START, Position::START);
    let (mut missed, mut count) = (0, 0);
    while by_log < Position::new(8_000) || by_file < Position::new(8_000) {
        for entry in log.read(by_log, 10_000).unwrap() {
            assert_eq!(entry.position.value(), by_log.value() + 1, "delivery misses nothing");
            by_log = entry.position;
        }
        for entry in reader.read(by_file, 10_000).unwrap() {
            assert!(entry.position > by_file);
            missed += entry.position.value() - by_file.value() - 1;
            by_file = entry.position;
            count += 1;
        }
        log.release(by_log);
    }
    writing.join().unwrap();
    // who only reads is not waited for
    assert_eq!(count + missed, 8_000);
    assert!(log.dropped() > Position::START);
    assert!(reader.dropped() <= log.dropped());
    assert_eq!(reader.end(), Position::new(8_000));
}

#[test]
fn the_last_answer_may_own_the_log() {
    let directory = Directory::new();
    let log = Arc::new(Log::open(&directory.0, Options::default()).unwrap());
    log.begin(&origin(1), now()).unwrap();
    let (told, result) = channel();
    let (owned, connection) = (Arc::clone(&log), client(&log, 1));
    let (go, gone) = channel::<()>();
    let then = move |result| {
        // until the other owner has gone
        gone.recv().unwrap();
        drop(owned);
        told.send(result).unwrap();
    };
    log.append(opened(&connection), Box::new(then));
    drop(log);
    go.send(()).unwrap();
    assert!(result.recv().unwrap().is_ok());
}

#[test]
fn a_restored_backup_gets_a_new_name() {
    let directory = Directory::new();
    let log = Arc::new(Log::open(&directory.0, Options::default()).unwrap());
    log.begin(&origin(1), now()).unwrap();
    connect(&log, 2);
    Journal::end(&*log, now());
    let before = (log.id(), log.read(Position::START, usize::MAX).unwrap());
    assert!(matches!(renew_id(&directory.0, now()), Err(OpenError::InUse(_))));
    drop(log);
    let id = renew_id(&directory.0, now()).unwrap();
    let log = Log::open(&directory.0, Options::default()).unwrap();
    assert_eq!(log.id(), id);
    assert_ne!(id, before.0);
    assert_eq!(log.read(Position::START, usize::MAX).unwrap(), before.1);
    let report = check(&directory.0).unwrap();
    assert_eq!((report.id, report.records, report.damage), (Some(id), 16, vec![]));
}

/// Fills a disk of half a megabyte, in a process of its own that has a mount of its own.
#[test]
fn a_real_disk_that_is_full_keeps_every_promise() {
    const INSIDE: &str = "CLANK_TEST_SMALL_DISK";
    if let Ok(disk) = std::env::var(INSIDE) {
        return fill(&PathBuf::from(disk));
    }
    let directory = Directory::new();
    std::fs::create_dir_all(&directory.0).unwrap();
    let this = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=512k tmpfs \"$1\" && exec \"$2\" --exact \"$3\" --nocapture";
    // who is not root may mount what only it sees, where users may have namespaces of their own
    let as_root = rustix::process::geteuid().is_root();
    let output = std::process::Command::new("unshare")
        .args(if as_root { ["-m", "sh", "-c"] } else { ["-rm", "sh", "-c"] })
        .arg(script)
        .arg("sh")
        .args([directory.0.as_os_str(), this.as_os_str()])
        .arg("a_real_disk_that_is_full_keeps_every_promise")
        .env(INSIDE, &directory.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{output:?}");
}

fn fill(disk: &Path) {
    let options = Options { segment_bytes: 64 << 10, preallocate: false, ..Options::default() };
    let log = Log::open(&disk.join("journal"), options.clone()).unwrap();
    log.begin(&origin(1), now()).unwrap();
    let hand = |record: Event| {
        let (told, result) = channel();
        log.append(record, Box::new(move |result| told.send(result).unwrap()));
        result
    };
    let mut open = Vec::new();
    let refused = loop {
        let connection = client(&log, open.len() as u64);
        match hand(opened(&connection)).recv().unwrap() {
            Ok(_) => open.push(connection),
            Err(why) => break why,
        }
    };
    assert_eq!(refused, NotRecorded::Full);
    // some ends may fit still, where a file has a page that is not full; most wait
    let results: Vec<_> = open.iter().map(closed).map(hand).collect();
    let metrics = || log.metrics();
    while metrics().waiting < 100 {
        std::thread::yield_now();
    }
    let status =
        std::process::Command::new("mount").args(["-o", "remount,size=8m"]).arg(disk).status().unwrap();
    assert!(status.success());
    for result in results {
        assert!(result.recv().unwrap().is_ok());
    }
    assert_eq!((metrics().waiting, metrics().open), (0, 0));
    Journal::end(&log, now());
    drop(log);
    let log = Log::open(&disk.join("journal"), options).unwrap();
    assert_eq!(log.read(Position::START, usize::MAX).unwrap().len(), 2 * open.len());
    let previous = log.begin(&origin(2), now()).unwrap().previous.unwrap();
    assert_eq!((previous.clean, previous.left_open), (true, 0));
}

#[test]
fn a_second_process_is_refused() {
    let directory = Directory::new();
    let _log = Log::open(&directory.0, Options::default()).unwrap();
    let error = Log::open(&directory.0, Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains(directory.0.to_str().unwrap()), "{error}");
}

#[test]
fn after_the_end_everything_is_refused_as_closed() {
    let directory = Directory::new();
    let log = Log::open(&directory.0, Options::default()).unwrap();
    log.begin(&origin(1), now()).unwrap();
    let connection = client(&log, 1);
    Journal::end(&log, now());
    let (told, result) = channel();
    log.append(opened(&connection), Box::new(move |result| told.send(result).unwrap()));
    assert_eq!(result.recv().unwrap(), Err(NotRecorded::Closed));
}
