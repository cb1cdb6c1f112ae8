//! A socket of RawSocket before its client is let in: the handshake, four bytes each way.
//!
//! The handshake has no words. A client that is refused for another reason than the specification's
//! four is answered as one that is let in, and then gets an ABORT that says why.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use clank_core::cause::Cause;
use clank_core::event::{RequestFacts, Transport};
use clank_wire::payload::Payload;
use clank_wire::rawsocket::{HEAD, HandshakeError, MaxLength, Refusal, Reply, Request as Agreed};
use clank_wire::wamp2::{Abort, reason};

use super::cx::Cx;
use super::door::{ABORTED, Knock, Refused, Why, admit, reject};
use super::engine::Engine;
use super::entrant::{Entrant, Speaks};
use super::form::Framed;
use super::http::{Progress, Ready, Upgraded};
use super::socket::Socket;

/// A client that takes no longer messages is refused: WELCOME alone could be too long for it.
const SHORTEST: MaxLength = MaxLength::at_most(2048);
/// How long a client that was refused has to read why, in milliseconds.
const LINGER: u64 = 2_000;
/// Reads of what one that was refused still sends.
const DRAINED: usize = 16;

type Deciding = Pin<Box<dyn Future<Output = Result<Entrant, Refused>>>>;

/// A socket of RawSocket whose client is not let in yet.
pub(crate) struct RawSocket {
    /// `None` once it has been taken over.
    socket: Option<Socket>,
    remote: Option<SocketAddr>,
    engine: Arc<Engine>,
    stage: Stage,
    /// Why the handshake ends, if it ends while listeners decide.
    why: Rc<Cell<Why<'static>>>,
    waker: Waker,
    deadline: u64,
    readable: bool,
    ended: bool,
}

enum Stage {
    /// So many bytes of the handshake are there.
    Reading([u8; HEAD], usize),
    /// The connecting listeners are asked.
    Deciding(Deciding, Agreed),
    /// It is refused and has been told, and may still read why.
    Refused,
}

impl RawSocket {
    pub(crate) fn new(socket: Socket, remote: Option<SocketAddr>, waker: Waker, cx: &Cx) -> Self {
        Self {
            socket: Some(socket),
            remote,
            engine: Arc::clone(&cx.engine),
            stage: Stage::Reading([0; HEAD], 0),
            why: Rc::new(Cell::new(ABORTED)),
            waker,
            deadline: cx.now + cx.engine.limits().handshake.duration().as_millis() as u64,
            readable: false,
            ended: false,
        }
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Does all that can be done now.
    pub(crate) fn drive(&mut self, ready: Ready, now: u64) -> Progress {
        self.readable |= ready.readable && !ready.woken;
        self.ended |= ready.ended;
        loop {
            match &mut self.stage {
                Stage::Reading(..) => {
                    if !self.readable {
                        return Progress::Pending;
                    }
                    if !self.read(now) {
                        return Progress::Ended;
                    }
                }
                Stage::Deciding(deciding, agreed) => {
                    let agreed = *agreed;
                    match deciding.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                        // A client that has ended its direction is gone: nobody is left to be let in.
                        Poll::Pending if self.ended => return Progress::Ended,
                        Poll::Pending => return Progress::Pending,
                        Poll::Ready(Ok(entrant)) => return self.let_in(entrant, agreed),
                        Poll::Ready(Err(refused)) => self.refuse(&refused, agreed, now),
                    }
                }
                Stage::Refused => return self.drain(),
            }
        }
    }

