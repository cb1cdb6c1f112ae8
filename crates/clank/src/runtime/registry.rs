//! The connections that are open, found by number, by session and by whose they are.
//!
//! Workers take its lock for each client that comes or goes: whoever reads many connections reads
//! them page by page.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use clank_core::wamp1::SessionId;

use super::hub::Member as _;
use super::peer::Peer;
use super::room::shrink_map;
use super::sync::RandomState;

/// The connections that are open.
#[derive(Default)]
pub(super) struct Registry {
    /// In the order of their numbers, so that a page can go on where the one before it ended.
    peers: BTreeMap<u64, Arc<Peer>>,
    sessions: HashMap<SessionId, u64>,
    /// Hash of the user's id, and number, of each connection that has an identity. Connections of
    /// other users may share the hash; the ids themselves are not held a second time.
    identified: BTreeSet<(u64, u64)>,
    hasher: RandomState,
}

impl Registry {
    pub(super) fn add(&mut self, peer: &Arc<Peer>) {
        self.sessions.insert(peer.session_id, peer.id());
        if let Some(entry) = self.identity_of(peer) {
            self.identified.insert(entry);
        }
        self.peers.insert(peer.id(), Arc::clone(peer));
    }

    /// `false`: it was there no longer.
    pub(super) fn remove(&mut self, peer: &Peer) -> bool {
        self.sessions.remove(&peer.session_id);
        shrink_map(&mut self.sessions);
        if let Some(entry) = self.identity_of(peer) {
            self.identified.remove(&entry);
        }
        self.peers.remove(&peer.id()).is_some()
    }

    pub(super) fn count(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn find(&self, id: u64) -> Option<&Arc<Peer>> {
        self.peers.get(&id)
    }

    pub(super) fn find_session(&self, session: SessionId) -> Option<u64> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.peers.values()
    }

    /// Those whose numbers are greater than `after`, in rising order.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = &Arc<Peer>> {
        let from = after.saturating_add(1);
        self.peers.range(from..).map(|(_, peer)| peer)
    }

    /// Those of one user, in the order of their numbers.
    pub(super) fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Arc<Peer>> {
        let hash = self.hasher.hash_one(user);
        let same_hash = self.identified.range((hash, 0)..=(hash, u64::MAX));
        same_hash.filter_map(|(_, id)| self.find(*id)).filter(move |peer| user_of(peer) == Some(user))
    }

    fn identity_of(&self, peer: &Peer) -> Option<(u64, u64)> {
        Some((self.hasher.hash_one(user_of(peer)?), peer.id()))
    }
}

fn user_of(peer: &Peer) -> Option<&str> {
    peer.facts.identity.as_ref().map(|identity| &*identity.id)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use clank_core::event::Identity;
    use clank_core::limits::Limits;

    use super::*;
    use crate::runtime::fixtures;

    fn ids<'a>(peers: impl Iterator<Item = &'a Arc<Peer>>) -> Vec<u64> {
        peers.map(|peer| peer.id()).collect()
    }

    #[tokio::test]
    async fn connections_are_found_by_number_session_and_user() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let users = [Some("anna"), None, Some("ben"), Some("anna"), Some("")];
        let peers: Vec<_> = (1..).zip(users).map(|(id, user)| fixtures::peer_of(&engine, id, user)).collect();
        let mut registry = Registry::default();
        for number in [4, 0, 2, 3, 1] {
            registry.add(&peers[number]);
        }
        assert_eq!(ids(registry.all()), [1, 2, 3, 4, 5]);
        assert_eq!((ids(registry.after(0)), ids(registry.after(3))), (vec![1, 2, 3, 4, 5], vec![4, 5]));
        assert_eq!(ids(registry.after(u64::MAX)), [0_u64; 0]);
        assert_eq!(registry.find_session(peers[2].session_id), Some(3));
        for (user, of) in [("anna", &[1, 4][..]), ("ben", &[3]), ("", &[5]), ("ann", &[])] {
            assert_eq!(ids(registry.of(user)), of, "{user:?}");
        }
        registry.remove(&peers[0]);
        assert_eq!(ids(registry.of("anna")), [4]);
        peers.iter().for_each(|peer| _ = registry.remove(peer));
        assert!(registry.sessions.is_empty() && registry.identified.is_empty() && registry.count() == 0);
    }

    #[tokio::test]
    async fn users_whose_ids_have_one_hash_are_told_apart() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let mut registry = Registry::default();
        let [anna, ben] =
            [(1, "anna"), (2, "ben")].map(|(id, user)| fixtures::peer_of(&engine, id, Some(user)));
        registry.add(&anna);
        registry.add(&ben);
        let hash = registry.hasher.hash_one("anna");
        registry.identified.insert((hash, 2));
        assert_eq!(ids(registry.of("anna")), [1]);
        assert_eq!(anna.facts.identity.as_deref(), Some(&Identity::new("anna")));
    }
}
