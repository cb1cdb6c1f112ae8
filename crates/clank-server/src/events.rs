//! Lifecycle events on their way to those outside of the process: the journal, put together from the
//! settings.

use std::sync::Arc;

use clank::EventKind;
use clank_journal::log::{self, Kinds, Log, OpenError};

use crate::config::{Durability, JournalSettings, OnFull, Settings};

/// The journal, if the settings want one.
///
/// # Errors
/// When it is in use, damaged, or the system refuses something.
pub(crate) fn open(settings: &Settings) -> Result<Option<Arc<Log>>, OpenError> {
    if !settings.has_journal {
        return Ok(None);
    }
    let log = Log::open(settings.journal.path.path(), options(settings))?;
    tracing::info!(journal = %log.id(), directory = %settings.journal.path.path().display(), "the journal is open");
    Ok(Some(Arc::new(log)))
}

fn options(settings: &Settings) -> log::Options {
    let JournalSettings { durability, max_bytes, on_full, retention_age, retention_bytes, grace, .. } =
        &settings.journal;
    log::Options {
        durability: match durability {
            Durability::Fsync => log::Durability::Fsync,
            Durability::Os => log::Durability::Os,
            Durability::Memory => log::Durability::Memory,
        },
        kinds: kinds(settings),
        max_bytes: max_bytes.bytes() as u64,
        on_full: match on_full {
            OnFull::RefuseConnects => log::OnFull::RefuseConnects,
            OnFull::Evict => log::OnFull::Evict,
        },
        retention_age: retention_age.duration(),
        retention_bytes: retention_bytes.bytes() as u64,
        user_grace: grace.duration(),
        ..log::Options::default()
    }
}

/// What is kept: how connections open and end, what concerns the server and its users, and what a
/// sink asks for.
fn kinds(settings: &Settings) -> Kinds {
    use EventKind::{Launched, Offline, Online, Stopping};
    let always = [Launched, Stopping, Online, Offline];
    let asked = settings.sinks.values().flat_map(|sink| sink.events.iter().map(|event| event.0));
    always.into_iter().chain(asked).fold(Kinds::LEAST, Kinds::with)
}
