//! Procedures that are offered: who registers and unregisters, and what others are told of it.

use std::sync::Arc;
use std::time::SystemTime;

use clank_core::event::Timestamp;
use clank_core::wamp2::policy::{Refused, SharedRegistration};
use clank_wire::wamp2::{Id, Invoke, Match, Pattern, Rules};
use serde::Serialize;

use super::super::hub::Member;
use super::super::peer::Peer;
use super::super::room::shrink_map;
use super::super::sync::lock;
use super::{Dealer, State, number};

pub(super) struct Registration {
    /// What is called, and how that is compared with what it is registered for.
    procedure: Box<str>,
    matching: Match,
    created: Timestamp,
    callees: SharedRegistration<Callee>,
}

#[derive(Clone)]
pub(super) struct Callee {
    pub peer: Arc<Peer>,
    /// It wants to know who calls.
    pub discloses: bool,
}

impl PartialEq for Callee {
    fn eq(&self, other: &Self) -> bool {
        self.peer.id() == other.peer.id()
    }
}

/// Why a procedure was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRegistered {
    #[error("{0}")]
    Refused(Refused),
    #[error("the connection offers as many procedures as one may ({0})")]
    TooMany(usize),
    #[error("the connection is closing")]
    Closing,
}

/// A registration that has a callee more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub id: u64,
    /// Since when it is there, if it was not there before.
    pub created: Option<Timestamp>,
}

/// A registration that has a callee less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    pub id: u64,
    /// It has come to its end.
    pub is_last: bool,
}

/// A registration, as others are told of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Described {
    id: u64,
    created: Timestamp,
    uri: Box<str>,
    #[serde(rename = "match")]
    matching: &'static str,
    invoke: &'static str,
}

impl Dealer {
    /// Offers `procedure`. `registered` is called with the registration's number before anything is
    /// invoked by it.
    pub(crate) fn register(
        &self,
        procedure: &Pattern<'_>,
        peer: &Arc<Peer>,
        (invoke, discloses): (Invoke, bool),
        limit: usize,
        registered: impl FnOnce(Id),
    ) -> Result<Registered, NotRegistered> {
        let now = Timestamp::from(SystemTime::now());
        let mut state = lock(&self.0);
        if !peer.is_open() {
            return Err(NotRegistered::Closing);
        }
        let party = state.parties.entry(peer.id()).or_default();
        if party.registrations.len() >= limit {
            return Err(NotRegistered::TooMany(limit));
        }
        let callee = Callee { peer: Arc::clone(peer), discloses };
        let known = state.procedures.value(procedure).copied();
        let id = match known {
            Some(id) => {
                let registration = state.registrations.get_mut(&id);
                let registration = registration.ok_or(NotRegistered::Refused(Refused::Single))?;
                registration.callees.add(callee, invoke).map_err(NotRegistered::Refused)?;
                id
            }
            None => {
                let mut callees = SharedRegistration::new(invoke);
                callees.add(callee, invoke).map_err(NotRegistered::Refused)?;
                state.count += 1;
                let id = state.count;
                state.procedures.insert(procedure, id);
                let (matching, procedure) = (procedure.matching(), procedure.as_str().into());
                state.registrations.insert(id, Registration { procedure, matching, created: now, callees });
                id
            }
        };
        if let Some(party) = state.parties.get_mut(&peer.id()) {
            party.registrations.push(id);
        }
        registered(number(id));
        Ok(Registered { id, created: known.is_none().then_some(now) })
    }

    /// Offers it no more. `None`: it was not offered. `unregistered` is called when nothing more is
    /// invoked by it.
    pub(crate) fn unregister(&self, id: Id, peer: &Peer, unregistered: impl FnOnce()) -> Option<Withdrawn> {
        let mut state = lock(&self.0);
        let party = state.parties.get_mut(&peer.id())?;
        let at = party.registrations.iter().position(|known| *known == id.get())?;
        party.registrations.swap_remove(at);
        let withdrawn = state.withdraw(id.get(), peer.id());
        unregistered();
        withdrawn
    }

    /// The numbers of all registrations, with how they are matched; `None` if they are more than
    /// `limit`.
    pub(crate) fn registrations(&self, limit: usize) -> Option<Vec<(Match, u64)>> {
        let state = lock(&self.0);
        let all = || state.registrations.iter().map(|(id, known)| (known.matching, *id)).collect();
        (state.registrations.len() <= limit).then(all)
    }

    /// The registration of exactly that procedure or pattern.
    pub(crate) fn lookup(&self, procedure: &Pattern<'_>) -> Option<u64> {
        lock(&self.0).procedures.value(procedure).copied()
    }

    /// The registration by which a call would be routed.
    pub(crate) fn best(&self, procedure: &str) -> Option<u64> {
        lock(&self.0).procedures.best(procedure).copied()
    }

    pub(crate) fn describe(&self, id: u64) -> Option<Described> {
        let state = lock(&self.0);
        let known = state.registrations.get(&id)?;
        Some(Described {
            id,
            created: known.created,
            uri: known.procedure.clone(),
            matching: known.matching.name(),
            invoke: known.callees.policy().name(),
        })
    }

    /// How many callees a registration has.
    pub(crate) fn count_callees(&self, id: u64) -> Option<usize> {
        lock(&self.0).registrations.get(&id).map(|known| known.callees.callees().len())
    }

    /// The sessions of a registration's callees, at most `limit` of them.
    pub(crate) fn callees(&self, id: u64, limit: usize) -> Option<Vec<u64>> {
        let state = lock(&self.0);
        let callees = state.registrations.get(&id)?.callees.callees().iter().take(limit);
        Some(callees.map(|callee| callee.peer.session_id.value()).collect())
    }
}

impl Registered {
    /// It, as others are told of it; without its beginning, if that has been told before.
    pub(crate) fn describe(self, procedure: &Pattern<'_>, invoke: Invoke) -> Option<Described> {
        self.created.map(|created| Described {
            id: self.id,
            created,
            uri: procedure.as_str().into(),
            matching: procedure.matching().name(),
            invoke: invoke.name(),
        })
    }
}

impl Registration {
    pub(super) fn is_pattern(&self) -> bool {
        self.matching != Match::Exact
    }
}

impl State {
    pub(super) fn withdraw(&mut self, id: u64, peer: u64) -> Option<Withdrawn> {
        let registration = self.registrations.get_mut(&id)?;
        registration.callees.remove(|callee| callee.peer.id() == peer)?;
        if !registration.callees.callees().is_empty() {
            return Some(Withdrawn { id, is_last: false });
        }
        let gone = self.registrations.remove(&id)?;
        // It was a pattern when it was registered, by rules that are as strict as these or more.
        if let Ok(pattern) = Pattern::parse(&*gone.procedure, gone.matching, Rules::Loose) {
            self.procedures.remove(&pattern);
        }
        shrink_map(&mut self.registrations);
        Some(Withdrawn { id, is_last: true })
    }

    /// Which of a registration's callees takes the next call.
    pub(super) fn choose(&mut self, id: u64) -> Option<Callee> {
        let registration = self.registrations.get_mut(&id)?;
        if registration.callees.policy() == Invoke::Random {
            self.draws = splitmix(self.draws);
        }
        registration.callees.pick(self.draws >> 32).cloned()
    }
}

/// The next of a series of numbers that look random: which callee is drawn is no secret.
fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
