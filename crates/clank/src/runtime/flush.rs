//! In which order a worker writes, so that one large audience does not hold up everybody else.
//!
//! What a connection caused is written at the end of the turn, unless it is for very many: then it
//! becomes a segment of the backlog, which is written bit by bit between the turns. A publisher is
//! not read again until what it published is written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::peer::Peer;
use super::slots::Token;

/// Flushes that one connection may cause and still have them written in the same turn.
const SMALL: usize = 64;

/// What a worker still has to write.
#[derive(Default)]
pub(crate) struct Flushes {
    fresh: VecDeque<Arc<Peer>>,
    backlog: VecDeque<Segment>,
}

/// Flushes caused together.
struct Segment {
    peers: VecDeque<Arc<Peer>>,
    /// Connections that are read again once this is written.
    paused: Vec<Token>,
}

impl Flushes {
    /// Takes the flushes that the connection `by` caused; `behind` is how many more it caused that
    /// somebody owed already. `true`: it must not be read until [`next`](Self::next) returns it.
    pub(crate) fn add(&mut self, peers: Vec<Arc<Peer>>, behind: usize, by: Option<Token>) -> bool {
        if peers.len() > SMALL {
            self.backlog.push_back(Segment { peers: peers.into(), paused: by.into_iter().collect() });
            return by.is_some();
        }
        self.fresh.extend(peers);
        match (self.backlog.back_mut(), by) {
            (Some(last), Some(by)) if behind > SMALL => {
                last.paused.push(by);
                true
            }
            _ => false,
        }
    }

    /// Adds a flush that is still owed.
    pub(crate) fn again(&mut self, peer: Arc<Peer>) {
        self.fresh.push_back(peer);
    }

    /// The next flush of those that are written in the same turn.
    pub(crate) fn next_fresh(&mut self) -> Option<Arc<Peer>> {
        let next = self.fresh.pop_front();
        if next.is_none() && self.fresh.capacity() > SMALL {
            self.fresh = VecDeque::new();
        }
        next
    }

    /// The next flush of the backlog.
    pub(crate) fn next_late(&mut self) -> Option<Arc<Peer>> {
        self.backlog.front_mut()?.peers.pop_front()
    }

    /// The connections that can be read again, because the first segment is written.
    pub(crate) fn take_resumed(&mut self) -> Vec<Token> {
        match self.backlog.pop_front_if(|segment| segment.peers.is_empty()) {
            Some(segment) => segment.paused,
            None => Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.backlog.is_empty()
    }
}
