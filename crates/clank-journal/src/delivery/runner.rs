//! The task that serves one sink: it reads, drives the scheduler, calls the sink and writes down
//! what has changed.
//!
//! Each turn starts what can be started, in this order: deliveries, readings, one writing. Then it
//! waits for the first of them to end, for an order, for new records or for a time. What blocks runs
//! on tokio's threads for that; at most one reading of each stream and one writing are under way.

mod orders;
mod writing;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clank_core::event::{Body, Event, Gap, Origin, Timestamp};
use clank_core::id::{NodeId, RunId};
use clank_core::journal::Position;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

pub(super) use self::orders::Order;
pub use self::orders::{Refused, ReplayFrom};
use self::writing::{Writing, Written};
use super::breaker::BreakerState;
use super::cursors::Cursors;
use super::feed::{Feed, Page};
use super::options::SinkOptions;
use super::scheduler::{Flight, Now, READ_BYTES, Scheduler};
use super::sink::{AnySink, Outcome, Sink};
use super::state::Kept;
use super::store::Store;
use crate::source::Entry;

/// After a failure of the disk.
const DISK_RETRY: Duration = Duration::from_secs(1);

/// What a sink is served with.
pub(super) struct Service {
    pub(super) sink: AnySink,
    pub(super) options: SinkOptions,
    pub(super) feed: Feed,
    pub(super) store: Arc<Store>,
    pub(super) cursors: Arc<Cursors>,
    pub(super) origin: Origin,
}

/// See the module.
pub(super) struct Runner {
    service: Arc<Service>,
    scheduler: Scheduler,
    end: watch::Receiver<Position>,
    orders: mpsc::Receiver<Order>,
    deliveries: JoinSet<(u64, Outcome)>,
    /// Which delivery a task is.
    flights: HashMap<Id, u64>,
    jobs: JoinSet<Job>,
    writing: Writing,
    reading: bool,
    replaying: bool,
    read_again: Option<Instant>,
}

/// What ran on a thread that may block.
enum Job {
    Read(io::Result<Page>),
    Replay(io::Result<Page>),
    Written(Box<Written>),
}

impl Runner {
    pub(super) fn new(service: Service, kept: Kept, seed: u64, orders: mpsc::Receiver<Order>) -> Self {
        let mut end = service.feed.source.end();
        end.mark_unchanged();
        Self {
            scheduler: Scheduler::new(service.options.clone(), kept, seed),
            end,
            orders,
            deliveries: JoinSet::new(),
            flights: HashMap::new(),
            jobs: JoinSet::new(),
            writing: Writing::default(),
            reading: false,
            replaying: false,
            read_again: None,
            service: Arc::new(service),
        }
    }

