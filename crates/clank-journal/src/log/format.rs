//! The bytes of a segment: a header, then entries. All numbers are little-endian.
//!
//! ```text
//! segment  magic 8 | crc 4 | version 4 | journal 16 | number 8 | first position 8
//!          | length of the segment before 8 | created 8
//! entry    crc 4 | length 4 | position 8 | durable 4 | tag 1 | zero 3 | lane 8
//!          | connection 16 | sequence 8 | payload, JSON
//! ```
//!
//! A CRC-32C covers what stands behind it; `length` counts the whole entry.
//!
//! `durable` is how much of the segment was known to be on the disk when the entry was written. It
//! tells a torn tail from a rotten record: what a later entry calls durable must be readable, and
//! what none of them does may have been lost with the power, in any order.
//!
//! Three zeros stand in every entry. JSON has no such bytes, so that no text of a client's can be
//! taken for an entry where a search for the next good one passes over it.

use clank_core::event::{EventKind, Timestamp};
use clank_core::id::ConnectionId;

use super::JournalId;

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 64;
/// Bytes of an entry before its payload.
pub(crate) const ENTRY_HEADER: usize = 56;
/// The longest entry that is believed to be one.
pub(crate) const MAX_ENTRY: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"CLANKLOG";
/// Grows with every change that an older program would misread, a new kind of event among them.
const VERSION: u32 = 1;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) journal: JournalId,
    /// Its place among the segments: one more than that of the segment before.
    pub(crate) number: u64,
    /// The position of its first record, once it has one.
    pub(crate) first: u64,
    /// How much of the segment before counts. What lies behind is what a disk failed to sync; it has
    /// been written again here.
    pub(crate) previous_length: u64,
    pub(crate) created: Timestamp,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.journal.to_bytes());
        for number in [self.number, self.first, self.previous_length, self.created.unix_micros()] {
            bytes.extend(number.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        let mut header = [0; SEGMENT_HEADER];
        let written = MAGIC.into_iter().chain(crc.to_le_bytes()).chain(bytes);
        header.iter_mut().zip(written).for_each(|(to, from)| *to = from);
        header
    }

    /// The header at the beginning of `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        Self::decode_any(bytes).ok_or(BadHeader::Unreadable)?
    }

    fn decode_any(bytes: &[u8]) -> Option<Result<Self, BadHeader>> {
        let mut fields = Fields(bytes.get(..SEGMENT_HEADER)?);
        let is_ours = fields.take::<8>()? == MAGIC;
        let crc = u32::from_le_bytes(fields.take()?);
        if !is_ours || crc32c::crc32c(fields.0) != crc {
            return None;
        }
        let version = u32::from_le_bytes(fields.take()?);
        if version != VERSION {
            return Some(Err(BadHeader::Version(version)));
        }
        Some(Ok(Self {
            journal: JournalId::from_bytes(fields.take()?),
            number: fields.number()?,
            first: fields.number()?,
            previous_length: fields.number()?,
            created: Timestamp::from_unix_micros(fields.number()?),
        }))
    }
}

/// A header that says nothing of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Unreadable,
    /// It was written in a format that is not known here.
    Version(u32),
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A record, which has a position of its own.
    Event(EventKind),
    /// The log's own notes. They have the position of the last record before them.
    Note(Note),
}

/// What the log notes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A run has begun.
    RunBegun,
    /// The run has ended in order.
    RunEnded,
    /// The process was alive.
    Heartbeat,
    /// Resource ids up to a number may have been given.
    Reserved,
    /// A connection that is open, again.
    Row,
    /// A user who is online, again.
    Online,
    /// A run has begun to close what an earlier one left open.
    Sweep,
}

impl Tag {
    const NOTES: [Note; 7] = [
        Note::RunBegun,
        Note::RunEnded,
        Note::Heartbeat,
        Note::Reserved,
        Note::Row,
        Note::Online,
        Note::Sweep,
    ];

    /// Its number on the disk. Numbers of events follow their order in the documentation, to whose
    /// end new ones are added.
    const fn number(self) -> u8 {
        match self {
            Self::Event(kind) => kind as u8 + 1,
            Self::Note(note) => note as u8 + 128,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number.checked_sub(128) {
            Some(note) => Self::NOTES.get(usize::from(note)).copied().map(Self::Note),
            None => {
                let kind = EventKind::ALL.get(usize::from(number.checked_sub(1)?));
                kind.copied().map(Self::Event)
            }
        }
    }
}

/// What stands before an entry's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHead {
    pub(crate) position: u64,
    pub(crate) tag: Tag,
    pub(crate) lane: u64,
    pub(crate) connection: Option<ConnectionId>,
    /// The record's place among those of its connection; 0 without one.
    pub(crate) sequence: u64,
}

