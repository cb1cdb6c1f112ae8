//! A socket that speaks WAMP v2 before it has a session: it is no connection yet.
//!
//! It waits for HELLO, challenges the client to prove who it is if the realm wants that, has the
//! connection recorded, and becomes a [`Conn`](super::conn::Conn), whose first message is WELCOME. A
//! client that says anything else, or proves nothing, gets an ABORT, and is told of as rejected.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::event::{ConnectionFacts, Timestamp};
use clank_core::journal::NotRecorded;
use clank_core::wamp2::auth::{Denied, Identity as Proved, Pending, Step as Attempted};
use clank_wire::excerpt::Excerpt;
use clank_wire::payload::Payload;
use clank_wire::wamp2::{Abort, Authenticate, ClientMessage, Hello, Id, reason};
use clank_wire::ws::{self, CloseCode, Event};

use super::auth::session_facts;
use super::cx::Cx;
use super::door::{ABORTED, Why, reject_accepted, tell_rejection};
use super::engine::{Engine, Names};
use super::entrant::{Accepted, Candidate};
use super::form::{Form, Framed};
use super::hello::{Refusal, decode};
use super::http::Ready;
use super::incoming::Incoming;
use super::opening::Opening;
use super::peer::Features;
use super::realm::Realm;
use super::transport::Transport;

/// The longest message before the session begins, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// How long a client that was refused has to read why, in milliseconds.
const LINGER: u64 = 2_000;
/// Bytes of answers to pings that may wait for a client that doesn't read.
const UNWRITTEN: usize = 16 * 1024;

type Recording = Pin<Box<dyn Future<Output = Result<Accepted, NotRecorded>>>>;

/// A WebSocket without a session.
pub(crate) struct Joining {
    transport: Transport,
    incoming: Incoming,
    framed: Framed,
    stage: Stage,
    /// What the client is still to be sent.
    out: Vec<u8>,
    /// What the client sent behind its HELLO.
    early: Vec<u8>,
    waker: Waker,
    deadline: u64,
    readable: bool,
    ended: bool,
}

enum Stage {
    /// HELLO is to come.
    Waiting(Box<Candidate>),
    /// AUTHENTICATE is to come.
    Challenged(Box<Challenged>),
    /// The journal is recording the connection, of which this is known.
    Recording(Recording, Arc<ConnectionFacts>),
    /// It may be opened.
    Joined(Box<Accepted>),
    /// It is refused, and may still read why.
    Refused,
}

impl Stage {
    /// The client, while it is for it to say something.
    fn candidate(self) -> Option<Box<Candidate>> {
        match self {
            Self::Waiting(candidate) => Some(candidate),
            Self::Challenged(challenged) => Some(challenged.entry.candidate),
            Self::Recording(..) | Self::Joined(_) | Self::Refused => None,
        }
    }

    /// Tells the listeners that it came to nothing, of which they have not heard yet.
    fn reject(self, engine: &Arc<Engine>, why: Why<'_>) {
        match self {
            Self::Waiting(candidate) => candidate.reject(engine, why),
            Self::Challenged(challenged) => challenged.entry.candidate.reject(engine, why),
            Self::Joined(accepted) => reject_accepted(engine, *accepted, why),
            // The record tells when it is dropped.
            Self::Recording(..) | Self::Refused => {}
        }
    }
}

/// A client that has said which realm it wants to join.
struct Entry {
    candidate: Box<Candidate>,
    names: Names,
    realm: Arc<Realm>,
    features: Features,
}

/// A client that has to prove who it is.
struct Challenged {
    entry: Entry,
    pending: Pending,
    /// When it was challenged, by the worker's clock and by the calendar.
    since: (u64, Timestamp),
}

/// What became of it.
pub(crate) enum Step {
    Pending,
    /// It has a session now.
    Joined(Box<Joined>),
    /// It is over.
    Ended,
}

/// A WebSocket that has a session.
pub(crate) struct Joined {
    pub accepted: Accepted,
    pub transport: Transport,
    pub early: Vec<u8>,
    pub ended: bool,
}

