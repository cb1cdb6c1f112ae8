//! Topics, found by their URI, and the locks around them.
//!
//! Locks are taken in the order shard, subscription, a member's own list, outbound queue, never
//! back, and none is held across a system call. A shard's lock only finds or forgets a topic;
//! members are added, removed and served under the lock of the topic's subscription, so that every
//! member hears one publisher's events in order.
//!
//! This file is a hot path: publishing takes two locks, allocates nothing and copies no event.

mod cell;
mod held;
mod lookup;

pub(crate) use cell::{Cell, Joined, Left, OWN, Walk};
pub(crate) use held::{Held, NotSubscribed};

use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::SystemTime;

use clank_core::pattern::Trie;
use clank_core::subscription::{Audience, Deliver};
use clank_wire::wamp2::{Match, Pattern, Rules};

use cell::State;

use super::members::Members;
use super::room::shrink_map;
use super::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use super::sync::{Mutex, RandomState, lock};

const SHARDS: usize = 64;
/// Places where subscriptions are found: the shards, and the patterns.
const PLACES: u64 = SHARDS as u64 + 1;

/// Who can subscribe: a connection.
pub(crate) trait Member: Sized {
    /// The connection's resource id.
    fn id(&self) -> u64;
    /// What it is subscribed to.
    fn held(&self) -> &Mutex<Held<Self>>;
}

/// Takes what is published to the members of one subscription after another.
pub(crate) trait Outlet<M>: Deliver<Arc<M>> {
    /// What is delivered from now on is delivered to members of this subscription, which may be one
    /// to a pattern of topics.
    fn begin(&mut self, subscription: u64, to_pattern: bool) {
        _ = (subscription, to_pattern);
    }
}

type Shard<M> = Mutex<HashMap<Arc<str>, Arc<Cell<M>>>>;

/// All topics that have subscribers.
pub(crate) struct Hub<M: Member> {
    shards: Box<[Shard<M>]>,
    hasher: RandomState,
    /// Subscriptions so far.
    count: AtomicU64,
    /// The subscriptions to patterns. The lock is as a shard's: it only finds and forgets.
    patterns: Mutex<Trie<Arc<Cell<M>>>>,
    /// How many those are: where there are none, publishing takes no lock for them.
    pattern_count: AtomicUsize,
    /// How many subscriptions there are whose members hear meta events.
    watches: AtomicUsize,
}

