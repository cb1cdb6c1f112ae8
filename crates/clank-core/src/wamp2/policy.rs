//! Which of several callees a call goes to (specification: "Shared Registration").

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use clank_wire::wamp2::{Invoke, reason};

/// The callees of one procedure, of whom each call goes to one.
///
/// A callee may say how many calls it takes at a time. In turn and at random, those who have as many
/// are passed over; of `first` and `last`, only the one counts whose turn it is, so that a stand-by
/// is not called before the other is gone. Whoever was picked is busy until it is
/// [released](Self::release) or removed.
///
/// A step costs the logarithm of the number of callees; a call that comes back, those tried.
///
/// ```
/// use clank_core::wamp2::policy::SharedRegistration;
/// use clank_wire::wamp2::Invoke;
///
/// let mut registration = SharedRegistration::new(Invoke::RoundRobin);
/// for callee in ["anne", "bert"] {
///     registration.add(callee, Invoke::RoundRobin, None)?;
/// }
/// let picked: Vec<_> = (0..3).filter_map(|_| registration.pick(0, &[]).ok().copied()).collect();
/// assert_eq!(picked, ["anne", "bert", "anne"]);
/// assert!(registration.add("carl", Invoke::First, None).is_err());
/// # Ok::<(), clank_core::wamp2::policy::Refused>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedRegistration<C> {
    policy: Invoke,
    callees: BTreeMap<C, Callee>,
    /// All callees in the order in which they have registered.
    order: BTreeMap<u64, C>,
    /// The numbers of those who have room for a call, which are in the order too: for `roundrobin`.
    free: BTreeMap<u64, C>,
    /// The same in no order: for `random`.
    draw: Vec<C>,
    /// The number of the next who registers.
    next: u64,
    /// Whose turn it is, or of the first behind.
    turn: u64,
}

#[derive(Debug, Clone)]
struct Callee {
    number: u64,
    concurrency: Option<NonZeroU64>,
    in_flight: u64,
    /// Where it is in `draw`, if it is free and that is what is asked.
    drawn: usize,
}

/// Why a callee can't register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The procedure has a callee, which wants no other beside it.
    #[error("the procedure is already registered")]
    Single,
    /// The procedure is shared by another policy.
    #[error("the procedure is already registered to be invoked by '{}', not by '{}'", registered.name(), asked.name())]
    OtherPolicy {
        /// The policy of those who are registered.
        registered: Invoke,
        /// The policy that the callee asks for.
        asked: Invoke,
    },
    /// The callee has registered the procedure before.
    #[error("the procedure is already registered by this session")]
    AlreadyCallee,
}

/// Why a call goes to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Those who might take it have as many calls as they take.
    #[error("every callee has as many calls as it takes")]
    Busy,
    /// All have been tried, or there are none.
    #[error("no callee is left to be tried")]
    Exhausted,
}

impl Refused {
    /// The URI of the error that answers REGISTER.
    pub const fn uri(self) -> &'static str {
        reason::PROCEDURE_ALREADY_EXISTS
    }
}

impl Unavailable {
    /// The URI of the error that answers CALL.
    pub const fn uri(self) -> &'static str {
        reason::NO_AVAILABLE_CALLEE
    }
}

impl<C: Ord + Clone> SharedRegistration<C> {
    /// A registration by the policy of the first who registers, still without it.
    pub const fn new(policy: Invoke) -> Self {
        SharedRegistration {
            policy,
            callees: BTreeMap::new(),
            order: BTreeMap::new(),
            free: BTreeMap::new(),
            draw: Vec::new(),
            next: 0,
            turn: 0,
        }
    }

    /// How callees are picked.
    pub const fn policy(&self) -> Invoke {
        self.policy
    }

    /// How many callees there are.
    pub fn count(&self) -> usize {
        self.callees.len()
    }

    /// Whether there are none, so that the registration has come to its end.
    pub fn is_empty(&self) -> bool {
        self.callees.is_empty()
    }

    /// Whether it is one of the callees.
    pub fn has(&self, callee: &C) -> bool {
        self.callees.contains_key(callee)
    }

    /// The callees in the order in which they have registered.
    pub fn callees(&self) -> impl Iterator<Item = &C> {
        self.order.values()
    }

    /// How many calls a callee has; `None` if it is none.
    pub fn in_flight(&self, callee: &C) -> Option<u64> {
        self.callees.get(callee).map(|callee| callee.in_flight)
    }