impl EntryHead {
    /// The head of a note.
    pub(crate) const fn note(note: Note, position: u64) -> Self {
        Self { position, tag: Tag::Note(note), lane: 0, connection: None, sequence: 0 }
    }
}

/// Appends an entry whose payload is what `write` appends. When that fails, nothing is.
pub(crate) fn encode<E>(
    to: &mut Vec<u8>,
    head: &EntryHead,
    durable: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<usize, E> {
    let start = to.len();
    to.extend([0; 8]);
    to.extend(head.position.to_le_bytes());
    to.extend(durable.to_le_bytes());
    to.extend([head.tag.number(), 0, 0, 0]);
    to.extend(head.lane.to_le_bytes());
    to.extend(head.connection.map_or([0; 16], ConnectionId::to_bytes));
    to.extend(head.sequence.to_le_bytes());
    if let Err(error) = write(to) {
        to.truncate(start);
        return Err(error);
    }
    let length = to.len() - start;
    if let Some(entry) = to.get_mut(start..) {
        seal(entry);
    }
    Ok(length)
}

/// Says of every entry in `batch` that so much of its segment is durable.
pub(crate) fn rebase(batch: &mut [u8], durable: u32) {
    let mut rest = batch;
    while let Some(length) = length(rest) {
        let Some((entry, behind)) = rest.split_at_mut_checked(length) else { return };
        if let Some(field) = entry.get_mut(16..20) {
            field.copy_from_slice(&durable.to_le_bytes());
        }
        seal(entry);
        rest = behind;
    }
}

/// Writes an entry's length and checksum.
fn seal(entry: &mut [u8]) {
    let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
    if let Some(field) = entry.get_mut(4..8) {
        field.copy_from_slice(&length.to_le_bytes());
    }
    let crc = crc32c::crc32c(entry.get(4..).unwrap_or_default());
    if let Some(field) = entry.get_mut(..4) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}

/// The length of the entry that begins here, if it looks like one.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let length = Fields(bytes.get(4..)?).take().map(u32::from_le_bytes)?;
    usize::try_from(length).ok().filter(|length| (ENTRY_HEADER..=MAX_ENTRY).contains(length))
}

/// An entry as it lies in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    /// Where in the segment it begins.
    pub(crate) offset: usize,
    pub(crate) head: EntryHead,
    pub(crate) durable: u32,
    pub(crate) payload: &'a [u8],
}

impl Raw<'_> {
    /// Where in the segment it ends.
    pub(crate) fn end(&self) -> usize {
        self.offset + ENTRY_HEADER + self.payload.len()
    }

    /// The position of the first record here, be it this one or the one behind.
    pub(crate) fn first(&self) -> u64 {
        match self.head.tag {
            Tag::Event(_) => self.head.position,
            Tag::Note(_) => self.head.position + 1,
        }
    }
}

/// What lies at an offset of a segment.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Entry(Raw<'a>),
    /// Nothing was written here: the end, or the zeros of a file that was made long in advance.
    Nothing,
    /// The beginning of an entry, or something else.
    Bad,
}

/// What lies at `offset`.
pub(crate) fn decode(bytes: &[u8], offset: usize) -> Found<'_> {
    let rest = bytes.get(offset..).unwrap_or_default();
    match entry(rest, offset) {
        Some(raw) => Found::Entry(raw),
        None if rest.iter().all(|byte| *byte == 0) => Found::Nothing,
        None => Found::Bad,
    }
}

/// The first whole entry at `offset` or behind it.
pub(crate) fn search(bytes: &[u8], offset: usize) -> Option<Raw<'_>> {
    let last = bytes.len().checked_sub(ENTRY_HEADER)?;
    (offset..=last).find_map(|offset| entry(bytes.get(offset..)?, offset))
}

