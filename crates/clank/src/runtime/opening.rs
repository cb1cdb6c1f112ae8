//! A connection whose record is on its way into the journal.
//!
//! Once the record is handed over, the journal owns the outcome: a client that goes away meanwhile
//! has still been connected, and is told of as any other is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use clank_core::journal::{Journal, NotRecorded, Position};

use super::adopt::{Adopted, Carrier};
use super::door::{Why, reject_accepted};
use super::engine::Engine;
use super::entrant::{Accepted, Entrant};
use super::sync::{Mutex, lock};

type Outcome = Result<Position, NotRecorded>;

/// Waits until an accepted connection is recorded; `why` is asked if it is dropped before.
pub(super) struct Opening<W: FnOnce() -> Why<'static>> {
    shared: Arc<Mutex<Shared>>,
    why: Option<W>,
}

struct Shared {
    engine: Arc<Engine>,
    /// `None` once it has gone on its way.
    accepted: Option<Accepted>,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    /// Nobody waits any longer.
    abandoned: Option<Why<'static>>,
}

impl<W: FnOnce() -> Why<'static>> Opening<W> {
    /// Hands the record of an accepted connection over.
    pub(super) fn record(engine: &Arc<Engine>, journal: &dyn Journal, accepted: Accepted, why: W) -> Self {
        let record = accepted.connected(engine);
        let shared = Shared {
            engine: Arc::clone(engine),
            accepted: Some(accepted),
            outcome: None,
            waker: None,
            abandoned: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        let told = Arc::clone(&shared);
        journal
            .append(record, Box::new(move |outcome| settle(&told, |shared| shared.outcome = Some(outcome))));
        Self { shared, why: Some(why) }
    }
}

impl<W: FnOnce() -> Why<'static> + Unpin> Future for Opening<W> {
    type Output = Result<Accepted, NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut shared = lock(&this.shared);
        let Some(outcome) = shared.outcome else {
            shared.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        this.why = None;
        let accepted = shared.accepted.take().ok_or(NotRecorded::Closed);
        Poll::Ready(outcome.and(accepted))
    }
}

impl<W: FnOnce() -> Why<'static>> Drop for Opening<W> {
    fn drop(&mut self) {
        if let Some(why) = self.why.take() {
            let why = why();
            settle(&self.shared, |shared| shared.abandoned = Some(why));
        }
    }
}

/// Notes what has come about, wakes who waits, or finds what is left to be done with nobody waiting.
fn settle(shared: &Mutex<Shared>, note: impl FnOnce(&mut Shared)) {
    let mut guard = lock(shared);
    note(&mut guard);
    let left = match (guard.outcome, guard.abandoned) {
        (Some(outcome), Some(why)) => guard.accepted.take().map(|accepted| (accepted, outcome, why)),
        _ => None,
    };
    let (waker, engine) = (guard.waker.take(), Arc::clone(&guard.engine));
    drop(guard);
    if let Some((accepted, outcome, why)) = left {
        match outcome {
            Ok(_) => open_and_lose(&engine, Accepted { recorded: true, ..accepted }),
            Err(_) => reject_accepted(&engine, accepted, why),
        }
    } else if let Some(waker) = waker {
        waker.wake();
    }
}

/// Has a recorded connection opened that has no client any more: its end is found, recorded and
/// told as that of any other.
pub(super) fn open_and_lose(engine: &Arc<Engine>, accepted: Accepted) {
    let carrier = Carrier::Stream(Box::new(tokio::io::empty()));
    engine.adopt(Adopted { entrant: Entrant::Accepted(accepted), carrier, early: Bytes::new() });
}
