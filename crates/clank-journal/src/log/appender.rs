//! The segment that is written: batches go to its end, and to the disk.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clank_core::event::Timestamp;

use super::JournalId;
use super::disk::{Disk, Output, is_no_room, write_all};
use super::format::{Found, SEGMENT_HEADER, SegmentHeader, decode, rebase};
use super::options::Durability;
use super::segments;

/// Why a batch was not written. In every case nothing of it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWritten {
    /// The next try may find some.
    #[error("the disk is full")]
    NoRoom,
    /// The next try goes to another file.
    #[error("the disk cannot be written")]
    Failed,
}

/// The segment that is written.
///
/// What a failed sync leaves behind is unknown: the kernel may have dropped the pages and call the
/// next sync of the same file a success. So no file is ever synced again after that. What had been
/// synced before is read back from the disk and checked, and a new segment is begun, whose header
/// says how much of the old one counts. The records of the batch that failed are written there
/// again, at the same positions. The old tail need not be cut off, on a disk that has just failed:
/// it does not count.
pub(crate) struct Appender {
    disk: Box<dyn Disk>,
    directory: PathBuf,
    journal: JournalId,
    durability: Durability,
    /// Bytes that a new segment takes in advance.
    space: u64,
    number: u64,
    output: Box<dyn Output>,
    /// How much of the segment is written.
    length: u64,
    /// How much of it was synced.
    durable: u64,
    /// Up to here there is something on the disk, be it zeros.
    cleared: u64,
    health: Health,
    /// The headers of segments that were begun, until somebody takes them.
    begun: Vec<SegmentHeader>,
}

/// So many bytes are written with zeros at a time, ahead of the records. Space that a file has but that
/// was never written costs a change of the file's own block with every batch, and so a second write for
/// each sync.
const AHEAD: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// Nothing may be written to it any more: there may be a header on the disk that says how much
    /// of it counts.
    Sealed,
    /// The disk failed a write or a sync of it.
    Suspect,
    /// What was durable cannot be read back.
    Lost,
}

/// What an appender needs for as long as it lives.
pub(crate) struct Place {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) directory: PathBuf,
    pub(crate) journal: JournalId,
    pub(crate) durability: Durability,
    pub(crate) space: u64,
}

impl Appender {
    /// Begins the first segment of a log.
    pub(crate) fn create(place: Place, now: Timestamp) -> io::Result<Self> {
        let header =
            SegmentHeader { journal: place.journal, number: 1, first: 1, previous_length: 0, created: now };
        let output = begin_segment(&*place.disk, &place.directory, place.space, place.durability, &header)?;
        // the directory may be new as well
        if let Some(parent) = place.directory.parent().filter(|_| place.durability != Durability::Memory) {
            let named = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            place.disk.sync_directory(named)?;
        }
        let mut appender = Self::new(place, 1, output, SEGMENT_HEADER as u64);
        appender.cleared = appender.length;
        appender.begun.push(header);
        Ok(appender)
    }

    /// Goes on with a segment that counts up to `length`: what lies behind is cut off, and the rest
    /// is made durable, for the process that wrote it may not have come to that.
    pub(crate) fn resume(place: Place, number: u64, length: u64, file: u64) -> io::Result<Self> {
        let output = place.disk.reopen(&segments::path(&place.directory, number))?;
        if file > length {
            output.truncate(length)?;
        }
        if place.durability != Durability::Memory {
            output.sync()?;
            place.disk.sync_directory(&place.directory)?;
        }
        Ok(Self::new(place, number, output, length))
    }

    fn new(place: Place, number: u64, output: Box<dyn Output>, length: u64) -> Self {
        let Place { disk, directory, journal, durability, space } = place;
        let durable = if durability == Durability::Memory { 0 } else { length };
        Self {
            disk,
            directory,
            journal,
            durability,
            space,
            number,
            output,
            length,
            durable,
            // A file that was there before has no space beyond its end.
            cleared: u64::MAX,
            health: Health::Good,
            begun: Vec::new(),
        }
    }

