//! What delivery reads: the durable records, in order.

use std::io;

use bytes::Bytes;
use clank_core::event::EventKind;
use clank_core::id::ConnectionId;
use clank_core::journal::Position;
use tokio::sync::watch;

/// A record as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub position: Position,
    /// What it tells of.
    pub kind: EventKind,
    /// The connection that it tells of, if that was admitted.
    pub connection: Option<ConnectionId>,
    /// What is delivered in order: the same number for all events of one identity, or of one
    /// connection where no identity is known; 0 for those of the server itself and of clients that
    /// were rejected.
    pub lane: u64,
    /// The whole record, a JSON object without line breaks.
    pub json: Bytes,
}

/// Where durable records are read.
pub trait Source: Send + Sync + 'static {
    /// The records behind `after`, in order: at least one if there is one, beyond that as many as
    /// fit into `max_bytes`. It blocks on the disk.
    ///
    /// # Errors
    /// When the disk cannot be read, or what it says is corrupt.
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>>;

    /// The last durable record's position, now and whenever it changes.
    fn end(&self) -> watch::Receiver<Position>;

    /// The last position that has been dropped; all that lies behind it can be read.
    fn dropped(&self) -> Position;

    /// The `connected` records of the connections that are open at a position, and that position.
    fn open(&self) -> (Position, Vec<Entry>);

    /// Records up to this position are needed by nobody any more, but for those that the
    /// configuration keeps for a time.
    fn release(&self, up_to: Position);
}
