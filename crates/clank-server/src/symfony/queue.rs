//! What waits for a worker, and what it is at.
//!
//! Requests are carried out one at a time and in order, so the oldest that a worker was given and
//! has not ended is the one that runs. If it dies, that one is not tried again, and the others are
//! given to the next worker.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use clank::{Answer, RpcError};
use tokio::sync::oneshot;

use super::connections::Connections;
use super::request::{Kind, Request};

/// Requests that a worker is given ahead of the one that runs.
const AHEAD: usize = 32;
/// Bytes of them.
const AHEAD_BYTES: usize = 1 << 20;
/// Bytes of what may be refused that wait.
const WAITING_BYTES: usize = 64 << 20;

/// Requests that may wait before it is asked who still waits for them.
const CROWD: usize = 10_000;

/// What a call is answered.
pub(super) type Reply = Result<Answer, RpcError>;

/// A worker's queue.
pub(super) struct Queue {
    /// Before all that waits: how a worker begins and ends.
    first: VecDeque<Request>,
    /// Connections whose `open` is told again.
    again: VecDeque<u64>,
    waiting: VecDeque<Request>,
    /// Given to the worker; the first of them runs.
    given: VecDeque<Request>,
    given_bytes: usize,
    running_since: Option<Instant>,
    /// Calls without an answer.
    calls: HashMap<u64, OpenCall>,
    /// How many of what waits may be refused, and their bytes.
    optional: (usize, usize),
    /// So many requests are a crowd.
    crowd: usize,
    flow: Flow,
    /// There will be no further worker.
    is_closed: bool,
    /// The worker's life; 0: there is none.
    generation: u64,
    /// Requests that this life has ended.
    done: u64,
}

struct OpenCall {
    reply: oneshot::Sender<Reply>,
    is_given: bool,
}

/// Which requests flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Nothing,
    /// What comes before all that waits.
    First,
    All,
}

/// A request that a worker says is over, but which did not run.
#[derive(Debug, thiserror::Error)]
#[error("it ended request {0}, which it was not at")]
pub(super) struct NotRunning(u64);

/// What a worker is given.
pub(super) struct Given {
    /// Frames.
    pub bytes: Vec<u8>,
    /// Requests of connections that it does not know, which it is not given.
    pub passed_over: Vec<Request>,
}

