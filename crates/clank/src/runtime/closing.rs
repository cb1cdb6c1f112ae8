//! The one way in which a connection ends.
//!
//! [`Conn::close`] is where every end begins: the first cause is kept, the socket gets its close
//! frame and nothing after it, subscriptions end, calls are dropped. Then two things go on side by
//! side, the socket's closing handshake and the application's hearing of the end, and when both
//! are over the connection is [finished](Conn::is_finished).

use std::sync::Arc;
use std::time::Duration;

use clank_core::cause::{Cause, LogLevel};
use clank_core::event::{Change, Disconnected, EventKind, Failure, Transport};
use clank_core::topic::Uri;
use clank_wire::wamp2::reason;
use clank_wire::ws::{self, CloseCode};

use super::conn::Conn;
use super::cx::Cx;
use super::hub::Member;
use super::lane::Work;
use super::wamp2::close_reason;

/// How long the client has to answer a close frame, in milliseconds.
const CLOSE_WAIT: u64 = 2_000;

/// Why and how a connection ends.
pub(crate) struct Ending {
    cause: Cause,
    code: u16,
    reason: Box<str>,
    joins_again: bool,
    /// What GOODBYE says, if it is not what the cause has.
    goodbye: Option<Box<Goodbye>>,
}

struct Goodbye {
    uri: Box<str>,
    message: Option<Box<str>>,
}

impl Ending {
    /// An end with the cause's own close code.
    pub(crate) fn new(cause: Cause, reason: &str) -> Self {
        let code = cause.close_code().unwrap_or(1006);
        Self { cause, code, reason: reason.into(), joins_again: false, goodbye: None }
    }

    /// Somebody in the realm, who may, has ended the session: with this reason, a URI, and this
    /// message.
    pub(crate) fn killed(uri: Box<str>, message: Option<Box<str>>) -> Self {
        let reason = close_reason(message.as_ref().unwrap_or(&uri).to_string());
        Self { goodbye: Some(Box::new(Goodbye { uri, message })), ..Self::new(Cause::ServerClosed, &reason) }
    }

    /// The session ends, and its socket may begin another.
    pub(crate) fn of_session(reason: &str) -> Self {
        Self { joins_again: true, ..Self::new(Cause::ClientClosed, reason).code(1000) }
    }

    /// The reason and the message of GOODBYE; `None`: none is said.
    pub(super) fn goodbye(&self) -> Option<(&str, Option<&str>)> {
        if let Some(Goodbye { uri, message }) = self.goodbye.as_deref() {
            return Some((uri, message.as_deref()));
        }
        match self.cause {
            Cause::ServerShutdown => Some((reason::SYSTEM_SHUTDOWN, Some(&self.reason))),
            Cause::ServerClosed => Some((reason::KILLED, Some(&self.reason))),
            _ => None,
        }
    }

    /// The same with another code.
    pub(crate) fn code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }
}

/// What is left to be done on a closing connection.
pub(crate) struct Closing {
    ending: Ending,
    /// When the socket is shut, whatever the client does.
    deadline: u64,
    /// When calls that were dropped are waited for no longer.
    calls_deadline: u64,
    /// When handlers and listeners are no longer told of subscriptions that ended, and of errors:
    /// `disconnected` is next. It leaves time for one that hangs, and for its error to be told.
    patience: u64,
    /// The client's close frame is there.
    answered: bool,
    /// The close frame, and all before it, has been given to the transport.
    sealed: bool,
    /// The transport has let all of it go.
    written: bool,
    /// The socket is shut.
    shut: bool,
    /// The record of the end is made: nothing is told after it.
    farewell: bool,
    /// The socket is not shut but goes on without this session: another one may follow.
    joins_again: bool,
    /// What the client sent behind its GOODBYE.
    rest: Vec<u8>,
}

impl Closing {
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}

