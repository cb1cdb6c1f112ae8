//! A client offers procedures, and answers those who call them.

use std::sync::Arc;

use clank_core::wamp2::{Fault, Register};
use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::{
    Cancel, CancelMode, Error, Id, Match, MessageType, Passthru, Pattern, Registered, RouterMessage, Rules,
    Unregister, Unregistered, Yield, reason,
};

use tokio::sync::mpsc;

use super::conn::Conn;
use super::cx::Cx;
use super::dealer::{CallKey, Caller, NotRegistered};
use super::outbound::OnOverflow;
use super::peer::Peer;
use super::reply::{Answer2, frame, interrupt, reply};
use super::turn::Turn;
use super::wamp2::errors;

impl Conn {
    pub(super) fn on_register(&mut self, register: Register<'_>, cx: &mut Cx) {
        let Register { request, procedure, options } = register;
        let uri = procedure.as_str();
        let Ok(pattern) = Pattern::parse(uri, options.matching, Rules::Loose) else { return };
        let is_exact = options.matching == Match::Exact;
        let refused = if is_exact && cx.engine.application.procedure(uri).is_some() {
            // Nobody can take calls away from the server.
            Some((reason::PROCEDURE_ALREADY_EXISTS, format!("{uri} is the server's own")))
        } else {
            let peer = &self.peer;
            let announce = |registration, turn: &mut Turn| {
                let registered = Registered { request, registration };
                let (frame, message) = frame(peer, |serializer, out| registered.encode(serializer, out));
                turn.note(peer, peer.push(frame, message, OnOverflow::Disconnect));
            };
            let how = (options.invoke, options.disclose_caller);
            match peer.realm.register(&pattern, peer, how, &mut cx.turn, announce) {
                Ok(()) | Err(NotRegistered::Closing) => None,
                Err(NotRegistered::Refused(why)) => Some((why.uri(), format!("{uri}: {why}"))),
                Err(why) => {
                    self.fail_limit(&format!("{uri} is not offered: {why}"), cx);
                    Some((errors::LIMIT_EXCEEDED, why.to_string()))
                }
            }
        };
        if let Some((error, message)) = refused {
            self.send_error(MessageType::Register, request, error, &message, cx);
        }
    }

    pub(super) fn on_unregister(&mut self, unregister: Unregister, cx: &mut Cx) {
        let Unregister { request, registration } = unregister;
        let peer = &self.peer;
        let announce = |turn: &mut Turn| {
            let unregistered = RouterMessage::Unregistered(Unregistered::Reply { request });
            let (frame, message) = frame(peer, |serializer, out| unregistered.encode(serializer, out));
            turn.note(peer, peer.push(frame, message, OnOverflow::Disconnect));
        };
        if !peer.realm.unregister(registration, peer, &mut cx.turn, announce) {
            let (uri, why) = (reason::NO_SUCH_REGISTRATION, "the session has no such registration");
            self.send_error(MessageType::Unregister, request, uri, why, cx);
        }
    }

    pub(super) fn on_yield(&mut self, answer: &Yield<'_>, cx: &mut Cx) {
        if answer.progress {
            return self.on_progress(answer, cx);
        }
        self.on_answer(answer.request, Answer2::Result(answer.payload), &answer.passthru, cx);
    }

    pub(super) fn on_invocation_failed(&mut self, error: &Error<'_>, cx: &mut Cx) {
        self.on_answer(error.request, Answer2::Error(&error.uri, error.payload), &error.passthru, cx);
    }

    fn on_answer(&mut self, invocation: Id, answer: Answer2<'_>, passthru: &Passthru<'_>, cx: &mut Cx) {
        match self.peer.realm.dealer.answer(&self.peer, invocation) {
            Some(invocation) => reply(invocation.caller, answer, passthru, &mut cx.turn),
            None => self.on_answer_in_vain(invocation, cx),
        }
    }

    /// Nobody waits for the answer: the call was cancelled, or has been answered. That is nothing that
    /// a callee could know; an invocation that it was never sent is.
    fn on_answer_in_vain(&mut self, invocation: Id, cx: &mut Cx) {
        if !self.peer.realm.dealer.was_invoked(&self.peer, invocation) {
            self.on_fault(&Fault::NoInvocation(invocation), cx);
        }
    }

