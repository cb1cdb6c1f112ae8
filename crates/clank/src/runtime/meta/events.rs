//! `wamp.subscription.get_events`: what has been (specification: "Event History").

use clank_core::event::Timestamp;
use clank_core::wamp2::authorize::Action;
use clank_core::wamp2::history::{Event, Listener, Query};
use clank_wire::payload::PayloadBuf;
use clank_wire::serializer::{Serializer, Span};
use clank_wire::wamp2::{Id, Match, reason};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::authorizing::may;
use super::super::hub::Cell;
use super::super::keeping::Kept;
use super::super::patterns::is_guarded_subscription;
use super::super::peer::Peer;
use super::super::sync::lock;
use super::super::wamp2::errors;
use super::arguments::{Arguments, unfit_keyword};
use super::procedure::{Answered, Ask, ENTRIES, Refused};
use super::subscriptions::find;
use super::who;

/// An event that has been, as it is told.
#[derive(Serialize)]
struct Told {
    timestamp: Timestamp,
    subscription: u64,
    publication: u64,
    details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwargs: Option<Box<RawValue>>,
}

pub(super) fn get_events(ask: &Ask<'_>) -> Answered {
    let cell = find(ask)?;
    if !may_hear(ask, &cell) {
        return Err(Refused::new(reason::NOT_AUTHORIZED, "not allowed to subscribe to it"));
    }
    let topic = ask.arguments.keyword_text("topic")?;
    let mut query = query(ask.arguments)?;
    query.topic = topic.as_deref();
    if cell.matching == Match::Exact {
        if topic.as_deref().is_some_and(|topic| *topic != *cell.uri) {
            return told(&[], false);
        }
        query.topic = Some(&cell.uri);
    }
    let limit = query.limit.unwrap_or(ENTRIES).min(ENTRIES);
    query.limit = Some(limit);
    let Some(history) = ask.realm.keeping.history(&cell.uri, cell.matching) else { return told(&[], false) };
    let nobody = Listener { authid: "", authrole: "" };
    let listener = ask.caller.map_or(nobody, |peer| who(peer).listener());
    // An answer has to fit into a message; who wants more asks for what comes behind.
    let room = ask.engine.limits().message.bytes() / 2;
    let (mut events, mut bytes, mut is_cut) = (Vec::new(), 0, false);
    for event in lock(&history).find(query, listener) {
        bytes += event.bytes;
        if bytes > room && !events.is_empty() {
            is_cut = true;
            break;
        }
        events.push(event.clone());
    }
    let is_limit_reached = is_cut || events.len() == limit;
    let events: Option<Vec<Told>> = events.iter().map(|event| Told::new(event, &cell)).collect();
    told(&events.unwrap_or_default(), is_limit_reached)
}

fn told(events: &[Told], is_limit_reached: bool) -> Answered {
    let more = json!({"is_limit_reached": is_limit_reached});
    let answer = PayloadBuf::from_arguments(events, Some(&more));
    answer.map_err(|error| Refused::new(errors::HANDLER_FAILED, error.to_string()))
}

/// Whether the caller hears, or might hear, what is published there.
fn may_hear(ask: &Ask<'_>, cell: &Cell<Peer>) -> bool {
    let Some(caller) = ask.caller else { return true };
    let has_subscribed = cell.has(caller.facts.resource_id.value());
    has_subscribed
        || (may(caller, ask.engine, Action::Subscribe, (&cell.uri, cell.matching))
            && !is_guarded_subscription(&ask.engine.application, &cell.uri, cell.matching))
}

fn query(arguments: Arguments<'_>) -> Result<Query<'static>, Refused> {
    let time = |name| -> Result<Option<Timestamp>, Refused> {
        let text = arguments.keyword_text(name)?;
        let parsed = text.map(|text| text.parse());
        parsed.transpose().map_err(|_| unfit_keyword(name, "a time of RFC 3339"))
    };
    let publication = |name| -> Result<Option<Id>, Refused> {
        let Some(value) = arguments.keyword(name) else { return Ok(None) };
        let id = value.to_u64().and_then(Id::new);
        id.map(Some).ok_or_else(|| unfit_keyword(name, "the id of a publication"))
    };
    let reverse = arguments
        .keyword("reverse")
        .map(|value| value.to_bool().ok_or_else(|| unfit_keyword("reverse", "true or false")));
    let limit = arguments.keyword("limit").map(|value| {
        let limit = Span::to_u64(value).and_then(|limit| usize::try_from(limit).ok());
        limit.filter(|limit| *limit > 0).ok_or_else(|| unfit_keyword("limit", "a number from 1 on"))
    });
    Ok(Query {
        reverse: reverse.transpose()?.unwrap_or_default(),
        limit: limit.transpose()?,
        from_time: time("from_time")?,
        after_time: time("after_time")?,
        before_time: time("before_time")?,
        until_time: time("until_time")?,
        topic: None,
        from_publication: publication("from_publication")?,
        after_publication: publication("after_publication")?,
        before_publication: publication("before_publication")?,
        until_publication: publication("until_publication")?,
    })
}

impl Told {
    /// `None` cannot be: what was published becomes JSON.
    fn new(event: &Event<Kept>, cell: &Cell<Peer>) -> Option<Self> {
        let details = event.value.details(cell.is_pattern().then_some(&event.topic));
        let mut said = Map::new();
        let id = details.publisher.map(|id| json!(id.get()));
        let passthru = &details.passthru;
        for (name, text) in [
            ("publisher_authid", &details.publisher_authid),
            ("publisher_authrole", &details.publisher_authrole),
            ("topic", &details.topic),
            ("ppt_scheme", &passthru.scheme),
            ("ppt_serializer", &passthru.serializer),
            ("ppt_cipher", &passthru.cipher),
            ("ppt_keyid", &passthru.keyid),
        ] {
            said.extend(text.as_deref().map(|text| (name.to_owned(), text.into())));
        }
        said.extend(id.map(|id| ("publisher".to_owned(), id)));
        let json = event.value.payload.transcode(Serializer::Json);
        let payload = json.as_payload();
        let raw = |text: String| RawValue::from_string(text).ok();
        let args = std::str::from_utf8(payload.arguments()).ok()?;
        let kwargs = payload.keywords().map(|keywords| String::from_utf8_lossy(keywords).into_owned());
        Some(Self {
            timestamp: event.time,
            subscription: cell.id,
            publication: event.publication.get(),
            details: said.into(),
            args: (!payload.is_empty()).then(|| raw(format!("[{args}]"))).flatten(),
            kwargs: kwargs.and_then(raw),
        })
    }
}
