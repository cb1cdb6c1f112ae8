//! How a run begins and ends.

use std::io;

use clank_core::cause::Cause;
use clank_core::event::{Body, Change, Disconnected, Event, Origin, PreviousRun, Timestamp};
use clank_core::id::{ConnectionId, ResourceId};
use clank_core::journal::{Begun, CannotBegin};

use super::JournalId;
use super::appender::NotWritten;
use super::format::Note;
use super::ids::BLOCK;
use super::ledger::Row;
use super::notes::{Reserved, RunNote, Sweep};
use super::writer::{Now, Writer};

/// How many connections are closed by the record in one batch.
const SWEEP: usize = 4_096;

/// Why a run does not begin.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum NotBegun {
    #[error("a run has begun already")]
    Already,
    #[error("it is closed")]
    Closed,
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    #[error("all resource ids have been given")]
    NoIds,
}

impl Writer {
    /// Begins a run, and closes by the record what earlier ones left open.
    pub(super) fn begin_run(&mut self, origin: &Origin, now: Now) -> Result<Begun, CannotBegin> {
        self.try_begin(origin, now).map_err(|why| CannotBegin(Box::new(why)))
    }

    fn try_begin(&mut self, origin: &Origin, now: Now) -> Result<Begun, NotBegun> {
        if self.run.is_some() {
            return Err(NotBegun::Already);
        }
        if self.has_ended {
            return Err(NotBegun::Closed);
        }
        let previous = self.previous();
        self.sweep(previous, now)?;
        let first = self.ids_end.max(ResourceId::FIRST.value());
        let end = (first + BLOCK).min(ResourceId::MAX + 1);
        self.begin_batch();
        self.staging.note(Note::RunBegun, &RunNote::new(origin, now.time));
        self.staging.note(Note::Reserved, &Reserved { end });
        self.write(now)?;
        self.appender.sync()?;
        self.ids_end = end;
        self.shared.ids.start(first);
        self.shared.ids.grant(end);
        self.before.sweep = None;
        self.blocked = None;
        self.run = Some(origin.clone());
        self.staging.restart_settled(now.ticks);
        // the ids below 2^53 last for ever, and one more
        Ok(Begun { previous, first: ResourceId::new(first).ok_or(NotBegun::NoIds)? })
    }

    fn previous(&self) -> Option<PreviousRun> {
        let left_open = self.staging.ledger.len() as u64;
        let said = self.before.run.as_ref().map(|(origin, clean)| (origin.run, *clean));
        // after a repair only the connections may tell of it
        let held = || Some((self.staging.ledger.origin(self.staging.ledger.rows().next()?.run)?.run, false));
        let known = said.or_else(held).map(|(run, clean)| PreviousRun { run, clean, left_open });
        self.before.sweep.or(known)
    }

    fn sweep(&mut self, previous: Option<PreviousRun>, now: Now) -> Result<(), NotBegun> {
        let mut open: Vec<(u64, ConnectionId)> =
            self.staging.ledger.rows().map(|row| (row.position, row.facts.connection_id)).collect();
        open.sort_unstable();
        for (at, part) in open.chunks(SWEEP).enumerate() {
            self.make_room(now);
            self.begin_batch();
            if let Some(previous) = previous.filter(|_| at == 0) {
                self.staging.note(Note::Sweep, &Sweep { previous });
            }
            for (_, id) in part {
                if let Some(record) = self.lost(*id, now) {
                    self.staging.stage_sweep(record, now.ticks);
                }
            }
            self.write(now)?;
            self.before.sweep = previous;
        }
        Ok(())
    }

    /// The end of a connection whose node was lost.
    fn lost(&mut self, id: ConnectionId, now: Now) -> Option<Event> {
        let Row { facts, opened, sequence, run, .. } = self.staging.ledger.row(id)?.clone();
        let alive_until = self.before.heartbeat.map_or(opened, |heartbeat| heartbeat.max(opened));
        let end = Disconnected {
            reason: "the process ended without closing it".into(),
            duration: alive_until.since(opened),
            alive_until: Some(alive_until),
            ..Disconnected::new(Cause::NodeLost)
        };
        let change = Change::Disconnected(Box::new(end));
        let body = Body::Client { connection: facts, sequence: sequence + 1, change };
        Some(Event::new(now.time, self.staging.ledger.origin(run)?.clone(), body))
    }

    /// Begins a segment under another name.
    pub(super) fn renew_id(&mut self, id: JournalId, now: Timestamp) -> io::Result<()> {
        let renewed = self.appender.renew_id(id, self.staging.position() + 1, now);
        self.appender.close();
        renewed.map_err(io::Error::other)
    }

    /// Ends the run: writes what waits, if the disk takes it, and that nothing is missing.
    pub(super) fn end_run(&mut self, now: Now) {
        self.shared.intake.close();
        self.has_ended = true;
        self.blocked = None;
        while self.blocked.is_none() && self.staging.waiting() > 0 {
            self.write_all(now);
        }
        let is_complete = self.staging.waiting() == 0;
        self.staging.give_up();
        if let Some(origin) = self.run.take().filter(|_| is_complete) {
            self.begin_batch();
            self.staging.note(Note::RunEnded, &RunNote::new(&origin, now.time));
            let _ = self.write(now);
        }
        self.appender.close();
    }
}