    /// Takes what is there of the handshake, and not a byte behind it. `false`: that was the end.
    fn read(&mut self, now: u64) -> bool {
        let (Stage::Reading(bytes, held), Some(socket)) = (&mut self.stage, &self.socket) else {
            return false;
        };
        match (&mut &*socket).read(bytes.get_mut(*held..).unwrap_or_default()) {
            Ok(0) => {
                // Who has said nothing has asked for nothing.
                if *held > 0 {
                    self.reject(ABORTED);
                }
                false
            }
            Ok(read) => {
                *held += read;
                if *held < HEAD {
                    return true;
                }
                let bytes = *bytes;
                self.on_handshake(bytes, now)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(_) => {
                self.reject(ABORTED);
                false
            }
        }
    }

    /// `false`: it is no handshake, and nothing is answered.
    fn on_handshake(&mut self, bytes: [u8; HEAD], now: u64) -> bool {
        let (cause, reason, refusal) = match Agreed::decode(bytes) {
            Ok(agreed) if agreed.max_length < SHORTEST => {
                let (taken, needed) = (agreed.max_length.bytes(), SHORTEST.bytes());
                let reason =
                    format!("the client takes messages of {taken} bytes, and needs to take {needed}");
                (Cause::HandshakeMalformed, reason, Some(Refusal::MaxLength))
            }
            Ok(agreed) => {
                self.stage = self.decide(agreed);
                return true;
            }
            Err(error) => {
                let (cause, refusal) = match error {
                    HandshakeError::Refused(Refusal::Serializer) => {
                        (Cause::SubprotocolRefused, Some(Refusal::Serializer))
                    }
                    HandshakeError::Refused(refusal) => (Cause::HandshakeMalformed, Some(refusal)),
                    HandshakeError::NoSerializer => (Cause::HandshakeMalformed, Some(Refusal::Serializer)),
                    HandshakeError::Magic(_) | HandshakeError::Unknown(_) => {
                        (Cause::HandshakeMalformed, None)
                    }
                };
                (cause, error.to_string(), refusal)
            }
        };
        self.reject((cause, &reason));
        let Some(refusal) = refusal else { return false };
        self.say(&Reply::Refused(refusal).encode(), now);
        true
    }

    fn decide(&self, agreed: Agreed) -> Stage {
        let (engine, remote, why) = (Arc::clone(&self.engine), self.remote, Rc::clone(&self.why));
        let deciding = async move {
            let request = http::Request::get(engine.settings.paths.own()).body(());
            let request = request.map_err(|error| Refused::new(Cause::InternalError, error.to_string()))?;
            let (request, ()) = request.into_parts();
            let speaks = Speaks::Wamp2(Framed::RawSocket(agreed));
            let knock = Knock { remote, request: &request, speaks, deflate: None };
            admit(&engine, &knock, || why.get()).await
        };
        Stage::Deciding(Box::pin(deciding), agreed)
    }

    fn let_in(&mut self, entrant: Entrant, agreed: Agreed) -> Progress {
        let Some(socket) = self.socket.take() else { return Progress::Ended };
        let max_length = MaxLength::at_most(self.engine.limits().message.bytes());
        let reply = Reply::Accepted(Agreed { max_length, ..agreed }).encode();
        Progress::Upgraded(Box::new(Upgraded {
            entrant,
            socket,
            response: reply.to_vec().into(),
            early: bytes::Bytes::new(),
            readable: true,
            ended: self.ended,
        }))
    }

    fn refuse(&mut self, refused: &Refused, agreed: Agreed, now: u64) {
        refused.tell(&self.engine, || self.facts());
        if matches!(refused.cause, Cause::ServerFull | Cause::AddressLimit) {
            return self.say(&Reply::Refused(Refusal::Connections).encode(), now);
        }
        let uri = match refused.cause {
            Cause::ServerShutdown => reason::SYSTEM_SHUTDOWN,
            Cause::Unauthorised => reason::AUTHENTICATION_DENIED,
            Cause::Rejected => reason::NOT_AUTHORIZED,
            Cause::HandlerFailure => reason::AUTHORIZATION_FAILED,
            _ => reason::UNAVAILABLE,
        };
        let max_length = MaxLength::at_most(self.engine.limits().message.bytes());
        let mut out = Reply::Accepted(Agreed { max_length, ..agreed }).encode().to_vec();
        let message = Some(refused.reason.as_str().into());
        let abort = Abort { reason: uri.into(), message, payload: Payload::EMPTY };
        let framed = Framed::RawSocket(agreed);
        let (frame, length) = framed.frame(None, |serializer, out| abort.encode(serializer, out));
        if length <= agreed.max_length.bytes() {
            out.extend_from_slice(&frame);
        }
        self.say(&out, now);
    }

    /// Says the last that the client hears, and waits for it to go: what it has sent meanwhile would
    /// otherwise cut off what it has still to read.
    fn say(&mut self, last: &[u8], now: u64) {
        self.stage = Stage::Refused;
        self.deadline = self.deadline.min(now + LINGER);
        self.readable = true;
        if let Some(socket) = &self.socket {
            // A fresh socket has room for it; if not, the client sees the end of the connection.
            _ = (&mut &*socket).write(last);
            _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Takes what a client still sends that is refused.
    fn drain(&mut self) -> Progress {
        let Some(socket) = &self.socket else { return Progress::Ended };
        let mut bytes = [0; 4096];
        for _ in 0..DRAINED {
            match (&mut &*socket).read(&mut bytes) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.ended => {
                    return Progress::Pending;
                }
                _ => return Progress::Ended,
            }
        }
        // It sends and sends, and is not listened to.
        Progress::Ended
    }

    /// The time for the handshake is over.
    pub(crate) fn on_deadline(&mut self) {
        let why = (Cause::HandshakeTimeout, "the handshake was not complete in time");
        match self.stage {
            Stage::Reading(..) => self.reject(why),
            // With it goes the handshake on which listeners are deciding, which tells.
            Stage::Deciding(..) => self.why.set(why),
            Stage::Refused => {}
        }
    }

    fn facts(&self) -> RequestFacts {
        let remote_address = self.remote.map(Into::into);
        RequestFacts { remote_address, transport: Transport::RawSocket, ..RequestFacts::default() }
    }

    fn reject(&self, why: Why<'_>) {
        reject(&self.engine, (self.remote, Transport::RawSocket), why);
    }
}
