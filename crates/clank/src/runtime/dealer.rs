//! Who offers which procedure, and the calls that wait for an answer.
//!
//! A call that was handed to a callee is an entry in the callee's table. Whoever takes the entry out
//! replies to the caller, and nobody else does: the callee's answer, a cancelled call, a time-out,
//! the loss of the callee. So every call has exactly one reply.
//!
//! One lock is around all of it. Outbound queues may be pushed to while it is held, which keeps what
//! a client is told in the order in which it came about; no other lock is taken, and none is held
//! across a system call.

mod registration;

pub(crate) use registration::{Described, NotRegistered, Withdrawn};

use std::collections::HashMap;
use std::sync::Arc;

use clank_core::pattern::Trie;
use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::Id;
use tokio::sync::{mpsc, oneshot};

use registration::Registration;

use super::hub::Member;
use super::peer::Peer;
use super::room::shrink_map;
use super::sync::{Mutex, lock};
use crate::rpc::Answered;

/// Invocations that one callee may have to answer at a time.
const INVOCATIONS: usize = 65_536;

/// The procedures of a realm's clients.
#[derive(Default)]
pub(crate) struct Dealer(Mutex<State>);

#[derive(Default)]
struct State {
    registrations: HashMap<u64, Registration>,
    /// The registrations by what is called: of several patterns that fit, the most exact counts.
    procedures: Trie<u64>,
    /// Who calls or is called, by resource id; until they leave.
    parties: HashMap<u64, Party>,
    /// Registrations so far.
    count: u64,
    /// Draws among callees.
    draws: u64,
}

#[derive(Default)]
struct Party {
    registrations: Vec<u64>,
    /// Invocations that it was sent so far.
    invoked: u64,
    /// Those that it has still to answer.
    invocations: HashMap<u64, Invocation>,
    /// Calls that it waits for.
    calls: HashMap<CallKey, Place>,
    /// Calls of WAMP v1 so far.
    called: u64,
}

/// What a party's call is known by: a client of WAMP v1 may use an id twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CallKey {
    Number(u64),
    Request(Id),
}

/// Where a call is.
#[derive(Clone)]
struct Place {
    callee: Arc<Peer>,
    invocation: u64,
}

/// A call that was handed to a callee.
pub(crate) struct Invocation {
    pub caller: Caller,
    key: CallKey,
}

/// Who waits for an answer.
pub(crate) enum Caller {
    Wamp1 {
        peer: Arc<Peer>,
        id: Box<str>,
    },
    Wamp2 {
        peer: Arc<Peer>,
        request: Id,
        progress: bool,
    },
    /// The program itself.
    Program {
        answers: oneshot::Sender<Answered>,
        /// Where parts of the result go, if it takes any.
        parts: Option<mpsc::Sender<PayloadBuf>>,
    },
}

impl Caller {
    /// What a client of WAMP v2 knows its call by.
    pub(crate) fn request(&self) -> Option<Id> {
        match self {
            Self::Wamp2 { request, .. } => Some(*request),
            Self::Wamp1 { .. } | Self::Program { .. } => None,
        }
    }

    fn is(&self, other: &Peer) -> bool {
        match self {
            Self::Wamp1 { peer, .. } | Self::Wamp2 { peer, .. } => peer.id() == other.id(),
            Self::Program { .. } => false,
        }
    }
}

/// A callee that is to be invoked.
pub(crate) struct Invoked {
    pub callee: Arc<Peer>,
    pub registration: Id,
    pub request: Id,
    /// What is called may be one of many: the callee is told which.
    pub to_pattern: bool,
    /// The callee wants to know who calls.
    pub discloses: bool,
}

/// Why a call reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("nobody offers the procedure")]
    NoSuchProcedure,
    #[error("too many calls in flight")]
    TooMany,
    #[error("the callee has too many calls to answer")]
    Busy,
    #[error("the callee does not take calls in parts")]
    NoParts,
    /// The client uses the id of a request that is still in flight.
    #[error("the call is still in flight")]
    InFlight,
}

/// What is left to be done for one that has left.
#[derive(Default)]
pub(crate) struct Left {
    /// Whose calls it will not answer.
    pub unanswered: Vec<Caller>,
    /// Who answers calls that it does not wait for any longer.
    pub interrupted: Vec<(Arc<Peer>, Id)>,
    /// What it offers no longer.
    pub withdrawn: Vec<Withdrawn>,
}

impl Dealer {
    /// Whether somebody offers `procedure`.
    pub(crate) fn has(&self, procedure: &str) -> bool {
        lock(&self.0).procedures.best(procedure).is_some()
    }

