//! What a client of WAMP v2 asks for, and what it is answered.

use std::sync::Arc;

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::subscription::{Audience, Connections};
use clank_core::topic::Uri;
use clank_core::wamp2::{Fault, Publish, Received, Refusal, Request, Subscribe};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{
    Abort, Dict, Error, Goodbye, Id, IdList, Match, MessageType, Passthru, Published, RouterMessage,
    Subscribed, TextList, Unsubscribe, Unsubscribed, Welcome, WelcomeDetails, reason,
};

use super::closing::Ending;
use super::conn::{Conn, IDENT, Protocol};
use super::cx::Cx;
use super::hub::{Member, NotSubscribed};
use super::keeping::Keep;
use super::meta::To;
use super::outbound::OnOverflow;
use super::peer::Peer;
use super::reply::frame;
use super::turn::{Said, new_publication};

/// Errors of the server's own, where WAMP has none that fits.
pub(super) mod errors {
    /// A limit of the connection is reached.
    pub(in super::super) const LIMIT_EXCEEDED: &str = "clank.error.limit_exceeded";
    /// The application's code failed.
    pub(in super::super) const HANDLER_FAILED: &str = "clank.error.handler_failed";
}

/// What is announced of the server's roles: what is written here works.
const ROLES: [(&str, &[&str]); 2] = [
    (
        "broker",
        &[
            "event_history",
            "event_retention",
            "pattern_based_subscription",
            "publisher_exclusion",
            "publisher_identification",
            "session_meta_api",
            "subscriber_blackwhite_listing",
            "subscription_meta_api",
        ],
    ),
    (
        "dealer",
        &[
            "caller_identification",
            "call_canceling",
            "call_timeout",
            "pattern_based_registration",
            "progressive_call_invocations",
            "progressive_call_results",
            "registration_meta_api",
            "session_meta_api",
            "shared_registration",
            "testament_meta_api",
        ],
    ),
];

/// More than an ERROR of the server's own has beside its message, in bytes.
const ERROR_BYTES: usize = 256;

/// What is to become of a publication beside its delivery.
#[derive(Default)]
pub(crate) struct Publishing {
    /// The request, if its sender waits for an answer.
    pub acknowledge: Option<Id>,
    pub said: Said,
    /// It is kept for those who come later.
    pub keep: Option<Box<Keep>>,
}

impl Publishing {
    /// Whether it is an event and nothing else: it can be handed out together with others.
    pub(super) fn is_plain(&self) -> bool {
        let Self { acknowledge, said, keep } = self;
        acknowledge.is_none() && keep.is_none() && said.is_plain()
    }
}

/// A subscription that a client of WAMP v2 asks for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub request: Id,
    /// It wants the event that the topic has retained.
    pub get_retained: bool,
}

impl Conn {
    /// WELCOME, and how many bytes it carries.
    pub(super) fn welcome(&self) -> (Bytes, usize) {
        use clank_wire::wamp2::Roles;

        let session = self.peer.facts.session.as_deref();
        let details = WelcomeDetails {
            roles: Roles::new(&ROLES),
            agent: Some(IDENT.into()),
            realm: session.map(|session| (&*session.realm).into()),
            authid: session.map(|session| (&*session.authid).into()),
            authrole: session.map(|session| (&*session.authrole).into()),
            authmethod: session.map(|session| (&*session.authmethod).into()),
            authprovider: session.map(|session| (&*session.authprovider).into()),
            authextra: session.and_then(|session| Dict::from_serialize(session.authextra.as_deref()?)),
        };
        let session = Id::new(self.peer.session_id.value()).unwrap_or(Id::MIN);
        let welcome = Welcome { session, details };
        frame(&self.peer, |serializer, out| welcome.encode(serializer, out))
    }

    /// A WebSocket message with one message or a batch in it, when it is its turn. Returns how many
    /// bytes of the batch have to wait.
    pub(super) fn on_wamp2(&mut self, message: &[u8], is_text: bool, cx: &mut Cx) -> usize {
        let Protocol::Wamp2(session) = &self.protocol else { return 0 };
        let (session, codec) = (*session, session.codec());
        if is_text != codec.is_text() {
            let wanted = if codec.is_text() { "text" } else { "binary" };
            self.on_fault(&Fault::Opcode { subprotocol: codec.subprotocol(), wanted }, cx);
            return 0;
        }
        let mut messages = codec.messages(message);
        while let Some(next) = messages.next() {
            match next.map_err(Fault::from).and_then(|message| session.receive(message)) {
                Ok(Received::Request(request)) => self.on_request(request, cx),
                Ok(Received::Refused(refusal)) => self.refuse(&refusal, cx),
                Err(fault) => self.on_fault(&fault, cx),
            }
            if self.closing.is_some() {
                return 0;
            }
            if self.lane.is_running() || self.is_held_up(cx) {
                return messages.rest().len();
            }
        }
        0
    }

