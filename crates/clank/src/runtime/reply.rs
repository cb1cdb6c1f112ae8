//! What passes between callers and callees: invocations, interrupts, and the one reply.

use std::sync::Arc;

use bytes::Bytes;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::Serializer;
use clank_wire::wamp1::{CallError, CallResult};
use clank_wire::wamp2::{
    self, CancelMode, Id, Interrupt, InvocationDetails, MessageType, Passthru, ResultDetails, reason,
};
use clank_wire::ws::{self, OpCode};

use super::dealer::{Caller, Invoked};
use super::form::Form;
use super::outbound::OnOverflow;
use super::peer::Peer;
use super::turn::{Turn, compress};

/// What a call is answered, before it is known in which form.
#[derive(Clone, Copy)]
pub(super) enum Answer2<'a> {
    Result(Payload<'a>),
    /// Part of the result; more follows.
    Progress(Payload<'a>),
    /// The error's URI, and what is said of it.
    Error(&'a str, Payload<'a>),
}

impl Answer2<'_> {
    /// The answer as a client of WAMP v2 gets it, and how many bytes it carries.
    pub(super) fn frame(self, peer: &Peer, request: Id) -> (Bytes, usize) {
        self.frame_with(peer, request, &Passthru::default())
    }

    pub(super) fn frame_with(self, peer: &Peer, request: Id, passthru: &Passthru<'_>) -> (Bytes, usize) {
        let mut out = Vec::with_capacity(64);
        let message = self.append2(peer, request, passthru, &mut out);
        (out.into(), message)
    }

    /// Appends the answer as a client of WAMP v2 gets it, and returns how many bytes it carries.
    pub(super) fn append2(
        self,
        peer: &Peer,
        request: Id,
        passthru: &Passthru<'_>,
        out: &mut Vec<u8>,
    ) -> usize {
        let start = out.len();
        let message = self.append_whole(peer, request, passthru.clone(), out);
        if peer.form.takes(message) || matches!(self, Self::Progress(_)) {
            return message;
        }
        out.truncate(start);
        let payload = PayloadBuf::from_error(&too_long(peer, message), None);
        let error = Answer2::Error(reason::PAYLOAD_SIZE_EXCEEDED, payload.as_payload());
        error.append_whole(peer, request, Passthru::default(), out)
    }

    /// The answer, however long the messages are that the client takes.
    fn append_whole(self, peer: &Peer, request: Id, passthru: Passthru<'_>, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Error(uri, payload) => {
                let (request_type, uri) = (MessageType::Call, uri.into());
                let error = wamp2::Error { request_type, request, passthru, uri, payload };
                append(peer, out, |serializer, out| error.encode(serializer, out))
            }
            Self::Result(payload) | Self::Progress(payload) => {
                let progress = matches!(self, Self::Progress(_));
                let details = ResultDetails { progress, passthru, ..ResultDetails::default() };
                let result = wamp2::CallResult { request, details, payload };
                append(peer, out, |serializer, out| result.encode(serializer, out))
            }
        }
    }

    /// The answer as a client of WAMP v1 gets it.
    fn append1(self, peer: &Peer, id: &str, out: &mut Vec<u8>) -> usize {
        let id = id.into();
        match self {
            Self::Result(result) | Self::Progress(result) => {
                append1(peer, out, |out| CallResult { id, result }.encode(out))
            }
            Self::Error(uri, payload) => {
                let (description, details) = payload.split_description();
                let details = (!details.is_empty()).then_some(details);
                let (uri, description) = (uri.into(), description.unwrap_or_default());
                append1(peer, out, |out| CallError { id, uri, description, details }.encode(out))
            }
        }
    }
}

/// Appends what a client that calls is sent, and returns how many bytes it carries.
pub(super) fn append_for_caller(
    caller: &Caller,
    answer: Answer2<'_>,
    passthru: &Passthru<'_>,
    out: &mut Vec<u8>,
) -> usize {
    match caller {
        Caller::Wamp1 { peer, id } => answer.append1(peer, id, out),
        Caller::Wamp2 { peer, request, .. } => answer.append2(peer, *request, passthru, out),
        // It is sent nothing.
        Caller::Program { .. } => 0,
    }
}

/// The same as a frame of its own.
pub(super) fn frame_for_caller(
    caller: &Caller,
    answer: Answer2<'_>,
    passthru: &Passthru<'_>,
) -> (Bytes, usize) {
    let mut out = Vec::new();
    let message = append_for_caller(caller, answer, passthru, &mut out);
    (out.into(), message)
}

/// Replies to a caller. Only who has taken the call out of the dealer's table may do so.
pub(super) fn reply(caller: Caller, answer: Answer2<'_>, passthru: &Passthru<'_>, turn: &mut Turn) {
    match &caller {
        Caller::Wamp1 { peer, .. } | Caller::Wamp2 { peer, .. } => {
            let encode = |out: &mut Vec<u8>| append_for_caller(&caller, answer, passthru, out);
            let (push, _) = peer.push_own(OnOverflow::Disconnect, encode);
            turn.note(peer, push);
        }
        Caller::Program { .. } => reply_to_program(caller, answer),
    }
}

