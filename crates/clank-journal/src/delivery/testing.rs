//! Records, a journal and a sink for tests.
#![allow(clippy::unwrap_used)]

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use clank_core::event::{Body, Event, EventKind, Launched, Origin, Timestamp};
use clank_core::id::{ConnectionId, EventId, RunId};
use clank_core::journal::Position;
use tokio::sync::watch;

use super::record::Delivery;
use super::sink::{Outcome, Sink, Verdict};
use crate::source::{Entry, Source};

pub(crate) fn connection(number: u64) -> ConnectionId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    ConnectionId::new(1_700_000_000_000, &random)
}

/// An event at a position, of a connection on the path `/<lane>`.
pub(crate) fn entry(position: u64, kind: EventKind, number: u64, lane: u64) -> Entry {
    let connection = connection(number);
    let id = match kind {
        EventKind::Connected => EventId::Open(connection),
        EventKind::Disconnected => EventId::Close(connection),
        EventKind::Rejected => EventId::Rejected(connection),
        EventKind::Launched => EventId::Launched(RunId::new(1, &[1; 10])),
        _ => EventId::Within(connection, position + 2),
    };
    let time = format!("2025-01-01T00:00:00.{:06}Z", position % 1_000_000);
    let json = format!(
        r#"{{"id":"{id}","type":"{kind}","time":"{time}","node":"n","run":"{connection}","connection_id":"{connection}","path":"/{lane}"}}"#
    );
    let of_connection = !matches!(kind, EventKind::Rejected | EventKind::Launched);
    Entry {
        position: Position::new(position),
        kind,
        connection: of_connection.then_some(connection),
        lane: if of_connection { lane } else { 0 },
        json: json.into(),
    }
}

/// A journal in memory.
pub(crate) struct Memory {
    pub(crate) entries: Mutex<Vec<Entry>>,
    pub(crate) open: Mutex<Vec<Entry>>,
    pub(crate) dropped: AtomicU64,
    pub(crate) released: AtomicU64,
    end: watch::Sender<Position>,
}

impl Memory {
    pub(crate) fn new(entries: Vec<Entry>) -> Arc<Self> {
        let end = entries.last().map_or(Position::START, |entry| entry.position);
        Arc::new(Self {
            entries: Mutex::new(entries),
            open: Mutex::default(),
            dropped: AtomicU64::new(0),
            released: AtomicU64::new(0),
            end: watch::Sender::new(end),
        })
    }

    pub(crate) fn append(&self, entry: Entry) {
        let position = entry.position;
        self.entries.lock().unwrap().push(entry);
        self.end.send_replace(position);
    }

    pub(crate) fn evict(&self, to: u64) {
        self.entries.lock().unwrap().retain(|entry| entry.position.value() > to);
        self.dropped.store(to, Ordering::SeqCst);
    }
}

impl Source for Memory {
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        let entries = self.entries.lock().unwrap();
        for entry in entries.iter().filter(|entry| entry.position > after) {
            bytes += entry.json.len();
            if !page.is_empty() && bytes > max_bytes {
                break;
            }
            page.push(entry.clone());
        }
        Ok(page)
    }

    fn end(&self) -> watch::Receiver<Position> {
        self.end.subscribe()
    }

    fn dropped(&self) -> Position {
        Position::new(self.dropped.load(Ordering::SeqCst))
    }

    fn open(&self) -> (Position, Vec<Entry>) {
        (*self.end.borrow(), self.open.lock().unwrap().clone())
    }

    fn release(&self, up_to: Position) {
        self.released.fetch_max(up_to.value(), Ordering::SeqCst);
    }
}

type Answer = Box<dyn Fn(&Delivery) -> Option<Verdict> + Send + Sync>;

/// A sink that remembers what it was handed, and answers as a test says; `None` hangs.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) seen: Arc<Mutex<Vec<Delivery>>>,
    pub(crate) acked: watch::Sender<usize>,
    answer: Arc<Answer>,
}

impl Recorder {
    pub(crate) fn new(answer: impl Fn(&Delivery) -> Option<Verdict> + Send + Sync + 'static) -> Self {
        Self { seen: Arc::default(), acked: watch::Sender::new(0), answer: Arc::new(Box::new(answer)) }
    }

    pub(crate) fn good() -> Self {
        Self::new(|_| Some(Verdict::Acked))
    }

    pub(crate) async fn wait(&self, acked: usize) {
        self.acked.subscribe().wait_for(|count| *count >= acked).await.unwrap();
    }

    pub(crate) fn positions(&self) -> Vec<u64> {
        self.seen.lock().unwrap().iter().map(|delivery| delivery.position().value()).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Delivery> {
        self.seen.lock().unwrap().clone()
    }
}

impl Sink for Recorder {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let mut verdicts = Vec::new();
        for delivery in batch {
            self.seen.lock().unwrap().push(delivery.clone());
            match (self.answer)(delivery) {
                Some(verdict) => verdicts.push(verdict),
                None => std::future::pending().await,
            }
        }
        let acked = verdicts.iter().filter(|verdict| **verdict == Verdict::Acked).count();
        self.acked.send_modify(|count| *count += acked);
        Outcome::Each(verdicts)
    }
}

/// A folder of its own, gone with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("clank-delivery-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn origin() -> Origin {
    Origin { node: "n".parse().unwrap(), run: RunId::new(1, &[1; 10]) }
}

/// So many connections that come and go, each in a lane of its own.
pub(crate) fn pairs(connections: u64) -> Vec<Entry> {
    let pair = |number| {
        [
            entry(2 * number - 1, EventKind::Connected, number, number),
            entry(2 * number, EventKind::Disconnected, number, number),
        ]
    };
    (1..=connections).flat_map(pair).collect()
}

/// A record as the server writes it.
pub(crate) fn record(position: u64) -> Entry {
    let address = format!("ws://127.0.0.1:{position}").into();
    let launched = Launched { address, rawsocket: Box::default(), previous: None };
    let event = Event::new(Timestamp::from_unix_micros(position), origin(), Body::Launched(launched));
    let json = serde_json::to_vec(&event).unwrap().into();
    Entry { position: Position::new(position), kind: event.kind(), connection: None, lane: 0, json }
}

/// The first offer of an event.
pub(crate) fn delivery(position: u64) -> Delivery {
    let entry = entry(position, EventKind::Connected, position, position);
    let id = EventId::Open(connection(position));
    Delivery { entry, attempt: 1, redelivered: false, snapshot: false, gap: None, replay: None, id }
}
