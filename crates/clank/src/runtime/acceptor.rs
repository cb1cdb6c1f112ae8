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
        Ok(Self { listeners, pending: false, paused_until: None })
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
                        // Without it small frames wait for acknowledgements of earlier ones.
                        _ = socket.set_nodelay(true);
                        take(socket, remote);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_of_the_client(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "can't accept; trying again in {PAUSE} ms");
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