impl Conn {
    /// Begins to close the connection; the first call counts.
    pub(crate) fn close(&mut self, ending: Ending, cx: &mut Cx) {
        self.release(cx);
        if self.closing.is_some() {
            return;
        }
        let cause = ending.cause;
        let says = cause == Cause::ClientClosed || cause.sends_close();
        let frame = self.close_frame(&ending);
        let deadline = cx.now + CLOSE_WAIT;
        let answered = cause == Cause::ClientClosed;
        let joins_again = ending.joins_again;
        self.say_goodbye(&ending, cx);
        if self.closing.is_some() {
            // There was no room even for that, which is an end of its own.
            return;
        }
        let error =
            cause.error_kind().map(|kind| Failure { kind, message: ending.reason.clone(), survived: false });
        let calls_deadline = cx.now + cx.listener_limit();
        self.closing = Some(Box::new(Closing {
            ending,
            deadline,
            calls_deadline,
            patience: cx.now + 2 * cx.listener_limit(),
            answered,
            sealed: false,
            written: false,
            shut: false,
            farewell: false,
            joins_again,
            rest: Vec::new(),
        }));
        self.peer.set_closing();
        cx.engine.deregister(&self.peer);
        self.lane.discard_messages();
        self.calls.drop_all();
        self.tell_dropped(cx);
        if let Some(error) = error {
            self.tell(Change::Error(Box::new(error)), cx);
        }
        self.leave_topics(cx);
        self.leave_dealer(cx);
        self.leave_realm(cx);
        self.bequeath();
        self.lane.push(Work::Farewell);
        if self.calls.count() > 0 {
            self.schedule(calls_deadline, cx);
        }
        if says {
            let push = self.peer.seal(frame);
            cx.turn.note(&self.peer, push);
            self.schedule(deadline, cx);
        } else {
            self.shut();
        }
        self.queue(cx);
    }

    /// The client has ended its direction of the stream.
    pub(super) fn on_end(&mut self, cx: &mut Cx) {
        let is_raw = self.peer.form.transport() == Transport::RawSocket;
        if self.closing.is_some() {
            // It will not answer any more; what is queued for it can still be written.
            self.on_close_answered();
        } else if is_raw && self.lane.is_busy() {
            // GOODBYE may wait there: it has no close frame that would wait behind it.
            self.lane.push(Work::Hangup(None));
        } else if is_raw {
            self.lost("the client ended the connection without GOODBYE", cx);
        } else {
            self.lost("the client ended the connection without a close frame", cx);
        }
    }

    /// The connection broke.
    pub(super) fn lost(&mut self, reason: &str, cx: &mut Cx) {
        if self.lane.has_hangup() {
            // The client's close frame came before, and says how this ends when its turn comes.
            return;
        }
        self.close(Ending::new(Cause::NetworkLost, reason), cx);
        self.shut();
    }

    /// The socket can't be written to.
    pub(crate) fn on_write_failed(&mut self, error: &std::io::Error, cx: &mut Cx) {
        self.lost(&error.to_string(), cx);
    }

    /// The client's close frame, or the end of its RawSocket, has come to its turn.
    pub(super) fn on_hangup(&mut self, frame: Option<(CloseCode, Box<str>)>, cx: &mut Cx) {
        if self.peer.form.transport() == Transport::RawSocket {
            return self.on_end(cx);
        }
        let ending = match frame {
            Some((code, reason)) => Ending::new(Cause::ClientClosed, &reason).code(code.as_u16()),
            None => Ending::new(Cause::ClientClosed, ""),
        };
        self.close(ending, cx);
    }