impl<M: Member> Hub<M> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            count: AtomicU64::new(0),
            patterns: Mutex::default(),
            pattern_count: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
        }
    }

    /// Subscribes `member`; `false` if it was subscribed before. `limit` bounds its subscriptions.
    #[cfg(all(test, feature = "shuttle"))]
    pub(crate) fn subscribe(&self, uri: &str, member: &Arc<M>, limit: usize) -> Result<bool, NotSubscribed> {
        Ok(self.subscribe_with(uri, member, limit, |_| ())?.is_new)
    }

    /// The same. `subscribed` is called with the subscription's number before anything is published to the
    /// member; as [`Deliver::deliver`] it may push to the member's queue and no more.
    pub(crate) fn subscribe_with(
        &self,
        uri: &str,
        member: &Arc<M>,
        limit: usize,
        subscribed: impl FnOnce(u64),
    ) -> Result<Joined<M>, NotSubscribed> {
        self.add(|| self.find_or_insert(uri), member, limit, subscribed)
    }

    /// As [`subscribe_with`](Self::subscribe_with), to a pattern of topics.
    pub(crate) fn subscribe_to_pattern(
        &self,
        pattern: &Pattern<'_>,
        member: &Arc<M>,
        limit: usize,
        subscribed: impl FnOnce(u64),
    ) -> Result<Joined<M>, NotSubscribed> {
        self.add(|| self.find_or_insert_pattern(pattern), member, limit, subscribed)
    }

    fn add(
        &self,
        find: impl Fn() -> Arc<Cell<M>>,
        member: &Arc<M>,
        limit: usize,
        subscribed: impl FnOnce(u64),
    ) -> Result<Joined<M>, NotSubscribed> {
        loop {
            let cell = find();
            let mut state = lock(&cell.state);
            if state.forgotten {
                continue;
            }
            if state.members.has(member.id()) {
                subscribed(cell.id);
                drop(state);
                return Ok(Joined { cell, is_new: false, is_first: false });
            }
            match lock(member.held()).add(&cell, limit) {
                Ok(()) => {
                    subscribed(cell.id);
                    let is_first = state.members.is_empty() && !cell.pinned;
                    state.members.add(Arc::clone(member));
                    drop(state);
                    return Ok(Joined { cell, is_new: true, is_first });
                }
                Err(not_subscribed) => {
                    drop(state);
                    self.forget_if_empty(&cell);
                    return Err(not_subscribed);
                }
            }
        }
    }

    /// Unsubscribes `member`; `None` if it was not subscribed.
    pub(crate) fn unsubscribe(&self, uri: &str, member: &M) -> Option<Left<M>> {
        self.remove(self.find(uri)?, member, || ())
    }

    /// Ends the subscription of that number and returns it; `None` if `member` has no such
    /// subscription. `unsubscribed` is called when nothing more is published to the member.
    pub(crate) fn unsubscribe_from(
        &self,
        subscription: u64,
        member: &M,
        unsubscribed: impl FnOnce(),
    ) -> Option<Left<M>> {
        let cell = lock(member.held()).topics.iter().find(|cell| cell.id == subscription).cloned()?;
        self.remove(cell, member, unsubscribed)
    }

    fn remove(&self, cell: Arc<Cell<M>>, member: &M, removed: impl FnOnce()) -> Option<Left<M>> {
        {
            let mut state = lock(&cell.state);
            if !state.members.remove(member.id()) {
                return None;
            }
            removed();
            lock(member.held()).remove(&cell);
        }
        let is_last = self.forget_if_empty(&cell);
        Some(Left { cell, is_last })
    }

    /// The number of the subscription to `uri`, if `member` has it.
    pub(crate) fn subscription_of(&self, uri: &str, member: &M) -> Option<u64> {
        lock(member.held())
            .topics
            .iter()
            .find(|cell| !cell.is_pattern() && &*cell.uri == uri)
            .map(|cell| cell.id)
    }

    /// Ends all subscriptions of a member that closes, and lets it have no more. Returns the
    /// topics of those that no [`unsubscribe`](Self::unsubscribe) has ended at the same time.
    pub(crate) fn leave(&self, member: &M) -> Vec<Left<M>> {
        let topics = lock(member.held()).close();
        let leave = |cell: Arc<Cell<M>>| {
            let left = lock(&cell.state).members.remove(member.id());
            let is_last = self.forget_if_empty(&cell);
            left.then_some(Left { cell, is_last })
        };
        topics.into_iter().filter_map(leave).collect()
    }

    /// Hands what is published on `uri` to each member of the audience; returns how many.
    pub(crate) fn publish(&self, uri: &str, audience: &Audience, out: &mut impl Outlet<M>) -> usize {
        let mut receivers = 0;
        for cell in self.find(uri).into_iter().chain(self.patterns_of(uri)) {
            cell.begin(out);
            receivers += lock(&cell.state).members.publish(audience, out);
        }
        receivers
    }

    /// As [`publish`](Self::publish), but where the members are very many only to some of them: the
    /// [`Walk`] leads to the others.
    ///
    /// Until its end the publisher's next message must wait; then every member still hears one
    /// publisher's events in order. Who subscribes or leaves meanwhile may hear this one or not.
    pub(crate) fn begin(&self, uri: &str, audience: &Audience, out: &mut impl Outlet<M>) -> Vec<Walk<M>> {
        let mut walks = Vec::new();
        for cell in self.find(uri).into_iter().chain(self.patterns_of(uri)) {
            cell.begin(out);
            let mut state = lock(&cell.state);
            if !state.members.is_divided() {
                state.members.publish(audience, out);
                continue;
            }
            let Some(next) = state.members.publish_some(0, audience, out) else { continue };
            state.members.begin_walk();
            drop(state);
            walks.push(Walk::from(cell, next));
        }
        walks
    }

    /// Whether what is published there is handed out part by part.
    pub(crate) fn is_divided(&self, uri: &str) -> bool {
        let mut cells = self.find(uri).into_iter().chain(self.patterns_of(uri));
        cells.any(|cell| lock(&cell.state).members.is_divided())
    }

    /// The topics that a member is subscribed to.
    pub(crate) fn topics_of(&self, member: &M) -> Vec<Arc<str>> {
        let held = lock(member.held());
        held.topics.iter().filter(|cell| !cell.is_pattern()).map(|cell| Arc::clone(&cell.uri)).collect()
    }

    pub(crate) fn members(&self, uri: &str) -> Vec<Arc<M>> {
        let members = |cell: Arc<Cell<M>>| lock(&cell.state).members.iter().map(Arc::clone).collect();
        self.find(uri).map(members).unwrap_or_default()
    }

    /// The resource ids of the members, in rising order: the lock is held for less long than by
    /// [`members`](Self::members), which touches every one of them.
    pub(crate) fn member_ids(&self, uri: &str) -> Vec<u64> {
        let ids = |cell: Arc<Cell<M>>| lock(&cell.state).members.ids().collect();
        let mut ids: Vec<u64> = self.find(uri).map(ids).unwrap_or_default();
        ids.sort_unstable();
        ids
    }

    /// The first `count` topics, by their URIs, that have subscribers, begin with `prefix` and
    /// come after `after`.
    pub(crate) fn topics_after(&self, prefix: &str, after: &str, count: usize) -> Vec<Arc<str>> {
        let mut first = BinaryHeap::new();
        for shard in &self.shards {
            let shard = lock(shard);
            for cell in shard.values().filter(|cell| cell.uri.starts_with(prefix) && &*cell.uri > after) {
                if !cell.is_used() {
                    continue;
                }
                first.push(Arc::clone(&cell.uri));
                if first.len() > count {
                    first.pop();
                }
            }
        }
        first.into_sorted_vec()
    }

    pub(crate) fn count(&self, uri: &str) -> usize {
        self.find(uri).map_or(0, |cell| lock(&cell.state).members.count())
    }

    pub(crate) fn has(&self, uri: &str, id: u64) -> bool {
        self.find(uri).is_some_and(|cell| lock(&cell.state).members.has(id))
    }

    /// How many topics have subscribers.
    pub(crate) fn topics(&self) -> usize {
        let patterns = lock(&self.patterns).values().filter(|cell| cell.is_used()).count();
        let used = |shard: &Shard<M>| lock(shard).values().filter(|cell| cell.is_used()).count();
        self.shards.iter().map(used).sum::<usize>() + patterns
    }

    /// Whether anybody hears meta events.
    pub(crate) fn is_watched(&self) -> bool {
        self.watches.load(Ordering::Relaxed) > 0
    }

    fn place(&self, uri: &str) -> usize {
        self.hasher.hash_one(uri) as usize % self.shards.len()
    }

    fn shard(&self, uri: &str) -> &Shard<M> {
        // The remainder is below the number of shards.
        &self.shards[self.place(uri)]
    }

    fn find(&self, uri: &str) -> Option<Arc<Cell<M>>> {
        lock(self.shard(uri)).get(uri).cloned()
    }

    fn find_or_insert(&self, uri: &str) -> Arc<Cell<M>> {
        let mut shard = lock(self.shard(uri));
        if let Some(cell) = shard.get(uri) {
            return Arc::clone(cell);
        }
        let cell = self.new_cell(uri, Match::Exact, false);
        shard.insert(Arc::clone(&cell.uri), Arc::clone(&cell));
        cell
    }

    fn find_or_insert_pattern(&self, pattern: &Pattern<'_>) -> Arc<Cell<M>> {
        let mut patterns = lock(&self.patterns);
        if let Some(cell) = patterns.value(pattern) {
            return Arc::clone(cell);
        }
        let cell = self.new_cell(pattern.as_str(), pattern.matching(), false);
        patterns.insert(pattern, Arc::clone(&cell));
        self.pattern_count.store(patterns.count(), Ordering::Release);
        cell
    }

    /// Has a subscription to that, whether somebody subscribes or not: it has a number.
    pub(crate) fn pin(&self, pattern: &Pattern<'_>) {
        let cell = self.new_cell(pattern.as_str(), pattern.matching(), true);
        if cell.is_pattern() {
            let mut patterns = lock(&self.patterns);
            patterns.insert(pattern, cell);
            self.pattern_count.store(patterns.count(), Ordering::Release);
        } else {
            lock(self.shard(&cell.uri)).insert(Arc::clone(&cell.uri), cell);
        }
    }

    /// Its number says where it is found.
    fn new_cell(&self, uri: &str, matching: Match, pinned: bool) -> Arc<Cell<M>> {
        let state = Mutex::new(State { members: Members::new(), forgotten: false });
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let place = if matching == Match::Exact { self.place(uri) } else { SHARDS };
        let id = number * PLACES + place as u64;
        let created = SystemTime::now().into();
        let cell = Arc::new(Cell { uri: uri.into(), id, matching, created, pinned, state });
        if cell.is_watch() {
            self.watches.fetch_add(1, Ordering::Relaxed);
        }
        cell
    }

    fn forget(&self, cell: &Cell<M>) {
        if cell.is_watch() {
            self.watches.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The subscriptions to patterns that `uri` matches.
    fn patterns_of(&self, uri: &str) -> Vec<Arc<Cell<M>>> {
        if self.pattern_count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let patterns = lock(&self.patterns).clone();
        patterns.matches(uri).cloned().collect()
    }

    /// `true`: it has just come to its end.
    fn forget_if_empty(&self, cell: &Arc<Cell<M>>) -> bool {
        if cell.pinned || !lock(&cell.state).members.is_empty() {
            return false;
        }
        if cell.is_pattern() {
            return self.forget_pattern_if_empty(cell);
        }
        let mut shard = lock(self.shard(&cell.uri));
        let mut state = lock(&cell.state);
        if state.members.is_empty() && !state.forgotten {
            state.forgotten = true;
            shard.remove(&cell.uri);
            shrink_map(&mut shard);
            self.forget(cell);
            return true;
        }
        false
    }

    fn forget_pattern_if_empty(&self, cell: &Arc<Cell<M>>) -> bool {
        // It was a pattern when it was subscribed to, by rules that are as strict as these or more.
        let Ok(pattern) = Pattern::parse(&*cell.uri, cell.matching, Rules::Loose) else { return false };
        let mut patterns = lock(&self.patterns);
        let mut state = lock(&cell.state);
        if state.members.is_empty() && !state.forgotten {
            state.forgotten = true;
            patterns.remove(&pattern);
            self.pattern_count.store(patterns.count(), Ordering::Release);
            self.forget(cell);
            return true;
        }
        false
    }
}
