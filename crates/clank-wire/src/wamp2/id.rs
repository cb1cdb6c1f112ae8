//! Ids: of sessions, publications, subscriptions, registrations and requests.

use std::fmt;

/// An integer from 1 to 2^53, both included (specification: "IDs").
///
/// ```
/// use clank_wire::wamp2::Id;
///
/// assert_eq!(Id::new(0), None);
/// assert_eq!(Id::MAX.get(), 9_007_199_254_740_992);
/// assert_eq!(Id::MAX.next(), Id::MIN);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u64);

impl Id {
    /// The smallest id, with which requests begin.
    pub const MIN: Id = Id(1);
    /// The largest id.
    pub const MAX: Id = Id(1 << 53);

    /// The id of that number; `None` if there is none.
    pub const fn new(number: u64) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Id(number)) } else { None }
    }

    /// An id of the global scope: uniformly distributed if the 64 bits are.
    pub const fn from_random(bits: u64) -> Self {
        Id((bits >> 11) + 1)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The id that follows in the scope of a session: after the largest comes the smallest.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == Self::MAX.0 { Self::MIN } else { Id(self.0 + 1) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
