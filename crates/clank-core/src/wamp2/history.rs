//! Events that are kept: a subscription's history, and the retained event of a topic.
//!
//! What an event is, the caller says: it tells what of it [`Query`] and [`Listener`] look at, and how
//! much room it takes. Events for listed sessions may not be kept (specification: "Event History"):
//! sessions come and go, and another one might hear what was not for it.
//!
//! ```
//! use clank_core::event::Timestamp;
//! use clank_core::wamp2::history::{Bounds, Event, History, Listener, Query};
//! use clank_wire::wamp2::Id;
//!
//! let mut history = History::new(Bounds { events: 2, bytes: 1024 });
//! for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
//!     let (publication, time) = (Id::new(number).unwrap(), Timestamp::from_unix_micros(number));
//!     history.push(Event::new(publication, "com.example.chat", time, text, text.len()));
//! }
//! let listener = Listener { authid: "joe", authrole: "user" };
//! let found = history.find(Query { reverse: true, ..Query::default() }, listener);
//! assert_eq!(found.map(|event| event.value).collect::<Vec<_>>(), ["three", "two"]);
//! assert_eq!(history.evicted(), 1);
//! ```

mod query;

pub use query::Query;

use std::collections::VecDeque;

use clank_wire::wamp2::Id;

use crate::event::Timestamp;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many events.
    pub events: usize,
    /// How many bytes they take together.
    pub bytes: usize,
}

/// An event that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<T> {
    /// The id of its publication.
    pub publication: Id,
    /// The topic that it was published to.
    pub topic: Box<str>,
    /// When the router took it in.
    pub time: Timestamp,
    /// Who may hear of it.
    pub audience: Audience,
    /// The event itself.
    pub value: T,
    /// How much room it takes, in bytes.
    pub bytes: usize,
}

/// Who may hear of an event, by what of PUBLISH doesn't change from session to session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Users who may not.
    pub exclude_authid: Vec<Box<str>>,
    /// Roles that may not.
    pub exclude_authrole: Vec<Box<str>>,
    /// The only users who may.
    pub eligible_authid: Option<Vec<Box<str>>>,
    /// The only roles that may.
    pub eligible_authrole: Option<Vec<Box<str>>>,
}

/// Who wants to hear of events that have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener<'a> {
    /// Its name.
    pub authid: &'a str,
    /// The role that it acts in.
    pub authrole: &'a str,
}

/// The last events of a subscription, in the order in which the router took them in.
#[derive(Debug, Clone)]
pub struct History<T> {
    events: VecDeque<Event<T>>,
    bounds: Bounds,
    bytes: usize,
    evicted: u64,
}

/// The retained events of a topic: one for everybody, and those for fewer that came after it.
///
/// A subscriber gets the last one that it may hear. What everybody may hear takes the place of all
/// before it, what some may hear the place of the one before for the same.
#[derive(Debug, Clone)]
pub struct Retained<T> {
    bounds: Bounds,
    everyone: Option<Event<T>>,
    /// Within the room that the other one leaves.
    fewer: History<T>,
}

impl<T> Event<T> {
    /// An event for everybody.
    pub fn new(publication: Id, topic: impl Into<Box<str>>, time: Timestamp, value: T, bytes: usize) -> Self {
        Event { publication, topic: topic.into(), time, audience: Audience::default(), value, bytes }
    }
}

impl Audience {
    /// Whether everybody may hear the event.
    pub fn is_everyone(&self) -> bool {
        *self == Audience::default()
    }

    /// Whether that one may.
    pub fn has(&self, listener: Listener<'_>) -> bool {
        let on = |list: &[Box<str>], name: &str| list.iter().any(|listed| **listed == *name);
        let eligible = |list: &Option<Vec<Box<str>>>, name| list.as_ref().is_none_or(|list| on(list, name));
        !on(&self.exclude_authid, listener.authid)
            && !on(&self.exclude_authrole, listener.authrole)
            && eligible(&self.eligible_authid, listener.authid)
            && eligible(&self.eligible_authrole, listener.authrole)
    }
}

impl<T> History<T> {
    /// Nothing has been yet.
    pub const fn new(bounds: Bounds) -> Self {
        History { events: VecDeque::new(), bounds, bytes: 0, evicted: 0 }
    }

    /// Keeps an event, and lets go of the oldest ones for which there is no room beside it. One that
    /// has no room alone leaves nothing behind: what follows it would seem to follow what was before.
    pub fn push(&mut self, event: Event<T>) {
        self.bytes = self.bytes.saturating_add(event.bytes);
        self.events.push_back(event);
        while self.events.len() > self.bounds.events || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            self.evicted += 1;
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(&Event<T>) -> bool) {
        self.events.retain(|event| keep(event));
        self.bytes = self.events.iter().map(|event| event.bytes).sum();
    }

    /// How many events are kept.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// How many bytes they take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events had no room any longer.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// All events, the oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event<T>> {
        self.events.iter()
    }

    /// The events that a listener asks for and may hear of. One who asks for those since a
    /// publication that isn't kept gets none: what was in between is not known.
    pub fn find(&self, query: Query<'_>, listener: Listener<'_>) -> impl Iterator<Item = &Event<T>> {
        let range = query.range(&self.events);
        let found = self.events.range(range).filter(move |event| event.audience.has(listener));
        query.pick(found)
    }
}

impl<T> Retained<T> {
    /// Nothing is retained yet.
    pub const fn new(bounds: Bounds) -> Self {
        Retained { bounds, everyone: None, fewer: History::new(bounds) }
    }

    /// Retains an event, if there is room for it.
    pub fn push(&mut self, event: Event<T>) {
        let Bounds { events, bytes } = self.bounds;
        if event.audience.is_everyone() {
            let left = bytes.checked_sub(event.bytes).zip(events.checked_sub(1));
            let (bytes, events) = left.unwrap_or((bytes, events));
            self.everyone = left.map(|_| event);
            self.fewer = History::new(Bounds { events, bytes });
        } else {
            self.fewer.retain(|kept| kept.audience != event.audience);
            self.fewer.push(event);
        }
    }

    /// The event that a listener gets when it subscribes.
    pub fn latest(&self, listener: Listener<'_>) -> Option<&Event<T>> {
        let fewer = self.fewer.events().rev().find(|event| event.audience.has(listener));
        fewer.or(self.everyone.as_ref())
    }

    /// How many events are retained.
    pub fn count(&self) -> usize {
        self.fewer.count() + usize::from(self.everyone.is_some())
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.fewer.bytes() + self.everyone.as_ref().map_or(0, |event| event.bytes)
    }
}
