//! A client calls: a procedure of the server's own, or one that another client offers.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use clank_core::cause::ErrorKind;
use clank_core::wamp1::Call as CallRequest1;
use clank_core::wamp2::authorize::Action;
use clank_core::wamp2::{Call as CallRequest2, Fault};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::{Kind, Serializer};
use clank_wire::wamp1::{CallError, CallResult};
use clank_wire::wamp2::{CallOptions, Id, MessageType, Passthru, reason};

use super::conn::Conn;
use super::cx::Cx;
use super::dealer::{Caller, Unreachable};
use super::engine::Engine;
use super::job::{Begun, Done, Failed, Outcome, Ticket, Who, begin, contain};
use super::meta::Procedure;
use super::outbound::OnOverflow;
use super::parts::End;
use super::peer::Peer;
use super::program::payload_of;
use super::reply::{Answer2, Words, append1, invoke};
use super::turn::Turn;
use super::wamp2::errors;
use crate::rpc::{Call, Called, ErasedProcedure, Named, Reply, RpcError};

impl Conn {
    /// A client of WAMP v1 calls.
    pub(super) fn call(&mut self, request: &CallRequest1<'_>, cx: &mut Cx) {
        let uri = request.procedure.uri().as_str();
        if !self.may(Action::Call, request.procedure.uri(), cx) {
            let error = RpcError::verbatim(reason::NOT_AUTHORIZED, "not allowed to call it", None);
            return self.refuse_call(request, error, cx);
        }
        if let Some(procedure) = Procedure::find(uri) {
            let caller = Caller::Wamp1 { peer: Arc::clone(&self.peer), id: request.id.as_ref().into() };
            let mut params = Vec::new();
            request.params.write(&mut params);
            // They have been read before: they are JSON.
            let params = payload_of(&params).unwrap_or(Payload::EMPTY);
            return self.call_meta((procedure, uri), caller, params, cx);
        }
        let found = cx.engine.application.procedure(uri);
        if found.is_none() && self.peer.realm.dealer.has(uri) {
            let (peer, id) = (Arc::clone(&self.peer), request.id.as_ref().into());
            let caller = Caller::Wamp1 { peer, id };
            let options = CallOptions::default();
            return match self.hand_over(uri, request.arguments.into(), caller, &options, cx) {
                Ok(()) => {}
                Err(Unreachable::NoSuchProcedure) => self.refuse_call(request, RpcError::not_found(), cx),
                Err(why) => self.refuse_call(request, RpcError::new(why.to_string()).code(429), cx),
            };
        }
        let Some(found) = found else {
            let error = match request.procedure.address() {
                Some(_) => RpcError::not_found(),
                None => RpcError::new("Incorrectly formatted Topic name").code(400).detail("topic_name", uri),
            };
            return self.refuse_call(request, error, cx);
        };
        if self.has_too_many_calls(cx) {
            return self.refuse_call(request, RpcError::new("too many calls in flight").code(429), cx);
        }
        let call = self.called(request);
        let begun = begin_call(found, call.clone(), &mut cx.turn);
        self.go_on_with(begun, call, To::Wamp1(Cow::Borrowed(&request.id)), None, cx);
    }

    /// A call of WAMP v1 as procedures see it.
    fn called(&self, request: &CallRequest1<'_>) -> Call {
        let (uri, params) = (request.procedure.uri().as_str(), &request.params);
        let named = Named::new(uri, params.len(), |out| params.write(out));
        Call::new(Called { caller: Some(self.connection()), named, parts: None })
    }

    fn refuse_call(&mut self, request: &CallRequest1<'_>, error: RpcError, cx: &mut Cx) {
        let call = self.called(request);
        self.answer_now(&To::Wamp1(Cow::Borrowed(&request.id)), &call, Ok(Err(error)), cx);
    }

