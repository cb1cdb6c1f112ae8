//! Between the server and the workers: who asks what, and what becomes of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use bytes::Bytes;
use clank::{Handle, RpcError};
use clank_core::event::Launched;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot, watch};

use super::connections::{Connections, Untold};
use super::frame::{Frame, TooLong};
use super::queue::{Left, Queue, Reply};
use super::request::{Ended, Kind, Request};
use super::said::{Done, Hello};
use crate::config::SymfonySettings;

const TOO_MANY: &str = "too many requests wait for the application";
const TOO_LONG: &str = "it is longer than the application can be told";
const STOPPED: &str = "the application has ended";

/// What the server's threads and the workers' supervisors share.
pub(super) struct Bridge {
    pub settings: SymfonySettings,
    pub slots: Box<[Slot]>,
    pub connections: Connections,
    next_seq: AtomicU64,
    handle: OnceLock<Handle>,
    launched: OnceLock<Launched>,
    /// Whether both are there.
    is_serving: watch::Sender<bool>,
}

/// A place for a worker: one lives in it at a time.
pub(super) struct Slot {
    pub number: usize,
    queue: Mutex<Queue>,
    /// Told when there is something to give to the worker.
    pub wake: Notify,
    /// Told when the worker has nothing to do.
    pub idle: Notify,
    hello: RwLock<Arc<Hello>>,
}

impl Bridge {
    pub(super) fn new(settings: SymfonySettings) -> Self {
        let slots = (0..settings.workers.count()).map(|number| Slot {
            number,
            queue: Mutex::new(Queue::new()),
            wake: Notify::new(),
            idle: Notify::new(),
            hello: RwLock::default(),
        });
        Self {
            slots: slots.collect(),
            settings,
            connections: Connections::default(),
            next_seq: AtomicU64::new(1),
            handle: OnceLock::new(),
            launched: OnceLock::new(),
            is_serving: watch::Sender::new(false),
        }
    }

    /// The place whose worker has a connection.
    pub(super) fn slot(&self, connection: u64) -> &Slot {
        let count = self.slots.len().max(1) as u64;
        match self.slots.get((connection % count) as usize) {
            Some(slot) => slot,
            None => unreachable!("there is at least one worker"),
        }
    }

    pub(super) fn is_at(&self, slot: &Slot, connection: u64) -> bool {
        self.slot(connection).number == slot.number
    }

    pub(super) fn handle(&self) -> Option<&Handle> {
        self.handle.get()
    }

    pub(super) fn set_handle(&self, handle: Handle) {
        // There is one server.
        _ = self.handle.set(handle);
        self.is_serving.send_replace(self.launched.get().is_some());
    }

    pub(super) fn set_launched(&self, launched: Launched) {
        _ = self.launched.set(launched);
        self.is_serving.send_replace(self.handle.get().is_some());
    }

    /// Waits until the server has been launched.
    pub(super) async fn launched(&self) -> Option<&Launched> {
        // Its sender lives as long as this.
        _ = self.is_serving.subscribe().wait_for(|is_serving| *is_serving).await;
        self.launched.get()
    }

    /// Makes a request; `say` adds to its frame.
    pub(super) fn request(
        &self,
        kind: Kind,
        (connection, subject): (Option<u64>, &str),
        say: impl FnOnce(Frame) -> Frame,
    ) -> Result<Request, TooLong> {
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let op = match kind {
            Kind::Begin => "begin",
            Kind::Connecting => "connecting",
            Kind::Open | Kind::OpenAgain => "open",
            Kind::Subscribe => "subscribe",
            Kind::Unsubscribe => "unsubscribe",
            Kind::Publish => "publish",
            Kind::Call => "call",
            Kind::Error => "error",
            Kind::Close => "close",
            Kind::Gone => "gone",
            Kind::Tick => "tick",
            Kind::Stop => "stop",
        };
        let frame = say(Frame::new(op).value("seq", &seq)).finish()?;
        Ok(Request { seq, kind, connection, subject: subject.into(), frame, detached: None, reply: None })
    }

    /// Asks a worker. The request waits in its place as soon as this returns.
    pub(super) fn ask(&self, slot: &Slot, request: Result<Request, TooLong>) -> Asked {
        let (reply, ended) = oneshot::channel();
        match request {
            Ok(request) => self.post(slot, Request { reply: Some(reply), ..request }),
            // Nobody else can have ended it.
            Err(TooLong) => _ = reply.send(Ended::Refused(TOO_LONG)),
        }
        Asked(ended)
    }

    /// Has a worker do something. If nobody waits for the end of it, what goes wrong is reported for
    /// its connection.
    pub(super) fn post(&self, slot: &Slot, request: Request) {
        let (pushed, given_up) = {
            let mut queue = slot.queue();
            (queue.push(request, self.settings.queue.count()), queue.thin_out(&self.connections))
        };
        given_up.into_iter().for_each(|request| self.complete(request, Ended::Refused(TOO_MANY)));
        match pushed {
            Ok(()) => slot.wake.notify_one(),
            Err(refused) => self.complete(*refused, Ended::Refused(TOO_MANY)),
        }
    }

