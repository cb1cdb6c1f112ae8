//! The one who writes: takes what was handed over, and makes it durable in batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use clank_core::event::{EventKind, Origin, PreviousRun, Timestamp};
use clank_core::journal::{NotRecorded, Position};

use super::appender::{Appender, NotWritten};
use super::format::{Note, SEGMENT_HEADER};
use super::intake::{Command, Handed, OpenConnections, Work};
use super::notes::{Heartbeat, Reserved};
use super::options::{Durability, Options};
use super::segments::Segment;
use super::shared::Shared;
use super::staging::Staging;

/// How often a run says that it is alive, while a connection is open.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often what was written is synced, where that is not waited for.
const SYNC: Duration = Duration::from_secs(1);
/// How long a disk that refused a batch is left alone.
const RETRY: Duration = Duration::from_millis(250);
/// How often old segments are looked for.
pub(super) const RETENTION: Duration = Duration::from_secs(60);

/// So many records make it likely that more are about to come.
const SEVERAL: usize = 4;
/// So many are a batch in which a record's share of the sync is small: no more are waited for.
const ENOUGH: usize = 64;

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// What records say; it may be set back.
    pub(crate) time: Timestamp,
    /// Since the log was opened; it only goes on.
    pub(crate) ticks: Duration,
}

/// The one who writes.
pub(crate) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) appender: Appender,
    pub(super) staging: Staging,
    /// When the last turn was, if that had several records.
    busy: Option<Duration>,
    /// Records that are not staged yet.
    inbox: VecDeque<Handed>,
    /// Bytes of all segments.
    pub(super) used: u64,
    /// The run that has begun.
    pub(super) run: Option<Origin>,
    /// Whether a run has ended: no other one begins before the log is opened again.
    pub(super) has_ended: bool,
    /// What the log says of the run before, until this one has begun.
    pub(super) before: Before,
    /// The first resource id that is not reserved, on the disk and with the batch.
    pub(super) ids_end: u64,
    reserving: Option<u64>,
    /// Set while the disk is left alone.
    pub(super) blocked: Option<Blocked>,
    /// How many records may be in a batch: few, after a full disk has refused many.
    most: usize,
    pub(super) due: Due,
}

/// The run before.
pub(crate) struct Before {
    /// Its name, and whether it ended in order.
    pub(crate) run: Option<(Origin, bool)>,
    /// What a sweep said of it that did not come to its end.
    pub(crate) sweep: Option<PreviousRun>,
    /// Its last sign of life.
    pub(crate) heartbeat: Option<Timestamp>,
}

/// The disk has refused a batch.
#[derive(Clone, Copy)]
pub(super) struct Blocked {
    until: Duration,
    why: NotRecorded,
}

