//! Checking a log, and making a damaged one usable again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use clank_core::event::{Body, Event, EventKind, Gap, Origin, Timestamp};
use clank_core::id::{NodeId, RunId};
use clank_core::journal::Position;

use super::JournalId;
use super::error::OpenError;
use super::format::{EntryHead, Found, Note, SegmentHeader, Tag, decode, encode};
use super::ids::BLOCK;
use super::lock::DirectoryLock;
use super::notes::Reserved;
use super::recovery;
use super::salvage::{Damage, Lost, Part, Plan, SegmentPlan, plan};
use super::segments;

/// How many blocks of resource ids are passed over when notes of some may be lost: each block needs
/// more records than a segment holds.
const BLOCKS_PASSED: u64 = 16;

/// The folder in a journal's directory for what cannot be read.
const FOLDER: &str = "damaged";

/// What was found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The journal's name; `None` if nothing tells it.
    pub id: Option<JournalId>,
    /// How many segments there are.
    pub segments: u64,
    /// How many records can be read.
    pub records: u64,
    /// The position of the last one.
    pub last: Position,
    /// What cannot be read, or is missing. With any, the log cannot be opened.
    pub damage: Vec<Damage>,
    /// The records that are lost by it.
    pub lost: Vec<Gap>,
    /// What a crash has left of the last batch. It was never reported as kept, and is cut off when
    /// the log is opened.
    pub torn: Option<Damage>,
    /// How many connections are open by the record; unknown while there is damage.
    pub open: Option<u64>,
    /// How many connections can't be closed by the record, at most: they have records behind a gap,
    /// and their `connected` may lie in it.
    pub unclosable: Option<u64>,
}

/// Looks through the log in `directory`, without changing anything.
///
/// # Errors
/// When the system refuses something.
pub fn check(directory: &Path) -> Result<Report, OpenError> {
    let mut report = Report::of(&plan(directory)?);
    if report.damage.is_empty() && report.lost.is_empty() {
        report.look_into(directory)?;
    }
    Ok(report)
}

/// Makes the log in `directory` usable: what cannot be read goes to the folder `damaged` in it, and a
/// `clank.journal.gap` record takes the place of the records that are lost. Returns what was found.
///
/// It can be called again after a crash, and does nothing where there is no damage.
///
/// # Errors
/// When another process has the log, or the system refuses something.
pub fn repair(directory: &Path, now: Timestamp) -> Result<Report, OpenError> {
    let _lock = DirectoryLock::take(directory)?;
    let plan = plan(directory)?;
    for damage in &plan.damage {
        set_aside(directory, damage).map_err(OpenError::io(&damage.file))?;
    }
    let mut previous: Option<u64> = None;
    for segment in &plan.segments {
        let old = segment.header.previous_length;
        let header = SegmentHeader { previous_length: previous.unwrap_or(old), ..segment.header };
        let path = segments::path(directory, header.number);
        previous = Some(if segment.is_changed || header != segment.header {
            let bytes = rebuild(&path, &header, segment, &plan, now).map_err(OpenError::io(&path))?;
            replace(&path, &bytes).map_err(OpenError::io(&path))?;
            bytes.len() as u64
        } else {
            segment.length
        });
    }
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(OpenError::io(directory))?;
    let mut report = Report::of(&plan);
    report.look_into(directory)?;
    Ok(report)
}

impl Report {
    fn of(plan: &Plan) -> Self {
        let gap = |lost: &Lost| gap(*lost);
        Self {
            id: plan.journal,
            segments: plan.segments.len() as u64,
            records: plan.records,
            last: Position::new(plan.last),
            damage: plan.damage.clone(),
            lost: plan.lost.iter().map(gap).collect(),
            torn: plan.torn.clone(),
            open: None,
            unclosable: None,
        }
    }

    fn look_into(&mut self, directory: &Path) -> Result<(), OpenError> {
        let state = recovery::recover(directory)?.state;
        self.open = Some(state.ledger.len() as u64);
        self.unclosable = Some(state.orphans);
        Ok(())
    }
}

fn gap(lost: Lost) -> Gap {
    Gap { from: lost.from, to: lost.to, count: lost.to - lost.from + 1 }
}

impl Damage {
    /// Where a repair keeps the bytes of the stretch; `None` if it has none.
    pub fn kept_in(&self, directory: &Path) -> Option<PathBuf> {
        (self.length > 0).then(|| self.copy(directory))
    }

    fn copy(&self, directory: &Path) -> PathBuf {
        let stem = self.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        directory.join(FOLDER).join(format!("{stem}-{}.bin", self.offset))
    }
}

/// Keeps a copy of what cannot be read.
fn set_aside(directory: &Path, damage: &Damage) -> io::Result<()> {
    let Ok(length) = usize::try_from(damage.length) else { return Ok(()) };
    if length == 0 {
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(length);
    let file = File::open(&damage.file)?;
    let there = file.metadata()?.len().saturating_sub(damage.offset).min(damage.length);
    bytes.resize(usize::try_from(there).unwrap_or(length), 0);
    file.read_exact_at(&mut bytes, damage.offset)?;
    fs::create_dir_all(directory.join(FOLDER))?;
    let mut copy = File::create(damage.copy(directory))?;
    copy.write_all(&bytes)?;
    copy.sync_all()
}

/// Writes a segment anew: what is good of it, and notes of what is lost.
fn rebuild(
    path: &Path,
    header: &SegmentHeader,
    segment: &SegmentPlan,
    plan: &Plan,
    now: Timestamp,
) -> io::Result<Vec<u8>> {
    let old = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let mut bytes = header.encode().to_vec();
    let mut last = header.first - 1;
    for part in &segment.parts {
        match part {
            Part::Gap(lost) => {
                last = lost.to;
                append_gap(&mut bytes, *lost, plan, now)?;
            }
            Part::Kept(range) => {
                let mut offset = range.start;
                while let Found::Entry(raw) = decode(&old, offset)
                    && offset < range.end
                {
                    offset = raw.end();
                    if let Tag::Event(_) = raw.head.tag {
                        last = raw.head.position;
                    }
                    append(&mut bytes, &EntryHead { position: last, ..raw.head }, raw.payload)?;
                }
            }
        }
    }
    let reserved = Reserved { end: plan.ids_end + BLOCKS_PASSED * BLOCK };
    append(&mut bytes, &EntryHead::note(Note::Reserved, last), &serde_json::to_vec(&reserved)?)?;
    Ok(bytes)
}

fn append_gap(bytes: &mut Vec<u8>, lost: Lost, plan: &Plan, now: Timestamp) -> io::Result<()> {
    let unknown = || Origin { node: NodeId::default(), run: RunId::new(now.unix_millis(), &[0; 10]) };
    let origin = plan.origin.clone().unwrap_or_else(unknown);
    let record = Event::new(now, origin, Body::Gap(gap(lost)));
    let head = EntryHead {
        position: lost.to,
        tag: Tag::Event(EventKind::Gap),
        lane: 0,
        connection: None,
        sequence: 0,
    };
    append(bytes, &head, &serde_json::to_vec(&record)?)
}

fn append(bytes: &mut Vec<u8>, head: &EntryHead, payload: &[u8]) -> io::Result<()> {
    // the whole file is durable before it takes its place
    let durable = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let write = |to: &mut Vec<u8>| to.write_all(payload);
    encode(bytes, head, durable, write).map(drop)
}

/// Puts a file in the place of another, or of none.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)
}
