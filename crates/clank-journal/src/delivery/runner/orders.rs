//! What a sink's task is told to do while it runs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clank_core::event::Timestamp;
use clank_core::journal::Position;
use tokio::sync::oneshot;

use super::super::status::{Retried, SinkStatus};
use super::super::store::Letters;
use super::{Runner, Service, now, random};
use crate::source;

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// With the record at this position, or the first behind it.
    Position(Position),
    /// With the first record that is not older.
    Time(Timestamp),
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No sink has that name, or it is not configured.
    #[error("there is no such sink")]
    NoSuchSink,
    /// A sink has that name already.
    #[error("there is a sink of that name already")]
    Exists,
    /// A replay to that sink is under way.
    #[error("a replay to this sink is under way already")]
    Replaying,
    /// The disk failed.
    #[error("the state of the sink cannot be read or written: {0}")]
    Disk(#[from] io::Error),
}

pub(in crate::delivery) type Reply<T> = oneshot::Sender<Result<T, Refused>>;

pub(in crate::delivery) enum Order {
    Status(oneshot::Sender<SinkStatus>),
    Retry(Letters, bool, Reply<Retried>),
    Drop(Letters, Reply<u64>),
    Replay(ReplayFrom, Reply<Arc<str>>),
    CancelReplay,
    Stop(Duration, oneshot::Sender<()>),
}

impl Runner {
    /// Carries out an order. Who gave it may have gone since, so that answers can be lost.
    pub(super) async fn obey(&mut self, order: Order) {
        match order {
            Order::Status(reply) => _ = reply.send(self.status()),
            Order::Retry(which, force, reply) => _ = reply.send(self.retry(which, force).await),
            Order::Drop(which, reply) => _ = reply.send(self.drop_dead(which).await),
            Order::Replay(from, reply) => _ = reply.send(self.replay(from).await),
            Order::CancelReplay => self.scheduler.cancel_replay(),
            // taken where the task ends
            Order::Stop(..) => {}
        }
    }

    fn status(&self) -> SinkStatus {
        let (scheduler, counts) = (&self.scheduler, self.scheduler.counts());
        let unread = self.end.borrow().value().saturating_sub(scheduler.read_to().value());
        let dead = self.service.store.dead_total(&self.service.feed.sink);
        let oldest = scheduler.oldest();
        SinkStatus {
            sink: self.service.feed.sink.clone(),
            configured: true,
            cursor: scheduler.cursor(),
            lag_events: unread + scheduler.pending() as u64 + scheduler.retrying(),
            lag: oldest.map(|oldest| now().wall.since(oldest)).unwrap_or_default(),
            in_flight: scheduler.in_flight() as u64,
            retrying: scheduler.retrying(),
            tries: scheduler.most_tries(),
            breaker: scheduler.breaker(),
            dead_letters: dead.letters,
            dead_letter_bytes: dead.bytes,
            acked: counts.acked,
            redelivered: counts.redelivered,
            evicted: counts.evicted,
            poisoned: counts.poisoned,
            replay: scheduler.replay_progress(),
        }
    }

    /// Runs something on the store, behind all that has changed so far.
    async fn in_store<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Service) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        self.flush().await?;
        let service = Arc::clone(&self.service);
        let done = tokio::task::spawn_blocking(move || work(&service)).await;
        Ok(done.map_err(io::Error::other)??)
    }

    async fn retry(&mut self, which: Letters, force: bool) -> Result<Retried, Refused> {
        let work = move |service: &Service| service.store.revive(&service.feed.sink, which, force);
        let revival = self.in_store(work).await?;
        let queued = revival.revived.len() as u64;
        for letter in revival.revived {
            self.scheduler.revive(letter.lane, letter.bytes, letter.group);
        }
        Ok(Retried { queued, withheld: revival.withheld, left: revival.left })
    }

    async fn drop_dead(&mut self, which: Letters) -> Result<u64, Refused> {
        let work = move |service: &Service| service.store.drop_dead(&service.feed.sink, which, now().wall);
        let (count, gap) = self.in_store(work).await?;
        if let Some((lane, bytes)) = gap {
            self.scheduler.revive(lane, bytes, None);
        }
        Ok(count)
    }

    async fn replay(&mut self, from: ReplayFrom) -> Result<Arc<str>, Refused> {
        let service = Arc::clone(&self.service);
        let after = tokio::task::spawn_blocking(move || begins_behind(&service, from)).await;
        let after = after.map_err(io::Error::other)??;
        let id: Arc<str> = format!("{:016x}", random()?).into();
        let to = *self.end.borrow();
        if self.scheduler.start_replay(Arc::clone(&id), after, to) { Ok(id) } else { Err(Refused::Replaying) }
    }
}

/// The position behind which a replay begins.
fn begins_behind(service: &Service, from: ReplayFrom) -> io::Result<Position> {
    let source = &service.feed.source;
    let oldest = source.dropped();
    let time = match from {
        ReplayFrom::Position(position) => {
            return Ok(Position::new(position.value().saturating_sub(1)).max(oldest));
        }
        ReplayFrom::Time(time) => time,
    };
    let end = *source.end().borrow();
    source::behind(time, oldest, end, |after, bytes| source.read(after, bytes))
}
