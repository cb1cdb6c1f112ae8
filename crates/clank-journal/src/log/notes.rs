//! What the log notes for itself between the records, as JSON.

use clank_core::event::{Event, Identity, Origin, PreviousRun, Timestamp};
use clank_core::id::{ConnectionId, NodeId, RunId};
use serde::{Deserialize, Serialize};

/// A run has begun, or has ended in order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunNote {
    pub(crate) node: NodeId,
    pub(crate) run: RunId,
    pub(crate) time: Timestamp,
}

impl RunNote {
    pub(crate) fn new(origin: &Origin, time: Timestamp) -> Self {
        Self { node: origin.node.clone(), run: origin.run, time }
    }
}

/// The process was alive.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) time: Timestamp,
}

/// Resource ids below `end` may have been given.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) end: u64,
}

/// A connection that is open, copied from a segment that is about to be removed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RowNote<R> {
    /// Where its `connected` was.
    pub(crate) position: u64,
    /// The last sequence that one of its records had.
    pub(crate) sequence: u64,
    /// That `connected`.
    pub(crate) record: R,
}

/// The same, as it is written and read.
pub(crate) type OpenRow = RowNote<Event>;

/// A user who is online: what matters of the record that says so, or a copy of that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OnlineNote {
    pub(crate) connection_id: ConnectionId,
    pub(crate) identity: Identity,
}

/// A run has begun to close what an earlier one left open. Should it die meanwhile, the next one
/// still knows how much that was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) previous: PreviousRun,
}
