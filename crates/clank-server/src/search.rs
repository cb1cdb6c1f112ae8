//! Looking for events in a journal, page by page.

use std::borrow::Cow;
use std::io;

use clank_core::event::{EventKind, Timestamp};
use clank_core::id::{ConnectionId, EventId, RunId};
use clank_core::journal::Position;
use clank_journal::source::{self, Entry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes that are read at once.
const STRIDE: usize = 1024 * 1024;
/// Bytes of the longest page.
const PAGE: usize = 4 * 1024 * 1024;
/// Bytes that are looked at for one page: one of which few fit is shorter than it may be.
const MOST_LOOKED_AT: usize = 32 * 1024 * 1024;

/// Where records are read, and which there are.
pub(crate) struct Journal<R> {
    pub read: R,
    pub dropped: Position,
    pub end: Position,
}

/// Where a search begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    /// Behind a position.
    Behind(Position),
    /// At a time.
    At(Timestamp),
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub begin: Begin,
    pub kind: Option<EventKind>,
    pub connection: Option<ConnectionId>,
    pub identity: Option<String>,
    pub limit: usize,
}

/// Some of what was found.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Page {
    pub events: Vec<Found>,
    /// Up to here everything has been looked at.
    pub read_to: u64,
    /// The cursor of the page after this one, if there is more to look at.
    pub next: Option<String>,
}

/// A record, with where it lies.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Found {
    pub position: u64,
    pub record: Box<RawValue>,
}

impl Found {
    fn new(entry: &Entry) -> io::Result<Self> {
        let record = serde_json::from_slice(&entry.json)?;
        Ok(Self { position: entry.position.value(), record })
    }
}

impl Search {
    /// The page that begins where the search does.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub(crate) fn page(
        &self,
        mut journal: Journal<impl FnMut(Position, usize) -> io::Result<Vec<Entry>>>,
    ) -> io::Result<Page> {
        let mut after = match self.begin {
            Begin::Behind(position) => position.max(journal.dropped),
            Begin::At(time) => source::behind(time, journal.dropped, journal.end, &mut journal.read)?,
        };
        let (mut events, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        loop {
            let entries = (journal.read)(after, STRIDE)?;
            if entries.is_empty() {
                return Ok(Page { events, read_to: after.value(), next: None });
            }
            for entry in entries {
                if events.len() >= self.limit || bytes > PAGE || looked_at > MOST_LOOKED_AT {
                    let next = Some(after.to_string());
                    return Ok(Page { events, read_to: after.value(), next });
                }
                after = entry.position;
                looked_at += entry.json.len();
                if self.fits(&entry) {
                    bytes += entry.json.len();
                    events.push(Found::new(&entry)?);
                }
            }
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
            && (self.connection.is_none() && self.identity.is_none() || self.is_of(entry))
    }

    /// Whether a record is of the connection and of the user that are looked for.
    fn is_of(&self, entry: &Entry) -> bool {
        #[derive(Deserialize)]
        struct Identity<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Record<'a> {
            connection_id: Option<ConnectionId>,
            #[serde(borrow)]
            identity: Option<Identity<'a>>,
        }
        let Ok(record) = serde_json::from_slice::<Record<'_>>(&entry.json) else { return false };
        self.connection.is_none_or(|wanted| record.connection_id == Some(wanted))
            && self.identity.as_ref().is_none_or(|wanted| record.identity.is_some_and(|of| of.id == *wanted))
    }
}

/// The event of this id, if the journal has it.
///
/// # Errors
/// When the journal can't be read.
pub(crate) fn find(
    id: EventId,
    mut journal: Journal<impl FnMut(Position, usize) -> io::Result<Vec<Entry>>>,
) -> io::Result<Option<Found>> {
    #[derive(Deserialize)]
    struct Record {
        id: EventId,
    }
    let begin = born(id);
    let mut after = source::behind(begin, journal.dropped, journal.end, &mut journal.read)?;
    let connection = connection(id);
    loop {
        let entries = (journal.read)(after, STRIDE)?;
        let Some(last) = entries.last() else { return Ok(None) };
        after = last.position;
        // most can be passed over without a look at the record
        let may_be = |entry: &&Entry| entry.connection.is_none() || entry.connection == connection;
        let is = |entry: &&Entry| serde_json::from_slice(&entry.json).is_ok_and(|of: Record| of.id == id);
        if let Some(entry) = entries.iter().filter(may_be).find(is) {
            return Found::new(entry).map(Some);
        }
    }
}

fn connection(id: EventId) -> Option<ConnectionId> {
    match id {
        EventId::Open(connection)
        | EventId::Within(connection, _)
        | EventId::Close(connection)
        | EventId::Rejected(connection)
        | EventId::Online(connection)
        | EventId::Offline(connection) => Some(connection),
        EventId::Launched(_) | EventId::Stopping(_) | EventId::Gap(..) => None,
    }
}

/// When the connection or the run that an id names began: its events are not older. The time is in
/// the name, RFC 9562, section 5.7. Who repairs a journal may write of a run that began later.
fn born(id: EventId) -> Timestamp {
    let bytes = match (connection(id), id) {
        (Some(connection), _) => connection.to_bytes(),
        (None, EventId::Launched(run) | EventId::Stopping(run)) => RunId::to_bytes(run),
        (None, _) => [0; 16],
    };
    let millis = bytes.iter().take(6).fold(0, |millis, byte| millis << 8 | u64::from(*byte));
    Timestamp::from_unix_micros(millis * 1000)
}
