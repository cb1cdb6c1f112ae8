//! A thread that serves the connections it was given.
//!
//! It works in turns: it takes what its mailbox, the system and the clock have for it, drives each
//! connection that is concerned, and then writes what they left to be written, one system call for
//! each socket however many the frames. No connection has a task, and none is touched by two
//! workers but through its [`Peer`].

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use clank_core::cause::Cause;
use clank_core::event::Transport;
use mio::{Events, Poll};

use super::acceptor::Acceptor;
use super::closing::Ending;
use super::conn::Conn;
use super::cx::Cx;
use super::door::reject;
use super::engine::Engine;
use super::flush::Flushes;
use super::http::{Http, Progress, Ready};
use super::joining::Joining;
use super::mailbox::{Command, ConnectionWaker, Mailbox};
use super::rawsocket::RawSocket;
use super::room::{KEPT, shrink_queue};
use super::slots::{Slots, Token};
use super::socket::Arrival;

/// Events of the system that one turn takes.
const EVENTS: usize = 1024;

/// What a worker has in one of its places.
pub(super) enum Slot {
    Http(Box<Http>),
    RawSocket(Box<RawSocket>),
    /// It speaks WAMP v2, and has no session yet.
    Joining(Box<Joining>),
    /// Taken, and filled before anything else is done.
    Vacant,
    Open(Box<Conn>),
}

/// A thread that serves the connections it was given.
pub(crate) struct Worker {
    pub(super) poll: Poll,
    pub(super) slots: Slots<Slot>,
    pub(super) cx: Cx,
    pub(super) flushes: Flushes,
    /// What is gathered for one write.
    pub(super) scratch: Vec<u8>,
    acceptor: Option<Acceptor>,
    /// The worker that gets the next accepted socket.
    next_worker: usize,
    stopped: bool,
}

