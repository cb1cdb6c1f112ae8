//! Events that a realm keeps for those who come later: the history of topics that are set up for it,
//! and the event that a publisher wants a topic to retain (specification: "Event History" and "Event
//! Retention").
//!
//! An event is kept before it is handed out. So who subscribes and then asks for what has been may be
//! told something twice, and misses nothing. The locks are leaves.

mod retention;

use std::sync::Arc;
use std::time::SystemTime;

use clank_core::event::Timestamp;
use clank_core::limits::Limits;
use clank_core::pattern::Trie;
use clank_core::topic::Uri;
use clank_core::wamp2::history::{Audience, Bounds, Event, History};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{
    Event as EventMessage, EventDetails, Id, Match, Passthru, Pattern, PublishOptions, Rules, TextList,
};

use super::hub::Member;
use super::peer::Peer;
use super::reply::frame;
use super::sync::{Mutex, lock};
use super::turn::{Said, Turn, new_publication};
use retention::Retention;

/// What an event takes beside its text, in bytes.
const OVERHEAD: usize = 256;

/// The events that a realm keeps.
pub(crate) struct Keeping {
    /// By the topics whose events they have.
    histories: Trie<Arc<Mutex<History<Kept>>>>,
    retention: Mutex<Retention>,
}

/// An event that is kept, beside what the core knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub payload: PayloadBuf,
    publisher: Option<Publisher>,
    passthru: Option<Box<Passthru<'static>>>,
    /// The connection that was not to hear it: its publisher's.
    pub excluded: Option<u64>,
}

#[derive(Clone, Debug)]
struct Publisher {
    session: u64,
    authid: Option<Box<str>>,
    authrole: Option<Box<str>>,
}

/// That an event is to be kept.
pub(crate) struct Keep {
    audience: Audience,
    retain: bool,
    excluded: Option<u64>,
}

