//! What can be chosen of a log.

use std::time::Duration;

use clank_core::event::EventKind;

/// What a record that was reported as kept survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every batch is synced before it is reported.
    #[default]
    Fsync,
    /// The end of the process by any signal, but not the loss of power: a batch is handed to the
    /// system before it is reported, and synced about once a second. After a loss of power the last
    /// moments may be missing; what is left is whole.
    Os,
    /// The end of the process by a signal, as long as the machine stays on. Nothing is ever synced:
    /// after a loss of power the log may have to be repaired, or be empty.
    Memory,
}

/// What is done when the log has [`Options::max_bytes`], and nothing in it has been released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// New connections are refused.
    #[default]
    RefuseConnects,
    /// The oldest segment is dropped, also when somebody needs it still.
    Evict,
}

/// Kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// What every journal keeps: how connections open and end, and what it has lost.
    pub const LEAST: Self = Self(
        1 << EventKind::Connected as u16 | 1 << EventKind::Disconnected as u16 | 1 << EventKind::Gap as u16,
    );

    /// These, and `kind`.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// Whether `kind` is among them.
    pub const fn has(self, kind: EventKind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }
}

impl Default for Kinds {
    /// All but those of topics.
    fn default() -> Self {
        let topics = [EventKind::Subscribed, EventKind::Unsubscribed];
        EventKind::ALL.into_iter().filter(|kind| !topics.contains(kind)).fold(Self::LEAST, Self::with)
    }
}

/// What can be chosen of a log.
///
/// ```
/// use clank_journal::log::{Durability, Options};
/// let options = Options { durability: Durability::Os, ..Options::default() };
/// assert_eq!(options.max_bytes, 1 << 30);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// What a record that was reported as kept survives.
    pub durability: Durability,
    /// Which kinds are kept, beside those that always are.
    pub kinds: Kinds,
    /// The most bytes on the disk. Room for the end of each open connection is part of it: new
    /// connections are refused before that room is touched. At least 1 MiB.
    pub max_bytes: u64,
    /// What is done when there are so many.
    pub on_full: OnFull,
    /// How long records are kept that nobody needs any more.
    pub retention_age: Duration,
    /// How many bytes of them are kept.
    pub retention_bytes: u64,
    /// How many records a second are kept of rejections, errors and topic events.
    pub minor_rate: u32,
    /// The least time from one batch to the next, where the first had several records and fewer than
    /// 64 have come since. What a batch costs the processor hardly depends on how many there are, and a
    /// quick disk would take very many small ones; a slow one gathers by itself. A lone record never
    /// waits, and nothing does where records are not synced.
    pub gather: Duration,
    /// How many records may wait for the disk. More connections are refused; the ends of those that
    /// are open always wait.
    pub queue: usize,
    /// How long a user without a connection counts as online.
    pub user_grace: Duration,
    /// The length of a segment, the unit in which space is freed; at most 1 GiB, and an eighth of
    /// `max_bytes`.
    pub segment_bytes: u64,
    /// Whether a segment gets its whole space when it is begun. Syncing is cheaper then, and the
    /// space can't go to others.
    pub preallocate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            kinds: Kinds::default(),
            max_bytes: 1 << 30,
            on_full: OnFull::RefuseConnects,
            retention_age: Duration::from_secs(7 * 24 * 60 * 60),
            retention_bytes: 256 << 20,
            minor_rate: 1_000,
            gather: Duration::from_millis(2),
            queue: 65_536,
            user_grace: Duration::from_secs(5),
            segment_bytes: 64 << 20,
            preallocate: true,
        }
    }
}

impl Options {
    /// The same, with every value within its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        self.max_bytes = self.max_bytes.max(1 << 20);
        let longest = (self.max_bytes / 8).min(1 << 30);
        self.segment_bytes = self.segment_bytes.clamp(4 << 10, longest);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_kept_where_that_is_asked_for_and_connections_always() {
        let kept = |kinds: Kinds| EventKind::ALL.into_iter().filter(|kind| kinds.has(*kind)).count();
        assert_eq!(kept(Kinds::LEAST), 3);
        assert_eq!(kept(Kinds::default()), 9);
        assert!(!Kinds::default().has(EventKind::Subscribed));
        assert!(Kinds::default().with(EventKind::Subscribed).has(EventKind::Subscribed));
    }

    #[test]
    fn a_segment_is_a_fraction_of_the_whole() {
        let options = Options { max_bytes: 0, ..Options::default() }.bounded();
        assert_eq!((options.max_bytes, options.segment_bytes), (1 << 20, 1 << 17));
    }
}