    fn on_request(&mut self, mut request: Request<'_>, cx: &mut Cx) {
        if !matches!(request, Request::Publish(_)) {
            self.release(cx);
        }
        if let Err(refusal) = self.authorize(&mut request, cx) {
            return self.refuse(&refusal, cx);
        }
        match request {
            Request::Subscribe(subscribe) if subscribe.matching != Match::Exact => {
                self.subscribe_to_pattern(&subscribe, cx);
            }
            Request::Subscribe(Subscribe { request, topic, get_retained, .. }) => {
                self.subscribe(topic, Some(Asked { request, get_retained }), cx);
            }
            Request::Unsubscribe(unsubscribe) => self.unsubscribe_from(unsubscribe, cx),
            Request::Publish(publish) => self.on_publish(publish, cx),
            Request::Goodbye(reason) => self.on_goodbye(&reason, cx),
            Request::Abort(reason) => self.close(Ending::new(Cause::ClientClosed, &reason).code(1000), cx),
            Request::Call(call) => self.on_call(call, cx),
            Request::Cancel(cancel) => self.on_cancel(cancel, cx),
            Request::Register(register) => self.on_register(register, cx),
            Request::Unregister(unregister) => self.on_unregister(unregister, cx),
            Request::Yield(answer) => self.on_yield(&answer, cx),
            Request::Failed(error) => self.on_invocation_failed(&error, cx),
        }
    }

    pub(super) fn on_publish(&mut self, publish: Publish<'_>, cx: &mut Cx) {
        let Publish { request, topic, options, payload } = publish;
        let mut audience = match options.exclude_me {
            true => Audience::everyone_but(self.peer.id()),
            false => Audience::everyone(),
        };
        let sessions = |list: &IdList<'_>| cx.engine.connections_of(list.iter().map(Id::get));
        let members = || self.peer.realm.hub.members(topic.as_str());
        let users = |list: &TextList<'_>| select(&members(), list, |session| &session.authid);
        let roles = |list: &TextList<'_>| select(&members(), list, |session| &session.authrole);
        let excluded = [
            options.exclude.as_ref().map(sessions),
            options.exclude_authid.as_ref().map(users),
            options.exclude_authrole.as_ref().map(roles),
        ];
        audience.exclude = excluded.iter().flatten().fold(audience.exclude, |all, more| union(&all, more));
        let eligible = [
            options.eligible.as_ref().map(sessions),
            options.eligible_authid.as_ref().map(users),
            options.eligible_authrole.as_ref().map(roles),
        ];
        audience.eligible = eligible.into_iter().flatten().reduce(|all, more| intersection(&all, &more));
        let said = Said {
            publication: options.acknowledge.then(new_publication),
            publisher: options.disclose_me.then(|| Arc::clone(&self.peer)),
            passthru: owned_passthru(&options.passthru),
        };
        let keep = self.peer.realm.keeping.wants_of(topic.as_str(), &options, self.peer.id());
        let publishing = Publishing { acknowledge: options.acknowledge.then_some(request), said, keep };
        self.publish(topic, payload, (audience, publishing), cx);
    }

    /// Tells the sender of a publication what became of it, if it waits for that.
    pub(super) fn acknowledge(&mut self, request: Option<Id>, publication: Option<Id>, cx: &mut Cx) {
        if let (Some(request), Some(publication)) = (request, publication) {
            self.send2(&RouterMessage::Published(Published { request, publication }), cx);
        }
    }

    /// Makes the client a member of the topic, and queues SUBSCRIBED before any event.
    pub(super) fn join_as(
        &mut self,
        topic: &Uri<'_>,
        asked: Option<Asked>,
        cx: &mut Cx,
    ) -> Result<bool, NotSubscribed> {
        let Some(Asked { request, get_retained }) = asked else {
            return cx.engine.subscribe(topic, &self.peer, &mut cx.turn);
        };
        let peer = &self.peer;
        peer.realm.subscribe(To::Topic(topic.as_str()), peer, &mut cx.turn, |subscription, turn| {
            let subscription = Id::new(subscription).unwrap_or(Id::MIN);
            let subscribed = Subscribed { request, subscription };
            let (frame, message) = frame(peer, |serializer, out| subscribed.encode(serializer, out));
            turn.note(peer, peer.push(frame, message, OnOverflow::Disconnect));
            if get_retained {
                peer.send_retained(subscription, (topic.as_str(), Match::Exact), turn);
            }
        })
    }

    fn unsubscribe_from(&mut self, unsubscribe: Unsubscribe, cx: &mut Cx) {
        let Unsubscribe { request, subscription } = unsubscribe;
        let peer = &self.peer;
        let left = peer.realm.unsubscribe_from(subscription.get(), peer, &mut cx.turn, |turn| {
            let unsubscribed = Unsubscribed::Reply { request };
            let (frame, message) = frame(peer, |serializer, out| unsubscribed.encode(serializer, out));
            turn.note(peer, peer.push(frame, message, OnOverflow::Disconnect));
        });
        match left {
            Some(cell) if cell.is_pattern() => {}
            Some(cell) => {
                if let Ok(topic) = Uri::parse(&*cell.uri, usize::MAX) {
                    self.has_left_topic(&topic, cx);
                }
            }
            None => {
                let why = "the session has no such subscription";
                let uri = reason::NO_SUCH_SUBSCRIPTION;
                self.send_error(MessageType::Unsubscribe, request, uri, why, cx);
            }
        }
    }

