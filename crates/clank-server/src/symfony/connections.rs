//! What workers have to be told of the connections that there are.
//!
//! Cookies and the other headers are in here and in what goes to the worker, and nowhere else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clank::{ClientEvent, ConnectRequest, Connection, ConnectionId, Timestamp};
use clank_core::event::ConnectionFacts;
use clank_core::id::EventId;
use http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

/// Errors of a connection that wait to be told to the worker, to which it may have the exception.
const FAILED: usize = 32;

/// Events of which it is kept that they did not reach their listeners.
const UNTOLD: usize = 10_000;

/// All connections, by their names.
#[derive(Default)]
pub(super) struct Connections {
    tables: Mutex<Tables>,
    /// Told when a connection's `open` or `close` has come to its end.
    changed: Notify,
}

#[derive(Default)]
struct Tables {
    /// Events that did not reach their listeners, where a journal's sink asks for them.
    untold: HashMap<EventId, Untold>,
    is_durable: bool,
    /// Those that are being decided on.
    asked: HashMap<ConnectionId, Head>,
    open: HashMap<u64, Entry>,
}

/// Why an event did not reach its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Untold {
    /// The worker died of it.
    Died(String),
    /// Nobody was there any more.
    Missed,
    /// It is a dead letter.
    Buried,
}

/// What is known of a client from its handshake: members of a JSON object, without its braces.
#[derive(Clone, Debug)]
pub(super) struct Head(Arc<str>);

struct Entry {
    connection_id: ConnectionId,
    head: Head,
    identity: Option<Box<str>>,
    at: f64,
    /// The life of a worker that knows it; 0: none does.
    known: u64,
    /// Its `open` was begun in some life.
    begun: bool,
    /// Its `open` has come to its end.
    is_open_told: bool,
    /// A worker died of its `open`: it is not told again.
    deadly: bool,
    /// Requests that ended in an exception of which nobody has been told, with its message.
    failed: VecDeque<(u64, String)>,
}

#[derive(Serialize)]
struct Seen<'a> {
    id: u64,
    connection_id: ConnectionId,
    session: String,
    address: Option<String>,
    port: Option<u16>,
    protocol: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, std::borrow::Cow<'a, str>)>,
}

impl Head {
    pub(super) fn of_request(request: &ConnectRequest) -> Self {
        let remote = request.remote_addr().map(|remote| (remote.ip().to_canonical(), remote.port()));
        Self::new(&Seen {
            id: request.resource_id(),
            connection_id: request.connection_id(),
            session: request.session_id().to_string(),
            address: remote.map(|(address, _)| address.to_string()),
            port: remote.map(|(_, port)| port),
            protocol: request.protocol(),
            path: request.path(),
            query: request.query().unwrap_or_default(),
            headers: headers(request.headers()),
        })
    }

    /// What a record knows, for a connection whose handshake was never seen.
    pub(super) fn of_connection(connection: &Connection) -> Self {
        Self::of_facts(connection.facts(), connection.session_id().to_string())
    }

    /// The same of a connection that is gone.
    pub(super) fn of_facts(facts: &ConnectionFacts, session: String) -> Self {
        let remote = facts.request.remote_address;
        Self::new(&Seen {
            id: facts.resource_id.value(),
            connection_id: facts.connection_id,
            session,
            address: remote.map(|remote| remote.ip().to_string()),
            port: remote.and_then(|remote| remote.port()),
            protocol: facts.request.protocol.as_deref().unwrap_or_default(),
            path: facts.request.path.as_deref().unwrap_or("/"),
            query: "",
            headers: Vec::new(),
        })
    }

    fn new(seen: &Seen<'_>) -> Self {
        let json = serde_json::to_string(seen).unwrap_or_default();
        let members = json.strip_prefix('{').and_then(|json| json.strip_suffix('}'));
        Self(members.unwrap_or_default().into())
    }

    /// The whole object.
    pub(super) fn json(&self, identity: Option<&str>, at: f64, properties: Option<&RawValue>) -> String {
        let identity = serde_json::to_string(&identity).unwrap_or_else(|_| "null".to_owned());
        let properties = properties.map_or("{}", RawValue::get);
        format!(r#"{{{},"identity":{identity},"at":{at:.6},"properties":{properties}}}"#, self.0)
    }
}

/// Every header, in the order in which they came, as far as they are text.
fn headers(headers: &HeaderMap) -> Vec<(&str, std::borrow::Cow<'_, str>)> {
    headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect()
}

/// A time in seconds since 1970.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.unix_micros() as f64 / 1e6
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client asks to be connected.
    pub(super) fn ask(&self, id: ConnectionId, head: Head) {
        self.lock().asked.insert(id, head);
    }

    /// It was refused.
    pub(super) fn reject(&self, id: ConnectionId) {
        let mut tables = self.lock();
        tables.asked.remove(&id);
        tables.shrink();
        drop(tables);
        self.changed.notify_waiters();
    }

    /// It is connected. Returns what a worker is to be told of it.
    pub(super) fn open(&self, event: &ClientEvent) -> String {
        let connection = event.connection();
        let mut tables = self.lock();
        let head = tables.asked.remove(&connection.id());
        let head = head.unwrap_or_else(|| Head::of_connection(connection));
        let entry = Entry {
            connection_id: connection.id(),
            head,
            identity: connection.identity().map(|identity| identity.id.clone()),
            at: seconds(event.record().time),
            known: 0,
            begun: false,
            is_open_told: false,
            deadly: false,
            failed: VecDeque::new(),
        };
        let json = entry.json(None);
        tables.open.insert(connection.resource_id(), entry);
        json
    }

