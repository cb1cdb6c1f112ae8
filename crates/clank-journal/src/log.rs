//! The durable log: every record, in order, in files of its own.
//!
//! ```text
//! append ─> intake ─> writer: stage ─> write, sync ─> publish ─> then
//!                       │ ledger, users, room
//!                       └ retention: copy what is still needed, remove the oldest segment
//! ```
//!
//! One thread writes. It takes all that was handed over meanwhile, encodes it, and writes and syncs it
//! as one batch: the more there is to do, the less a record costs.
//!
//! - `options`, `error`, `metrics`: what can be chosen, goes wrong, and is counted
//! - `format`, `notes`, `lane`: what stands in a segment
//! - `intake`, `shared`, `ids`: what other threads touch
//! - `writer`, `run`, `retention`: the thread that writes, and what it does beside
//! - `staging`, `batch`, `settled`, `ledger`, `room`: what becomes of a record before it is written
//! - `appender`, `disk`, `lock`: how a batch reaches the disk
//! - `segments`, `recovery`, `reader`: how it is read again
//! - `salvage`, `repair`: what is done about damage

mod appender;
mod batch;
mod disk;
mod error;
mod format;
mod ids;
mod intake;
mod lane;
mod ledger;
mod lock;
mod metrics;
mod notes;
mod options;
mod reader;
mod recovery;
mod repair;
mod retention;
mod room;
mod run;
mod salvage;
mod segments;
mod settled;
mod shared;
mod staging;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::SystemTime;

use clank_core::event::{Event, EventKind, Origin, Timestamp};
use clank_core::id::ResourceId;
use clank_core::journal::{Begun, CannotBegin, Journal, Position, Then};
use tokio::sync::watch;

pub use error::OpenError;
pub use metrics::Metrics;
pub use options::{Durability, Kinds, OnFull, Options};
pub use reader::Reader;
pub use repair::{Report, check, repair};
pub use salvage::Damage;

use crate::source::{Entry, Source};
use appender::{Appender, Place};
use disk::{Disk, RealDisk};
use intake::{Command, OpenConnections};
pub(crate) use lock::DirectoryLock;
use recovery::Recovered;
use settled::Settled;
use shared::Shared;
use staging::Staging;
use writer::{Before, Writer};

/// The name of one journal: positions can be compared within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JournalId(uuid::Uuid);

impl JournalId {
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// A new name: a UUID of version 7.
    fn new(now: Timestamp) -> io::Result<Self> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random).into_uuid()))
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A durable log in a directory of its own.
///
/// ```
/// use clank_core::journal::Position;
/// use clank_journal::log::{Log, Options};
/// use clank_journal::source::Source;
/// # let directory = std::env::temp_dir().join(format!("clank-log-{}", std::process::id()));
/// let log = Log::open(&directory, Options::default())?;
/// assert_eq!(*log.end().borrow(), Position::START);
/// # drop(log);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Log {
    shared: Arc<Shared>,
    id: JournalId,
    kinds: Kinds,
    writer: Option<JoinHandle<()>>,
    _lock: DirectoryLock,
}

impl Log {
    /// Opens the log in `directory`, or makes one. What a crash left behind its last whole record is
    /// cut off.
    ///
    /// Until a run begins ([`Journal::begin`]), nothing is written and nothing is kept.
    ///
    /// # Errors
    /// When another process has it, when it is damaged, or when the system refuses something.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = DirectoryLock::take(directory)?;
        let options = options.bounded();
        let kinds = options.kinds;
        let (writer, id) = open_writer(directory, options, Box::new(RealDisk), SystemTime::now().into())?;
        let shared = Arc::clone(&writer.shared);
        let thread = std::thread::Builder::new().name("clank-journal".to_owned());
        let writer = thread.spawn(move || writer::run(writer)).map_err(OpenError::io(directory))?;
        Ok(Self { shared, id, kinds, writer: Some(writer), _lock: lock })
    }

    /// The journal's name.
    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Says how many bytes others keep beside the log, as delivery does its dead letters: they count
    /// towards [`Options::max_bytes`] too.
    pub fn charge(&self, bytes: u64) {
        self.shared.set_others(bytes);
    }

    /// What the log has done and holds.
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.read()
    }
}

impl Drop for Log {
    /// Writes what was handed over. A run that was not ended counts as crashed.
    fn drop(&mut self) {
        self.shared.intake.stop();
        // what is told of the last record may own the log, and then this is the writer's thread
        let this = std::thread::current().id();
        if let Some(writer) = self.writer.take().filter(|writer| writer.thread().id() != this) {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("id", &self.id).field("directory", &self.shared.directory).finish()
    }
}

impl Journal for Log {
    fn begin(&self, origin: &Origin, now: Timestamp) -> Result<Begun, CannotBegin> {
        let (reply, replied) = sync_channel(1);
        self.shared.intake.command(Command::Begin { origin: origin.clone(), now, reply });
        replied.recv().unwrap_or_else(|_| Err(CannotBegin("the journal's writer has failed".into())))
    }

