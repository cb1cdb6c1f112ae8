//! `[journal]`: where lifecycle events are kept.

use clank_core::limits::{GIB, HOUR, MIB, Period, SECOND, Size};

use super::settings::choices;
use super::value::{Choice, Word};

const DAY: u64 = 24 * HOUR;

/// `[journal]`: where lifecycle events are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalSettings {
    /// The directory.
    pub path: Directory,
    /// What a record survives once it counts as kept.
    pub durability: Durability,
    /// Whether a client is welcomed once its connection is recorded.
    pub before_accept: bool,
    /// Bytes that it may hold.
    pub max_bytes: Size<MIB, { 1024 * GIB }>,
    /// What happens when it holds as much.
    pub on_full: OnFull,
    /// How long records are kept that every sink has.
    pub retention_age: Period<0, { 3650 * DAY }>,
    /// How many bytes of them.
    pub retention_bytes: Size<0, { 1024 * GIB }>,
    /// How long a user is gone before the user counts as gone.
    pub grace: Period<0, { 24 * HOUR }>,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            path: Directory("clank-data".into()),
            durability: Durability::Fsync,
            before_accept: true,
            max_bytes: Size::of(GIB),
            on_full: OnFull::RefuseConnects,
            retention_age: Period::of(7 * DAY),
            retention_bytes: Size::of(256 * MIB),
            grace: Period::of(5 * SECOND),
        }
    }
}

choices! {
    /// What a record survives once it counts as kept.
    Durability {
        /// The loss of power: the disk has said that it has it.
        Fsync "fsync"
        /// The end of the process, however it comes.
        Os "os"
        /// Nothing that is promised.
        Memory "memory"
    }

    /// What happens when the journal is full.
    OnFull {
        /// Clients are refused until there is room.
        RefuseConnects "refuse_connects"
        /// The oldest records are dropped, and the sinks that lack them are told.
        Evict "evict"
    }
}

/// The name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(Box<str>);

impl Directory {
    /// The directory.
    pub fn path(&self) -> &std::path::Path {
        self.0.as_ref().as_ref()
    }
}

impl Word for Directory {
    const SYNTAX: &'static str = "the name of a directory";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| Self(text.into()))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        (&*self.0).into()
    }
}

super::value::words!(Directory);
