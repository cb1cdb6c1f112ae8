//! All sinks of a journal: started, asked, told, stopped.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clank_core::event::Origin;
use clank_core::id::EventId;
use clank_core::journal::Position;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::cursors::Cursors;
use super::feed::Feed;
use super::options::{SinkName, SinkOptions};
use super::runner::{Order, Refused, ReplayFrom, Runner, Service, random};
use super::sink::AnySink;
use super::state::{Kept, Progress};
use super::status::{Retried, SinkStatus};
use super::store::{DeadLetter, Known, Letters, Store};
use crate::source::{Entry, Source};

/// How often records are released while there is no sink.
const RELEASE: Duration = Duration::from_millis(100);

/// A sink and how it is served.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Under this name its cursor and dead letters are kept.
    pub name: SinkName,
    /// Whom to deliver to.
    pub sink: AnySink,
    /// How.
    pub options: SinkOptions,
}

/// Delivers the records of a journal to its sinks.
///
/// Each sink has a cursor, retries and dead letters of its own, kept in `delivery.redb` in the
/// journal's directory. They are written every 250 ms or 1,000 acknowledgements: at most 10,000
/// acknowledged deliveries to a sink, and those under way, repeat after a kill.
///
/// It stops when it is [told to](Self::stop), or dropped; then what is under way is broken off.
pub struct Dispatcher {
    source: Arc<dyn Source>,
    store: Arc<Store>,
    cursors: Arc<Cursors>,
    origin: Origin,
    running: Mutex<BTreeMap<SinkName, Running>>,
    keeper: JoinHandle<()>,
}

struct Running {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Dispatcher {
    /// Starts delivery to these sinks. Sinks that were here before go on where they were. A new one
    /// begins with the connections that are open now. One whose state is lost begins with the oldest
    /// record that is kept.
    ///
    /// `origin` is what gap records say of where they come from. Call it on a tokio runtime.
    ///
    /// # Errors
    /// When the directory cannot be written, is used by another process, or two sinks have one name.
    pub async fn start(
        source: Arc<dyn Source>,
        directory: impl Into<PathBuf>,
        origin: Origin,
        sinks: Vec<SinkConfig>,
    ) -> Result<Self, Refused> {
        let directory = directory.into();
        let opened = origin.clone();
        let store = Arc::new(blocking(move || Store::open(&directory, opened)).await?);
        let cursors = Arc::new(Cursors::new(Arc::clone(&source)));
        let idle = {
            let store = Arc::clone(&store);
            blocking(move || store.sinks()).await?
        };
        // known before the first sink moves its own, which may release what these pin
        for (name, progress) in &idle {
            cursors.moved(name, progress.cursor.max(progress.snapshot_to));
            if sinks.iter().all(|config| config.name != *name) {
                let cursor = progress.cursor;
                tracing::warn!(sink = %name, %cursor, "a sink is no longer configured: it pins the journal until it is removed");
            }
        }
        // nor what a sink needs whose state turns out to be lost
        for config in sinks.iter().filter(|config| cursors.of(&config.name).is_none()) {
            cursors.moved(&config.name, source.dropped());
        }
        let keeper = tokio::spawn(keep(Arc::clone(&cursors), Arc::clone(&source)));
        let dispatcher = Self { source, store, cursors, origin, running: Mutex::default(), keeper };
        for config in sinks {
            dispatcher.add(config).await?;
        }
        Ok(dispatcher)
    }

