//! How connections come to a worker: by a socket of the server's own, or handed over; and by way of a
//! HELLO, where they speak WAMP v2.

use std::sync::Arc;

use bytes::Bytes;
use clank_core::cause::Cause;

use super::adopt::{Adopted, Carrier};
use super::closing::Ending;
use super::conn::Conn;
use super::door::Why;
use super::entrant::{Candidate, Entrant};
use super::http::{Ready, Upgraded};
use super::joining::{Joined, Joining, Step};
use super::mailbox::ConnectionWaker;
use super::slots::Token;
use super::transport::Transport;
use super::worker::{Slot, Worker};

impl Worker {
    /// Makes an open connection of one whose handshake is accepted.
    pub(super) fn open(&mut self, token: Token, upgraded: Upgraded) {
        let Upgraded { entrant, socket, response, early, readable, ended } = upgraded;
        let transport = Transport::Direct(Arc::new(socket));
        let accepted = match entrant {
            Entrant::Accepted(accepted) => accepted,
            Entrant::Candidate(candidate) => {
                let ready = Ready { readable: true, writable: true, ended, woken: false };
                return self.begin_joining(token, candidate, transport, Some(response), &early, ready);
            }
        };
        let mut conn = Conn::open(accepted, token, transport, Some(response), &mut self.cx);
        conn.readable = readable;
        conn.ended = ended;
        if let Some(slot) = self.slots.find(token) {
            *slot = Slot::Open(Box::new(conn));
        }
        self.begin(token, &early);
    }

    /// Lets a connection that was just opened work.
    fn begin(&mut self, token: Token, early: &[u8]) {
        self.with(token, |conn, cx| {
            conn.take(&mut early.to_vec(), cx);
            conn.pump(cx);
        });
    }

    pub(super) fn adopt(&mut self, adopted: Adopted) {
        let Adopted { entrant, carrier, early } = adopted;
        let (cx, registry) = (&mut self.cx, self.poll.registry());
        let mut registered = Ok(());
        let mut transport = Transport::Gone;
        let token = self.slots.insert(|token| {
            transport = match carrier {
                Carrier::Socket(socket) => {
                    registered = socket.register(registry, token.to_mio());
                    Transport::Direct(Arc::new(socket))
                }
                Carrier::Stream(stream) => {
                    Transport::owned(stream, ConnectionWaker::waker(&cx.mailbox, token))
                }
            };
            Slot::Vacant
        });
        let accepted = match entrant {
            Entrant::Accepted(accepted) => accepted,
            Entrant::Candidate(candidate) => {
                let ready = Ready { readable: true, writable: true, ended: false, woken: false };
                return self.begin_joining(token, candidate, transport, None, &early, ready);
            }
        };
        let conn = Conn::open(accepted, token, transport, None, cx);
        if let Some(slot) = self.slots.find(token) {
            *slot = Slot::Open(Box::new(conn));
        }
        if let Err(error) = registered {
            tracing::error!(%error, "can't serve a socket that was handed over");
            self.with(token, |conn, cx| conn.close(Ending::new(Cause::NetworkLost, &error.to_string()), cx));
        }
        self.begin(token, &early);
    }

    /// Waits for the HELLO of a client that speaks WAMP v2.
    pub(super) fn begin_joining(
        &mut self,
        token: Token,
        candidate: Box<Candidate>,
        transport: Transport,
        response: Option<Bytes>,
        early: &[u8],
        ready: Ready,
    ) {
        let waker = ConnectionWaker::waker(&self.cx.mailbox, token);
        let mut joining = Joining::new(candidate, transport, response, waker, &self.cx);
        if self.cx.engine.is_draining() {
            // All sockets that there were have been told.
            joining.give_up((Cause::ServerShutdown, "the server is stopping"), &mut self.cx);
            self.slots.remove(token);
            return;
        }
        let goes_on = joining.take(&mut early.to_vec(), &mut self.cx);
        match self.slots.find(token) {
            Some(slot) if goes_on => {
                // It may have been challenged, which has a time of its own.
                self.cx.wheel.insert(joining.deadline(), token);
                *slot = Slot::Joining(Box::new(joining));
            }
            _ => {
                joining.lost(&mut self.cx);
                self.slots.remove(token);
                return;
            }
        }
        self.drive(token, ready);
    }

    pub(super) fn drive_joining(&mut self, token: Token, ready: Ready) {
        let Some(Slot::Joining(joining)) = self.slots.find(token) else { return };
        let before = joining.deadline();
        match joining.drive(ready, &mut self.cx) {
            Step::Pending => {
                if joining.deadline() != before {
                    self.cx.wheel.insert(joining.deadline(), token);
                }
                if joining.is_blocked() {
                    self.watch_writes(token);
                }
            }
            Step::Ended => _ = self.slots.remove(token),
            Step::Joined(joined) => {
                let Joined { accepted, transport, early, ended } = *joined;
                let mut conn = Conn::open(accepted, token, transport, None, &mut self.cx);
                conn.ended = ended;
                if let Some(slot) = self.slots.find(token) {
                    *slot = Slot::Open(Box::new(conn));
                }
                self.begin(token, &early);
            }
        }
    }

    /// A session is over and told of: its socket may begin another.
    pub(super) fn join_again(&mut self, token: Token) {
        // Tokens that others hold of the session find nothing.
        let Some(Slot::Open(conn)) = self.slots.remove(token) else { return };
        let ended = conn.ended;
        let Some((candidate, mut transport, early)) = conn.leave() else { return };
        let mut registered = Ok(());
        let registry = self.poll.registry();
        let token = self.slots.insert(|token| {
            registered = transport.watch_writes(registry, token.to_mio());
            transport.rewake(ConnectionWaker::waker(&self.cx.mailbox, token));
            Slot::Vacant
        });
        if let Err(error) = registered {
            tracing::error!(%error, "can't go on with a socket whose session has ended");
            self.slots.remove(token);
            return;
        }
        let ready = Ready { readable: true, writable: true, ended, woken: false };
        self.begin_joining(token, Box::new(candidate), transport, None, &early, ready);
    }

    /// Gives up one whose time for HELLO is over.
    pub(super) fn check_joining(&mut self, token: Token) {
        if matches!(self.slots.find(token), Some(Slot::Joining(joining)) if joining.deadline() <= self.cx.now)
        {
            self.give_up_joining(token, (Cause::HandshakeTimeout, "no HELLO came in time"));
        }
    }

    /// Gives it up because the server stops.
    pub(super) fn drain_joining(&mut self, token: Token) {
        self.give_up_joining(token, (Cause::ServerShutdown, "the server is stopping"));
    }

    fn give_up_joining(&mut self, token: Token, why: Why<'static>) {
        if let Some(Slot::Joining(joining)) = self.slots.find(token) {
            joining.give_up(why, &mut self.cx);
            self.slots.remove(token);
        }
    }
}
