//! What a connection does about the bytes that it owes to its client: full queues, full sockets, and
//! publications that are still being written.

use bytes::Bytes;
use clank_core::cause::{Cause, ErrorKind};
use clank_wire::payload::Payload;
use clank_wire::wamp2::{Abort, RouterMessage, reason};

use super::closing::Ending;
use super::conn::Conn;
use super::cx::Cx;
use super::outbound::{Flushed, OnOverflow, Push};
use super::transport::Transport;

/// A socket that takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked {
    /// Since when.
    pub since: u64,
    /// What had been written by then.
    written: u64,
}

impl Conn {
    /// Queues a control frame.
    pub(super) fn push_control(&mut self, frame: Bytes, cx: &mut Cx) {
        let push = self.peer.push_control(frame);
        cx.turn.note(&self.peer, push);
    }

    /// Queues an answer to the client.
    pub(super) fn reply(&mut self, frame: Bytes, message: usize, cx: &mut Cx) {
        let push = self.peer.push(frame, message, OnOverflow::Disconnect);
        self.has_replied(push, message, cx);
    }

    /// An answer of so many bytes to the client was queued, or was not.
    pub(super) fn has_replied(&mut self, push: Push, message: usize, cx: &mut Cx) {
        self.answered += message;
        if push == Push::Overflow {
            self.on_overflow(cx);
        } else {
            cx.turn.note(&self.peer, push);
        }
    }

    /// There was no room for what was to be sent.
    pub(crate) fn on_overflow(&mut self, cx: &mut Cx) {
        let ending = match cx.engine.bounds.is_exhausted() {
            true => Ending::new(Cause::Overloaded, "too much is waiting for all clients together"),
            false => Ending::new(Cause::SlowConsumer, "too much is waiting to be read"),
        };
        self.close(ending, cx);
    }

    /// A flush ended with the socket full. When another worker says so, it may be so no longer.
    pub(crate) fn on_blocked(&mut self, cx: &mut Cx) {
        let written = self.peer.written();
        let moves = self.blocked.as_ref().is_none_or(|blocked| blocked.written != written);
        if moves && self.peer.is_blocked() {
            self.blocked = Some(Box::new(Blocked { since: cx.now, written }));
            self.schedule(cx.now + cx.engine.limits().write.duration().as_millis() as u64, cx);
        }
    }

    /// A flush ended with nothing left to write. When another worker says so, it may be so no
    /// longer.
    pub(crate) fn on_flushed(&mut self, cx: &mut Cx) {
        if !self.peer.is_blocked() {
            self.blocked = None;
        }
        self.tell_dropped(cx);
        if self.readable || self.lane.is_busy() {
            self.queue(cx);
        }
    }

    /// Tells of events that were dropped because the client reads too slowly.
    pub(super) fn tell_dropped(&mut self, cx: &mut Cx) {
        let dropped = self.peer.take_dropped();
        if dropped > 0 {
            let message = format!("{dropped} events were dropped: the client reads too slowly");
            self.fail(ErrorKind::EventsDropped, &message, cx);
        }
    }

    /// WELCOME is longer than the client takes.
    pub(super) fn cannot_welcome(&mut self, cx: &mut Cx) {
        // The end tells of it.
        self.peer.take_too_long();
        let why = "WELCOME is longer than what the client takes";
        let abort = Abort {
            reason: reason::PAYLOAD_SIZE_EXCEEDED.into(),
            message: Some(why.into()),
            payload: Payload::EMPTY,
        };
        self.send2(&RouterMessage::Abort(abort), cx);
        self.close(Ending::new(Cause::LimitExceeded, why), cx);
    }

    /// Tells of messages that were not sent because the client takes none of that length.
    pub(crate) fn tell_too_long(&mut self, cx: &mut Cx) {
        let dropped = self.peer.take_too_long();
        if dropped > 0 {
            let longest = self.peer.form.longest();
            let message = format!("{dropped} events were dropped: the client takes {longest} bytes at most");
            self.fail(ErrorKind::EventsDropped, &message, cx);
        }
    }

    /// Writes what waits to a transport that only this worker can touch.
    pub(crate) fn flush_owned(&self, scratch: &mut Vec<u8>) -> Flushed {
        match &self.transport {
            Transport::Owned(owned) => self.peer.flush_to(&**owned, scratch),
            // It has been shut meanwhile.
            Transport::Direct(_) | Transport::Gone => Flushed::Closed,
        }
    }

    /// The socket takes more. `true`: a flush is owed.
    pub(crate) fn on_writable(&self) -> bool {
        self.peer.writable()
    }

    /// What it published is being flushed, bit by bit: it is not read until that is done.
    pub(crate) fn pause(&mut self) {
        self.paused += 1;
    }

    /// What it published has been flushed. It follows once for every [`pause`](Self::pause).
    pub(crate) fn resume(&mut self, cx: &mut Cx) {
        self.paused -= 1;
        self.queue(cx);
    }
}
