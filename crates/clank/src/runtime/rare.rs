//! What few connections have, so that the others need not hold room for it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use clank_wire::wamp2::Id;

use super::streaming::Stream;
use super::testament::Testaments;

/// What few connections have.
#[derive(Default)]
pub(super) struct Rare(Option<Box<Has>>);

/// All of it.
#[derive(Default)]
pub(super) struct Has {
    /// When which of its calls has taken too long.
    pub timeouts: Vec<(u64, Id)>,
    /// Calls of which it sends more.
    pub streams: Vec<Stream>,
    /// Bytes of such that wait for the program.
    pub waiting: Arc<AtomicUsize>,
    /// What is published when it ends.
    pub testaments: Testaments,
}

impl Rare {
    /// What there is, if there is anything.
    pub(super) fn get(&mut self) -> Option<&mut Has> {
        self.0.as_deref_mut()
    }

    /// The same, to add to it.
    pub(super) fn get_or_new(&mut self) -> &mut Has {
        self.0.get_or_insert_default()
    }

    /// Gives back the room if there is nothing left.
    pub(super) fn trim(&mut self) {
        self.0.take_if(|has| has.timeouts.is_empty() && has.streams.is_empty() && has.testaments.is_empty());
    }

    /// Bytes of what it holds for its client.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |has| has.testaments.bytes())
    }
}