    fn keeps(&self, kind: EventKind) -> bool {
        self.kinds.has(kind)
    }

    fn append(&self, record: Event, then: Then) {
        self.shared.intake.hand(record, then);
    }

    fn next_resource_id(&self) -> Option<ResourceId> {
        let (id, is_more_wanted) = self.shared.ids.next();
        if is_more_wanted {
            self.shared.intake.poke();
        }
        id
    }

    fn end(&self, now: Timestamp) {
        let (reply, replied) = sync_channel(1);
        self.shared.intake.command(Command::End { now, reply });
        // without an answer the writer is gone, and nothing more can be done
        let _ = replied.recv();
    }
}

impl Source for Log {
    fn read(&self, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>> {
        read(&self.shared, after, max_bytes)
    }

    fn end(&self) -> watch::Receiver<Position> {
        self.shared.end.subscribe()
    }

    fn dropped(&self) -> Position {
        self.shared.dropped()
    }

    fn open(&self) -> (Position, Vec<Entry>) {
        let (reply, replied) = sync_channel(1);
        self.shared.intake.command(Command::Open { reply });
        match replied.recv() {
            Ok(open) => open_entries(open),
            Err(_) => (*self.shared.end.borrow(), Vec::new()),
        }
    }

    fn release(&self, up_to: Position) {
        self.shared.release(up_to.value());
    }
}

/// Gives the journal in `directory` a new name. That is to be done where a backup was restored: the
/// positions that follow are not those that followed before, and who compares them must see that.
///
/// # Errors
/// As [`Log::open`].
pub fn renew_id(directory: &Path, now: Timestamp) -> Result<JournalId, OpenError> {
    let _lock = DirectoryLock::take(directory)?;
    let id = JournalId::new(now).map_err(OpenError::io(directory))?;
    let (mut writer, _) = open_writer(directory, Options::default().bounded(), Box::new(RealDisk), now)?;
    writer.renew_id(id, now).map_err(|error| OpenError::Io { file: directory.to_owned(), error })?;
    Ok(id)
}

fn read(shared: &Shared, after: Position, max_bytes: usize) -> io::Result<Vec<Entry>> {
    loop {
        let stretches = reader::stretches(&shared.segments(), after, max_bytes);
        match reader::read(&shared.directory, &stretches, after, max_bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && has_removed(shared, &stretches) => {}
            result => return result,
        }
    }
}

/// Whether a segment that was to be read has been removed meanwhile.
fn has_removed(shared: &Shared, stretches: &[reader::Stretch]) -> bool {
    let oldest = shared.segments().first().map(|segment| segment.number);
    stretches.iter().any(|stretch| Some(stretch.number) < oldest)
}

fn open_entries(open: OpenConnections) -> (Position, Vec<Entry>) {
    let OpenConnections { position, mut records } = open;
    records.sort_unstable_by_key(|(position, _)| *position);
    let entries = records.into_iter().filter_map(|(position, record)| {
        Some(Entry {
            position: Position::new(position),
            kind: EventKind::Connected,
            connection: record.connection().map(|facts| facts.connection_id),
            lane: lane::of(&record),
            // what was recorded once can be again
            json: serde_json::to_vec(&record).ok()?.into(),
        })
    });
    (Position::new(position), entries.collect())
}

/// Reads what is there, cuts off what a crash has left, and makes ready to write.
fn open_writer(
    directory: &Path,
    options: Options,
    disk: Box<dyn Disk>,
    now: Timestamp,
) -> Result<(Writer, JournalId), OpenError> {
    let Recovered { journal, segments, last_file, torn, state } = recovery::recover(directory)?;
    if let Some(torn) = &torn {
        tracing::warn!(file = %torn.file.display(), offset = torn.offset, bytes = torn.length,
            "the end of the journal was torn, and is cut off");
        if torn.offset == 0 {
            disk.remove(&torn.file).map_err(OpenError::io(&torn.file))?;
        }
    }
    let id = match journal {
        Some(id) => id,
        None => JournalId::new(now).map_err(OpenError::io(directory))?,
    };
    let place = Place {
        disk,
        directory: directory.to_owned(),
        journal: id,
        durability: options.durability,
        space: if options.preallocate { options.segment_bytes } else { 0 },
    };
    let appender = match segments.last() {
        Some(last) => Appender::resume(place, last.number, last.length, last_file),
        None => Appender::create(place, now),
    };
    let appender = appender.map_err(OpenError::io(directory))?;
    let end = Position::new(state.position);
    let shared = Arc::new(Shared::new(directory.to_owned(), &options, segments, end));
    let are_users_told = options.kinds.has(EventKind::Online);
    let settled = Settled::new(are_users_told.then_some(options.user_grace));
    let staging = Staging::new(state.ledger, state.position, settled, options.max_bytes, options.minor_rate);
    let before = Before { run: state.run, sweep: state.sweep, heartbeat: state.heartbeat };
    Ok((Writer::new(shared, options, appender, staging, before, state.ids_end), id))
}