fn entry(rest: &[u8], offset: usize) -> Option<Raw<'_>> {
    let bytes = rest.get(..length(rest)?)?;
    let mut fields = Fields(bytes);
    let crc = u32::from_le_bytes(fields.take()?);
    let covered = fields.0;
    fields.take::<4>()?;
    let position = fields.number()?;
    let durable = u32::from_le_bytes(fields.take()?);
    let [tag, zeros @ ..] = fields.take::<4>()?;
    let tag = Tag::from_number(tag)?;
    if zeros != [0; 3] || crc32c::crc32c(covered) != crc {
        return None;
    }
    let lane = fields.number()?;
    let connection = ConnectionId::from_bytes(fields.take()?);
    let sequence = fields.number()?;
    let head = EntryHead { position, tag, lane, connection, sequence };
    Some(Raw { offset, head, durable, payload: fields.0 })
}

/// Takes fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            journal: JournalId::from_bytes([7; 16]),
            number: 3,
            first: 1_000,
            previous_length: 4_096,
            created: Timestamp::from_unix_micros(1_700_000_000_000_000),
        }
    }

    fn head(position: u64) -> EntryHead {
        EntryHead {
            position,
            tag: Tag::Event(EventKind::Error),
            lane: 5,
            connection: Some(ConnectionId::new(1_700_000_000_000, &[9; 10])),
            sequence: 2,
        }
    }

    fn append(to: &mut Vec<u8>, position: u64, payload: &[u8]) -> usize {
        let write = |to: &mut Vec<u8>| {
            to.extend(payload);
            Ok::<_, ()>(())
        };
        encode(to, &head(position), 64, write).unwrap()
    }

    #[test]
    fn a_header_is_read_back_and_any_flipped_bit_is_seen() {
        let bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&flipped), Err(BadHeader::Unreadable), "bit {bit}");
        }
        assert_eq!(SegmentHeader::decode(&bytes[..63]), Err(BadHeader::Unreadable));
    }

    #[test]
    fn a_header_of_another_version_is_known_as_such() {
        let mut bytes = header().encode();
        bytes[12] = 2;
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(BadHeader::Version(2)));
    }

    #[test]
    fn an_entry_is_read_back_and_any_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        let length = append(&mut bytes, 8, b"{\"a\":1}");
        let Found::Entry(raw) = decode(&bytes, 0) else { panic!("no entry") };
        assert_eq!((raw.head, raw.durable, raw.payload), (head(8), 64, &b"{\"a\":1}"[..]));
        assert_eq!(raw.end(), length);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&flipped, 0), Found::Bad), "bit {bit}");
        }
    }

    #[test]
    fn every_tag_is_read_back() {
        let tags = EventKind::ALL.map(Tag::Event).into_iter().chain(Tag::NOTES.map(Tag::Note));
        for tag in tags {
            assert_eq!(Tag::from_number(tag.number()), Some(tag));
        }
        for number in [0, 12, 127, 135, 255] {
            assert_eq!(Tag::from_number(number), None);
        }
    }

    #[test]
    fn an_entry_that_cannot_be_written_leaves_nothing() {
        let mut bytes = vec![1];
        let write = |to: &mut Vec<u8>| {
            to.push(7);
            Err(())
        };
        assert_eq!(encode(&mut bytes, &head(1), 0, write), Err(()));
        assert_eq!(bytes, [1]);
    }

    #[test]
    fn a_batch_is_told_what_is_durable_where_it_is_written_again() {
        let mut bytes = Vec::new();
        append(&mut bytes, 1, b"{}");
        let second = append(&mut bytes, 2, b"{\"b\":2}");
        rebase(&mut bytes, 4_000);
        let at = bytes.len() - second;
        for (offset, position) in [(0, 1), (at, 2)] {
            let Found::Entry(raw) = decode(&bytes, offset) else { panic!("no entry") };
            assert_eq!((raw.durable, raw.head.position), (4_000, position));
        }
    }

    #[test]
    fn zeros_are_nothing_and_all_else_is_bad() {
        assert!(matches!(decode(&[], 0), Found::Nothing));
        assert!(matches!(decode(&[0; 400], 0), Found::Nothing));
        assert!(matches!(decode(&[1], 0), Found::Bad));
        let mut bytes = vec![0; 100];
        bytes[99] = 1;
        assert!(matches!(decode(&bytes, 0), Found::Bad));
    }

    proptest! {
        #[test]
        fn the_next_entry_is_found_behind_any_rubbish(
            rubbish in prop::collection::vec(any::<u8>(), 0..300),
            payload in "\\PC{0,40}",
        ) {
            let mut bytes = rubbish.clone();
            append(&mut bytes, 3, payload.as_bytes());
            let found = search(&bytes, 0).unwrap();
            prop_assert_eq!(found.offset, rubbish.len());
            prop_assert_eq!(found.payload, payload.as_bytes());
        }
    }
}
