//! The procedures that WAMP itself has, and who answers them.

use std::sync::Arc;

use clank_core::limits::Limits;
use clank_core::wamp2::authorize::Action;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{Passthru, reason};
use serde::Serialize;

use super::super::conn::Conn;
use super::super::cx::Cx;
use super::super::dealer::Caller;
use super::super::engine::Engine;
use super::super::job::Done;
use super::super::peer::Peer;
use super::super::realm::Realm;
use super::super::reply::{Answer2, frame_for_caller};
use super::super::wamp2::errors;
use super::arguments::Arguments;
use super::{events, registrations, sessions, subscriptions};

/// Entries of one answer. Who wants more has to ask for less at a time.
pub(super) const ENTRIES: usize = 10_000;

/// A procedure that WAMP itself has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Procedure {
    CountSessions,
    ListSessions,
    GetSession,
    KillSession,
    KillByAuthid,
    KillByAuthrole,
    KillAll,
    AddTestament,
    FlushTestaments,
    ListSubscriptions,
    LookupSubscription,
    MatchSubscriptions,
    GetSubscription,
    ListSubscribers,
    CountSubscribers,
    GetEvents,
    ListRegistrations,
    LookupRegistration,
    MatchRegistration,
    GetRegistration,
    ListCallees,
    CountCallees,
}

/// Why a call is answered with an error.
#[derive(Debug)]
pub(crate) struct Refused {
    pub uri: &'static str,
    pub why: String,
}

/// What a call is answered.
pub(crate) type Answered = Result<PayloadBuf, Refused>;

/// What is asked, and by whom.
pub(super) struct Ask<'a> {
    pub engine: &'a Engine,
    pub realm: &'a Realm,
    /// `None`: the program itself.
    pub caller: Option<&'a Peer>,
    pub arguments: Arguments<'a>,
}

impl Refused {
    pub(in super::super) fn new(uri: &'static str, why: impl Into<String>) -> Self {
        Self { uri, why: why.into() }
    }

    pub(in super::super) fn invalid(why: impl Into<String>) -> Self {
        Self::new(reason::INVALID_ARGUMENT, why)
    }

    pub(super) fn too_many(what: &str) -> Self {
        let why = format!("there are more than {ENTRIES} {what}, which is more than an answer has");
        Self::new(errors::LIMIT_EXCEEDED, why)
    }
}

/// An answer of one value.
pub(super) fn one<T: Serialize>(value: T) -> Answered {
    answer(&[value])
}

/// An answer of these values.
pub(super) fn answer<T: Serialize + ?Sized>(values: &T) -> Answered {
    let answer = PayloadBuf::from_arguments::<_, ()>(values, None);
    answer.map_err(|error| Refused::new(errors::HANDLER_FAILED, error.to_string()))
}

impl Procedure {
    /// The procedure of that URI.
    pub(crate) fn find(uri: &str) -> Option<Self> {
        Some(match uri.strip_prefix(super::OWN)? {
            "session.count" => Self::CountSessions,
            "session.list" => Self::ListSessions,
            "session.get" => Self::GetSession,
            "session.kill" => Self::KillSession,
            "session.kill_by_authid" => Self::KillByAuthid,
            "session.kill_by_authrole" => Self::KillByAuthrole,
            "session.kill_all" => Self::KillAll,
            "session.add_testament" => Self::AddTestament,
            "session.flush_testaments" => Self::FlushTestaments,
            "subscription.list" => Self::ListSubscriptions,
            "subscription.lookup" => Self::LookupSubscription,
            "subscription.match" => Self::MatchSubscriptions,
            "subscription.get" => Self::GetSubscription,
            "subscription.list_subscribers" => Self::ListSubscribers,
            "subscription.count_subscribers" => Self::CountSubscribers,
            "subscription.get_events" => Self::GetEvents,
            "registration.list" => Self::ListRegistrations,
            "registration.lookup" => Self::LookupRegistration,
            "registration.match" => Self::MatchRegistration,
            "registration.get" => Self::GetRegistration,
            "registration.list_callees" => Self::ListCallees,
            "registration.count_callees" => Self::CountCallees,
            _ => return None,
        })
    }

    /// Whether it does something to others, which a client may only where a rule says so.
    const fn kills(self) -> bool {
        matches!(self, Self::KillSession | Self::KillByAuthid | Self::KillByAuthrole | Self::KillAll)
    }

