//! A socket before it is a WebSocket: it speaks HTTP/1.1.
//!
//! Nearly all sockets begin with a request for a WebSocket, which comes whole and at once. That one is read
//! here, by hyper's own parser; a socket that says anything else is hyper's.

mod head;
mod served;

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::event::Transport;
use http::Response;

use super::cx::Cx;
use super::door::{ABORTED, Why, reject};
use super::engine::Engine;
use super::entrant::Entrant;
use super::respond::{Body, answer};
use super::socket::Socket;
use served::Served;
pub(super) use served::Wire;

/// Bytes of the first read. Requests for a WebSocket are shorter, and what a client may send behind them
/// before they are answered is kept for each of them.
const FIRST: usize = 4 * 1024;

/// What a client hears whose time is over, and listeners.
const TIMED_OUT: (&[u8], Why<'static>) = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    (Cause::HandshakeTimeout, "the handshake was not complete in time"),
);

/// A socket that speaks HTTP.
pub(crate) struct Http {
    stage: Stage,
    engine: Arc<Engine>,
    remote: Option<SocketAddr>,
    waker: Waker,
    deadline: u64,
}

enum Stage {
    /// The client has said nothing yet.
    Fresh(Socket),
    /// It has asked for a WebSocket.
    Asked(Box<Asked>),
    /// It has been refused one, and is still to be told all of it.
    Refused(Socket, Vec<u8>),
    Served(Box<Served>),
    Ended,
}

type Answer = Pin<Box<dyn Future<Output = (Response<Body>, Option<Entrant>)>>>;

/// A request for a WebSocket that is being decided on.
struct Asked {
    answer: Answer,
    /// Why it comes to nothing, should it be dropped.
    why: Rc<Cell<Why<'static>>>,
    socket: Socket,
    /// What the client has sent behind it.
    early: Bytes,
    readable: bool,
    ended: bool,
}

/// What the system says of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub readable: bool,
    pub writable: bool,
    /// The client has ended its direction, or the socket is broken. It is said once: what is
    /// unread has to be read to the end.
    pub ended: bool,
    /// It was not the system that said so: what was waited for within the program has come.
    pub woken: bool,
}

/// What became of it.
pub(crate) enum Progress {
    /// It waits for the client, or for a listener.
    Pending,
    /// Its client is let in.
    Upgraded(Box<Upgraded>),
    /// It is over.
    Ended,
}

/// A socket whose handshake is accepted.
pub(crate) struct Upgraded {
    pub entrant: Entrant,
    pub socket: Socket,
    /// The response, which has still to be sent.
    pub response: Bytes,
    /// What the client sent behind its request.
    pub early: Bytes,
    /// There may be more to read.
    pub readable: bool,
    /// The client has ended its direction.
    pub ended: bool,
}

impl Http {
    pub(crate) fn new(socket: Socket, remote: Option<SocketAddr>, waker: Waker, cx: &Cx) -> Self {
        let engine = Arc::clone(&cx.engine);
        let deadline = cx.now + engine.limits().handshake.duration().as_millis() as u64;
        Self { stage: Stage::Fresh(socket), engine, remote, waker, deadline }
    }

