//! Old segments go, and what is still needed of them is copied to the end before.

use std::sync::atomic::Ordering::Relaxed;

use clank_core::event::{Identity, Timestamp};
use clank_core::id::ConnectionId;

use super::appender::NotWritten;
use super::format::Note;
use super::notes::{OnlineNote, Reserved, RowNote, RunNote};
use super::options::OnFull;
use super::writer::{Now, RETENTION, Writer};

/// How many rows are copied in one batch.
const COPIES: usize = 4_096;

/// The oldest segment, when others follow it.
#[derive(Clone, Copy, Debug)]
struct Oldest {
    number: u64,
    length: u64,
    /// The position of its last record.
    last: u64,
    /// When the next segment was begun, and with which position.
    sealed: Timestamp,
    next_first: u64,
}

impl Writer {
    /// Removes segments that nobody needs, and that are too old or too many.
    pub(super) fn retain(&mut self, now: Now) {
        if now.ticks >= self.due.retention {
            self.due.retention = now.ticks + RETENTION;
        }
        while let Some(oldest) = self.oldest() {
            let is_old = now.time.since(oldest.sealed) > self.options.retention_age;
            // rows that are needed are copied: so many of them may be there that nothing is won by it
            let most = self.options.retention_bytes + 2 * self.staging.ledger.bytes();
            let is_kept = !is_old && self.released_bytes() <= most;
            if !self.is_released(&oldest) || is_kept || self.run.is_none() || self.blocked.is_some() {
                self.shared.want(Some(oldest.last));
                return;
            }
            if self.remove(&oldest, now).is_err() {
                return;
            }
        }
        self.shared.want(None);
    }

    /// Begins a new segment when the one that is written is long enough, and sees to it that there is
    /// room for some more.
    pub(super) fn make_room(&mut self, now: Now) {
        if self.blocked.is_some() {
            return;
        }
        if self.appender.length() >= self.options.segment_bytes {
            self.roll(now);
        }
        // a batch and its like, so that the limit is not passed by much
        let wanted = self.options.segment_bytes.min(8 << 20);
        while self.run.is_some() && self.blocked.is_none() && self.staging.room().free() < wanted {
            if self.used <= 2 * self.staging.ledger.bytes() + wanted {
                return;
            }
            let Some(oldest) = self.oldest() else {
                // what is written is all that could be evicted
                if self.options.on_full == OnFull::Evict && self.appender.length() > wanted {
                    self.roll(now);
                    continue;
                }
                return;
            };
            let is_released = self.is_released(&oldest);
            if !is_released && self.options.on_full == OnFull::RefuseConnects {
                return;
            }
            if self.remove(&oldest, now).is_err() {
                return;
            }
            if !is_released {
                self.shared.counters.evicted.fetch_add(1, Relaxed);
                tracing::error!(
                    up_to = oldest.last,
                    "the journal was full: records that somebody needs are gone"
                );
            }
        }
    }

    fn roll(&mut self, now: Now) {
        let rolled = self.appender.roll(self.staging.position() + 1, now.time);
        self.note_begun();
        self.begin_batch();
        if let Err(why) = rolled {
            self.block(why, now);
        }
    }

    fn oldest(&self) -> Option<Oldest> {
        let segments = self.shared.segments();
        let [oldest, next, ..] = segments.as_slice() else { return None };
        Some(Oldest {
            number: oldest.number,
            length: oldest.length,
            last: oldest.last,
            sealed: next.created,
            next_first: next.first,
        })
    }

    fn is_released(&self, oldest: &Oldest) -> bool {
        oldest.last <= self.shared.released() || oldest.next_first - 1 <= self.shared.dropped().value()
    }

    /// Bytes of the sealed segments that nobody needs.
    fn released_bytes(&self) -> u64 {
        let released = self.shared.released();
        let segments = self.shared.segments();
        let sealed = segments.split_last().map_or(&[][..], |(_, sealed)| sealed);
        sealed.iter().take_while(|segment| segment.last <= released).map(|segment| segment.length).sum()
    }

    fn remove(&mut self, oldest: &Oldest, now: Now) -> Result<(), NotWritten> {
        self.copy_rows(oldest.number, now)?;
        self.copy_users(oldest.number, now)?;
        self.begin_batch();
        if let Some(origin) = &self.run {
            self.staging.note(Note::RunBegun, &RunNote::new(origin, now.time));
        }
        self.staging.note(Note::Reserved, &Reserved { end: self.ids_end });
        self.write(now)?;
        // the copies first, then the originals
        self.appender.sync()?;
        // readers first: whoever finds no file looks whether it is in the list still
        let segment = self.shared.change_segments().remove(0);
        if let Err(error) = self.appender.remove_oldest(oldest.number) {
            tracing::error!(%error, number = oldest.number, "an old segment of the journal cannot be removed");
            self.shared.change_segments().insert(0, segment);
            self.block(NotWritten::Failed, now);
            return Err(NotWritten::Failed);
        }
        self.shared.set_dropped(oldest.next_first - 1);
        self.used -= oldest.length;
        self.begin_batch();
        Ok(())
    }

    /// Copies the rows of open connections that segment `number` holds.
    fn copy_rows(&mut self, number: u64, now: Now) -> Result<(), NotWritten> {
        let ledger = &self.staging.ledger;
        let here: Vec<ConnectionId> =
            ledger.rows().filter(|row| row.home <= number).map(|row| row.facts.connection_id).collect();
        for part in here.chunks(COPIES) {
            self.begin_batch();
            for id in part {
                let Some(row) = self.staging.ledger.row(*id).cloned() else { continue };
                let Some(record) = self.staging.ledger.connected(&row) else { continue };
                let note = RowNote { position: row.position, sequence: row.sequence, record };
                self.staging.note_row(*id, row.sequence, &note);
            }
            self.write(now)?;
            let home = self.appender.number();
            for id in part {
                if let Some(row) = self.staging.ledger.row(*id) {
                    row.home = home;
                }
            }
        }
        Ok(())
    }

    /// Copies what segment `number` says of users who are online.
    fn copy_users(&mut self, number: u64, now: Now) -> Result<(), NotWritten> {
        let people = &mut self.staging.ledger.people;
        let here = people.iter().filter_map(|(id, person)| {
            let online = person.online.as_ref().filter(|online| online.home <= number)?;
            // with a connection, what is known of the user is in the row
            let identity = match &online.leaving {
                Some(leaving) => leaving.user.identity.clone(),
                None => Identity::new(id),
            };
            Some(OnlineNote { connection_id: online.connection, identity })
        });
        let here: Vec<OnlineNote> = here.collect();
        for part in here.chunks(COPIES) {
            self.begin_batch();
            for note in part {
                self.staging.note(Note::Online, note);
            }
            self.write(now)?;
            let home = self.appender.number();
            for note in part {
                let person = self.staging.ledger.people.person(&note.identity.id);
                if let Some(online) = person.and_then(|person| person.online.as_mut()) {
                    online.home = home;
                }
            }
        }
        Ok(())
    }
}
