//! What all workers and all application code share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Instant, SystemTime};

use clank_core::event::{
    Body, Event as Record, EventKind, Headers, Origin, RequestFacts, Timestamp, Transport,
};
use clank_core::id::{ConnectionId, ResourceId, RunId};
use clank_core::journal::Journal;
use clank_core::limits::{Limits, SlowConsumer};
use clank_core::subscription::{Audience, Connections};
use clank_core::topic::Uri;
use clank_core::wamp1::SessionId;
use clank_wire::payload::Payload;
use clank_wire::wamp2::Codec;
use http::HeaderMap;

use super::adopt::Adopted;
use super::form::{CODECS, Form};
use super::gate::Gate;
use super::hub::{Member, NotSubscribed, Outlet, Walk};
use super::mailbox::{Command, Mailbox};
use super::meta::To;
use super::notices::Notices;
use super::outbound::{Bounds, OnOverflow};
use super::peer::Peer;
use super::realm::{Realm, Realms};
use super::registry::Registry;
use super::sync::{Mutex, lock};
use super::threads::Threads;
use super::turn::{Encoded, Fanout, Said, Turn};
use crate::config::{Application, Settings};
use crate::connection::Connection;
use crate::event::Told;

/// What all workers and all application code share.
pub(crate) struct Engine {
    pub settings: Settings,
    pub application: Application,
    /// Where lifecycle events are kept.
    pub journal: Option<Arc<dyn Journal>>,
    pub realms: Realms,
    /// What records call the codecs of WAMP v2.
    pub codecs: [Arc<str>; CODECS],
    pub bounds: Bounds,
    pub gate: Gate,
    /// The connections that are open.
    registry: Mutex<Registry>,
    mailboxes: OnceLock<Box<[Arc<Mailbox>]>>,
    /// Where application code runs.
    pub threads: Threads,
    /// What listeners have still to be told of no open connection.
    pub notices: Notices,
    pub origin: Origin,
    next_resource: AtomicU64,
    draining: AtomicBool,
    /// Notified whenever the last connection of a draining server is gone.
    pub empty: tokio::sync::Notify,
    start: Instant,
    paths: Mutex<HashMap<Box<str>, Weak<str>>>,
}

/// The names of a new connection.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    pub resource_id: ResourceId,
    pub connection_id: ConnectionId,
    pub session_id: SessionId,
}

/// Paths that connections share; past this many the memory of them is no longer kept.
const PATHS: usize = 1024;
/// A longer path is not shared.
const PATH_BYTES: usize = 256;

/// Random bytes that a thread asks the system for at once: enough for fourteen connections.
const RANDOM: usize = 256;

