//! The accept socket, and what to do when the system has no more descriptors.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};

/// Accepts in one turn.
const BATCH: usize = 256;
/// How long accepting pauses when the system has run out of descriptors or memory, in
/// milliseconds.
const PAUSE: u64 = 100;

/// The sockets on which the server listens. One worker has them and spreads what comes in.
pub(crate) struct Acceptor {
    listeners: Vec<TcpListener>,
    /// More may wait: the system tells only once.
    pending: bool,
    paused_until: Option<u64>,
    /// The last accept failed, and the log says so.
    failing: bool,
}

impl Acceptor {
    pub(crate) fn new(
        mut listeners: Vec<TcpListener>,
        registry: &mio::Registry,
        token: mio::Token,
    ) -> io::Result<Self> {
        for listener in &mut listeners {
            registry.register(listener, token, mio::Interest::READABLE)?;
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
    pub(crate) fn accept(&mut self, now: u64, mut take: impl FnMut(TcpStream, SocketAddr)) {
        self.paused_until = None;
        let mut left = BATCH;
        for listener in &self.listeners {
            while left > 0 {
                left -= 1;
                match listener.accept() {
                    Ok((socket, remote)) => {
                        self.failing = false;
                        // Without it small frames wait for acknowledgements of earlier ones.
                        _ = socket.set_nodelay(true);
                        take(socket, remote);
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

/// Whether only the client that was to be accepted is concerned.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    /// An acceptor on two sockets, and a poll.
    fn acceptor() -> (Acceptor, mio::Poll, Vec<SocketAddr>) {
        let poll = mio::Poll::new().unwrap();
        let listen = || TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listeners = vec![listen(), listen()];
        let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let acceptor = Acceptor::new(listeners, poll.registry(), mio::Token(0)).unwrap();
        (acceptor, poll, addresses)
    }

    #[test]
    fn all_sockets_are_accepted_without_delay() {
        let (mut acceptor, mut poll, addresses) = acceptor();
        assert!(!acceptor.is_due(0), "nobody has knocked");
        let connect = |address| std::net::TcpStream::connect(address).unwrap();
        let clients: Vec<_> = addresses.iter().chain(&addresses).map(connect).collect();
        let mut events = mio::Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(!events.is_empty());
        acceptor.ready();
        assert!(acceptor.is_due(0));
        let mut accepted = HashSet::new();
        acceptor.accept(0, |socket, remote| {
            assert!(socket.nodelay().unwrap());
            accepted.insert(remote);
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
        acceptor.accept(100, |_, _| panic!("nobody has knocked"));
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
