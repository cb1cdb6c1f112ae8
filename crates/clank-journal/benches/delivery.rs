//! How many events a second go through to a sink that does nothing.
//!
//! `cargo bench -p clank-journal --bench delivery`
#![allow(clippy::unwrap_used)]

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clank_core::event::{EventKind, Origin};
use clank_core::id::{ConnectionId, EventId, RunId};
use clank_core::journal::Position;
use clank_journal::delivery::{AnySink, Delivery, Dispatcher, Outcome, Pace, Sink, SinkConfig, SinkOptions};
use clank_journal::source::{Entry, Source};
use tokio::sync::watch;

const EVENTS: u64 = 400_000;

/// Connections that come and go.
struct Backlog {
    entries: Vec<Entry>,
    end: watch::Sender<Position>,
}

impl Backlog {
    fn new() -> Self {
        let entries = (1..=EVENTS).map(entry).collect();
        Self { entries, end: watch::Sender::new(Position::START) }
    }
}

fn entry(position: u64) -> Entry {
    let number = position.div_ceil(2);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let connection = ConnectionId::new(1_700_000_000_000, &random);
    let (kind, id) = match position % 2 {
        1 => (EventKind::Connected, EventId::Open(connection)),
        _ => (EventKind::Disconnected, EventId::Close(connection)),
    };
    let json = format!(
        r#"{{"id":"{id}","type":"{kind}","time":"2025-01-01T00:00:00.000000Z","node":"clank","run":"{connection}","connection_id":"{connection}","resource_id":{number},"sequence":1,"remote_address":"192.0.2.7:50412","protocol":"wamp","path":"/","headers":{{"user-agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}},"identity":{{"id":"user-{number}","attributes":{{"role":"editor"}}}}}}"#
    );
    Entry {
        position: Position::new(position),
        kind,
        connection: Some(connection),
        lane: number,
        json: json.into(),
    }
}

impl Source for Backlog {
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let mut bytes = 0;
        let behind = self.entries.iter().skip(usize::try_from(after.value()).unwrap());
        let fits = behind.take_while(|entry| {
            bytes += entry.json.len();
            bytes <= max_bytes.max(entry.json.len())
        });
        Ok(fits.cloned().collect())
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

struct Nothing(watch::Sender<u64>);

impl Sink for Nothing {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        self.0.send_modify(|count| *count += batch.len() as u64);
        Outcome::ACKED
    }
}

async fn measure(source: &Arc<Backlog>, batch: usize) -> f64 {
    let folder = std::env::temp_dir().join(format!("clank-bench-{}-{batch}", std::process::id()));
    source.end.send_replace(Position::START);
    let taken = watch::Sender::new(0);
    let mut options = SinkOptions::default();
    options.batch = NonZeroUsize::new(batch).unwrap();
    options.pace = Pace::new(NonZeroU32::MAX, Duration::from_secs(1));
    let sink = AnySink::new(Nothing(taken.clone()));
    let config = SinkConfig { name: "nothing".parse().unwrap(), sink, options };
    let origin = Origin { node: "clank".parse().unwrap(), run: RunId::new(1, &[1; 10]) };
    let dispatcher = Dispatcher::start(Arc::clone(source) as _, &folder, origin, vec![config]).await.unwrap();
    let begun = Instant::now();
    source.end.send_replace(Position::new(EVENTS));
    taken.subscribe().wait_for(|count| *count >= EVENTS).await.unwrap();
    let rate = EVENTS as f64 / begun.elapsed().as_secs_f64();
    dispatcher.stop(Duration::from_secs(1)).await;
    std::fs::remove_dir_all(folder).unwrap();
    rate
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let source = Arc::new(Backlog::new());
    for batch in [1, 10, 100] {
        let rate = runtime.block_on(measure(&source, batch));
        println!("{batch:>4} a delivery: {rate:>9.0} events a second");
    }
}