    /// Serves the sink until it is told to stop, or nobody is left who could tell it.
    pub(super) async fn run(mut self) {
        loop {
            let now = now();
            self.start_deliveries(now);
            self.start_readings();
            self.start_writing(now);
            let wake = self.wake_at(now);
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Stop(deadline, stopped)) => {
                        self.stop(deadline).await;
                        // whoever asked may be gone
                        _ = stopped.send(());
                        return;
                    }
                    Some(order) => self.obey(order).await,
                    None => return self.stop(Duration::ZERO).await,
                },
                Some(delivered) = self.deliveries.join_next_with_id() => {
                    self.delivered(delivered);
                    while let Some(delivered) = self.deliveries.try_join_next_with_id() {
                        self.delivered(delivered);
                    }
                }
                Some(job) = self.jobs.join_next() => self.job_done(job),
                // a journal that is closed tells no more
                Ok(()) = self.end.changed() => {}
                () = sleep_until(wake.unwrap_or(far_away())), if wake.is_some() => {}
            }
        }
    }

    fn start_deliveries(&mut self, now: Now) {
        while let Some(Flight { id, batch }) = self.scheduler.next(now.at) {
            let service = Arc::clone(&self.service);
            let task = self.deliveries.spawn(async move {
                let limit = service.options.timeout;
                let outcome = timeout(limit, service.sink.deliver(&batch)).await;
                (id, outcome.unwrap_or_else(|_| Outcome::failing(format!("no answer within {limit:?}"))))
            });
            self.flights.insert(task.id(), id);
        }
    }

    fn delivered(&mut self, delivered: Result<(Id, (u64, Outcome)), JoinError>) {
        let (task, outcome) = match delivered {
            Ok((task, (_, outcome))) => (task, outcome),
            Err(error) => (error.id(), Outcome::failing(format!("the sink failed: {error}"))),
        };
        let Some(flight) = self.flights.remove(&task) else { return };
        let why = outcome.complaint().map(str::to_owned).unwrap_or_default();
        let before = (self.scheduler.breaker(), self.scheduler.counts().poisoned);
        self.scheduler.done(flight, outcome, now());
        self.log(before, &why);
    }

    /// Says what has changed for the worse, or for the better.
    fn log(&self, before: (BreakerState, u64), why: &str) {
        let sink = &self.service.feed.sink;
        let given_up = self.scheduler.counts().poisoned - before.1;
        if given_up > 0 {
            tracing::warn!(%sink, events = given_up, why, "events went to the dead letters");
        }
        match (before.0, self.scheduler.breaker()) {
            (BreakerState::Closed, BreakerState::Open) => {
                tracing::warn!(%sink, why, "a sink fails: delivery waits for it");
            }
            (BreakerState::Open | BreakerState::Probing, BreakerState::Closed) => {
                tracing::info!(%sink, "a sink is back");
            }
            _ if !why.is_empty() => tracing::debug!(%sink, why, "a delivery failed"),
            _ => {}
        }
    }

    fn start_readings(&mut self) {
        if self.read_again.is_some_and(|again| Instant::now() < again) {
            return;
        }
        self.read_again = None;
        let (after, room) = (self.scheduler.read_to(), self.scheduler.room());
        let has_more = *self.end.borrow_and_update() > after || after < self.service.feed.snapshot_to;
        if !self.reading && room > 0 && has_more {
            self.reading = true;
            let feed = self.service.feed.clone();
            self.jobs.spawn_blocking(move || Job::Read(feed.read(after, room)));
        }
        if !self.replaying
            && let Some((after, _)) = self.scheduler.replay_reads()
        {
            self.replaying = true;
            let feed = self.service.feed.clone();
            self.jobs.spawn_blocking(move || Job::Replay(feed.read_journal(after, READ_BYTES)));
        }
    }

    fn job_done(&mut self, job: Result<Job, JoinError>) {
        match job {
            Ok(Job::Read(page)) => {
                self.reading = false;
                match page {
                    Ok(Page::Events(items, read_to)) => self.scheduler.admit(items, read_to, now()),
                    Ok(Page::Dropped(to)) => self.tell_gap(to),
                    Err(error) => self.cannot_read(&error),
                }
            }
            Ok(Job::Replay(page)) => {
                self.replaying = false;
                match page {
                    Ok(Page::Events(items, read_to)) => self.scheduler.admit_replay(items, read_to),
                    // a replay begins with what is left
                    Ok(Page::Dropped(to)) => self.scheduler.admit_replay(Vec::new(), to),
                    Err(error) => self.cannot_read(&error),
                }
            }
            Ok(Job::Written(written)) => self.written(*written),
            Err(error) => {
                // a thread panicked: which one is not known, so that all are begun again
                tracing::error!(sink = %self.service.feed.sink, %error, "a task of delivery failed");
                (self.reading, self.replaying) = (false, false);
                self.writing.lost();
            }
        }
    }

    fn cannot_read(&mut self, error: &io::Error) {
        tracing::error!(sink = %self.service.feed.sink, %error, "the journal cannot be read: delivery waits");
        self.read_again = Some(Instant::now() + DISK_RETRY);
    }

    /// The journal had no room for what the sink has not seen.
    fn tell_gap(&mut self, to: Position) {
        let Some((from, count)) = self.scheduler.evict(to) else { return };
        let sink = &self.service.feed.sink;
        tracing::error!(%sink, %from, %to, count, "the journal has dropped events that were not delivered");
        let gap = Gap { from: from.value(), to: to.value(), count };
        let event = Event::new(now().wall, self.service.origin.clone(), Body::Gap(gap));
        let json = serde_json::to_vec(&event).unwrap_or_default().into();
        let entry = Entry { position: to, kind: event.kind(), connection: None, lane: 0, json };
        self.scheduler.tell_gap(entry, count);
    }

    fn wake_at(&self, now: Now) -> Option<Instant> {
        let times = [
            self.scheduler.wake_at(now.at).map(Instant::from_std),
            self.writing.wake_at(self.scheduler.is_dirty()),
            self.read_again,
        ];
        times.into_iter().flatten().min()
    }

    /// Waits for what is under way, breaks off what takes longer than that, and writes everything
    /// down.
    async fn stop(&mut self, deadline: Duration) {
        let landing = async {
            while let Some(delivered) = self.deliveries.join_next_with_id().await {
                self.delivered(delivered);
            }
        };
        // what is over by then was told by the sink, the rest is broken off
        _ = timeout(deadline, landing).await;
        self.deliveries.abort_all();
        while let Some(delivered) = self.deliveries.join_next_with_id().await {
            match delivered {
                Ok(_) => self.delivered(delivered),
                Err(error) => {
                    if let Some(flight) = self.flights.remove(&error.id()) {
                        self.scheduler.broken_off(flight);
                    }
                }
            }
        }
        self.write_the_last().await;
        self.service.sink.close().await;
    }
}

pub(super) fn now() -> Now {
    Now { at: Instant::now().into_std(), wall: Timestamp::from(SystemTime::now()) }
}

/// A new run of a node, for a program that opens a journal before its server starts: the server is
/// told of it too.
///
/// # Errors
/// When the system has no random bytes.
pub fn new_origin(node: NodeId) -> io::Result<Origin> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Origin { node, run: RunId::new(now().wall.unix_millis(), &bytes) })
}

pub(super) fn random() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}