/// What a worker leaves when it dies.
pub(super) struct Left {
    /// What it was at.
    pub running: Option<Request>,
    /// Calls that it had still to answer, without the one that ran.
    pub calls: Vec<oneshot::Sender<Reply>>,
    /// The call that it was at.
    pub running_call: Option<oneshot::Sender<Reply>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            first: VecDeque::new(),
            again: VecDeque::new(),
            waiting: VecDeque::new(),
            given: VecDeque::new(),
            given_bytes: 0,
            running_since: None,
            calls: HashMap::new(),
            optional: (0, 0),
            crowd: CROWD,
            flow: Flow::Nothing,
            is_closed: false,
            generation: 0,
            done: 0,
        }
    }

    /// Puts a request behind those that wait. It comes back where as many wait as may, `most`,
    /// beside the one that runs.
    pub(super) fn push(&mut self, request: Request, most: usize) -> Result<(), Box<Request>> {
        if self.is_closed {
            return Err(request.into());
        }
        if request.kind.is_optional() {
            let (count, bytes) = &mut self.optional;
            if *count + self.given.len() > most || *bytes + request.frame.len() > WAITING_BYTES {
                return Err(request.into());
            }
            (*count, *bytes) = (*count + 1, *bytes + request.frame.len());
        }
        self.waiting.push_back(request);
        Ok(())
    }

    /// Takes out what nobody waits for any longer, if very many wait: connections whose handlers were
    /// given up, while no worker came. What the worker has to know stays.
    pub(super) fn thin_out(&mut self, connections: &Connections) -> Vec<Request> {
        if self.waiting.len() < self.crowd {
            return Vec::new();
        }
        let generation = self.generation;
        let is_waited_for = |request: &Request| {
            let is_known = |id| generation > 0 && connections.is_known(id, generation);
            let is_given_up = request.reply.as_ref().is_some_and(oneshot::Sender::is_closed);
            request.kind.is_optional() || !is_given_up || request.connection.is_none_or(is_known)
        };
        let waiting = std::mem::take(&mut self.waiting);
        let (stay, go): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_waited_for);
        self.waiting = stay.into();
        self.crowd = CROWD.max(2 * self.waiting.len());
        go
    }

    /// Puts a call there, as [`push`](Self::push) does.
    pub(super) fn push_call(
        &mut self,
        request: Request,
        most: usize,
    ) -> Result<oneshot::Receiver<Reply>, Box<Request>> {
        let (reply, answer) = oneshot::channel();
        let seq = request.seq;
        self.push(request, most)?;
        self.calls.insert(seq, OpenCall { reply, is_given: false });
        Ok(answer)
    }

    /// Puts a request before all others.
    pub(super) fn push_first(&mut self, request: Request) {
        self.first.push_back(request);
    }

    /// Waits for the answer of a call no more. `true`: it will not be begun, too.
    pub(super) fn withdraw(&mut self, seq: u64, is_over: bool) -> bool {
        match self.calls.get(&seq) {
            Some(call) if is_over || !call.is_given => {
                let was_given = call.is_given;
                self.calls.remove(&seq);
                // It is left out when its turn comes.
                !was_given
            }
            _ => false,
        }
    }

    /// A call is answered, if anybody waits for it.
    pub(super) fn answer(&mut self, seq: u64) -> Option<oneshot::Sender<Reply>> {
        self.calls.remove(&seq).map(|call| call.reply)
    }

    /// A worker begins its life; it is given nothing yet.
    pub(super) fn begin(&mut self, generation: u64, begin: Request, again: Vec<u64>) {
        (self.generation, self.done, self.flow) = (generation, 0, Flow::All);
        self.first.push_back(begin);
        self.again = again.into();
    }

    pub(super) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// What the worker can be given now.
    pub(super) fn give(&mut self, connections: &Connections, now: Instant, make: Again<'_>) -> Given {
        let (mut bytes, mut passed_over) = (Vec::new(), Vec::new());
        while self.given.len() < AHEAD && self.given_bytes < AHEAD_BYTES {
            let Some(request) = self.next(connections, make) else { break };
            let is_known = match (request.connection, request.kind) {
                (Some(id), Kind::Open) => {
                    connections.begin(id, self.generation);
                    true
                }
                (Some(id), _) => connections.is_known(id, self.generation),
                (None, _) => true,
            };
            let frame = match (is_known, &request.detached) {
                (true, _) => &request.frame,
                (false, Some(detached)) => detached,
                (false, None) => {
                    self.calls.remove(&request.seq);
                    passed_over.push(request);
                    continue;
                }
            };
            bytes.extend_from_slice(frame);
            self.given_bytes += frame.len();
            if self.given.is_empty() {
                self.running_since = Some(now);
            }
            self.given.push_back(request);
        }
        Given { bytes, passed_over }
    }

    fn next(&mut self, connections: &Connections, make: Again<'_>) -> Option<Request> {
        if self.flow == Flow::Nothing {
            return None;
        }
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        if self.flow == Flow::First {
            return None;
        }
        while let Some(id) = self.again.pop_front() {
            if let Some(request) = connections.is_replayed(id).then(|| make(id)).flatten() {
                return Some(request);
            }
        }
        self.again = VecDeque::new();
        loop {
            let request = self.waiting.pop_front()?;
            if request.kind.is_optional() {
                let (count, bytes) = &mut self.optional;
                (*count, *bytes) = (*count - 1, *bytes - request.frame.len());
            }
            if request.kind != Kind::Call {
                return Some(request);
            }
            // A call that nobody waits for any more is not begun.
            if let Some(call) = self.calls.get_mut(&request.seq) {
                call.is_given = true;
                return Some(request);
            }
        }
    }

    /// The worker says that a request is over.
    pub(super) fn end(&mut self, seq: u64, now: Instant) -> Result<Request, NotRunning> {
        match self.given.front() {
            Some(running) if running.seq == seq => {}
            _ => return Err(NotRunning(seq)),
        }
        let request = self.given.pop_front().ok_or(NotRunning(seq))?;
        self.given_bytes = self.given_bytes.saturating_sub(request.frame.len());
        self.done += 1;
        self.running_since = (!self.given.is_empty()).then_some(now);
        if self.given.is_empty() {
            self.given_bytes = 0;
            self.rest();
        }
        Ok(request)
    }

    /// What the worker is at, and since when.
    pub(super) fn running(&self) -> Option<(&Request, Instant)> {
        self.given.front().zip(self.running_since)
    }

    /// Whether more waits than the worker is given at a time.
    pub(super) fn is_behind(&self) -> bool {
        self.flow != Flow::All || self.given.len() + self.waiting.len() >= AHEAD
    }

    /// Whether the worker has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.given.is_empty()
    }

    /// How many requests this life has ended.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// The worker is no more. What it had not begun waits for the next one.
    pub(super) fn bury(&mut self, connections: &Connections) -> Left {
        (self.flow, self.generation, self.running_since, self.given_bytes) = (Flow::Nothing, 0, None, 0);
        self.first.clear();
        self.again.clear();
        let running = self.given.pop_front();
        let running_call = running.as_ref().and_then(|running| self.answer(running.seq));
        for request in std::mem::take(&mut self.given).into_iter().rev() {
            match request.kind {
                // They belong to the life that has ended.
                Kind::Begin | Kind::Stop | Kind::OpenAgain | Kind::Tick => continue,
                Kind::Call => match self.calls.get_mut(&request.seq) {
                    Some(call) => call.is_given = false,
                    None => continue,
                },
                Kind::Open => _ = request.connection.map(|id| connections.take_back(id)),
                _ => {}
            }
            if request.kind.is_optional() {
                let (count, bytes) = &mut self.optional;
                (*count, *bytes) = (*count + 1, *bytes + request.frame.len());
            }
            self.waiting.push_front(request);
        }
        self.waiting.retain(|request| request.kind != Kind::Tick);
        let waiting: HashSet<u64> = self.waiting.iter().map(|request| request.seq).collect();
        let left = self.calls.extract_if(|seq, _| !waiting.contains(seq)).map(|(_, call)| call.reply);
        Left { calls: left.collect(), running, running_call }
    }

    /// Everything that waits: there will be no further worker.
    pub(super) fn close(&mut self) -> Vec<Request> {
        self.is_closed = true;
        self.calls.clear();
        self.flow = Flow::Nothing;
        self.optional = (0, 0);
        let mut all: Vec<Request> = std::mem::take(&mut self.given).into();
        all.extend(std::mem::take(&mut self.first));
        all.extend(std::mem::take(&mut self.waiting));
        all
    }

    /// How many requests there are, and calls without an answer.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.first.len() + self.waiting.len() + self.given.len(), self.calls.len())
    }

    /// Gives back the room of what many had waited for.
    fn rest(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 2 * AHEAD {
            self.waiting = VecDeque::new();
        }
        if self.calls.is_empty() && self.calls.capacity() > 2 * AHEAD {
            self.calls = HashMap::new();
        }
    }
}

