//! Subscriptions, found by other things than the topic of an event.

use std::sync::Arc;

use clank_wire::wamp2::{Match, Pattern, Rules};

use super::super::sync::lock;
use super::{Cell, Hub, Member, PLACES, SHARDS};

impl<M: Member> Hub<M> {
    /// The subscription of that number. It looks at one in 64 of those that there are, or at all
    /// patterns.
    pub(crate) fn subscription(&self, id: u64) -> Option<Arc<Cell<M>>> {
        let place = usize::try_from(id % PLACES).unwrap_or(SHARDS);
        match self.shards.get(place) {
            Some(shard) => lock(shard).values().find(|cell| cell.id == id).cloned(),
            None => lock(&self.patterns).values().find(|cell| cell.id == id).cloned(),
        }
    }

    /// The subscription to exactly that topic or pattern.
    pub(crate) fn lookup(&self, uri: &str, matching: Match) -> Option<Arc<Cell<M>>> {
        if matching == Match::Exact {
            return self.find(uri);
        }
        let pattern = Pattern::parse(uri, matching, Rules::Loose).ok()?;
        lock(&self.patterns).value(&pattern).cloned()
    }

    /// The subscriptions whose members hear what is published to `uri`.
    pub(crate) fn matching(&self, uri: &str) -> Vec<Arc<Cell<M>>> {
        self.find(uri).into_iter().chain(self.patterns_of(uri)).collect()
    }

    /// The numbers of all subscriptions, with how they are matched; `None` if they are more than
    /// `limit`.
    pub(crate) fn subscriptions(&self, limit: usize) -> Option<Vec<(Match, u64)>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            if shard.len() > limit - all.len() {
                return None;
            }
            all.extend(shard.values().map(|cell| (cell.matching, cell.id)));
        }
        let patterns = lock(&self.patterns);
        if patterns.count() > limit - all.len() {
            return None;
        }
        all.extend(patterns.values().map(|cell| (cell.matching, cell.id)));
        Some(all)
    }
}
