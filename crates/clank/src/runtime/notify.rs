//! Telling listeners of what belongs to no open connection, and asking them who may connect.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use clank_core::event::{Event as Record, EventKind};

use super::engine::Engine;
use super::job::{Failed, outcome};
use crate::admission::{Admission, ConnectRequest};
use crate::event::Told;
use crate::hooks::BoxFuture;
use crate::listener::Registration;

impl Engine {
    /// Whether a listener hears of such records.
    pub(crate) fn is_heard(&self, kind: EventKind) -> bool {
        self.application.listeners.next(kind, 0).is_some()
    }

    /// Tells all listeners, one after another, of a record that belongs to no open connection. The
    /// future is over when all have heard.
    pub(crate) async fn tell(self: Arc<Self>, told: Arc<Told>) {
        let mut at = 0;
        while let Some((index, registration)) = self.application.listeners.next(told.record.kind(), at) {
            at = index + 1;
            if !registration.options.inline {
                // Whoever polls this on a worker's thread stops here, and it goes on elsewhere.
                tokio::task::yield_now().await;
            }
            let (listener, heard) = (Arc::clone(&registration.listener), Arc::clone(&told));
            let hear = outcome(move || listener.tell(heard));
            let failed = match tokio::time::timeout(self.listener_limit(), hear).await {
                Ok(Ok(())) => None,
                Ok(Err(failed)) => Some(failed),
                Err(_) => Some(Failed::TimedOut),
            };
            if let Some(failed) = failed {
                tracing::error!(event = %told.record.kind(), ?failed, "a listener failed");
            }
            if told.is_stopped() {
                return;
            }
        }
    }

    /// Starts [`tell`](Self::tell): inline listeners that come first hear at once, the others on
    /// the application's threads, after all that waits to be told already.
    pub(crate) fn spawn_tell(self: &Arc<Self>, told: Arc<Told>) {
        let Some((_, first)) = self.application.listeners.next(told.record.kind(), 0) else { return };
        let inline = first.options.inline;
        let mut tell: BoxFuture<()> = Box::pin(Arc::clone(self).tell(told));
        let runtime = self.threads.handle();
        let _runtime = runtime.enter();
        if inline && tell.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        self.notices.push(tell, &runtime);
    }

    /// Has the journal keep a record that belongs to no open connection, and then tells the listeners.
    pub(crate) fn record_and_tell(self: &Arc<Self>, told: Arc<Told>) {
        let journal = self.journal.as_ref().filter(|journal| journal.keeps(told.record.kind()));
        let Some(journal) = journal else { return self.spawn_tell(told) };
        let engine = Arc::clone(self);
        let record = told.record.clone();
        let then = move |_| {
            if engine.is_heard(told.record.kind()) {
                let runtime = engine.threads.handle();
                // Not here, also where the listener is inline: this is the journal's thread.
                engine.notices.push(Box::pin(Arc::clone(&engine).tell(told)), &runtime);
            }
        };
        journal.append(record, Box::new(then));
    }

    /// Has the journal keep a record of the server's own. What is returned comes when it is kept.
    pub(crate) fn record(&self, record: Record) -> tokio::sync::oneshot::Receiver<()> {
        let (kept, is_kept) = tokio::sync::oneshot::channel();
        self.append(record, move || _ = kept.send(()));
        is_kept
    }

    /// The same, and waits for it.
    pub(crate) fn record_now(&self, record: Record) {
        let (kept, is_kept) = std::sync::mpsc::channel();
        self.append(record, move || _ = kept.send(()));
        _ = is_kept.recv();
    }

    fn append(&self, record: Record, then: impl FnOnce() + Send + 'static) {
        let kind = record.kind();
        let journal = self.journal.as_ref().filter(|journal| journal.keeps(kind));
        let Some(journal) = journal else { return then() };
        let then = move |kept: Result<_, _>| {
            if let Err(error) = kept {
                tracing::error!(%error, %kind, "an event of the server is not recorded");
            }
            then();
        };
        journal.append(record, Box::new(then));
    }

    /// Asks all who decide; the first refusal ends it.
    pub(crate) async fn ask(self: Arc<Self>, request: ConnectRequest) -> Result<Admission, Failed> {
        let mut admission = Admission::accept();
        for registration in self.application.listeners.deciders() {
            let answer = self.ask_one(registration, request.clone()).await?;
            admission = admission.and(answer);
            if admission.refusal.is_some() {
                break;
            }
        }
        Ok(admission)
    }

    async fn ask_one(
        &self,
        registration: &Registration,
        request: ConnectRequest,
    ) -> Result<Admission, Failed> {
        let listener = Arc::clone(&registration.listener);
        let ask = outcome(move || listener.connecting(request));
        match tokio::time::timeout(self.listener_limit(), ask).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failed::TimedOut),
        }
    }

    fn listener_limit(&self) -> Duration {
        self.limits().listener.duration()
    }
}
