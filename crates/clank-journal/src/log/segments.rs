//! The segments of a log: their files, and what is known of each.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clank_core::event::{EventKind, Timestamp};

use super::error::OpenError;
use super::format::{BadHeader, EntryHead, Found, Raw, SEGMENT_HEADER, SegmentHeader, Tag, decode, search};

/// A position is noted about this often, so that a reader finds it without reading all before it.
const MARK_EVERY: u64 = 16 << 10;

/// The file of the segment with this number.
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.log"))
}

/// The numbers of all segments in `directory`, in order.
pub(crate) fn list(directory: &Path) -> Result<Vec<u64>, OpenError> {
    let mut numbers = Vec::new();
    let entries = std::fs::read_dir(directory).map_err(OpenError::io(directory))?;
    for entry in entries {
        let name = entry.map_err(OpenError::io(directory))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        numbers.extend(number.filter(|number| path(directory, *number).file_name() == Some(&name)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of segment `number`; `None` if it has no whole one.
pub(crate) fn read_header(directory: &Path, number: u64) -> Result<Option<SegmentHeader>, OpenError> {
    let file = path(directory, number);
    let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
    let opened = File::open(&file).map_err(OpenError::io(&file))?;
    opened.take(SEGMENT_HEADER as u64).read_to_end(&mut bytes).map_err(OpenError::io(&file))?;
    match SegmentHeader::decode(&bytes) {
        Ok(header) => Ok(Some(header).filter(|header| header.number == number && header.first > 0)),
        Err(BadHeader::Unreadable) => Ok(None),
        Err(BadHeader::Version(version)) => Err(OpenError::Version { file, version }),
    }
}

/// What is known of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) created: Timestamp,
    /// The position of its first record, if it has one.
    pub(crate) first: u64,
    /// The position of its last record; one less than `first` if it has none.
    pub(crate) last: u64,
    /// How much of it can be read.
    pub(crate) length: u64,
    marks: Vec<Mark>,
}

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    position: u64,
    offset: u64,
}

impl Segment {
    /// A segment without entries.
    pub(crate) fn new(header: &SegmentHeader) -> Self {
        Self {
            number: header.number,
            created: header.created,
            first: header.first,
            last: header.first - 1,
            length: SEGMENT_HEADER as u64,
            marks: Vec::new(),
        }
    }

    /// Adds the entry that lies behind all others.
    pub(crate) fn add(&mut self, head: &EntryHead, offset: u64, end: u64) {
        if let Tag::Event(_) = head.tag {
            self.add_record(head.position, offset);
        }
        self.length = end;
    }

    /// Adds a record that begins at `offset`.
    pub(crate) fn add_record(&mut self, position: u64, offset: u64) {
        let is_far = |mark: &Mark| offset - mark.offset >= MARK_EVERY;
        if self.marks.last().is_none_or(is_far) {
            self.marks.push(Mark { position, offset });
        }
        self.last = position;
    }

    /// An offset at which an entry begins, with no record behind `after` before it.
    pub(crate) fn find(&self, after: u64) -> u64 {
        let known = self.marks.partition_point(|mark| mark.position <= after + 1);
        let mark = known.checked_sub(1).and_then(|at| self.marks.get(at));
        mark.map_or(SEGMENT_HEADER as u64, |mark| mark.offset)
    }

    /// Whether it holds a record behind `after`.
    pub(crate) fn has_behind(&self, after: u64) -> bool {
        self.last >= self.first && self.last > after
    }
}

/// How the entries of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// With nothing behind them.
    Clean,
    /// With what a crash left of the last batch, from this offset on.
    Torn(usize),
    /// With something that cannot be read at this offset, although it was safe on the disk once.
    Damaged(usize, &'static str),
}

/// Goes through the entries of a segment, which is the last one.
pub(crate) fn scan<E>(
    bytes: &[u8],
    segment: &mut Segment,
    each: impl FnMut(&Raw<'_>) -> Result<(), E>,
) -> Result<Tail, E> {
    match scan_entries(bytes, segment, each)? {
        None => Ok(Tail::Clean),
        Some(bad) if was_durable(bytes, bad) => {
            Ok(Tail::Damaged(bad, "a record cannot be read, and good ones follow"))
        }
        Some(bad) => Ok(Tail::Torn(bad)),
    }
}

/// Goes through the entries of a segment that another one follows, and which counts up to `length`.
pub(crate) fn scan_sealed<E>(
    bytes: &[u8],
    length: u64,
    segment: &mut Segment,
    each: impl FnMut(&Raw<'_>) -> Result<(), E>,
) -> Result<Tail, E> {
    let counted = usize::try_from(length).ok().and_then(|length| bytes.get(..length));
    let bad = scan_entries(counted.unwrap_or(bytes), segment, each)?;
    Ok(match bad {
        Some(bad) => Tail::Damaged(bad, "a record cannot be read, and good ones follow"),
        None if segment.length == length => Tail::Clean,
        None => Tail::Damaged(
            usize::try_from(segment.length).unwrap_or(usize::MAX),
            "records are missing before the next segment",
        ),
    })
}

/// Returns where something stands that is no entry.
fn scan_entries<E>(
    bytes: &[u8],
    segment: &mut Segment,
    mut each: impl FnMut(&Raw<'_>) -> Result<(), E>,
) -> Result<Option<usize>, E> {
    let mut offset = SEGMENT_HEADER;
    loop {
        match decode(bytes, offset) {
            Found::Entry(raw) if follows(segment.last, &raw) => {
                each(&raw)?;
                segment.add(&raw.head, raw.offset as u64, raw.end() as u64);
                offset = raw.end();
            }
            Found::Nothing => return Ok(None),
            _ => return Ok(Some(offset)),
        }
    }
}

/// Whether an entry may stand behind the record at position `last`.
pub(crate) fn follows(last: u64, raw: &Raw<'_>) -> bool {
    match raw.head.tag {
        // stands for those that are lost, at the position of the last one
        Tag::Event(EventKind::Gap) => raw.head.position > last,
        Tag::Event(_) => raw.head.position == last + 1,
        Tag::Note(_) => raw.head.position == last,
    }
}

/// Whether an entry behind `bad` was written when what stands there was durable.
pub(crate) fn was_durable(bytes: &[u8], bad: usize) -> bool {
    // no entry ends with the zeros of a file that was made long in advance
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let bytes = bytes.get(..written).unwrap_or_default();
    let mut from = bad + 1;
    while let Some(raw) = search(bytes, from) {
        if usize::try_from(raw.durable).is_ok_and(|durable| durable > bad) {
            return true;
        }
        from = raw.end();
    }
    false
}
