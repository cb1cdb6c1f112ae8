//! Where the state of all sinks is kept: one redb file, `delivery.redb`, in the data directory.
//!
//! Tables, whose keys begin with the sink's name and whose values are JSON:
//!
//! - `sinks`: [`Progress`]
//! - `retries`: by lane and position, events that wait for another try
//! - `dead`: by position, dead letters
//! - `lost`: by connection, what the sink did not get of it
//! - `snapshot`: by position, the open connections that a new sink is told of first
//!
//! Beside it lies `sinks.json`, the names alone. A sink that is named there and has no state has
//! lost it: it begins at the oldest record that the journal has, and not, as a new one does, at the
//! end.

mod letters;
mod names;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;

use clank_core::event::{Body, Event, Gap, Origin, Timestamp};
use clank_core::id::ConnectionId;
use clank_core::journal::Position;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use letters::{DeadLetter, Letters};

pub(super) use self::letters::Total;
use self::names::Names;
use super::options::SinkName;
use super::state::{Change, Changes, Kept, Lane, Progress, Row};
use crate::source::Entry;

const FILE: &str = "delivery.redb";
/// redb's own cache; the system's is behind it.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

type LaneKey = (&'static str, u8, u64, u64);

const SINKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sinks");
const RETRIES: TableDefinition<'_, LaneKey, &[u8]> = TableDefinition::new("retries");
const DEAD: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("dead");
const LOST: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("lost");
const SNAPSHOT: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("snapshot");

/// What is known of a sink at the start.
pub(super) enum Known {
    /// It was here before.
    Kept(Box<Kept>),
    /// It was here before, and its state is lost.
    Forgotten,
    /// It never was.
    New,
}

/// What a commit has done beside what it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Committed {
    /// Dead letters there were no room for: the lane in which their gap waits to be told, and how
    /// many bytes it has.
    pub(super) dropped: Option<(Lane, u64)>,
}

/// The state of all sinks. Its methods block on the disk.
pub(super) struct Store {
    database: Database,
    names: Mutex<Names>,
    /// About how many dead letters each sink has; exact after each count.
    totals: Mutex<HashMap<SinkName, Total>>,
    origin: Origin,
}