    /// Does all that can be done now.
    pub(crate) fn drive(&mut self, mut ready: Ready, buffer: &mut [u8]) -> Progress {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Fresh(socket) => {
                    if !ready.readable {
                        self.stage = Stage::Fresh(socket);
                        return Progress::Pending;
                    }
                    match (&socket).read(buffer.get_mut(..FIRST).unwrap_or_default()) {
                        Ok(0) => return Progress::Ended,
                        Ok(read) => {
                            let said = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                            // The system tells again when there is more, but not of the end.
                            ready.woken |= read < FIRST && !ready.ended;
                            self.stage = self.begin(socket, said);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.stage = Stage::Fresh(socket);
                            return Progress::Pending;
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                            self.stage = Stage::Fresh(socket);
                        }
                        Err(_) => return Progress::Ended,
                    }
                }
                Stage::Asked(asked) => {
                    if let Some(progress) = self.decide(asked, ready) {
                        return progress;
                    }
                }
                Stage::Refused(socket, mut out) => {
                    if write(&socket, &mut out).is_err() || out.is_empty() {
                        return Progress::Ended;
                    }
                    self.stage = Stage::Refused(socket, out);
                    return Progress::Pending;
                }
                Stage::Served(mut served) => {
                    let progress = served.drive(ready);
                    self.stage = Stage::Served(served);
                    return progress;
                }
                Stage::Ended => return Progress::Ended,
            }
        }
    }

    /// Begins with what the client has said first.
    fn begin(&self, socket: Socket, said: Bytes) -> Stage {
        let Some((request, length)) = head::read(&said, self.engine.limits()) else {
            let whose = (socket, self.remote);
            return Stage::Served(Served::new(&self.engine, whose, said, self.waker.clone()).into());
        };
        let (engine, remote) = (Arc::clone(&self.engine), self.remote);
        let why = Rc::new(Cell::new(ABORTED));
        let dropped = Rc::clone(&why);
        let answer = async move { answer(&engine, remote, &request, || dropped.get()).await };
        let early = said.slice(length..);
        Stage::Asked(
            Asked { answer: Box::pin(answer), why, socket, early, readable: false, ended: false }.into(),
        )
    }

    /// Goes on with a request for a WebSocket. `None`: with its refusal.
    fn decide(&mut self, mut asked: Box<Asked>, ready: Ready) -> Option<Progress> {
        // What it is woken for is no news of the socket: reading would be a call in vain.
        asked.readable |= ready.readable && !ready.woken;
        asked.ended |= ready.ended;
        match asked.answer.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            // A client that has ended its direction is gone: nobody is left to be let in.
            Poll::Pending if asked.ended => Some(Progress::Ended),
            Poll::Pending => {
                self.stage = Stage::Asked(asked);
                Some(Progress::Pending)
            }
            Poll::Ready((response, entrant)) => {
                let response = head::write(response);
                let Asked { socket, early, readable, ended, .. } = *asked;
                let Some(entrant) = entrant else {
                    self.stage = Stage::Refused(socket, response);
                    return None;
                };
                let response = response.into();
                let upgraded = Upgraded { entrant, socket, response, early, readable, ended };
                Some(Progress::Upgraded(upgraded.into()))
            }
        }
    }

    /// The time for the handshake is over.
    pub(crate) fn on_deadline(&mut self) {
        let (words, why) = TIMED_OUT;
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Fresh(socket) => {
                _ = write(&socket, &mut words.to_vec());
                reject(&self.engine, (self.remote, Transport::WebSocket), why);
            }
            Stage::Asked(asked) => {
                _ = write(&asked.socket, &mut words.to_vec());
                // With it goes the handshake on which listeners are deciding, which tells.
                asked.why.set(why);
            }
            Stage::Served(mut served) => served.on_deadline(),
            // What came of it has been told.
            Stage::Refused(..) | Stage::Ended => {}
        }
    }

    /// Whether the client is still to be sent something that its socket doesn't take.
    pub(crate) fn is_blocked(&self) -> bool {
        match &self.stage {
            Stage::Refused(..) => true,
            Stage::Served(served) => served.is_blocked(),
            Stage::Fresh(_) | Stage::Asked(_) | Stage::Ended => false,
        }
    }

    /// Has the system tell when the socket takes something again.
    pub(crate) fn watch_writes(&self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        match &self.stage {
            Stage::Refused(socket, _) => socket.watch_writes(registry, token),
            Stage::Served(served) => served.watch_writes(registry, token),
            Stage::Fresh(_) | Stage::Asked(_) | Stage::Ended => Ok(()),
        }
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }
}

/// Writes what the socket takes of `out`.
fn write(mut socket: &Socket, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match socket.write(out) {
            Ok(written) => _ = out.drain(..written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
