//! What one member is subscribed to.

use std::sync::Arc;

use super::{Cell, Member};

/// A member's subscriptions.
#[derive(Debug)]
pub(crate) struct Held<M: Member> {
    /// The connection is closing: a subscribe that races the close fails.
    closed: bool,
    pub(super) topics: Vec<Arc<Cell<M>>>,
}

impl<M: Member> Default for Held<M> {
    fn default() -> Self {
        Self { closed: false, topics: Vec::new() }
    }
}

/// Why a subscription was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSubscribed {
    #[error("the connection is closing")]
    Closing,
    #[error("the connection has as many subscriptions as one may have ({0})")]
    TooMany(usize),
    #[error("the client has not asked for it")]
    Unasked,
}

impl<M: Member> Held<M> {
    pub(super) fn add(&mut self, cell: &Arc<Cell<M>>, limit: usize) -> Result<(), NotSubscribed> {
        if self.closed {
            return Err(NotSubscribed::Closing);
        }
        if self.topics.len() >= limit {
            return Err(NotSubscribed::TooMany(limit));
        }
        if self.topics.capacity() == 0 {
            // Most connections have one or two subscriptions: not the four that a vector begins with.
            self.topics.reserve_exact(1);
        }
        self.topics.push(Arc::clone(cell));
        Ok(())
    }

    pub(super) fn remove(&mut self, cell: &Arc<Cell<M>>) {
        if let Some(at) = self.topics.iter().position(|held| Arc::ptr_eq(held, cell)) {
            self.topics.swap_remove(at);
        }
    }

    pub(super) fn close(&mut self) -> Vec<Arc<Cell<M>>> {
        self.closed = true;
        std::mem::take(&mut self.topics)
    }
}
