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
    /// somebody owed already. `true`: it must not be read until [`take_resumed`](Self::take_resumed) returns it.
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

    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.backlog.is_empty()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::runtime::engine::Engine;
    use crate::runtime::fixtures;
    use clank_core::limits::Limits;

    fn token(number: usize) -> Token {
        Token::from_mio(mio::Token(number))
    }

    /// Flushes for the connections from `first` on.
    fn peers(engine: &Arc<Engine>, first: u64, count: usize) -> Vec<Arc<Peer>> {
        (first..).take(count).map(|id| fixtures::peer(engine, id, None)).collect()
    }

    fn ids(next: impl FnMut() -> Option<Arc<Peer>>) -> Vec<u64> {
        std::iter::from_fn(next).map(|peer| peer.facts.resource_id.value()).collect()
    }

    #[tokio::test]
    async fn few_are_written_in_the_same_turn_and_many_later() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let mut flushes = Flushes::default();
        assert!(!flushes.add(peers(&engine, 1, SMALL), 0, Some(token(1))));
        assert!(flushes.add(peers(&engine, 100, SMALL + 1), 0, Some(token(2))), "it is not read meanwhile");
        assert!(!flushes.add(peers(&engine, 200, SMALL + 1), 0, None), "there is nobody to pause");
        flushes.again(Arc::clone(&peers(&engine, 50, 1)[0]));
        assert_eq!(ids(|| flushes.next_fresh()), (1..=SMALL as u64).chain([50]).collect::<Vec<_>>());
        assert!(!flushes.is_empty());
        assert_eq!(ids(|| flushes.next_late()), (100..).take(SMALL + 1).collect::<Vec<_>>());
        assert_eq!(flushes.take_resumed(), [token(2)]);
        assert_eq!(ids(|| flushes.next_late()), (200..).take(SMALL + 1).collect::<Vec<_>>());
        assert_eq!(flushes.take_resumed(), []);
        assert!(flushes.is_empty());
    }

    #[tokio::test]
    async fn a_publisher_waits_for_what_it_queued_behind_others() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let mut flushes = Flushes::default();
        assert!(!flushes.add(Vec::new(), SMALL + 1, Some(token(1))), "there is no backlog to wait for");
        flushes.add(peers(&engine, 1, SMALL + 1), 0, Some(token(2)));
        flushes.add(peers(&engine, 100, SMALL + 1), 0, Some(token(3)));
        assert!(!flushes.add(Vec::new(), SMALL, Some(token(4))), "so few may go on");
        assert!(flushes.add(Vec::new(), SMALL + 1, Some(token(5))));
        assert_eq!(flushes.take_resumed(), [], "the first segment is not written yet");
        assert_eq!(ids(|| flushes.next_late()).len(), SMALL + 1);
        assert_eq!(flushes.take_resumed(), [token(2)]);
        assert_eq!(ids(|| flushes.next_late()).len(), SMALL + 1);
        assert_eq!(flushes.take_resumed(), [token(3), token(5)], "in the order of pausing");
        assert!(flushes.is_empty());
    }
}
