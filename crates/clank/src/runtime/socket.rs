//! A socket of the server's own, of TCP or of Unix: what it does once it is connected is the same.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use clank_core::cause::Cause;
use clank_core::event::Transport;
use clank_wire::rawsocket::{Refusal, Reply};
use mio::net::{TcpStream, UnixStream};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// A socket of the server's own.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket that was accepted.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub socket: Socket,
    /// Where the client is; none on a Unix socket.
    pub remote: Option<SocketAddr>,
    /// What is spoken where it arrived: `WebSocket` stands for HTTP, by which a WebSocket begins.
    pub transport: Transport,
}

impl Arrival {
    /// Tells a client that there is no room for it.
    pub(crate) fn refuse(&self, cause: Cause) {
        let mut socket = &self.socket;
        let status = match cause {
            Cause::AddressLimit => "429 Too Many Requests",
            _ => "503 Service Unavailable",
        };
        // A fresh socket has room for it; if not, the client sees the end of the connection.
        _ = match self.transport {
            Transport::RawSocket => socket.write(&Reply::Refused(Refusal::Connections).encode()),
            Transport::WebSocket => {
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                socket.write(head.as_bytes())
            }
        };
    }
}

impl Socket {
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(how),
            Self::Unix(socket) => socket.shutdown(how),
        }
    }

    /// Has the system tell, under `token`, when there is something to read.
    pub(crate) fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut SourceFd(&self.as_raw_fd()), token, Interest::READABLE)
    }

    /// Has the system tell when the socket takes something again, too. A fresh socket takes all that there
    /// is to say at once: that news would cost each connection a turn.
    pub(crate) fn watch_writes(&self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        // By its descriptor: another thread may hold the socket that it has just written to.
        registry.reregister(&mut SourceFd(&self.as_raw_fd()), token, interest)
    }

    /// Whether bytes wait to be read.
    pub(crate) fn has_unread(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = match self {
            Self::Tcp(socket) => SockRef::from(socket).peek(&mut byte),
            Self::Unix(socket) => SockRef::from(socket).peek(&mut byte),
        };
        peeked.is_ok_and(|bytes| bytes > 0)
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(socket)
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut &*socket).read(buffer),
            Socket::Unix(socket) => (&mut &*socket).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut &*socket).write(bytes),
            Socket::Unix(socket) => (&mut &*socket).write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut &*socket).write_vectored(slices),
            Socket::Unix(socket) => (&mut &*socket).write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