impl Joining {
    /// Begins behind `response`, which has still to be sent.
    pub(crate) fn new(
        candidate: Box<Candidate>,
        transport: Transport,
        response: Option<Bytes>,
        waker: Waker,
        cx: &Cx,
    ) -> Self {
        let limits = cx.engine.limits();
        let max_message = limits.message.bytes().min(MAX_MESSAGE);
        let deflate = candidate.deflate.is_some();
        Self {
            transport,
            incoming: Incoming::new(Form::Wamp2(candidate.framed), max_message, deflate),
            framed: candidate.framed,
            stage: Stage::Waiting(candidate),
            out: response.map(Vec::from).unwrap_or_default(),
            early: Vec::new(),
            waker,
            deadline: cx.now + limits.handshake.duration().as_millis() as u64,
            readable: true,
            ended: false,
        }
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether the client is still to be sent something that its socket doesn't take.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.out.is_empty()
    }

    /// Does all that can be done now.
    pub(crate) fn drive(&mut self, ready: Ready, cx: &mut Cx) -> Step {
        self.readable |= ready.readable;
        self.ended |= ready.ended;
        loop {
            if self.write().is_err() {
                return self.lost(cx);
            }
            match &mut self.stage {
                Stage::Recording(recording, facts) => {
                    match recording.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                        Poll::Pending => return Step::Pending,
                        Poll::Ready(Ok(accepted)) => self.stage = Stage::Joined(accepted.into()),
                        Poll::Ready(Err(error)) => {
                            tracing::error!(%error, "a connection can't be recorded, and is refused");
                            let (id, request) = (Some(facts.connection_id), facts.request.clone());
                            tell_rejection(&cx.engine, id, UNRECORDED, None, || request);
                            self.say_goodbye(reason::UNAVAILABLE, UNRECORDED.1, cx);
                        }
                    }
                }
                Stage::Joined(_) => return self.joined(),
                Stage::Waiting(_) | Stage::Challenged(_) | Stage::Refused => {
                    if !self.readable || self.out.len() > UNWRITTEN {
                        return Step::Pending;
                    }
                    if !self.read(cx) {
                        return self.lost(cx);
                    }
                }
            }
        }
    }

    fn joined(&mut self) -> Step {
        if !self.out.is_empty() {
            // The response to the handshake goes first; the socket tells when it takes more.
            return Step::Pending;
        }
        let Stage::Joined(accepted) = std::mem::replace(&mut self.stage, Stage::Refused) else {
            return Step::Ended;
        };
        Step::Joined(Box::new(Joined {
            accepted: *accepted,
            transport: std::mem::replace(&mut self.transport, Transport::Gone),
            early: std::mem::take(&mut self.early),
            ended: self.ended,
        }))
    }

    /// Gives it up for good: its time is over, or the server stops.
    pub(crate) fn give_up(&mut self, why: Why<'static>, cx: &mut Cx) {
        if matches!(self.stage, Stage::Challenged(_)) && why.0 == Cause::HandshakeTimeout {
            self.refuse(&Denied::TooLate.into(), cx);
            _ = self.write();
            return;
        }
        let uri = match why.0 {
            Cause::ServerShutdown => reason::SYSTEM_SHUTDOWN,
            _ => reason::PROTOCOL_VIOLATION,
        };
        self.say_goodbye(uri, why.1, cx).reject(&cx.engine, why);
        // What it takes of that it takes now.
        _ = self.write();
    }

    /// The client is gone.
    pub(crate) fn lost(&mut self, cx: &mut Cx) -> Step {
        std::mem::replace(&mut self.stage, Stage::Refused).reject(&cx.engine, ABORTED);
        Step::Ended
    }

    /// Takes what waits. `false`: that was the end.
    fn read(&mut self, cx: &mut Cx) -> bool {
        let mut buffer = std::mem::take(&mut cx.buffer);
        let goes_on = match self.transport.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                let emptied = read < buffer.len() && self.transport.socket().is_some();
                self.readable = self.ended || !emptied;
                self.take(buffer.get_mut(..read).unwrap_or_default(), cx)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        };
        cx.buffer = buffer;
        goes_on
    }

    /// Takes bytes that the client sent. `false`: it closes.
    pub(crate) fn take(&mut self, bytes: &mut [u8], cx: &mut Cx) -> bool {
        let mut scratch = std::mem::take(&mut cx.scratch);
        let mut at = 0;
        let mut goes_on = true;
        while goes_on && at < bytes.len() {
            if matches!(self.stage, Stage::Recording(..) | Stage::Joined(_)) {
                self.early.extend_from_slice(bytes.get(at..).unwrap_or_default());
                break;
            }
            match self.incoming.decode(bytes.get_mut(at..).unwrap_or_default(), &mut scratch) {
                Ok((used, event)) => {
                    at += used;
                    goes_on = event.is_none_or(|event| self.on_event(&event, cx));
                }
                Err(error) => {
                    let cause = Cause::from(error);
                    self.refuse(&Refusal::new(reason::PROTOCOL_VIOLATION, cause, error.to_string()), cx);
                    break;
                }
            }
        }
        cx.scratch = scratch;
        goes_on
    }

    fn on_event(&mut self, event: &Event<'_>, cx: &mut Cx) -> bool {
        match event {
            Event::Ping(payload) => {
                let pong = Form::Wamp2(self.framed).pong(payload);
                self.out.extend_from_slice(&pong);
            }
            Event::Pong(_) => {}
            Event::Close(_) if matches!(self.stage, Stage::Refused) => return false,
            Event::Close(frame) => {
                let code = frame.map_or(CloseCode::NORMAL, |(code, _)| code);
                self.out.extend_from_slice(&ws::close_frame(code, ""));
                _ = self.write();
                return false;
            }
            Event::Text(text) => self.on_message(text.as_bytes(), true, cx),
            Event::Binary(bytes) => self.on_message(bytes, false, cx),
        }
        true
    }

    fn on_message(&mut self, message: &[u8], is_text: bool, cx: &mut Cx) {
        if let Err(refusal) = self.proceed(message, is_text, cx) {
            self.refuse(&refusal, cx);
        }
    }

    fn proceed(&mut self, message: &[u8], is_text: bool, cx: &mut Cx) -> Result<(), Refusal> {
        let wants = match self.stage {
            Stage::Waiting(_) => "a session begins with HELLO",
            Stage::Challenged(_) => "CHALLENGE is answered by AUTHENTICATE",
            Stage::Recording(..) | Stage::Joined(_) | Stage::Refused => return Ok(()),
        };
        match (decode(self.framed.codec(), message, is_text)?, &self.stage) {
            (ClientMessage::Hello(hello), Stage::Waiting(_)) => self.hello(&hello, cx),
            (ClientMessage::Authenticate(answer), Stage::Challenged(_)) => self.authenticate(&answer, cx),
            (ClientMessage::Abort(_), Stage::Challenged(_)) => {
                // The client can't answer the challenge: it has nothing to hear about that.
                std::mem::replace(&mut self.stage, Stage::Refused).reject(&cx.engine, ABORTED);
                self.end(cx);
                Ok(())
            }
            _ => Err(Refusal::violation(wants)),
        }
    }

    fn hello(&mut self, hello: &Hello<'_>, cx: &mut Cx) -> Result<(), Refusal> {
        let Stage::Waiting(candidate) = &self.stage else { return Ok(()) };
        if cx.engine.is_draining() {
            let why = "the server is stopping";
            return Err(Refusal::new(reason::SYSTEM_SHUTDOWN, Cause::ServerShutdown, why));
        }
        let Some(realm) = cx.engine.realms.find(&hello.realm).cloned() else {
            let why = format!("there is no realm {}", Excerpt::new(&hello.realm));
            return Err(Refusal::new(reason::NO_SUCH_REALM, Cause::Rejected, why));
        };
        let names = candidate.names.or_else(|| cx.engine.name());
        let names = names.ok_or_else(|| Refusal::new(reason::UNAVAILABLE, UNRECORDED.0, UNRECORDED.1))?;
        let session = Id::new(names.session_id.value()).unwrap_or(Id::MIN);
        let now = Timestamp::from(SystemTime::now());
        let attempted = realm.authentication.begin(hello, candidate.identity.as_deref(), session, now)?;
        let Stage::Waiting(candidate) = std::mem::replace(&mut self.stage, Stage::Refused) else {
            return Ok(());
        };
        let entry = Entry { candidate, names, realm, features: Features::of(hello) };
        match attempted {
            Attempted::Accepted(proved) => self.stage = self.join(entry, proved, cx),
            Attempted::Challenged(pending) => self.challenge(entry, *pending, (cx.now, now)),
        }
        Ok(())
    }

    fn challenge(&mut self, entry: Entry, pending: Pending, since: (u64, Timestamp)) {
        let challenge = pending.challenge();
        let (frame, _) = self.framed.frame(None, |serializer, out| challenge.encode(serializer, out));
        self.out.extend_from_slice(&frame);
        // The time for the handshake as a whole is running too.
        self.deadline = self.deadline.min(since.0 + pending.timeout().as_millis() as u64);
        self.stage = Stage::Challenged(Box::new(Challenged { entry, pending, since }));
    }

    fn authenticate(&mut self, answer: &Authenticate<'_>, cx: &mut Cx) -> Result<(), Refusal> {
        let Stage::Challenged(challenged) = std::mem::replace(&mut self.stage, Stage::Refused) else {
            return Ok(());
        };
        let Challenged { entry, pending, since: (since, time) } = *challenged;
        // However the calendar's clock is set meanwhile.
        let passed = cx.now.saturating_sub(since).saturating_mul(1000);
        let now = Timestamp::from_unix_micros(time.unix_micros().saturating_add(passed));
        match pending.verify(answer, now) {
            Ok(proved) => {
                self.stage = self.join(entry, proved, cx);
                Ok(())
            }
            Err(denied) => {
                // Who refuses it tells of it.
                self.stage = Stage::Waiting(entry.candidate);
                Err(denied.into())
            }
        }
    }

    fn join(&self, entry: Entry, proved: Proved, cx: &Cx) -> Stage {
        let Entry { mut candidate, names, realm, features } = entry;
        let (handshake, id) = (candidate.identity.take(), names.session_id.value());
        let (session, identity) = session_facts(proved, handshake, &realm, self.framed.codec(), id);
        candidate.identity = identity;
        record(&cx.engine, candidate.join(names, session, realm, features))
    }

    fn refuse(&mut self, refusal: &Refusal, cx: &mut Cx) {
        let told = refusal.told.as_deref().unwrap_or(&refusal.reason);
        if let Some(candidate) = self.say_goodbye(refusal.uri, told, cx).candidate() {
            candidate.refuse(&cx.engine, (refusal.cause, &refusal.reason));
        }
    }

    /// Queues ABORT and the close frame, behind which nothing comes. Returns what it was at.
    fn say_goodbye(&mut self, uri: &'static str, message: &str, cx: &mut Cx) -> Stage {
        let stage = std::mem::replace(&mut self.stage, Stage::Refused);
        if matches!(stage, Stage::Refused) {
            return stage;
        }
        let payload = Payload::EMPTY;
        let abort = Abort { reason: uri.into(), message: Some(message.into()), payload };
        let (frame, _) = self.framed.frame(None, |serializer, out| abort.encode(serializer, out));
        self.out.extend_from_slice(&frame);
        self.end(cx);
        stage
    }

    /// Queues the close frame.
    fn end(&mut self, cx: &Cx) {
        if let Framed::WebSocket(_) = self.framed {
            self.out.extend_from_slice(&ws::close_frame(CloseCode::NORMAL, ""));
        }
        self.deadline = cx.now + LINGER;
    }

    /// Writes what waits, as far as the client takes it. Behind the last of what RawSocket frames comes
    /// the end of the stream.
    fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.transport.write(&self.out) {
                Ok(written) => _ = self.out.drain(..written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let is_over = matches!((&self.stage, self.framed), (Stage::Refused, Framed::RawSocket(_)));
        if is_over && self.out.is_empty() {
            self.transport.end();
        }
        Ok(())
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        if let Some(socket) = self.transport.socket() {
            // It fails if the client was quicker.
            _ = socket.shutdown(std::net::Shutdown::Both);
        }
        self.transport.shut();
    }
}

/// The journal does not take the connection.
const UNRECORDED: Why<'static> = (Cause::JournalUnavailable, "the connection can't be recorded");

/// Has the connection recorded, if it has to be before the client is welcomed.
fn record(engine: &Arc<Engine>, accepted: Accepted) -> Stage {
    let journal = engine.journal.as_ref().filter(|_| engine.settings.before_accept);
    let Some(journal) = journal else { return Stage::Joined(accepted.into()) };
    // A client that goes away while it is recorded is dropped with this, and then has been connected
    // all the same; the journal's own failure is told here.
    let facts = Arc::clone(&accepted.facts);
    let opening = Opening::record(engine, journal.as_ref(), accepted, || ABORTED);
    let recording = async move {
        let recorded = opening.await?;
        Ok(Accepted { recorded: true, ..recorded })
    };
    Stage::Recording(Box::pin(recording), facts)
}