    /// The segments that were begun since this was asked.
    pub(crate) fn take_begun(&mut self) -> impl Iterator<Item = SegmentHeader> {
        self.begun.drain(..)
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How much of the segment is durable, as entries say it.
    pub(crate) fn durable(&self) -> u32 {
        u32::try_from(self.durable).unwrap_or(u32::MAX)
    }

    /// Whether something was written and not yet synced.
    pub(crate) fn is_dirty(&self) -> bool {
        self.durability != Durability::Memory && self.durable < self.length
    }

    /// Writes a batch whose first record, should it have one, is at position `first`; syncs it if that
    /// is what durability asks for. Returns the offset of its first entry.
    pub(crate) fn commit(&mut self, batch: &mut [u8], first: u64, now: Timestamp) -> Result<u64, NotWritten> {
        if self.health == Health::Good {
            match self.write(batch) {
                Err(NotWritten::Failed) => {}
                result => return result,
            }
        }
        self.replace(first, now)?;
        rebase(batch, self.durable());
        self.write(batch)
    }

    fn write(&mut self, batch: &[u8]) -> Result<u64, NotWritten> {
        let offset = self.length;
        self.clear(offset + batch.len() as u64);
        if let Err(error) = write_all(&*self.output, batch, offset) {
            // what came of it must go: the next batch may be shorter than what was written of this one
            let is_cut = self.output.truncate(offset).is_ok();
            if is_no_room(&error) && is_cut {
                return Err(NotWritten::NoRoom);
            }
            self.fail(&error);
            return Err(NotWritten::Failed);
        }
        self.length += batch.len() as u64;
        if self.durability == Durability::Fsync && self.sync().is_err() {
            self.length = offset;
            return Err(NotWritten::Failed);
        }
        Ok(offset)
    }

    /// Sees to it that the space up to `end` has been written before.
    fn clear(&mut self, end: u64) {
        if self.durability != Durability::Fsync || end <= self.cleared || end > self.space {
            return;
        }
        let from = self.cleared;
        self.cleared = (end + AHEAD).min(self.space);
        let zeros = vec![0; (self.cleared - from) as usize];
        // A disk that refuses it will refuse the batch too.
        let _ = write_all(&*self.output, &zeros, from);
    }

    /// Makes durable what was written. After a failure the segment is written no more.
    pub(crate) fn sync(&mut self) -> Result<(), NotWritten> {
        if !self.is_dirty() {
            return Ok(());
        }
        if self.health != Health::Good {
            return Err(NotWritten::Failed);
        }
        self.output.sync().map_err(|error| {
            self.fail(&error);
            NotWritten::Failed
        })?;
        self.durable = self.length;
        Ok(())
    }

    fn fail(&mut self, error: &io::Error) {
        let file = segments::path(&self.directory, self.number);
        tracing::error!(file = %file.display(), %error, "the disk failed the journal");
        self.health = Health::Suspect;
    }

    /// Begins the next segment, whose first record will be at position `first`.
    pub(crate) fn roll(&mut self, first: u64, now: Timestamp) -> Result<(), NotWritten> {
        // a sealed segment is durable as a whole: only in the last one may there be a torn tail
        let _ = self.sync();
        if self.health == Health::Good {
            // the rest of the space goes back; that it may be kept is no harm
            let _ = self.output.truncate(self.length);
        }
        self.replace(first, now)
    }

    /// Begins the next segment, under another name.
    pub(crate) fn renew_id(&mut self, id: JournalId, first: u64, now: Timestamp) -> Result<(), NotWritten> {
        self.journal = id;
        self.roll(first, now)
    }

    /// Begins a segment that goes on where this one ends, or where it was last known to be good.
    fn replace(&mut self, first: u64, now: Timestamp) -> Result<(), NotWritten> {
        // without a sync nothing more was promised than that the system has it
        let counts = if self.durability == Durability::Fsync { self.durable } else { self.length };
        if self.health == Health::Suspect {
            let file = segments::path(&self.directory, self.number);
            if self.durability == Durability::Fsync && verify(&file, counts).is_err() {
                tracing::error!(file = %file.display(), "what was durable in the journal cannot be read back");
                self.health = Health::Lost;
            }
        }
        if self.health == Health::Lost {
            return Err(NotWritten::Failed);
        }
        self.health = Health::Sealed;
        let number = self.number + 1;
        let header =
            SegmentHeader { journal: self.journal, number, first, previous_length: counts, created: now };
        self.output = self.begin(&header).map_err(|error| {
            let _ = self.remove(number);
            tracing::error!(%error, directory = %self.directory.display(), "no segment can be begun");
            if is_no_room(&error) { NotWritten::NoRoom } else { NotWritten::Failed }
        })?;
        self.number = number;
        self.length = SEGMENT_HEADER as u64;
        self.durable = if self.durability == Durability::Memory { 0 } else { self.length };
        self.cleared = self.length;
        self.health = Health::Good;
        self.begun.push(header);
        Ok(())
    }

    fn begin(&self, header: &SegmentHeader) -> io::Result<Box<dyn Output>> {
        // what an earlier try left must not be synced again: another file is made
        self.remove(header.number)?;
        begin_segment(&*self.disk, &self.directory, self.space, self.durability, header)
    }

    /// Ends the segment: gives back what was taken for it in advance.
    pub(crate) fn close(&mut self) {
        if self.health == Health::Good && self.output.truncate(self.length).is_ok() {
            let _ = self.sync();
        }
    }

    /// Removes the oldest segment. That is durable before the next one may go: a hole between segments
    /// would be damage.
    pub(crate) fn remove_oldest(&self, number: u64) -> io::Result<()> {
        self.remove(number)?;
        if self.durability == Durability::Memory { Ok(()) } else { self.disk.sync_directory(&self.directory) }
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        self.disk.remove(&segments::path(&self.directory, number))
    }
}

fn begin_segment(
    disk: &dyn Disk,
    directory: &Path,
    space: u64,
    durability: Durability,
    header: &SegmentHeader,
) -> io::Result<Box<dyn Output>> {
    let output = disk.create(&segments::path(directory, header.number), space)?;
    write_all(&*output, &header.encode(), 0)?;
    if durability != Durability::Memory {
        output.sync()?;
        disk.sync_directory(directory)?;
    }
    Ok(output)
}

/// Reads the first `length` bytes of a segment from the disk, and checks every entry.
fn verify(file: &Path, length: u64) -> io::Result<()> {
    let opened = std::fs::File::open(file)?;
    // else the answer comes from memory; it may do so all the same
    let advice = rustix::fs::Advice::DontNeed;
    let _ = rustix::fs::fadvise(opened.as_fd(), 0, None, advice);
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(opened, length), &mut bytes)?;
    let mut offset = SEGMENT_HEADER;
    while let Found::Entry(raw) = decode(&bytes, offset) {
        offset = raw.end();
    }
    let is_whole = SegmentHeader::decode(&bytes).is_ok() && offset as u64 == length;
    if is_whole { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
