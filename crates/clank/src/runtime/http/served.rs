//! A socket that is served by hyper: whatever is not the request for a WebSocket, whole and first.

use std::cell::RefCell;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::event::Transport;
use hyper::server::conn::http1;

use super::{Progress, Ready, TIMED_OUT, Upgraded, write};
use crate::runtime::door::{ABORTED, Why, reject};
use crate::runtime::engine::Engine;
use crate::runtime::entrant::Entrant;
use crate::runtime::respond::Responder;
use crate::runtime::socket::Socket;

/// Bytes of responses that may wait for a client that doesn't read; then no further request is
/// answered.
const UNWRITTEN: usize = 256 * 1024;

/// A socket that is served by hyper.
pub(super) struct Served {
    /// `None` once the socket has been taken back from hyper, or its last response is whole: then
    /// all that is left to be done is to write that.
    connection: Option<Pin<Box<http1::Connection<Io, Responder>>>>,
    wire: Rc<RefCell<Wire>>,
    accepted: Rc<RefCell<Option<Entrant>>>,
    engine: Arc<Engine>,
    remote: Option<SocketAddr>,
    waker: Waker,
}

impl Served {
    /// Serves a client that has said `said` so far, and is woken by `waker`.
    pub(super) fn new(
        engine: &Arc<Engine>,
        (socket, remote): (Socket, Option<SocketAddr>),
        said: Bytes,
        waker: Waker,
    ) -> Self {
        let wire = Rc::new(RefCell::new(Wire {
            partial: !said.is_empty(),
            said,
            socket: Some(socket),
            out: Vec::new(),
            readable: false,
            ended: false,
            stalled: false,
            served: false,
            why: ABORTED,
            told: false,
        }));
        let accepted = Rc::new(RefCell::new(None));
        let responder = Responder::new(engine, remote, &accepted, &wire);
        let limits = engine.limits();
        let connection = http1::Builder::new()
            .max_headers(limits.header_count.count())
            // hyper takes no less than 8 KiB.
            .max_buf_size(limits.headers.bytes().max(8 * 1024))
            .header_read_timeout(None)
            .serve_connection(Io(Rc::clone(&wire)), responder);
        let (connection, engine) = (Some(Box::pin(connection)), Arc::clone(engine));
        Self { connection, wire, accepted, engine, remote, waker }
    }

    /// Does all that can be done now.
    pub(super) fn drive(&mut self, ready: Ready) -> Progress {
        {
            let mut wire = self.wire.borrow_mut();
            // What it is woken for is no news of the socket: reading would be a call in vain.
            wire.readable |= ready.readable && !ready.woken;
            wire.ended |= ready.ended;
            if !ready.readable && wire.out.is_empty() && !wire.stalled {
                // A fresh socket is writable, before there is anything to write.
                return Progress::Pending;
            }
        }
        while let Some(connection) = &mut self.connection {
            let polled = connection.poll_without_shutdown(&mut Context::from_waker(&self.waker));
            match polled {
                Poll::Pending => match self.wire.borrow_mut().make_room() {
                    // The system tells only of a socket that was full: hyper goes on now.
                    Ok(true) => {}
                    Ok(false) => return Progress::Pending,
                    Err(_) => return Progress::Ended,
                },
                Poll::Ready(Ok(())) if self.accepted.borrow().is_some() => {
                    return match self.upgrade() {
                        Some(upgraded) => Progress::Upgraded(Box::new(upgraded)),
                        None => Progress::Ended,
                    };
                }
                Poll::Ready(result) => {
                    if let Err(error) = result {
                        self.on_error(&error);
                    }
                    self.connection = None;
                }
            }
        }
        self.finish()
    }

    /// Writes the rest of the last response.
    fn finish(&mut self) -> Progress {
        let mut wire = self.wire.borrow_mut();
        match wire.write() {
            Ok(()) if !wire.out.is_empty() => Progress::Pending,
            _ => Progress::Ended,
        }
    }

