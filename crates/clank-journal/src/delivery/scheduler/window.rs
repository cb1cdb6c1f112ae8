//! What has been read and is not settled, and how far that lets the cursor go.

use std::collections::BTreeMap;

use clank_core::journal::Position;

use super::super::state::Progress;

/// The positions that were read and are not settled.
///
/// All else that was read is settled. So what has to be kept on disk is bounded by what is under
/// way, however much was settled ahead of the cursor.
#[derive(Debug)]
pub(super) struct Window {
    /// Whether each has been offered.
    pending: BTreeMap<Position, bool>,
    bytes: usize,
    read_to: Position,
    /// Nothing behind it has been settled or offered.
    mark: Position,
    /// What an earlier run left unsettled below its mark, and was not read again yet.
    earlier: BTreeMap<Position, bool>,
    earlier_mark: Position,
    /// Up to here an earlier run may have offered more than it could note down.
    suspect_to: Position,
}

/// What a position that is read again is.
pub(super) enum Seen {
    Settled,
    Pending { repeated: bool },
}

impl Window {
    pub(super) fn resume(progress: &Progress) -> Self {
        let earlier = progress.unsettled.iter().map(|(at, offered)| (Position::new(*at), *offered)).collect();
        Self {
            pending: BTreeMap::new(),
            bytes: 0,
            read_to: progress.cursor,
            mark: progress.mark,
            earlier,
            earlier_mark: progress.mark,
            suspect_to: if progress.clean { Position::START } else { progress.offered_to },
        }
    }

    pub(super) fn read_to(&self) -> Position {
        self.read_to
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn first(&self) -> Option<Position> {
        self.pending.keys().next().copied()
    }

    /// A position that was read.
    pub(super) fn meet(&mut self, position: Position) -> Seen {
        let earlier = self.earlier.remove(&position);
        if position <= self.earlier_mark && earlier.is_none() {
            return Seen::Settled;
        }
        Seen::Pending { repeated: earlier == Some(true) || position <= self.suspect_to }
    }

    pub(super) fn admit(&mut self, position: Position, bytes: usize) {
        self.pending.insert(position, false);
        self.bytes += bytes;
    }

    /// All up to here has been met or is of no interest.
    pub(super) fn read(&mut self, to: Position) {
        self.read_to = self.read_to.max(to);
        if self.earlier.first_key_value().is_some_and(|(first, _)| *first <= to) {
            self.earlier = self.earlier.split_off(&Position::new(to.value().saturating_add(1)));
        }
    }

    /// How many unsettled events lie between what was read and `to`.
    pub(super) fn unread(&self, to: Position) -> u64 {
        let known = self.earlier.range(..=to).count();
        let unknown = to.value().saturating_sub(self.read_to.max(self.earlier_mark).value());
        known as u64 + unknown
    }

    /// A position that is to be noted down while it is not settled.
    pub(super) fn reach(&mut self, position: Position) {
        self.mark = self.mark.max(position);
    }

    pub(super) fn offered(&mut self, position: Position) {
        if let Some(offered) = self.pending.get_mut(&position) {
            *offered = true;
            self.mark = self.mark.max(position);
        }
    }

    pub(super) fn settle(&mut self, position: Position, bytes: usize) {
        if self.pending.remove(&position).is_some() {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        self.mark = self.mark.max(position);
    }

    /// All up to here is settled.
    pub(super) fn cursor(&self) -> Position {
        let earlier = self.earlier.keys().next().copied();
        match self.first().into_iter().chain(earlier).min() {
            Some(first) => Position::new(first.value().saturating_sub(1)),
            None => self.read_to.max(self.earlier_mark),
        }
    }

    /// What a later run has to know.
    pub(super) fn progress(&self) -> (Position, Position, Vec<(u64, bool)>) {
        let cursor = self.cursor();
        let mark = self.mark.max(cursor);
        let unsettled = self.pending.range(..=mark).chain(&self.earlier);
        let mut unsettled: Vec<_> = unsettled.map(|(at, offered)| (at.value(), *offered)).collect();
        unsettled.sort_unstable();
        (cursor, mark, unsettled)
    }
}