    /// Starts delivery to one more sink.
    ///
    /// # Errors
    /// When there is one of that name, or the disk fails.
    pub async fn add(&self, config: SinkConfig) -> Result<(), Refused> {
        if self.orders(&config.name).is_some() {
            return Err(Refused::Exists);
        }
        let SinkConfig { name, sink, options } = config;
        let (source, store, filter) =
            (Arc::clone(&self.source), Arc::clone(&self.store), options.filter.clone());
        let mut feed = Feed { source, store, sink: name.clone(), filter, snapshot_to: Position::START };
        let (kept, feed) = blocking(move || {
            let kept = begin(&feed)?;
            feed.snapshot_to = kept.progress.snapshot_to;
            Ok((kept, feed))
        })
        .await?;
        self.cursors.moved(&name, kept.progress.cursor.max(kept.progress.snapshot_to));
        let service = Service {
            sink,
            options,
            feed,
            store: Arc::clone(&self.store),
            cursors: Arc::clone(&self.cursors),
            origin: self.origin.clone(),
        };
        let (orders, received) = mpsc::channel(16);
        let seed = random()?;
        let mut running = self.running.lock().map_err(|_| io::Error::other("a thread panicked"))?;
        if running.contains_key(&name) {
            return Err(Refused::Exists);
        }
        let task = tokio::spawn(Runner::new(service, kept, seed, received).run());
        running.insert(name, Running { orders, task });
        Ok(())
    }

    /// Stops delivery to a sink and forgets it, with its cursor and dead letters: what only it
    /// needed, the journal may drop.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn remove(&self, sink: &SinkName) -> Result<(), Refused> {
        let running = self.running.lock().ok().and_then(|mut running| running.remove(sink));
        if let Some(running) = running {
            stop(running, Duration::ZERO).await;
        } else if self.cursors.of(sink).is_none() {
            return Err(Refused::NoSuchSink);
        }
        let (store, name) = (Arc::clone(&self.store), sink.clone());
        blocking(move || store.remove(&name)).await?;
        self.cursors.removed(sink);
        Ok(())
    }

    /// How every sink is doing, also those that are no longer configured.
    pub async fn status(&self) -> Vec<SinkStatus> {
        let mut all = Vec::new();
        for (name, cursor) in self.cursors.all() {
            let status = self.ask_status(&name).await;
            all.push(status.unwrap_or_else(|| self.idle_status(name, cursor)));
        }
        all
    }

    async fn ask_status(&self, sink: &SinkName) -> Option<SinkStatus> {
        let orders = self.orders(sink)?;
        let (reply, status) = oneshot::channel();
        orders.send(Order::Status(reply)).await.ok()?;
        status.await.ok()
    }

    fn idle_status(&self, sink: SinkName, cursor: Position) -> SinkStatus {
        let (end, dead) = (*self.source.end().borrow(), self.store.dead_total(&sink));
        SinkStatus::idle(sink, cursor, end, dead)
    }

    /// Whether a sink is served; `None` if none of that name has been here.
    pub fn is_configured(&self, sink: &SinkName) -> Option<bool> {
        let is_served = self.orders(sink).is_some();
        (is_served || self.cursors.of(sink).is_some()).then_some(is_served)
    }

