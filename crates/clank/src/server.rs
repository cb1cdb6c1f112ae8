//! A server's life, from its sockets to its last thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use clank_core::event::{Body, EventKind, Launched, Stopping};
use clank_core::journal::Journal;
use mio::Poll;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{Application, Settings};
use crate::error::StartError;
use crate::handle::Handle;
use crate::listening::Listening;
use crate::periodic::{Periodic, Schedule};
use crate::runtime::{Acceptor, Command, Engine, Listener, Mailbox, Threads, Token, Worker};

/// A running server. Dropping it ends it at once; [`shutdown`](Handle::shutdown) ends it in order.
#[derive(Debug)]
pub struct Server {
    handle: Handle,
    addresses: Vec<SocketAddr>,
    rawsocket: Vec<SocketAddr>,
}

/// What ends a server.
pub(crate) struct Control {
    /// How often a shutdown was asked for.
    asked: AtomicUsize,
    changed: Notify,
    finished: Notify,
    is_finished: std::sync::atomic::AtomicBool,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// What the rest of the program can do with the server.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The addresses it listens on, with the ports it got.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses on which it speaks RawSocket, with the ports it got.
    pub fn rawsocket_addrs(&self) -> &[SocketAddr] {
        &self.rawsocket
    }

    /// Waits until the server has been shut down.
    pub async fn wait(&self) {
        let control = &self.handle.control;
        loop {
            let finished = control.finished.notified();
            if control.is_finished.load(Ordering::Acquire) {
                return;
            }
            finished.await;
        }
    }

    /// Shuts the server down, and waits until that is done.
    pub async fn shutdown(&self) {
        self.handle.shutdown();
        self.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Handle { engine, control } = &self.handle;
        control.stop_workers(engine);
        // Three orders end everything at once; what they would end has ended.
        (0..3).for_each(|_| control.shutdown());
    }
}

