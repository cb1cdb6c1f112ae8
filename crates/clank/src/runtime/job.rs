//! Application code at work for one connection: started, contained, and told about when it ends.
//!
//! A job runs on the application's threads and comes back to its worker as a [`Command::Done`],
//! exactly once, whatever becomes of it: returned, failed, panicked, or dropped.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use clank_core::cause::ErrorKind;
use tokio::task::AbortHandle;

use super::mailbox::{Command, Mailbox};
use super::slots::Token;
use crate::hooks::BoxFuture;
use crate::topic::{Forward, Permit};

/// How application code failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It returned an error, of which this is the text.
    Error(String),
    /// It panicked, saying this.
    Panicked(String),
    /// It took longer than it may.
    TimedOut,
    /// It was dropped because its connection is closing.
    Dropped,
}

/// How application code ended.
pub(crate) type Outcome<T> = Result<T, Failed>;

/// What a job came to.
#[derive(Debug)]
pub(crate) enum Done {
    /// A listener was told, or a handler heard of a subscription made or ended.
    Told(Outcome<()>),
    /// A handler was asked whether a client may subscribe.
    Permitted(Outcome<Permit>),
    /// A handler saw a publication.
    Published(Outcome<Forward>),
    /// A procedure answered; the frame holds the answer, of so many bytes. With how it failed, if
    /// that was no error of its own.
    Replied(Bytes, usize, Option<Failed>),
}

/// Who speaks of application code that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Listener,
    Handler,
}

impl Failed {
    /// The kind and message of the error event; `None` if nobody needs to hear of it.
    pub(crate) fn describe(self, who: Who) -> Option<(ErrorKind, String)> {
        let (name, kinds) = match who {
            Who::Listener => (
                "listener",
                [ErrorKind::ListenerFailed, ErrorKind::ListenerPanicked, ErrorKind::ListenerTimedOut],
            ),
            Who::Handler => (
                "handler",
                [ErrorKind::HandlerFailed, ErrorKind::HandlerPanicked, ErrorKind::HandlerTimedOut],
            ),
        };
        let [failed, panicked, timed_out] = kinds;
        match self {
            Self::Error(message) => Some((failed, message)),
            Self::Panicked(message) => Some((panicked, format!("{name} panicked: {message}"))),
            Self::TimedOut => Some((timed_out, format!("{name} took longer than it may"))),
            Self::Dropped => None,
        }
    }
}

/// Where a job is awaited.
pub(crate) struct Ticket {
    mailbox: Arc<Mailbox>,
    token: Token,
    number: u32,
}

/// A job that was started.
pub(crate) enum Started {
    /// It is finished already.
    Finished(Done),
    /// It goes on; its end is sent to the mailbox.
    Running(AbortHandle),
}

impl Ticket {
    pub(crate) fn new(mailbox: &Arc<Mailbox>, token: Token, number: u32) -> Self {
        Self { mailbox: Arc::clone(mailbox), token, number }
    }

    /// Runs `job`, which contains its own failures. If `inline`, it is first polled here and now.
    /// `dropped` is told if it is dropped before its end.
    pub(crate) fn run<F>(
        self,
        runtime: &tokio::runtime::Handle,
        inline: bool,
        job: F,
        dropped: Done,
    ) -> Started
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let mut job: BoxFuture<Done> = Box::pin(job);
        if inline && let Poll::Ready(done) = job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Started::Finished(done);
        }
        let report = Report { ticket: self, dropped: Some(dropped) };
        let task = runtime.spawn(async move { report.send(job.await) });
        Started::Running(task.abort_handle())
    }
}

/// Tells the worker, also when the task is dropped before its end.
struct Report {
    ticket: Ticket,
    dropped: Option<Done>,
}

impl Report {
    fn send(mut self, done: Done) {
        self.dropped = None;
        self.tell(done);
    }

    fn tell(&self, done: Done) {
        let Ticket { mailbox, token, number } = &self.ticket;
        mailbox.send(Command::Done { token: *token, ticket: *number, done });
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(done) = self.dropped.take() {
            self.tell(done);
        }
    }
}

/// Calls application code and awaits what it returns; its panics end here.
pub(crate) async fn contain<T, F>(code: impl FnOnce() -> F) -> Result<T, String>
where
    F: Future<Output = T>,
{
    let mut future = match catch_unwind(AssertUnwindSafe(code)) {
        Ok(future) => Box::pin(future),
        Err(panic) => return Err(panic_message(panic.as_ref())),
    };
    poll_fn(|cx| {
        // What a panic left half-done is the application's own; the future is not polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_message(panic.as_ref()))),
        }
    })
    .await
}

/// How application code that returns a result ended.
pub(crate) async fn outcome<T, F>(code: impl FnOnce() -> F) -> Outcome<T>
where
    F: Future<Output = crate::Result<T>>,
{
    match contain(code).await {
        Ok(result) => result.map_err(|error| Failed::Error(error.to_string())),
        Err(panic) => Err(Failed::Panicked(panic)),
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
