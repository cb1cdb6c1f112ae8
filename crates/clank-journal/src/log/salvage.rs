//! What can be saved of a damaged log.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clank_core::event::{EventKind, Origin, Timestamp};
use clank_core::id::{NodeId, ResourceId, RunId};
use serde::Deserialize;

use super::JournalId;
use super::error::OpenError;
use super::format::{Found, Note, Raw, SEGMENT_HEADER, SegmentHeader, Tag, decode, search};
use super::notes::Reserved;
use super::segments::{self, was_durable};

/// A stretch of a log that cannot be read, or is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it the stretch begins.
    pub offset: u64,
    /// How long it is; 0 if nothing is there that should be.
    pub length: u64,
}

/// Records that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What becomes of a log.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) journal: Option<JournalId>,
    pub(crate) segments: Vec<SegmentPlan>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) lost: Vec<Lost>,
    /// What a crash has left at the end, which is no damage.
    pub(crate) torn: Option<Damage>,
    /// The position of the last record.
    pub(crate) last: u64,
    /// How many records can be read.
    pub(crate) records: u64,
    /// The last run that is known.
    pub(crate) origin: Option<Origin>,
    /// The first resource id of which no trace is left.
    pub(crate) ids_end: u64,
}

/// What becomes of a segment.
#[derive(Debug)]
pub(crate) struct SegmentPlan {
    /// Its header, but for the length of the segment before if that changes.
    pub(crate) header: SegmentHeader,
    pub(crate) parts: Vec<Part>,
    /// How much of it counts, as it is.
    pub(crate) length: u64,
    /// Whether it must be written anew.
    pub(crate) is_changed: bool,
}

/// A part of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Good entries, one behind the other.
    Kept(Range<usize>),
    /// A note of records that are lost.
    Gap(Lost),
}

/// Looks through a log for all that is good.
pub(crate) fn plan(directory: &Path) -> Result<Plan, OpenError> {
    let numbers = segments::list(directory)?;
    let (Some(first), Some(last)) = (numbers.first().copied(), numbers.last().copied()) else {
        return Ok(Plan::default());
    };
    let mut headers = BTreeMap::new();
    for number in &numbers {
        headers.extend(segments::read_header(directory, *number)?.map(|header| (*number, header)));
    }
    // the last name counts
    let journal = headers.values().next_back().map(|header| header.journal);
    let mut plan = Plan { journal, ..Plan::default() };
    for number in first..=last {
        let file = segments::path(directory, number);
        let header = headers.get(&number);
        if !numbers.contains(&number) {
            plan.damage.push(Damage { file, offset: 0, length: 0 });
            plan.begin(number, header, plan.last + 1);
            continue;
        }
        let bytes = std::fs::read(&file).map_err(OpenError::io(&file))?;
        let end = match headers.get(&(number + 1)) {
            Some(next) => End::At(next.previous_length),
            None if number == last => End::Open,
            None => End::Unknown,
        };
        plan.add(file, &bytes, number, header, end);
    }
    Ok(plan)
}

/// How much of a segment counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The next one says it.
    At(u64),
    /// It is the last one.
    Open,
    /// The next one cannot say it.
    Unknown,
}

impl Plan {
    /// Adds a segment of which nothing is known yet but where it should begin.
    fn begin(&mut self, number: u64, header: Option<&SegmentHeader>, first: u64) {
        if self.segments.is_empty() {
            self.last = header.map_or(first, |header| header.first) - 1;
        }
        let made = SegmentHeader {
            journal: self.journal.unwrap_or(JournalId::from_bytes([0; 16])),
            number,
            first: self.last + 1,
            previous_length: 0,
            created: Timestamp::from_unix_micros(0),
        };
        let is_changed = header.is_none_or(|header| header.first != self.last + 1);
        let header = header.map_or(made, |header| SegmentHeader { first: self.last + 1, ..*header });
        let length = SEGMENT_HEADER as u64;
        self.segments.push(SegmentPlan { header, parts: Vec::new(), length, is_changed });
    }

