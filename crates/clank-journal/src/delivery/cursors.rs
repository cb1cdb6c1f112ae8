//! The least of all cursors: what the journal may drop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clank_core::journal::Position;

use super::options::SinkName;
use crate::source::Source;

/// How far each sink has come durably; also those that are no longer configured.
pub(super) struct Cursors {
    source: Arc<dyn Source>,
    cursors: Mutex<BTreeMap<SinkName, Position>>,
}

impl Cursors {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, cursors: Mutex::default() }
    }

    pub(super) fn moved(&self, sink: &SinkName, to: Position) {
        self.change(|cursors| _ = cursors.insert(sink.clone(), to));
    }

    pub(super) fn removed(&self, sink: &SinkName) {
        self.change(|cursors| _ = cursors.remove(sink));
    }

    pub(super) fn of(&self, sink: &SinkName) -> Option<Position> {
        self.cursors.lock().ok()?.get(sink).copied()
    }

    pub(super) fn all(&self) -> Vec<(SinkName, Position)> {
        let cursors = self.cursors.lock();
        cursors.map(|all| all.iter().map(|(sink, at)| (sink.clone(), *at)).collect()).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cursors.lock().is_ok_and(|cursors| cursors.is_empty())
    }

    /// Without a sink, nothing that is durable is needed any more.
    pub(super) fn release(&self) {
        self.change(|_| ());
    }

    /// The journal is told under the lock, so that it hears of positions in their order.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<SinkName, Position>)) {
        // a panic of another thread leaves the journal pinned, which loses nothing
        let Ok(mut cursors) = self.cursors.lock() else { return };
        change(&mut cursors);
        let least = cursors.values().min().copied();
        self.source.release(least.unwrap_or_else(|| *self.source.end().borrow()));
    }
}
