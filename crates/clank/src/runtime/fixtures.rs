//! What the tests of the runtime's parts need around them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clank_core::event::{ConnectionFacts, Identity, RequestFacts};
use clank_core::id::ResourceId;
use clank_core::limits::Limits;
use clank_wire::ws::deflate::WindowBits;

use super::engine::Engine;
use super::form::Form;
use super::mailbox::Mailbox;
use super::outbound::{Flushed, Sink};
use super::peer::{Features, Parts, Peer};
use super::slots::Token;
use super::threads::Threads;
use crate::config::{Application, OnListenerTimeout, Origins, Paths, Settings, Wamp2};

/// A server that has no workers. To be called within a runtime of tokio's.
pub(crate) fn engine(limits: Limits) -> Arc<Engine> {
    let settings = Settings {
        node: "test".parse().unwrap(),
        run: None,
        before_accept: true,
        limits,
        wamp1: Arc::default(),
        wamp2: Wamp2::default(),
        wamp1_name: "wamp".into(),
        deflate: None,
        origins: Origins::SameHost,
        paths: Paths::Any,
        headers_kept: Vec::new(),
        on_listener_timeout: OnListenerTimeout::Close,
        workers: 1,
        addresses: Vec::new(),
        rawsocket: Vec::new(),
    };
    let threads = Threads::new(Some(tokio::runtime::Handle::current())).unwrap();
    Engine::new(settings, Application::default(), None, threads)
}

/// A connection whose socket only its worker could write to.
pub(crate) fn peer(engine: &Arc<Engine>, id: u64, window: Option<WindowBits>) -> Arc<Peer> {
    made(engine, id, window, None, Form::Wamp1)
}

/// One that gets its messages in this form.
pub(super) fn peer_in(engine: &Arc<Engine>, id: u64, form: Form) -> Arc<Peer> {
    made(engine, id, None, None, form)
}

/// One of a user's connections, or of nobody's.
pub(super) fn peer_of(engine: &Arc<Engine>, id: u64, user: Option<&str>) -> Arc<Peer> {
    made(engine, id, None, user, Form::Wamp1)
}

fn made(
    engine: &Arc<Engine>,
    id: u64,
    window: Option<WindowBits>,
    user: Option<&str>,
    form: Form,
) -> Arc<Peer> {
    let names = engine.name().unwrap();
    let facts = ConnectionFacts {
        connection_id: names.connection_id,
        resource_id: ResourceId::new(id).unwrap(),
        request: RequestFacts::default(),
        identity: user.map(|user| Identity::new(user).into()),
        session: None,
        attributes: None,
    };
    let realm = Arc::clone(engine.realms.home());
    let token = Token::from_mio(mio::Token(id as usize));
    let parts = Parts {
        facts: facts.into(),
        session_id: names.session_id,
        worker: 0,
        token,
        window,
        form,
        realm,
        features: Features::default(),
        socket: None,
    };
    Peer::new(engine, parts)
}

/// What waits for a connection that has one frame waiting: the frame itself, not a copy of it.
pub(super) fn only_frame(peer: &Peer) -> Frame {
    let seen = Seen::default();
    assert!(matches!(peer.flush_to(&seen, &mut Vec::new()), Flushed::Idle));
    seen.0.take().unwrap()
}

/// Where a frame lies, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub at: usize,
    pub bytes: Bytes,
}

#[derive(Default)]
struct Seen(std::cell::Cell<Option<Frame>>);

impl Sink for Seen {
    fn write(&self, bytes: &[u8]) -> std::io::Result<usize> {
        let frame = Frame { at: bytes.as_ptr().addr(), bytes: Bytes::copy_from_slice(bytes) };
        assert!(self.0.replace(Some(frame)).is_none(), "one frame");
        Ok(bytes.len())
    }

    fn write_vectored(&self, _: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
        unreachable!("one frame is written as it is")
    }
}

/// A mailbox, and the poll that it wakes.
pub(super) struct Letters {
    pub mailbox: Arc<Mailbox>,
    poll: mio::Poll,
}

impl Letters {
    pub(super) fn new() -> Self {
        let poll = mio::Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(poll.registry(), Token::MAILBOX).unwrap());
        Self { mailbox, poll }
    }

    /// How often the worker has been woken since it last looked.
    pub(super) fn wakes(&mut self) -> usize {
        let mut events = mio::Events::with_capacity(8);
        self.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().count()
    }
}
