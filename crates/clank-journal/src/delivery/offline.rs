//! What can be done about delivery while no server runs.

use std::io;
use std::path::Path;

use clank_core::event::{Origin, Timestamp};
use clank_core::id::EventId;
use clank_core::journal::Position;

use super::options::SinkName;
use super::status::{Retried, SinkStatus};
use super::store::{DeadLetter, Known, Letters, Store};
use crate::log::{DirectoryLock, OpenError};

/// The sinks of a journal that no server has open. While it lives, none can open it.
///
/// Its methods block on the disk.
pub struct Offline {
    store: Store,
    _lock: DirectoryLock,
}

impl Offline {
    /// Opens the sinks' state in a journal's directory; `None` if there is none. `origin` is what gap
    /// records say of where they come from.
    ///
    /// # Errors
    /// When another process has the journal, or the state can't be read.
    pub fn open(directory: &Path, origin: Origin) -> Result<Option<Self>, OpenError> {
        let lock = DirectoryLock::take(directory)?;
        let store = Store::open_existing(directory, origin).map_err(OpenError::io(directory))?;
        Ok(store.map(|store| Self { store, _lock: lock }))
    }

    /// How far every sink is in a journal that ends at `end`. Which of them are configured is not
    /// known here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn status(&self, end: Position) -> io::Result<Vec<SinkStatus>> {
        let mut all = Vec::new();
        for (sink, progress) in self.store.sinks()? {
            let cursor = progress.cursor.max(progress.snapshot_to);
            let dead = self.store.dead_total(&sink);
            let mut status = SinkStatus::idle(sink, cursor, end, dead);
            if let Known::Kept(kept) = self.store.load(&status.sink)? {
                status.retrying = kept.lanes.iter().map(|(_, events)| *events).sum();
            }
            all.push(status);
        }
        Ok(all)
    }

    /// A sink's dead letters behind a position, at most so many.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn dead_letters(&self, sink: &SinkName, after: Position, most: usize) -> io::Result<Vec<DeadLetter>> {
        self.store.dead(sink, after, most)
    }

    /// Where a sink's dead letter of this event lies.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn find_dead(&self, sink: &SinkName, id: EventId) -> io::Result<Option<Position>> {
        self.store.find_dead(sink, id)
    }

    /// Puts dead letters of a sink back, to be tried anew when the server starts. A `connected` whose
    /// `disconnected` was taken is put back only by `force`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn retry_dead(&self, sink: &SinkName, which: Letters, force: bool) -> io::Result<Retried> {
        let revival = self.store.revive(sink, which, force)?;
        let queued = revival.revived.len() as u64;
        Ok(Retried { queued, withheld: revival.withheld, left: revival.left })
    }

    /// Drops dead letters of a sink, which is told by a gap. How many they were.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn drop_dead(&self, sink: &SinkName, which: Letters, now: Timestamp) -> io::Result<u64> {
        Ok(self.store.drop_dead(sink, which, now)?.0)
    }

    /// Forgets a sink, with its cursor and dead letters. Whether it was there.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(&self, sink: &SinkName) -> io::Result<bool> {
        let is_there = self.store.sinks()?.iter().any(|(known, _)| known == sink);
        self.store.remove(sink)?;
        Ok(is_there)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::testing::{Folder, Memory, Recorder, origin, pairs};
    use super::super::{AnySink, Dispatcher, SinkConfig, SinkOptions, Verdict};
    use super::*;
    use crate::source::Source;

    /// A sink that is served until nothing is left to do.
    async fn serve(source: &Arc<Memory>, folder: &Folder, name: &SinkName, sink: &Recorder) {
        let sink = AnySink::new(sink.clone());
        let config = SinkConfig { name: name.clone(), sink, options: SinkOptions::default() };
        let source: Arc<dyn Source> = Arc::clone(source) as _;
        let dispatcher = Dispatcher::start(source, &folder.0, origin(), vec![config]).await.unwrap();
        while dispatcher.status().await.iter().any(|status| status.lag_events > 0) {
            tokio::task::yield_now().await;
        }
        dispatcher.stop(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn dead_letters_are_put_back_for_the_next_start() {
        let (source, folder) = (Memory::new(Vec::new()), Folder::new());
        let name: SinkName = "test".parse().unwrap();
        let open = || Offline::open(&folder.0, origin());
        assert!(open().unwrap().is_none());
        let bad = Recorder::new(|delivery| {
            let is_chosen = [4, 6].contains(&delivery.position().value());
            Some(if is_chosen { Verdict::Refused { why: "422".into() } } else { Verdict::Acked })
        });
        serve(&source, &folder, &name, &bad).await;
        pairs(4).into_iter().for_each(|entry| source.append(entry));
        serve(&source, &folder, &name, &bad).await;

        let offline = open().unwrap().unwrap();
        assert!(matches!(open(), Err(OpenError::InUse(_))));
        let letters = offline.dead_letters(&name, Position::START, 10).unwrap();
        let [first, second] = &letters[..] else { panic!("{letters:?}") };
        assert_eq!(offline.find_dead(&name, second.id).unwrap(), Some(second.position));
        let retried = offline.retry_dead(&name, Letters::One(first.position), false).unwrap();
        assert_eq!(retried, Retried { queued: 1, withheld: 0, left: 0 });
        let dropped = offline.drop_dead(&name, Letters::All, Timestamp::from_unix_micros(1)).unwrap();
        assert_eq!(dropped, 1);
        let status = offline.status(Position::new(8)).unwrap().remove(0);
        assert_eq!((status.dead_letters, status.retrying, status.lag_events), (0, 2, 0));
        drop(offline);

        let good = Recorder::good();
        serve(&source, &folder, &name, &good).await;
        let mut seen: Vec<_> = good.seen().iter().map(|delivery| delivery.position().value()).collect();
        seen.sort_unstable();
        assert_eq!(seen, [4, 6], "one is put back, the gap stands for the other");
        let offline = open().unwrap().unwrap();
        assert!(offline.remove(&name).unwrap() && !offline.remove(&name).unwrap());
    }
}
