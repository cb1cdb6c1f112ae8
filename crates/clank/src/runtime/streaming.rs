//! Calls whose arguments come in parts (specification: "Progressive Call Invocations").
//!
//! The caller's connection remembers whom the first part went to, and in which words; the parts that
//! follow go there too. Whether the call is still in flight, the dealer knows. Parts that come when it
//! is over are dropped: its caller could not know.

use std::sync::Arc;

use clank_core::wamp2::{Call, Fault};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{CallOptions, CancelMode, Id, Passthru, reason};

use super::conn::Conn;
use super::cx::Cx;
use super::dealer::{CallKey, Invoked};
use super::outbound::{OnOverflow, Push};
use super::peer::Peer;
use super::reply::{Answer2, Words, interrupt_if_room, invocation, reply};
use super::wamp2::{errors, owned_passthru};

/// A call that its caller has not come to the end of.
pub(super) struct Stream {
    request: Id,
    procedure: Box<str>,
    invoked: Invoked,
    discloses: bool,
    receive_progress: bool,
    passthru: Option<Box<Passthru<'static>>>,
}

impl Conn {
    /// More of this call will follow.
    pub(super) fn begin_stream(
        &mut self,
        request: Id,
        invoked: Invoked,
        (procedure, discloses, options): (&str, bool, &CallOptions<'_>),
        cx: &Cx,
    ) {
        let stream = Stream {
            request,
            procedure: procedure.into(),
            invoked,
            discloses,
            receive_progress: options.receive_progress,
            passthru: owned_passthru(&options.passthru),
        };
        let (dealer, peer) = (&self.peer.realm.dealer, &self.peer);
        let streams = &mut self.rare.get_or_new().streams;
        if streams.len() >= cx.engine.limits().calls_in_flight.count() {
            // Some callers never say that a call has come to its end when it has been answered.
            streams.retain(|known| dealer.callee_of(peer, CallKey::Request(known.request)).is_some());
        }
        streams.push(stream);
    }

    /// Takes what belongs to a call that has begun before; gives back what is another call.
    pub(super) fn go_on_with_call<'a>(&mut self, call: Call<'a>, cx: &mut Cx) -> Option<Call<'a>> {
        let Some(has) = self.rare.get() else { return Some(call) };
        let Some(at) = has.streams.iter().position(|known| known.request == call.request) else {
            return Some(call);
        };
        let stream = has.streams.swap_remove(at);
        let is_last = !call.options.progress;
        if is_last {
            self.rare.trim();
        }
        let dealer = &self.peer.realm.dealer;
        if dealer.callee_of(&self.peer, CallKey::Request(call.request)).is_some()
            && *stream.procedure != *call.procedure.as_str()
        {
            self.on_fault(&Fault::CallInFlight(call.request), cx);
            return None;
        }
        self.hand_on(&stream, call.payload, is_last, cx);
        if !is_last {
            self.rare.get_or_new().streams.push(stream);
        }
        None
    }

    /// Sends the callee a part, if the call is in flight. What does not fit into its queue ends the
    /// call: with a part missing it would be another one.
    fn hand_on(&mut self, stream: &Stream, payload: Payload<'_>, is_last: bool, cx: &mut Cx) {
        let callee = &stream.invoked.callee;
        let none = Passthru::default();
        let words = Words {
            procedure: &stream.procedure,
            caller: stream.discloses.then_some(&*self.peer),
            receive_progress: stream.receive_progress,
            progress: !is_last,
            passthru: stream.passthru.as_deref().unwrap_or(&none),
        };
        // It is made before it is known to be waited for, so that the dealer's lock is held no longer
        // than it takes to queue it.
        let (frame, message) = invocation(&stream.invoked, &words, payload);
        let dealer = &self.peer.realm.dealer;
        let push =
            dealer.peek(callee, stream.invoked.request, |_| callee.push(frame, message, OnOverflow::Drop));
        match push {
            Some(Push::Dropped) => self.end_stream(callee, stream.invoked.request, cx),
            Some(push) => cx.turn.note(callee, push),
            None => {}
        }
    }

    fn end_stream(&self, callee: &Arc<Peer>, invocation: Id, cx: &mut Cx) {
        let Some(taken) = self.peer.realm.dealer.answer(callee, invocation) else { return };
        interrupt_if_room(callee, invocation, CancelMode::KillNoWait, reason::CANCELED, &mut cx.turn);
        let payload = PayloadBuf::from_error("the callee reads more slowly than the call's parts come", None);
        let answer = Answer2::Error(errors::LIMIT_EXCEEDED, payload.as_payload());
        reply(taken.caller, answer, &Passthru::default(), &mut cx.turn);
    }
}