/// When something has to be done although nothing is handed over.
#[derive(Default)]
pub(super) struct Due {
    heartbeat: Duration,
    sync: Duration,
    pub(super) retention: Duration,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        options: Options,
        appender: Appender,
        staging: Staging,
        before: Before,
        ids_end: u64,
    ) -> Self {
        let mut writer = Self {
            shared,
            options,
            appender,
            staging,
            busy: None,
            inbox: VecDeque::new(),
            used: 0,
            run: None,
            has_ended: false,
            before,
            ids_end,
            reserving: None,
            blocked: None,
            most: usize::MAX,
            due: Due::default(),
        };
        writer.used = writer.shared.segments().iter().map(|segment| segment.length).sum();
        writer.note_begun();
        writer.gauge();
        writer
    }

    /// Does what there is to do.
    pub(crate) fn turn(&mut self, work: Work, now: Now) {
        for (answer, why) in work.refused {
            self.shared.counters.refuse(answer, why);
        }
        self.busy = (work.handed.len() >= SEVERAL).then_some(now.ticks);
        self.inbox = work.handed;
        self.blocked = self.blocked.filter(|blocked| now.ticks < blocked.until);
        self.write_all(now);
        self.sync_if_due(now);
        self.retain(now);
        for command in work.commands {
            self.obey(command, now);
        }
        self.gauge();
    }

    /// When the next turn is due, if nothing is handed over.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let heartbeat = self.is_beating().then_some(self.due.heartbeat);
        let gone = self.run.as_ref().and(self.staging.settled.deadline());
        let sync = self.is_dirty().then_some(self.due.sync);
        let retention = (self.shared.segments().len() > 1).then_some(self.due.retention);
        let next = [heartbeat, gone, sync, retention].into_iter().flatten().min();
        let Some(Blocked { until, .. }) = self.blocked else { return next };
        let is_awaited = self.staging.waiting() > 0 || self.shared.ids.wanted().is_some();
        next.map(|at| at.max(until))
            .or(is_awaited.then_some(until))
            .map(|at| if is_awaited { until } else { at })
    }

    /// How long more records should be waited for.
    pub(super) fn gathering(&self, ticks: Duration) -> Option<Duration> {
        let gather = (self.options.durability == Durability::Fsync).then_some(self.options.gather)?;
        (self.busy? + gather).checked_sub(ticks)
    }

    /// Writes all that there is, in batches.
    pub(super) fn write_all(&mut self, now: Now) {
        loop {
            self.make_room(now);
            self.begin_batch();
            if self.blocked.is_some() {
                return self.refuse_all();
            }
            self.fill(now);
            // a failure is answered, and remembered in `blocked`
            if self.staging.batch.bytes.is_empty() {
                return;
            }
            let _ = self.write(now);
        }
    }

    pub(super) fn begin_batch(&mut self) {
        let used = self.used + self.shared.others();
        self.staging.begin(self.appender.number(), self.appender.durable(), used);
    }

    /// Stages what there is.
    fn fill(&mut self, now: Now) {
        let counters = &self.shared.counters;
        let Some(origin) = &self.run else {
            for handed in self.inbox.drain(..) {
                counters.refuse(handed.answer, NotRecorded::Closed);
            }
            return;
        };
        self.staging.stage_waiting(now.ticks, self.most, counters);
        while !self.staging.is_full(self.most) {
            let Some(handed) = self.inbox.pop_front() else { break };
            self.staging.stage(handed, now.ticks, counters);
        }
        self.staging.stage_gone(origin, now.time, now.ticks, self.most);
        if let Some(end) = self.shared.ids.wanted() {
            self.staging.note(Note::Reserved, &Reserved { end });
            self.reserving = Some(end);
        }
        if self.is_beating() && now.ticks >= self.due.heartbeat {
            self.due.heartbeat = now.ticks + HEARTBEAT;
            // what is reserved for the ends of connections is not spent on this
            if self.staging.room().fits(0) {
                self.staging.note(Note::Heartbeat, &Heartbeat { time: now.time });
            }
        }
    }

    /// Refuses what there is, but for the ends of connections.
    fn refuse_all(&mut self) {
        let why = self.blocked.map_or(NotRecorded::Full, |blocked| blocked.why);
        for handed in self.inbox.drain(..) {
            if handed.record.kind() == EventKind::Disconnected {
                self.staging.wait(handed, &self.shared.counters);
            } else {
                self.shared.counters.refuse_for_want(&handed.record, handed.answer, why);
            }
        }
    }

    /// Writes the batch, and tells everybody.
    pub(super) fn write(&mut self, now: Now) -> Result<(), NotWritten> {
        let began = Instant::now();
        let batch = &mut self.staging.batch;
        let (length, first) = (batch.bytes.len() as u64, batch.first());
        let written = self.appender.commit(&mut batch.bytes, first, now.time);
        self.note_begun();
        let reserved = self.reserving.take();
        match written {
            Ok(offset) => {
                if let Some(end) = reserved {
                    self.ids_end = end;
                    self.shared.ids.grant(end);
                }
                self.used += length;
                self.most = self.most.saturating_mul(2);
                self.shared.counters.count_commit(length, began.elapsed());
                self.publish(offset);
                self.gauge();
                self.staging.settle(&self.shared.counters);
                Ok(())
            }
            Err(why) => {
                self.block(why, now);
                Err(why)
            }
        }
    }

    /// Takes the batch back, and leaves the disk alone for a while.
    pub(super) fn block(&mut self, not_written: NotWritten, now: Now) {
        let why = match not_written {
            NotWritten::NoRoom => NotRecorded::Full,
            NotWritten::Failed => NotRecorded::Failed,
        };
        if not_written == NotWritten::Failed {
            self.shared.counters.failures.fetch_add(1, Relaxed);
        }
        self.most = (self.staging.batch.staged().len() / 2).max(1);
        self.staging.revert(why, &self.shared.counters);
        self.blocked = Some(Blocked { until: now.ticks + RETRY, why });
    }

    /// Lets others read what is durable now.
    fn publish(&mut self, offset: u64) {
        let batch = &self.staging.batch;
        if let Some(segment) = self.shared.change_segments().last_mut() {
            for staged in batch.staged() {
                segment.add_record(staged.position, offset + staged.offset as u64);
            }
            segment.length = offset + batch.bytes.len() as u64;
        }
        if let Some(last) = batch.staged().last() {
            self.shared.end.send_replace(Position::new(last.position));
        }
    }

    /// Takes note of segments that were begun.
    pub(super) fn note_begun(&mut self) {
        for header in self.appender.take_begun() {
            self.used += SEGMENT_HEADER as u64;
            let mut segments = self.shared.change_segments();
            segments.push(Segment::new(&header));
        }
    }

    fn is_beating(&self) -> bool {
        self.run.is_some() && self.staging.ledger.len() > 0
    }

    fn is_dirty(&self) -> bool {
        self.options.durability == Durability::Os && self.appender.is_dirty()
    }

    fn sync_if_due(&mut self, now: Now) {
        if self.is_dirty() && now.ticks >= self.due.sync {
            // a failure shows with the next batch, which begins another segment
            let _ = self.appender.sync();
            self.due.sync = now.ticks + SYNC;
        }
    }

    fn obey(&mut self, command: Command, now: Now) {
        match command {
            Command::Begin { origin, now: time, reply } => {
                let begun = self.begin_run(&origin, Now { time, ..now });
                let _ = reply.send(begun);
            }
            Command::Open { reply } => {
                let _ = reply.send(self.open_connections());
            }
            Command::End { now: time, reply } => {
                self.end_run(Now { time, ..now });
                let _ = reply.send(());
            }
        }
    }

    pub(super) fn open_connections(&self) -> OpenConnections {
        let ledger = &self.staging.ledger;
        let records = ledger.rows().filter_map(|row| Some((row.position, ledger.connected(row)?)));
        OpenConnections { position: self.staging.position(), records: records.collect() }
    }

    fn gauge(&self) {
        let counters = &self.shared.counters;
        let room = self.staging.room();
        counters.open.store(self.staging.ledger.len() as u64, Relaxed);
        counters.waiting.store(self.staging.waiting() as u64, Relaxed);
        counters.used.store(self.used, Relaxed);
        counters.reserved.store(room.reserved, Relaxed);
        counters.free.store(room.free(), Relaxed);
    }
}

/// Writes until the intake is stopped. Should the writer fail by a bug of its own, everything else
/// is answered as failed.
pub(crate) fn run(mut writer: Writer) {
    let shared = Arc::clone(&writer.shared);
    let began = Instant::now();
    let now = || Now { time: SystemTime::now().into(), ticks: began.elapsed() };
    let work = std::panic::AssertUnwindSafe(|| {
        loop {
            let patience = writer.deadline().map(|at| at.saturating_sub(began.elapsed()));
            if let Some(patience) = writer.gathering(began.elapsed()) {
                shared.intake.gather(patience, ENOUGH);
            }
            match shared.intake.take(patience) {
                Some(work) => writer.turn(work, now()),
                None => return,
            }
        }
    });
    if std::panic::catch_unwind(work).is_err() {
        tracing::error!("the journal's writer has failed; nothing is recorded any more");
        // what is taken is dropped, and so answered
        while shared.intake.take(None).is_some() {}
    }
}
