//! Whether a client may do what it asks for, before it is looked whether there is such a thing.

use clank_core::topic::Uri;
use clank_core::wamp2::authorize::{Action, Decision, Subject};
use clank_core::wamp2::{Refusal, Request};
use clank_wire::wamp2::{Id, Match, MessageType, Pattern, reason};

use super::auth::role_of;
use super::conn::Conn;
use super::cx::Cx;
use super::engine::Engine;
use super::hub::Member;
use super::peer::Peer;

impl Conn {
    /// Whether a client of WAMP v2 may have what it asks for, and whether others learn who it is.
    pub(super) fn authorize(&self, request: &mut Request<'_>, cx: &Cx) -> Result<(), Refusal> {
        match request {
            Request::Subscribe(subscribe) => {
                let asked = (MessageType::Subscribe, subscribe.request, false);
                self.judge((Action::Subscribe, &subscribe.topic, subscribe.matching), asked, None, cx)
            }
            Request::Publish(publish) => {
                let asked = (MessageType::Publish, publish.request, !publish.options.acknowledge);
                let disclose = Some(&mut publish.options.disclose_me);
                self.judge((Action::Publish, &publish.topic, Match::Exact), asked, disclose, cx)
            }
            Request::Register(register) => {
                let asked = (MessageType::Register, register.request, false);
                let matching = register.options.matching;
                self.judge((Action::Register, &register.procedure, matching), asked, None, cx)
            }
            Request::Call(call) => {
                let asked = (MessageType::Call, call.request, false);
                let disclose = Some(&mut call.options.disclose_me);
                self.judge((Action::Call, &call.procedure, Match::Exact), asked, disclose, cx)
            }
            _ => Ok(()),
        }
    }

    fn judge(
        &self,
        (action, uri, matching): (Action, &Uri<'_>, Match),
        (request_type, request, silent): (MessageType, Id, bool),
        disclose: Option<&mut bool>,
        cx: &Cx,
    ) -> Result<(), Refusal> {
        let Some(decision) = self.decide(action, uri, matching, cx) else { return Ok(()) };
        let refusal =
            |uri, reason: String| Refusal { request_type, request, uri, reason: reason.into(), silent };
        if !decision.is_allowed() {
            let why = format!("not allowed to {} {uri}", verb(action));
            return Err(refusal(reason::NOT_AUTHORIZED, why));
        }
        if let Some(disclose) = disclose {
            let resolved = decision.disclose.resolve(*disclose);
            *disclose = resolved.map_err(|refused| refusal(refused.uri(), refused.to_string()))?;
        }
        Ok(())
    }

    /// Whether a client of WAMP v1 may do that.
    pub(super) fn may(&self, action: Action, uri: &Uri<'_>, cx: &Cx) -> bool {
        self.decide(action, uri, Match::Exact, cx).is_none_or(Decision::is_allowed)
    }

    /// Whether a rule says so, and not only that nothing is said against it.
    pub(super) fn may_by_rule(&self, action: Action, uri: &str, cx: &Cx) -> bool {
        let uri = Uri::parse(uri, usize::MAX).ok();
        let decision = uri.and_then(|uri| self.decide(action, &uri, Match::Exact, cx));
        decision.is_some_and(|decision| decision.is_allowed() && decision.rule.is_some())
    }

    /// `None`: there are no rules.
    fn decide(&self, action: Action, uri: &Uri<'_>, matching: Match, cx: &Cx) -> Option<Decision> {
        let decision = decide(&self.peer, &cx.engine, action, (uri.as_str(), matching))?;
        if !decision.is_allowed() {
            let (resource_id, action, rule) = (self.peer.id(), action.name(), decision.rule);
            tracing::debug!(resource_id, action, %uri, ?rule, "not authorised");
        }
        Some(decision)
    }
}

/// Whether one who is, or was, in the realm may do that.
pub(super) fn may(peer: &Peer, engine: &Engine, action: Action, to: (&str, Match)) -> bool {
    decide(peer, engine, action, to).is_none_or(Decision::is_allowed)
}

fn decide(peer: &Peer, engine: &Engine, action: Action, (uri, matching): (&str, Match)) -> Option<Decision> {
    let authorizer = peer.realm.authorizer.as_ref()?;
    let subject = subject(peer);
    let pattern = match matching {
        Match::Exact => None,
        // It has been read once: this always is one.
        _ => Pattern::parse(uri, matching, engine.settings.wamp2.options.rules).ok(),
    };
    Some(match &pattern {
        Some(pattern) => authorizer.decide_pattern(subject, action, pattern),
        None => authorizer.decide(subject, action, uri),
    })
}

/// As whom a client is judged.
fn subject(peer: &Peer) -> Subject<'_> {
    match (peer.facts.session.as_deref(), peer.facts.identity.as_deref()) {
        (Some(session), _) => Subject { authid: &session.authid, authrole: &session.authrole },
        (None, Some(identity)) => Subject { authid: &identity.id, authrole: role_of(identity) },
        // Nobody has the empty name.
        (None, None) => Subject { authid: "", authrole: peer.realm.authentication.anonymous_role() },
    }
}

const fn verb(action: Action) -> &'static str {
    match action {
        Action::Subscribe => "subscribe to",
        Action::Publish => "publish to",
        Action::Register => "register",
        Action::Call => "call",
    }
}
