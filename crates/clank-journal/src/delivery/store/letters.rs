//! Dead letters: listed, put back, dropped.

use std::io;

use bytes::Bytes;
use clank_core::event::{EventKind, Gap, Timestamp};
use clank_core::id::{ConnectionId, EventId};
use clank_core::journal::Position;
use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

use super::super::options::SinkName;
use super::super::state::{Change, Changes, Dead, Lane};
use super::{DEAD, LOST, Store, apply, failed, from_json, poisoned, to_json};

/// The most dead letters that one command puts back.
const MAX_REVIVED: usize = 10_000;

/// An event that a sink was not to be given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Whose it is.
    pub sink: SinkName,
    /// Where its record lay.
    pub position: Position,
    /// The event's id.
    pub id: EventId,
    /// What it tells of.
    pub kind: EventKind,
    /// What the sink said last, or behind what it was parked.
    pub why: Box<str>,
    /// How often it was offered.
    pub attempts: u32,
    /// How many of those count: others succeeded meanwhile.
    pub tries: u32,
    /// When it failed first.
    pub first_failed: Option<Timestamp>,
    /// When it was given up.
    pub died: Timestamp,
    /// The connection whose events were parked together: they are put back together too.
    pub group: Option<ConnectionId>,
    /// It is a `connected` whose `disconnected` was taken since: it is put back by force alone.
    pub superseded: bool,
    /// The whole record.
    pub record: Bytes,
}

impl DeadLetter {
    fn new(sink: &SinkName, position: u64, Dead { about, row }: Dead) -> Self {
        let position = Position::new(position);
        Self {
            sink: sink.clone(),
            position,
            id: row.id,
            kind: row.kind,
            why: about.why,
            attempts: row.attempts,
            tries: row.tries,
            first_failed: row.first_failed,
            died: about.died,
            group: about.group,
            superseded: about.superseded,
            record: row.entry(position).json,
        }
    }
}

/// Which dead letters of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// All.
    All,
    /// The one at a position; one that was parked stands for its group.
    One(Position),
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::delivery) struct Total {
    pub(in crate::delivery) letters: u64,
    pub(in crate::delivery) bytes: u64,
}

/// A dead letter that waits for another try.
#[derive(Clone, Debug)]
pub(in crate::delivery) struct Revived {
    pub(in crate::delivery) lane: Lane,
    pub(in crate::delivery) bytes: u64,
    pub(in crate::delivery) group: Option<ConnectionId>,
}

/// What became of a command to put dead letters back.
#[derive(Clone, Debug, Default)]
pub(in crate::delivery) struct Revival {
    pub(in crate::delivery) revived: Vec<Revived>,
    pub(in crate::delivery) withheld: u64,
    pub(in crate::delivery) left: u64,
}

impl Store {
    pub(in crate::delivery) fn dead_total(&self, sink: &SinkName) -> Total {
        self.totals.lock().ok().and_then(|totals| totals.get(sink).copied()).unwrap_or_default()
    }

    /// What there are once those are written that are about to be.
    pub(super) fn dead_with(&self, sink: &SinkName, changes: &Changes) -> Total {
        let mut total = self.dead_total(sink);
        for change in changes.made.iter().filter(|change| matches!(change, Change::Dead(..))) {
            total.letters += 1;
            total.bytes += change.bytes() as u64;
        }
        total
    }

    /// They are written, and can be listed: so they count.
    pub(super) fn dead_are(&self, sink: &SinkName, total: Total) -> io::Result<()> {
        self.totals.lock().map_err(|_| poisoned())?.insert(sink.clone(), total);
        Ok(())
    }

    pub(super) fn count_dead(&self, sink: &SinkName) -> io::Result<()> {
        let total = self.dead_on_disk(sink)?;
        self.totals.lock().map_err(|_| poisoned())?.insert(sink.clone(), total);
        Ok(())
    }

    fn dead_on_disk(&self, sink: &SinkName) -> io::Result<Total> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(DEAD).map_err(failed)?;
        let mut total = Total::default();
        for row in table.range(all_of(sink.as_str())).map_err(failed)? {
            total.letters += 1;
            total.bytes += row.map_err(failed)?.1.value().len() as u64;
        }
        Ok(total)
    }

    /// The dead letters behind a position, at most so many.
    pub(in crate::delivery) fn dead(
        &self,
        sink: &SinkName,
        after: Position,
        most: usize,
    ) -> io::Result<Vec<DeadLetter>> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(DEAD).map_err(failed)?;
        let range = (sink.as_str(), after.value().saturating_add(1))..=(sink.as_str(), u64::MAX);
        let mut letters = Vec::new();
        for row in table.range(range).map_err(failed)?.take(most) {
            let (key, value) = row.map_err(failed)?;
            letters.push(DeadLetter::new(sink, key.value().1, from_json(value.value())?));
        }
        Ok(letters)
    }

    /// Where the dead letter of an event lies.
    pub(in crate::delivery) fn find_dead(
        &self,
        sink: &SinkName,
        id: EventId,
    ) -> io::Result<Option<Position>> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(DEAD).map_err(failed)?;
        for row in table.range(all_of(sink.as_str())).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            if from_json::<Dead>(value.value())?.row.id == id {
                return Ok(Some(Position::new(key.value().1)));
            }
        }
        Ok(None)
    }

    /// Puts dead letters back, in the order of their positions.
    pub(in crate::delivery) fn revive(
        &self,
        sink: &SinkName,
        which: Letters,
        force: bool,
    ) -> io::Result<Revival> {
        let revival = self.write(|transaction| {
            let mut revival = Revival::default();
            for (position, dead) in chosen(transaction, sink.as_str(), which)? {
                if dead.about.superseded && !force {
                    revival.withheld += 1;
                } else if revival.revived.len() >= MAX_REVIVED {
                    revival.left += 1;
                } else {
                    revival.revived.push(put_back(transaction, sink.as_str(), position, dead)?);
                }
            }
            Ok(revival)
        })?;
        self.count_dead(sink)?;
        Ok(revival)
    }

    /// Drops dead letters, and writes a gap in their place. How many there were, and where the gap
    /// waits to be told.
    pub(in crate::delivery) fn drop_dead(
        &self,
        sink: &SinkName,
        which: Letters,
        now: Timestamp,
    ) -> io::Result<(u64, Option<(Lane, u64)>)> {
        let dropped = self.write(|transaction| {
            let mut gap = None;
            for (position, dead) in chosen(transaction, sink.as_str(), which)? {
                remove(transaction, sink.as_str(), position, &dead)?;
                widen(&mut gap, position);
            }
            let count = gap.map_or(0, |gap| gap.count);
            let told = gap.map(|gap| self.tell_gap(transaction, sink.as_str(), gap, now)).transpose()?;
            Ok((count, told))
        })?;
        self.count_dead(sink)?;
        Ok(dropped)
    }
}

