//! What a log counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use clank_core::event::{Event, EventKind};
use clank_core::journal::NotRecorded;

use super::intake::{Answer, is_minor};

/// What a log has done and holds, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Batches that were written.
    pub commits: u64,
    /// How long they took together, from the first byte written to the last one synced.
    pub commit_time: Duration,
    /// How long the slowest of them took.
    pub commit_longest: Duration,
    /// Bytes that were written.
    pub bytes: u64,
    /// Records that were kept, of each kind in the order of [`EventKind::ALL`].
    pub records: [u64; EventKind::ALL.len()],
    /// Records of minor kinds that were not kept, because there were too many of them.
    pub shed: u64,
    /// Records that were refused for want of room.
    pub refused: u64,
    /// Records that contradicted the ledger.
    pub conflicts: u64,
    /// Writes and syncs that the disk failed, other than for want of room.
    pub failures: u64,
    /// Ends of connections that wait until they can be written.
    pub waiting: u64,
    /// Open connections.
    pub open: u64,
    /// Bytes on the disk.
    pub used: u64,
    /// Bytes that are kept free for the ends of the open connections.
    pub reserved: u64,
    /// Bytes beside both until `max_bytes`.
    pub free: u64,
    /// Segments that were dropped although somebody needed them.
    pub evicted: u64,
}

/// The same while it changes; only the writer changes it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) commit_nanos: AtomicU64,
    pub(crate) commit_longest: AtomicU64,
    pub(crate) bytes: AtomicU64,
    records: [AtomicU64; EventKind::ALL.len()],
    pub(crate) shed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) open: AtomicU64,
    pub(crate) used: AtomicU64,
    pub(crate) reserved: AtomicU64,
    pub(crate) free: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

impl Counters {
    pub(crate) fn count_record(&self, kind: EventKind) {
        if let Some(counter) = self.records.get(kind as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Answers that a record is not kept.
    pub(crate) fn refuse(&self, answer: Answer, why: NotRecorded) {
        let counter = match why {
            NotRecorded::Conflict => &self.conflicts,
            NotRecorded::Shed => &self.shed,
            _ => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
        answer.give(Err(why));
    }

    /// Answers that the disk did not take a record.
    pub(crate) fn refuse_for_want(&self, record: &Event, answer: Answer, why: NotRecorded) {
        let is_shed = why == NotRecorded::Full && is_minor(record.kind());
        self.refuse(answer, if is_shed { NotRecorded::Shed } else { why });
    }

    pub(crate) fn count_commit(&self, bytes: u64, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.commit_nanos.fetch_add(nanos, Relaxed);
        self.commit_longest.fetch_max(nanos, Relaxed);
    }

    pub(crate) fn read(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let mut records = [0; EventKind::ALL.len()];
        records.iter_mut().zip(&self.records).for_each(|(to, from)| *to = read(from));
        Metrics {
            commits: read(&self.commits),
            commit_time: Duration::from_nanos(read(&self.commit_nanos)),
            commit_longest: Duration::from_nanos(read(&self.commit_longest)),
            bytes: read(&self.bytes),
            records,
            shed: read(&self.shed),
            refused: read(&self.refused),
            conflicts: read(&self.conflicts),
            failures: read(&self.failures),
            waiting: read(&self.waiting),
            open: read(&self.open),
            used: read(&self.used),
            reserved: read(&self.reserved),
            free: read(&self.free),
            evicted: read(&self.evicted),
        }
    }
}
