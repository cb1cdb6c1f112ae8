//! What a worker lends to the connection that it drives.

use std::collections::VecDeque;
use std::sync::Arc;

use clank_core::wheel::Wheel;
use clank_wire::ws::Scratch;

use super::bundle::Bundle;
use super::engine::{Engine, Publication};
use super::mailbox::Mailbox;
use super::slots::Token;
use super::threads::PATIENCE;
use super::turn::Turn;
use crate::config::OnListenerTimeout;

/// Bytes that one read takes at most; all connections of a worker share the buffer.
const READ_BUFFER: usize = 64 * 1024;

/// What a worker lends to the connection that it drives.
pub(crate) struct Cx {
    pub engine: Arc<Engine>,
    pub mailbox: Arc<Mailbox>,
    /// The worker's number.
    pub worker: usize,
    /// Milliseconds, as [`Engine::now`] said at the beginning of the turn.
    pub now: u64,
    pub turn: Turn,
    pub buffer: Vec<u8>,
    pub scratch: Scratch,
    /// Deadlines, in milliseconds.
    pub wheel: Wheel<Token>,
    /// Events on their way to very many, each with its publisher, who is paused until it is done.
    pub publications: VecDeque<(Publication, Token)>,
    /// What is being read goes on behind the message at hand.
    pub more: bool,
    /// Events that wait for those behind them in the same read.
    pub bundle: Option<Bundle>,
    /// Connections that have something left to do.
    pub ready: VecDeque<Token>,
}

impl Cx {
    pub(crate) fn new(engine: Arc<Engine>, mailbox: Arc<Mailbox>, worker: usize) -> Self {
        let now = engine.now();
        Self {
            engine,
            mailbox,
            worker,
            now,
            turn: Turn::default(),
            buffer: vec![0; READ_BUFFER],
            scratch: Scratch::new(),
            wheel: Wheel::new(now),
            publications: VecDeque::new(),
            more: false,
            bundle: None,
            ready: VecDeque::new(),
        }
    }

    /// Makes good what a connection may have taken with it when it panicked.
    pub(crate) fn restore(&mut self) {
        self.buffer.resize(READ_BUFFER, 0);
        self.scratch = Scratch::new();
        (self.more, self.bundle) = (false, None);
    }

    /// Silence after which a client is pinged, in milliseconds.
    pub(crate) fn keepalive_interval(&self) -> u64 {
        self.engine.limits().keepalive_interval.duration().as_millis() as u64
    }

    /// Time after the ping in which something must be heard, in milliseconds.
    pub(crate) fn keepalive_timeout(&self) -> u64 {
        self.engine.limits().keepalive_timeout.duration().as_millis() as u64
    }

    /// Time that a piece of application code may take, in milliseconds.
    pub(crate) fn listener_limit(&self) -> u64 {
        self.engine.limits().listener.duration().as_millis() as u64
    }

    /// The application's threads were given work: they are looked after from now on.
    pub(crate) fn look_after_threads(&mut self) {
        if self.engine.threads.probe(self.now) {
            self.wheel.insert(self.now + PATIENCE, Token::PROBE);
        }
    }

    pub(crate) fn closes_on_listener_timeout(&self) -> bool {
        self.engine.settings.on_listener_timeout == OnListenerTimeout::Close
    }
}
