//! Delivery as a whole, over a journal in memory and a real disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clank_core::event::{EventKind, Timestamp};
use clank_core::journal::Position;
use tokio::sync::watch;

use super::testing::{Folder, Memory, Recorder, entry, origin, pairs};
use super::*;
use crate::source::{Entry, Source};

fn name() -> SinkName {
    "test".parse().unwrap()
}

fn config(sink: impl Sink, options: SinkOptions) -> SinkConfig {
    SinkConfig { name: name(), sink: AnySink::new(sink), options }
}

async fn start(source: &Arc<Memory>, folder: &Folder, sink: &Recorder, options: SinkOptions) -> Dispatcher {
    let source: Arc<dyn Source> = Arc::clone(source) as _;
    let sinks = vec![config(sink.clone(), options)];
    Dispatcher::start(source, &folder.0, origin(), sinks).await.unwrap()
}

/// Asks until the one sink is as wanted.
async fn until(dispatcher: &Dispatcher, wanted: impl Fn(&SinkStatus) -> bool) -> SinkStatus {
    loop {
        let status = dispatcher.status().await.remove(0);
        if wanted(&status) {
            return status;
        }
        tokio::task::yield_now().await;
    }
}

fn refuse(positions: &'static [u64]) -> Recorder {
    Recorder::new(move |delivery| {
        let is_chosen = delivery.kind() != EventKind::Gap && positions.contains(&delivery.position().value());
        Some(match is_chosen && !delivery.redelivered {
            true => Verdict::Refused { why: "404".into() },
            false => Verdict::Acked,
        })
    })
}

#[tokio::test]
async fn a_new_sink_begins_now_with_the_connections_that_are_open() {
    let (source, folder, sink) = (Memory::new(pairs(5)), Folder::new(), Recorder::good());
    source
        .open
        .lock()
        .unwrap()
        .extend([entry(3, EventKind::Connected, 2, 2), entry(7, EventKind::Connected, 4, 4)]);
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    source.append(entry(11, EventKind::Disconnected, 2, 2));
    sink.wait(3).await;
    assert_eq!(sink.positions(), [3, 7, 11]);
    let marked: Vec<_> = sink.seen().iter().map(|delivery| delivery.snapshot).collect();
    assert_eq!(marked, [true, true, false]);
    until(&dispatcher, |status| status.cursor == Position::new(11) && status.lag_events == 0).await;
    dispatcher.stop(Duration::from_secs(1)).await;
    assert_eq!(source.released.load(Ordering::SeqCst), 11);
    // and the next start goes on from there
    source.append(entry(12, EventKind::Disconnected, 4, 4));
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    sink.wait(4).await;
    dispatcher.stop(Duration::from_secs(1)).await;
    assert_eq!(sink.positions(), [3, 7, 11, 12]);
    assert!(sink.seen().iter().all(|delivery| !delivery.redelivered));
}

#[tokio::test]
async fn what_is_under_way_at_the_deadline_is_broken_off_and_comes_again() {
    let (source, folder) = (Memory::new(Vec::new()), Folder::new());
    let hangs = Recorder::new(|delivery| (delivery.position().value() != 2).then_some(Verdict::Acked));
    let dispatcher = start(&source, &folder, &hangs, SinkOptions::default()).await;
    for entry in pairs(3) {
        source.append(entry);
    }
    hangs.wait(5).await;
    until(&dispatcher, |status| status.in_flight == 1).await;
    dispatcher.stop(Duration::from_millis(1)).await;
    let good = Recorder::good();
    let dispatcher = start(&source, &folder, &good, SinkOptions::default()).await;
    good.wait(1).await;
    dispatcher.stop(Duration::ZERO).await;
    assert_eq!(good.positions(), [2]);
    assert!(good.seen()[0].redelivered);
}

