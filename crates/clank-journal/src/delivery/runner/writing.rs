//! Writing down what has changed: lazily, one writing at a time, each all or nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clank_core::journal::Position;
use tokio::time::Instant;

use super::super::scheduler::Now;
use super::super::state::{Changes, Lane, Row};
use super::super::store::Committed;
use super::{DISK_RETRY, Job, Runner, Service, now};

/// How long an acknowledgement may wait for others to be written with.
const SYNC_EVERY: Duration = Duration::from_millis(250);

/// The writing of one sink's state.
#[derive(Debug, Default)]
pub(super) struct Writing {
    under_way: bool,
    /// What could not be written.
    unwritten: Option<Arc<Changes>>,
    /// Lanes that are to be read from disk behind the next writing.
    lanes: Vec<Lane>,
    last: Option<Instant>,
    /// Not before then.
    again: Option<Instant>,
}

/// What a writing has brought.
pub(super) struct Written {
    changes: Arc<Changes>,
    committed: io::Result<Committed>,
    fetched: Vec<(Lane, io::Result<Rows>)>,
}

/// A lane's first events that wait on disk.
type Rows = Vec<(Position, Row)>;

impl Writing {
    /// When something is to be written, if nothing else happens until then.
    pub(super) fn wake_at(&self, is_dirty: bool) -> Option<Instant> {
        if self.under_way {
            return None;
        }
        self.again.or_else(|| self.last.filter(|_| is_dirty).map(|last| last + SYNC_EVERY))
    }

    /// It ended without a word.
    pub(super) fn lost(&mut self) {
        self.under_way = false;
    }
}

impl Runner {
    pub(super) fn start_writing(&mut self, now: Now) {
        self.writing.lanes.extend(self.scheduler.take_fetches());
        let at = Instant::from_std(now.at);
        let (writing, is_dirty) = (&self.writing, self.scheduler.is_dirty());
        let is_late = writing.last.is_none_or(|last| at >= last + SYNC_EVERY);
        let is_due = self.scheduler.is_due()
            || !writing.lanes.is_empty()
            || writing.unwritten.is_some()
            || (is_dirty && is_late);
        if writing.under_way || !is_due || writing.again.is_some_and(|again| at < again) {
            return;
        }
        let changes = match self.writing.unwritten.take() {
            Some(changes) => changes,
            None => Arc::new(self.scheduler.take_changes(false)),
        };
        // kept here too, for a thread that does not come back
        self.writing.unwritten = Some(Arc::clone(&changes));
        self.writing.under_way = true;
        let lanes = std::mem::take(&mut self.writing.lanes);
        let service = Arc::clone(&self.service);
        self.jobs.spawn_blocking(move || Job::Written(Box::new(write(&service, changes, lanes))));
    }

    pub(super) fn written(&mut self, written: Written) {
        let Written { changes, committed, fetched } = written;
        let at = Instant::now();
        self.writing.under_way = false;
        self.writing.last = Some(at);
        self.writing.again = None;
        match committed {
            Ok(committed) => {
                self.writing.unwritten = None;
                self.scheduler.synced(&changes);
                if let Some((lane, bytes)) = committed.dropped {
                    self.scheduler.revive(lane, bytes, None);
                }
                self.release(&changes);
            }
            Err(error) => {
                let sink = &self.service.feed.sink;
                tracing::error!(%sink, %error, "the state of a sink cannot be written: deliveries may repeat");
                self.writing.again = Some(at + DISK_RETRY);
            }
        }
        for (lane, rows) in fetched {
            match rows {
                Ok(rows) => self.scheduler.fetched(lane, rows, now()),
                Err(_) => self.writing.lanes.push(lane),
            }
        }
    }

    /// The journal may drop what this sink has settled durably, and does not replay.
    fn release(&self, changes: &Changes) {
        let settled = changes.progress.cursor.max(changes.progress.snapshot_to);
        let replayed = self.scheduler.replay_progress().filter(|replay| !replay.finished);
        let needed = replayed.map_or(settled, |replay| settled.min(replay.read_to));
        self.service.cursors.moved(&self.service.feed.sink, needed);
    }

    /// Waits until all that has changed so far is written.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.await_writing().await;
        let earlier = self.writing.unwritten.take();
        let latest = Arc::new(self.scheduler.take_changes(false));
        for changes in earlier.into_iter().chain([latest]) {
            self.write_now(changes).await?;
        }
        Ok(())
    }

    async fn await_writing(&mut self) {
        while self.writing.under_way
            && let Some(job) = self.jobs.join_next().await
        {
            self.job_done(job);
        }
    }

    async fn write_now(&mut self, changes: Arc<Changes>) -> io::Result<()> {
        let service = Arc::clone(&self.service);
        self.writing.unwritten = Some(Arc::clone(&changes));
        let written = tokio::task::spawn_blocking(move || write(&service, changes, Vec::new())).await;
        self.written(written.map_err(io::Error::other)?);
        match &self.writing.unwritten {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the state of the sink cannot be written")),
        }
    }

    /// Writes down that nothing is under way any more.
    pub(super) async fn write_the_last(&mut self) {
        self.await_writing().await;
        let mut written = Ok(());
        if let Some(changes) = self.writing.unwritten.take() {
            written = self.write_now(changes).await;
        }
        if written.is_ok() {
            let changes = Arc::new(self.scheduler.take_changes(true));
            written = self.write_now(changes).await;
        }
        if let Err(error) = written {
            tracing::error!(sink = %self.service.feed.sink, %error, "a sink was stopped without its last state");
        }
    }
}

fn write(service: &Service, changes: Arc<Changes>, lanes: Vec<Lane>) -> Written {
    let sink = &service.feed.sink;
    let most = service.options.max_dead_letter_bytes;
    let committed = service.store.commit(sink, &changes, most, now().wall);
    let batch = service.options.batch.get();
    let fetch = |lane| match &committed {
        Ok(_) => service.store.fetch(sink, lane, batch),
        Err(_) => Err(io::Error::other("what it depends on was not written")),
    };
    let fetched = lanes.into_iter().map(|lane| (lane, fetch(lane))).collect();
    Written { changes, committed, fetched }
}