    /// A sink's dead letters behind a position, at most so many.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn dead_letters(
        &self,
        sink: &SinkName,
        after: Position,
        most: usize,
    ) -> Result<Vec<DeadLetter>, Refused> {
        let (store, name) = (Arc::clone(&self.store), sink.clone());
        Ok(blocking(move || store.dead(&name, after, most)).await?)
    }

    /// Where a sink's dead letter of this event lies.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn find_dead(&self, sink: &SinkName, id: EventId) -> Result<Option<Position>, Refused> {
        let (store, name) = (Arc::clone(&self.store), sink.clone());
        Ok(blocking(move || store.find_dead(&name, id)).await?)
    }

    /// Puts dead letters of a sink back, to be tried anew. A `connected` whose `disconnected` was
    /// taken is sent only by `force`.
    ///
    /// # Errors
    /// When the sink is not configured, or the disk fails.
    pub async fn retry_dead(&self, sink: &SinkName, which: Letters, force: bool) -> Result<Retried, Refused> {
        self.ask(sink, |reply| Order::Retry(which, force, reply)).await
    }

    /// Drops dead letters of a sink, which is told by a gap. How many they were.
    ///
    /// # Errors
    /// When the sink is not configured, or the disk fails.
    pub async fn drop_dead(&self, sink: &SinkName, which: Letters) -> Result<u64, Refused> {
        self.ask(sink, |reply| Order::Drop(which, reply)).await
    }

    /// Delivers to a sink once more what it has had since a position or time, up to now, beside what
    /// is new. The replay's id, which its deliveries carry; see [`SinkStatus::replay`] for how far it
    /// is. It ends with the process.
    ///
    /// # Errors
    /// When the sink is not configured, has a replay under way, or the disk fails.
    pub async fn replay(&self, sink: &SinkName, from: ReplayFrom) -> Result<Arc<str>, Refused> {
        self.ask(sink, |reply| Order::Replay(from, reply)).await
    }

    /// Breaks off a sink's replay, if there is one.
    pub async fn cancel_replay(&self, sink: &SinkName) {
        if let Some(orders) = self.orders(sink) {
            // a sink that has stopped has no replay
            _ = orders.send(Order::CancelReplay).await;
        }
    }

    /// Stops delivery: nothing new is begun, what is under way has until the deadline, and what all
    /// sinks have settled is written down. The backlog waits for the next start.
    pub async fn stop(self, deadline: Duration) {
        self.close(deadline).await;
    }

    /// The same for one that others hold too: from then on they find no sink configured.
    pub async fn close(&self, deadline: Duration) {
        self.keeper.abort();
        let running =
            self.running.lock().map(|mut running| std::mem::take(&mut *running)).unwrap_or_default();
        let stopping: Vec<_> = running.into_values().map(|sink| tokio::spawn(stop(sink, deadline))).collect();
        for sink in stopping {
            // one that panicked has stopped too
            _ = sink.await;
        }
    }

    fn orders(&self, sink: &SinkName) -> Option<mpsc::Sender<Order>> {
        Some(self.running.lock().ok()?.get(sink)?.orders.clone())
    }

    async fn ask<T>(
        &self,
        sink: &SinkName,
        order: impl FnOnce(oneshot::Sender<Result<T, Refused>>) -> Order,
    ) -> Result<T, Refused> {
        let orders = self.orders(sink).ok_or(Refused::NoSuchSink)?;
        let (reply, answer) = oneshot::channel();
        orders.send(order(reply)).await.map_err(|_| Refused::NoSuchSink)?;
        answer.await.map_err(|_| Refused::NoSuchSink)?
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn stop(sink: Running, deadline: Duration) {
    let (reply, stopped) = oneshot::channel();
    if sink.orders.send(Order::Stop(deadline, reply)).await.is_ok() {
        // one that panicked has stopped too
        _ = stopped.await;
    }
    _ = sink.task.await;
}

/// While there is no sink, what is durable is released, without a call for each batch.
async fn keep(cursors: Arc<Cursors>, source: Arc<dyn Source>) {
    let mut end = source.end();
    let mut releases = tokio::time::interval(RELEASE);
    releases.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        releases.tick().await;
        if cursors.is_empty() {
            cursors.release();
        }
        if end.changed().await.is_err() {
            return;
        }
    }
}

/// Where a sink begins.
fn begin(feed: &Feed) -> io::Result<Kept> {
    let (sink, store, source) = (&feed.sink, &feed.store, &feed.source);
    let progress = match store.load(sink)? {
        Known::Kept(kept) => return Ok(*kept),
        Known::Forgotten => {
            tracing::error!(%sink, "the state of a sink is lost: it begins at the oldest record, and deliveries repeat");
            let (oldest, end) = (source.dropped(), *source.end().borrow());
            Progress { cursor: oldest, mark: oldest, offered_to: end, ..Progress::default() }
        }
        Known::New => {
            let (at, open) = source.open();
            let open: Vec<Entry> = feed.pass(open)?.into_iter().map(|item| item.entry).collect();
            let cursor = if open.is_empty() { at } else { Position::START };
            let progress =
                Progress { cursor, mark: cursor, snapshot_to: at, clean: true, ..Progress::default() };
            store.begin(sink, &progress, &open)?;
            tracing::info!(%sink, %at, open = open.len(), "a new sink begins");
            return Ok(Kept { progress, ..Kept::default() });
        }
    };
    store.begin(sink, &progress, &[])?;
    Ok(Kept { progress, ..Kept::default() })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