impl Worker {
    pub(crate) fn new(
        poll: Poll,
        engine: Arc<Engine>,
        mailbox: Arc<Mailbox>,
        number: usize,
        acceptor: Option<Acceptor>,
    ) -> Self {
        Self {
            poll,
            slots: Slots::new(),
            cx: Cx::new(engine, mailbox, number),
            flushes: Flushes::default(),
            scratch: Vec::new(),
            acceptor,
            next_worker: 0,
            stopped: false,
        }
    }

    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// When the system refuses to say what is ready, which it never does to a sound process.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let runtime = self.cx.engine.threads.handle();
        // Application code that is polled here finds its timers and sockets.
        let _runtime = runtime.enter();
        let mut events = Events::with_capacity(EVENTS);
        let mut commands = Vec::new();
        while !self.stopped {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.cx.now = self.cx.engine.now();
            commands = self.cx.mailbox.take(commands);
            for command in commands.drain(..) {
                self.obey(command);
            }
            commands.shrink_to(EVENTS);
            for event in &events {
                self.on_event(event);
            }
            self.accept();
            for _ in 0..self.cx.ready.len() {
                if let Some(token) = self.cx.ready.pop_front() {
                    self.with(token, Conn::take_turn);
                }
            }
            self.fire_deadlines();
            self.flush();
            self.publish_some();
            self.cx.scratch.trim();
            self.trim();
        }
        Ok(())
    }

    /// Gives back the room that a storm of connections took.
    fn trim(&mut self) {
        shrink_queue(&mut self.cx.ready);
        if self.slots.is_empty() && self.cx.wheel.len() > KEPT {
            // The deadlines of those who have left would stay until they have passed.
            self.cx.wheel.retain(|token| *token == Token::PROBE);
        }
    }

    /// How long the system may let the worker sleep.
    fn patience(&self) -> Option<Duration> {
        let due = self.acceptor.as_ref().is_some_and(|acceptor| acceptor.is_due(self.cx.now));
        let busy = !self.cx.publications.is_empty() || !self.flushes.is_empty();
        if due || busy || !self.cx.ready.is_empty() || !self.cx.mailbox.sleep() {
            return Some(Duration::ZERO);
        }
        let resume = self.acceptor.as_ref().and_then(Acceptor::resumes_at);
        let next = [self.cx.wheel.next_deadline(), resume].into_iter().flatten().min()?;
        // A millisecond that has begun is not over.
        Some(Duration::from_millis(next.saturating_sub(self.cx.engine.now()).max(1)))
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        match event.token() {
            Token::MAILBOX => {}
            Token::LISTENER => self.acceptor.iter_mut().for_each(Acceptor::ready),
            token => {
                let ended = event.is_read_closed() || event.is_error();
                let readable = event.is_readable() || ended;
                let writable = event.is_writable();
                self.drive(Token::from_mio(token), Ready { readable, writable, ended, woken: false });
            }
        }
    }

    /// Lets a connection do what it can. A panic, which is a bug of the server's own or of a
    /// foreign stream, costs this connection alone.
    pub(super) fn drive(&mut self, token: Token, ready: Ready) {
        if catch_unwind(AssertUnwindSafe(|| self.drive_one(token, ready))).is_err() {
            self.fail(token);
        }
    }

    /// Ends a connection on which something panicked.
    pub(super) fn fail(&mut self, token: Token) {
        self.cx.restore();
        match self.slots.find(token) {
            Some(Slot::Http(_) | Slot::RawSocket(_)) => self.end_handshake(token),
            Some(Slot::Joining(_)) => _ = self.slots.remove(token),
            Some(Slot::Open(_)) => self.with(token, |conn, cx| {
                conn.close(Ending::new(Cause::InternalError, "the server failed"), cx);
            }),
            Some(Slot::Vacant) | None => {}
        }
    }

    fn drive_one(&mut self, token: Token, ready: Ready) {
        match self.slots.find(token) {
            Some(Slot::Http(_) | Slot::RawSocket(_)) => self.drive_handshake(token, ready),
            Some(Slot::Joining(_)) => self.drive_joining(token, ready),
            Some(Slot::Open(conn)) => {
                if ready.writable && conn.on_writable() {
                    self.flushes.again(Arc::clone(conn.peer()));
                }
                if ready.readable {
                    self.with(token, |conn, cx| {
                        conn.on_readable(ready.ended);
                        conn.pump(cx);
                    });
                }
            }
            Some(Slot::Vacant) | None => {}
        }
    }

    fn drive_handshake(&mut self, token: Token, ready: Ready) {
        let (progress, remote) = match self.slots.find(token) {
            Some(Slot::Http(http)) => (http.drive(ready, &mut self.cx.buffer), http.remote()),
            Some(Slot::RawSocket(raw)) => {
                let before = raw.deadline();
                let progress = raw.drive(ready, self.cx.now);
                if raw.deadline() < before {
                    self.cx.wheel.insert(raw.deadline(), token);
                }
                (progress, raw.remote())
            }
            _ => return,
        };
        match progress {
            Progress::Pending => {
                if matches!(self.slots.find(token), Some(Slot::Http(http)) if http.is_blocked()) {
                    self.watch_writes(token);
                }
            }
            Progress::Ended => self.end_handshake(token),
            Progress::Upgraded(upgraded) => {
                self.cx.engine.gate.leave(remote.map(|remote| remote.ip()));
                self.open(token, *upgraded);
            }
        }
    }

    fn end_handshake(&mut self, token: Token) {
        let remote = match self.slots.remove(token) {
            Some(Slot::Http(http)) => http.remote(),
            Some(Slot::RawSocket(raw)) => raw.remote(),
            _ => return,
        };
        self.cx.engine.gate.leave(remote.map(|remote| remote.ip()));
    }

    /// Calls `act` on an open connection, and takes up what it leaves behind.
    pub(super) fn with(&mut self, token: Token, act: impl FnOnce(&mut Conn, &mut Cx)) {
        let Some(Slot::Open(conn)) = self.slots.find(token) else { return };
        let cx = &mut self.cx;
        if catch_unwind(AssertUnwindSafe(|| act(conn, cx))).is_err() {
            // A bug of the server's own: it costs this connection, which still gets its end told.
            self.cx.restore();
            conn.close(Ending::new(Cause::InternalError, "the server failed"), &mut self.cx);
        }
        let (finished, has_left) = (conn.is_finished(), conn.has_left());
        self.take_up(token);
        if has_left {
            self.join_again(token);
        } else if finished {
            self.slots.remove(token);
        }
    }

    /// Takes up what was queued on behalf of a connection.
    fn take_up(&mut self, token: Token) {
        let turn = std::mem::take(&mut self.cx.turn);
        let paused = self.flushes.add(turn.dirty, turn.behind, Some(token));
        if let Some(Slot::Open(conn)) = self.slots.find(token).filter(|_| paused) {
            conn.pause();
        }
        for peer in turn.overflowed {
            // To this worker itself too: the connection is closed in its turn.
            if let Some(mailbox) = self.cx.engine.mailboxes().get(peer.worker()) {
                mailbox.send(Command::Overflowed(peer.token));
            }
        }
        for peer in turn.too_long {
            self.tell_owner(&peer, Command::TooLong(peer.token));
        }
    }

    /// Goes on with an event that is on its way to very many.
    fn publish_some(&mut self) {
        let Some((mut publication, publisher)) = self.cx.publications.pop_front() else { return };
        let goes_on = publication.go_on(&mut self.cx.turn);
        self.take_up(publisher);
        if goes_on {
            self.cx.publications.push_front((publication, publisher));
        } else {
            self.with(publisher, Conn::resume);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Accepted(arrival) => self.welcome(arrival),
            Command::Adopt(adopted) => self.adopt(*adopted),
            Command::Flush(peers) => _ = self.flushes.add(peers, 0, None),
            Command::Overflowed(token) => self.with(token, Conn::on_overflow),
            Command::TooLong(token) => self.with(token, Conn::tell_too_long),
            Command::Sealed(token) => self.with(token, |conn, _| conn.on_sealed()),
            Command::Blocked(token) => self.on_blocked(token),
            Command::Recovered(token) => self.with(token, Conn::on_flushed),
            Command::Close { token, code, reason } => {
                self.with(token, |conn, cx| {
                    conn.close(Ending::new(Cause::ServerClosed, &reason).code(code), cx);
                });
            }
            Command::Kill { token, reason, message } => {
                self.with(token, |conn, cx| conn.close(Ending::killed(reason, message), cx));
            }
            Command::Report { token, message } => self.with(token, |conn, cx| conn.on_report(&message, cx)),
            Command::Wake(token) => {
                self.with(token, |conn, _| conn.on_woken());
                self.drive(token, Ready { readable: true, writable: true, ended: false, woken: true });
            }
            Command::Done { token, ticket, done } => {
                self.with(token, |conn, cx| conn.on_done(ticket, done, cx));
            }
            Command::Drain { window } => self.drain(window),
            Command::Stop => self.stopped = true,
        }
    }

    fn accept(&mut self) {
        let Some(mut acceptor) = self.acceptor.take() else { return };
        if acceptor.is_due(self.cx.now) {
            let now = self.cx.now;
            acceptor.accept(now, |arrival| self.distribute(arrival));
        }
        self.acceptor = Some(acceptor);
    }

    /// Gives a socket that was accepted to the workers in turn.
    fn distribute(&mut self, arrival: Arrival) {
        let engine = Arc::clone(&self.cx.engine);
        let address = arrival.remote.map(|remote| remote.ip());
        if let Err(cause) = engine.gate.enter(address, engine.limits()) {
            arrival.refuse(cause);
            let whose = (arrival.remote, arrival.transport);
            reject(&engine, whose, (cause, "there are too many unfinished handshakes"));
            return;
        }
        let workers = engine.mailboxes();
        self.next_worker = (self.next_worker + 1) % workers.len().max(1);
        match workers.get(self.next_worker) {
            Some(mailbox) if self.next_worker != self.cx.worker => {
                mailbox.send(Command::Accepted(arrival));
            }
            _ => self.welcome(arrival),
        }
    }

    /// Begins to serve a socket that was accepted.
    fn welcome(&mut self, arrival: Arrival) {
        let Arrival { socket, remote, transport } = arrival;
        let (cx, registry) = (&self.cx, self.poll.registry());
        let mut deadline = u64::MAX;
        let mut registered = Ok(());
        let token = self.slots.insert(|token| {
            registered = socket.register(registry, token.to_mio());
            let waker = ConnectionWaker::waker(&cx.mailbox, token);
            match transport {
                Transport::WebSocket => {
                    let http = Http::new(socket, remote, waker, cx);
                    deadline = http.deadline();
                    Slot::Http(Box::new(http))
                }
                Transport::RawSocket => {
                    let raw = RawSocket::new(socket, remote, waker, cx);
                    deadline = raw.deadline();
                    Slot::RawSocket(Box::new(raw))
                }
            }
        });
        if let Err(error) = registered {
            tracing::error!(%error, "can't serve a socket that was accepted");
            return self.end_handshake(token);
        }
        self.cx.wheel.insert(deadline, token);
        // What it has sent is why it was accepted.
        self.drive(token, Ready { readable: true, writable: true, ended: false, woken: false });
    }

    fn fire_deadlines(&mut self) {
        let mut due = Vec::new();
        self.cx.wheel.advance(self.cx.now, &mut |token| due.push(token));
        for token in due {
            if token == Token::PROBE {
                self.cx.engine.threads.check(self.cx.now);
                continue;
            }
            match self.slots.find(token) {
                Some(Slot::Http(http)) if http.deadline() <= self.cx.now => {
                    http.on_deadline();
                    self.end_handshake(token);
                }
                Some(Slot::RawSocket(raw)) if raw.deadline() <= self.cx.now => {
                    raw.on_deadline();
                    self.end_handshake(token);
                }
                Some(Slot::Joining(_)) => self.check_joining(token),
                Some(Slot::Open(_)) => self.with(token, Conn::check),
                _ => {}
            }
        }
    }

    /// Spreads the closing of all connections over `window` milliseconds.
    fn drain(&mut self, window: u64) {
        let tokens = self.slots.tokens();
        let count = tokens.len().max(1) as u64;
        for (index, token) in tokens.into_iter().enumerate() {
            let at = self.cx.now + window * index as u64 / count;
            self.drain_joining(token);
            self.with(token, |conn, cx| conn.drain_at(at, cx));
        }
    }
}

impl Drop for Worker {
    /// Nobody is left to obey: what is sent from now on is dropped. Handshakes that the end has come
    /// upon, such as those of clients that still read why they are refused, give back their places.
    fn drop(&mut self) {
        self.cx.mailbox.close();
        for token in self.slots.tokens() {
            self.end_handshake(token);
        }
    }
}
