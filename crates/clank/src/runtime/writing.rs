//! What a worker writes at the end of its turn, and to whom it says what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conn::Conn;
use super::mailbox::Command;
use super::outbound::Flushed;
use super::peer::Peer;
use super::slots::Token;
use super::worker::{Slot, Worker};

/// How long a turn writes what was caused for few. All of it waits in one line: looking for other work
/// sooner would only make the line longer, and turns that each do little cost more.
const FRESH_TIME: Duration = Duration::from_micros(500);
/// Sockets written between two looks at the clock.
const FRESH_BATCH: usize = 8;
/// How long a turn writes the backlog before it looks for other work. Others wait for about so long while
/// a large audience is served; looking costs a hundredth of it.
const LATE_TIME: Duration = Duration::from_micros(20);
/// Sockets written between two looks at the clock, and at least for the backlog in each turn.
const LATE_BATCH: usize = 2;

impl Worker {
    /// Writes what few wait for, and a little of the backlog.
    pub(super) fn flush(&mut self) {
        let begun = Instant::now();
        let mut written = 0;
        while let Some(peer) = self.flushes.next_fresh() {
            self.write(&peer);
            written += 1;
            if written % FRESH_BATCH == 0 && begun.elapsed() >= FRESH_TIME {
                break;
            }
        }
        if self.flushes.has_backlog() {
            self.flush_late();
        }
    }

    fn flush_late(&mut self) {
        let begun = Instant::now();
        loop {
            for _ in 0..LATE_BATCH {
                match self.flushes.next_late() {
                    Some(peer) => self.write(&peer),
                    None => break,
                }
            }
            for token in self.flushes.take_resumed() {
                self.with(token, Conn::resume);
            }
            if !self.flushes.has_backlog() || begun.elapsed() >= LATE_TIME {
                return;
            }
        }
    }

    /// Writes what waits for one connection, of this worker or another.
    fn write(&mut self, peer: &Arc<Peer>) {
        if catch_unwind(AssertUnwindSafe(|| self.write_one(peer))).is_err() && peer.worker() == self.cx.worker
        {
            self.fail(peer.token);
        }
    }

    fn write_one(&mut self, peer: &Arc<Peer>) {
        let own = peer.worker() == self.cx.worker;
        let flushed = match peer.flush(&mut self.scratch) {
            Some(flushed) => flushed,
            None if own => match self.slots.find(peer.token) {
                Some(Slot::Open(conn)) => conn.flush_owned(&mut self.scratch),
                _ => return,
            },
            None => return self.tell_owner(peer, Command::Flush(vec![Arc::clone(peer)])),
        };
        match flushed {
            Flushed::Idle | Flushed::Closed => {}
            Flushed::More => self.flushes.again(Arc::clone(peer)),
            Flushed::Recovered if own => self.with(peer.token, Conn::on_flushed),
            Flushed::Blocked if own => self.on_blocked(peer.token),
            Flushed::Sealed if own => self.with(peer.token, |conn, _| conn.on_sealed()),
            Flushed::Failed(error) if own => {
                self.with(peer.token, |conn, cx| conn.on_write_failed(&error, cx));
            }
            Flushed::Blocked => self.tell_owner(peer, Command::Blocked(peer.token)),
            Flushed::Sealed => self.tell_owner(peer, Command::Sealed(peer.token)),
            Flushed::Recovered => self.tell_owner(peer, Command::Recovered(peer.token)),
            // The owner finds out by reading.
            Flushed::Failed(_) => self.tell_owner(peer, Command::Wake(peer.token)),
        }
    }

    /// A connection's socket takes nothing more for now.
    pub(super) fn on_blocked(&mut self, token: Token) {
        self.with(token, Conn::on_blocked);
        self.watch_writes(token);
    }

    /// Has the system tell when a socket takes something again.
    pub(super) fn watch_writes(&mut self, token: Token) {
        let registry = self.poll.registry();
        let watched = match self.slots.find(token) {
            Some(Slot::Http(http)) => http.watch_writes(registry, token.to_mio()),
            Some(Slot::Joining(joining)) => joining.transport().watch_writes(registry, token.to_mio()),
            Some(Slot::Open(conn)) => conn.transport.watch_writes(registry, token.to_mio()),
            // What RawSocket says before it is open fits into a fresh socket.
            Some(Slot::RawSocket(_) | Slot::Vacant) | None => Ok(()),
        };
        if let Err(error) = watched {
            // Its time to take something runs out.
            tracing::error!(%error, "can't wait for a socket to take more");
        }
    }

    pub(super) fn tell_owner(&self, peer: &Peer, command: Command) {
        if let Some(mailbox) = self.cx.engine.mailboxes().get(peer.worker()) {
            mailbox.send(command);
        }
    }
}
