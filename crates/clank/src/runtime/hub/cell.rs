//! One subscription: its members, and the lock around them.

use std::sync::Arc;

use clank_core::subscription::Audience;
use clank_wire::wamp2::Match;

use super::super::members::Members;
use super::super::sync::{Mutex, lock};
use super::{Member, Outlet};

/// One topic that has, or just had, subscribers.
pub(crate) struct Cell<M: Member> {
    pub uri: Arc<str>,
    /// The number of the subscription, which nothing else in the hub ever has.
    pub id: u64,
    /// How the URIs of topics are compared with its own.
    pub(super) matching: Match,
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

impl<M: Member> Cell<M> {
    /// Whether it is a subscription to a pattern of topics.
    pub(crate) fn is_pattern(&self) -> bool {
        self.matching != Match::Exact
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
    /// Begins behind the first part.
    pub(super) const fn behind_first(cell: Arc<Cell<M>>) -> Self {
        Self { cell, next: 1 }
    }

    /// Hands what is published to those in the next part. `false`: it was the last.
    pub(crate) fn go_on(&mut self, audience: &Audience, out: &mut impl Outlet<M>) -> bool {
        self.cell.begin(out);
        let part = self.next;
        self.next += 1;
        lock(&self.cell.state).members.publish_part(part, audience, out)
    }
}

impl<M: Member> Drop for Walk<M> {
    fn drop(&mut self) {
        lock(&self.cell.state).members.end_walk();
    }
}