thread_local! {
    /// On a worker's thread, while it runs application code: what that code leaves to be flushed.
    static INLINE: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

impl Engine {
    pub(crate) fn new(
        settings: Settings,
        application: Application,
        journal: Option<Arc<dyn Journal>>,
        threads: Threads,
    ) -> Arc<Self> {
        let now = Timestamp::from(SystemTime::now());
        let run = settings.run.unwrap_or_else(|| RunId::new(now.unix_millis(), &random()));
        let bounds = Bounds::new(settings.limits.outbound.bytes(), settings.limits.buffered.bytes());
        Arc::new(Self {
            origin: Origin { node: settings.node.clone(), run },
            realms: Realms::new(&settings.wamp2.realm, &settings.wamp2.realms),
            codecs: Codec::ALL.map(|codec| codec.subprotocol().into()),
            settings,
            application,
            journal,
            bounds,
            gate: Gate::default(),
            registry: Mutex::default(),
            mailboxes: OnceLock::new(),
            threads,
            notices: Notices::default(),
            next_resource: AtomicU64::new(ResourceId::FIRST.value()),
            draining: AtomicBool::new(false),
            empty: tokio::sync::Notify::new(),
            start: Instant::now(),
            paths: Mutex::default(),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Milliseconds since the server was made.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Lets no further connection in. `false` if that was so before.
    pub(crate) fn drain(&self) -> bool {
        !self.draining.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn set_mailboxes(&self, mailboxes: Box<[Arc<Mailbox>]>) {
        // A second call would be a bug; the first one's workers go on being served.
        _ = self.mailboxes.set(mailboxes);
    }

    pub(crate) fn mailboxes(&self) -> &[Arc<Mailbox>] {
        self.mailboxes.get().map_or(&[], |mailboxes| mailboxes)
    }

    /// Names for a new connection; `None` while the journal has none to give.
    pub(crate) fn name(&self) -> Option<Names> {
        let resource_id = match &self.journal {
            Some(journal) => journal.next_resource_id()?,
            // 2^53 connections outlast every process.
            None => ResourceId::new(self.next_resource.fetch_add(1, Ordering::Relaxed))?,
        };
        Some(Names {
            resource_id,
            connection_id: self.connection_id(),
            session_id: SessionId::from_random(random()),
        })
    }

    /// A new name in the whole world.
    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId::new(Timestamp::from(SystemTime::now()).unix_millis(), &random())
    }

    /// Whether the journal keeps such records.
    pub(crate) fn keeps(&self, kind: EventKind) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.keeps(kind))
    }

    /// What a record tells of a request: where from, where to, and the headers chosen to be kept.
    pub(crate) fn request_facts(
        &self,
        remote: Option<SocketAddr>,
        path: &str,
        headers: &HeaderMap,
        protocol: Option<&Arc<str>>,
    ) -> RequestFacts {
        let kept = self.settings.headers_kept.iter().flat_map(|name| {
            let values = headers.get_all(name.as_str()).into_iter();
            values.filter_map(|value| Some((name.as_str(), value.to_str().ok()?)))
        });
        RequestFacts {
            remote_address: remote.map(Into::into),
            transport: Transport::WebSocket,
            protocol: protocol.cloned(),
            path: Some(self.intern(path)),
            headers: Headers::from_iter(kept),
        }
    }

    /// `path`, shared with other connections that asked for it.
    fn intern(&self, path: &str) -> Arc<str> {
        if path.len() > PATH_BYTES {
            return path.into();
        }
        let mut paths = lock(&self.paths);
        if let Some(known) = paths.get(path).and_then(Weak::upgrade) {
            return known;
        }
        let shared: Arc<str> = path.into();
        if paths.len() >= PATHS {
            paths.retain(|_, path| path.strong_count() > 0);
        }
        if paths.len() < PATHS {
            paths.insert(path.into(), Arc::downgrade(&shared));
        }
        shared
    }

    /// The last connection is gone: what connections shared is forgotten.
    pub(crate) fn on_empty(&self) {
        *lock(&self.paths) = HashMap::new();
        self.empty.notify_waiters();
    }

    pub(crate) fn register(&self, peer: &Arc<Peer>, turn: &mut Turn) {
        lock(&self.registry).add(peer);
        peer.realm.join(peer, turn);
    }

    pub(crate) fn deregister(&self, peer: &Peer) {
        if lock(&self.registry).remove(peer) {
            peer.realm.leave(peer);
        }
    }

    /// Forgets all connections: the server has ended.
    pub(crate) fn clear(&self) {
        *lock(&self.registry) = Registry::default();
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.registry).all().cloned().collect()
    }

    /// At most `count` connections whose numbers are greater than `after`, in rising order.
    pub(crate) fn peers_after(&self, after: u64, count: usize) -> Vec<Arc<Peer>> {
        lock(&self.registry).after(after).take(count).cloned().collect()
    }

    /// The connections of one user, in the order of their numbers.
    pub(crate) fn peers_of(&self, user: &str) -> Vec<Arc<Peer>> {
        lock(&self.registry).of(user).cloned().collect()
    }

    pub(crate) fn peer(&self, resource_id: u64) -> Option<Arc<Peer>> {
        lock(&self.registry).find(resource_id).cloned()
    }

    /// How many connections are registered.
    pub(crate) fn open(&self) -> usize {
        lock(&self.registry).count()
    }

    /// The connection of a session.
    pub(crate) fn connection_of(&self, session: SessionId) -> Option<u64> {
        lock(&self.registry).find_session(session)
    }

    /// The connections of those of these sessions that there are.
    pub(crate) fn connections_of(&self, sessions: impl Iterator<Item = u64>) -> Connections {
        let registry = lock(&self.registry);
        sessions.filter_map(SessionId::new).filter_map(|session| registry.find_session(session)).collect()
    }

    /// Makes the record of `body`, for listeners.
    pub(crate) fn told(&self, body: Body, connection: Option<Connection>) -> Arc<Told> {
        let time = Timestamp::from(SystemTime::now());
        Told::new(Record::new(time, self.origin.clone(), body), connection)
    }

    /// Subscribes `peer`, of which it knows nothing: clients of WAMP v2 have no subscriptions that
    /// they did not ask for.
    pub(crate) fn subscribe(
        &self,
        topic: &Uri<'_>,
        peer: &Arc<Peer>,
        turn: &mut Turn,
    ) -> Result<bool, NotSubscribed> {
        if peer.form != Form::Wamp1 {
            return Err(NotSubscribed::Unasked);
        }
        peer.realm.subscribe(To::Topic(topic.as_str()), peer, turn, |_, _| ())
    }

    /// Queues an event for a topic's subscribers.
    pub(crate) fn publish(
        &self,
        realm: &Realm,
        topic: &Uri<'_>,
        payload: Payload<'_>,
        audience: &Audience,
        turn: &mut Turn,
    ) -> usize {
        let mut said = Said::default();
        let listed = *audience != Audience::everyone();
        if let Some(keep) = realm.keeping.wants(topic.as_str(), listed) {
            realm.keeping.keep(*keep, topic, payload, &mut said, self.limits());
        }
        let mut event = Encoded::new(topic, payload, said, self.on_overflow());
        realm.hub.publish(topic.as_str(), audience, &mut Fanout { event: &mut event, turn })
    }

    /// As [`publish`](Self::publish), but where the subscribers are very many only for some of
    /// them: the worker goes on with the [`Publication`].
    pub(crate) fn begin_publication(
        &self,
        realm: &Realm,
        mut event: Encoded<'_>,
        audience: Audience,
        turn: &mut Turn,
    ) -> Option<Publication> {
        let topic = event.topic().clone();
        let walks = realm.hub.begin(topic.as_str(), &audience, &mut Fanout { event: &mut event, turn });
        (!walks.is_empty()).then(|| Publication { event: event.into_owned(), audience, walks })
    }

    /// Queues an event for one connection. One that speaks WAMP v2 gets it if it has subscribed to
    /// the topic: its events belong to subscriptions.
    pub(crate) fn send_event(
        &self,
        peer: &Arc<Peer>,
        topic: &Uri<'_>,
        payload: Payload<'_>,
        turn: &mut Turn,
    ) {
        use clank_core::subscription::Deliver;

        let mut event = Encoded::new(topic, payload, Said::default(), self.on_overflow());
        let mut fanout = Fanout { event: &mut event, turn };
        if peer.form != Form::Wamp1 {
            let Some(subscription) = peer.realm.hub.subscription_of(topic.as_str(), peer) else { return };
            fanout.begin(subscription, false);
        }
        fanout.deliver(peer.id(), peer);
    }

    pub(super) fn on_overflow(&self) -> OnOverflow {
        match self.limits().slow_consumer {
            SlowConsumer::Disconnect => OnOverflow::Disconnect,
            SlowConsumer::DropEvents => OnOverflow::Drop,
        }
    }

    pub(crate) fn ask_to_close(&self, peer: &Peer, code: u16, reason: &str) {
        self.send(peer.worker(), Command::Close { token: peer.token, code, reason: reason.into() });
    }

    /// Ends a session in its realm, with these words to its client.
    pub(crate) fn kill(&self, peer: &Peer, reason: &str, message: Option<&str>) {
        let (reason, message) = (reason.into(), message.map(Into::into));
        self.send(peer.worker(), Command::Kill { token: peer.token, reason, message });
    }

    pub(crate) fn report(&self, peer: &Peer, message: &str) {
        self.send(peer.worker(), Command::Report { token: peer.token, message: message.into() });
    }

    fn send(&self, worker: usize, command: Command) {
        if let Some(mailbox) = self.mailboxes().get(worker) {
            mailbox.send(command);
        }
    }

    /// Gives a turn that ends outside a worker's own work to those who flush it.
    pub(crate) fn hand_over(&self, mut turn: Turn) {
        let inline = INLINE.with_borrow_mut(|inline| match inline {
            Some(inline) => {
                inline.append(&mut turn);
                true
            }
            None => false,
        });
        if inline || turn.is_empty() {
            return;
        }
        for peer in turn.overflowed {
            self.send(peer.worker(), Command::Overflowed(peer.token));
        }
        for peer in turn.too_long {
            self.send(peer.worker(), Command::TooLong(peer.token));
        }
        let mut by_worker: Vec<Vec<Arc<Peer>>> = self.mailboxes().iter().map(|_| Vec::new()).collect();
        for peer in turn.dirty {
            if let Some(peers) = by_worker.get_mut(peer.worker()) {
                peers.push(peer);
            }
        }
        for (worker, peers) in by_worker.into_iter().enumerate() {
            if !peers.is_empty() {
                self.send(worker, Command::Flush(peers));
            }
        }
    }

    /// Serves a connection whose handshake somebody else has made.
    pub(crate) fn adopt(&self, adopted: Adopted) {
        let workers = self.mailboxes().len().max(1) as u64;
        let worker = adopted.entrant.number() % workers;
        self.send(worker as usize, Command::Adopt(Box::new(adopted)));
    }

    /// Runs application code on a worker's thread; what it sends is left in `turn`.
    pub(crate) fn inline<T>(turn: &mut Turn, run: impl FnOnce() -> T) -> T {
        let outer = Restore { outer: INLINE.replace(Some(Turn::default())), turn };
        let value = run();
        drop(outer);
        value
    }
}

/// Puts back what was there before application code ran inline, also if that panicked.
struct Restore<'a> {
    outer: Option<Turn>,
    turn: &'a mut Turn,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        if let Some(mut inline) = INLINE.replace(self.outer.take()) {
            self.turn.append(&mut inline);
        }
    }
}

