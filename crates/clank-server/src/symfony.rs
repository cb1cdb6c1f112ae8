//! A Symfony application that was written for the bundle, run in a PHP process of the server's own.
//!
//! The server has the sockets, the protocol and the topics; a worker of PHP has the application.
//! `php/PROTOCOL.md` is what they say to each other.
//!
//! ```text
//! listener, topics, calls -> bridge -> queue -> handover -> worker
//!                              ^                              |
//!                          commands <- reader <---------------'
//! ```
//!
//! - `application`: what the server calls; `bridge`: who asks what, and what becomes of it
//! - `queue`, `request`: what waits for a worker, and what it is at; pure
//! - `connections`: what workers have to be told of those who are connected
//! - `frame`, `said`: what goes over the socket
//! - `supervisor`, `present`: a place for a worker, and the worker in it; `life`, `process`: how one
//!   begins and ends; `handover`: what it is told first; `reader`, `commands`: what it says
//! - `sink`: the listeners of PHP as a durable sink of the journal
//! - `clock`: ticks; `watch`: files; `bundle`: where the PHP is

mod application;
mod bridge;
mod bundle;
mod clock;
mod commands;
mod connections;
mod frame;
mod handover;
mod life;
mod present;
mod process;
mod queue;
mod reader;
mod request;
mod said;
mod sink;
mod supervisor;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use clank::{Builder, Handle, ListenerOptions, RunId};
use clank_journal::delivery::SinkConfig;
use tokio::sync::{oneshot, watch as channel};

use self::application::Application;
use self::bridge::Bridge;
use self::bundle::Directory;
use self::life::Life;
use self::process::Launcher;
use self::supervisor::{Nursery, Orders, Supervisor};
use crate::config::SymfonySettings;
use crate::output::Output;

/// The name of its listeners among the sinks of the journal.
pub(crate) const SINK: &str = "symfony";

/// The application, which runs.
pub(crate) struct Symfony {
    bridge: Arc<Bridge>,
    orders: channel::Sender<Orders>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Symfony {
    /// Starts the application that the settings name, if they name one.
    ///
    /// # Errors
    /// Why it does not start: what PHP says, with file and line.
    pub(crate) async fn start(
        settings: &SymfonySettings,
        stdout: &Arc<Output>,
    ) -> clank::Result<Option<Self>> {
        let Some(app) = settings.app.path() else { return Ok(None) };
        let app = app
            .canonicalize()
            .map_err(|error| clank::Error::new(format!("symfony.app: {}: {error}", app.display())))?;
        let directory = Directory::make(settings.bundle.path())?;
        let bridge = Arc::new(Bridge::new(settings.clone()));
        let (orders, ordered) = channel::channel(Orders::default());
        let (started, has_started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let stdout = Arc::clone(stdout);
        let shared = Arc::clone(&bridge);
        // Processes are tied to the thread that starts them. This one lives as long as they.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            let run = run(shared, (app, directory), stdout, ordered, started);
            runtime.block_on(run);
            // Who waits may have given up.
            _ = end.send(());
        };
        let thread = std::thread::Builder::new().name("clank-symfony".into()).spawn(run)?;
        let started = has_started.await.unwrap_or_else(|_| Err("its thread has ended".to_owned()));
        started.map_err(|why| clank::Error::new(format!("the application does not start: {why}")))?;
        Ok(Some(Self { bridge, orders, thread, ended }))
    }

    /// Where the application would have the server listen.
    pub(crate) fn listen(&self) -> (Option<String>, Option<u16>) {
        let listen = self.bridge.slots.first().and_then(|slot| slot.is(|hello| hello.listen.clone()));
        listen.map_or((None, None), |listen| (listen.host, listen.port))
    }

    /// Lets the server call it.
    pub(crate) fn add_to(&self, builder: Builder) -> Builder {
        let application = Application(Arc::clone(&self.bridge));
        builder
            .listener_with(ListenerOptions::new().inline(), application.clone())
            .other_topics(application.clone())
            .other_calls(application)
    }

    /// Its listeners as a sink of the journal, whose present run is `run`: what they have not heard
    /// of when the server ends, they hear of after the next start.
    pub(crate) fn sink(&self, run: RunId) -> clank::Result<SinkConfig> {
        self.bridge.connections.be_durable();
        sink::config(&self.bridge, run)
    }

    /// Lets it reach the server.
    pub(crate) fn serve(&self, handle: Handle) {
        self.bridge.set_handle(handle);
    }

    /// What has it begun anew: sockets stay open.
    pub(crate) fn reloader(&self) -> impl Fn() + Send + 'static {
        let orders = self.orders.clone();
        move || orders.send_modify(|orders| orders.reloads += 1)
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.orders.send_modify(|orders| orders.is_to_stop = true);
        // It ends when its thread does.
        _ = self.ended.await;
        _ = self.thread.join();
        let left = self.bridge.connections.count();
        if left > 0 {
            tracing::debug!(left, "connections of whose end the application was not told");
        }
    }
}

/// Starts the workers, and looks after them.
async fn run(
    bridge: Arc<Bridge>,
    (app, directory): (PathBuf, Directory),
    stdout: Arc<Output>,
    orders: channel::Receiver<Orders>,
    started: oneshot::Sender<Result<(), String>>,
) {
    let launcher = Launcher::new(&bridge.settings, &app, directory.worker(), stdout).await;
    let nursery = Arc::new(Nursery { bridge: Arc::clone(&bridge), launcher, directory });
    let mut lives = Vec::new();
    for slot in &bridge.slots {
        match Supervisor::begin(Arc::clone(&nursery), slot.number, orders.clone()).await {
            Ok((supervisor, life)) => {
                slot.set_hello(&life.hello);
                lives.push((supervisor, life));
            }
            Err(why) => {
                drop(lives);
                drop(nursery);
                // Who waits may have given up.
                _ = started.send(Err(why));
                return;
            }
        }
    }
    _ = started.send(Ok(()));
    let run = |(supervisor, life): (Supervisor, Life)| tokio::spawn(supervisor.run(life));
    let running: Vec<_> = lives.into_iter().map(run).collect();
    for supervisor in running {
        if let Err(error) = supervisor.await {
            tracing::error!(%error, "who looked after a worker has failed");
        }
    }
}
