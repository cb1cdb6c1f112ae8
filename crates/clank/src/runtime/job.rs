//! Application code at work for one connection: started, contained, and told about when it ends.
//!
//! A job runs on the application's threads and comes back to its worker as a [`Command::Done`],
//! exactly once, whatever becomes of it: returned, failed, panicked, or dropped.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use clank_core::cause::ErrorKind;
use clank_core::journal::{NotRecorded, Position};
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
    /// The journal has a record, or will not have it.
    Recorded(Result<Position, NotRecorded>),
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

    /// Tells the worker.
    pub(crate) fn tell(self, done: Done) {
        self.mailbox.send(Command::Done { token: self.token, ticket: self.number, done });
    }

    /// Runs `job`, which contains its own failures, on `runtime`. If `inline`, it is first polled here
    /// and now.
    /// `dropped` is told if it is dropped before its end.
    pub(crate) fn run<F>(
        self,
        runtime: impl FnOnce() -> tokio::runtime::Handle,
        inline: bool,
        job: F,
        dropped: Done,
    ) -> Started
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let mut job: BoxFuture<Done> = Box::pin(job);
        if inline && let Poll::Ready(done) = poll_once(&mut job) {
            return Started::Finished(done);
        }
        Started::Running(self.spawn(&runtime(), job, dropped))
    }

    /// As [`run`](Self::run), from the start on `runtime`.
    pub(crate) fn spawn<F>(self, runtime: &tokio::runtime::Handle, job: F, dropped: Done) -> AbortHandle
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let report = Report { ticket: self, dropped: Some(dropped) };
        runtime.spawn(async move { report.send(job.await) }).abort_handle()
    }
}

fn poll_once<T>(future: &mut BoxFuture<T>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
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
    let future = match catch_unwind(AssertUnwindSafe(code)) {
        Ok(future) => future,
        Err(panic) => return Err(panic_message(panic.as_ref())),
    };
    let mut future = pin!(Some(future));
    let outcome = poll_fn(|cx| {
        let Some(future) = future.as_mut().as_pin_mut() else { return Poll::Pending };
        // What a panic left half-done is the application's own; the future is not polled again.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_message(panic.as_ref()))),
        }
    })
    .await;
    // Dropping is application code too.
    match catch_unwind(AssertUnwindSafe(|| future.set(None))) {
        Ok(()) => outcome,
        Err(panic) => Err(panic_message(panic.as_ref())),
    }
}

/// Application code that was called here and now.
pub(crate) enum Begun<T> {
    /// It is over; a panic that ended it said this.
    Over(Result<T, String>),
    Waits(BoxFuture<T>),
}

