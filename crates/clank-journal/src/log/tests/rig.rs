//! What the tests of several modules use.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use clank_core::cause::{Cause, ErrorKind};
use clank_core::event::{
    Body, Change, ConnectionFacts, Disconnected, Event, Failure, Identity, Origin, Rejection, RequestFacts,
    Timestamp,
};
use clank_core::id::{ConnectionId, ResourceId, RunId};
use clank_core::journal::{Begun, CannotBegin, NotRecorded, Position};

use super::super::disk::{Disk, Output, RealDisk};
use super::super::format::{Found, SEGMENT_HEADER, Tag, decode};
use super::super::intake::{Answer, Command, Handed, Work};
use super::super::writer::{Now, Writer};
use super::super::{Metrics, OpenError, Options, open_writer, read, segments};
use crate::source::Entry;

/// A directory that is gone with its owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("clank-journal-{}-{count}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A copy, as a crash would leave it.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir_all(copy.path()).unwrap();
        for file in std::fs::read_dir(&self.0).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
            }
        }
        copy
    }

    /// The files of all segments, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let numbers = segments::list(&self.0).unwrap();
        numbers.into_iter().map(|number| segments::path(&self.0, number)).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Faults of a disk, which a test sets while it is used.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<FaultState>>);

#[derive(Default)]
pub(crate) struct FaultState {
    /// So many bytes fit on the disk yet.
    pub(crate) room: Option<u64>,
    /// A write takes so many bytes at most.
    pub(crate) longest_write: Option<usize>,
    /// So many syncs work before one fails; all do without a number.
    pub(crate) good_syncs: Option<u32>,
    /// How many syncs fail then.
    pub(crate) bad_syncs: u32,
    /// Files of which a sync failed.
    suspect: HashSet<PathBuf>,
    /// Whether one of them was synced again.
    pub(crate) is_synced_again: bool,
}

impl Faults {
    pub(crate) fn set(&self) -> MutexGuard<'_, FaultState> {
        self.0.lock().unwrap()
    }
}

struct FaultyDisk(Faults);

struct FaultyOutput {
    file: Box<dyn Output>,
    path: PathBuf,
    /// What was written since the last sync: from here to there.
    dirty: Mutex<Option<(u64, u64)>>,
    faults: Faults,
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path, space: u64) -> io::Result<Box<dyn Output>> {
        // another file, though it may have the name of one that failed
        self.0.set().suspect.remove(path);
        self.output(path, RealDisk.create(path, space)?)
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.output(path, RealDisk.reopen(path)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        RealDisk.sync_directory(directory)
    }
}

impl FaultyDisk {
    fn output(&self, path: &Path, file: Box<dyn Output>) -> io::Result<Box<dyn Output>> {
        let faults = self.0.clone();
        Ok(Box::new(FaultyOutput { file, path: path.to_owned(), dirty: Mutex::new(None), faults }))
    }
}

impl Output for FaultyOutput {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut faults = self.faults.set();
        let longest = faults.longest_write.unwrap_or(usize::MAX);
        let room = faults.room.map_or(usize::MAX, |room| usize::try_from(room).unwrap());
        let length = bytes.len().min(longest).min(room);
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        faults.room = faults.room.map(|room| room - length as u64);
        let written = self.file.write_at(&bytes[..length], offset)?;
        let mut dirty = self.dirty.lock().unwrap();
        let (from, to) = dirty.unwrap_or((offset, offset));
        *dirty = Some((from.min(offset), to.max(offset + written as u64)));
        Ok(written)
    }

    /// A sync that fails leaves zeros where something was written: the kernel has dropped the pages.
    fn sync(&self) -> io::Result<()> {
        let mut faults = self.faults.set();
        faults.is_synced_again |= faults.suspect.contains(&self.path);
        let dirty = self.dirty.lock().unwrap().take();
        if faults.good_syncs == Some(0) && faults.bad_syncs > 0 {
            faults.bad_syncs -= 1;
            faults.suspect.insert(self.path.clone());
            if let Some((from, to)) = dirty {
                let zeros = vec![0; usize::try_from(to - from).unwrap()];
                self.file.write_at(&zeros, from)?;
            }
            return Err(io::Error::other("injected"));
        }
        faults.good_syncs = faults.good_syncs.map(|good| good.saturating_sub(1));
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let before = std::fs::metadata(&self.path)?.len();
        self.file.truncate(length)?;
        let mut faults = self.faults.set();
        faults.room = faults.room.map(|room| room + before.saturating_sub(length));
        Ok(())
    }
}

/// A log without a thread, whose time stands still between turns.
pub(crate) struct Rig {
    pub(crate) writer: Writer,
    pub(crate) directory: Arc<Directory>,
    pub(crate) now: Now,
    pub(crate) faults: Faults,
    options: Options,
}

/// Small segments without space in advance, so that tests are quick.
pub(crate) fn options() -> Options {
    Options { segment_bytes: 1 << 20, preallocate: false, ..Options::default() }
}

pub(crate) fn time(millis: u64) -> Timestamp {
    Timestamp::from_unix_micros((1_700_000_000_000 + millis) * 1_000)
}

impl Rig {
    pub(crate) fn new(options: Options) -> Self {
        Self::open(Arc::new(Directory::new()), options, 0).unwrap()
    }

    /// A rig whose run has begun.
    pub(crate) fn begun(options: Options) -> Self {
        let mut rig = Self::new(options);
        rig.begin(1).unwrap();
        rig
    }