    fn add(&mut self, file: PathBuf, bytes: &[u8], number: u64, header: Option<&SegmentHeader>, end: End) {
        let found = search(bytes, if header.is_some() { SEGMENT_HEADER } else { 0 });
        if header.is_none() && end == End::Open && found.is_none() {
            self.torn = Some(Damage { file, offset: 0, length: bytes.len() as u64 });
            return;
        }
        self.begin(number, header, found.map_or(1, |raw| raw.first()));
        match header {
            Some(header) => self.lose_up_to(header.first - 1),
            None => self.damage.push(Damage { file: file.clone(), offset: 0, length: SEGMENT_HEADER as u64 }),
        }
        let counted = match end {
            End::At(length) => usize::try_from(length).ok().and_then(|length| bytes.get(..length)),
            End::Open | End::Unknown => None,
        };
        let reached = self.add_entries(&file, counted.unwrap_or(bytes), end);
        if let End::At(length) = end
            && (reached as u64) < length
        {
            self.damage.push(Damage { file, offset: reached as u64, length: 0 });
            self.change();
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.length = reached as u64;
        }
    }

    /// Adds the good entries of a segment; returns where the last one ends.
    fn add_entries(&mut self, file: &Path, bytes: &[u8], end: End) -> usize {
        let mut offset = SEGMENT_HEADER;
        loop {
            match decode(bytes, offset) {
                Found::Entry(raw) => {
                    self.add_entry(&raw);
                    offset = raw.end();
                }
                Found::Nothing => return offset,
                Found::Bad if end == End::Open && !was_durable(bytes, offset) => {
                    let length = (bytes.len() - offset) as u64;
                    self.torn = Some(Damage { file: file.to_owned(), offset: offset as u64, length });
                    return offset;
                }
                Found::Bad => {
                    let next = search(bytes, offset + 1).map_or(bytes.len(), |raw| raw.offset);
                    let length = (next - offset) as u64;
                    self.damage.push(Damage { file: file.to_owned(), offset: offset as u64, length });
                    self.change();
                    offset = next;
                }
            }
        }
    }

    fn add_entry(&mut self, raw: &Raw<'_>) {
        match raw.head.tag {
            // the same is written again behind a sync that failed
            Tag::Event(_) if raw.head.position <= self.last => return self.change(),
            Tag::Event(kind) => {
                if kind != EventKind::Gap {
                    self.lose_up_to(raw.head.position - 1);
                }
                self.last = raw.head.position;
                self.records += 1;
            }
            Tag::Note(_) if raw.head.position != self.last => self.change(),
            Tag::Note(_) => {}
        }
        self.trace(raw);
        let Some(segment) = self.segments.last_mut() else { return };
        match segment.parts.last_mut() {
            Some(Part::Kept(range)) if range.end == raw.offset => range.end = raw.end(),
            _ => segment.parts.push(Part::Kept(raw.offset..raw.end())),
        }
    }

    /// Remembers what an entry says of runs and resource ids.
    fn trace(&mut self, raw: &Raw<'_>) {
        #[derive(Deserialize)]
        struct Trace {
            node: NodeId,
            run: RunId,
            resource_id: Option<ResourceId>,
        }
        match raw.head.tag {
            Tag::Event(EventKind::Connected) | Tag::Note(Note::RunBegun) => {
                if let Ok(trace) = serde_json::from_slice::<Trace>(raw.payload) {
                    let given = trace.resource_id.map_or(0, |id| id.value() + 1);
                    self.ids_end = self.ids_end.max(given);
                    self.origin = Some(Origin { node: trace.node, run: trace.run });
                }
            }
            Tag::Note(Note::Reserved) => {
                let end = serde_json::from_slice::<Reserved>(raw.payload).map_or(0, |reserved| reserved.end);
                self.ids_end = self.ids_end.max(end);
            }
            _ => {}
        }
    }

    /// The records behind the last one and up to `to` are lost.
    fn lose_up_to(&mut self, to: u64) {
        if to <= self.last {
            return;
        }
        let lost = Lost { from: self.last + 1, to };
        self.last = to;
        self.lost.push(lost);
        self.change();
        if let Some(segment) = self.segments.last_mut() {
            segment.parts.push(Part::Gap(lost));
        }
    }

    fn change(&mut self) {
        if let Some(segment) = self.segments.last_mut() {
            segment.is_changed = true;
        }
    }
}