impl Control {
    pub(crate) fn shutdown(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Waits until a shutdown was asked for so many times.
    async fn asked(&self, times: usize) {
        loop {
            let changed = self.changed.notified();
            if self.asked.load(Ordering::Acquire) >= times {
                return;
            }
            changed.await;
        }
    }

    fn stop_workers(&self, engine: &Engine) {
        for mailbox in engine.mailboxes() {
            mailbox.send(Command::Stop);
        }
        let workers = std::mem::take(&mut *lock(&self.workers));
        for worker in workers {
            // A worker that panicked has said so.
            _ = worker.join();
        }
        engine.clear();
        engine.threads.end();
    }
}

/// Starts a server.
pub(crate) fn start(
    settings: Settings,
    application: Application,
    periodic: Vec<(Schedule, Periodic)>,
    journal: Option<Arc<dyn Journal>>,
    runtime: Option<tokio::runtime::Handle>,
) -> Result<Server, StartError> {
    let periodic = periodic.into_iter().map(|(schedule, task)| Ok((schedule.parse()?, task)));
    let periodic = periodic.collect::<Result<Vec<_>, StartError>>()?;
    let Listening { listeners, addresses, rawsocket, rawsocket_urls } = Listening::begin(&settings)?;
    let engine = Engine::new(settings, application, journal, Threads::new(runtime)?);
    let control = Arc::new(Control {
        asked: AtomicUsize::new(0),
        changed: Notify::new(),
        finished: Notify::new(),
        is_finished: false.into(),
        workers: Mutex::default(),
    });
    let server = Server { handle: Handle { engine, control }, addresses, rawsocket };
    let handle = &server.handle;
    // Before the first client can be told of.
    launch(handle, &server.addresses, rawsocket_urls)?;
    *lock(&handle.control.workers) = start_workers(&handle.engine, listeners)?;
    for (times, task) in periodic {
        let clank = handle.clone();
        handle.engine.threads.spawn(async move {
            let ended = Arc::clone(&clank.control);
            tokio::select! {
                () = task.run(times, clank) => {}
                () = ended.asked(1) => {}
            }
        });
    }
    Ok(server)
}

/// Tells that the server is there, and sees to it that it can be ended: by a thread of its own,
/// which no application code can block.
///
/// What an earlier run of the node left open is closed by the record before that.
fn launch(handle: &Handle, addresses: &[SocketAddr], rawsocket: Vec<Box<str>>) -> Result<(), StartError> {
    let engine = &handle.engine;
    let address = addresses.first().map_or_else(String::new, |address| format!("ws://{address}"));
    let previous = match &engine.journal {
        Some(journal) => journal.begin(&engine.origin, SystemTime::now().into())?.previous,
        None => None,
    };
    let launched = engine.told(
        Body::Launched(Launched { address: address.into(), rawsocket: rawsocket.into(), previous }),
        None,
    );
    engine.record_now(launched.record.clone());
    engine.spawn_tell(launched);
    let (engine, control) = (Arc::clone(engine), Arc::clone(&handle.control));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new().name("clank-control".into()).spawn(move || {
        runtime.block_on(end_in_order(&engine, &control));
        control.stop_workers(&engine);
        if let Some(journal) = &engine.journal {
            journal.end(SystemTime::now().into());
        }
        control.is_finished.store(true, Ordering::Release);
        control.finished.notify_waiters();
    })?;
    Ok(())
}

/// Waits for the order to shut down, and carries it out. The order of its steps is the order of
/// the promises: who is told that the server stops may still talk to its clients; every client is
/// told before its socket ends; every listener hears of every client before the threads end.
async fn end_in_order(engine: &Arc<Engine>, control: &Control) {
    control.asked(1).await;
    let limits = *engine.limits();
    let deadline = Instant::now() + limits.shutdown.duration();
    engine.drain();
    tracing::info!(open = engine.open(), "stopping");
    let ending = async {
        let stopping = Stopping { open: engine.open() as u64 };
        let told = engine.told(Body::Stopping(stopping), None);
        _ = engine.record(told.record.clone()).await;
        let tell = Arc::clone(engine).tell(told);
        // Each listener has its limit, but on threads that are all blocked none is even called. A
        // task that panicked or was dropped has nothing more to tell.
        let hearing = engine.application.listeners.count(EventKind::Stopping) as u32;
        let patience = limits.listener.duration() * hearing;
        _ = tokio::time::timeout(patience, engine.threads.spawn(tell)).await;
        let window = limits.drain.duration().as_millis() as u64;
        engine.mailboxes().iter().for_each(|mailbox| mailbox.send(Command::Drain { window }));
        all_gone(engine).await;
    };
    tokio::select! {
        () = ending => {}
        () = tokio::time::sleep_until(deadline) => {
            tracing::warn!(left = engine.gate.connections(), "the shutdown took longer than it may");
        }
        () = hastened(engine, control) => {}
    }
}

/// A second order closes all clients now; a third waits for nobody.
async fn hastened(engine: &Engine, control: &Control) {
    control.asked(2).await;
    engine.mailboxes().iter().for_each(|mailbox| mailbox.send(Command::Drain { window: 0 }));
    tokio::select! {
        () = all_gone(engine) => {}
        () = control.asked(3) => {}
    }
}

async fn all_gone(engine: &Engine) {
    loop {
        let empty = engine.empty.notified();
        if engine.gate.connections() == 0 {
            return;
        }
        empty.await;
    }
}

fn start_workers(engine: &Arc<Engine>, listeners: Vec<Listener>) -> io::Result<Vec<JoinHandle<()>>> {
    let polls = (0..engine.settings.workers).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
    let mailboxes = polls.iter().map(|poll| Ok(Arc::new(Mailbox::new(poll.registry(), Token::MAILBOX)?)));
    let mailboxes = mailboxes.collect::<io::Result<Box<[_]>>>()?;
    engine.set_mailboxes(mailboxes.clone());
    let mut listeners = Some(listeners);
    let mut workers = Vec::new();
    for (number, (poll, mailbox)) in polls.into_iter().zip(&mailboxes).enumerate() {
        let acceptor = match listeners.take() {
            Some(listeners) => Some(Acceptor::new(listeners, poll.registry(), Token::LISTENER)?),
            None => None,
        };
        let (engine, mailbox) = (Arc::clone(engine), Arc::clone(mailbox));
        let run = move || {
            if let Err(error) = Worker::new(poll, engine, mailbox, number, acceptor).run() {
                tracing::error!(%error, number, "a worker ended");
            }
        };
        workers.push(thread::Builder::new().name(format!("clank-{number}")).spawn(run)?);
    }
    Ok(workers)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