#[test]
fn after_a_kill_only_what_was_not_durably_acknowledged_repeats() {
    let (source, folder) = (Memory::new(Vec::new()), Folder::new());
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (killed, durable) = (Recorder::good(), runtime());
    let dispatcher = durable.block_on(async {
        let dispatcher = start(&source, &folder, &killed, SinkOptions::default()).await;
        for entry in pairs(2_000) {
            source.append(entry);
        }
        killed.wait(2_500).await;
        dispatcher
    });
    durable.shutdown_timeout(Duration::from_secs(10));
    drop(dispatcher);
    let released = source.released.load(Ordering::SeqCst);
    let before: BTreeSet<u64> = killed.positions().into_iter().collect();
    let after = Recorder::good();
    runtime().block_on(async {
        let dispatcher = start(&source, &folder, &after, SinkOptions::default()).await;
        until(&dispatcher, |status| status.cursor == Position::new(4_000)).await;
        dispatcher.stop(Duration::from_secs(1)).await;
    });
    let mut all = before.clone();
    for delivery in after.seen() {
        let position = delivery.position().value();
        assert!(position > released, "{position} was durably acknowledged");
        assert!(!before.contains(&position) || delivery.redelivered, "{position} is not marked");
        all.insert(position);
    }
    assert_eq!(all.len(), 4_000);
}