    /// Its `open` goes to a worker in its life `generation`, which knows it from then on.
    pub(super) fn begin(&self, id: u64, generation: u64) {
        if let Some(entry) = self.lock().open.get_mut(&id) {
            (entry.begun, entry.known) = (true, generation);
        }
    }

    /// Its `open` was not begun after all.
    pub(super) fn take_back(&self, id: u64) {
        if let Some(entry) = self.lock().open.get_mut(&id) {
            (entry.begun, entry.known) = (false, 0);
        }
    }

    /// A worker died of its `open`.
    pub(super) fn is_deadly(&self, id: u64) {
        if let Some(entry) = self.lock().open.get_mut(&id) {
            entry.deadly = true;
        }
    }

    pub(super) fn is_known(&self, id: u64, generation: u64) -> bool {
        self.lock().open.get(&id).is_some_and(|entry| entry.known == generation)
    }

    pub(super) fn has(&self, id: u64) -> bool {
        self.lock().open.contains_key(&id)
    }

    /// Those of whom `is_meant` is true, and whose `open` was begun.
    pub(super) fn begun(&self, is_meant: impl Fn(u64) -> bool) -> Vec<u64> {
        let tables = self.lock();
        let begun = tables.open.iter().filter(|(id, entry)| entry.begun && is_meant(**id));
        let mut begun: Vec<u64> = begun.map(|(id, _)| *id).collect();
        begun.sort_unstable();
        begun
    }

    /// Whether its `open` may be told again.
    pub(super) fn is_replayed(&self, id: u64) -> bool {
        self.lock().open.get(&id).is_some_and(|entry| !entry.deadly)
    }

    /// What a worker is told of it.
    pub(super) fn json(&self, id: u64, properties: Option<&RawValue>) -> Option<String> {
        self.lock().open.get(&id).map(|entry| entry.json(properties))
    }

    /// Its `open` has come to its end, or was not told.
    pub(super) fn told_open(&self, id: u64, untold: Option<Untold>) {
        let mut tables = self.lock();
        let Some(entry) = tables.open.get_mut(&id) else { return };
        entry.is_open_told = true;
        let event = EventId::Open(entry.connection_id);
        tables.note(event, untold);
        drop(tables);
        self.changed.notify_waiters();
    }

    /// Its `close` has come to its end, or was not told. It is gone.
    pub(super) fn told_close(&self, id: u64, untold: Option<Untold>) {
        let mut tables = self.lock();
        if let Some(entry) = tables.open.remove(&id) {
            tables.note(EventId::Close(entry.connection_id), untold);
        }
        tables.shrink();
        drop(tables);
        self.changed.notify_waiters();
    }

    /// From now on it is kept which events did not reach their listeners.
    pub(super) fn be_durable(&self) {
        self.lock().is_durable = true;
    }

    /// Waits until an event of a connection of this run has come to its end; says why it was not
    /// told, if it was not.
    pub(super) async fn settled(&self, event: EventId, connection: &ConnectionFacts) -> Option<Untold> {
        loop {
            let changed = self.changed.notified();
            {
                let mut tables = self.lock();
                if !tables.is_pending(event, connection) {
                    return tables.untold.remove(&event);
                }
            }
            changed.await;
        }
    }

    /// It has become a dead letter: if it is offered again, somebody wants it told.
    pub(super) fn bury(&self, event: EventId) {
        self.lock().note(event, Some(Untold::Buried));
    }

    /// A request of it ended in an exception, which becomes an error event.
    pub(super) fn fail(&self, id: u64, seq: u64, message: &str) {
        if let Some(entry) = self.lock().open.get_mut(&id) {
            if entry.failed.len() >= FAILED {
                entry.failed.pop_front();
            }
            entry.failed.push_back((seq, message.to_owned()));
        }
    }

    /// The request that ended in the exception that an error event tells of.
    pub(super) fn failure(&self, id: u64, message: &str) -> Option<u64> {
        let mut tables = self.lock();
        let failed = &mut tables.open.get_mut(&id)?.failed;
        let at = failed.iter().position(|(_, known)| known == message)?;
        let seq = failed.remove(at).map(|(seq, _)| seq);
        if failed.is_empty() {
            *failed = VecDeque::new();
        }
        seq
    }

    /// How many there are, open or asked of.
    pub(super) fn count(&self) -> usize {
        let tables = self.lock();
        tables.open.len() + tables.asked.len()
    }
}

impl Tables {
    fn note(&mut self, event: EventId, untold: Option<Untold>) {
        if let (Some(untold), true) = (untold, self.is_durable && self.untold.len() < UNTOLD) {
            self.untold.insert(event, untold);
        }
    }

    /// Whether an event is still to be told, or on its way.
    fn is_pending(&self, event: EventId, connection: &ConnectionFacts) -> bool {
        let entry = self.open.get(&connection.resource_id.value());
        self.asked.contains_key(&connection.connection_id)
            || match event {
                EventId::Open(_) => entry.is_some_and(|entry| !entry.is_open_told),
                _ => entry.is_some(),
            }
    }

    /// Gives back the room of those who have left.
    fn shrink(&mut self) {
        if self.asked.is_empty() && self.asked.capacity() > 64 {
            self.asked = HashMap::new();
        }
        if self.open.capacity() > 1024 && self.open.len() < self.open.capacity() / 8 {
            self.open.shrink_to(2 * self.open.len());
        }
        if self.open.is_empty() {
            self.open = HashMap::new();
        }
    }
}

impl Entry {
    fn json(&self, properties: Option<&RawValue>) -> String {
        self.head.json(self.identity.as_deref(), self.at, properties)
    }
}
