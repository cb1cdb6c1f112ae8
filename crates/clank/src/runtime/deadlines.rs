//! What a connection does because time has passed: pings, time-outs, the end of a drain.
//!
//! A connection has no timer. Its next deadline is an entry in its worker's wheel that is never
//! removed: whoever is called too early looks, and waits on.

use clank_core::cause::Cause;

use super::closing::Ending;
use super::conn::Conn;
use super::cx::Cx;
use super::job::Failed;

/// No moment: a word less for each connection than an `Option`.
pub(super) const NEVER: u64 = u64::MAX;

impl Conn {
    /// Closes it at `at`, as the server shuts down, unless an earlier time was said: the order that
    /// hastens may come while listeners are told of the first, which is then carried out behind it.
    pub(crate) fn drain_at(&mut self, at: u64, cx: &mut Cx) {
        self.drain_at = self.drain_at.min(at);
        self.schedule(self.drain_at, cx);
    }

    /// Makes sure that [`check`](Self::check) is called at `at`, or before.
    pub(super) fn schedule(&mut self, at: u64, cx: &mut Cx) {
        if at < self.check_at {
            self.check_at = at;
            cx.wheel.insert(at, self.peer.token);
        }
    }

    /// Looks at all deadlines. The wheel may call more often than was asked for.
    pub(crate) fn check(&mut self, cx: &mut Cx) {
        if cx.now < self.check_at {
            return;
        }
        self.check_at = NEVER;
        let next = match self.check_closing(cx) {
            Some(next) => next,
            None => self.check_open(cx),
        };
        let next = next.min(self.check_job(cx).unwrap_or(NEVER));
        if !self.is_finished() && next < NEVER {
            self.schedule(next, cx);
        }
        self.pump(cx);
    }

    /// The deadlines of an open connection. Returns the next one.
    fn check_open(&mut self, cx: &mut Cx) -> u64 {
        if self.drain_at <= cx.now {
            self.close(Ending::new(Cause::ServerShutdown, "the server is stopping"), cx);
            return self.closing_deadline();
        }
        let mut next = self.drain_at;
        if let Some(blocked) = &self.blocked {
            let at = blocked.since + cx.engine.limits().write.duration().as_millis() as u64;
            if at <= cx.now {
                self.close(Ending::new(Cause::SlowConsumer, "nothing was read for the write time-out"), cx);
                return self.closing_deadline();
            }
            next = next.min(at);
        }
        next = next.min(self.check_timeouts(cx));
        next.min(self.check_keepalive(cx))
    }

    /// Pings a silent client, and gives up one that stays silent. Returns the next deadline.
    fn check_keepalive(&mut self, cx: &mut Cx) -> u64 {
        let (interval, timeout) = (cx.keepalive_interval(), cx.keepalive_timeout());
        if self.pinged == NEVER {
            let due = self.heard + interval;
            if due > cx.now {
                return due;
            }
            self.pinged = cx.now;
            self.push_control(self.peer.form.ping(), cx);
            return cx.now + timeout;
        }
        let due = self.pinged + timeout;
        if due > cx.now {
            return due;
        }
        // Something may wait unread, because the server itself was busy, or paused: then the
        // client is alive. It is judged by what is there, not by when it was read.
        if self.transport.has_unread() || (self.readable && !self.wants_read(cx)) {
            self.readable = true;
            self.heard = cx.now;
            self.pinged = NEVER;
            return cx.now + interval;
        }
        self.close(Ending::new(Cause::KeepaliveTimeout, "nothing was heard from the client"), cx);
        self.closing_deadline()
    }

    /// Gives up application code that takes too long. Returns the next deadline.
    fn check_job(&mut self, cx: &mut Cx) -> Option<u64> {
        if let Some(running) = self.lane.take_overdue(cx.now) {
            if let Some(abort) = running.abort {
                abort.abort();
            }
            self.on_job_failed(running.job, Failed::TimedOut, cx);
        }
        self.lane.deadline()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use clank_core::event::Timestamp;
    use clank_core::limits::Limits;
    use clank_core::wamp1::SessionId;

    use super::*;
    use crate::runtime::admitted::Admitted;
    use crate::runtime::entrant::{Accepted, Speaks};
    use crate::runtime::fixtures::{self, Letters};
    use crate::runtime::peer::Features;
    use crate::runtime::slots::Token;
    use crate::runtime::transport::Transport;

    #[tokio::test]
    async fn an_order_to_go_is_not_put_off_by_one_that_arrives_later() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let mut cx = Cx::new(engine.clone(), Letters::new().mailbox, 0);
        let accepted = Accepted {
            session_id: SessionId::from_random([0; 8]),
            facts: Arc::clone(&fixtures::peer(&engine, 1, None).facts),
            time: Timestamp::from_unix_micros(0),
            recorded: false,
            speaks: Speaks::Wamp1,
            realm: Arc::clone(engine.realms.home()),
            features: Features::default(),
            deflate: None,
            place: Admitted::take(&engine, None).unwrap(),
        };
        let token = Token::from_mio(mio::Token(0));
        let mut conn = Conn::open(accepted, token, Transport::Gone, None, &mut cx);
        conn.drain_at(cx.now, &mut cx);
        conn.drain_at(cx.now + 60_000, &mut cx);
        conn.check(&mut cx);
        assert!(!conn.peer.is_open());
    }
}
