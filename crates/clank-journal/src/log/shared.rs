//! What the writer and everybody else share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use clank_core::journal::Position;
use tokio::sync::watch;

use super::ids::Ids;
use super::intake::Intake;
use super::metrics::Counters;
use super::options::Options;
use super::segments::Segment;

/// What the writer and everybody else share.
pub(crate) struct Shared {
    pub(crate) directory: PathBuf,
    pub(crate) intake: Intake,
    pub(crate) ids: Ids,
    pub(crate) counters: Counters,
    /// The last durable record.
    pub(crate) end: watch::Sender<Position>,
    /// The segments that can be read, each as far as it is durable.
    segments: RwLock<Vec<Segment>>,
    /// Up to where nobody needs records.
    released: AtomicU64,
    /// Where the oldest sealed segment ends; the writer wants to hear when that is released.
    wanted: AtomicU64,
    dropped: AtomicU64,
    /// Bytes that others keep in the directory.
    others: AtomicU64,
}

impl Shared {
    pub(crate) fn new(directory: PathBuf, options: &Options, segments: Vec<Segment>, end: Position) -> Self {
        let dropped = segments.first().map_or(0, |segment| segment.first - 1);
        Self {
            directory,
            intake: Intake::new(options.queue, options.kinds),
            ids: Ids::default(),
            counters: Counters::default(),
            end: watch::Sender::new(end),
            segments: RwLock::new(segments),
            released: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            dropped: AtomicU64::new(dropped),
            others: AtomicU64::new(0),
        }
    }

    pub(crate) fn segments(&self) -> RwLockReadGuard<'_, Vec<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change_segments(&self) -> RwLockWriteGuard<'_, Vec<Segment>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dropped(&self) -> Position {
        Position::new(self.dropped.load(Ordering::Acquire))
    }

    /// Bytes that others keep in the directory.
    pub(crate) fn others(&self) -> u64 {
        self.others.load(Ordering::Relaxed)
    }

    pub(crate) fn set_others(&self, bytes: u64) {
        self.others.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_dropped(&self, position: u64) {
        self.dropped.store(position, Ordering::Release);
    }

    /// Nobody needs records up to this position.
    pub(crate) fn release(&self, position: u64) {
        let before = self.released.fetch_max(position, Ordering::AcqRel);
        let wanted = self.wanted.load(Ordering::Acquire);
        if before < wanted && position >= wanted {
            self.intake.poke();
        }
    }

    pub(crate) fn released(&self) -> u64 {
        self.released.load(Ordering::Acquire)
    }

    /// The writer wants to hear when this position is released.
    pub(crate) fn want(&self, position: Option<u64>) {
        self.wanted.store(position.unwrap_or(u64::MAX), Ordering::Release);
    }
}