    /// A client of WAMP v2 calls.
    pub(super) fn on_call(&mut self, call: CallRequest2<'_>, cx: &mut Cx) {
        let Some(call) = self.go_on_with_call(call, cx) else { return };
        let CallRequest2 { request, procedure, options, payload } = call;
        if options.progress && !self.peer.features.progressive_calls {
            return self.on_fault(&Fault::NoParts(request), cx);
        }
        if self.calls.has(request) {
            return self.on_fault(&Fault::CallInFlight(request), cx);
        }
        if let Some(has) = self.rare.get() {
            has.timeouts.retain(|(_, known)| *known != request);
        }
        let uri = procedure.as_str();
        let own = Procedure::find(uri);
        let found = if own.is_some() { None } else { cx.engine.application.procedure(uri) };
        let takes_parts = found.as_ref().is_some_and(|found| found.takes_parts());
        if options.progress && (own.is_some() || found.is_some()) && !takes_parts {
            let why = format!("{uri} does not take calls in parts");
            return self.send_error(MessageType::Call, request, reason::FEATURE_NOT_SUPPORTED, &why, cx);
        }
        if let Some(procedure) = own {
            let caller = Caller::Wamp2 { peer: Arc::clone(&self.peer), request, progress: false };
            self.call_meta((procedure, uri), caller, payload, cx);
        } else if let Some(found) = found {
            if self.has_too_many_calls(cx) {
                let why = "too many calls in flight";
                return self.send_error(MessageType::Call, request, errors::LIMIT_EXCEEDED, why, cx);
            }
            let (parts, end) = match takes_parts {
                true => self.open_parts((request, uri), params(&payload).into(), &options, cx),
                false => (None, None),
            };
            let named = Named::new(uri, payload.value_len() + 2, |out| write_params(&payload, out));
            let call = Call::new(Called { caller: Some(self.connection()), named, parts });
            let begun = begin_call(found, call.clone(), &mut cx.turn);
            self.go_on_with(begun, call, To::Wamp2(request), end, cx);
        } else {
            let (peer, progress) = (Arc::clone(&self.peer), options.receive_progress);
            let caller = Caller::Wamp2 { peer, request, progress };
            if let Err(why) = self.hand_over(uri, payload, caller, &options, cx) {
                let error = match why {
                    Unreachable::InFlight => return self.on_fault(&Fault::CallInFlight(request), cx),
                    Unreachable::NoSuchProcedure => reason::NO_SUCH_PROCEDURE,
                    Unreachable::TooMany => errors::LIMIT_EXCEEDED,
                    Unreachable::Busy => reason::UNAVAILABLE,
                    Unreachable::NoParts => reason::FEATURE_NOT_SUPPORTED,
                };
                let message = format!("{uri}: {why}");
                return self.send_error(MessageType::Call, request, error, &message, cx);
            }
        }
        if options.timeout > 0 {
            let at = cx.now.saturating_add(options.timeout);
            self.rare.get_or_new().timeouts.push((at, request));
            self.schedule(at, cx);
        }
    }

    /// Hands a call to who offers the procedure.
    fn hand_over(
        &mut self,
        uri: &str,
        payload: Payload<'_>,
        caller: Caller,
        options: &CallOptions<'_>,
        cx: &mut Cx,
    ) -> Result<(), Unreachable> {
        if uri.starts_with("wamp.") {
            // What is WAMP's own is offered by no client, whatever pattern it has registered.
            return Err(Unreachable::NoSuchProcedure);
        }
        let limit = cx.engine.limits().calls_in_flight.count().saturating_sub(self.calls.count());
        let request = caller.request();
        self.deals = true;
        let dealer = &self.peer.realm.dealer;
        let invoked = dealer.call(uri, caller, limit).map_err(|(why, _)| why)?;
        if options.progress && !invoked.callee.features.progressive_invocations {
            // It has been told nothing yet.
            dealer.answer(&invoked.callee, invoked.request);
            return Err(Unreachable::NoParts);
        }
        let discloses = options.disclose_me || invoked.discloses;
        let words = Words {
            procedure: uri,
            caller: discloses.then_some(&*self.peer),
            receive_progress: options.receive_progress,
            progress: options.progress,
            passthru: &options.passthru,
        };
        invoke(&invoked, &words, payload, &mut cx.turn);
        if let Some(request) = request.filter(|_| options.progress) {
            self.begin_stream(request, invoked, (uri, discloses, options), cx);
        }
        Ok(())
    }

    pub(super) fn has_too_many_calls(&self, cx: &Cx) -> bool {
        let limit = cx.engine.limits().calls_in_flight.count();
        // Who has only ever called the server has nothing in the dealer's tables.
        let others = if self.deals { self.peer.realm.dealer.calls_of(&self.peer) } else { 0 };
        self.calls.count() + others >= limit
    }

