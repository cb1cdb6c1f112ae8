//! A replay: what was delivered once is delivered again, beside what is new.
//!
//! Its place is kept in memory alone: a restart ends it, and it can be asked for again.

use std::sync::Arc;

use clank_core::journal::Position;

use super::lanes::Stream;
use super::{Item, Scheduler};

/// Events of a replay in memory, at most; one reading more.
const MAX_EVENTS: usize = 512;

/// How far a replay has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Its id, which its deliveries carry.
    pub id: Arc<str>,
    /// How far the journal has been read.
    pub read_to: Position,
    /// Where it ends.
    pub to: Position,
    /// Events that were taken.
    pub delivered: u64,
    /// Events that were given up: refused, or after their tries. They do not become dead letters.
    pub failed: u64,
    /// Whether it is over.
    pub finished: bool,
}

#[derive(Debug)]
pub(super) struct Replay {
    progress: ReplayProgress,
    events: usize,
}

impl Scheduler {
    /// Begins a replay of what lies behind `after`, up to `to`. `false` if one is under way.
    pub(in crate::delivery) fn start_replay(&mut self, id: Arc<str>, after: Position, to: Position) -> bool {
        let is_over = self.replay.is_none() || self.replay_is_over();
        if !is_over || self.lanes.has(Stream::Replay) {
            return false;
        }
        let progress =
            ReplayProgress { id, read_to: after, to, delivered: 0, failed: 0, finished: after >= to };
        self.replay = Some(Replay { progress, events: 0 });
        true
    }

    /// Breaks a replay off. What is under way is still counted.
    pub(in crate::delivery) fn cancel_replay(&mut self) {
        self.lanes.clear(Stream::Replay);
        if let Some(replay) = &mut self.replay {
            replay.progress.to = replay.progress.read_to;
            replay.progress.finished = true;
            replay.events = 0;
        }
    }

    /// Where the replay is to be read on, and up to where.
    pub(in crate::delivery) fn replay_reads(&self) -> Option<(Position, Position)> {
        let replay = self.replay.as_ref()?;
        let ReplayProgress { read_to, to, .. } = replay.progress;
        (replay.events < MAX_EVENTS && read_to < to).then_some((read_to, to))
    }

    /// Takes what was read for the replay.
    pub(in crate::delivery) fn admit_replay(&mut self, items: Vec<Item>, read_to: Position) {
        let Some(replay) = &mut self.replay else { return };
        if replay.progress.finished {
            return;
        }
        let to = replay.progress.to;
        for item in items.into_iter().filter(|item| item.position() <= to) {
            replay.events += 1;
            self.lanes.push((Stream::Replay, item.lane()), item);
        }
        replay.progress.read_to = read_to.min(to);
        self.end_replay();
    }

    pub(in crate::delivery) fn replay_progress(&self) -> Option<ReplayProgress> {
        self.replay.as_ref().map(|replay| replay.progress.clone())
    }

    pub(super) fn replay_id(&self, stream: Stream) -> Option<Arc<str>> {
        match stream {
            Stream::Live => None,
            Stream::Replay => self.replay.as_ref().map(|replay| Arc::clone(&replay.progress.id)),
        }
    }

    pub(super) fn replay_is_over(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.progress.finished)
    }

    pub(super) fn replayed(&mut self, taken: bool) {
        if let Some(replay) = &mut self.replay {
            replay.progress.delivered += u64::from(taken);
            replay.progress.failed += u64::from(!taken);
        }
    }

    pub(super) fn replay_left(&mut self) {
        if let Some(replay) = &mut self.replay {
            replay.events = replay.events.saturating_sub(1);
        }
    }

    pub(super) fn end_replay(&mut self) {
        if let Some(replay) = &mut self.replay {
            replay.progress.finished |= replay.progress.read_to >= replay.progress.to && replay.events == 0;
        }
    }
}
