//! How records reach the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clank_core::event::{Event, EventKind, Origin, Timestamp};
use clank_core::journal::{Begun, CannotBegin, NotRecorded, Position, Then};

use super::options::Kinds;

/// What was asked to be done with a record's fate. It is told exactly once, also if the writer dies.
pub(crate) struct Answer(Option<Then>);

impl Answer {
    pub(crate) fn new(then: Then) -> Self {
        Self(Some(then))
    }

    /// Nobody asked.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn give(mut self, result: Result<Position, NotRecorded>) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result<Position, NotRecorded>) {
        if let Some(then) = self.0.take() {
            // one caller's bug must not take the others' records with it
            let call = std::panic::AssertUnwindSafe(|| then(result));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!("a panic where the journal says what became of a record");
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tell(Err(NotRecorded::Failed));
    }
}

/// A record on its way.
pub(crate) struct Handed {
    pub(crate) record: Event,
    pub(crate) answer: Answer,
}

/// What else the writer is asked for.
pub(crate) enum Command {
    Begin { origin: Origin, now: Timestamp, reply: SyncSender<Result<Begun, CannotBegin>> },
    Open { reply: SyncSender<OpenConnections> },
    End { now: Timestamp, reply: SyncSender<()> },
}

/// The connections that are open behind a position, each with the position of its `connected`.
pub(crate) struct OpenConnections {
    pub(crate) position: u64,
    pub(crate) records: Vec<(u64, Event)>,
}

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) handed: VecDeque<Handed>,
    /// Records that were refused at once. Their answers are given on the writer's thread, as all
    /// are: who hands a record over may hold locks. They are as many as callers have in flight.
    pub(crate) refused: Vec<(Answer, NotRecorded)>,
    pub(crate) commands: Vec<Command>,
}

/// The queue between all threads and the writer.
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// How many records may wait that can be refused.
    most: usize,
    /// What is kept at all.
    kinds: Kinds,
    /// Something other than the queue wants a turn.
    poked: AtomicBool,
}

struct Queue {
    work: Work,
    is_closed: bool,
    is_stopped: bool,
    /// With how many records the writer wants to be woken; `usize::MAX` while it is at work.
    enough: usize,
}

impl Intake {
    pub(crate) fn new(most: usize, kinds: Kinds) -> Self {
        let queue = Queue { work: Work::default(), is_closed: false, is_stopped: false, enough: usize::MAX };
        Self { queue: Mutex::new(queue), wake: Condvar::new(), most, kinds, poked: AtomicBool::new(false) }
    }

    /// Hands a record over, or refuses it.
    pub(crate) fn hand(&self, record: Event, then: Then) {
        let answer = Answer::new(then);
        let kind = record.kind();
        let mut queue = self.lock();
        let refusal = if queue.is_closed {
            Some(NotRecorded::Closed)
        } else if !self.kinds.has(kind) {
            Some(NotRecorded::Shed)
        } else if queue.work.handed.len() >= self.most {
            refusal_when_full(kind)
        } else {
            None
        };
        match refusal {
            None => queue.work.handed.push_back(Handed { record, answer }),
            Some(why) => queue.work.refused.push((answer, why)),
        }
        // A writer at work finds what is there when it comes back, and one that gathers wants more.
        let is_enough = queue.work.handed.len() + queue.work.refused.len() >= queue.enough;
        if is_enough {
            self.wake(queue);
        }
    }

    pub(crate) fn command(&self, command: Command) {
        let mut queue = self.lock();
        queue.work.commands.push(command);
        self.wake(queue);
    }

    /// Asks for a turn.
    pub(crate) fn poke(&self) {
        self.poked.store(true, Ordering::Release);
        self.wake(self.lock());
    }