impl Keeping {
    pub(crate) fn new(topics: &[(Pattern<'static>, Bounds)]) -> Self {
        let mut histories = Trie::new();
        for (pattern, bounds) in topics {
            histories.insert(pattern, Arc::new(Mutex::new(History::new(*bounds))));
        }
        Self { histories, retention: Mutex::default() }
    }

    /// Whether events of the topic go into a history.
    fn has_history(&self, topic: &str) -> bool {
        !self.histories.is_empty() && self.histories.matches(topic).next().is_some()
    }

    /// That an event is to be kept of which no more is said than to whom it goes. If that are sessions
    /// which are `listed`, it is not: they come and go, and another might hear what was not for it.
    pub(crate) fn wants(&self, topic: &str, listed: bool) -> Option<Box<Keep>> {
        let is_wanted = !listed && self.has_history(topic);
        is_wanted.then(|| Box::new(Keep { audience: Audience::default(), retain: false, excluded: None }))
    }

    /// The same, of what a client of WAMP v2 publishes.
    pub(crate) fn wants_of(
        &self,
        topic: &str,
        options: &PublishOptions<'_>,
        publisher: u64,
    ) -> Option<Box<Keep>> {
        let is_wanted = options.retain || self.has_history(topic);
        if !is_wanted || options.exclude.is_some() || options.eligible.is_some() {
            return None;
        }
        let own = |list: &TextList<'_>| list.iter().map(Into::into).collect::<Vec<Box<str>>>();
        let audience = Audience {
            exclude_authid: options.exclude_authid.as_ref().map(own).unwrap_or_default(),
            exclude_authrole: options.exclude_authrole.as_ref().map(own).unwrap_or_default(),
            eligible_authid: options.eligible_authid.as_ref().map(own),
            eligible_authrole: options.eligible_authrole.as_ref().map(own),
        };
        let excluded = options.exclude_me.then_some(publisher);
        Some(Box::new(Keep { audience, retain: options.retain, excluded }))
    }

    /// Keeps an event, which gets its number if it has none.
    pub(crate) fn keep(
        &self,
        keep: Keep,
        topic: &Uri<'_>,
        payload: Payload<'_>,
        said: &mut Said,
        limits: &Limits,
    ) {
        let Keep { audience, retain, excluded } = keep;
        let publication = *said.publication.get_or_insert_with(new_publication);
        let kept = Kept {
            payload: payload.to_buf(),
            publisher: said.publisher.as_deref().map(Publisher::new),
            passthru: said.passthru.clone(),
            excluded,
        };
        let lists = [&audience.exclude_authid, &audience.exclude_authrole].map(|list| listed(Some(list)));
        let others =
            [&audience.eligible_authid, &audience.eligible_authrole].map(|list| listed(list.as_ref()));
        let names: usize = lists.into_iter().chain(others).sum();
        let bytes = OVERHEAD + topic.as_str().len() + payload.value_len() + names;
        let now = Timestamp::from(SystemTime::now());
        let event = Event { audience, ..Event::new(publication, topic.as_str(), now, kept, bytes) };
        for history in self.histories.matches(topic.as_str()) {
            lock(history).push(event.clone());
        }
        if retain {
            lock(&self.retention).push(event, limits);
        }
    }

    /// The history that has the events of that topic or pattern; of a single topic it may be one that
    /// others share.
    pub(crate) fn history(&self, uri: &str, matching: Match) -> Option<Arc<Mutex<History<Kept>>>> {
        if matching == Match::Exact {
            return self.histories.best(uri).cloned();
        }
        let pattern = Pattern::parse(uri, matching, Rules::Loose).ok()?;
        self.histories.value(&pattern).cloned()
    }

    /// The last event that one who subscribes to that would have heard before, if it was retained.
    pub(crate) fn retained(&self, uri: &str, matching: Match, peer: &Peer) -> Option<Event<Kept>> {
        let event = lock(&self.retention).latest(uri, matching, super::meta::who(peer).listener())?;
        (event.value.excluded != Some(peer.id())).then_some(event)
    }

    /// How many events are kept, and of how many bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        let (mut events, mut bytes) = lock(&self.retention).held();
        for history in self.histories.values() {
            let history = lock(history);
            events += history.count();
            bytes += history.bytes();
        }
        (events, bytes)
    }
}

fn listed(list: Option<&Vec<Box<str>>>) -> usize {
    list.map_or(0, |list| list.iter().map(|name| name.len() + size_of::<Box<str>>()).sum())
}

impl Publisher {
    fn new(peer: &Peer) -> Self {
        let session = peer.facts.session.as_deref();
        Self {
            session: peer.session_id.value(),
            authid: session.map(|session| session.authid.clone()),
            authrole: session.map(|session| session.authrole.clone()),
        }
    }
}

impl Peer {
    /// Queues the event that was retained for those who subscribe to that, if there is one.
    pub(super) fn send_retained(
        self: &Arc<Self>,
        subscription: Id,
        (uri, matching): (&str, Match),
        turn: &mut Turn,
    ) {
        let Some(kept) = self.realm.keeping.retained(uri, matching, self) else { return };
        let topic = (matching != Match::Exact).then_some(&*kept.topic);
        let details = EventDetails { retained: true, ..kept.value.details(topic) };
        let payload = kept.value.payload.as_payload();
        let event = EventMessage { subscription, publication: kept.publication, details, payload };
        let (frame, message) = frame(self, |serializer, out| event.encode(serializer, out));
        turn.note(self, self.push(frame, message, self.engine.on_overflow()));
    }
}

impl Kept {
    /// What is said of it to those who hear it later; `topic` where they have to be told.
    pub(crate) fn details<'a>(&'a self, topic: Option<&'a str>) -> EventDetails<'a> {
        let publisher = self.publisher.as_ref();
        EventDetails {
            publisher: publisher.and_then(|publisher| Id::new(publisher.session)),
            publisher_authid: publisher.and_then(|publisher| publisher.authid.as_deref()).map(Into::into),
            publisher_authrole: publisher.and_then(|publisher| publisher.authrole.as_deref()).map(Into::into),
            topic: topic.map(Into::into),
            passthru: self.passthru.as_deref().cloned().unwrap_or_default(),
            ..EventDetails::default()
        }
    }
}
