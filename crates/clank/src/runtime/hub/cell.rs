//! One subscription: its members, and the lock around them.

use std::sync::Arc;

use clank_core::event::Timestamp;
use clank_core::pattern::overlap;
use clank_core::subscription::Audience;
use clank_wire::wamp2::{Match, Pattern, Rules};

use super::super::members::Members;
use super::super::sync::{Mutex, lock};
use super::{Member, Outlet};

/// What the topics begin with that are WAMP's own.
pub(crate) const OWN: &str = "wamp.";

/// One topic that has, or just had, subscribers.
pub(crate) struct Cell<M: Member> {
    pub uri: Arc<str>,
    /// The number of the subscription, which nothing else in the hub ever has.
    pub id: u64,
    /// How the URIs of topics are compared with its own.
    pub matching: Match,
    /// When it came to be.
    pub created: Timestamp,
    /// It is kept when it has no members.
    pub(super) pinned: bool,
    pub(super) state: Mutex<State<M>>,
}

impl<M: Member> std::fmt::Debug for Cell<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell").field("uri", &self.uri).finish_non_exhaustive()
    }
}

pub(super) struct State<M: Member> {
    pub members: Members<M>,
    /// The last member left and the shard has forgotten this cell: look the topic up again.
    pub forgotten: bool,
}

/// A member of a subscription that it may have just become.
#[derive(Debug)]
pub(crate) struct Joined<M: Member> {
    pub cell: Arc<Cell<M>>,
    /// It was none before.
    pub is_new: bool,
    /// The subscription is new too.
    pub is_first: bool,
}

/// A member of a subscription that it is no longer.
#[derive(Debug)]
pub(crate) struct Left<M: Member> {
    pub cell: Arc<Cell<M>>,
    /// The subscription has come to its end.
    pub is_last: bool,
}

impl<M: Member> Cell<M> {
    /// Whether it is a subscription to a pattern of topics.
    pub(crate) fn is_pattern(&self) -> bool {
        self.matching != Match::Exact
    }

    /// How many members it has.
    pub(crate) fn count(&self) -> usize {
        lock(&self.state).members.count()
    }

    /// Its members, unless they are more than `limit`.
    pub(crate) fn members(&self, limit: usize) -> Option<Vec<Arc<M>>> {
        let state = lock(&self.state);
        (state.members.count() <= limit).then(|| state.members.iter().map(Arc::clone).collect())
    }

    /// Whether `id` is a member.
    pub(crate) fn has(&self, id: u64) -> bool {
        lock(&self.state).members.has(id)
    }

    /// Whether it is there for subscribers, and not only to have a number.
    pub(super) fn is_used(&self) -> bool {
        !self.pinned || !lock(&self.state).members.is_empty()
    }

    /// Whether its members hear meta events.
    pub(super) fn is_watch(&self) -> bool {
        match self.matching {
            Match::Exact => self.uri.starts_with(OWN),
            matching => {
                let own = Pattern::parse(OWN, Match::Prefix, Rules::Loose);
                // It was a pattern when it was subscribed to.
                let pattern = Pattern::parse(&*self.uri, matching, Rules::Loose);
                own.is_ok_and(|own| pattern.is_ok_and(|pattern| overlap(&own, &pattern)))
            }
        }
    }

    pub(super) fn begin(&self, out: &mut impl Outlet<M>) {
        out.begin(self.id, self.is_pattern());
    }
}

/// The way of one publication through a topic's parts.
pub(crate) struct Walk<M: Member> {
    cell: Arc<Cell<M>>,
    next: usize,
}

impl<M: Member> Walk<M> {
    /// Begins with part `next`; those before have had theirs.
    pub(super) const fn from(cell: Arc<Cell<M>>, next: usize) -> Self {
        Self { cell, next }
    }

    /// Hands what is published to those in the next parts. `false`: that was all.
    pub(crate) fn go_on(&mut self, audience: &Audience, out: &mut impl Outlet<M>) -> bool {
        self.cell.begin(out);
        let next = lock(&self.cell.state).members.publish_some(self.next, audience, out);
        self.next = next.unwrap_or(self.next);
        next.is_some()
    }
}

impl<M: Member> Drop for Walk<M> {
    fn drop(&mut self) {
        lock(&self.cell.state).members.end_walk();
    }
}