/// An event that goes to very many, part by part.
pub(crate) struct Publication {
    event: Encoded<'static>,
    audience: Audience,
    walks: Vec<Walk<Peer>>,
}

impl Publication {
    /// Queues the event for the next of its receivers. `false`: there are no more.
    pub(crate) fn go_on(&mut self, turn: &mut Turn) -> bool {
        let Some(walk) = self.walks.last_mut() else { return false };
        if !walk.go_on(&self.audience, &mut Fanout { event: &mut self.event, turn }) {
            self.walks.pop();
        }
        !self.walks.is_empty()
    }
}

/// Random bytes from the system, which is asked for many at once.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= RANDOM) };
    thread_local! {
        /// Bytes, and how many of them are used.
        static POOL: RefCell<([u8; RANDOM], usize)> = const { RefCell::new(([0; RANDOM], RANDOM)) };
    }
    let mut random = [0; N];
    POOL.with_borrow_mut(|(bytes, used)| {
        if *used + N > RANDOM {
            if let Err(error) = getrandom::fill(bytes) {
                // Linux gives random bytes from the start on, or not at all: a server without is
                // unsafe.
                unreachable!("the system has no random bytes: {error}");
            }
            *used = 0;
        }
        for (to, from) in random.iter_mut().zip(bytes.iter_mut().skip(*used)) {
            // What was handed out is in one place alone.
            *to = std::mem::take(from);
        }
        *used += N;
    });
    random
}
