//! One connection's application code, one thing after another.

use std::collections::VecDeque;
use std::sync::Arc;

use clank_core::event::EventKind;
use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_wire::ws::CloseCode;
use tokio::task::AbortHandle;

use crate::event::Told;
use crate::topic::Event;

/// Error events that may wait; a client can cause more than its listeners keep up with.
const ERRORS: usize = 32;

/// What waits for its turn.
pub(crate) enum Work {
    /// Tell the listeners, from this one on.
    Tell { told: Arc<Told>, listener: usize },
    /// Tell the topic's handler that the connection left it.
    Left(Uri<'static>),
    /// A message that came while application code was running.
    Text(Box<str>),
    /// The same, of bytes.
    Binary(Box<[u8]>),
    /// The client's close frame.
    Hangup(Option<(CloseCode, Box<str>)>),
    /// Make the record of the end, once the last call is over.
    Farewell,
    /// Everything has been told.
    Ended,
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Application code that is running.
pub(crate) struct Running {
    pub ticket: u32,
    /// When it has to be over.
    pub deadline: u64,
    pub abort: AbortHandle,
    pub job: Job,
}

/// What the running code is for.
pub(crate) enum Job {
    /// A listener is being told; the next one has this number.
    Tell { told: Arc<Told>, next: usize },
    /// A handler decides on a subscription.
    Permit(Uri<'static>),
    /// A handler hears of a subscription made or ended.
    Hear,
    /// A handler sees a publication.
    Publish { topic: Uri<'static>, event: Event, audience: Audience },
}

/// The application's code for one connection: at most one piece of it runs at a time, the rest
/// waits in order.
#[derive(Default)]
pub(crate) struct Lane {
    queue: VecDeque<Work>,
    /// Bytes of the messages that wait.
    bytes: usize,
    running: Option<Box<Running>>,
    ended: bool,
}

impl Lane {
    pub(crate) fn push(&mut self, work: Work) {
        self.bytes += work.bytes();
        self.queue.push_back(work);
    }

    /// Queues `told` for all listeners. `false` if too many errors wait already.
    pub(crate) fn tell(&mut self, told: Arc<Told>) -> bool {
        if told.record.kind() == EventKind::Error {
            let is_error = |work: &&Work| matches!(work, Work::Tell { told, .. } if told.record.kind() == EventKind::Error);
            if self.queue.iter().filter(is_error).count() >= ERRORS {
                return false;
            }
        }
        self.push(Work::Tell { told, listener: 0 });
        true
    }

    /// Goes on with `told` at `listener`, before anything else.
    pub(crate) fn resume(&mut self, told: Arc<Told>, listener: usize) {
        self.queue.push_front(Work::Tell { told, listener });
    }

    /// What is next, if nothing is running. An `Ended` ends the lane, a `Farewell` waits while
    /// `calls` are in flight.
    pub(crate) fn next(&mut self, calls: usize) -> Option<Work> {
        if self.running.is_some() || (calls > 0 && matches!(self.queue.front(), Some(Work::Farewell))) {
            return None;
        }
        let work = self.queue.pop_front();
        self.bytes -= work.as_ref().map_or(0, Work::bytes);
        if work.is_none() {
            self.queue = VecDeque::new();
        }
        self.ended |= matches!(work, Some(Work::Ended));
        work
    }

    /// Whether a message that arrives now has to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    /// Whether `limit` things wait.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.queue.len() >= limit
    }

    /// Whether the client's close frame waits for its turn.
    pub(crate) fn has_hangup(&self) -> bool {
        self.queue.iter().any(|work| matches!(work, Work::Hangup(_)))
    }

    /// Bytes of the messages that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether everything has been told.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn run(&mut self, running: Running) {
        self.running = Some(Box::new(running));
    }

    /// When the running code has to be over.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.deadline)
    }

    /// Takes the running code if it has this ticket.
    pub(crate) fn take(&mut self, ticket: u32) -> Option<Box<Running>> {
        self.running.take_if(|running| running.ticket == ticket)
    }

    /// Takes the running code if its time is over.
    pub(crate) fn take_overdue(&mut self, now: u64) -> Option<Box<Running>> {
        self.running.take_if(|running| running.deadline <= now)
    }

    /// Drops the messages that wait: their connection is closing.
    pub(crate) fn discard_messages(&mut self) {
        self.queue.retain(|work| !matches!(work, Work::Text(_) | Work::Binary(_) | Work::Hangup(_)));
        self.bytes = 0;
    }
}