    /// What the worker of `slot` is to be sent now.
    pub(super) fn give(&self, slot: &Slot) -> Vec<u8> {
        let given = slot.queue().give(&self.connections, Instant::now(), &|id| self.again(id));
        // They are of connections that the worker does not know: nobody needs them to be done.
        given
            .passed_over
            .into_iter()
            .for_each(|request| self.complete(request, Ended::Done(Done::default())));
        given.bytes
    }

    /// Has a worker called; the call's number, and its answer.
    pub(super) fn call(
        &self,
        slot: &Slot,
        request: Result<Request, TooLong>,
    ) -> Result<(u64, oneshot::Receiver<Reply>), RpcError> {
        let request = request.map_err(|TooLong| RpcError::new(TOO_LONG).code(413))?;
        let seq = request.seq;
        let pushed = slot.queue().push_call(request, self.settings.queue.count());
        let answer = pushed.map_err(|_| RpcError::new(TOO_MANY).code(503))?;
        slot.wake.notify_one();
        Ok((seq, answer))
    }

    /// The worker of `slot` says that a request is over.
    pub(super) fn done(&self, slot: &Slot, done: Done) -> Result<(), super::queue::NotRunning> {
        let request = slot.queue().end(done.seq, Instant::now())?;
        slot.wake.notify_one();
        if slot.queue().is_idle() {
            slot.idle.notify_one();
        }
        for error in &done.errors {
            tracing::warn!(request = %request, "the application threw {error}");
        }
        self.complete(request, Ended::Done(done));
        Ok(())
    }

    /// Tells all who want to know how a request has ended.
    fn complete(&self, request: Request, ended: Ended) {
        let Request { seq, kind, connection, reply, .. } = request;
        let errors = ended.errors();
        let is_said = matches!(ended, Ended::Done(_));
        let untold = match &ended {
            Ended::Done(_) => None,
            Ended::Died(why) => Some(Untold::Died(why.clone())),
            Ended::Refused(_) => Some(Untold::Missed),
        };
        if let (Some(id), true, false) = (connection, is_said, kind == Kind::Error) {
            errors.iter().for_each(|error| self.connections.fail(id, seq, error));
        }
        let is_heard = reply.is_some_and(|reply| reply.send(ended).is_ok());
        if let (Some(id), false) = (connection, kind == Kind::Error) {
            // Whoever waits tells of the first.
            let told = usize::from(is_heard);
            errors.iter().skip(told).for_each(|error| self.report(id, error));
        }
        match (kind, connection) {
            (Kind::Open, Some(id)) => self.connections.told_open(id, untold),
            (Kind::Close, Some(id)) => self.connections.told_close(id, untold),
            _ => {}
        }
    }

    /// Has an error event told of a connection that is open.
    fn report(&self, connection: u64, message: &str) {
        let connection = self.handle().and_then(|handle| handle.connection(connection));
        if let Some(connection) = connection {
            connection.report(message);
        }
    }

    /// The worker of `slot` is no more, for this reason.
    pub(super) fn bury(&self, slot: &Slot, why: &str) {
        let Left { running, calls, running_call } = slot.queue().bury(&self.connections);
        let failed = || RpcError::new(why).code(500);
        for call in calls.into_iter().chain(running_call) {
            // Who waits no more needs no answer.
            _ = call.send(Err(failed()));
        }
        if let Some(running) = running {
            if let (Kind::Open | Kind::OpenAgain, Some(id)) = (running.kind, running.connection) {
                self.connections.is_deadly(id);
            }
            self.complete(running, Ended::Died(why.to_owned()));
        }
    }

    /// No worker comes any more: nobody waits in vain.
    pub(super) fn close(&self, slot: &Slot) {
        let all = slot.queue().close();
        all.into_iter().for_each(|request| self.complete(request, Ended::Refused(STOPPED)));
    }

    /// What a worker is told of a connection that was open before it began.
    pub(super) fn restored(&self, id: u64, properties: &HashMap<u64, Box<RawValue>>) -> Option<Bytes> {
        let topics = self.handle()?.connection(id)?.topics();
        let properties: Option<&RawValue> = properties.get(&id).map(AsRef::as_ref);
        let json = self.connections.json(id, properties)?;
        let topics: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
        Frame::new("restore").raw("connection", &json).value("topics", &topics).finish().ok()
    }

    /// The request by which its `open` is told again.
    pub(super) fn again(&self, id: u64) -> Option<Request> {
        let json = self.connections.json(id, None)?;
        let say = |frame: Frame| frame.raw("connection", &json).value("rehydrated", &true);
        self.request(Kind::OpenAgain, (Some(id), ""), say).ok()
    }
}

impl Slot {
    /// Nothing that holds the lock can panic, so that what it guards is whole in any case.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_hello(&self, hello: &Arc<Hello>) {
        *self.hello.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(hello);
    }

    /// Looks at what the present worker is, or the last one was.
    pub(super) fn is<T>(&self, look: impl FnOnce(&Hello) -> T) -> T {
        look(&self.hello.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The end of a request, when it comes.
pub(super) struct Asked(oneshot::Receiver<Ended>);

impl Asked {
    pub(super) async fn ended(self) -> Ended {
        self.0.await.unwrap_or(Ended::Refused(STOPPED))
    }
}