    /// The client leaves: it is answered, and its session is over.
    fn on_goodbye(&mut self, why: &str, cx: &mut Cx) {
        let goodbye = Goodbye { reason: reason::GOODBYE_AND_OUT.into(), message: None };
        self.send2(&RouterMessage::Goodbye(goodbye), cx);
        // A close frame that came behind it is answered in its place.
        let ending = match self.lane.has_hangup() {
            true => Ending::new(Cause::ClientClosed, why).code(1000),
            false => Ending::of_session(why),
        };
        self.close(ending, cx);
    }

    /// Tells a client why its session ends, where that is not the client's own doing.
    pub(super) fn say_goodbye(&mut self, ending: &Ending, cx: &mut Cx) {
        let Some((uri, message)) = ending.goodbye() else { return };
        let (reason, message) = (uri.into(), message.map(Into::into));
        self.send2(&RouterMessage::Goodbye(Goodbye { reason, message }), cx);
    }

    pub(super) fn on_fault(&mut self, fault: &Fault, cx: &mut Cx) {
        let reason = fault.to_string();
        let abort = Abort {
            reason: reason::PROTOCOL_VIOLATION.into(),
            message: Some(reason.as_str().into()),
            payload: Payload::EMPTY,
        };
        self.send2(&RouterMessage::Abort(abort), cx);
        let cause = match fault {
            Fault::Opcode { .. } => Cause::UnsupportedData,
            fault if fault.is_malformed() => Cause::MalformedMessage,
            _ => Cause::ProtocolViolation,
        };
        self.close(Ending::new(cause, &close_reason(reason)), cx);
    }

    fn refuse(&mut self, refusal: &Refusal, cx: &mut Cx) {
        if !refusal.silent {
            self.send_error(refusal.request_type, refusal.request, refusal.uri, &refusal.reason, cx);
        }
    }

    /// Answers a request with an error.
    pub(super) fn send_error(
        &mut self,
        request_type: MessageType,
        request: Id,
        uri: &str,
        message: &str,
        cx: &mut Cx,
    ) {
        let payload = PayloadBuf::from_error(message, None);
        let mut payload = payload.as_payload();
        if !self.peer.form.takes(payload.value_len() + ERROR_BYTES) {
            // It names what the client itself has named, and is answered in any case.
            payload = Payload::EMPTY;
        }
        let error = Error { request_type, request, passthru: Passthru::default(), uri: uri.into(), payload };
        self.send2(&RouterMessage::Error(error), cx);
    }

    /// Sends a message to the client, if it speaks WAMP v2.
    pub(super) fn send2(&mut self, message: &RouterMessage<'_>, cx: &mut Cx) {
        if !matches!(self.protocol, Protocol::Wamp2(_)) {
            return;
        }
        let (frame, bytes) = frame(&self.peer, |serializer, out| message.encode(serializer, out));
        self.reply(frame, bytes, cx);
    }
}

/// The connections of those members that `field` has on the list.
fn select(
    members: &[Arc<Peer>],
    list: &TextList<'_>,
    field: impl Fn(&clank_core::event::SessionFacts) -> &str,
) -> Connections {
    let listed = |peer: &&Arc<Peer>| {
        let session = peer.facts.session.as_deref();
        session.is_some_and(|session| list.iter().any(|text| text == field(session)))
    };
    members.iter().filter(listed).map(|peer| peer.id()).collect()
}

fn union(one: &Connections, other: &Connections) -> Connections {
    one.iter().chain(other.iter()).collect()
}

fn intersection(one: &Connections, other: &Connections) -> Connections {
    one.iter().filter(|id| other.has(*id)).collect()
}

/// What is said of how a payload is packed, to be held after its message has gone.
pub(super) fn owned_passthru(passthru: &Passthru<'_>) -> Option<Box<Passthru<'static>>> {
    passthru.scheme.as_ref()?;
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(|text| text.to_string().into());
    Some(Box::new(Passthru {
        scheme: own(&passthru.scheme),
        serializer: own(&passthru.serializer),
        cipher: own(&passthru.cipher),
        keyid: own(&passthru.keyid),
    }))
}

/// As much of a reason as a close frame takes.
pub(super) fn close_reason(mut reason: String) -> String {
    const MAX_BYTES: usize = 123;
    if reason.len() > MAX_BYTES {
        let mut end = MAX_BYTES - "…".len();
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason.truncate(end);
        reason.push('…');
    }
    reason
}