/// Drops the oldest dead letters until the rest fits, and says which.
///
/// They have been refused, or have failed while others were taken; nobody has looked at them while
/// so many more came. To stop the sink instead would pin the journal, and in the end keep clients
/// out, for the sake of events that the sink does not take.
pub(super) fn make_room(
    transaction: &WriteTransaction,
    sink: &str,
    max_bytes: u64,
) -> Result<Option<Gap>, redb::Error> {
    let table = transaction.open_table(DEAD)?;
    let mut bytes = 0;
    let mut kept_from = None;
    for row in table.range(all_of(sink))?.rev() {
        let (key, value) = row?;
        bytes += value.value().len() as u64;
        if bytes > max_bytes {
            break;
        }
        kept_from = Some(key.value().1);
    }
    if bytes <= max_bytes {
        return Ok(None);
    }
    let mut old = Vec::new();
    for row in table.range((sink, 0)..(sink, kept_from.unwrap_or(u64::MAX)))? {
        let (key, value) = row?;
        old.push((key.value().1, read(value.value())?));
    }
    drop(table);
    let mut gap = None;
    for (position, dead) in &old {
        remove(transaction, sink, *position, dead)?;
        widen(&mut gap, *position);
    }
    tracing::error!(
        sink,
        dropped = old.len(),
        max_bytes,
        "dead letters were dropped: there are too many of them"
    );
    Ok(gap)
}

/// A dead `connected` whose `disconnected` was taken.
pub(super) fn supersede(
    transaction: &WriteTransaction,
    sink: &str,
    position: Position,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(DEAD)?;
    let key = (sink, position.value());
    let dead = table.get(key)?.map(|value| read(value.value())).transpose()?;
    if let Some(mut dead) = dead {
        dead.about.superseded = true;
        table.insert(key, &*to_json(&dead)?)?;
    }
    Ok(())
}

fn chosen(
    transaction: &WriteTransaction,
    sink: &str,
    which: Letters,
) -> Result<Vec<(u64, Dead)>, redb::Error> {
    let table = transaction.open_table(DEAD)?;
    let group = match which {
        Letters::All => None,
        Letters::One(position) => {
            let Some(value) = table.get((sink, position.value()))? else { return Ok(Vec::new()) };
            let dead = read(value.value())?;
            if dead.about.group.is_none() {
                return Ok(vec![(position.value(), dead)]);
            }
            dead.about.group
        }
    };
    let mut letters = Vec::new();
    for row in table.range(all_of(sink))? {
        let (key, value) = row?;
        let dead = read(value.value())?;
        if group.is_none() || dead.about.group == group {
            letters.push((key.value().1, dead));
        }
    }
    Ok(letters)
}

fn put_back(
    transaction: &WriteTransaction,
    sink: &str,
    position: u64,
    dead: Dead,
) -> Result<Revived, redb::Error> {
    transaction.open_table(DEAD)?.remove((sink, position))?;
    let Dead { about, mut row } = dead;
    row.tries = 0;
    row.revived = true;
    let lane = match row.kind {
        EventKind::Rejected => Lane::Alone(position),
        _ => Lane::Of(row.lane),
    };
    let bytes = row.record.get().len() as u64;
    apply(transaction, sink, &Change::Retry(lane, Position::new(position), Box::new(row)))?;
    Ok(Revived { lane, bytes, group: about.group })
}

fn remove(transaction: &WriteTransaction, sink: &str, position: u64, dead: &Dead) -> Result<(), redb::Error> {
    transaction.open_table(DEAD)?.remove((sink, position))?;
    // its end will not be taken any more
    if let Some(connection) = dead.row.connection.filter(|_| dead.row.kind == EventKind::Disconnected) {
        transaction.open_table(LOST)?.remove((sink, &*connection.to_string()))?;
    }
    Ok(())
}

fn widen(gap: &mut Option<Gap>, position: u64) {
    let gap = gap.get_or_insert(Gap { from: position, to: position, count: 0 });
    gap.from = gap.from.min(position);
    gap.to = gap.to.max(position);
    gap.count += 1;
}

fn all_of(sink: &str) -> std::ops::RangeInclusive<(&str, u64)> {
    (sink, 0)..=(sink, u64::MAX)
}

fn read(bytes: &[u8]) -> Result<Dead, redb::Error> {
    serde_json::from_slice(bytes).map_err(super::not_json)
}