    pub(crate) fn open(directory: Arc<Directory>, options: Options, millis: u64) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory.path()).unwrap();
        let faults = Faults::default();
        let disk = Box::new(FaultyDisk(faults.clone()));
        let now = Now { time: time(millis), ticks: Duration::ZERO };
        let (writer, _) = open_writer(directory.path(), options.clone().bounded(), disk, now.time)?;
        Ok(Self { writer, directory, now, faults, options })
    }

    /// What comes up after a crash: everything is as the disk has it.
    pub(crate) fn crash(self) -> Self {
        let Self { directory, options, now, .. } = self;
        let since = now.time.since(time(0));
        Self::open(directory, options, u64::try_from(since.as_millis()).unwrap()).unwrap()
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now.ticks += Duration::from_millis(millis);
        self.now.time = Timestamp::from_unix_micros(self.now.time.unix_micros() + millis * 1_000);
    }

    pub(crate) fn begin(&mut self, run: u8) -> Result<Begun, CannotBegin> {
        let (reply, replied) = sync_channel(1);
        let commands = vec![Command::Begin { origin: origin(run), now: self.now.time, reply }];
        self.writer.turn(Work { commands, ..Work::default() }, self.now);
        replied.recv().unwrap()
    }

    pub(crate) fn end(&mut self) {
        let (reply, replied) = sync_channel(1);
        let commands = vec![Command::End { now: self.now.time, reply }];
        self.writer.turn(Work { commands, ..Work::default() }, self.now);
        replied.recv().unwrap();
    }

    /// Hands records over, in one batch; returns the answers that came in this turn.
    pub(crate) fn turn(&mut self, records: impl IntoIterator<Item = Event>) -> Vec<Answered> {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let hand = |record: Event| {
            let (id, answers) = (record.id().to_string(), Arc::clone(&answers));
            let answer = Answer::new(Box::new(move |result| answers.lock().unwrap().push((id, result))));
            Handed { record, answer }
        };
        let handed = records.into_iter().map(hand).collect();
        self.writer.turn(Work { handed, ..Work::default() }, self.now);
        std::mem::take(&mut *answers.lock().unwrap())
    }

    /// The same, for records that are all kept.
    pub(crate) fn keep(&mut self, records: impl IntoIterator<Item = Event>) {
        for (id, result) in self.turn(records) {
            assert!(result.is_ok(), "{id}: {result:?}");
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        read(&self.writer.shared, Position::START, usize::MAX).unwrap()
    }

    pub(crate) fn records(&self) -> Vec<Event> {
        self.entries().iter().map(|entry| serde_json::from_slice(&entry.json).unwrap()).collect()
    }

    /// Where the record at `position` begins and ends in the first segment.
    pub(crate) fn entry_at(&self, position: u64) -> (usize, usize) {
        let bytes = std::fs::read(&self.directory.segments()[0]).unwrap();
        let mut offset = SEGMENT_HEADER;
        loop {
            let Found::Entry(raw) = decode(&bytes, offset) else { panic!("no such record") };
            if raw.head.position == position && matches!(raw.head.tag, Tag::Event(_)) {
                return (offset, raw.end());
            }
            offset = raw.end();
        }
    }

    /// The ids of all records, with the numbers of [`connection`] for connections.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.records().iter().map(short_id).collect()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.writer.shared.counters.read()
    }
}

/// A record's id, and what became of it.
pub(crate) type Answered = (String, Result<Position, NotRecorded>);

/// What became of each record.
pub(crate) fn results(answers: &[Answered]) -> Vec<Result<u64, NotRecorded>> {
    answers.iter().map(|(_, result)| result.map(Position::value)).collect()
}

fn short_id(record: &Event) -> String {
    let id = record.id().to_string();
    let (subject, suffix) = id.split_once('.').unwrap();
    // the last digits of a connection's name are its number
    let number = u32::from_str_radix(&subject[subject.len() - 8..], 16).unwrap();
    format!("{number}.{suffix}")
}

pub(crate) fn origin(run: u8) -> Origin {
    Origin { node: "n".parse().unwrap(), run: RunId::new(1_700_000_000_000, &[run; 10]) }
}

pub(crate) fn connection_id(number: u32) -> ConnectionId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    ConnectionId::new(1_700_000_000_000, &random)
}

/// A connection of `user`, of nobody if that is empty.
pub(crate) fn connection(number: u32, user: &str) -> Arc<ConnectionFacts> {
    Arc::new(ConnectionFacts {
        connection_id: connection_id(number),
        resource_id: ResourceId::new(u64::from(number) + 1).unwrap(),
        request: RequestFacts { path: Some("/".into()), ..RequestFacts::default() },
        identity: (!user.is_empty()).then(|| Box::new(Identity::new(user))),
        session: None,
        attributes: None,
    })
}

fn client(number: u32, user: &str, sequence: u64, change: Change) -> Event {
    let body = Body::Client { connection: connection(number, user), sequence, change };
    Event::new(time(0), origin(1), body)
}

pub(crate) fn opened(number: u32, user: &str) -> Event {
    client(number, user, 1, Change::Connected)
}

pub(crate) fn closed(number: u32, user: &str) -> Event {
    let end = Disconnected::new(Cause::ClientClosed);
    client(number, user, 99, Change::Disconnected(Box::new(end)))
}

pub(crate) fn error(number: u32, user: &str, sequence: u64) -> Event {
    let failure = Failure { kind: ErrorKind::Protocol, message: "m".into(), survived: true };
    client(number, user, sequence, Change::Error(Box::new(failure)))
}

pub(crate) fn rejected(number: u32) -> Event {
    let rejection = Rejection::new(connection_id(number), RequestFacts::default(), Cause::OriginRefused, "");
    Event::new(time(0), origin(1), Body::Rejected(Box::new(rejection)))
}
