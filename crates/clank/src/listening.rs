//! The sockets on which a server listens.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clank_core::event::Transport;
use mio::net::TcpListener;

use crate::config::{RawSocketAt, Settings};
use crate::error::StartError;
use crate::runtime::{Listener, UnixListener};

/// How long a port that a killed process still holds is tried for.
const BIND_PATIENCE: Duration = Duration::from_secs(2);
/// Connections that the system holds ready to be accepted.
const BACKLOG: i32 = 4096;

/// The sockets on which a server listens, and where that is.
#[derive(Default)]
pub(crate) struct Listening {
    pub listeners: Vec<Listener>,
    /// Where WebSockets are served.
    pub addresses: Vec<SocketAddr>,
    /// Where RawSocket is spoken over TCP.
    pub rawsocket: Vec<SocketAddr>,
    /// All places where RawSocket is spoken, as URLs.
    pub rawsocket_urls: Vec<Box<str>>,
}

impl Listening {
    /// Listens wherever the settings say.
    pub(crate) fn begin(settings: &Settings) -> Result<Self, StartError> {
        let mut all = Self::default();
        for address in &settings.addresses {
            let local = all.listen(address, Transport::WebSocket)?;
            all.addresses.push(local);
        }
        for at in &settings.rawsocket {
            match at {
                RawSocketAt::Address(address) => {
                    let local = all.listen(address, Transport::RawSocket)?;
                    all.rawsocket.push(local);
                    all.rawsocket_urls.push(format!("rs://{local}").into());
                }
                RawSocketAt::Unix(path) => {
                    all.listeners.push(Listener::Unix(listen_unix(path)?));
                    all.rawsocket_urls.push(format!("rs://unix:{}", path.display()).into());
                }
            }
        }
        Ok(all)
    }

    fn listen(&mut self, address: &str, transport: Transport) -> Result<SocketAddr, StartError> {
        let failed = |source| StartError::Bind { address: address.into(), source };
        let resolved = address.to_socket_addrs().map_err(failed)?;
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let listener =
            resolved.into_iter().find_map(|address| listen_patiently(address).map_err(|it| error = it).ok());
        let listener = listener.ok_or(error).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        self.listeners.push(Listener::Tcp(listener, transport));
        Ok(local)
    }
}

fn listen_unix(path: &Path) -> Result<UnixListener, StartError> {
    let failed = |source| StartError::Bind { address: path.display().to_string(), source };
    UnixListener::bind(path, BACKLOG).map_err(failed)
}

/// Listens on an address; one that is taken is tried for a while, because a process that was
/// killed may hold it for a moment.
#[expect(
    clippy::disallowed_methods,
    reason = "no socket is served yet, and nothing tells when a port is free"
)]
fn listen_patiently(address: SocketAddr) -> io::Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match listen_on(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < BIND_PATIENCE => {
                thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

pub(crate) fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};

    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier process may linger; another process that listens is still refused.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Small frames would wait for acknowledgements of earlier ones. Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // Clients speak first. Of one that only knocks the server hears after a second.
    clank_sys::defer_accept(&socket, Duration::from_secs(1))?;
    Ok(TcpListener::from_std(socket.into()))
}
