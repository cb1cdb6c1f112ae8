//! Calls whose arguments come in parts (specification: "Progressive Call Invocations").
//!
//! The caller's connection remembers whom the first part went to, and in which words; the parts that
//! follow go there too. Whether the call is still in flight, the dealer knows. Parts that come when it
//! is over are dropped: its caller could not know.

use std::sync::Arc;

use bytes::Bytes;
use clank_core::wamp2::{Call, Fault};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{CallOptions, CancelMode, Id, Passthru, reason};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::calling::params;
use super::calls::Calls;
use super::conn::Conn;
use super::cx::Cx;
use super::dealer::{CallKey, Invoked};
use super::outbound::{OnOverflow, Push};
use super::parts::{End, Output, Part, WAITING};
use super::peer::Peer;
use super::reply::{Answer2, Words, interrupt_if_room, invocation, reply};
use super::wamp2::{errors, owned_passthru};
use crate::parts::{Parts, Slot};

const TOO_SLOW: &str = "the callee reads more slowly than the call's parts come";

/// A call that its caller has not come to the end of.
pub(super) struct Stream {
    request: Id,
    procedure: Box<str>,
    to: To,
}

/// Where its parts go.
enum To {
    Client(Box<Invoking>),
    Program(mpsc::Sender<Part>),
}

struct Invoking {
    invoked: Invoked,
    discloses: bool,
    receive_progress: bool,
    passthru: Option<Box<Passthru<'static>>>,
}

impl Stream {
    /// Whether the call has not been answered yet, as far as one can see from here.
    fn is_in_flight(&self, caller: &Peer, calls: &Calls) -> bool {
        match self.to {
            To::Client(_) => caller.realm.dealer.callee_of(caller, CallKey::Request(self.request)).is_some(),
            To::Program(_) => calls.has(self.request),
        }
    }
}

impl Conn {
    /// More of this call to a client will follow.
    pub(super) fn begin_stream(
        &mut self,
        request: Id,
        invoked: Invoked,
        (procedure, discloses, options): (&str, bool, &CallOptions<'_>),
        cx: &Cx,
    ) {
        let (receive_progress, passthru) = (options.receive_progress, owned_passthru(&options.passthru));
        let to = To::Client(Box::new(Invoking { invoked, discloses, receive_progress, passthru }));
        self.remember(Stream { request, procedure: procedure.into(), to }, cx);
    }

    /// A procedure of the program's own is called that takes parts.
    pub(super) fn open_parts(
        &mut self,
        (request, procedure): (Id, &str),
        params: Bytes,
        options: &CallOptions<'_>,
        cx: &Cx,
    ) -> (Option<Slot>, Option<End>) {
        let (input, received) = mpsc::channel(WAITING);
        // There is room for the first.
        _ = input.try_send(Part::new(params));
        let end = End::default();
        let output = match options.receive_progress {
            true => Output::Client { peer: Arc::clone(&self.peer), request, end: end.clone() },
            false => Output::Nobody,
        };
        if options.progress {
            self.remember(Stream { request, procedure: procedure.into(), to: To::Program(input) }, cx);
        }
        (Some(Slot::new(Parts::new(received, output))), Some(end))
    }

    fn remember(&mut self, stream: Stream, cx: &Cx) {
        let (peer, calls) = (&self.peer, &self.calls);
        let streams = &mut self.rare.get_or_new().streams;
        if streams.len() >= cx.engine.limits().calls_in_flight.count() {
            // Some callers never say that a call has come to its end when it has been answered.
            streams.retain(|known| known.is_in_flight(peer, calls));
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
        if *stream.procedure != *call.procedure.as_str() && stream.is_in_flight(&self.peer, &self.calls) {
            self.on_fault(&Fault::CallInFlight(call.request), cx);
            return None;
        }
        match &stream.to {
            To::Client(invoking) => self.hand_on(&stream, invoking, call.payload, is_last, cx),
            To::Program(input) => self.pass_on(input, &call, cx),
        }
        if !is_last {
            self.rare.get_or_new().streams.push(stream);
        }
        None
    }

    /// Gives a procedure of the program's own a part. What it has no room for ends the call.
    fn pass_on(&mut self, input: &mpsc::Sender<Part>, call: &Call<'_>, cx: &mut Cx) {
        let (waiting, limit) = (&self.rare.get_or_new().waiting, cx.engine.limits().message.bytes());
        let part = Part::counted(params(&call.payload).into(), waiting, limit);
        match part.map(|part| input.try_send(part)) {
            // It wants no more, or has answered.
            Some(Ok(()) | Err(TrySendError::Closed(_))) => {}
            Some(Err(TrySendError::Full(_))) | None => {
                self.end_call(call.request, errors::LIMIT_EXCEEDED, TOO_SLOW, cx);
            }
        }
    }

    /// Sends the callee a part, if the call is in flight. What does not fit into its queue ends the
    /// call: with a part missing it would be another one.
    fn hand_on(
        &mut self,
        stream: &Stream,
        invoking: &Invoking,
        payload: Payload<'_>,
        is_last: bool,
        cx: &mut Cx,
    ) {
        let Invoking { ref invoked, discloses, receive_progress, ref passthru } = *invoking;
        let none = Passthru::default();
        let words = Words {
            procedure: &stream.procedure,
            caller: discloses.then_some(&*self.peer),
            receive_progress,
            progress: !is_last,
            passthru: passthru.as_deref().unwrap_or(&none),
        };
        // It is made before it is known to be waited for, so that the dealer's lock is held no longer
        // than it takes to queue it.
        let (frame, message) = invocation(invoked, &words, payload);
        let (dealer, callee) = (&self.peer.realm.dealer, &invoked.callee);
        let push = dealer.peek(callee, invoked.request, |_| callee.push(frame, message, OnOverflow::Drop));
        match push {
            Some(Push::Dropped) => self.end_stream(callee, invoked.request, cx),
            Some(push) => {
                if push == Push::TooLong {
                    self.end_stream(callee, invoked.request, cx);
                }
                cx.turn.note(callee, push);
            }
            None => {}
        }
    }

    fn end_stream(&self, callee: &Arc<Peer>, invocation: Id, cx: &mut Cx) {
        let Some(taken) = self.peer.realm.dealer.answer(callee, invocation) else { return };
        interrupt_if_room(callee, invocation, CancelMode::KillNoWait, reason::CANCELED, &mut cx.turn);
        let payload = PayloadBuf::from_error(TOO_SLOW, None);
        let answer = Answer2::Error(errors::LIMIT_EXCEEDED, payload.as_payload());
        reply(taken.caller, answer, &Passthru::default(), &mut cx.turn);
    }
}
