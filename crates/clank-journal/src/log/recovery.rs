//! What the segments say, when a log is opened.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clank_core::event::{Event, EventKind, Identity, Origin, PreviousRun, Timestamp, User};
use clank_core::id::ConnectionId;
use serde::de::DeserializeOwned;

use super::JournalId;
use super::error::OpenError;
use super::format::{ENTRY_HEADER, Note, Raw, SegmentHeader, Tag, search};
use super::ledger::{Leaving, Ledger, Online, Row};
use super::notes::{Heartbeat, OnlineNote, OpenRow, Reserved, RunNote, Sweep};
use super::segments::{self, Segment, Tail};

/// What the segments of a log say.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The id of the journal, unless there is no segment.
    pub(crate) journal: Option<JournalId>,
    pub(crate) segments: Vec<Segment>,
    /// How long the file of the last segment is, zeros included.
    pub(crate) last_file: u64,
    /// What a crash left of the last batch, and what has to be cut off.
    pub(crate) torn: Option<Torn>,
    pub(crate) state: State,
}

/// A tail that was not safe on the disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) file: PathBuf,
    /// Where it begins; 0 if it is the whole file.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// What the records and notes of a log amount to.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The position of the last record.
    pub(crate) position: u64,
    pub(crate) ledger: Ledger,
    /// The last run that began, and whether it ended in order.
    pub(crate) run: Option<(Origin, bool)>,
    /// What a sweep that did not come to its end has said of the run before.
    pub(crate) sweep: Option<PreviousRun>,
    /// The last sign of life, if there was any.
    pub(crate) heartbeat: Option<Timestamp>,
    /// The first resource id that was never reserved; 0 if none ever was.
    pub(crate) ids_end: u64,
    /// Connections with records behind a gap, whose `connected` is lost: they can't be closed.
    pub(crate) orphans: u64,
}

/// Reads all segments of a log.
///
/// # Errors
/// When one is missing or damaged.
pub(crate) fn recover(directory: &Path) -> Result<Recovered, OpenError> {
    let mut numbers = segments::list(directory)?;
    let mut headers = Vec::with_capacity(numbers.len());
    let mut torn = None;
    for (at, number) in numbers.iter().enumerate() {
        let path = segments::path(directory, *number);
        match segments::read_header(directory, *number)? {
            Some(header) => headers.push(header),
            None if at + 1 == numbers.len() => torn = Some(unfinished(path)?),
            None => return Err(damaged(path, 0, "the segment's header cannot be read")),
        }
    }
    numbers.truncate(headers.len());
    let mut replay = Replay::default();
    let mut read = Vec::with_capacity(headers.len());
    let mut last_file = 0;
    let next = headers.iter().skip(1).map(Some).chain([None]);
    for (header, next) in headers.iter().zip(next) {
        let (segment, file, tail) = replay.read(directory, header, next)?;
        last_file = file;
        torn = torn.or(tail);
        read.push(segment);
    }
    let state = replay.finish(directory)?;
    let journal = headers.last().map(|header| header.journal);
    Ok(Recovered { journal, segments: read, last_file, torn, state })
}

fn damaged(file: PathBuf, offset: usize, what: &'static str) -> OpenError {
    OpenError::Damaged { file, offset: offset as u64, what }
}

/// A last segment without a header: a crash as it was begun, unless there is something in it.
fn unfinished(file: PathBuf) -> Result<Torn, OpenError> {
    let bytes = std::fs::read(&file).map_err(OpenError::io(&file))?;
    if search(&bytes, 0).is_some() {
        return Err(damaged(file, 0, "the segment's header cannot be read"));
    }
    Ok(Torn { file, offset: 0, length: bytes.len() as u64 })
}

/// Goes through a log, from its beginning to its end.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    state: State,
    /// Open connections: their `connected` is read when it is known to be needed.
    open: HashMap<ConnectionId, OpenEntry>,
    /// The users who are online, and the segment that says so.
    online: HashMap<Box<str>, (OnlineNote, u64)>,
    /// Whether a gap has been passed.
    has_gap: bool,
    orphans: HashSet<ConnectionId>,
    number: u64,
}

#[derive(Debug)]
struct OpenEntry {
    /// Of the record, or of its copy: that is a note, whose payload says where the record was.
    tag: Tag,
    position: u64,
    payload: Box<[u8]>,
    sequence: u64,
    number: u64,
}

