//! How other threads reach a worker.

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::adopt::Adopted;
use super::job::Done;
use super::peer::Peer;
use super::slots::Token;
use super::socket::Arrival;
use super::sync::{Mutex, lock};

/// What a worker is asked to do.
pub(crate) enum Command {
    /// Serve this socket, just accepted.
    Accepted(Arrival),
    /// Serve this connection, whose handshake somebody else has made.
    Adopt(Box<Adopted>),
    /// Flush these connections, on which the sender has claimed the flush.
    Flush(Vec<Arc<Peer>>),
    /// Close this connection, which has no more room for what is sent to it.
    Overflowed(Token),
    /// Tell that messages were not sent to this connection, which takes none of that length.
    TooLong(Token),
    /// Everything up to the last frame of this connection is written.
    Sealed(Token),
    /// The socket of this connection takes no more.
    Blocked(Token),
    /// Everything is written to this connection, whose socket had been full, or for which events
    /// had been dropped.
    Recovered(Token),
    /// Close this connection, as the application asks.
    Close { token: Token, code: u16, reason: Box<str> },
    /// End this connection's session, with these words in GOODBYE.
    Kill { token: Token, reason: Box<str>, message: Option<Box<str>> },
    /// Tell that something went wrong on this connection, as the application says.
    Report { token: Token, message: Box<str> },
    /// Poll what is pending on this connection.
    Wake(Token),
    /// Application code has come to an end.
    Done { token: Token, ticket: u32, done: Done },
    /// Close all connections, spread over so many milliseconds.
    Drain { window: u64 },
    /// End.
    Stop,
}

/// A worker's letter box. Its order is the order of sending.
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    waker: mio::Waker,
}

struct Letters {
    /// `None`: the worker has ended.
    commands: Option<Vec<Command>>,
    /// The worker waits for the system, and has to be woken. One at work looks by itself.
    asleep: bool,
}

impl Mailbox {
    pub(crate) fn new(registry: &mio::Registry, token: mio::Token) -> io::Result<Self> {
        let waker = mio::Waker::new(registry, token)?;
        Ok(Self { letters: Mutex::new(Letters { commands: Some(Vec::new()), asleep: false }), waker })
    }

    pub(crate) fn send(&self, command: Command) {
        let mut letters = lock(&self.letters);
        let Some(commands) = &mut letters.commands else {
            // Dropped without the lock: a command may hold the last of a connection.
            drop(letters);
            return drop(command);
        };
        commands.push(command);
        let asleep = std::mem::take(&mut letters.asleep);
        drop(letters);
        if asleep {
            // It fails only if the worker's poll is gone, and then nobody is left to be woken.
            _ = self.waker.wake();
        }
    }

    /// The worker is about to wait for the system: from now on it has to be woken. `false` if there
    /// are commands already, and it must not wait.
    pub(crate) fn sleep(&self) -> bool {
        let mut letters = lock(&self.letters);
        letters.asleep = letters.commands.as_ref().is_none_or(Vec::is_empty);
        letters.asleep
    }

    /// Takes all commands, leaving `empty` in their place.
    pub(crate) fn take(&self, empty: Vec<Command>) -> Vec<Command> {
        let mut letters = lock(&self.letters);
        letters.asleep = false;
        letters.commands.replace(empty).unwrap_or_default()
    }

    /// Drops all commands, and those that are sent from now on.
    pub(crate) fn close(&self) {
        // Dropped without the lock: a command may hold the last of a connection.
        let commands = lock(&self.letters).commands.take();
        drop(commands);
    }
}

/// Wakes a worker for one connection.
pub(crate) struct ConnectionWaker {
    mailbox: Arc<Mailbox>,
    token: Token,
}

impl ConnectionWaker {
    pub(crate) fn waker(mailbox: &Arc<Mailbox>, token: Token) -> Waker {
        Arc::new(Self { mailbox: Arc::clone(mailbox), token }).into()
    }
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.mailbox.send(Command::Wake(self.token));
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mailbox.send(Command::Wake(self.token));
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::runtime::fixtures::Letters;

    fn windows(commands: Vec<Command>) -> Vec<u64> {
        let window = |command| match command {
            Command::Drain { window } => window,
            _ => panic!("nobody sent this"),
        };
        commands.into_iter().map(window).collect()
    }

    #[test]
    fn a_sleeping_worker_is_woken_once_and_finds_all_in_order() {
        let mut letters = Letters::new();
        assert!(letters.mailbox.sleep());
        assert_eq!(letters.wakes(), 0);
        (0..3).for_each(|window| letters.mailbox.send(Command::Drain { window }));
        assert_eq!(letters.wakes(), 1);
        (3..5).for_each(|window| letters.mailbox.send(Command::Drain { window }));
        assert_eq!(letters.wakes(), 0, "it has not looked yet");
        assert_eq!(windows(letters.mailbox.take(Vec::new())), [0, 1, 2, 3, 4]);
        assert!(letters.mailbox.sleep());
        letters.mailbox.send(Command::Stop);
        assert_eq!(letters.wakes(), 1);
    }

    #[test]
    fn a_worker_at_work_is_not_woken_and_does_not_fall_asleep() {
        let mut letters = Letters::new();
        letters.mailbox.send(Command::Drain { window: 0 });
        assert!(!letters.mailbox.sleep());
        letters.mailbox.send(Command::Drain { window: 1 });
        assert_eq!(letters.wakes(), 0);
        assert_eq!(windows(letters.mailbox.take(Vec::new())), [0, 1]);
        assert!(letters.mailbox.sleep());
        assert!(letters.mailbox.take(Vec::new()).is_empty());
        letters.mailbox.send(Command::Stop);
        assert_eq!(letters.wakes(), 0, "it has looked since");
    }

    #[test]
    fn a_waker_names_its_connection() {
        let mut letters = Letters::new();
        let token = Token::from_mio(mio::Token(7));
        let waker = ConnectionWaker::waker(&letters.mailbox, token);
        assert!(letters.mailbox.sleep());
        waker.wake_by_ref();
        waker.wake();
        assert_eq!(letters.wakes(), 1);
        let commands = letters.mailbox.take(Vec::new());
        assert_eq!(commands.len(), 2);
        assert!(commands.iter().all(|command| matches!(command, Command::Wake(woken) if *woken == token)));
    }
}
