//! A batch in the making, and what becomes of the ledger with it.
//!
//! The ledger is changed as records are staged, so that each sees those before it. Should the batch
//! not be written, the changes are taken back, the last one first.

use std::collections::VecDeque;
use std::time::Duration;

use clank_core::event::{Body, Change, Event, EventKind, Presence};
use clank_core::id::ConnectionId;
use clank_core::journal::{NotRecorded, Position};
use serde::Serialize;

use super::batch::{Batch, Staged, Undo};
use super::format::{EntryHead, MAX_ENTRY, Note, Tag};
use super::intake::{Answer, Handed};
use super::lane;
use super::ledger::{Ledger, Row};
use super::metrics::Counters;
use super::room::{Room, TokenBucket};
use super::settled::Settled;

/// The ledger, and the batch that changes it.
pub(crate) struct Staging {
    pub(crate) ledger: Ledger,
    pub(super) batch: Batch,
    /// The position of the last record, staged ones included.
    pub(super) position: u64,
    pub(super) settled: Settled,
    /// Bytes of all segments, and the most that there may be.
    used: u64,
    most: u64,
    minor: TokenBucket,
    /// Ends of connections that wait for room.
    waiting: VecDeque<Handed>,
}

/// A record that is not staged, by its answer.
type Refused = (Answer, NotRecorded);

/// Why a connection is closed by the record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The server says so.
    Server,
    /// It has said so before, and there was no room.
    Waiting,
    /// The run that held it is over.
    Sweep,
}

impl Staging {
    pub(crate) fn new(ledger: Ledger, position: u64, settled: Settled, most: u64, minor_rate: u32) -> Self {
        Self {
            ledger,
            batch: Batch::new(position),
            position,
            settled,
            used: 0,
            most,
            minor: TokenBucket::new(minor_rate),
            waiting: VecDeque::new(),
        }
    }

    /// Begins a batch for the end of segment `home`, of which so much is durable; all segments have
    /// `used` bytes.
    pub(crate) fn begin(&mut self, home: u64, durable: u32, used: u64) {
        self.batch.begin(self.position, home, durable);
        self.used = used;
    }

    /// What is on the disk, and what is staged for it.
    pub(crate) fn room(&self) -> Room {
        let used = self.used + self.batch.bytes.len() as u64;
        Room { most: self.most, used, reserved: self.ledger.reserved() }
    }