    /// Whether it looks at all sessions or subscriptions, and so must not run where sockets are served.
    const fn is_slow(self) -> bool {
        matches!(
            self,
            Self::CountSessions
                | Self::ListSessions
                | Self::KillByAuthid
                | Self::KillByAuthrole
                | Self::KillAll
                | Self::ListSubscriptions
                | Self::GetEvents
                | Self::ListRegistrations
        )
    }

    /// Answers a call.
    pub(crate) fn answer(
        self,
        engine: &Engine,
        realm: &Realm,
        caller: Option<&Peer>,
        payload: Payload<'_>,
    ) -> Answered {
        let ask = Ask { engine, realm, caller, arguments: Arguments(payload) };
        let answered = match self {
            Self::CountSessions => sessions::count(&ask),
            Self::ListSessions => sessions::list(&ask),
            Self::GetSession => sessions::get(&ask),
            Self::KillSession => sessions::kill(&ask),
            Self::KillByAuthid => sessions::kill_by_authid(&ask),
            Self::KillByAuthrole => sessions::kill_by_authrole(&ask),
            Self::KillAll => sessions::kill_all(&ask),
            // The program has no session that might end.
            Self::AddTestament | Self::FlushTestaments => {
                Err(Refused::new(reason::NO_SUCH_SESSION, "there is no session that might end"))
            }
            Self::ListSubscriptions => subscriptions::list(&ask),
            Self::LookupSubscription => subscriptions::lookup(&ask),
            Self::MatchSubscriptions => subscriptions::matching(&ask),
            Self::GetSubscription => subscriptions::get(&ask),
            Self::ListSubscribers => subscriptions::list_subscribers(&ask),
            Self::CountSubscribers => subscriptions::count_subscribers(&ask),
            Self::GetEvents => events::get_events(&ask),
            Self::ListRegistrations => registrations::list(&ask),
            Self::LookupRegistration => registrations::lookup(&ask),
            Self::MatchRegistration => registrations::matching(&ask),
            Self::GetRegistration => registrations::get(&ask),
            Self::ListCallees => registrations::list_callees(&ask),
            Self::CountCallees => registrations::count_callees(&ask),
        }?;
        fits(answered, engine.limits())
    }
}

/// An answer is no longer than what clients may send.
fn fits(answered: PayloadBuf, limits: &Limits) -> Answered {
    let (bytes, limit) = (answered.as_payload().value_len(), limits.message.bytes());
    if bytes > limit {
        let why = format!("the answer would have {bytes} bytes, more than the limit of {limit}");
        return Err(Refused::new(errors::LIMIT_EXCEEDED, why));
    }
    Ok(answered)
}

impl Conn {
    /// The client calls what WAMP itself has.
    pub(in super::super) fn call_meta(
        &mut self,
        (procedure, uri): (Procedure, &str),
        caller: Caller,
        payload: Payload<'_>,
        cx: &mut Cx,
    ) {
        let answered = if procedure.kills() && !self.may_by_rule(Action::Call, uri, cx) {
            Err(Refused::new(reason::NOT_AUTHORIZED, format!("no rule allows to call {uri}")))
        } else if self.has_too_many_calls(cx) {
            Err(Refused::new(errors::LIMIT_EXCEEDED, "too many calls in flight"))
        } else if procedure == Procedure::AddTestament {
            self.add_testament(Arguments(payload), cx)
        } else if procedure == Procedure::FlushTestaments {
            self.flush_testaments(Arguments(payload))
        } else if procedure.is_slow() {
            let (engine, peer, payload) = (Arc::clone(&cx.engine), Arc::clone(&self.peer), payload.to_buf());
            let request = caller.request();
            let job = async move {
                let answered = procedure.answer(&engine, &peer.realm, Some(&peer), payload.as_payload());
                let (frame, message) = encode(&caller, answered);
                Done::Replied(frame, message, None)
            };
            return self.start_call(job, (request, None), cx);
        } else {
            procedure.answer(&cx.engine, &self.peer.realm, Some(&self.peer), payload)
        };
        let (frame, message) = encode(&caller, answered);
        self.reply(frame, message, cx);
    }
}

fn encode(caller: &Caller, answered: Answered) -> (bytes::Bytes, usize) {
    let passthru = Passthru::default();
    match answered {
        Ok(payload) => frame_for_caller(caller, Answer2::Result(payload.as_payload()), &passthru),
        Err(Refused { uri, why }) => {
            let payload = PayloadBuf::from_error(&why, None);
            frame_for_caller(caller, Answer2::Error(uri, payload.as_payload()), &passthru)
        }
    }
}
