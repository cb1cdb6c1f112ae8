//! One connection's application code, one thing after another.

use std::collections::VecDeque;
use std::sync::Arc;

use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_wire::ws::CloseCode;
use tokio::task::AbortHandle;

use super::testament::Testament;
use super::wamp2::{Asked, Publishing};
use crate::event::Told;
use crate::topic::Event;

/// Error events that may wait; a client can cause more than its listeners keep up with.
const ERRORS: u32 = 32;

/// What waits for its turn.
pub(crate) enum Work {
    /// Have this recorded, and then tell the listeners.
    Record(Arc<Told>),
    /// Tell the listeners, from this one on.
    Tell { told: Arc<Told>, listener: usize },
    /// Tell the topic's handler that the connection left it.
    Left(Uri<'static>),
    /// Publish this, as the client wanted it to be at its end.
    Testament(Box<Testament>),
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
    fn is_new_error(&self) -> bool {
        matches!(self, Self::Record(told) | Self::Tell { told, listener: 0 } if told.is_error())
    }

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
    /// `None`: it is the journal's, and can't be given up.
    pub abort: Option<AbortHandle>,
    pub job: Job,
}

/// What the running code is for.
pub(crate) enum Job {
    /// The journal is writing.
    Record(Arc<Told>),
    /// A listener is being told; the next one has this number.
    Tell { told: Arc<Told>, next: usize },
    /// A handler decides on a subscription.
    Permit { topic: Uri<'static>, asked: Option<Asked> },
    /// A handler hears of a subscription made or ended.
    Hear,
    /// A handler sees a publication.
    Publish { topic: Uri<'static>, event: Event, audience: Audience, publishing: Publishing },
}

/// The application's code for one connection: at most one piece of it runs at a time, the rest
/// waits in order.
#[derive(Default)]
pub(crate) struct Lane {
    queue: VecDeque<Work>,
    /// Bytes of the messages that wait.
    bytes: usize,
    /// Errors that wait to be told to the first listener.
    errors: u32,
    errors_dropped: u64,
    running: Option<Box<Running>>,
    ended: bool,
}

impl Lane {
    pub(crate) fn push(&mut self, work: Work) {
        self.bytes += work.bytes();
        self.queue.push_back(work);
    }

    /// Puts what is left of a message before all that waits.
    pub(crate) fn put_back(&mut self, work: Work) {
        self.bytes += work.bytes();
        self.queue.push_front(work);
    }

    /// Queues `told` for all listeners. An error that the connection survives is dropped, and
    /// counted, if too many errors wait already.
    pub(crate) fn tell(&mut self, told: Arc<Told>) {
        if self.makes_room_for(&told) {
            self.push(Work::Tell { told, listener: 0 });
        }
    }

    /// As [`tell`](Self::tell), once the journal has it.
    pub(crate) fn record(&mut self, told: Arc<Told>) {
        if self.makes_room_for(&told) {
            self.push(Work::Record(told));
        }
    }

    fn makes_room_for(&mut self, told: &Told) -> bool {
        if told.is_error() {
            if self.errors >= ERRORS && told.is_survived() {
                self.errors_dropped += 1;
                return false;
            }
            self.errors += 1;
        }
        true
    }

    /// How many error events were dropped.
    pub(crate) fn errors_dropped(&self) -> u64 {
        self.errors_dropped
    }

    /// Whether a message of the client's is next.
    pub(crate) fn has_message_next(&self) -> bool {
        self.running.is_none() && matches!(self.queue.front(), Some(Work::Text(_) | Work::Binary(_)))
    }

    /// Goes on with `told` at `listener`, before anything else.
    pub(crate) fn resume(&mut self, told: Arc<Told>, listener: usize) {
        let work = Work::Tell { told, listener };
        self.errors += u32::from(work.is_new_error());
        self.queue.push_front(work);
    }

    /// What is next, if nothing is running. An `Ended` ends the lane, a `Farewell` waits while
    /// `calls` are in flight.
    pub(crate) fn next(&mut self, calls: usize) -> Option<Work> {
        if self.running.is_some() || (calls > 0 && matches!(self.queue.front(), Some(Work::Farewell))) {
            return None;
        }
        let work = self.queue.pop_front();
        self.bytes -= work.as_ref().map_or(0, Work::bytes);
        self.errors -= u32::from(work.as_ref().is_some_and(Work::is_new_error));
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

    /// Whether application code is running.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
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

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use clank_core::cause::ErrorKind;
    use clank_core::event::{Body, Change, Event as Record, Failure, Origin, Timestamp};
    use clank_core::id::RunId;
    use clank_core::limits::Limits;

    use super::*;
    use crate::runtime::fixtures;

    /// A record of connection 1.
    fn told(sequence: u64, change: Change) -> Arc<Told> {
        let connection = Arc::clone(&fixtures::peer(&fixtures::engine(Limits::DEFAULT), 1, None).facts);
        let origin = Origin { node: "test".parse().unwrap(), run: RunId::new(0, &[0; 10]) };
        let body = Body::Client { connection, sequence, change };
        Told::new(Record::new(Timestamp::from_unix_micros(0), origin, body), None)
    }

    fn error(sequence: u64) -> Arc<Told> {
        let failure = Failure { kind: ErrorKind::HandlerFailed, message: "".into(), survived: true };
        told(sequence, Change::Error(Box::new(failure)))
    }

    fn fatal(sequence: u64) -> Arc<Told> {
        let failure = Failure { kind: ErrorKind::Protocol, message: "".into(), survived: false };
        told(sequence, Change::Error(Box::new(failure)))
    }

    fn running(ticket: u32, deadline: u64) -> Running {
        let abort = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Running { ticket, deadline, abort: Some(abort), job: Job::Hear }
    }

    /// A short name for what comes next.
    fn next(lane: &mut Lane) -> Option<String> {
        lane.next(0).map(|work| match work {
            Work::Tell { told, listener } => match &told.record.body {
                Body::Client { sequence, .. } => format!("tell {sequence} from {listener}"),
                _ => panic!("a record of no connection"),
            },
            Work::Record(_) => "record".into(),
            Work::Left(topic) => format!("left {}", topic.as_str()),
            Work::Text(text) => text.into(),
            Work::Binary(bytes) => format!("{bytes:?}"),
            Work::Hangup(_) => "hangup".into(),
            Work::Farewell => "farewell".into(),
            Work::Ended => "ended".into(),
            Work::Testament(_) => "testament".into(),
        })
    }

    #[tokio::test]
    async fn work_comes_in_order_and_one_thing_at_a_time() {
        let mut lane = Lane::default();
        assert!(!lane.is_busy());
        let connected = told(1, Change::Connected);
        lane.tell(Arc::clone(&connected));
        lane.push(Work::Text("one".into()));
        lane.push(Work::Binary([2].into()));
        assert!(lane.is_full(3) && !lane.is_full(4));
        assert_eq!(lane.bytes(), 4);
        assert_eq!(next(&mut lane).unwrap(), "tell 1 from 0");
        lane.run(running(7, 100));
        assert_eq!(next(&mut lane), None, "the listener is still at it");
        assert!(lane.is_busy());
        assert!(lane.take(8).is_none(), "another job's end");
        assert!(lane.take(7).is_some());
        lane.resume(connected, 1);
        assert_eq!(next(&mut lane).unwrap(), "tell 1 from 1", "the next listener comes before any message");
        assert_eq!(next(&mut lane).unwrap(), "one");
        assert_eq!((next(&mut lane).unwrap().as_str(), lane.bytes()), ("[2]", 0));
        assert_eq!(next(&mut lane), None);
        assert!(!lane.is_busy());
    }

    #[tokio::test]
    async fn code_that_takes_too_long_is_given_up() {
        let mut lane = Lane::default();
        assert_eq!(lane.deadline(), None);
        lane.run(running(1, 100));
        assert_eq!(lane.deadline(), Some(100));
        assert!(lane.take_overdue(99).is_none());
        assert_eq!(lane.take_overdue(100).unwrap().ticket, 1);
        assert!(lane.take(1).is_none(), "its end comes too late");
    }

    #[tokio::test]
    async fn a_client_cannot_pile_up_errors() {
        let mut lane = Lane::default();
        let count = u64::from(ERRORS);
        (1..=2 * count).for_each(|sequence| lane.tell(error(sequence)));
        assert_eq!(lane.errors_dropped(), count);
        lane.tell(told(100, Change::Connected));
        assert_eq!(lane.errors_dropped(), count, "other events have their place");
        assert_eq!(next(&mut lane).unwrap(), "tell 1 from 0");
        lane.tell(error(101));
        assert_eq!(lane.errors_dropped(), count, "there is room again");
        lane.tell(error(102));
        assert_eq!(lane.errors_dropped(), count + 1);
        lane.tell(fatal(103));
        assert_eq!(
            lane.errors_dropped(),
            count + 1,
            "the error that ends the connection is told in any case"
        );
    }

    #[test]
    fn the_farewell_waits_for_calls() {
        let mut lane = Lane::default();
        for work in [Work::Left(Uri::parse("a".to_owned(), 9).unwrap()), Work::Farewell, Work::Ended] {
            lane.push(work);
        }
        assert!(matches!(lane.next(1), Some(Work::Left(_))));
        assert!(lane.next(1).is_none());
        assert!(lane.is_busy());
        assert_eq!(next(&mut lane).unwrap(), "farewell");
        assert!(!lane.is_ended());
        assert!(matches!(lane.next(1), Some(Work::Ended)));
        assert!(lane.is_ended());
    }

    #[tokio::test]
    async fn messages_of_a_closing_connection_are_dropped() {
        let mut lane = Lane::default();
        lane.push(Work::Text("one".into()));
        lane.tell(error(1));
        lane.push(Work::Binary([2].into()));
        lane.push(Work::Hangup(None));
        lane.push(Work::Left(Uri::parse("a".to_owned(), 9).unwrap()));
        assert!(lane.has_hangup());
        lane.discard_messages();
        assert!(!lane.has_hangup());
        assert_eq!(lane.bytes(), 0);
        let left: Vec<String> = std::iter::from_fn(|| next(&mut lane)).collect();
        assert_eq!(left, ["tell 1 from 0", "left a"]);
    }
}