    /// The position of the last record.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many ends of connections wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the batch has `most` records, or as many bytes as one should.
    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.batch.is_full(most)
    }

    /// Stages a record, or answers why not.
    pub(crate) fn stage(&mut self, handed: Handed, now: Duration, counters: &Counters) {
        let Handed { record, answer } = handed;
        let result = match record.kind() {
            EventKind::Connected => self.stage_open(record, answer),
            EventKind::Disconnected => self.stage_close(record, answer, By::Server, now),
            EventKind::Error | EventKind::Subscribed | EventKind::Unsubscribed => {
                self.stage_within(record, answer, now)
            }
            EventKind::Rejected if !self.minor.take(now) => Err((answer, NotRecorded::Shed)),
            EventKind::Rejected => self.stage_other(record, answer, NotRecorded::Shed),
            EventKind::Launched | EventKind::Stopping => self.stage_other(record, answer, NotRecorded::Full),
            // the log makes these itself
            _ => Err((answer, NotRecorded::Conflict)),
        };
        if let Err((answer, why)) = result {
            counters.refuse(answer, why);
        }
    }

    /// Stages the ends that wait, until the batch has `most` records.
    pub(crate) fn stage_waiting(&mut self, now: Duration, most: usize, counters: &Counters) {
        while !self.is_full(most) {
            let Some(Handed { record, answer }) = self.waiting.pop_front() else { return };
            if let Err((answer, why)) = self.stage_close(record, answer, By::Waiting, now) {
                counters.refuse(answer, why);
            }
        }
    }

    /// Stages the end of a connection whose run is over.
    pub(crate) fn stage_sweep(&mut self, record: Event, now: Duration) {
        let _ = self.stage_close(record, Answer::none(), By::Sweep, now);
    }

    /// Lets the end of a connection wait for room, or answers why not.
    pub(crate) fn wait(&mut self, handed: Handed, counters: &Counters) {
        let id = handed.record.connection().map(|facts| facts.connection_id);
        match id.and_then(|id| self.ledger.row(id)) {
            Some(row) if !row.is_closing => {
                row.is_closing = true;
                self.waiting.push_back(handed);
            }
            _ => counters.refuse(handed.answer, NotRecorded::Conflict),
        }
    }

    /// Gives up the ends that wait.
    pub(crate) fn give_up(&mut self) {
        self.waiting.clear();
    }

    /// Stages a note of the log's own.
    pub(crate) fn note(&mut self, note: Note, payload: &impl Serialize) {
        self.batch.note(&EntryHead::note(note, self.position), payload);
    }

    /// Stages a copy of a connection's row.
    pub(crate) fn note_row(&mut self, id: ConnectionId, sequence: u64, payload: &impl Serialize) {
        let head = EntryHead { connection: Some(id), sequence, ..EntryHead::note(Note::Row, self.position) };
        self.batch.note(&head, payload);
    }

    fn stage_open(&mut self, mut record: Event, answer: Answer) -> Result<(), Refused> {
        let Some(facts) = record.connection().cloned() else { return Err((answer, NotRecorded::Conflict)) };
        if self.ledger.row(facts.connection_id).is_some() {
            return Err((answer, NotRecorded::Conflict));
        }
        let connections =
            facts.identity.as_ref().map(|identity| self.ledger.people.connections(identity) + 1);
        record.presence = connections.map(|connections| self.presence(connections));
        let Some((offset, length)) = self.encode(&record) else { return Err((answer, NotRecorded::Failed)) };
        let run = self.ledger.run(&record.origin);
        let row = Row {
            facts,
            opened: record.time,
            position: self.position + 1,
            sequence: 1,
            home: self.batch.home(),
            connections: connections.unwrap_or_default(),
            run,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            is_closing: false,
        };
        if length > MAX_ENTRY / 2 || !self.room().fits(row.reserved()) {
            self.batch.bytes.truncate(offset);
            return Err((answer, NotRecorded::Full));
        }
        self.ledger.insert(row);
        let (stayed, came) = self.settled.arrive(&mut self.ledger.people, &record);
        self.push(record, answer, offset, Undo::Opened { stayed });
        if let Some(came) = came {
            self.stage_user(came, Undo::CameOnline);
        }
        Ok(())
    }

    fn stage_close(
        &mut self,
        mut record: Event,
        answer: Answer,
        by: By,
        now: Duration,
    ) -> Result<(), Refused> {
        let Some(facts) = record.connection().cloned() else { return Err((answer, NotRecorded::Conflict)) };
        let id = facts.connection_id;
        if self.ledger.row(id).is_none_or(|row| row.is_closing != (by == By::Waiting)) {
            return Err((answer, NotRecorded::Conflict));
        }
        let connections =
            facts.identity.as_ref().map(|identity| self.ledger.people.connections(identity) - 1);
        record.presence = connections.map(|connections| self.presence(connections));
        let Some(offset) = self.encode_end(&mut record) else { return Err((answer, NotRecorded::Failed)) };
        let Some(row) = self.ledger.remove(id) else { return Err((answer, NotRecorded::Conflict)) };
        self.settled.leave(&mut self.ledger.people, &facts, now);
        self.push(record, answer, offset, Undo::Closed { row, waits: by != By::Sweep });
        Ok(())
    }

    fn stage_within(&mut self, mut record: Event, answer: Answer, now: Duration) -> Result<(), Refused> {
        let Body::Client { connection, sequence, .. } = &record.body else {
            return Err((answer, NotRecorded::Conflict));
        };
        let (id, sequence) = (connection.connection_id, *sequence);
        let connections =
            connection.identity.as_ref().map(|identity| self.ledger.people.connections(identity));
        let before = match self.ledger.row(id) {
            // a second record with a sequence would have the id of the first
            Some(row) if !row.is_closing && row.sequence < sequence => row.sequence,
            _ => return Err((answer, NotRecorded::Conflict)),
        };
        if !self.minor.take(now) {
            return Err((answer, NotRecorded::Shed));
        }
        record.presence = connections.map(|connections| self.presence(connections));
        let offset = match self.encode_in_room(&record) {
            Some(offset) => offset,
            None => return Err((answer, NotRecorded::Shed)),
        };
        if let Some(row) = self.ledger.row(id) {
            row.sequence = sequence;
        }
        self.push(record, answer, offset, Undo::Within { sequence: before });
        Ok(())
    }

    fn stage_other(&mut self, record: Event, answer: Answer, full: NotRecorded) -> Result<(), Refused> {
        match self.encode_in_room(&record) {
            Some(offset) => {
                self.push(record, answer, offset, Undo::Nothing);
                Ok(())
            }
            None => Err((answer, full)),
        }
    }

    /// Stages that a user has come or is gone.
    pub(super) fn stage_user(&mut self, mut record: Event, undo: Undo) {
        let connections = record.identity().map(|identity| self.ledger.people.connections(identity));
        record.presence = connections.map(|connections| self.presence(connections));
        let Some((offset, _)) = self.encode(&record) else { return };
        self.settled.record(&mut self.ledger.people, &record, self.batch.home());
        self.push(record, Answer::none(), offset, undo);
    }

    fn presence(&self, connections: u32) -> Presence {
        Presence { version: self.position + 1, connections: connections.into() }
    }

    /// Encodes a record for the next position; returns where in the batch, and how long it is.
    fn encode(&mut self, record: &Event) -> Option<(usize, usize)> {
        let sequence = match &record.body {
            Body::Client { sequence, .. } => *sequence,
            _ => 0,
        };
        let connection = match &record.body {
            Body::Client { connection, .. } => Some(connection.connection_id),
            Body::User(user) => Some(user.connection_id),
            _ => None,
        };
        let head = EntryHead {
            position: self.position + 1,
            tag: Tag::Event(record.kind()),
            lane: lane::of(record),
            connection,
            sequence,
        };
        self.batch.encode(&head, record)
    }

    fn encode_in_room(&mut self, record: &Event) -> Option<usize> {
        let (offset, length) = self.encode(record)?;
        if length > MAX_ENTRY || !self.room().fits(0) {
            self.batch.bytes.truncate(offset);
            return None;
        }
        Some(offset)
    }

    /// Encodes the end of a connection. Its room is reserved; words that are too many for any entry
    /// are left out.
    fn encode_end(&mut self, record: &mut Event) -> Option<usize> {
        let (offset, length) = self.encode(record)?;
        if length <= MAX_ENTRY {
            return Some(offset);
        }
        self.batch.bytes.truncate(offset);
        if let Body::Client { change: Change::Disconnected(end), .. } = &mut record.body {
            end.reason = "".into();
        }
        self.encode(record).map(|(offset, _)| offset)
    }

    fn push(&mut self, record: Event, answer: Answer, offset: usize, undo: Undo) {
        self.position += 1;
        self.batch.push(Staged { record, answer, position: self.position, offset, undo });
    }

    /// The batch is written: tells everybody.
    pub(crate) fn settle(&mut self, counters: &Counters) {
        for staged in self.batch.take() {
            counters.count_record(staged.record.kind());
            staged.answer.give(Ok(Position::new(staged.position)));
        }
    }

    /// The batch is not written: takes back what it changed. Ends of connections wait, all else is
    /// refused.
    pub(crate) fn revert(&mut self, why: NotRecorded, counters: &Counters) {
        let mut ends = Vec::new();
        for staged in self.batch.take().rev() {
            self.position = staged.position - 1;
            let Staged { record, answer, undo, .. } = staged;
            let id = record.connection().map(|facts| facts.connection_id);
            match undo {
                Undo::Nothing => counters.refuse_for_want(&record, answer, why),
                Undo::Opened { stayed } => {
                    id.and_then(|id| self.ledger.remove(id));
                    self.settled.take_back_arrival(&mut self.ledger.people, &record, stayed);
                    counters.refuse_for_want(&record, answer, why);
                }
                Undo::Within { sequence } => {
                    if let Some(row) = id.and_then(|id| self.ledger.row(id)) {
                        row.sequence = sequence;
                    }
                    counters.refuse_for_want(&record, answer, why);
                }
                Undo::Closed { row, waits } => {
                    self.ledger.insert(Row { is_closing: waits, ..row });
                    self.settled.take_back_departure(&mut self.ledger.people, &record);
                    if waits {
                        ends.push(Handed { record, answer });
                    }
                }
                Undo::CameOnline => self.settled.take_back_online(&mut self.ledger.people, &record),
                Undo::WentOffline(online) => {
                    self.settled.take_back_offline(&mut self.ledger.people, &record, online);
                }
            }
        }
        for handed in ends {
            let id = handed.record.connection().map(|facts| facts.connection_id);
            // it may have opened in the same batch, and so have no end either
            if id.is_some_and(|id| self.ledger.row(id).is_some()) {
                self.waiting.push_front(handed);
            } else {
                counters.refuse(handed.answer, NotRecorded::Conflict);
            }
        }
    }
}
