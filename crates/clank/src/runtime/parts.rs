//! A call of the program's own procedures, or by the program, that comes in parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{CancelMode, Id, Passthru, reason};
use tokio::sync::{mpsc, oneshot};

use super::dealer::{Caller, Invoked};
use super::engine::Engine;
use super::outbound::{OnOverflow, Push};
use super::peer::Peer;
use super::reply::{Answer2, Words, interrupt_if_room, invocation, invoke};
use super::sync::{Mutex, lock};
use super::turn::Turn;
use crate::rpc::Answered;

/// Parts that wait for who takes them.
pub(crate) const WAITING: usize = 16;

/// Whether a call has been answered: no part of a result comes behind that.
#[derive(Clone, Debug, Default)]
pub(crate) struct End(Arc<Mutex<bool>>);

/// A part of a call's arguments, as JSON.
#[derive(Debug)]
pub(crate) struct Part {
    pub params: Bytes,
    counted: Option<(Arc<AtomicUsize>, usize)>,
}

/// Where parts of a result go.
pub(crate) enum Output {
    /// To nobody: the caller takes none.
    Nobody,
    Client {
        peer: Arc<Peer>,
        request: Id,
        end: End,
    },
    Program(mpsc::Sender<PayloadBuf>),
}

impl End {
    pub(crate) fn set(&self) {
        *lock(&self.0) = true;
    }
}

impl Part {
    pub(crate) fn new(params: Bytes) -> Self {
        Self { params, counted: None }
    }

    /// A part that a client has sent; `None` if too many bytes of its parts wait already.
    pub(super) fn counted(params: Bytes, waiting: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let bytes = params.len();
        let before = waiting.fetch_add(bytes, Ordering::Relaxed);
        let part = Self { params, counted: Some((Arc::clone(waiting), bytes)) };
        (before == 0 || before + bytes <= limit).then_some(part)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some((waiting, bytes)) = &self.counted {
            waiting.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}

impl Output {
    /// Hands on a part of a result. `false`: the caller takes none, or has no room for it.
    pub(crate) fn send(&self, part: PayloadBuf) -> bool {
        match self {
            Self::Nobody => false,
            Self::Program(parts) => parts.try_send(part).is_ok(),
            Self::Client { peer, request, end } => {
                let mut turn = Turn::default();
                let (frame, message) = Answer2::Progress(part.as_payload()).frame(peer, *request);
                // Held until it is queued, so that it is queued before the answer.
                let end = lock(&end.0);
                let push = if *end { Push::Closed } else { peer.push(frame, message, OnOverflow::Drop) };
                drop(end);
                let is_queued = !matches!(push, Push::Closed | Push::Dropped | Push::Overflow);
                turn.note(peer, push);
                peer.engine.hand_over(turn);
                is_queued
            }
        }
    }
}

/// A call by the program of what a client offers, which comes in parts.
pub(crate) struct Call {
    engine: Arc<Engine>,
    uri: Box<str>,
    invoked: Invoked,
}

/// What a call by the program leads to.
pub(crate) struct Results {
    pub parts: mpsc::Receiver<PayloadBuf>,
    pub answered: oneshot::Receiver<Answered>,
}

impl Call {
    /// Sends the first part.
    pub(crate) fn begin(
        engine: &Arc<Engine>,
        uri: &str,
        payload: Payload<'_>,
    ) -> Result<(Self, Results), (&'static str, String)> {
        let (answers, answered) = oneshot::channel();
        let (parts, received) = mpsc::channel(WAITING);
        let dealer = &engine.realms.home().dealer;
        let caller = Caller::Program { answers, parts: Some(parts) };
        let invoked = dealer.call(uri, caller, usize::MAX);
        let invoked = invoked.map_err(|(why, _)| (reason::NO_SUCH_PROCEDURE, why.to_string()))?;
        if !invoked.callee.features.progressive_invocations {
            dealer.answer(&invoked.callee, invoked.request);
            let why = format!("{uri}: the callee does not take calls in parts");
            return Err((reason::FEATURE_NOT_SUPPORTED, why));
        }
        let call = Self { engine: Arc::clone(engine), uri: uri.into(), invoked };
        let mut turn = Turn::default();
        invoke(&call.invoked, &call.words(true, &Passthru::default()), payload, &mut turn);
        engine.hand_over(turn);
        Ok((call, Results { parts: received, answered }))
    }

    /// Sends another part. `false`: the callee has no room for it, and the call has come to its end.
    pub(crate) fn send(&self, payload: Payload<'_>, is_last: bool) -> bool {
        let Invoked { callee, request, .. } = &self.invoked;
        let (frame, message) =
            invocation(&self.invoked, &self.words(!is_last, &Passthru::default()), payload);
        let dealer = &self.engine.realms.home().dealer;
        let push = dealer.peek(callee, *request, |_| callee.push(frame, message, OnOverflow::Drop));
        let is_lost = matches!(push, Some(Push::Dropped | Push::TooLong));
        if is_lost {
            self.take_back();
        }
        let mut turn = Turn::default();
        if let Some(push) = push {
            turn.note(callee, push);
        }
        self.engine.hand_over(turn);
        !is_lost
    }

    fn take_back(&self) {
        let Invoked { callee, request, .. } = &self.invoked;
        if self.engine.realms.home().dealer.answer(callee, *request).is_some() {
            let mut turn = Turn::default();
            interrupt_if_room(callee, *request, CancelMode::KillNoWait, reason::CANCELED, &mut turn);
            self.engine.hand_over(turn);
        }
    }

    fn words<'a>(&'a self, progress: bool, passthru: &'a Passthru<'a>) -> Words<'a> {
        Words { procedure: &self.uri, caller: None, receive_progress: true, progress, passthru }
    }
}

impl Drop for Call {
    /// A call that nobody waits for is taken back.
    fn drop(&mut self) {
        self.take_back();
    }
}