    /// Adds a callee behind the others, who takes as many calls at a time; `None` for any number.
    ///
    /// # Errors
    /// When the others don't want it, want it by another policy, or have it already.
    pub fn add(&mut self, callee: C, policy: Invoke, concurrency: Option<NonZeroU64>) -> Result<(), Refused> {
        if self.has(&callee) {
            return Err(Refused::AlreadyCallee);
        }
        if self.policy == Invoke::Single && !self.is_empty() {
            return Err(Refused::Single);
        }
        if policy != self.policy {
            return Err(Refused::OtherPolicy { registered: self.policy, asked: policy });
        }
        let number = self.next;
        self.next += 1;
        self.callees.insert(callee.clone(), Callee { number, concurrency, in_flight: 0, drawn: 0 });
        self.open(&callee);
        self.order.insert(number, callee);
        Ok(())
    }

    /// Removes a callee, and returns how many calls it had; `None` if it was none.
    pub fn remove(&mut self, callee: &C) -> Option<u64> {
        self.close(callee);
        let removed = self.callees.remove(callee)?;
        self.order.remove(&removed.number);
        if self.is_empty() {
            self.draw = Vec::new();
        }
        Some(removed.in_flight)
    }

    /// Picks the callee of a call. `random` are bits that nobody can foresee, which only `random`
    /// looks at; `tried` are callees that have sent the call back (specification: "Call Rerouting").
    ///
    /// # Errors
    /// When nobody is left, or nobody has room.
    pub fn pick(&mut self, random: u64, tried: &[C]) -> Result<&C, Unavailable> {
        let is_left = |callee: &&C| !tried.contains(callee);
        let picked = match self.policy {
            Invoke::Single | Invoke::First => self.order.values().find(is_left),
            Invoke::Last => self.order.values().rev().find(is_left),
            Invoke::RoundRobin => {
                let (behind, before) = (self.free.range(self.turn..), self.free.range(..self.turn));
                behind.chain(before).map(|(_, callee)| callee).find(is_left)
            }
            Invoke::Random => {
                let from = usize::try_from(random % self.draw.len().max(1) as u64).unwrap_or_default();
                let (before, behind) = self.draw.split_at_checked(from).unwrap_or_default();
                behind.iter().chain(before).find(is_left)
            }
        };
        let Some(picked) = picked.cloned() else {
            let busy = self.order.values().any(|callee| is_left(&callee));
            return Err(if busy { Unavailable::Busy } else { Unavailable::Exhausted });
        };
        if self.callees.get(&picked).is_some_and(|callee| !callee.has_room()) {
            return Err(Unavailable::Busy);
        }
        self.take(&picked)
    }

    /// A call that the callee was picked for has come to its end.
    pub fn release(&mut self, callee: &C) {
        let Some(entry) = self.callees.get_mut(callee) else { return };
        let had_room = entry.has_room();
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if !had_room {
            self.open(callee);
        }
    }

    fn take(&mut self, picked: &C) -> Result<&C, Unavailable> {
        let entry = self.callees.get_mut(picked).ok_or(Unavailable::Exhausted)?;
        entry.in_flight = entry.in_flight.saturating_add(1);
        let (number, is_full) = (entry.number, !entry.has_room());
        self.turn = number + 1;
        if is_full {
            self.close(picked);
        }
        self.order.get(&number).ok_or(Unavailable::Exhausted)
    }

    /// The callee has room for a call again.
    fn open(&mut self, callee: &C) {
        let Some(entry) = self.callees.get_mut(callee) else { return };
        match self.policy {
            Invoke::RoundRobin => {
                self.free.insert(entry.number, callee.clone());
            }
            Invoke::Random => {
                entry.drawn = self.draw.len();
                self.draw.push(callee.clone());
            }
            Invoke::Single | Invoke::First | Invoke::Last => {}
        }
    }

    /// The callee has no room any longer; it may have had none before.
    fn close(&mut self, callee: &C) {
        let Some(entry) = self.callees.get(callee) else { return };
        self.free.remove(&entry.number);
        let drawn = entry.drawn;
        if self.draw.get(drawn) == Some(callee) {
            self.draw.swap_remove(drawn);
            if let Some(moved) = self.draw.get(drawn).and_then(|moved| self.callees.get_mut(moved)) {
                moved.drawn = drawn;
            }
        }
    }
}

impl Callee {
    fn has_room(&self) -> bool {
        self.concurrency.is_none_or(|limit| self.in_flight < limit.get())
    }
}