/// Makes the request by which a connection's `open` is told again.
pub(super) type Again<'a> = &'a dyn Fn(u64) -> Option<Request>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::symfony::frame::Frame;

    /// Nobody is told again.
    const NOBODY: Again<'_> = &|_| None;

    fn request(seq: u64, kind: Kind) -> Request {
        let frame = Frame::new("any").value("seq", &seq).finish().unwrap();
        Request { seq, kind, connection: None, subject: "".into(), frame, detached: None, reply: None }
    }

    fn started() -> Queue {
        let mut queue = Queue::new();
        queue.begin(1, request(1, Kind::Begin), Vec::new());
        queue
    }

    /// The numbers of what is given now.
    fn give(queue: &mut Queue) -> Vec<u64> {
        let before = queue.given.len();
        queue.give(&Connections::default(), Instant::now(), NOBODY);
        queue.given.iter().skip(before).map(|request| request.seq).collect()
    }

    fn end(queue: &mut Queue, seq: u64) -> bool {
        queue.end(seq, Instant::now()).is_ok()
    }

    #[test]
    fn requests_are_given_in_order_and_ended_in_order() {
        let mut queue = Queue::new();
        queue.push(request(2, Kind::Tick), 9).ok().unwrap();
        assert!(give(&mut queue).is_empty(), "there is no worker");
        queue.begin(1, request(1, Kind::Begin), Vec::new());
        queue.push(request(3, Kind::Publish), 9).ok().unwrap();
        assert_eq!(give(&mut queue), [1, 2, 3]);
        assert!(!end(&mut queue, 2) && !end(&mut queue, 9), "the first one runs");
        assert!(end(&mut queue, 1) && end(&mut queue, 2) && !end(&mut queue, 2) && end(&mut queue, 3));
        assert!(queue.is_idle() && queue.running().is_none());
        assert_eq!((queue.counts(), queue.done()), ((0, 0), 3));
    }

    #[test]
    fn what_a_dead_worker_had_not_begun_comes_first_for_the_next_one() {
        let mut queue = started();
        for (seq, kind) in [(2, Kind::Publish), (3, Kind::Tick), (4, Kind::Subscribe)] {
            queue.push(request(seq, kind), 9).ok().unwrap();
        }
        let mut answer = queue.push_call(request(5, Kind::Call), 9).ok().unwrap();
        assert_eq!(give(&mut queue), [1, 2, 3, 4, 5]);
        assert!(end(&mut queue, 1));
        queue.push(request(6, Kind::Close), 9).ok().unwrap();
        let left = queue.bury(&Connections::default());
        assert_eq!(left.running.unwrap().seq, 2);
        assert!(left.calls.is_empty() && left.running_call.is_none());
        assert!(answer.try_recv().is_err(), "it waits on");
        queue.begin(2, request(7, Kind::Begin), Vec::new());
        assert_eq!(give(&mut queue), [7, 4, 5, 6], "a tick belongs to its life");
    }

    #[test]
    fn calls_of_a_dead_worker_are_over_whether_they_ran_or_had_been_left_open() {
        let mut queue = started();
        let answers = [2, 3, 4].map(|seq| queue.push_call(request(seq, Kind::Call), 9).ok().unwrap());
        assert_eq!(give(&mut queue), [1, 2, 3, 4]);
        assert!(end(&mut queue, 1) && end(&mut queue, 2), "the first may be answered later");
        let left = queue.bury(&Connections::default());
        assert_eq!((left.running.unwrap().seq, left.calls.len()), (3, 1));
        assert!(left.running_call.is_some());
        assert_eq!(queue.counts(), (1, 1), "the last one waits");
        drop(answers);
    }

    #[test]
    fn a_call_that_nobody_waits_for_is_not_begun() {
        let mut queue = Queue::new();
        let _answers = [2, 3].map(|seq| queue.push_call(request(seq, Kind::Call), 9).ok().unwrap());
        assert!(queue.withdraw(2, false), "it waits");
        assert!(!queue.withdraw(2, false));
        queue.begin(1, request(1, Kind::Begin), Vec::new());
        assert_eq!(give(&mut queue), [1, 3]);
        assert!(!queue.withdraw(3, false), "it is given");
        assert!(!queue.withdraw(3, true) && queue.answer(3).is_none(), "its caller has gone");
        assert!(end(&mut queue, 1) && end(&mut queue, 3));
        assert_eq!(queue.counts(), (0, 0));
    }

    #[test]
    fn only_what_is_optional_is_refused_and_no_more_is_given_than_fits() {
        let mut queue = started();
        let pushed = (2..100).filter(|seq| queue.push(request(*seq, Kind::Publish), 40).is_ok()).count();
        assert_eq!(pushed, 40 + 1);
        assert!(queue.push(request(100, Kind::Close), 40).is_ok());
        assert_eq!(give(&mut queue).len(), AHEAD);
        assert!(queue.push(request(101, Kind::Publish), 40).is_err(), "who is given still waits");
        (1..=10).for_each(|seq| assert!(end(&mut queue, seq)));
        assert!(queue.push(request(102, Kind::Publish), 40).is_ok());
        assert_eq!(give(&mut queue).len(), 10);
    }

    #[test]
    fn of_a_crowd_those_go_whom_nobody_waits_for() {
        let mut queue = Queue::new();
        let mut replies = Vec::new();
        for seq in 0..CROWD as u64 {
            let (reply, asked) = oneshot::channel();
            let connection = Some(seq);
            let open = Request { connection, reply: Some(reply), ..request(seq, Kind::Open) };
            queue.push(open, 9).ok().unwrap();
            match seq % 2 {
                0 => replies.push(asked),
                _ => drop(asked),
            }
            assert_eq!(
                queue.thin_out(&Connections::default()).len(),
                if seq + 1 < CROWD as u64 { 0 } else { CROWD / 2 }
            );
        }
        assert_eq!(queue.counts(), (CROWD / 2, 0));
    }

    #[test]
    fn before_its_end_a_worker_is_given_nothing_but_that() {
        let mut queue = started();
        queue.push(request(2, Kind::Close), 9).ok().unwrap();
        queue.set_flow(Flow::Nothing);
        assert!(give(&mut queue).is_empty());
        queue.set_flow(Flow::First);
        queue.push_first(request(3, Kind::Stop));
        assert_eq!(give(&mut queue), [1, 3]);
        queue.bury(&Connections::default());
        assert_eq!(queue.close().len(), 1);
        assert!(queue.push(request(4, Kind::Close), 9).is_err(), "there will be no worker");
    }
}