impl Store {
    /// Opens it, or makes a new one where there is none or it cannot be read.
    ///
    /// # Errors
    /// When the directory cannot be written, or another process has it open.
    pub(super) fn open(directory: &Path, origin: Origin) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(FILE);
        let database = match open_or_make(&path) {
            Ok(database) => database,
            Err(error @ redb::Error::DatabaseAlreadyOpen) => return Err(failed(error)),
            Err(error) => {
                let aside = directory.join(format!("{FILE}.unreadable"));
                tracing::error!(
                    %error, aside = %aside.display(),
                    "the state of all sinks cannot be read: it is put aside, and they begin at the oldest record"
                );
                fs::rename(&path, &aside)?;
                open_or_make(&path).map_err(failed)?
            }
        };
        Self::new(database, directory, origin)
    }

    /// Opens the one that is there, whatever its state; `None` if there is none.
    pub(super) fn open_existing(directory: &Path, origin: Origin) -> io::Result<Option<Self>> {
        let path = directory.join(FILE);
        if !path.try_exists()? {
            return Ok(None);
        }
        Self::new(open_or_make(&path).map_err(failed)?, directory, origin).map(Some)
    }

    fn new(database: Database, directory: &Path, origin: Origin) -> io::Result<Self> {
        Ok(Self { database, names: Mutex::new(Names::open(directory)?), totals: Mutex::default(), origin })
    }

    /// The sinks that have been here, whether they are configured or not.
    pub(super) fn sinks(&self) -> io::Result<Vec<(SinkName, Progress)>> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(SINKS).map_err(failed)?;
        let mut sinks = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (name, value) = row.map_err(failed)?;
            if let Ok(name) = name.value().parse() {
                self.count_dead(&name)?;
                sinks.push((name, from_json(value.value())?));
            }
        }
        Ok(sinks)
    }

    /// What is known of a sink, which counts as known from now on.
    pub(super) fn load(&self, sink: &SinkName) -> io::Result<Known> {
        let is_known = {
            let mut names = self.names.lock().map_err(|_| poisoned())?;
            !names.add(sink)?
        };
        self.count_dead(sink)?;
        let transaction = self.database.begin_read().map_err(failed)?;
        let sinks = transaction.open_table(SINKS).map_err(failed)?;
        let Some(progress) = sinks.get(sink.as_str()).map_err(failed)? else {
            return Ok(if is_known { Known::Forgotten } else { Known::New });
        };
        let mut kept = Kept { progress: from_json(progress.value())?, ..Kept::default() };
        let retries = transaction.open_table(RETRIES).map_err(failed)?;
        for row in retries.range(lanes_of(sink.as_str())).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let (_, tag, number, _) = key.value();
            let lane = Lane::from_key((tag, number));
            kept.retry_bytes += value.value().len() as u64;
            match kept.lanes.last_mut() {
                Some((last, events)) if *last == lane => *events += 1,
                _ => kept.lanes.push((lane, 1)),
            }
        }
        let lost = transaction.open_table(LOST).map_err(failed)?;
        for row in lost.range((sink.as_str(), "")..=(sink.as_str(), LAST_TEXT)).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let (_, connection) = key.value();
            if let Ok(connection) = connection.parse::<ConnectionId>() {
                kept.lost.push((connection, from_json(value.value())?));
            }
        }
        Ok(Known::Kept(Box::new(kept)))
    }

    /// Begins a sink: its progress, and the open connections that it is told of first.
    pub(super) fn begin(&self, sink: &SinkName, progress: &Progress, snapshot: &[Entry]) -> io::Result<()> {
        let changes = Changes { progress: progress.clone(), ..Changes::default() };
        self.write(|transaction| {
            let mut table = transaction.open_table(SNAPSHOT)?;
            for entry in snapshot {
                let row = snapshot_row(entry).ok_or_else(|| unreadable(entry.position))?;
                table.insert((sink.as_str(), entry.position.value()), &*to_json(&row)?)?;
            }
            drop(table);
            write_progress(transaction, sink, &changes)
        })
    }

    /// Makes changes, all of them or none. Past `max_dead_bytes` the oldest dead letters are
    /// dropped, and a gap is written in their place.
    pub(super) fn commit(
        &self,
        sink: &SinkName,
        changes: &Changes,
        max_dead_bytes: u64,
        now: Timestamp,
    ) -> io::Result<Committed> {
        let total = self.dead_with(sink, changes);
        let committed = self.write(|transaction| {
            let name = sink.as_str();
            write_progress(transaction, sink, changes)?;
            for change in &changes.made {
                apply(transaction, name, change)?;
            }
            if changes.progress.snapshot_to > Position::START
                && changes.progress.cursor >= changes.progress.snapshot_to
            {
                let mut snapshot = transaction.open_table(SNAPSHOT)?;
                snapshot.retain_in((name, 0)..=(name, u64::MAX), |_, _| false)?;
            }
            let is_over = total.bytes > max_dead_bytes;
            let dropped = if is_over { letters::make_room(transaction, name, max_dead_bytes)? } else { None };
            let dropped = dropped.map(|gap| self.tell_gap(transaction, name, gap, now)).transpose()?;
            Ok(Committed { dropped })
        })?;
        self.dead_are(sink, total)?;
        if total.bytes > max_dead_bytes {
            self.count_dead(sink)?;
        }
        Ok(committed)
    }

    /// Writes a gap where it waits to be delivered.
    fn tell_gap(
        &self,
        transaction: &WriteTransaction,
        sink: &str,
        gap: Gap,
        now: Timestamp,
    ) -> Result<(Lane, u64), redb::Error> {
        let event = Event::new(now, self.origin.clone(), Body::Gap(gap));
        let record = serde_json::value::to_raw_value(&event).map_err(not_json)?;
        let bytes = record.get().len() as u64;
        let row = Row {
            kind: event.kind(),
            id: event.id(),
            connection: None,
            lane: 0,
            snapshot: false,
            revived: false,
            attempts: 0,
            tries: 0,
            first_failed: None,
            record,
        };
        let lane = Lane::Alone(gap.to);
        apply(transaction, sink, &Change::Retry(lane, Position::new(gap.to), Box::new(row)))?;
        Ok((lane, bytes))
    }

    /// The first events of a lane that wait for another try.
    pub(super) fn fetch(&self, sink: &SinkName, lane: Lane, most: usize) -> io::Result<Vec<(Position, Row)>> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(RETRIES).map_err(failed)?;
        let (tag, number) = lane.key();
        let range = (sink.as_str(), tag, number, 0)..=(sink.as_str(), tag, number, u64::MAX);
        let mut rows = Vec::new();
        for row in table.range(range).map_err(failed)?.take(most) {
            let (key, value) = row.map_err(failed)?;
            let (_, _, _, position) = key.value();
            rows.push((Position::new(position), from_json(value.value())?));
        }
        Ok(rows)
    }

    /// The records of a sink's snapshot behind `after`: at least one if there is one, beyond that
    /// as many as fit.
    pub(super) fn snapshot(
        &self,
        sink: &SinkName,
        after: Position,
        max_bytes: usize,
    ) -> io::Result<Vec<Entry>> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(SNAPSHOT).map_err(failed)?;
        let range = (sink.as_str(), after.value().saturating_add(1))..=(sink.as_str(), u64::MAX);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for row in table.range(range).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            bytes += value.value().len();
            if !entries.is_empty() && bytes > max_bytes {
                break;
            }
            let row: Row = from_json(value.value())?;
            entries.push(row.entry(Position::new(key.value().1)));
        }
        Ok(entries)
    }

    /// Forgets a sink.
    pub(super) fn remove(&self, sink: &SinkName) -> io::Result<()> {
        let name = sink.as_str();
        self.write(|transaction| {
            transaction.open_table(SINKS)?.remove(name)?;
            transaction.open_table(RETRIES)?.retain_in(lanes_of(name), |_, _| false)?;
            transaction.open_table(DEAD)?.retain_in((name, 0)..=(name, u64::MAX), |_, _| false)?;
            transaction.open_table(LOST)?.retain_in((name, "")..=(name, LAST_TEXT), |_, _| false)?;
            transaction.open_table(SNAPSHOT)?.retain_in((name, 0)..=(name, u64::MAX), |_, _| false)?;
            Ok(())
        })?;
        self.totals.lock().map_err(|_| poisoned())?.remove(sink);
        self.names.lock().map_err(|_| poisoned())?.remove(sink)
    }

    /// Runs changes in one transaction, which is durable when it returns.
    fn write<T>(&self, change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> io::Result<T> {
        let transaction = self.database.begin_write().map_err(failed)?;
        let made = change(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(made)
    }
}

/// Behind every text that is a key.
const LAST_TEXT: &str = "\u{10ffff}";

fn lanes_of(sink: &str) -> RangeInclusive<(&str, u8, u64, u64)> {
    (sink, 0, 0, 0)..=(sink, u8::MAX, u64::MAX, u64::MAX)
}

fn open_or_make(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
    make_tables(&database)?;
    Ok(database)
}

fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(SINKS)?;
    transaction.open_table(RETRIES)?;
    transaction.open_table(DEAD)?;
    transaction.open_table(LOST)?;
    transaction.open_table(SNAPSHOT)?;
    Ok(transaction.commit()?)
}