    /// The time for the handshake is over.
    pub(super) fn on_deadline(&mut self) {
        if self.connection.is_none() {
            // What came of it has been told.
            return;
        }
        {
            let mut wire = self.wire.borrow_mut();
            if wire.served && !wire.partial && self.accepted.borrow().is_none() {
                // A connection that is kept alive after a page was served just ends.
                _ = wire.write();
                return;
            }
            if wire.out.is_empty() {
                wire.out.extend_from_slice(TIMED_OUT.0);
            }
            _ = wire.write();
        }
        self.give_up(TIMED_OUT.1);
    }

    /// Whether the client is still to be sent something that its socket doesn't take.
    pub(super) fn is_blocked(&self) -> bool {
        let wire = self.wire.borrow();
        wire.stalled || !wire.out.is_empty()
    }

    pub(super) fn watch_writes(&self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        self.wire.borrow().socket.as_ref().map_or(Ok(()), |socket| socket.watch_writes(registry, token))
    }

    fn on_error(&mut self, error: &hyper::Error) {
        let partial = self.wire.borrow().partial;
        if error.is_parse_too_large() {
            self.give_up((Cause::HeadersTooLarge, "the request's headers are more than the limits allow"));
        } else if error.is_parse() {
            self.give_up((Cause::HandshakeMalformed, "the request is not HTTP/1.1"));
        } else if partial || self.accepted.borrow().is_some() {
            self.give_up(ABORTED);
        }
    }

    /// Ends a handshake that comes to nothing. It is told once, under the names that listeners know
    /// it by, if they do.
    fn give_up(&mut self, why: Why<'static>) {
        self.wire.borrow_mut().why = why;
        // With it goes the handshake on which listeners are deciding, which tells.
        self.connection = None;
        if let Some(entrant) = self.accepted.take() {
            entrant.reject(&self.engine, why);
        } else if !self.wire.borrow().told {
            reject(&self.engine, (self.remote, Transport::WebSocket), why);
        }
    }

    /// Takes the socket back from hyper.
    fn upgrade(&mut self) -> Option<Upgraded> {
        let entrant = self.accepted.take()?;
        let parts = Pin::into_inner(self.connection.take()?).into_parts();
        let mut wire = self.wire.borrow_mut();
        let response = std::mem::take(&mut wire.out).into();
        let (readable, ended) = (wire.readable, wire.ended);
        Some(Upgraded {
            entrant,
            socket: wire.socket.take()?,
            response,
            early: parts.read_buf,
            readable,
            ended,
        })
    }
}

/// The socket, and what hyper has written but the system has not taken.
pub(crate) struct Wire {
    /// What was read before hyper was asked.
    said: Bytes,
    /// `None` once it has been taken over.
    socket: Option<Socket>,
    out: Vec<u8>,
    /// There may be something to read.
    readable: bool,
    /// The client has ended its direction.
    ended: bool,
    /// Hyper has more to write, but there was no room for it.
    stalled: bool,
    /// Some of a request has been read that is not answered.
    partial: bool,
    /// A request has been answered.
    served: bool,
    /// Why the connection ends, for a handshake that is dropped with it.
    why: Why<'static>,
    /// Such a handshake has told its listeners.
    told: bool,
}

impl Wire {
    /// A handshake has been read, and is not answered yet.
    pub(crate) fn on_handshake(&mut self) {
        self.partial = true;
    }

    /// A handshake is dropped while listeners decide on it, which they are told. Says why.
    pub(crate) fn on_abandoned(&mut self) -> Why<'static> {
        self.told = true;
        self.why
    }

    /// The request that was read is answered.
    pub(crate) fn on_response(&mut self) {
        self.partial = false;
        self.served = true;
    }

    /// Writes what waits. `true`: hyper has more, and now there is room for it.
    fn make_room(&mut self) -> io::Result<bool> {
        self.write()?;
        Ok(self.out.len() < UNWRITTEN && std::mem::take(&mut self.stalled))
    }

    fn write(&mut self) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), |socket| write(socket, &mut self.out))
    }
}

/// The socket as hyper sees it. Writes are gathered: the response to a handshake leaves together
/// with WELCOME.
pub(crate) struct Io(Rc<RefCell<Wire>>);