#[tokio::test]
async fn dead_letters_are_listed_put_back_and_dropped() {
    let (source, folder, sink) = (Memory::new(Vec::new()), Folder::new(), refuse(&[1, 4, 5]));
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    for entry in pairs(4) {
        source.append(entry);
    }
    let status = until(&dispatcher, |status| status.cursor == Position::new(8)).await;
    assert_eq!((status.poisoned, status.acked), (3, 5));
    // all that has changed is written before an order is carried out
    assert_eq!(dispatcher.drop_dead(&name(), Letters::One(Position::new(4))).await.unwrap(), 1);
    let letters = dispatcher.dead_letters(&name(), Position::START, 10).await.unwrap();
    let listed: Vec<_> =
        letters.iter().map(|letter| (letter.position.value(), letter.superseded, &*letter.why)).collect();
    assert_eq!(listed, [(1, true, "404"), (5, true, "404")]);
    assert_eq!(letters[0].record, source.entries.lock().unwrap()[0].json);
    // their ends were taken, so that they go out by force alone
    let retried = dispatcher.retry_dead(&name(), Letters::All, false).await.unwrap();
    assert_eq!(retried, Retried { queued: 0, withheld: 2, left: 0 });
    let retried = dispatcher.retry_dead(&name(), Letters::One(Position::new(5)), true).await.unwrap();
    assert_eq!(retried.queued, 1);
    let status = until(&dispatcher, |status| status.acked == 7 && status.retrying == 0).await;
    assert_eq!(status.dead_letters, 1);
    let gap = sink.seen().into_iter().find(|delivery| delivery.kind() == EventKind::Gap).unwrap();
    let gap: serde_json::Value = serde_json::from_slice(&gap.entry.json).unwrap();
    assert_eq!((&gap["from"], &gap["to"], &gap["count"]), (&4.into(), &4.into(), &1.into()));
    assert!(sink.seen().last().unwrap().redelivered);
    dispatcher.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn past_the_cap_the_oldest_dead_letters_leave_a_gap() {
    let (source, folder) = (Memory::new(Vec::new()), Folder::new());
    let sink = Recorder::new(|delivery| {
        let refused = Verdict::Refused { why: "no".into() };
        Some(if delivery.kind() == EventKind::Gap { Verdict::Acked } else { refused })
    });
    let options = SinkOptions { max_dead_letter_bytes: 4_000, ..SinkOptions::default() };
    let dispatcher = start(&source, &folder, &sink, options).await;
    for entry in pairs(20) {
        source.append(entry);
    }
    let status = until(&dispatcher, |status| status.acked > 0 && status.lag_events == 0).await;
    assert!(status.dead_letter_bytes <= 4_000);
    let letters = dispatcher.dead_letters(&name(), Position::START, 100).await.unwrap();
    let gaps =
        sink.seen().into_iter().filter(|delivery| delivery.kind() == EventKind::Gap && delivery.attempt == 1);
    let lost: u64 = gaps
        .map(|gap| {
            serde_json::from_slice::<serde_json::Value>(&gap.entry.json).unwrap()["count"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(lost + letters.len() as u64, 40);
    assert_eq!(letters.last().unwrap().position, Position::new(40), "the latest are kept");
    dispatcher.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn what_the_journal_had_no_room_for_is_told_in_its_place() {
    let (source, folder, sink) = (Memory::new(Vec::new()), Folder::new(), Recorder::good());
    start(&source, &folder, &sink, SinkOptions::default()).await.stop(Duration::ZERO).await;
    for entry in pairs(10) {
        source.append(entry);
    }
    source.evict(15);
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    sink.wait(6).await;
    let seen = sink.seen();
    let gap: serde_json::Value = serde_json::from_slice(&seen[0].entry.json).unwrap();
    assert_eq!((&gap["from"], &gap["to"], &gap["count"]), (&1.into(), &15.into(), &15.into()));
    assert_eq!(sink.positions()[0], 15);
    assert_eq!(
        sink.positions()[1..].iter().collect::<BTreeSet<_>>(),
        (16..=20).collect::<Vec<_>>().iter().collect()
    );
    let status = until(&dispatcher, |status| status.cursor == Position::new(20)).await;
    assert_eq!(status.evicted, 15);
    dispatcher.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_sink_whose_state_is_lost_begins_at_the_oldest_record() {
    for lose in [
        |path: &std::path::Path| std::fs::remove_file(path),
        |path: &std::path::Path| std::fs::write(path, b"this is no database at all"),
    ] {
        let (source, folder, sink) = (Memory::new(pairs(5)), Folder::new(), Recorder::good());
        start(&source, &folder, &sink, SinkOptions::default()).await.stop(Duration::ZERO).await;
        assert!(sink.seen().is_empty(), "a new sink begins now");
        lose(&folder.0.join("delivery.redb")).unwrap();
        let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
        sink.wait(10).await;
        assert!(sink.seen().iter().all(|delivery| delivery.redelivered), "they may have been delivered");
        dispatcher.stop(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_sink_that_is_no_longer_configured_pins_the_journal_until_it_is_removed() {
    let (source, folder, sink) = (Memory::new(Vec::new()), Folder::new(), Recorder::good());
    start(&source, &folder, &sink, SinkOptions::default()).await.stop(Duration::ZERO).await;
    let other: SinkName = "other".parse().unwrap();
    let configs = vec![SinkConfig { name: other.clone(), ..config(sink.clone(), SinkOptions::default()) }];
    let dispatcher = Dispatcher::start(Arc::clone(&source) as _, &folder.0, origin(), configs).await.unwrap();
    for entry in pairs(3) {
        source.append(entry);
    }
    sink.wait(6).await;
    let statuses = dispatcher.status().await;
    let configured: Vec<_> =
        statuses.iter().map(|status| (status.sink.as_str(), status.configured)).collect();
    assert_eq!(configured, [("other", true), ("test", false)]);
    assert_eq!(source.released.load(Ordering::SeqCst), 0);
    until(&dispatcher, |status| status.cursor == Position::new(6)).await;
    dispatcher.remove(&name()).await.unwrap();
    assert!(matches!(dispatcher.remove(&name()).await, Err(Refused::NoSuchSink)));
    let again = SinkConfig { name: other.clone(), ..config(sink, SinkOptions::default()) };
    assert!(matches!(dispatcher.add(again).await, Err(Refused::Exists)));
    dispatcher.stop(Duration::from_secs(1)).await;
    assert_eq!(source.released.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_replay_delivers_again_from_a_time_on() {
    let (source, folder, sink) = (Memory::new(Vec::new()), Folder::new(), Recorder::good());
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    for entry in pairs(50) {
        source.append(entry);
    }
    sink.wait(100).await;
    let time: Timestamp = "2025-01-01T00:00:00.000091Z".parse().unwrap();
    let id = dispatcher.replay(&name(), ReplayFrom::Time(time)).await.unwrap();
    sink.wait(110).await;
    let status =
        until(&dispatcher, |status| status.replay.as_ref().is_some_and(|replay| replay.finished)).await;
    assert_eq!(status.replay.unwrap().delivered, 10);
    let replayed = &sink.seen()[100..];
    assert!(replayed.iter().all(|delivery| delivery.replay.as_ref() == Some(&id)));
    let positions: BTreeSet<_> = replayed.iter().map(|delivery| delivery.position().value()).collect();
    assert_eq!(positions, (91..=100).collect());
    dispatcher.replay(&name(), ReplayFrom::Position(Position::new(100))).await.unwrap();
    sink.wait(111).await;
    dispatcher.stop(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_does_not_answer_is_failing_and_its_panics_are_contained() {
    let (source, folder) = (Memory::new(Vec::new()), Folder::new());
    let sink = Recorder::new(|delivery| match delivery.attempt {
        1 => None,
        2 => panic!("a bug of the sink's"),
        _ => Some(Verdict::Acked),
    });
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    source.append(entry(1, EventKind::Connected, 1, 1));
    sink.wait(1).await;
    let status = until(&dispatcher, |status| status.acked == 1).await;
    assert_eq!((status.redelivered, status.tries, status.dead_letters), (1, 0, 0));
    dispatcher.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn only_one_process_delivers() {
    let (source, folder, sink) = (Memory::new(Vec::new()), Folder::new(), Recorder::good());
    let dispatcher = start(&source, &folder, &sink, SinkOptions::default()).await;
    let second = Dispatcher::start(Arc::clone(&source) as _, &folder.0, origin(), Vec::new()).await;
    assert!(matches!(second, Err(Refused::Disk(error)) if error.kind() == io::ErrorKind::ResourceBusy));
    dispatcher.stop(Duration::ZERO).await;
}

/// A backlog that is made as it is read.
struct Backlog {
    connections: u64,
    end: watch::Sender<Position>,
    read: std::sync::atomic::AtomicU64,
}

impl Source for Backlog {
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let numbers = after.value() + 1..=(after.value() + max_bytes as u64 / 256).min(2 * self.connections);
        let kind = |number| if number % 2 == 1 { EventKind::Connected } else { EventKind::Disconnected };
        let page: Vec<_> = numbers
            .map(|number| entry(number, kind(number), number.div_ceil(2), number.div_ceil(2)))
            .collect();
        self.read.fetch_max(page.last().map_or(0, |entry| entry.position.value()), Ordering::SeqCst);
        Ok(page)
    }

    fn end(&self) -> watch::Receiver<Position> {
        self.end.subscribe()
    }

    fn dropped(&self) -> Position {
        Position::START
    }

    fn open(&self) -> (Position, Vec<Entry>) {
        (Position::START, Vec::new())
    }

    fn release(&self, _up_to: Position) {}
}

/// Remembers of each connection how far it has come, and how far ahead of it the journal was read.
#[derive(Clone)]
struct InOrder {
    source: Arc<Backlog>,
    seen: Arc<std::sync::Mutex<(Vec<bool>, u64, u64)>>,
    done: watch::Sender<u64>,
}

impl Sink for InOrder {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let mut seen = self.seen.lock().unwrap();
        for delivery in batch {
            let position = delivery.position().value();
            let connection = position.div_ceil(2) as usize;
            assert_eq!(seen.0[connection], position % 2 == 0, "{position}");
            seen.0[connection] = true;
            seen.1 += 1;
            seen.2 = seen.2.max(self.source.read.load(Ordering::SeqCst).saturating_sub(seen.1));
        }
        self.done.send_replace(seen.1);
        Outcome::ACKED
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_backlog_comes_in_order_and_never_into_memory() {
    let connections = 250_000;
    let source = Arc::new(Backlog {
        connections,
        end: watch::Sender::new(Position::START),
        read: std::sync::atomic::AtomicU64::new(0),
    });
    let seen = (vec![false; connections as usize + 1], 0, 0);
    let sink = InOrder {
        source: Arc::clone(&source),
        seen: Arc::new(std::sync::Mutex::new(seen)),
        done: watch::Sender::new(0),
    };
    let folder = Folder::new();
    let options = SinkOptions {
        batch: std::num::NonZeroUsize::new(50).unwrap(),
        // a backlog of disconnects would take its time
        pace: Pace::new(std::num::NonZeroU32::MAX, Duration::from_secs(1)),
        ..SinkOptions::default()
    };
    let dispatcher =
        Dispatcher::start(Arc::clone(&source) as _, &folder.0, origin(), vec![config(sink.clone(), options)]);
    let dispatcher = dispatcher.await.unwrap();
    source.end.send_replace(Position::new(2 * connections));
    sink.done.subscribe().wait_for(|done| *done == 2 * connections).await.unwrap();
    until(&dispatcher, |status| status.acked == 2 * connections).await;
    dispatcher.stop(Duration::from_secs(1)).await;
    let ahead = sink.seen.lock().unwrap().2;
    let most = (scheduler::WINDOW_EVENTS + 2 * scheduler::READ_BYTES / 256 + 16 * 50) as u64;
    assert!(ahead <= most, "read {ahead} ahead");
}
