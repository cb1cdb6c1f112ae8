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
