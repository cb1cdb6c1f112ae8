//! What changes in a realm, and is told in meta events if anybody wants to hear of it.

use std::sync::Arc;

use clank_core::cause::Cause;
use clank_wire::wamp2::{Id, Invoke, Pattern};

use super::super::dealer::{Left as LeftDealer, NotRegistered};
use super::super::hub::{Cell, NotSubscribed};
use super::super::peer::Peer;
use super::super::realm::Realm;
use super::super::sync::atomic::Ordering;
use super::super::turn::Turn;

/// What is subscribed to.
#[derive(Clone, Copy)]
pub(crate) enum To<'a> {
    Topic(&'a str),
    Pattern(&'a Pattern<'a>),
}

impl Realm {
    /// A session has begun.
    pub(crate) fn join(&self, peer: &Peer, turn: &mut Turn) {
        if peer.is_session() {
            let watch = self.watch();
            self.sessions.fetch_add(1, Ordering::Relaxed);
            if let Some(watch) = watch {
                watch.joined(peer, turn);
            }
        }
    }

    /// A session has ended. Only who has taken it out of the registry may call.
    pub(crate) fn leave(&self, peer: &Peer) {
        if peer.is_session() {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Tells of a session that has ended, and of why.
    pub(crate) fn tell_left(&self, peer: &Peer, why: (Cause, u16, &str), turn: &mut Turn) {
        if let Some(watch) = self.watch().filter(|_| peer.is_session()) {
            watch.left(peer, why, turn);
        }
    }

    /// Subscribes `peer`; `false` if it was subscribed before. `subscribed` is called with the
    /// subscription's number before anything is published to it.
    pub(crate) fn subscribe(
        &self,
        to: To<'_>,
        peer: &Arc<Peer>,
        turn: &mut Turn,
        subscribed: impl FnOnce(u64, &mut Turn),
    ) -> Result<bool, NotSubscribed> {
        let (limit, watch) = (peer.engine.limits().subscriptions.count(), self.watch());
        let announce = |id| subscribed(id, turn);
        let joined = match to {
            To::Topic(uri) => self.hub.subscribe_with(uri, peer, limit, announce),
            To::Pattern(pattern) => self.hub.subscribe_to_pattern(pattern, peer, limit, announce),
        }?;
        if let Some(watch) = watch {
            watch.subscribed(peer, &joined, turn);
        }
        Ok(joined.is_new)
    }

    /// Unsubscribes `peer` from a topic; `false` if it was not subscribed.
    pub(crate) fn unsubscribe(&self, uri: &str, peer: &Peer, turn: &mut Turn) -> bool {
        let watch = self.watch();
        let left = self.hub.unsubscribe(uri, peer);
        if let (Some(watch), Some(left)) = (watch, &left) {
            watch.unsubscribed(peer, left, turn);
        }
        left.is_some()
    }

    /// Ends the subscription of that number and returns it, if `peer` has it. `unsubscribed` is
    /// called when nothing more is published to it.
    pub(crate) fn unsubscribe_from(
        &self,
        subscription: u64,
        peer: &Peer,
        turn: &mut Turn,
        unsubscribed: impl FnOnce(&mut Turn),
    ) -> Option<Arc<Cell<Peer>>> {
        let watch = self.watch();
        let left = self.hub.unsubscribe_from(subscription, peer, || unsubscribed(turn))?;
        if let Some(watch) = watch {
            watch.unsubscribed(peer, &left, turn);
        }
        Some(left.cell)
    }

    /// Ends all subscriptions of one that closes, and returns them.
    pub(crate) fn leave_topics(&self, peer: &Peer, turn: &mut Turn) -> Vec<Arc<Cell<Peer>>> {
        let watch = self.watch();
        let left = self.hub.leave(peer);
        if let Some(watch) = watch {
            left.iter().for_each(|left| watch.unsubscribed(peer, left, turn));
        }
        left.into_iter().map(|left| left.cell).collect()
    }

    /// Has `peer` offer a procedure. `registered` is called with the registration's number before
    /// anything is invoked by it.
    pub(crate) fn register(
        &self,
        procedure: &Pattern<'_>,
        peer: &Arc<Peer>,
        how: (Invoke, bool),
        turn: &mut Turn,
        registered: impl FnOnce(Id, &mut Turn),
    ) -> Result<(), NotRegistered> {
        let (limit, watch) = (peer.engine.limits().subscriptions.count(), self.watch());
        let new = self.dealer.register(procedure, peer, how, limit, |id| registered(id, turn))?;
        if let Some(watch) = watch {
            watch.registered(peer, new.id, new.describe(procedure, how.0).as_ref(), turn);
        }
        Ok(())
    }

    /// Has `peer` offer a procedure no longer; `false`: it did not.
    pub(crate) fn unregister(
        &self,
        id: Id,
        peer: &Peer,
        turn: &mut Turn,
        unregistered: impl FnOnce(&mut Turn),
    ) -> bool {
        let watch = self.watch();
        let gone = self.dealer.unregister(id, peer, || unregistered(turn));
        if let (Some(watch), Some(gone)) = (watch, gone) {
            watch.unregistered(peer, gone, turn);
        }
        gone.is_some()
    }

    /// Ends all that one which closes has with others.
    pub(crate) fn leave_dealer(&self, peer: &Peer, turn: &mut Turn) -> LeftDealer {
        let watch = self.watch();
        let left = self.dealer.leave(peer);
        if let Some(watch) = watch {
            left.withdrawn.iter().for_each(|gone| watch.unregistered(peer, *gone, turn));
        }
        left
    }
}
