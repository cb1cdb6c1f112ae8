//! What a client wants to be published when its session ends, however that comes (specification:
//! "Session Testament").
//!
//! It is published as the client itself would have: its rules are asked, and the topic's handler.

use clank_core::topic::Uri;
use clank_core::wamp2::{Publish, Request};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::{Kind, Serializer, Span};
use clank_wire::wamp2::{Id, Match, Pattern, PublishOptions, reason};

use super::conn::Conn;
use super::cx::Cx;
use super::hub::OWN;
use super::lane::Work;
use super::meta::{Answered, Arguments, Refused, unfit_keyword};
use super::wamp2::errors;

/// What is held of a testament beside its text, in bytes.
const OVERHEAD: usize = 128;

/// The testaments of a session.
#[derive(Default)]
pub(super) struct Testaments {
    scopes: [Vec<Testament>; 2],
    bytes: usize,
}

/// When a testament is published. No session outlives its connection here, so that all are when that
/// ends: in this order.
#[derive(Clone, Copy)]
enum Scope {
    Detached,
    Destroyed,
}

/// An event that is published when a session ends.
pub(crate) struct Testament {
    topic: Uri<'static>,
    payload: PayloadBuf,
    /// The options of PUBLISH, as they came.
    options: Option<(Serializer, Box<[u8]>)>,
}

impl Testaments {
    pub(super) fn is_empty(&self) -> bool {
        self.scopes.iter().all(Vec::is_empty)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn count(&self) -> usize {
        self.scopes.iter().map(Vec::len).sum()
    }

    fn add(&mut self, scope: Scope, testament: Testament) {
        self.bytes += testament.bytes();
        self.scope(scope).push(testament);
    }

    fn flush(&mut self, scope: Scope) {
        let flushed = std::mem::take(self.scope(scope));
        self.bytes -= flushed.iter().map(Testament::bytes).sum::<usize>();
    }

    fn scope(&mut self, scope: Scope) -> &mut Vec<Testament> {
        let [detached, destroyed] = &mut self.scopes;
        match scope {
            Scope::Detached => detached,
            Scope::Destroyed => destroyed,
        }
    }
}

impl Scope {
    fn read(arguments: Arguments<'_>) -> Result<Self, Refused> {
        match arguments.keyword_text("scope")?.as_deref() {
            None | Some("destroyed") => Ok(Self::Destroyed),
            Some("detached") => Ok(Self::Detached),
            Some(_) => Err(unfit_keyword("scope", "'detached' or 'destroyed'")),
        }
    }
}

impl Testament {
    fn bytes(&self) -> usize {
        let options = self.options.as_ref().map_or(0, |(_, options)| options.len());
        OVERHEAD + self.topic.as_str().len() + self.payload.as_payload().value_len() + options
    }

    fn options(&self) -> PublishOptions<'_> {
        let span = self.options.as_ref().and_then(|(serializer, bytes)| Span::parse(*serializer, bytes).ok());
        // They have been read before.
        let options = span.and_then(|span| PublishOptions::from_span(span).ok()).unwrap_or_default();
        // Nobody is left to be told.
        PublishOptions { acknowledge: false, ..options }
    }
}

impl Conn {
    pub(super) fn add_testament(&mut self, arguments: Arguments<'_>, cx: &Cx) -> Answered {
        let scope = Scope::read(arguments)?;
        let text = arguments.text(0, "the URI of a topic")?;
        let topic = self.own_topic(&text, cx).map_err(|why| Refused::new(reason::INVALID_URI, why))?;
        let payload = Payload::from_spans(arguments.0.serializer(), arguments.at(1), arguments.at(2));
        let payload = payload.ok_or_else(|| {
            Refused::invalid("arguments 2 and 3 have to be a list and a dictionary: what is published")
        })?;
        let given = arguments.keyword("publish_options");
        let options = match given {
            Some(span) if span.kind() != Kind::Map => {
                return Err(unfit_keyword("publish_options", "a dictionary"));
            }
            Some(span) => {
                PublishOptions::from_span(span).map_err(|error| Refused::invalid(error.to_string()))?
            }
            None => PublishOptions::default(),
        };
        let max = cx.engine.limits().listed_sessions.count();
        if options.longest_list() > max {
            return Err(Refused::invalid(format!("a list of the options has more than {max} entries")));
        }
        let publish = Publish { request: Id::MIN, topic: topic.clone(), options, payload };
        self.authorize(&mut Request::Publish(publish), cx)
            .map_err(|refusal| Refused::new(refusal.uri, refusal.reason))?;
        let options = given.map(|span| (span.serializer(), span.bytes().into()));
        self.keep_testament(scope, Testament { topic, payload: payload.to_buf(), options }, cx)
    }

    fn keep_testament(&mut self, scope: Scope, testament: Testament, cx: &Cx) -> Answered {
        let limits = cx.engine.limits();
        let (count, bytes) = (limits.testaments.count(), limits.testament_bytes.bytes());
        let held = self.rare.get().map_or((0, 0), |has| (has.testaments.count(), has.testaments.bytes()));
        let why = if held.0 >= count {
            format!("the session has as many testaments as one may have ({count})")
        } else if held.1 + testament.bytes() > bytes {
            format!("the session's testaments would have more bytes than they may have ({bytes})")
        } else {
            self.rare.get_or_new().testaments.add(scope, testament);
            return Ok(PayloadBuf::default());
        };
        Err(Refused::new(errors::LIMIT_EXCEEDED, why))
    }

    pub(super) fn flush_testaments(&mut self, arguments: Arguments<'_>) -> Answered {
        let scope = Scope::read(arguments)?;
        if let Some(has) = self.rare.get() {
            has.testaments.flush(scope);
            self.rare.trim();
        }
        Ok(PayloadBuf::default())
    }

    /// The session ends: its testaments are published, each in its turn.
    pub(super) fn bequeath(&mut self) {
        let Some(has) = self.rare.get() else { return };
        let Testaments { scopes, .. } = std::mem::take(&mut has.testaments);
        scopes.into_iter().flatten().for_each(|testament| self.lane.push(Work::Testament(testament.into())));
        self.rare.trim();
    }

    pub(super) fn publish_testament(&mut self, testament: &Testament, cx: &mut Cx) {
        let (topic, payload) = (testament.topic.as_borrowed(), testament.payload.as_payload());
        let publish = Publish { request: Id::MIN, topic, options: testament.options(), payload };
        let mut request = Request::Publish(publish);
        // The rules are the same that allowed it; they say too who learns of the publisher.
        if let (Ok(()), Request::Publish(publish)) = (self.authorize(&mut request, cx), request) {
            self.on_publish(publish, cx);
        }
    }

    /// Whether a testament waits for a handler, which may be slow.
    pub(super) fn waits_for_handler(&self, testament: &Testament, cx: &Cx) -> bool {
        self.is_seen(&testament.topic, cx)
    }

    /// The topic that a client may publish on, as far as that is a question of its name.
    fn own_topic(&self, text: &str, cx: &Cx) -> Result<Uri<'static>, String> {
        if text.starts_with(OWN) {
            return Err("URIs that begin with 'wamp' are WAMP's own".into());
        }
        let rules = cx.engine.settings.wamp2.options.rules;
        if self.peer.facts.session.is_some() {
            Pattern::parse(text, Match::Exact, rules).map_err(|error| format!("the URI {error}"))?;
        }
        let topic = Uri::parse(text, cx.engine.limits().uri.bytes());
        topic.map(Uri::into_owned).map_err(|error| format!("the URI {error}"))
    }
}