fn reply_to_program(caller: Caller, answer: Answer2<'_>) {
    let Caller::Program { answers, .. } = caller else { return };
    let answered = match answer {
        Answer2::Result(payload) | Answer2::Progress(payload) => Ok(payload.to_buf()),
        Answer2::Error(uri, payload) => Err((uri.to_owned(), payload.to_buf())),
    };
    // Who has given up waiting needs no answer.
    drop(answers.send(answered));
}

/// What a callee is told of a call beside its arguments.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub procedure: &'a str,
    /// Who calls, where that is disclosed.
    pub caller: Option<&'a Peer>,
    /// The caller takes results bit by bit.
    pub receive_progress: bool,
    /// More of the call follows.
    pub progress: bool,
    pub passthru: &'a Passthru<'a>,
}

/// Sends a callee what it is to answer.
pub(super) fn invoke(invoked: &Invoked, words: &Words<'_>, payload: Payload<'_>, turn: &mut Turn) {
    let callee = &invoked.callee;
    let encode = |out: &mut Vec<u8>| append_invocation(invoked, words, payload, out);
    let message = match callee.offer(OnOverflow::Disconnect, encode) {
        Ok((push, _)) => return turn.note(callee, push),
        Err(message) => message,
    };
    if let Some(taken) = callee.realm.dealer.answer(callee, invoked.request) {
        let payload = PayloadBuf::from_error(&too_long(callee, message), None);
        let error = Answer2::Error(reason::PAYLOAD_SIZE_EXCEEDED, payload.as_payload());
        reply(taken.caller, error, &Passthru::default(), turn);
    }
}

/// What a callee is to answer, or a part of it.
pub(super) fn invocation(invoked: &Invoked, words: &Words<'_>, payload: Payload<'_>) -> (Bytes, usize) {
    let mut out = Vec::with_capacity(64);
    let message = append_invocation(invoked, words, payload, &mut out);
    (out.into(), message)
}

fn append_invocation(invoked: &Invoked, words: &Words<'_>, payload: Payload<'_>, out: &mut Vec<u8>) -> usize {
    let Words { procedure, caller, receive_progress, progress, passthru } = *words;
    let session = caller.and_then(|caller| caller.facts.session.as_deref());
    let callee = &invoked.callee;
    let details = InvocationDetails {
        caller: caller.and_then(|caller| Id::new(caller.session_id.value())),
        caller_authid: session.map(|session| (&*session.authid).into()),
        caller_authrole: session.map(|session| (&*session.authrole).into()),
        procedure: invoked.to_pattern.then(|| procedure.into()),
        receive_progress: receive_progress && callee.features.progressive_results,
        progress,
        passthru: passthru.clone(),
        ..InvocationDetails::default()
    };
    let (request, registration) = (invoked.request, invoked.registration);
    let invocation = wamp2::Invocation { request, registration, details, payload };
    append(callee, out, |serializer, out| invocation.encode(serializer, out))
}

fn too_long(peer: &Peer, message: usize) -> String {
    let taken = peer.form.longest();
    format!("the message has {message} bytes, and its receiver takes no more than {taken}")
}

/// Tells a callee that its answer is not waited for any longer, or shall come soon.
pub(super) fn interrupt(callee: &Arc<Peer>, request: Id, mode: CancelMode, why: &str, turn: &mut Turn) {
    interrupt_or(callee, request, mode, why, OnOverflow::Disconnect, turn);
}

/// The same, where a callee that has no room for it need not hear of it.
pub(super) fn interrupt_if_room(
    callee: &Arc<Peer>,
    request: Id,
    mode: CancelMode,
    why: &str,
    turn: &mut Turn,
) {
    interrupt_or(callee, request, mode, why, OnOverflow::Drop, turn);
}

fn interrupt_or(
    callee: &Arc<Peer>,
    request: Id,
    mode: CancelMode,
    why: &str,
    on_overflow: OnOverflow,
    turn: &mut Turn,
) {
    if callee.features.call_canceling {
        let interrupt = Interrupt { request, mode: Some(mode), reason: Some(why.into()) };
        let (frame, message) = frame(callee, |serializer, out| interrupt.encode(serializer, out));
        turn.note(callee, callee.push(frame, message, on_overflow));
    }
}

/// Appends a message as a client of WAMP v1 gets it, and returns how many bytes it carries.
pub(super) fn append1(peer: &Peer, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let Some(window) = peer.window else { return ws::append_frame(OpCode::Text, out, write) };
    let mut message = Vec::new();
    write(&mut message);
    out.extend_from_slice(&compress(OpCode::Text, window, &message));
    message.len()
}

/// The same as a client of WAMP v2 gets it.
fn append(peer: &Peer, out: &mut Vec<u8>, write: impl FnOnce(Serializer, &mut Vec<u8>)) -> usize {
    match peer.form {
        Form::Wamp2(framed) => framed.append(peer.window, out, write),
        // No such message is made for it.
        Form::Wamp1 => 0,
    }
}

/// A message as a client of WAMP v2 gets it.
pub(super) fn frame(peer: &Peer, write: impl FnOnce(Serializer, &mut Vec<u8>)) -> (Bytes, usize) {
    match peer.form {
        Form::Wamp2(framed) => framed.frame(peer.window, write),
        // No such message is made for it.
        Form::Wamp1 => (Bytes::new(), 0),
    }
}
