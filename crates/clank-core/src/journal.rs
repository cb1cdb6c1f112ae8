//! The port to a journal: what a server asks of the place where its lifecycle events are kept.
//!
//! A journal is a durable, ordered log of records, with a ledger of the connections that are open.
//! Its duties:
//!
//! - **Durable first.** A record is reported as kept once it survives what the journal's
//!   configuration says it survives, and not before. Sinks are offered it after that.
//! - **Atomic.** `connected` and the connection's row in the ledger are written together, and so are
//!   `disconnected` and the end of that row.
//! - **One of each.** A second `connected` or `disconnected` of a connection is a [`Conflict`]: it
//!   changes nothing.
//! - **Order.** Records that one thread hands over are kept in that order.
//! - **No loss of an end.** A `disconnected` whose `connected` was kept is refused to nobody: it
//!   waits until there is room for it.
//!
//! [`Conflict`]: NotRecorded::Conflict

use std::fmt;

use crate::event::{Event, EventKind, Origin, PreviousRun, Timestamp};
use crate::id::ResourceId;

/// Where a record lies in its journal. Later records have greater positions; nothing else can be
/// read from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Before every record.
    pub const START: Self = Self(0);

    /// The position with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a record is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRecorded {
    /// The connection has such a record already, or has none that this one could follow.
    #[error("the connection has this record already")]
    Conflict,
    /// There is no room, and the record is one that may be refused.
    #[error("the journal is full")]
    Full,
    /// The disk refused it. Whether it was kept shows after the journal has been read again.
    #[error("the journal cannot be written")]
    Failed,
    /// There are more records of less important kinds than may be kept.
    #[error("too many records of this kind")]
    Shed,
    /// The journal has been closed.
    #[error("the journal is closed")]
    Closed,
}

/// Called exactly once with what became of a record, on a thread of the journal's: it must not block.
pub type Then = Box<dyn FnOnce(Result<Position, NotRecorded>) + Send>;

/// What a journal says at the beginning of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The run before, if the journal knows of one. Every connection that it left open has been
    /// closed by the record, as [`NodeLost`](crate::cause::Cause::NodeLost).
    pub previous: Option<PreviousRun>,
    /// The first resource id that no earlier run can have given to a connection.
    pub first: ResourceId,
}

/// A run that the journal cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be used: {0}")]
pub struct CannotBegin(pub Box<dyn std::error::Error + Send + Sync>);

/// A place where lifecycle events are kept.
pub trait Journal: Send + Sync + 'static {
    /// Begins a run, and closes by the record what earlier runs of this node left open. When it
    /// returns, all of that is durable. It may block.
    ///
    /// # Errors
    /// When the journal cannot be written.
    fn begin(&self, origin: &Origin, now: Timestamp) -> Result<Begun, CannotBegin>;

    /// Whether records of this kind are kept. Those of connections that open and end always are.
    fn keeps(&self, kind: EventKind) -> bool;

    /// Hands a record over. It does not block; `then` is called when the record is durable, or will
    /// not be kept.
    fn append(&self, record: Event, then: Then);

    /// A resource id that no run has given to a connection; `None` while the disk does not take the
    /// reservation of more.
    fn next_resource_id(&self) -> Option<ResourceId>;

    /// The run ends in order: what was handed over is written, then the end. It may block, no longer
    /// than the disk does; after it, records are refused as [`NotRecorded::Closed`].
    fn end(&self, now: Timestamp);
}
