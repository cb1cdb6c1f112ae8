//! The half of a connection that every thread may touch.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use clank_core::event::{ConnectionFacts, Traffic};
use clank_core::wamp1::SessionId;
use clank_wire::wamp2::Hello;
use clank_wire::ws::deflate::WindowBits;
use mio::net::TcpStream;

use super::engine::Engine;
use super::form::Form;
use super::hub::{Held, Member};
use super::outbound::{Flushed, OnOverflow, Outbound, Push, Sink};
use super::realm::Realm;
use super::slots::Token;
use super::sync::{Mutex, lock};

/// A connection, as threads other than its worker see it.
///
/// A fan-out to thousands waits for memory more than for anything else: what it touches of each
/// receiver comes first, here and in the queue, and lies in two cache lines.
#[repr(C)]
pub(crate) struct Peer {
    pub engine: Arc<Engine>,
    /// The window to compress with; `None`: frames go out as they are.
    pub window: Option<WindowBits>,
    /// What its messages are written in.
    pub form: Form,
    outbound: Outbound,
    /// The worker that owns it, and where it finds it.
    pub worker: usize,
    pub token: Token,
    /// `None`: the worker itself holds the transport, and alone can write to it; or the connection
    /// is gone, and its descriptor free, however long the application holds on to the rest.
    socket: Mutex<Option<Arc<TcpStream>>>,
    pub facts: Arc<ConnectionFacts>,
    pub session_id: SessionId,
    /// Where its topics and procedures are.
    pub realm: Arc<Realm>,
    pub features: Features,
    held: Mutex<Held<Peer>>,
    open: AtomicBool,
}

/// What a client of WAMP v2 has said that it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// As a callee it hears of calls that are cancelled.
    pub call_canceling: bool,
    /// As a callee it may answer bit by bit.
    pub progressive_results: bool,
    /// As a callee it takes arguments bit by bit.
    pub progressive_invocations: bool,
    /// As a caller it may send them so.
    pub progressive_calls: bool,
}

const INVOCATIONS: &str = "progressive_call_invocations";

impl Features {
    /// Those that HELLO names.
    pub(crate) fn of(hello: &Hello<'_>) -> Self {
        let callee = |feature| hello.details.roles.feature("callee", feature);
        // The section on progressive invocations spells it otherwise.
        let call_canceling = callee("call_canceling") || callee("call_cancelling");
        Self {
            call_canceling,
            // A call that could not be taken back is not to be sent in parts.
            progressive_invocations: callee(INVOCATIONS) && call_canceling,
            progressive_calls: hello.details.roles.feature("caller", INVOCATIONS),
            // The name that the specification had for it before.
            progressive_results: callee("progressive_call_results") || callee("progressive_calls"),
        }
    }
}

/// What a peer is made of.
pub(crate) struct Parts {
    pub facts: Arc<ConnectionFacts>,
    pub session_id: SessionId,
    pub worker: usize,
    pub token: Token,
    pub window: Option<WindowBits>,
    pub form: Form,
    pub realm: Arc<Realm>,
    pub features: Features,
    pub socket: Option<Arc<TcpStream>>,
}

impl Peer {
    pub(crate) fn new(engine: &Arc<Engine>, parts: Parts) -> Arc<Self> {
        let Parts { facts, session_id, worker, token, window, form, realm, features, socket } = parts;
        Arc::new(Self {
            facts,
            session_id,
            engine: Arc::clone(engine),
            worker,
            token,
            window,
            form,
            realm,
            features,
            socket: Mutex::new(socket),
            outbound: Outbound::new(),
            held: Mutex::default(),
            open: AtomicBool::new(true),
        })
    }

    /// Whether it speaks WAMP.
    pub(crate) fn is_session(&self) -> bool {
        self.facts.session.is_some() || self.facts.request.protocol.is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn set_closing(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// Queues a frame that carries `message` bytes of payload.
    pub(crate) fn push(&self, frame: Bytes, message: usize, on_overflow: OnOverflow) -> Push {
        self.outbound.push(frame, message, on_overflow, &self.engine.bounds)
    }

    /// Queues a control frame, which is no message of the application's.
    pub(crate) fn push_control(&self, frame: Bytes) -> Push {
        self.outbound.push_control(frame, &self.engine.bounds)
    }

    /// Queues the last frame; nothing can follow it.
    pub(crate) fn seal(&self, last: Option<Bytes>) -> Push {
        self.outbound.seal(last, &self.engine.bounds)
    }

    /// Writes what waits. Only who has claimed the flush may call. `None`: this can only be done by
    /// the worker, which still owes it.
    pub(crate) fn flush(&self, scratch: &mut Vec<u8>) -> Option<Flushed> {
        let socket = lock(&self.socket).clone()?;
        Some(self.flush_to(&Socket(&socket), scratch))
    }

    /// Writes what waits to a transport that the worker holds.
    pub(crate) fn flush_to(&self, sink: &impl Sink, scratch: &mut Vec<u8>) -> Flushed {
        self.outbound.flush(sink, scratch, &self.engine.bounds)
    }

    /// The socket has become writable. `true`: the caller has claimed the flush.
    pub(crate) fn writable(&self) -> bool {
        self.outbound.writable(&self.engine.bounds)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.outbound.is_blocked()
    }

    /// Ends the socket: what waits is dropped, nothing can be sent or read.
    pub(crate) fn shut(&self) {
        self.outbound.close(&self.engine.bounds);
        if let Some(socket) = lock(&self.socket).take() {
            // It fails if the client was quicker.
            _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Gives the socket back as it is: another session goes on with it.
    pub(crate) fn release(&self) {
        self.outbound.close(&self.engine.bounds);
        *lock(&self.socket) = None;
    }

    pub(crate) fn take_dropped(&self) -> u32 {
        self.outbound.take_dropped()
    }

    pub(crate) fn written(&self) -> u64 {
        self.outbound.written()
    }

    pub(crate) fn sent(&self) -> Traffic {
        self.outbound.sent()
    }
}

impl Member for Peer {
    fn id(&self) -> u64 {
        self.facts.resource_id.value()
    }

    fn held(&self) -> &Mutex<Held<Self>> {
        &self.held
    }
}

struct Socket<'a>(&'a TcpStream);

impl Sink for Socket<'_> {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self.0).write(bytes)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&mut &*self.0).write_vectored(slices)
    }
}
