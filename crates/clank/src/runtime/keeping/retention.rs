//! The events that the topics of a realm retain.

use std::collections::{BTreeMap, HashMap};

use clank_core::limits::Limits;
use clank_core::wamp2::history::{Bounds, Event, Listener, Retained};
use clank_wire::wamp2::{Match, Pattern, Rules};

use super::Kept;

/// Events that one topic retains, for different receivers.
const EVENTS: usize = 16;

/// The events that the topics of a realm retain. Where there is no room, those go first that were
/// retained longest ago.
#[derive(Default)]
pub(super) struct Retention {
    topics: HashMap<Box<str>, Topic>,
    /// The topics by when they last got an event.
    order: BTreeMap<u64, Box<str>>,
    /// Events so far.
    count: u64,
    bytes: usize,
}

struct Topic {
    /// When it last got an event.
    last: u64,
    retained: Retained<Kept>,
}

impl Retention {
    pub(super) fn push(&mut self, event: Event<Kept>, limits: &Limits) {
        let (topics, bytes) = (limits.retained_topics.count(), limits.retained_bytes.bytes());
        let uri = event.topic.clone();
        let before = self.take(&uri);
        let mut retained = before.unwrap_or_else(|| Retained::new(Bounds { events: EVENTS, bytes }));
        retained.push(event);
        while self.topics.len() >= topics || self.bytes + retained.bytes() > bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.take(&oldest);
        }
        if retained.count() == 0 {
            return;
        }
        self.count += 1;
        self.bytes += retained.bytes();
        self.order.insert(self.count, uri.clone());
        self.topics.insert(uri, Topic { last: self.count, retained });
    }

    fn take(&mut self, uri: &str) -> Option<Retained<Kept>> {
        let Topic { last, retained } = self.topics.remove(uri)?;
        self.order.remove(&last);
        self.bytes -= retained.bytes();
        Some(retained)
    }

    /// The last event of a topic, or of those that a pattern matches, that the listener may hear.
    pub(super) fn latest(&self, uri: &str, matching: Match, listener: Listener<'_>) -> Option<Event<Kept>> {
        let of = |topic: &Topic| topic.retained.latest(listener).cloned();
        if matching == Match::Exact {
            return of(self.topics.get(uri)?);
        }
        let pattern = Pattern::parse(uri, matching, Rules::Loose).ok()?;
        let newest_first = self.order.values().rev().filter(|uri| pattern.matches(uri));
        newest_first.filter_map(|uri| self.topics.get(uri)).find_map(of)
    }

    /// How many events there are, and of how many bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.topics.values().map(|topic| topic.retained.count()).sum(), self.bytes)
    }
}