    /// Goes on with a call of a procedure of the server's own.
    fn go_on_with(&mut self, begun: Begun<Reply>, call: Call, to: To<'_>, end: Option<End>, cx: &mut Cx) {
        let running = match begun {
            Begun::Waits(running) => running,
            Begun::Over(reply) => {
                end.iter().for_each(End::set);
                return self.answer_now(&to, &call, reply.map_err(Failed::Panicked), cx);
            }
        };
        let answer = Answer { to: to.into_owned(), peer: Arc::clone(&self.peer), call };
        let (request, at_end) = (answer.to.request(), end.clone());
        let job = async move {
            let reply = contain(move || running).await;
            at_end.iter().for_each(End::set);
            answer.done(reply.map_err(Failed::Panicked))
        };
        self.start_call(job, (request, end), cx);
    }

    /// Starts what comes to the answer of a call, on the application's threads.
    pub(super) fn start_call(
        &mut self,
        job: impl Future<Output = Done> + Send + 'static,
        (request, end): (Option<Id>, Option<End>),
        cx: &mut Cx,
    ) {
        let number = self.ticket();
        let ticket = Ticket::new(&cx.mailbox, self.peer.token, number);
        let abort = ticket.spawn(&cx.engine.threads.handle(), job, Done::Told(Err(Failed::Dropped)));
        cx.look_after_threads();
        self.calls.insert(number, abort, request, end);
    }

    /// Sends what a procedure has replied.
    fn answer_now(&mut self, to: &To<'_>, call: &Call, outcome: Outcome<Reply>, cx: &mut Cx) {
        let (reply, failed) = replied(outcome);
        let encode = |out: &mut Vec<u8>| to.append(&self.peer, call, &reply, out);
        let (push, message) = self.peer.push_own(OnOverflow::Disconnect, encode);
        self.has_replied(push, message, cx);
        self.tell_failed(failed, cx);
    }

    /// Sends what a procedure answered.
    pub(super) fn answer(&mut self, done: Done, cx: &mut Cx) {
        if let Done::Replied(frame, message, failed) = done {
            self.reply(frame, message, cx);
            self.tell_failed(failed, cx);
        }
    }

    /// A procedure that is waited for no longer has come to its end.
    pub(super) fn answer_nobody(&mut self, done: Done, cx: &mut Cx) {
        if let Done::Replied(_, _, failed) = done {
            self.tell_failed(failed, cx);
        }
    }

    fn tell_failed(&mut self, failed: Option<Failed>, cx: &mut Cx) {
        if let Some(failed) = failed {
            self.fail_for(failed, Who::Handler, cx);
        }
    }

    /// Ends calls whose time is over. Returns when the next one's is.
    pub(super) fn check_timeouts(&mut self, cx: &mut Cx) -> u64 {
        let Some(has) = self.rare.get() else { return u64::MAX };
        let due: Vec<Id> = has.timeouts.iter().filter(|(at, _)| *at <= cx.now).map(|(_, id)| *id).collect();
        has.timeouts.retain(|(at, _)| *at > cx.now);
        let next = has.timeouts.iter().map(|(at, _)| *at).min().unwrap_or(u64::MAX);
        self.rare.trim();
        for request in due {
            self.end_call(request, reason::TIMEOUT, "the call took longer than its time-out", cx);
        }
        next
    }

    /// Tells listeners of a limit that a client of WAMP v2 has met, as they hear of it in WAMP v1.
    pub(super) fn fail_limit(&mut self, message: &str, cx: &mut Cx) {
        self.fail(ErrorKind::LimitExceeded, message, cx);
    }
}

/// Calls a procedure of the server's own, and runs it as far as it gets if it is inline.
fn begin_call(procedure: &dyn ErasedProcedure, call: Call, turn: &mut Turn) -> Begun<Reply> {
    Engine::inline(turn, || begin(procedure.is_inline(), || procedure.call(call)))
}

/// What it takes to answer a call of a procedure of the server's own.
struct Answer {
    to: To<'static>,
    peer: Arc<Peer>,
    call: Call,
}

/// What the caller knows a call by.
enum To<'a> {
    Wamp1(Cow<'a, str>),
    Wamp2(Id),
}

impl Answer {
    /// Encodes the one answer that the call gets.
    fn done(self, outcome: Outcome<Reply>) -> Done {
        let (reply, failed) = replied(outcome);
        let mut frame = Vec::with_capacity(128);
        let message = self.to.append(&self.peer, &self.call, &reply, &mut frame);
        Done::Replied(frame.into(), message, failed)
    }
}

