//! A client subscribes to a pattern of topics.

use clank_core::pattern::overlap;
use clank_core::topic::Uri;
use clank_core::wamp2::Subscribe;
use clank_wire::wamp2::{Match, MessageType, Pattern, Rules, Subscribed, reason};

use super::conn::Conn;
use super::cx::Cx;
use super::hub::NotSubscribed;
use super::meta::To;
use super::outbound::OnOverflow;
use super::reply::frame;
use super::turn::Turn;
use super::wamp2::errors;
use crate::config::Application;

impl Conn {
    /// Handlers are asked about topics, and hear of topics: of a pattern they hear nothing. So one that
    /// might match a topic about which a handler wants to be asked is refused.
    pub(super) fn subscribe_to_pattern(&mut self, subscribe: &Subscribe<'_>, cx: &mut Cx) {
        let Subscribe { request, ref topic, matching, get_retained } = *subscribe;
        let Ok(pattern) = Pattern::parse(topic.as_str(), matching, Rules::Loose) else { return };
        if is_guarded(&cx.engine.application, &pattern) {
            let why = format!("{topic} might match topics that may not be subscribed to unasked");
            return self.send_error(MessageType::Subscribe, request, reason::NOT_AUTHORIZED, &why, cx);
        }
        let peer = &self.peer;
        let announce = |subscription, turn: &mut Turn| {
            let subscription = clank_wire::wamp2::Id::new(subscription);
            let subscribed = Subscribed { request, subscription: subscription.unwrap_or(request) };
            let (frame, message) = frame(peer, |serializer, out| subscribed.encode(serializer, out));
            turn.note(peer, peer.push(frame, message, OnOverflow::Disconnect));
            if get_retained {
                peer.send_retained(subscribed.subscription, (topic.as_str(), matching), turn);
            }
        };
        match peer.realm.subscribe(To::Pattern(&pattern), peer, &mut cx.turn, announce) {
            Ok(_) | Err(NotSubscribed::Closing) => {}
            Err(why) => {
                let why = why.to_string();
                self.send_error(MessageType::Subscribe, request, errors::LIMIT_EXCEEDED, &why, cx);
                self.fail_limit(&format!("not subscribed to {topic}: {why}"), cx);
            }
        }
    }
}

/// Whether a handler wants to be asked about who subscribes to that topic or pattern.
pub(super) fn is_guarded_subscription(application: &Application, uri: &str, matching: Match) -> bool {
    if matching == Match::Exact {
        let topic = Uri::parse(uri, usize::MAX).ok();
        let entry = topic.as_ref().and_then(|topic| application.topic(topic));
        return entry.is_some_and(|entry| entry.hooks.may_subscribe);
    }
    Pattern::parse(uri, matching, Rules::Loose).is_ok_and(|pattern| is_guarded(application, &pattern))
}

/// Whether the pattern matches topics about whose subscribers a handler wants to be asked.
fn is_guarded(application: &Application, pattern: &Pattern<'_>) -> bool {
    if application.other_topics.as_ref().is_some_and(|entry| entry.hooks.may_subscribe) {
        return true;
    }
    let asking = application.topics.iter().filter(|(_, entry)| entry.hooks.may_subscribe);
    let mut names = asking.map(|(name, _)| name);
    names.any(|name| {
        let below = format!("{name}/");
        let itself = Pattern::parse(name.as_str(), Match::Exact, Rules::Loose);
        let below = Pattern::parse(below.as_str(), Match::Prefix, Rules::Loose);
        // What is no URI of WAMP v2 may still be a topic of WAMP v1.
        let overlaps = |other: Result<Pattern<'_>, _>| other.map_or(true, |other| overlap(pattern, &other));
        overlaps(itself) || overlaps(below)
    })
}
