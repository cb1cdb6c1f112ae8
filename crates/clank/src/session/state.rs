//! What a session waits for, and what becomes of what the server says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::{
    self, Abort, Cancel, CancelMode, ClientMessage, Codec, Id, Interrupt, RouterMessage, Welcome,
};
use clank_wire::ws::OpCode;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::callee::{Invocation, Procedure};
use super::publish::Event;
use super::{Fault, SessionError};
use crate::client::EVENTS;
use crate::client::link::{Receive, Writer};
use crate::runtime::Engine;

/// What the client's end of a session holds.
pub(super) struct State {
    codec: Codec,
    engine: Arc<Engine>,
    /// There once the connection is.
    writer: OnceLock<Writer>,
    requests: AtomicU64,
    tables: Mutex<Tables>,
    itself: Weak<State>,
}

#[derive(Default)]
struct Tables {
    joining: Option<oneshot::Sender<Result<Joined, SessionError>>>,
    pending: HashMap<Id, Pending>,
    calls: HashMap<Id, Caller>,
    subscriptions: HashMap<Id, broadcast::Sender<Event>>,
    procedures: HashMap<Id, Arc<Procedure>>,
    /// Invocations that are being answered.
    running: HashMap<Id, AbortHandle>,
}

/// What WELCOME said.
#[derive(Debug)]
pub(super) struct Joined {
    pub session: Id,
    pub realm: String,
    pub authid: String,
    pub authrole: String,
}

/// A request whose answer is a number, or that there is an error.
pub(super) enum Pending {
    Id(oneshot::Sender<Result<Id, Fault>>),
    Subscribe(oneshot::Sender<Result<Subscribed, Fault>>),
    Register(Arc<Procedure>, oneshot::Sender<Result<Id, Fault>>),
}

/// A subscription, and its events.
pub(super) type Subscribed = (Id, broadcast::Receiver<Event>);

/// Who waits for a result.
pub(super) struct Caller {
    /// Where parts of the result go, if they are wanted.
    pub parts: Option<mpsc::Sender<PayloadBuf>>,
    pub result: oneshot::Sender<Result<PayloadBuf, Fault>>,
}

/// A request that is forgotten when nobody waits for its answer any longer.
struct Waiting<'a> {
    state: &'a State,
    request: Id,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.state.lock().pending.remove(&self.request);
    }
}

impl State {
    pub(super) fn new(
        codec: Codec,
        engine: &Arc<Engine>,
        joining: oneshot::Sender<Result<Joined, SessionError>>,
    ) -> Arc<Self> {
        let tables = Mutex::new(Tables { joining: Some(joining), ..Tables::default() });
        Arc::new_cyclic(|itself| Self {
            codec,
            engine: Arc::clone(engine),
            writer: OnceLock::new(),
            requests: AtomicU64::new(1),
            tables,
            itself: Weak::clone(itself),
        })
    }

    /// The connection is there.
    pub(super) fn begin(&self, writer: &Writer) {
        // It is called once.
        _ = self.writer.set(writer.clone());
    }

    /// The number of the next request.
    pub(super) fn next(&self) -> Id {
        // 2^53 requests outlast every session.
        Id::new(self.requests.fetch_add(1, Ordering::Relaxed)).unwrap_or(Id::MIN)
    }

    pub(super) async fn send(&self, message: &ClientMessage<'_>) -> Result<(), SessionError> {
        let opcode = if self.codec.is_text() { OpCode::Text } else { OpCode::Binary };
        let Some(writer) = self.writer.get() else { return Err(SessionError::Over) };
        writer.send(opcode, |out| message.encode(self.codec.serializer, out)).await?;
        Ok(())
    }

