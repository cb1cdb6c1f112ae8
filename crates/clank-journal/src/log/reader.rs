//! Reading records back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clank_core::journal::Position;

use super::error::OpenError;
use super::format::{self, ENTRY_HEADER, EntryHead, Found, Tag};
use super::segments::{self, Segment};
use crate::source::Entry;

/// How much is read at once: some more than is asked for, and not more than this.
const MORE: usize = 32 << 10;
const MOST: usize = 4 << 20;

/// A stretch of a segment in which records are to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) number: u64,
    offset: u64,
    end: u64,
}

/// Where the records behind `after` are, up to the first segments with `max_bytes` of them.
pub(crate) fn stretches(segments: &[Segment], after: Position, max_bytes: usize) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for segment in segments.iter().filter(|segment| segment.has_behind(after.value())) {
        let offset = segment.find(after.value());
        found.push(Stretch { number: segment.number, offset, end: segment.length });
        bytes += segment.length - offset;
        if bytes > (max_bytes as u64).saturating_mul(2) {
            break;
        }
    }
    found
}

/// Reads the records behind `after` in these stretches: at least one, beyond that as many as fit into
/// `max_bytes`.
pub(crate) fn read(
    directory: &Path,
    stretches: &[Stretch],
    after: Position,
    max_bytes: usize,
) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut left = max_bytes;
    for stretch in stretches {
        let path = segments::path(directory, stretch.number);
        let mut entries_of = Entries::open(path, stretch.offset)?;
        while entries_of.offset < stretch.end {
            let wanted = left.saturating_add(MORE);
            let Some(found) = entries_of.next(stretch.end, wanted)? else {
                return Err(unreadable(&entries_of.path, entries_of.offset));
            };
            let Some(entry) = found.into_record().filter(|entry| entry.position > after) else { continue };
            if entry.json.len() > left && !entries.is_empty() {
                return Ok(entries);
            }
            left = left.saturating_sub(entry.json.len());
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn unreadable(path: &Path, offset: u64) -> io::Error {
    let what = format!("{}, at byte {offset}: the record cannot be read", path.display());
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// An entry with its bytes.
struct Whole {
    head: EntryHead,
    offset: u64,
    bytes: Bytes,
}

impl Whole {
    fn into_record(self) -> Option<Entry> {
        let Tag::Event(kind) = self.head.tag else { return None };
        Some(Entry {
            position: Position::new(self.head.position),
            kind,
            connection: self.head.connection,
            lane: self.head.lane,
            json: self.bytes.slice(ENTRY_HEADER..),
        })
    }
}

/// The entries of a segment, one after the other.
struct Entries {
    path: PathBuf,
    file: File,
    /// Where the next one begins.
    offset: u64,
    /// What was read from there on.
    bytes: Bytes,
}

impl Entries {
    fn open(path: PathBuf, offset: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(&path)?, path, offset, bytes: Bytes::new() })
    }

    /// The next entry before `end`; `None` if what is there is no whole one.
    fn next(&mut self, end: u64, wanted: usize) -> io::Result<Option<Whole>> {
        if let Some(whole) = self.take() {
            return Ok(Some(whole));
        }
        self.fill(end, wanted.min(MOST))?;
        let length = format::length(&self.bytes);
        if length.is_some_and(|length| length > self.bytes.len()) {
            self.fill(end, length.unwrap_or_default())?;
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Option<Whole> {
        let Found::Entry(raw) = format::decode(&self.bytes, 0) else { return None };
        let (head, length, offset) = (raw.head, raw.end(), self.offset);
        self.offset += length as u64;
        Some(Whole { head, offset, bytes: self.bytes.split_to(length) })
    }

    fn fill(&mut self, end: u64, wanted: usize) -> io::Result<()> {
        let there = usize::try_from(end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; wanted.min(there)];
        self.file.read_exact_at(&mut bytes, self.offset)?;
        self.bytes = bytes.into();
        Ok(())
    }
}

/// Reads a log, also one that a server is writing: it takes no lock, and what is being written just
/// now is left for the next read.
///
/// It sees records as soon as they are written; those of the last moment may not be durable yet.
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    segments: Vec<Segment>,
}

impl Reader {
    /// Opens the log in `directory`.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let mut reader = Self { directory: directory.to_owned(), segments: Vec::new() };
        reader.refresh()?;
        Ok(reader)
    }

    /// The records behind `after`, in order: at least one if there is one, beyond that as many as fit
    /// into `max_bytes`.
    ///
    /// # Errors
    /// When the disk cannot be read, or what it says is corrupt.
    pub fn read(&mut self, after: Position, max_bytes: usize) -> Result<Vec<Entry>, OpenError> {
        loop {
            let stretches = stretches(&self.segments, after, max_bytes);
            match read(&self.directory, &stretches, after, max_bytes) {
                Ok(entries) if entries.is_empty() => {
                    let before = self.end();
                    self.refresh()?;
                    if self.end() == before {
                        return Ok(entries);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.refresh()?,
                result => return result.map_err(OpenError::io(&self.directory)),
            }
        }
    }

    /// The last record's position.
    pub fn end(&self) -> Position {
        Position::new(self.segments.last().map_or(0, |segment| segment.last))
    }

    /// The last position that has been dropped.
    pub fn dropped(&self) -> Position {
        Position::new(self.segments.first().map_or(0, |segment| segment.first - 1))
    }

    /// Looks for what was written and removed meanwhile.
    fn refresh(&mut self) -> Result<(), OpenError> {
        let numbers = segments::list(&self.directory)?;
        self.segments.retain(|segment| numbers.contains(&segment.number));
        let known = self.segments.last().map_or(0, |segment| segment.number);
        let mut new = Vec::new();
        for number in numbers.into_iter().filter(|number| *number > known) {
            match segments::read_header(&self.directory, number) {
                Ok(Some(header)) => new.push(header),
                // it is just being begun
                Ok(None) => break,
                Err(OpenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        for header in new {
            self.follow(Some(header.previous_length))?;
            self.segments.push(Segment::new(&header));
        }
        self.follow(None)
    }

    /// Reads on in the last known segment, which counts up to `length` if another one follows it.
    fn follow(&mut self, length: Option<u64>) -> Result<(), OpenError> {
        let Some(segment) = self.segments.last_mut() else { return Ok(()) };
        let path = segments::path(&self.directory, segment.number);
        let io = |error| OpenError::Io { file: path.clone(), error };
        let mut entries = match Entries::open(path.clone(), segment.length) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(io)?,
        };
        let there = entries.file.metadata().map_err(io)?.len();
        let end = length.unwrap_or(there).min(there);
        while let Some(whole) = entries.next(end, MOST).map_err(io)? {
            segment.add(&whole.head, whole.offset, entries.offset);
        }
        match length {
            Some(length) if segment.length < length => Err(OpenError::Damaged {
                file: path,
                offset: segment.length,
                what: "a record cannot be read, and good ones follow",
            }),
            _ => Ok(()),
        }
    }
}
