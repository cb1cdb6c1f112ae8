//! How a server is put together.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use clank_core::event::EventKind;
use clank_core::id::{NodeId, RunId};
use clank_core::journal::Journal;
use clank_core::limits::Limits;
use clank_core::wamp1;
use clank_wire::ws::deflate;
use serde_json::Value;

use crate::admission::{Admission, ConnectRequest};
use crate::config::{
    Application, OnListenerTimeout, Origins, Page, Paths, RawSocketAt, Settings, TopicEntry, Wamp2,
};
use crate::error::{Result, StartError};
use crate::event::LifecycleEvent;
use crate::handle::Handle;
use crate::listener::{self, ClientEventListener, ListenerOptions};
use crate::periodic::{Periodic, Schedule};
use crate::raw::MessageHandler;
use crate::rpc::{self, Call, CallHandler, RpcError, Service};
use crate::server::{self, Server};
use crate::topic::{self, ErasedTopicHandler, TopicHandler};
use crate::wamp2::Realm;

/// Where everything begins: [`Clank::builder`].
#[derive(Debug)]
pub enum Clank {}

impl Clank {
    /// A server with the default limits that listens nowhere yet.
    ///
    /// ```no_run
    /// use clank::{Call, Clank, ClientEvent, ClientEventListener, Forward, Result, RpcError};
    /// use std::time::Duration;
    ///
    /// struct Greeter;
    ///
    /// impl ClientEventListener for Greeter {
    ///     async fn on_client_connect(&self, event: &ClientEvent) -> Result {
    ///         println!("{} connected", event.connection().resource_id());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result {
    ///     Clank::builder()
    ///         .listener(Greeter)
    ///         .topic("acme", |_, _, _| async { Ok(Forward::Unchanged) })
    ///         .rpc_fn("sample", |method: String, call: Call| async move {
    ///             let terms: Vec<i64> = call.params()?;
    ///             match method.as_str() {
    ///                 "add" => Ok(terms.iter().sum::<i64>().into()),
    ///                 _ => Err(RpcError::new("no such method").code(404)),
    ///             }
    ///         })
    ///         .periodic(Duration::from_secs(5), |clank| async move {
    ///             clank.topic("acme/ticks")?.broadcast("tick")
    ///         })
    ///         .bind("127.0.0.1:8080")
    ///         .serve()
    ///         .await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// Puts a server together.
#[must_use = "nothing is served before `serve` or `start`"]
pub struct Builder {
    settings: Settings,
    application: Application,
    periodic: Vec<(Schedule, Periodic)>,
    journal: Option<Arc<dyn Journal>>,
    runtime: Option<tokio::runtime::Handle>,
}

impl Builder {
    fn new() -> Self {
        let settings = Settings {
            node: machine_name(),
            run: None,
            before_accept: true,
            limits: Limits::DEFAULT,
            wamp1: Arc::default(),
            wamp2: Wamp2::default(),
            wamp1_name: crate::runtime::WAMP1.into(),
            deflate: None,
            origins: Origins::SameHost,
            paths: Paths::Only("/".into()),
            headers_kept: ["origin", "user-agent"].map(str::to_owned).into(),
            on_listener_timeout: OnListenerTimeout::Close,
            workers: available_parallelism().map_or(1, usize::from).min(1024),
            addresses: Vec::new(),
            rawsocket: Vec::new(),
        };
        let application = Application::default();
        Self { settings, application, periodic: Vec::new(), journal: None, runtime: None }
    }

    /// Listens on an address, such as `127.0.0.1:8080`, `localhost:8080` or `[::]:8080`; port 0
    /// takes a free one. May be called several times.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.settings.addresses.push(address.into());
        self
    }

    /// Speaks RawSocket, which carries WAMP v2 without HTTP and WebSocket, on an address of its own,
    /// such as `127.0.0.1:8081`; port 0 takes a free one. May be called several times.
    ///
    /// Its clients come through the same door as all others, and meet them on the same topics. They
    /// have no headers, so that no cookie says who they are.
    ///
    /// ```
    /// use clank::Clank;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
    /// let server = Clank::builder().bind("127.0.0.1:0").bind_rawsocket("127.0.0.1:0").start()?;
    /// assert_ne!(server.rawsocket_addrs()[0].port(), 0);
    /// # Ok(()) }
    /// ```
    pub fn bind_rawsocket(mut self, address: impl Into<String>) -> Self {
        self.settings.rawsocket.push(RawSocketAt::Address(address.into()));
        self
    }

