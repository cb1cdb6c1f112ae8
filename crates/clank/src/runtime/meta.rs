//! Meta events: a realm tells those who want to hear of it what happens to its sessions,
//! subscriptions and registrations (specification: "WAMP Meta API").
//!
//! Where nobody has subscribed to what they are published on, no event is made, no lock is taken, and
//! one number is read. Where somebody has, whoever changes something holds the realm's watch until the
//! event is queued, so that events come in the order of what they tell of. Its lock is above all others.

mod arguments;
mod changes;
mod events;
mod procedure;
mod registrations;
mod sessions;
mod subscriptions;

pub(super) use arguments::{Arguments, unfit_keyword};
pub(crate) use changes::To;
pub(crate) use procedure::{Answered, Procedure, Refused};

use clank_core::cause::Cause;
use clank_core::event::SessionFacts;
use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_core::wamp2::history::Listener;
use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::Match;
use serde::Serialize;
use serde_json::{Value, json};

use super::auth::role_of;
use super::dealer::{Described, Withdrawn};
use super::hub::{Cell, Joined, Left, OWN};
use super::peer::Peer;
use super::realm::Realm;
use super::sync::{MutexGuard, lock};
use super::turn::Turn;

/// Held while something changes that meta events tell of.
pub(crate) struct Watch<'a> {
    realm: &'a Realm,
    _order: MutexGuard<'a, ()>,
}

/// Why a session has ended, beside who it was.
#[derive(Serialize)]
struct Leaving<'a> {
    cause: Cause,
    code: u16,
    reason: &'a str,
}

impl Realm {
    /// To be called before something changes. `None`: nobody wants to hear of it.
    pub(crate) fn watch(&self) -> Option<Watch<'_>> {
        self.hub.is_watched().then(|| Watch { realm: self, _order: lock(&self.meta) })
    }
}

impl Watch<'_> {
    /// A session has begun.
    pub(crate) fn joined(&self, peer: &Peer, turn: &mut Turn) {
        self.tell("wamp.session.on_join", peer, &[describe(peer)], turn);
    }

    /// A session has ended.
    pub(crate) fn left(&self, peer: &Peer, (cause, code, reason): (Cause, u16, &str), turn: &mut Turn) {
        let Who { authid, authrole, .. } = who(peer);
        let arguments = (peer.session_id.value(), authid, authrole);
        let leaving = Leaving { cause, code, reason };
        self.publish(
            "wamp.session.on_leave",
            peer,
            PayloadBuf::from_arguments(&arguments, Some(&leaving)),
            turn,
        );
    }

    fn subscribed(&self, peer: &Peer, joined: &Joined<Peer>, turn: &mut Turn) {
        let Joined { cell, is_new, is_first } = joined;
        if !is_new || cell.uri.starts_with(OWN) {
            // Who listens to subscriptions does not want to hear of listeners.
            return;
        }
        let session = peer.session_id.value();
        if *is_first {
            self.tell("wamp.subscription.on_create", peer, &(session, describe_subscription(cell)), turn);
        }
        self.tell("wamp.subscription.on_subscribe", peer, &(session, cell.id), turn);
    }

    fn unsubscribed(&self, peer: &Peer, left: &Left<Peer>, turn: &mut Turn) {
        let Left { cell, is_last } = left;
        if cell.uri.starts_with(OWN) {
            return;
        }
        let ids = (peer.session_id.value(), cell.id);
        self.tell("wamp.subscription.on_unsubscribe", peer, &ids, turn);
        if *is_last {
            self.tell("wamp.subscription.on_delete", peer, &ids, turn);
        }
    }

    fn registered(&self, peer: &Peer, id: u64, created: Option<&Described>, turn: &mut Turn) {
        let session = peer.session_id.value();
        if let Some(described) = created {
            self.tell("wamp.registration.on_create", peer, &(session, described), turn);
        }
        self.tell("wamp.registration.on_register", peer, &(session, id), turn);
    }

    fn unregistered(&self, peer: &Peer, gone: Withdrawn, turn: &mut Turn) {
        let ids = (peer.session_id.value(), gone.id);
        self.tell("wamp.registration.on_unregister", peer, &ids, turn);
        if gone.is_last {
            self.tell("wamp.registration.on_delete", peer, &ids, turn);
        }
    }

    fn tell<A: Serialize + ?Sized>(&self, topic: &str, peer: &Peer, arguments: &A, turn: &mut Turn) {
        self.publish(topic, peer, PayloadBuf::from_arguments::<_, ()>(arguments, None), turn);
    }

    fn publish(
        &self,
        topic: &str,
        peer: &Peer,
        payload: Result<PayloadBuf, serde_json::Error>,
        turn: &mut Turn,
    ) {
        let (Ok(payload), Ok(topic)) = (payload, Uri::parse(topic, usize::MAX)) else { return };
        peer.engine.publish(self.realm, &topic, payload.as_payload(), &Audience::everyone(), turn);
    }
}

/// As whom a session acts.
pub(super) struct Who<'a> {
    pub authid: &'a str,
    pub authrole: &'a str,
    authmethod: &'a str,
    authprovider: &'a str,
}

impl<'a> Who<'a> {
    /// As whom it hears of events that have been.
    pub(super) fn listener(&self) -> Listener<'a> {
        Listener { authid: self.authid, authrole: self.authrole }
    }
}

/// A client of WAMP v1 has what it would have if it had joined.
pub(super) fn who(peer: &Peer) -> Who<'_> {
    match (peer.facts.session.as_deref(), peer.facts.identity.as_deref()) {
        (Some(SessionFacts { authid, authrole, authmethod, authprovider, .. }), _) => {
            Who { authid, authrole, authmethod, authprovider }
        }
        (None, Some(identity)) => Who {
            authid: &identity.id,
            authrole: role_of(identity),
            authmethod: "cookie",
            authprovider: "static",
        },
        // Nobody has the empty name.
        (None, None) => Who {
            authid: "",
            authrole: peer.realm.authentication.anonymous_role(),
            authmethod: "anonymous",
            authprovider: "static",
        },
    }
}

/// A session, as others are told of it.
pub(super) fn describe(peer: &Peer) -> Value {
    let Who { authid, authrole, authmethod, authprovider } = who(peer);
    json!({
        "session": peer.session_id.value(),
        "authid": authid,
        "authrole": authrole,
        "authmethod": authmethod,
        "authprovider": authprovider,
        "transport": {"protocol": peer.facts.request.protocol.as_deref()},
    })
}

/// Numbers by how what they are of is matched.
fn by_match(ids: &[(Match, u64)]) -> Value {
    let of = |wanted| {
        ids.iter().filter(|(matching, _)| *matching == wanted).map(|(_, id)| *id).collect::<Vec<_>>()
    };
    json!({"exact": of(Match::Exact), "prefix": of(Match::Prefix), "wildcard": of(Match::Wildcard)})
}

/// A subscription, as others are told of it.
pub(super) fn describe_subscription(cell: &Cell<Peer>) -> Value {
    json!({"id": cell.id, "created": cell.created, "uri": &*cell.uri, "match": cell.matching.name()})
}