    /// The client answered the server's close frame.
    pub(super) fn on_close_answered(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.answered = true;
        }
        self.shut_if_done();
    }

    /// The close frame and all before it is written.
    pub(crate) fn on_sealed(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.sealed = true;
        }
        self.on_woken();
    }

    /// A stream may hold back what was written to it: lets it go on, and then ends what is sealed.
    pub(crate) fn on_woken(&mut self) {
        if !self.transport.flush() {
            return;
        }
        let Some(closing) = &mut self.closing else { return };
        if closing.sealed && !closing.written {
            closing.written = true;
            if !closing.answered && !closing.joins_again {
                // The client sees the end of the stream behind the close frame, and may still
                // answer.
                self.transport.end();
            }
            self.shut_if_done();
        }
    }

    /// The deadlines of a closing connection; `None` if it is not closing.
    pub(super) fn check_closing(&mut self, cx: &mut Cx) -> Option<u64> {
        let closing = self.closing.as_ref()?;
        let Closing { deadline, calls_deadline, shut, joins_again, written, .. } = **closing;
        if self.calls.count() > 0 && calls_deadline <= cx.now {
            self.calls.forget_all();
        }
        let waits_for_nobody = joins_again && written;
        if !shut && deadline <= cx.now && !waits_for_nobody {
            self.shut();
        }
        let calls = if self.calls.count() > 0 { calls_deadline } else { u64::MAX };
        let socket = if self.is_shut() || waits_for_nobody { u64::MAX } else { deadline };
        Some(calls.min(socket))
    }

    pub(super) fn closing_deadline(&self) -> u64 {
        self.closing.as_ref().map_or(u64::MAX, |closing| closing.deadline)
    }

    /// Whether the socket is shut.
    pub(super) fn is_shut(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.shut)
    }

    /// Whether its session ends, and its socket goes on.
    pub(super) fn joins_again(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.joins_again)
    }

    /// Keeps `bytes` for the next session, if this one has just ended.
    pub(super) fn keeps_rest(&mut self, bytes: &[u8]) -> bool {
        let Some(closing) = self.closing.as_mut().filter(|closing| closing.joins_again) else { return false };
        closing.rest.extend_from_slice(bytes);
        true
    }

    /// Whether its session is over and told of, and its socket may begin another.
    pub(crate) fn has_left(&self) -> bool {
        let has_left = |closing: &Closing| closing.joins_again && closing.written && !closing.shut;
        self.closing.as_deref().is_some_and(has_left) && self.lane.is_ended()
    }

    /// Whether nothing is left to be done: the socket is shut, and everybody has heard.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_shut() && self.lane.is_ended()
    }

    /// Whether `work` is given up, so that the end is told in time whatever the application's code
    /// does: a thousand handlers that hang shall not put it off a thousand times.
    pub(super) fn gives_up(&self, work: &Work, cx: &Cx) -> bool {
        let is_late = self.closing.as_ref().is_some_and(|closing| closing.patience <= cx.now);
        is_late
            && match work {
                Work::Left(_) => true,
                Work::Testament(testament) => self.waits_for_handler(testament, cx),
                Work::Record(told) | Work::Tell { told, .. } => {
                    matches!(told.record.kind(), EventKind::Error | EventKind::Unsubscribed)
                }
                _ => false,
            }
    }

    /// Makes the record of the end, and lets the listeners hear of it.
    pub(super) fn say_farewell(&mut self, cx: &mut Cx) {
        if self.lane.errors_dropped() > 0 {
            let (resource_id, dropped) = (self.peer.id(), self.lane.errors_dropped());
            tracing::warn!(resource_id, dropped, "error events were dropped: listeners were too slow");
        }
        if let Some(closing) = &mut self.closing {
            closing.farewell = true;
            let Ending { cause, code, reason, .. } = &closing.ending;
            log_end(self.peer.id(), *cause, reason);
            let disconnected = Disconnected {
                cause: *cause,
                code: *code,
                reason: reason.clone(),
                duration: Duration::from_millis(cx.now.saturating_sub(self.opened)),
                received: self.received,
                sent: self.peer.sent(),
                alive_until: None,
            };
            self.tell(Change::Disconnected(Box::new(disconnected)), cx);
        }
        self.lane.push(Work::Ended);
    }

    /// Whether the record of the end is made.
    pub(super) fn has_said_farewell(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.farewell)
    }

    /// RawSocket has none: behind the last message comes the end of the stream.
    fn close_frame(&self, ending: &Ending) -> Option<bytes::Bytes> {
        if ending.joins_again || self.peer.form.transport() == Transport::RawSocket {
            return None;
        }
        if ending.cause == Cause::ClientClosed {
            // The answer to a close frame repeats its code (RFC 6455, 5.5.1).
            return Some(match ending.code {
                1005 => ws::frame(ws::OpCode::Close, b""),
                code => ws::close_frame(CloseCode::new(code), ""),
            });
        }
        ending.cause.sends_close().then(|| ws::close_frame(CloseCode::new(ending.code), &ending.reason))
    }

    /// Tells others in the realm that the session has ended.
    fn leave_realm(&self, cx: &mut Cx) {
        if let Some(Closing { ending: Ending { cause, code, reason, .. }, .. }) = self.closing.as_deref() {
            self.peer.realm.tell_left(&self.peer, (*cause, *code, reason), &mut cx.turn);
        }
    }

    fn leave_topics(&mut self, cx: &mut Cx) {
        let left = self.peer.realm.leave_topics(&self.peer, &mut cx.turn);
        for cell in left.iter().filter(|cell| !cell.is_pattern()) {
            if let Ok(topic) = Uri::parse(Arc::<str>::clone(&cell.uri).to_string(), usize::MAX) {
                self.left(topic, cx);
            }
        }
    }

    fn shut_if_done(&mut self) {
        let is_done = |closing: &Closing| closing.answered && closing.written && !closing.joins_again;
        if self.closing.as_deref().is_some_and(is_done) {
            self.shut();
        }
    }

    /// Ends the socket.
    fn shut(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.shut = true;
        }
        self.readable = false;
        self.transport.shut();
        self.peer.shut();
    }
}

/// Logs the end of a connection as loudly as its cause has it.
fn log_end(resource_id: u64, cause: Cause, reason: &str) {
    match cause.level() {
        LogLevel::Debug => tracing::debug!(resource_id, %cause, reason, "client disconnected"),
        LogLevel::Info => tracing::info!(resource_id, %cause, reason, "client disconnected"),
        LogLevel::Warn => tracing::warn!(resource_id, %cause, reason, "client disconnected"),
        LogLevel::Error => tracing::error!(resource_id, %cause, reason, "client disconnected"),
    }
}