    /// A part of a result. It is made before it is known to be waited for still, so that the dealer's
    /// lock is held for no longer than it takes to queue it.
    fn on_progress(&mut self, part: &Yield<'_>, cx: &mut Cx) {
        let dealer = &self.peer.realm.dealer;
        let wanted = dealer.peek(&self.peer, part.request, |caller| match caller {
            Caller::Wamp2 { peer, request, progress: true } => {
                Some(Wants::Client(Arc::clone(peer), *request))
            }
            Caller::Program { parts: Some(parts), .. } => Some(Wants::Program(parts.clone())),
            _ => None,
        });
        let Some(wanted) = wanted else { return self.on_answer_in_vain(part.request, cx) };
        // Who has not asked for parts gets the whole.
        let (caller, request) = match wanted {
            Some(Wants::Client(caller, request)) => (caller, request),
            // It has no room for this one, or wants no more: it gets the whole.
            Some(Wants::Program(parts)) => return drop(parts.try_send(part.payload.to_buf())),
            None => return,
        };
        let (frame, message) = Answer2::Progress(part.payload).frame_with(&caller, request, &part.passthru);
        // One that floods its caller loses parts, and not the caller its connection.
        let push = dealer.peek(&self.peer, part.request, |_| caller.push(frame, message, OnOverflow::Drop));
        if let Some(push) = push {
            cx.turn.note(&caller, push);
        }
    }

    pub(super) fn on_cancel(&mut self, cancel: Cancel, cx: &mut Cx) {
        let Cancel { request, mode } = cancel;
        let mode = mode.unwrap_or(CancelMode::KillNoWait);
        let dealer = &self.peer.realm.dealer;
        let callee = dealer.callee_of(&self.peer, CallKey::Request(request));
        match (mode, callee) {
            (CancelMode::Kill, Some((callee, invocation))) if callee.features.call_canceling => {
                interrupt(&callee, invocation, mode, reason::CANCELED, &mut cx.turn);
            }
            (CancelMode::Skip, Some((callee, invocation))) => {
                if let Some(taken) = dealer.answer(&callee, invocation) {
                    refuse(taken.caller, reason::CANCELED, "the call was cancelled", cx);
                }
            }
            _ => self.end_call(request, reason::CANCELED, "the call was cancelled", cx),
        }
    }

    /// Ends a call of this client's that is in flight, if it still is.
    pub(super) fn end_call(&mut self, request: Id, uri: &'static str, message: &str, cx: &mut Cx) {
        if self.calls.cancel(request) {
            return self.send_error(MessageType::Call, request, uri, message, cx);
        }
        let dealer = &self.peer.realm.dealer;
        let Some((callee, invocation)) = dealer.callee_of(&self.peer, CallKey::Request(request)) else {
            return;
        };
        if let Some(taken) = dealer.answer(&callee, invocation) {
            interrupt(&callee, invocation, CancelMode::KillNoWait, uri, &mut cx.turn);
            refuse(taken.caller, uri, message, cx);
        }
    }

    /// The connection ends: its procedures are offered no longer, those who wait for it hear that they
    /// wait in vain, and those for whom it waits that they need not answer.
    pub(super) fn leave_dealer(&mut self, cx: &mut Cx) {
        let left = self.peer.realm.leave_dealer(&self.peer, &mut cx.turn);
        for caller in left.unanswered {
            refuse(caller, reason::CANCELED, "the callee has left", cx);
        }
        for (callee, invocation) in left.interrupted {
            interrupt(&callee, invocation, CancelMode::KillNoWait, reason::CANCELED, &mut cx.turn);
        }
    }
}

/// Who wants to have a part of a result.
enum Wants {
    Client(Arc<Peer>, Id),
    Program(mpsc::Sender<PayloadBuf>),
}

/// Replies that the call comes to nothing.
fn refuse(caller: Caller, uri: &'static str, message: &str, cx: &mut Cx) {
    let payload = PayloadBuf::from_error(message, None);
    reply(caller, Answer2::Error(uri, payload.as_payload()), &Passthru::default(), &mut cx.turn);
}
