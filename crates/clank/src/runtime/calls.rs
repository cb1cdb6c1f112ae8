//! One connection's calls of the server's own procedures whose answers are still to come.

use clank_wire::wamp2::Id;
use thin_vec::ThinVec;
use tokio::task::AbortHandle;

use super::parts::End;

/// Calls in flight.
#[derive(Default)]
pub(crate) struct Calls(ThinVec<InFlight>);

struct InFlight {
    ticket: u32,
    abort: AbortHandle,
    /// What a client of WAMP v2 knows it by. `None`: it can't be cancelled.
    request: Option<Id>,
    /// Where it comes in parts: to be told that it has been answered.
    end: Option<End>,
    /// Its client has its answer: it was cancelled.
    answered: bool,
}

/// What is to be done with the answer of a call that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Its client waits for it.
    Awaited,
    /// Its client has had an answer.
    Answered,
    /// There is no such call.
    Unknown,
}

impl Calls {
    pub(crate) fn insert(&mut self, ticket: u32, abort: AbortHandle, request: Option<Id>, end: Option<End>) {
        self.0.push(InFlight { ticket, abort, request, end, answered: false });
    }

    /// The call with this ticket is over.
    pub(crate) fn remove(&mut self, ticket: u32) -> Over {
        let found = self.0.iter().position(|call| call.ticket == ticket);
        let over = found.map(|at| self.0.swap_remove(at));
        if self.0.is_empty() {
            self.0 = ThinVec::new();
        }
        match over {
            Some(InFlight { answered: true, .. }) => Over::Answered,
            Some(_) => Over::Awaited,
            None => Over::Unknown,
        }
    }

    /// Whether a call under this id waits for its answer.
    pub(crate) fn has(&self, request: Id) -> bool {
        self.0.iter().any(|call| call.request == Some(request))
    }

    /// Drops the call under this id, which somebody else answers. `false`: there is none.
    pub(crate) fn cancel(&mut self, request: Id) -> bool {
        let Some(call) = self.0.iter_mut().find(|call| call.request == Some(request)) else { return false };
        (call.request, call.answered) = (None, true);
        if let Some(end) = &call.end {
            end.set();
        }
        call.abort.abort();
        true
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Drops the calls. Each is still over only when its end has been told.
    pub(crate) fn drop_all(&self) {
        self.0.iter().for_each(|call| call.abort.abort());
    }

    /// Waits for no call any longer.
    pub(crate) fn forget_all(&mut self) {
        self.0 = ThinVec::new();
    }
}