fn write_progress(
    transaction: &WriteTransaction,
    sink: &SinkName,
    changes: &Changes,
) -> Result<(), redb::Error> {
    let mut sinks = transaction.open_table(SINKS)?;
    sinks.insert(sink.as_str(), &*to_json(&changes.progress)?)?;
    Ok(())
}

fn apply(transaction: &WriteTransaction, sink: &str, change: &Change) -> Result<(), redb::Error> {
    match change {
        Change::Retry(lane, position, row) => {
            let (tag, number) = lane.key();
            let mut retries = transaction.open_table(RETRIES)?;
            retries.insert((sink, tag, number, position.value()), &*to_json(row)?)?;
        }
        Change::Done(lane, position) => {
            let (tag, number) = lane.key();
            transaction.open_table(RETRIES)?.remove((sink, tag, number, position.value()))?;
        }
        Change::Dead(position, dead) => {
            transaction.open_table(DEAD)?.insert((sink, position.value()), &*to_json(dead)?)?;
        }
        Change::Lost(connection, lost) => {
            let connection = connection.to_string();
            transaction.open_table(LOST)?.insert((sink, &*connection), &*to_json(lost)?)?;
        }
        Change::Over(connection) => {
            let connection = connection.to_string();
            transaction.open_table(LOST)?.remove((sink, &*connection))?;
        }
        Change::Superseded(position) => letters::supersede(transaction, sink, *position)?,
    }
    Ok(())
}

fn snapshot_row(entry: &Entry) -> Option<Row> {
    super::scheduler::Item::new(entry.clone()).and_then(|item| item.row()).map(|row| *row)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(not_json)
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(io::Error::from)
}

fn not_json(error: serde_json::Error) -> redb::Error {
    redb::Error::Io(io::Error::from(error))
}

fn unreadable(position: Position) -> redb::Error {
    let error = format!("the record at {position} is no event");
    redb::Error::Io(io::Error::new(io::ErrorKind::InvalidData, error))
}

fn poisoned() -> io::Error {
    io::Error::other("a thread of delivery panicked")
}

fn failed(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(error) => error,
        redb::Error::DatabaseAlreadyOpen => {
            io::Error::new(io::ErrorKind::ResourceBusy, "delivery.redb is open elsewhere")
        }
        other => io::Error::other(other),
    }
}