    /// Finds who answers a call, and notes that the caller waits. At most `limit` calls of one
    /// caller wait. Who is not reached gets its caller back.
    pub(crate) fn call(
        &self,
        procedure: &str,
        caller: Caller,
        limit: usize,
    ) -> Result<Invoked, (Unreachable, Caller)> {
        let mut state = lock(&self.0);
        let Some(id) = state.procedures.best(procedure).copied() else {
            return Err((Unreachable::NoSuchProcedure, caller));
        };
        let (party, key) = match &caller {
            Caller::Wamp1 { peer, .. } => {
                let party = state.parties.entry(peer.id()).or_default();
                party.called += 1;
                (Some(peer.id()), CallKey::Number(party.called))
            }
            Caller::Wamp2 { peer, request, .. } => (Some(peer.id()), CallKey::Request(*request)),
            Caller::Program { .. } => (None, CallKey::Number(0)),
        };
        if let Some(party) = party.map(|id| state.parties.entry(id).or_default()) {
            if party.calls.contains_key(&key) {
                return Err((Unreachable::InFlight, caller));
            }
            if party.calls.len() >= limit {
                return Err((Unreachable::TooMany, caller));
            }
        }
        let Some(callee) = state.choose(id) else { return Err((Unreachable::NoSuchProcedure, caller)) };
        let answers = state.parties.entry(callee.peer.id()).or_default();
        if answers.invocations.len() >= INVOCATIONS {
            return Err((Unreachable::Busy, caller));
        }
        answers.invoked += 1;
        let invocation = answers.invoked;
        answers.invocations.insert(invocation, Invocation { caller, key });
        if let Some(party) = party.and_then(|id| state.parties.get_mut(&id)) {
            let place = Place { callee: Arc::clone(&callee.peer), invocation };
            party.calls.insert(key, place);
        }
        let (registration, request) = (number(id), number(invocation));
        let to_pattern = state.registrations.get(&id).is_some_and(Registration::is_pattern);
        Ok(Invoked { callee: callee.peer, registration, request, to_pattern, discloses: callee.discloses })
    }

    /// Takes out what the callee answers: who takes it replies. `None`: it waits no longer.
    pub(crate) fn answer(&self, callee: &Peer, invocation: Id) -> Option<Invocation> {
        lock(&self.0).take(callee.id(), invocation.get())
    }

    /// Whether the callee was ever sent this invocation.
    pub(crate) fn was_invoked(&self, callee: &Peer, invocation: Id) -> bool {
        let state = lock(&self.0);
        state.parties.get(&callee.id()).is_some_and(|party| invocation.get() <= party.invoked)
    }

    /// Shows who waits for an answer while it certainly still does: what `show` queues comes before
    /// the reply. `None`: it waits no longer.
    pub(crate) fn peek<T>(
        &self,
        callee: &Peer,
        invocation: Id,
        show: impl FnOnce(&Caller) -> T,
    ) -> Option<T> {
        let state = lock(&self.0);
        let invocation = state.parties.get(&callee.id())?.invocations.get(&invocation.get())?;
        Some(show(&invocation.caller))
    }

    /// Who answers a call that is in flight.
    pub(crate) fn callee_of(&self, caller: &Peer, key: CallKey) -> Option<(Arc<Peer>, Id)> {
        let state = lock(&self.0);
        let place = state.parties.get(&caller.id())?.calls.get(&key)?;
        Some((Arc::clone(&place.callee), number(place.invocation)))
    }

    /// Calls of this caller that are in flight.
    pub(crate) fn calls_of(&self, caller: &Peer) -> usize {
        lock(&self.0).parties.get(&caller.id()).map_or(0, |party| party.calls.len())
    }

    /// Ends all that one has with others; to be called when it counts as closed.
    pub(crate) fn leave(&self, peer: &Peer) -> Left {
        let mut state = lock(&self.0);
        let Some(party) = state.parties.remove(&peer.id()) else { return Left::default() };
        let registrations = party.registrations.into_iter();
        let withdrawn = registrations.filter_map(|id| state.withdraw(id, peer.id())).collect();
        let mut left = Left { withdrawn, ..Left::default() };
        for (_, Invocation { caller, key }) in party.invocations {
            state.forget_call(&caller, key);
            // Who has called itself has left as well.
            if !caller.is(peer) {
                left.unanswered.push(caller);
            }
        }
        for place in party.calls.into_values() {
            if let Some(party) = state.parties.get_mut(&place.callee.id()) {
                party.invocations.remove(&place.invocation);
                shrink_map(&mut party.invocations);
                left.interrupted.push((place.callee, number(place.invocation)));
            }
        }
        shrink_map(&mut state.parties);
        left
    }

    /// How many entries there are in its tables.
    pub(crate) fn entries(&self) -> usize {
        let state = lock(&self.0);
        state.registrations.len() + state.procedures.count() + state.parties.len()
    }
}

impl State {
    fn take(&mut self, callee: u64, invocation: u64) -> Option<Invocation> {
        let party = self.parties.get_mut(&callee)?;
        let taken = party.invocations.remove(&invocation)?;
        shrink_map(&mut party.invocations);
        self.forget_call(&taken.caller, taken.key);
        Some(taken)
    }

    /// The caller waits no longer.
    fn forget_call(&mut self, caller: &Caller, key: CallKey) {
        let peer = match caller {
            Caller::Wamp1 { peer, .. } | Caller::Wamp2 { peer, .. } => peer,
            Caller::Program { .. } => return,
        };
        if let Some(party) = self.parties.get_mut(&peer.id()) {
            party.calls.remove(&key);
            shrink_map(&mut party.calls);
        }
    }
}

/// Numbers begin at one, and 2^53 of them outlast every process.
fn number(id: u64) -> Id {
    Id::new(id).unwrap_or(Id::MIN)
}
