//! The accept socket, and what to do when the system has no more descriptors.

use std::io;

use clank_core::event::Transport;
use mio::net::TcpListener;

use super::socket::{Arrival, Socket};
use super::unix::UnixListener;

/// Accepts in one turn.
const BATCH: usize = 256;
/// How long accepting pauses when the system has run out of descriptors or memory, in
/// milliseconds.
const PAUSE: u64 = 100;

/// A socket on which the server listens, and what is spoken there.
pub(crate) enum Listener {
    Tcp(TcpListener, Transport),
    /// RawSocket.
    Unix(UnixListener),
}

/// The sockets on which the server listens. One worker has them and spreads what comes in.
pub(crate) struct Acceptor {
    listeners: Vec<Listener>,
    /// More may wait: the system tells only once.
    pending: bool,
    paused_until: Option<u64>,
    /// The last accept failed, and the log says so.
    failing: bool,
}

impl Acceptor {
    pub(crate) fn new(
        mut listeners: Vec<Listener>,
        registry: &mio::Registry,
        token: mio::Token,
    ) -> io::Result<Self> {
        for listener in &mut listeners {
            let interest = mio::Interest::READABLE;
            match listener {
                Listener::Tcp(listener, _) => registry.register(listener, token, interest)?,
                Listener::Unix(listener) => registry.register(listener.socket(), token, interest)?,
            }
        }
        Ok(Self { listeners, pending: false, paused_until: None, failing: false })
    }

    /// The system says that there is something to accept.
    pub(crate) fn ready(&mut self) {
        self.pending = true;
    }

    /// Whether [`accept`](Self::accept) has something to do at `now`.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.pending && self.paused_until.is_none_or(|until| until <= now)
    }

    /// When accepting goes on after a pause.
    pub(crate) fn resumes_at(&self) -> Option<u64> {
        self.paused_until
    }

    /// Accepts what waits, up to a batch.
    pub(crate) fn accept(&mut self, now: u64, mut take: impl FnMut(Arrival)) {
        self.paused_until = None;
        let mut left = BATCH;
        for listener in &self.listeners {
            while left > 0 {
                left -= 1;
                match listener.accept() {
                    Ok(arrival) => {
                        self.failing = false;
                        take(arrival);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_of_the_client(&error) => {}
                    Err(error) => {
                        if !std::mem::replace(&mut self.failing, true) {
                            tracing::warn!(%error, "can't accept; trying again every {PAUSE} ms");
                        }
                        self.paused_until = Some(now + PAUSE);
                        return;
                    }
                }
            }
        }
        self.pending = left == 0;
    }
}

impl Listener {
    fn accept(&self) -> io::Result<Arrival> {
        match self {
            Self::Tcp(listener, transport) => {
                let (socket, remote) = listener.accept()?;
                Ok(Arrival { socket: Socket::Tcp(socket), remote: Some(remote), transport: *transport })
            }
            Self::Unix(listener) => {
                let socket = Socket::Unix(listener.accept()?);
                Ok(Arrival { socket, remote: None, transport: Transport::RawSocket })
            }
        }
    }
}

/// Whether only the client that was to be accepted is concerned.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::HashSet;
    use std::io::Write;
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::listening::listen_on;

    /// An acceptor on two sockets, and a poll.
    fn acceptor() -> (Acceptor, mio::Poll, Vec<SocketAddr>) {
        let poll = mio::Poll::new().unwrap();
        let listen = || listen_on("127.0.0.1:0".parse().unwrap()).unwrap();
        let listeners = [listen(), listen()];
        let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let listeners = listeners.map(|listener| Listener::Tcp(listener, Transport::RawSocket)).into();
        let acceptor = Acceptor::new(listeners, poll.registry(), mio::Token(0)).unwrap();
        (acceptor, poll, addresses)
    }

    #[test]
    fn all_sockets_are_accepted_without_delay() {
        let (mut acceptor, mut poll, addresses) = acceptor();
        assert!(!acceptor.is_due(0), "nobody has knocked");
        let connect = |address| {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(&[0x7f]).unwrap();
            client
        };
        let clients: Vec<_> = addresses.iter().chain(&addresses).map(connect).collect();
        let mut events = mio::Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(!events.is_empty());
        acceptor.ready();
        assert!(acceptor.is_due(0));
        let mut accepted = HashSet::new();
        acceptor.accept(0, |arrival| {
            let Socket::Tcp(socket) = arrival.socket else { panic!("a socket of TCP") };
            assert!(socket.nodelay().unwrap());
            assert_eq!(arrival.transport, Transport::RawSocket);
            accepted.insert(arrival.remote.unwrap());
        });
        assert_eq!(accepted, clients.iter().map(|client| client.local_addr().unwrap()).collect());
        assert!(!acceptor.is_due(0), "all are accepted");
        assert_eq!(acceptor.resumes_at(), None);
    }

    #[test]
    fn a_pause_ends_at_its_time() {
        let (mut acceptor, ..) = acceptor();
        acceptor.ready();
        acceptor.paused_until = Some(100);
        assert_eq!(acceptor.resumes_at(), Some(100));
        assert!(!acceptor.is_due(99));
        assert!(acceptor.is_due(100));
        acceptor.accept(100, |_| panic!("nobody has knocked"));
        assert_eq!((acceptor.resumes_at(), acceptor.is_due(200)), (None, false));
    }

    #[test]
    fn only_errors_of_the_system_pause() {
        // EMFILE and ENFILE have no kind of their own.
        let system = [24, 23].map(io::Error::from_raw_os_error);
        assert!(system.iter().all(|error| !is_of_the_client(error)));
        let client = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        assert!(client.into_iter().all(|kind| is_of_the_client(&kind.into())));
    }
}