impl hyper::rt::Read for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        let wire = &mut *wire;
        if !wire.said.is_empty() {
            let said = wire.said.split_to(buffer.remaining().min(wire.said.len()));
            buffer.put_slice(&said);
            return Poll::Ready(Ok(()));
        }
        let Some(mut socket) = wire.socket.as_ref() else { return Poll::Ready(Ok(())) };
        if !wire.readable {
            return Poll::Pending;
        }
        let mut bytes = [0; 4096];
        let room = buffer.remaining().min(bytes.len());
        match socket.read(&mut bytes[..room]) {
            Ok(read) => {
                wire.partial |= read > 0;
                // The system tells again when there is more, but not of the end.
                wire.readable = read == room || wire.ended;
                buffer.put_slice(&bytes[..read]);
                Poll::Ready(Ok(()))
            }
            // The worker polls again when the socket is readable.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wire.readable = false;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.out.len() >= UNWRITTEN {
            wire.write()?;
            if wire.out.len() >= UNWRITTEN {
                // The worker polls again when the socket is writable.
                wire.stalled = true;
                return Poll::Pending;
            }
        }
        wire.out.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::time::{Duration, Instant};

    use clank_core::limits::Limits;
    use socket2::SockRef;

    use super::*;
    use crate::config::Page;
    use crate::runtime::fixtures::{self, Letters};
    use crate::runtime::mailbox::ConnectionWaker;
    use crate::runtime::slots::Token;

    const PAGE: usize = UNWRITTEN + 1;
    const REQUESTS: usize = 8;

    /// A client, and the server's end of its connection, which holds little.
    fn connect() -> (std::net::TcpStream, Socket) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        let (socket, _) = listener.accept().unwrap();
        SockRef::from(&socket).set_send_buffer_size(16 * 1024).unwrap();
        socket.set_nonblocking(true).unwrap();
        (client, mio::net::TcpStream::from_std(socket).into())
    }

    /// Drives it as the worker does: once for what the system says, and as often as hyper wakes it.
    fn drive(http: &mut Served, letters: &Letters, readable: bool) {
        let mut ready = Ready { readable, writable: true, ended: false, woken: false };
        loop {
            assert!(matches!(http.drive(ready), Progress::Pending));
            if letters.mailbox.take(Vec::new()).is_empty() {
                return;
            }
            ready = Ready { readable: true, woken: true, ..ready };
        }
    }

    #[tokio::test]
    async fn a_response_that_found_no_room_goes_on_when_all_else_is_written() {
        let mut engine = fixtures::engine(Limits::DEFAULT);
        let page = Page { content_type: "application/octet-stream", body: vec![1; PAGE].into() };
        Arc::get_mut(&mut engine).unwrap().application.pages.insert("/page".into(), page);
        let letters = Letters::new();
        let (mut client, socket) = connect();
        let remote = client.local_addr().unwrap();
        let waker = ConnectionWaker::waker(&letters.mailbox, Token::from_mio(mio::Token(3)));
        let mut http = Served::new(&engine, (socket, Some(remote)), Bytes::new(), waker);

        let requests = "GET /page HTTP/1.1\r\nHost: clank.test\r\n\r\n".repeat(REQUESTS);
        client.write_all(requests.as_bytes()).unwrap();
        drive(&mut http, &letters, true);

        let mut buffer = vec![0; 64 * 1024];
        let mut received = 0;
        let begun = Instant::now();
        let mut read = || {
            assert!(begun.elapsed() < Duration::from_secs(20), "{received} bytes came");
            match client.read(&mut buffer) {
                Ok(read) => received += buffer[..read].iter().filter(|byte| **byte == 1).count(),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            received
        };
        // The client reads just when the last of what hyper had room for is written.
        while !http.wire.borrow().out.is_empty() {
            read();
            http.wire.borrow_mut().write().unwrap();
        }
        while read() < REQUESTS * PAGE {
            drive(&mut http, &letters, false);
        }
    }
}