    /// Sends a request, and waits for its answer.
    pub(super) async fn ask<'m, T>(
        &self,
        pending: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Pending,
        message: impl FnOnce(Id) -> ClientMessage<'m>,
    ) -> Result<T, SessionError> {
        let (answer, answered) = oneshot::channel();
        let request = self.next();
        self.lock().pending.insert(request, pending(answer));
        let waiting = Waiting { state: self, request };
        self.send(&message(request)).await?;
        let answer = answered.await.map_err(|_| self.over())?;
        drop(waiting);
        Ok(answer?)
    }

    /// Why nothing more comes.
    pub(super) fn over(&self) -> SessionError {
        self.writer.get().map_or(SessionError::Over, |writer| writer.disconnected().into())
    }

    pub(super) fn wait_for_result(&self, request: Id, caller: Caller) {
        self.lock().calls.insert(request, caller);
    }

    /// Nobody waits for a call any longer: if it is not answered, it is cancelled.
    pub(super) fn give_up(&self, request: Id) {
        if self.lock().calls.remove(&request).is_none() {
            return;
        }
        let Some(state) = self.itself.upgrade() else { return };
        self.engine.threads.spawn(async move {
            let cancel = Cancel { request, mode: Some(CancelMode::KillNoWait) };
            // It fails if the connection has ended.
            _ = state.send(&ClientMessage::Cancel(cancel)).await;
        });
    }

    pub(super) fn unsubscribe(&self, subscription: Id) {
        self.lock().subscriptions.remove(&subscription);
    }

    pub(super) fn unregister(&self, registration: Id) {
        self.lock().procedures.remove(&registration);
    }

    /// An invocation is answered. `false`: it was, or is not waited for any longer.
    pub(super) fn answered(&self, invocation: Id) -> bool {
        self.lock().running.remove(&invocation).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(&self, welcome: Welcome<'_>) {
        let text = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
        let Welcome { session, details } = welcome;
        let joined = Joined {
            session,
            realm: text(details.realm),
            authid: text(details.authid),
            authrole: text(details.authrole),
        };
        self.joined(Ok(joined));
    }

    fn joined(&self, joined: Result<Joined, SessionError>) {
        if let Some(joining) = self.lock().joining.take() {
            _ = joining.send(joined);
        }
    }

    fn abort(&self, abort: &Abort<'_>) {
        let message = abort.message.as_deref().unwrap_or_default().to_owned();
        self.joined(Err(SessionError::Aborted { reason: abort.reason.to_string(), message }));
    }

    fn answer(&self, request: Id, answer: Result<Id, Fault>) {
        let mut tables = self.lock();
        match tables.pending.remove(&request) {
            Some(Pending::Id(waiting)) => _ = waiting.send(answer),
            Some(Pending::Subscribe(waiting)) => {
                let subscribed = answer.map(|id| {
                    let events = tables.subscriptions.entry(id);
                    (id, events.or_insert_with(|| broadcast::Sender::new(EVENTS)).subscribe())
                });
                _ = waiting.send(subscribed);
            }
            Some(Pending::Register(procedure, waiting)) => {
                if let Ok(id) = answer {
                    tables.procedures.insert(id, procedure);
                }
                _ = waiting.send(answer);
            }
            None => {}
        }
    }

    fn event(&self, event: &wamp2::Event<'_>) {
        if let Some(subscription) = self.lock().subscriptions.get(&event.subscription) {
            // Nobody listens at present: then nobody misses it.
            _ = subscription.send(Event::received(event));
        }
    }

    fn result(&self, result: &wamp2::CallResult<'_>) {
        let mut tables = self.lock();
        if result.details.progress {
            let parts = tables.calls.get(&result.request).and_then(|caller| caller.parts.as_ref());
            if let Some(parts) = parts {
                // One that is not taken in time is lost.
                _ = parts.try_send(result.payload.to_buf());
            }
        } else if let Some(caller) = tables.calls.remove(&result.request) {
            _ = caller.result.send(Ok(result.payload.to_buf()));
        }
    }

    fn error(&self, error: &wamp2::Error<'_>) {
        let fault = Fault::received(&error.uri, error.payload);
        if let Some(caller) = self.lock().calls.remove(&error.request) {
            return drop(caller.result.send(Err(fault)));
        }
        self.answer(error.request, Err(fault));
    }

    fn invoke(&self, invoked: &wamp2::Invocation<'_>) {
        let (Some(state), mut tables) = (self.itself.upgrade(), self.lock()) else { return };
        let Some(procedure) = tables.procedures.get(&invoked.registration).cloned() else { return };
        let invocation = Invocation::received(&state, invoked);
        // It can't be answered before it is entered: that takes the lock.
        let task = self.engine.threads.spawn(procedure.answer(invocation));
        tables.running.insert(invoked.request, task.abort_handle());
    }

    fn interrupt(&self, interrupt: &Interrupt<'_>) {
        let request = interrupt.request;
        let Some(running) = self.lock().running.remove(&request) else { return };
        running.abort();
        let Some(state) = self.itself.upgrade() else { return };
        self.engine.threads.spawn(async move {
            let fault = Fault::new(wamp2::reason::CANCELED);
            // It fails if the connection has ended.
            _ = state.send(&super::callee::failed(request, &fault)).await;
        });
    }
}

impl Receive for State {
    fn on_message(&self, message: &[u8]) {
        // What a client can't read is for the server's tests to find, not for it to die of.
        let Ok(message) = RouterMessage::decode(self.codec.serializer, message) else { return };
        match message {
            RouterMessage::Welcome(welcome) => self.welcome(welcome),
            RouterMessage::Abort(abort) => self.abort(&abort),
            RouterMessage::Challenge(_) => {
                let why = "the realm wants a proof, which clients within the program do not have";
                self.joined(Err(SessionError::Refused(why.to_owned())));
            }
            RouterMessage::Error(error) => self.error(&error),
            RouterMessage::Published(published) => self.answer(published.request, Ok(published.publication)),
            RouterMessage::Subscribed(subscribed) => {
                self.answer(subscribed.request, Ok(subscribed.subscription));
            }
            RouterMessage::Registered(registered) => {
                self.answer(registered.request, Ok(registered.registration));
            }
            RouterMessage::Unsubscribed(wamp2::Unsubscribed::Reply { request })
            | RouterMessage::Unregistered(wamp2::Unregistered::Reply { request }) => {
                self.answer(request, Ok(request));
            }
            RouterMessage::Unsubscribed(wamp2::Unsubscribed::Revoked { subscription, .. }) => {
                self.unsubscribe(subscription);
            }
            RouterMessage::Unregistered(wamp2::Unregistered::Revoked { registration, .. }) => {
                self.unregister(registration);
            }
            RouterMessage::Event(event) => self.event(&event),
            RouterMessage::Result(result) => self.result(&result),
            RouterMessage::Invocation(invocation) => self.invoke(&invocation),
            RouterMessage::Interrupt(interrupt) => self.interrupt(&interrupt),
            RouterMessage::Goodbye(_) => {}
        }
    }

    /// Who waits hears that it does so in vain, and what is being answered is given up.
    fn on_end(&self) {
        let ended = std::mem::take(&mut *self.lock());
        ended.running.values().for_each(AbortHandle::abort);
    }
}