impl Replay {
    /// Goes through the next segment; returns how long its file is, and what is torn.
    fn read(
        &mut self,
        directory: &Path,
        header: &SegmentHeader,
        next: Option<&SegmentHeader>,
    ) -> Result<(Segment, u64, Option<Torn>), OpenError> {
        let file = segments::path(directory, header.number);
        let bytes = std::fs::read(&file).map_err(OpenError::io(&file))?;
        if self.number > 0 && header.number != self.number + 1 {
            let missing = segments::path(directory, self.number + 1);
            return Err(damaged(missing, 0, "the segment is missing"));
        }
        if self.number > 0 && header.first != self.state.position + 1 {
            return Err(damaged(file, 0, "the segment does not follow the one before"));
        }
        self.number = header.number;
        self.state.position = header.first - 1;
        let mut segment = Segment::new(header);
        let each = |raw: &Raw<'_>| {
            self.apply(raw).map_err(|_| damaged(file.clone(), raw.offset, "a note cannot be understood"))
        };
        let tail = match next {
            Some(next) => segments::scan_sealed(&bytes, next.previous_length, &mut segment, each)?,
            None => segments::scan(&bytes, &mut segment, each)?,
        };
        let length = bytes.len() as u64;
        match tail {
            Tail::Clean => Ok((segment, length, None)),
            Tail::Torn(offset) => {
                let offset = offset as u64;
                Ok((segment, length, Some(Torn { file, offset, length: length - offset })))
            }
            Tail::Damaged(offset, what) => Err(damaged(file, offset, what)),
        }
    }

    /// Takes an entry into account.
    pub(crate) fn apply(&mut self, raw: &Raw<'_>) -> Result<(), serde_json::Error> {
        match raw.head.tag {
            Tag::Event(kind) => {
                self.state.position = raw.head.position;
                self.has_gap |= kind == EventKind::Gap;
                self.apply_record(kind, raw)
            }
            Tag::Note(note) => self.apply_note(note, raw),
        }
    }

    fn apply_record(&mut self, kind: EventKind, raw: &Raw<'_>) -> Result<(), serde_json::Error> {
        let Some(connection) = raw.head.connection else { return Ok(()) };
        match kind {
            EventKind::Connected => {
                self.open.insert(connection, self.entry(raw));
            }
            EventKind::Disconnected => {
                if self.open.remove(&connection).is_none() && self.has_gap {
                    self.orphans.insert(connection);
                }
            }
            EventKind::Online => self.come_online(raw)?,
            EventKind::Offline => {
                let gone: OnlineNote = serde_json::from_slice(raw.payload)?;
                self.online.remove(&gone.identity.id);
            }
            _ => match self.open.get_mut(&connection) {
                Some(entry) => entry.sequence = entry.sequence.max(raw.head.sequence),
                None if self.has_gap => drop(self.orphans.insert(connection)),
                None => {}
            },
        }
        Ok(())
    }

    fn apply_note(&mut self, note: Note, raw: &Raw<'_>) -> Result<(), serde_json::Error> {
        match note {
            Note::RunBegun => {
                let note: RunNote = serde_json::from_slice(raw.payload)?;
                self.state.run = Some((Origin { node: note.node, run: note.run }, false));
                self.state.heartbeat = Some(note.time);
                self.state.sweep = None;
            }
            Note::RunEnded => {
                if let Some((_, is_clean)) = &mut self.state.run {
                    *is_clean = true;
                }
            }
            Note::Heartbeat => {
                self.state.heartbeat = Some(serde_json::from_slice::<Heartbeat>(raw.payload)?.time);
            }
            Note::Reserved => {
                let end = serde_json::from_slice::<Reserved>(raw.payload)?.end;
                self.state.ids_end = self.state.ids_end.max(end);
            }
            Note::Row => {
                if let Some(connection) = raw.head.connection {
                    self.open.insert(connection, self.entry(raw));
                }
            }
            Note::Online => self.come_online(raw)?,
            Note::Sweep => {
                self.state.sweep = Some(serde_json::from_slice::<Sweep>(raw.payload)?.previous);
            }
        }
        Ok(())
    }

    fn entry(&self, raw: &Raw<'_>) -> OpenEntry {
        OpenEntry {
            tag: raw.head.tag,
            position: raw.head.position,
            payload: raw.payload.into(),
            sequence: raw.head.sequence,
            number: self.number,
        }
    }

    fn come_online(&mut self, raw: &Raw<'_>) -> Result<(), serde_json::Error> {
        let note: OnlineNote = serde_json::from_slice(raw.payload)?;
        self.online.insert(note.identity.id.clone(), (note, self.number));
        Ok(())
    }

    /// Builds the ledger from what is open at the end.
    pub(crate) fn finish(mut self, directory: &Path) -> Result<State, OpenError> {
        let ledger = &mut self.state.ledger;
        for entry in self.open.into_values() {
            let number = entry.number;
            let row = entry.into_row(ledger).map_err(|()| {
                let file = segments::path(directory, number);
                damaged(file, 0, "the record of an open connection cannot be understood")
            })?;
            ledger.insert(row);
        }
        for (id, (note, home)) in self.online {
            let is_here = ledger.people.person(&id).is_some();
            let leaving = (!is_here).then(|| leaving_at_once(note.identity, note.connection_id));
            ledger.people.set_online(&id, Online { connection: note.connection_id, home, leaving });
        }
        self.state.orphans = self.orphans.len() as u64;
        Ok(self.state)
    }
}

/// A user who was online and has no connection; the beginning of a run gives the time.
fn leaving_at_once(identity: Identity, connection_id: ConnectionId) -> Leaving {
    Leaving { at: Duration::ZERO, user: Box::new(User { identity, connection_id, online: false }) }
}

impl OpenEntry {
    fn into_row(self, ledger: &mut Ledger) -> Result<Row, ()> {
        let (record, position, sequence) = if self.tag == Tag::Note(Note::Row) {
            let note: OpenRow = read(&self.payload)?;
            (note.record, note.position, note.sequence.max(self.sequence))
        } else {
            (read::<Event>(&self.payload)?, self.position, self.sequence)
        };
        let facts = record.connection().ok_or(())?.clone();
        let connections = record.presence.map_or(0, |presence| presence.connections);
        Ok(Row {
            opened: record.time,
            position,
            sequence,
            home: self.number,
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
            run: ledger.run(&record.origin),
            length: u32::try_from(ENTRY_HEADER + self.payload.len()).unwrap_or(u32::MAX),
            is_closing: false,
            facts,
        })
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ()> {
    serde_json::from_slice(payload).map_err(|_| ())
}