/// What the caller hears, and listeners, of how a procedure ended.
fn replied(outcome: Outcome<Reply>) -> (Reply, Option<Failed>) {
    match outcome {
        Ok(reply) => (reply, None),
        Err(failed) => (Err(RpcError::new("the procedure failed").code(500)), Some(failed)),
    }
}

impl To<'_> {
    fn into_owned(self) -> To<'static> {
        match self {
            Self::Wamp1(id) => To::Wamp1(id.into_owned().into()),
            Self::Wamp2(request) => To::Wamp2(request),
        }
    }

    /// What a client of WAMP v2 knows it by.
    fn request(&self) -> Option<Id> {
        match self {
            Self::Wamp1(_) => None,
            Self::Wamp2(request) => Some(*request),
        }
    }

    /// Appends the answer, and returns how many bytes of message it has.
    fn append(&self, peer: &Peer, call: &Call, reply: &Reply, out: &mut Vec<u8>) -> usize {
        match (self, reply) {
            (Self::Wamp1(id), Ok(result)) => {
                let result = CallResult { id: Cow::Borrowed(id), result: result.as_payload() };
                append1(peer, out, |out| result.encode(out))
            }
            (Self::Wamp1(id), Err(error)) => {
                let details = error.to_details(call);
                let uri = error.uri(call).into();
                let description = error.description().into();
                let details = details.as_ref().map(PayloadBuf::as_payload);
                let error = CallError { id: Cow::Borrowed(id), uri, description, details };
                append1(peer, out, |out| error.encode(out))
            }
            (Self::Wamp2(request), Ok(result)) => {
                Answer2::Result(result.as_payload()).append2(peer, *request, &Passthru::default(), out)
            }
            (Self::Wamp2(request), Err(error)) => {
                let details = error.to_details(call);
                let details = details.as_ref().map(PayloadBuf::as_payload);
                let payload = PayloadBuf::from_error(error.description(), details);
                let error = Answer2::Error(error.uri(call), payload.as_payload());
                error.append2(peer, *request, &Passthru::default(), out)
            }
        }
    }
}

/// The parameters of a procedure of the server's own: an only argument that is a list or a dictionary
/// takes the place of the arguments, as in WAMP v1; keyword arguments alone do too.
pub(super) fn params(payload: &Payload<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_params(payload, &mut out);
    out
}

/// Appends the same to `out`.
fn write_params(payload: &Payload<'_>, out: &mut Vec<u8>) {
    let mut arguments = payload.iter();
    match (arguments.next(), payload.count(), payload.keywords()) {
        (Some(only), 1, None) if matches!(only.kind(), Kind::List | Kind::Map) => {
            only.write(Serializer::Json, out);
        }
        (_, _, None) => {
            out.push(b'[');
            payload.write_arguments(Serializer::Json, out);
            out.push(b']');
        }
        (None, _, Some(_)) => {
            let json = payload.transcode(Serializer::Json);
            out.extend_from_slice(json.as_payload().keywords().unwrap_or(b"{}"));
        }
        _ => payload.write_value(out),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clank_wire::wamp2::ClientMessage;

    use super::*;

    #[test]
    fn arguments_become_the_parameters_of_a_procedure() {
        for (message, expected) in [
            ("", "[]"),
            (",[]", "[]"),
            (",[1,\"a\"]", r#"[1,"a"]"#),
            (",[[1,2]]", "[1,2]"),
            (r#",[{"a":1}]"#, r#"{"a":1}"#),
            (",[[1],[2]]", "[[1],[2]]"),
            (r#",[],{"a":1}"#, r#"{"a":1}"#),
            (r#",[1],{"a":1}"#, r#"{"args":[1],"kwargs":{"a":1}}"#),
        ] {
            let text = format!(r#"[48,1,{{}},"a.b"{message}]"#);
            let Ok(ClientMessage::Call(call)) = ClientMessage::decode(Serializer::Json, text.as_bytes())
            else {
                unreachable!("a CALL")
            };
            assert_eq!(String::from_utf8(params(&call.payload)).unwrap(), expected, "{message}");
            let packed = call.payload.transcode(Serializer::MessagePack);
            assert_eq!(String::from_utf8(params(&packed.as_payload())).unwrap(), expected, "{message}");
        }
    }
}