/// Calls application code, and polls what it returns once if it is `inline`; its panics end here. What
/// waits is to be [contained](contain) further.
pub(crate) fn begin<T>(inline: bool, code: impl FnOnce() -> BoxFuture<T>) -> Begun<T> {
    let mut begun = None;
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let future = begun.insert(code());
        if !inline {
            return Poll::Pending;
        }
        let polled = poll_once(future);
        if polled.is_ready() {
            // Dropping is application code too.
            begun = None;
        }
        polled
    }));
    match (polled, begun) {
        (Ok(Poll::Ready(value)), _) => Begun::Over(Ok(value)),
        (Ok(Poll::Pending), Some(future)) => Begun::Waits(future),
        (Ok(Poll::Pending), None) => unreachable!("what was polled is there"),
        (Err(panic), left) => {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(left)));
            Begun::Over(Err(panic_message(dropped.err().unwrap_or(panic).as_ref())))
        }
    }
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

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::future::{pending, ready};

    use tokio::runtime::Handle;

    use super::*;
    use crate::runtime::fixtures::Letters;

    /// The ends that were sent to the mailbox once the other tasks have had their turn.
    async fn ends(letters: &Letters) -> Vec<(u32, Done)> {
        let mut commands = Vec::new();
        while commands.is_empty() {
            tokio::task::yield_now().await;
            commands = letters.mailbox.take(Vec::new());
        }
        let end = |command| match command {
            Command::Done { ticket, done, .. } => (ticket, done),
            _ => panic!("nobody sent this"),
        };
        commands.into_iter().map(end).collect()
    }

    fn run<F: Future<Output = Done> + Send + 'static>(letters: &Letters, inline: bool, job: F) -> Started {
        let ticket = Ticket::new(&letters.mailbox, Token::from_mio(mio::Token(3)), 7);
        ticket.run(Handle::current, inline, job, Done::Told(Err(Failed::Dropped)))
    }

    #[tokio::test]
    async fn a_jobs_end_is_sent_to_the_mailbox() {
        let letters = Letters::new();
        assert!(matches!(run(&letters, false, ready(Done::Told(Ok(())))), Started::Running(_)));
        assert!(matches!(ends(&letters).await[..], [(7, Done::Told(Ok(())))]));
    }

    #[tokio::test]
    async fn an_inline_job_that_is_ready_is_finished_at_once() {
        let letters = Letters::new();
        let started = run(&letters, true, ready(Done::Told(Ok(()))));
        assert!(matches!(started, Started::Finished(Done::Told(Ok(())))));
        tokio::task::yield_now().await;
        assert!(letters.mailbox.take(Vec::new()).is_empty(), "its end is told once");
    }

    #[tokio::test]
    async fn an_inline_job_that_waits_goes_on_elsewhere() {
        let letters = Letters::new();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let job = async move {
            let heard = gone.await;
            Done::Told(heard.map_err(|_| Failed::TimedOut))
        };
        assert!(matches!(run(&letters, true, job), Started::Running(_)));
        go.send(()).unwrap();
        assert!(matches!(ends(&letters).await[..], [(7, Done::Told(Ok(())))]));
    }

    #[tokio::test]
    async fn a_job_that_is_dropped_says_so() {
        let letters = Letters::new();
        for polled in [false, true] {
            let Started::Running(abort) = run(&letters, polled, pending()) else { panic!("it never ends") };
            abort.abort();
            assert!(matches!(ends(&letters).await[..], [(7, Done::Told(Err(Failed::Dropped)))]));
        }
    }

    #[tokio::test]
    async fn a_job_that_panics_outside_of_its_containment_says_so() {
        let letters = Letters::new();
        run(&letters, false, async { panic!("as it was told to") });
        assert!(matches!(ends(&letters).await[..], [(7, Done::Told(Err(Failed::Dropped)))]));
    }

    #[tokio::test]
    async fn panics_end_where_application_code_is_called() {
        async fn fails(when: u8) -> crate::Result<u8> {
            tokio::task::yield_now().await;
            match when {
                1 => panic!("in poll {when}"),
                2 => std::panic::panic_any(2_u8),
                3 => Err(crate::Error::new("no such room")),
                _ => Ok(when),
            }
        }
        let text = |outcome: Outcome<u8>| match outcome {
            Ok(value) => format!("ok {value}"),
            Err(failed) => format!("{failed:?}"),
        };
        assert_eq!(text(outcome(|| fails(0)).await), "ok 0");
        assert_eq!(text(outcome(|| fails(1)).await), r#"Panicked("in poll 1")"#);
        assert_eq!(text(outcome(|| fails(2)).await), r#"Panicked("no message")"#);
        assert_eq!(text(outcome(|| fails(3)).await), r#"Error("no such room")"#);
        let early = || -> std::future::Ready<crate::Result<u8>> { panic!("in the call") };
        assert_eq!(text(outcome(early).await), r#"Panicked("in the call")"#);
    }

    #[tokio::test]
    async fn what_is_begun_is_over_or_waits_and_its_panics_end() {
        struct Guard(bool);
        impl Drop for Guard {
            fn drop(&mut self) {
                assert!(!self.0, "in the drop");
            }
        }
        /// It panics in the call, when it is polled, or when it is dropped.
        fn code(panics: [bool; 3], polled: Poll<u8>) -> Begun<u8> {
            let [call, poll, drop] = panics;
            begin(true, move || {
                assert!(!call, "in the call");
                let guard = Guard(drop);
                Box::pin(poll_fn(move |_| {
                    assert!(!poll, "in poll {}", guard.0);
                    polled
                }))
            })
        }
        let cases = [
            ([false, false, false], Ok(7)),
            ([true, false, false], Err("in the call")),
            ([false, true, false], Err("in poll false")),
            ([false, false, true], Err("in the drop")),
            ([false, true, true], Err("in the drop")),
        ];
        for (panics, expected) in cases {
            let Begun::Over(over) = code(panics, Poll::Ready(7)) else { panic!("it is ready") };
            assert_eq!(over, expected.map_err(str::to_owned));
        }
        assert!(matches!(code([false; 3], Poll::Pending), Begun::Waits(_)));
        let unpolled = begin::<u8>(false, || Box::pin(poll_fn(|_| panic!("nobody polls it"))));
        assert!(matches!(unpolled, Begun::Waits(_)));
    }

    #[test]
    fn failures_have_a_kind_and_a_message() {
        use ErrorKind::{HandlerFailed, ListenerPanicked, ListenerTimedOut};
        let cases = [
            (Failed::Error("no".into()), Who::Handler, Some((HandlerFailed, "no"))),
            (Failed::Panicked("no".into()), Who::Listener, Some((ListenerPanicked, "listener panicked: no"))),
            (Failed::TimedOut, Who::Listener, Some((ListenerTimedOut, "listener took longer than it may"))),
            (Failed::Dropped, Who::Handler, None),
        ];
        for (failed, who, expected) in cases {
            let expected = expected.map(|(kind, message)| (kind, message.to_owned()));
            assert_eq!(failed.describe(who), expected);
        }
    }
}
