//! Resource ids, given from blocks that are reserved on the disk.

use std::sync::atomic::{AtomicU64, Ordering};

use clank_core::id::ResourceId;

/// How many ids are reserved at once.
pub(crate) const BLOCK: u64 = 1 << 20;

/// The ids of one run. A restart goes on after the last reserved block, so that no id is given twice.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// The next one; 0 before a run has begun.
    next: AtomicU64,
    /// The first one that is not reserved.
    end: AtomicU64,
}

impl Ids {
    /// An id, and whether more should be reserved. `None` while all that are reserved have been given.
    pub(crate) fn next(&self) -> (Option<ResourceId>, bool) {
        let end = self.end.load(Ordering::Acquire);
        let more = |next| (next < end).then_some(next + 1);
        let taken = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        match taken {
            Ok(id) => (ResourceId::new(id), id == end - BLOCK / 2),
            Err(_) => (None, end != 0),
        }
    }

    /// Begins with `first`, of which nothing is reserved yet.
    pub(crate) fn start(&self, first: u64) {
        self.end.store(first, Ordering::Relaxed);
        self.next.store(first, Ordering::Release);
    }

    /// The end of the block that should be reserved now, if one should.
    pub(crate) fn wanted(&self) -> Option<u64> {
        let end = self.end.load(Ordering::Relaxed);
        let left = end.saturating_sub(self.next.load(Ordering::Relaxed));
        let more = (end + BLOCK).min(ResourceId::MAX + 1);
        (end != 0 && left <= BLOCK / 2 && more > end).then_some(more)
    }

    /// All up to `end` are reserved.
    pub(crate) fn grant(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_block_is_renewed_when_half_of_it_is_used() {
        let ids = Ids::default();
        assert_eq!(ids.next(), (None, false), "no run has begun");
        assert_eq!(ids.wanted(), None);
        ids.start(5);
        assert_eq!(ids.next(), (None, true));
        assert_eq!(ids.wanted(), Some(5 + BLOCK));
        ids.grant(5 + BLOCK);
        assert_eq!(ids.next(), (ResourceId::new(5), false));
        let asked: Vec<u64> = (6..5 + BLOCK).filter(|_| ids.next().1).collect();
        assert_eq!(asked, [5 + BLOCK / 2]);
        assert_eq!(ids.next(), (None, true));
        assert_eq!(ids.wanted(), Some(5 + 2 * BLOCK));
    }

    #[test]
    fn the_last_id_is_what_json_readers_hold() {
        let ids = Ids::default();
        ids.start(ResourceId::MAX);
        let end = ids.wanted().unwrap();
        ids.grant(end);
        assert_eq!(ids.next().0.unwrap().value(), ResourceId::MAX);
        assert_eq!(ids.next().0, None);
        assert_eq!(ids.wanted(), None);
    }
}
