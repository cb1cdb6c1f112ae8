//! Which of several callees a call goes to (specification: "Shared Registration").

use clank_wire::wamp2::{Invoke, reason};

/// The callees of one procedure, of whom each call goes to one.
///
/// Picking one takes the same time whatever their number; adding and removing one walks those that
/// there are.
///
/// ```
/// use clank_core::wamp2::policy::SharedRegistration;
/// use clank_wire::wamp2::Invoke;
///
/// let mut registration = SharedRegistration::new(Invoke::RoundRobin);
/// for callee in ["anne", "bert"] {
///     registration.add(callee, Invoke::RoundRobin)?;
/// }
/// let picked: Vec<_> = (0..3).filter_map(|_| registration.pick(0).copied()).collect();
/// assert_eq!(picked, ["anne", "bert", "anne"]);
/// assert!(registration.add("carl", Invoke::First).is_err());
/// # Ok::<(), clank_core::wamp2::policy::Refused>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedRegistration<C> {
    policy: Invoke,
    /// In the order in which they have registered.
    callees: Vec<C>,
    /// Whose turn it is: of the next behind, if it has no such place.
    turn: usize,
}

/// Why a callee can't register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The procedure has a callee, which wants no other beside it.
    #[error("the procedure is offered already")]
    Single,
    /// The procedure is shared by another policy.
    #[error("the procedure is offered already, to be invoked by '{}' and not by '{}'", registered.name(), asked.name())]
    OtherPolicy {
        /// The policy of those who are registered.
        registered: Invoke,
        /// The policy that the callee asks for.
        asked: Invoke,
    },
    /// The callee has registered the procedure before.
    #[error("the session offers the procedure already")]
    AlreadyCallee,
}

impl Refused {
    /// The URI of the error that answers REGISTER.
    pub const fn uri(self) -> &'static str {
        reason::PROCEDURE_ALREADY_EXISTS
    }
}

impl<C: PartialEq> SharedRegistration<C> {
    /// A registration by the policy of the first who registers, still without it.
    pub const fn new(policy: Invoke) -> Self {
        SharedRegistration { policy, callees: Vec::new(), turn: 0 }
    }

    /// How callees are picked.
    pub const fn policy(&self) -> Invoke {
        self.policy
    }

    /// The callees in the order in which they have registered.
    pub fn callees(&self) -> &[C] {
        &self.callees
    }

    /// Adds a callee behind the others.
    ///
    /// # Errors
    /// When the others don't want it, want it by another policy, or have it already.
    pub fn add(&mut self, callee: C, policy: Invoke) -> Result<(), Refused> {
        if self.callees.contains(&callee) {
            return Err(Refused::AlreadyCallee);
        }
        if self.policy == Invoke::Single && !self.callees.is_empty() {
            return Err(Refused::Single);
        }
        if policy != self.policy {
            return Err(Refused::OtherPolicy { registered: self.policy, asked: policy });
        }
        if self.callees.capacity() == 0 {
            // Most procedures have one callee: not the four that a vector begins with.
            self.callees.reserve_exact(1);
        }
        self.callees.push(callee);
        Ok(())
    }

    /// Removes the callee of which `is` is true and returns it, if there is one. The others keep
    /// their turns.
    pub fn remove(&mut self, is: impl FnMut(&C) -> bool) -> Option<C> {
        let at = self.callees.iter().position(is)?;
        self.turn -= usize::from(at < self.turn);
        Some(self.callees.remove(at))
    }

    /// Picks the callee of a call; `None` if there is none. `random` are bits that only `random`
    /// looks at.
    pub fn pick(&mut self, random: u64) -> Option<&C> {
        match self.policy {
            Invoke::Single | Invoke::First => self.callees.first(),
            Invoke::Last => self.callees.last(),
            Invoke::RoundRobin => {
                let at = if self.turn < self.callees.len() { self.turn } else { 0 };
                self.turn = at + 1;
                self.callees.get(at)
            }
            Invoke::Random => {
                let at = random.checked_rem(self.callees.len() as u64)?;
                self.callees.get(usize::try_from(at).unwrap_or_default())
            }
        }
    }
}
