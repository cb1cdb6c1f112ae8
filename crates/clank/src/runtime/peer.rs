//! The half of a connection that every thread may touch.

use std::cell::RefCell;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;
use clank_core::event::{ConnectionFacts, Traffic};
use clank_core::wamp1::SessionId;
use clank_wire::wamp2::Hello;
use clank_wire::ws::deflate::WindowBits;

use super::engine::Engine;
use super::form::Form;
use super::hub::{Held, Member};
use super::outbound::{Flushed, Messages, OnOverflow, Outbound, Push, Sink};
use super::realm::Realm;
use super::slots::Token;
use super::socket::Socket;
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
    pub features: Features,
    open: AtomicBool,
    /// The worker that owns it.
    worker: u16,
    /// Messages that were not sent because they are longer than the client takes.
    too_long: AtomicU32,
    outbound: Outbound,
    /// Where its worker finds it.
    pub token: Token,
    /// `None`: the worker itself holds the transport, and alone can write to it; or the connection
    /// is gone, and its descriptor free, however long the application holds on to the rest.
    socket: Mutex<Option<Arc<Socket>>>,
    pub facts: Arc<ConnectionFacts>,
    pub session_id: SessionId,
    /// Where its topics and procedures are.
    pub realm: Arc<Realm>,
    held: Mutex<Held<Peer>>,
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
    pub socket: Option<Arc<Socket>>,
}

impl Peer {
    pub(crate) fn new(engine: &Arc<Engine>, parts: Parts) -> Arc<Self> {
        let Parts { facts, session_id, worker, token, window, form, realm, features, socket } = parts;
        Arc::new(Self {
            facts,
            session_id,
            engine: Arc::clone(engine),
            // There are 1,024 at most.
            worker: worker as u16,
            token,
            window,
            form,
            realm,
            features,
            socket: Mutex::new(socket),
            outbound: Outbound::new(),
            held: Mutex::default(),
            too_long: AtomicU32::new(0),
            open: AtomicBool::new(true),
        })
    }

    /// Whether it speaks WAMP.
    pub(crate) fn is_session(&self) -> bool {
        self.facts.session.is_some() || self.facts.request.protocol.is_some()
    }

    /// The worker that owns it.
    pub(crate) fn worker(&self) -> usize {
        usize::from(self.worker)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn set_closing(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// Queues a frame that carries `message` bytes of payload.
    pub(crate) fn push(&self, frame: Bytes, message: usize, on_overflow: OnOverflow) -> Push {
        if !self.form.takes(message) {
            return self.too_long();
        }
        self.outbound.push(frame, message, on_overflow, &self.engine.bounds)
    }

    /// Queues a frame that nobody else receives: `encode` appends it, and says how many bytes of message
    /// it carries, which are returned too.
    pub(crate) fn push_own(
        &self,
        on_overflow: OnOverflow,
        encode: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> (Push, usize) {
        self.offer(on_overflow, encode).unwrap_or_else(|message| (self.too_long(), message))
    }

    /// The same, but nothing is counted if the message has more bytes than the client takes; how many it
    /// has is the error.
    pub(crate) fn offer(
        &self,
        on_overflow: OnOverflow,
        encode: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> Result<(Push, usize), usize> {
        thread_local! {
            static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        FRAME.with_borrow_mut(|frame| {
            frame.clear();
            let message = encode(frame);
            if !self.form.takes(message) {
                *frame = Vec::new();
                return Err(message);
            }
            Ok((self.outbound.push_own(frame, message, on_overflow, &self.engine.bounds), message))
        })
    }

    /// Counts a message that is longer than the client takes.
    fn too_long(&self) -> Push {
        match self.too_long.fetch_add(1, Ordering::AcqRel) {
            0 => Push::TooLong,
            // The owner has still to be told of the one before.
            _ => Push::Dropped,
        }
    }

    /// Queues several messages as one piece. `None`: they have to be queued one by one, for there is no
    /// room for all, or one is longer than the client takes.
    pub(crate) fn push_all(&self, messages: &Messages) -> Option<Push> {
        self.form.takes(messages.longest).then(|| self.outbound.push_all(messages, &self.engine.bounds))?
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
        Some(self.flush_to(&*socket, scratch))
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
        let socket = lock(&self.socket).take();
        // Who holds it last closes it, which ends it too; but another thread may be writing to it.
        if let Some(Err(shared)) = socket.map(Arc::try_unwrap) {
            // It fails if the client was quicker.
            _ = shared.shutdown(std::net::Shutdown::Both);
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

    /// Takes the number of messages that were longer than the client takes.
    pub(crate) fn take_too_long(&self) -> u32 {
        self.too_long.swap(0, Ordering::AcqRel)
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

impl Sink for Socket {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, slices)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::runtime::conn::Conn;

    /// Each is the most that fits a class of the allocator's: a word more costs 64 bytes.
    #[test]
    fn a_connection_is_small() {
        let counts = 2 * size_of::<usize>();
        assert!(size_of::<Conn>() <= 320, "{}", size_of::<Conn>());
        assert!(size_of::<Peer>() + counts <= 256, "{}", size_of::<Peer>());
        assert!(size_of::<ConnectionFacts>() + counts <= 128, "{}", size_of::<ConnectionFacts>());
    }
}