    /// From here on records are refused.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Lets more records come, until there are `enough` or `patience` is at its end.
    pub(crate) fn gather(&self, patience: Duration, enough: usize) {
        let mut queue = self.lock();
        queue.enough = enough;
        let waits = |queue: &mut Queue| {
            !queue.is_stopped && queue.work.commands.is_empty() && queue.work.handed.len() < enough
        };
        let waited = self.wake.wait_timeout_while(queue, patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.enough = usize::MAX;
    }

    /// Asks the writer to come to its end.
    pub(crate) fn stop(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        queue.is_stopped = true;
        self.wake(queue);
    }

    /// Waits for work, at most for `patience`; `None` when the writer should end and nothing is left.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Option<Work> {
        let mut queue = self.lock();
        let is_idle = |queue: &mut Queue| {
            !queue.is_stopped && queue.work.is_empty() && !self.poked.load(Ordering::Acquire)
        };
        queue.enough = 1;
        queue = match patience {
            None => self.wake.wait_while(queue, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.wake.wait_timeout_while(queue, patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        queue.enough = usize::MAX;
        self.poked.store(false, Ordering::Relaxed);
        let work = std::mem::take(&mut queue.work);
        (!queue.is_stopped || !work.is_empty()).then_some(work)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes a writer that sleeps, once.
    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let enough = std::mem::replace(&mut queue.enough, usize::MAX);
        drop(queue);
        if enough != usize::MAX {
            self.wake.notify_one();
        }
    }
}

impl Work {
    fn is_empty(&self) -> bool {
        self.handed.is_empty() && self.refused.is_empty() && self.commands.is_empty()
    }
}

/// Whether records of this kind are the first to go.
pub(crate) fn is_minor(kind: EventKind) -> bool {
    matches!(kind, EventKind::Rejected | EventKind::Error | EventKind::Subscribed | EventKind::Unsubscribed)
}

/// What a record of this kind is refused as where there is no room; ends of connections never are.
pub(crate) fn refusal_when_full(kind: EventKind) -> Option<NotRecorded> {
    match kind {
        EventKind::Disconnected => None,
        kind if is_minor(kind) => Some(NotRecorded::Shed),
        _ => Some(NotRecorded::Full),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::mpsc::channel;

    use super::super::tests::rig::{closed, opened, rejected};
    use super::*;

    #[test]
    fn a_full_queue_refuses_all_but_ends() {
        let intake = Intake::new(2, Kinds::default());
        let (told, results) = channel();
        let hand = |number: u32, record: Event| {
            let told = told.clone();
            intake.hand(record, Box::new(move |result| told.send((number, result)).unwrap()));
        };
        hand(1, opened(1, ""));
        hand(2, closed(2, ""));
        hand(3, opened(3, ""));
        hand(4, rejected(4));
        hand(5, closed(5, ""));
        // answers are given by the writer, whatever they are
        assert!(results.try_recv().is_err());
        let work = intake.take(None).unwrap();
        assert_eq!(work.handed.len(), 3);
        let refused: Vec<NotRecorded> = work.refused.iter().map(|(_, why)| *why).collect();
        assert_eq!(refused, [NotRecorded::Full, NotRecorded::Shed]);
        hand(6, opened(6, ""));
        assert_eq!(intake.take(None).unwrap().handed.len(), 1);
    }

    #[test]
    fn what_is_not_kept_is_not_taken() {
        let intake = Intake::new(2, Kinds::LEAST);
        intake.hand(rejected(1), Box::new(|result| assert_eq!(result, Err(NotRecorded::Shed))));
        let work = intake.take(None).unwrap();
        let refused: Vec<NotRecorded> = work.refused.iter().map(|(_, why)| *why).collect();
        assert_eq!((work.handed.len(), refused), (0, vec![NotRecorded::Shed]));
        work.refused.into_iter().for_each(|(answer, why)| answer.give(Err(why)));
    }

    #[test]
    fn every_record_is_answered_whatever_happens() {
        let intake = Intake::new(9, Kinds::default());
        let (told, results) = channel();
        let hand = || {
            let told = told.clone();
            intake.hand(opened(1, ""), Box::new(move |result| told.send(result).unwrap()));
        };
        hand();
        drop(intake.take(None));
        assert_eq!(results.try_recv().unwrap(), Err(NotRecorded::Failed));
        intake.stop();
        hand();
        let work = intake.take(None).unwrap();
        assert_eq!(work.refused.first().unwrap().1, NotRecorded::Closed);
        assert!(intake.take(None).is_none());
    }

    #[test]
    fn a_panic_where_an_answer_is_given_stays_there() {
        Answer::new(Box::new(|_| panic!("a caller's bug"))).give(Ok(Position::START));
    }

    #[test]
    fn gathering_ends_with_enough_records() {
        let intake = Intake::new(9, Kinds::default());
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| intake.gather(Duration::from_secs(600), 3));
            (1..=3).for_each(|number| intake.hand(opened(number, ""), Box::new(|_| ())));
            writer.join().unwrap();
        });
        // what is there already is not waited for
        intake.gather(Duration::from_secs(600), 3);
        assert_eq!(intake.take(None).unwrap().handed.len(), 3);
    }

    #[test]
    fn time_and_pokes_wake_the_writer() {
        let intake = Intake::new(9, Kinds::default());
        assert_eq!(intake.take(Some(Duration::ZERO)).unwrap().handed.len(), 0);
        intake.poke();
        assert_eq!(intake.take(None).unwrap().handed.len(), 0);
        // who gathers is woken by the end
        intake.stop();
        intake.gather(Duration::from_secs(600), usize::MAX);
        assert!(intake.take(None).is_none());
    }
}