    /// The same on a Unix socket, which the server's own user and group may connect to. A file that a
    /// killed server has left there is replaced, and that of a server that lives is not; at the end it
    /// is removed. No limit per address holds there: its clients have none.
    pub fn bind_rawsocket_unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.rawsocket.push(RawSocketAt::Unix(path.into()));
        self
    }

    /// Adds a listener of priority 0 that runs on the application's threads.
    pub fn listener(self, listener: impl ClientEventListener) -> Self {
        self.listener_with(ListenerOptions::new(), listener)
    }

    /// Adds a listener.
    pub fn listener_with(mut self, options: ListenerOptions, listener: impl ClientEventListener) -> Self {
        self.application.listeners.add(Arc::new(listener::Erased(listener)), options);
        self
    }

    /// Adds a closure that hears of one kind of event.
    ///
    /// ```
    /// use clank::{Clank, EventKind};
    ///
    /// let builder = Clank::builder().on(EventKind::Disconnected, |event| async move {
    ///     println!("{}", event.record().id());
    ///     Ok(())
    /// });
    /// ```
    pub fn on<F, Fut>(self, kind: EventKind, closure: F) -> Self
    where
        F: Fn(LifecycleEvent) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.on_with(ListenerOptions::new(), kind, closure)
    }

    /// As [`on`](Self::on), with options.
    pub fn on_with<F, Fut>(mut self, options: ListenerOptions, kind: EventKind, closure: F) -> Self
    where
        F: Fn(LifecycleEvent) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.application.listeners.add(Arc::new(listener::Closure { kind, call: closure }), options);
        self
    }

    /// Adds a closure that decides who may connect.
    ///
    /// ```
    /// use clank::{Admission, Clank};
    /// use http::StatusCode;
    ///
    /// let builder = Clank::builder().on_connecting(|request| async move {
    ///     match request.cookie("user") {
    ///         Some(user) => Ok(Admission::accept().identity(user)),
    ///         None => Ok(Admission::reject(StatusCode::UNAUTHORIZED, "log in first")),
    ///     }
    /// });
    /// ```
    pub fn on_connecting<F, Fut>(mut self, closure: F) -> Self
    where
        F: Fn(ConnectRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Admission>> + Send + 'static,
    {
        self.application.listeners.add(Arc::new(listener::Decider(closure)), ListenerOptions::new());
        self
    }

    /// Adds the handler for topics whose URI begins with the path segment `name`: `acme` and
    /// `acme/anything`. A second one for the same name takes the place of the first.
    pub fn topic(mut self, name: impl Into<String>, handler: impl TopicHandler) -> Self {
        let handler = topic::Erased(handler);
        let hooks = handler.hooks();
        let entry = TopicEntry { handler: Arc::new(handler), hooks, inline: false };
        self.application.topics.insert(name.into(), entry);
        self
    }

    /// Adds the handler for all topics that have none by [`topic`](Self::topic). A second one takes
    /// the place of the first.
    ///
    /// Its methods are first polled on the thread that serves the client's socket, as what is
    /// registered as [inline](ListenerOptions::inline): they must not block.
    pub fn other_topics(mut self, handler: impl TopicHandler) -> Self {
        let handler = topic::Erased(handler);
        let hooks = handler.hooks();
        self.application.other_topics = Some(TopicEntry { handler: Arc::new(handler), hooks, inline: true });
        self
    }

    /// Adds what takes the calls that are no service's by [`rpc`](Self::rpc). A second one takes the
    /// place of the first.
    pub fn other_calls(mut self, handler: impl CallHandler) -> Self {
        self.application.other_calls = Some(Arc::new(rpc::ErasedCalls::new(handler)));
        self
    }

    /// Adds a service: its procedures are called as `name/procedure`. A second one for the same
    /// name takes the place of the first.
    pub fn rpc(mut self, name: impl Into<String>, service: impl Service) -> Self {
        self.application.services.insert(name.into(), rpc::AnyService::new(service));
        self
    }

    /// Adds a closure as a service: it gets the procedure's name and the call.
    pub fn rpc_fn<F, Fut>(mut self, name: impl Into<String>, closure: F) -> Self
    where
        F: Fn(String, Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, RpcError>> + Send + 'static,
    {
        self.application.services.insert(name.into(), rpc::AnyService::closure(closure));
        self
    }

    /// Runs `task` every `interval`, first after one interval. A tick whose predecessor still runs
    /// is skipped.
    pub fn periodic<F, Fut>(mut self, interval: Duration, task: F) -> Self
    where
        F: Fn(Handle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.periodic.push((Schedule::Every(interval), Periodic::new(task)));
        self
    }

    /// Runs `task` at the times of a cron expression, such as `*/5 * * * *`, in UTC. A tick whose
    /// predecessor still runs is skipped.
    pub fn cron<F, Fut>(mut self, expression: impl Into<String>, task: F) -> Self
    where
        F: Fn(Handle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.periodic.push((Schedule::Cron(expression.into()), Periodic::new(task)));
        self
    }

    /// Takes the messages of clients that offer no subprotocol. Without it they are refused.
    pub fn raw(mut self, handler: impl MessageHandler) -> Self {
        self.application.raw = Some(Arc::new(handler));
        self
    }

    /// Serves `body` to who asks for `path` over HTTP.
    pub fn page(
        mut self,
        path: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        self.application.pages.insert(path.into(), Page { content_type, body: body.into() });
        self
    }

    /// What clients may use of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Where implementations of WAMP v1 differ. Limits that [`limits`](Self::limits) has too are
    /// taken from there.
    pub fn wamp1(mut self, options: wamp1::Options) -> Self {
        self.settings.wamp1 = options.into();
        self
    }

    /// The realm in which clients of WAMP v1 are, and in which the program publishes; without it
    /// `realm1`, which the examples of most clients of WAMP v2 join, and which takes everybody.
    pub fn home_realm(mut self, realm: impl Into<Realm>) -> Self {
        self.settings.wamp2.realm = realm.into();
        self
    }

    /// Adds a realm that clients of WAMP v2 can join: a space of topics and procedures of its own.
    /// Handlers and procedures of the program serve all realms. Of two realms of one name the later
    /// one holds, and the [home realm](Self::home_realm) before both.
    pub fn realm(mut self, realm: impl Into<Realm>) -> Self {
        self.settings.wamp2.realms.push(realm.into());
        self
    }

    /// Compresses messages for clients that offer permessage-deflate. Off by default: it costs
    /// memory and time, and a secret in a message beside what an attacker chose can be guessed by
    /// the length of both.
    pub fn deflate(mut self, enabled: bool) -> Self {
        self.settings.deflate = enabled.then(deflate::Options::default);
        self
    }

    /// Which pages may connect.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.settings.origins = origins;
        self
    }

    /// Where WebSockets are served; `/` by default.
    pub fn paths(mut self, paths: Paths) -> Self {
        self.settings.paths = paths;
        self
    }

    /// Which headers of a handshake the records of its connection keep, in lower case; `origin`
    /// and `user-agent` by default. Headers that carry secrets are never kept.
    pub fn keep_headers<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.headers_kept = names.into_iter().map(|name| name.into().to_ascii_lowercase()).collect();
        self
    }

    /// The node's name in records; the machine's name by default.
    pub fn node(mut self, node: NodeId) -> Self {
        self.settings.node = node;
        self
    }

    /// The id of this run in records, where others have to know it before the server starts; a new
    /// one by default.
    pub fn run(mut self, run: RunId) -> Self {
        self.settings.run = Some(run);
        self
    }

    /// What happens to a client whose connect listener took longer than it may.
    pub fn on_listener_timeout(mut self, what: OnListenerTimeout) -> Self {
        self.settings.on_listener_timeout = what;
        self
    }

    /// Keeps lifecycle events in a journal: `connected` is durable before the client is welcomed,
    /// `disconnected` before a listener hears of it, and what a run leaves open is closed by the
    /// record when the next one begins. Without it nothing is written to a disk.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Whether a client waits for its welcome until its connection is recorded, as it does by default.
    /// If not, only the welcome goes ahead: listeners, and what the client asks for, still wait; and a
    /// client whose connection can't be recorded is closed with 1013 in place of an answer 503.
    pub fn journal_before_accept(mut self, before: bool) -> Self {
        self.settings.before_accept = before;
        self
    }

    /// Threads that serve sockets, from 1 to 1,024; as many as processors by default.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.clamp(1, 1024);
        self
    }

    /// Runs application code on this runtime, which must have time enabled, in place of one that
    /// the server makes for itself.
    pub fn runtime(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Starts the server, and waits until it has been shut down.
    ///
    /// # Errors
    /// When it can't listen, or can't start its threads.
    pub async fn serve(self) -> Result<(), StartError> {
        self.start()?.wait().await;
        Ok(())
    }

    /// Starts the server. It needs no address: its handle can adopt connections, and make some
    /// within the program.
    ///
    /// # Errors
    /// When it can't listen, or can't start its threads.
    pub fn start(mut self) -> Result<Server, StartError> {
        let limits = &self.settings.limits;
        let options = wamp1::Options {
            max_uri_bytes: limits.uri.bytes(),
            max_call_id_bytes: limits.call_id.bytes(),
            max_prefixes: limits.prefixes.count(),
            max_prefix_bytes: limits.prefix_bytes.bytes(),
            max_listed_sessions: limits.listed_sessions.count(),
            ..self.settings.wamp1.as_ref().clone()
        };
        self.settings.wamp1 = options.into();
        self.settings.wamp2.options.max_uri_bytes = limits.uri.bytes();
        self.settings.wamp2.options.max_listed_sessions = limits.listed_sessions.count();
        server::start(self.settings, self.application, self.periodic, self.journal, self.runtime)
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The machine's name, as far as it can be a node's.
fn machine_name() -> NodeId {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.chars().filter(fits).take(NodeId::MAX_BYTES).collect();
    let fallback = || "clank".parse().unwrap_or_else(|_| unreachable!("a valid name"));
    name.parse().unwrap_or_else(|_| fallback())
}
