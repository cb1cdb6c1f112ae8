//! Lifecycle events on their way to those outside of the process: the journal and its sinks, put
//! together from the settings.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clank::{EventKind, RunId};
use clank_journal::delivery::{
    self, AnySink, Backoff, Dispatcher, Filter, Pace, SinkConfig, SinkOptions, new_origin,
};
use clank_journal::log::{self, Kinds, Log};
use clank_journal::sinks::{Answers, CommandOptions, CommandSink, FileOptions, FileSink};

use crate::config::{Durability, JournalSettings, OnFull, OnPoison, Settings, SinkKind, SinkSettings};
use crate::sinks;
use crate::symfony::Symfony;

/// The longest back-off begins here.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// Over how long the pace of ends is measured, in seconds.
const PACE_SECONDS: u32 = 5;
/// How often it is looked whether a sink has everything.
const LOOK: Duration = Duration::from_millis(10);
/// How long deliveries under way may take when the server stops; the backlog waits for the next start.
const LANDING: Duration = Duration::from_secs(2);

/// The journal, and who is told from it.
pub(crate) struct Events {
    pub log: Arc<Log>,
    pub run: RunId,
    dispatcher: Arc<Dispatcher>,
}

/// The same for those who ask, and give orders.
#[derive(Clone)]
pub(crate) struct Access {
    pub log: Arc<Log>,
    pub dispatcher: Arc<Dispatcher>,
}

impl Events {
    /// Opens the journal, if the settings want one, and starts delivery.
    ///
    /// # Errors
    /// When the journal is in use, damaged, or the system refuses something; when a sink can't be.
    pub(crate) async fn open(settings: &Settings, symfony: Option<&Symfony>) -> clank::Result<Option<Self>> {
        if !settings.has_journal {
            return Ok(None);
        }
        let directory = settings.journal.path.path();
        let log = Arc::new(Log::open(directory, options(settings))?);
        tracing::info!(journal = %log.id(), directory = %directory.display(), "the journal is open");
        let origin = new_origin(settings.server.node.clone())?;
        let run = origin.run;
        let sinks = settings.sinks.iter().map(|(name, sink)| config(name, sink));
        let mut sinks = sinks.collect::<clank::Result<Vec<_>>>()?;
        if let Some(symfony) = symfony {
            sinks.push(symfony.sink(run)?);
        }
        let dispatcher = Dispatcher::start(Arc::clone(&log) as _, directory, origin, sinks).await?;
        Ok(Some(Self { log, run, dispatcher: Arc::new(dispatcher) }))
    }

    pub(crate) fn access(&self) -> Access {
        Access { log: Arc::clone(&self.log), dispatcher: Arc::clone(&self.dispatcher) }
    }

    /// Waits until `sink` has all that there is, but no longer than deliveries may take.
    pub(crate) async fn settle(&self, sink: &str) {
        let mut looks = tokio::time::interval(LOOK);
        let settled = async {
            loop {
                looks.tick().await;
                let all = self.dispatcher.status().await;
                if all.iter().all(|status| status.sink.as_str() != sink || status.lag_events == 0) {
                    return;
                }
            }
        };
        // What is left waits for the next start.
        _ = tokio::time::timeout(LANDING, settled).await;
    }

    /// Ends delivery; what is not delivered waits for the next start.
    pub(crate) async fn close(self) {
        self.dispatcher.close(LANDING).await;
    }
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

fn config(name: &str, settings: &SinkSettings) -> clank::Result<SinkConfig> {
    let mut options = SinkOptions::default();
    options.filter = filter(settings);
    options.concurrency = at_least_one(settings.concurrency.count());
    options.batch = at_least_one(settings.batch.count());
    options.tries = NonZeroU32::try_from(settings.tries.count() as u32).unwrap_or(NonZeroU32::MIN);
    options.backoff = backoff(settings);
    options.timeout = settings.timeout.duration();
    options.on_poison = match settings.on_poison {
        OnPoison::Skip => delivery::OnPoison::Skip,
        OnPoison::Park => delivery::OnPoison::Park,
    };
    let ends = settings.pace.count() as u32 * PACE_SECONDS;
    let ends = NonZeroU32::try_from(ends).unwrap_or(NonZeroU32::MIN);
    options.pace = Pace::new(ends, Duration::from_secs(PACE_SECONDS.into()));
    options.max_dead_letter_bytes = settings.dead_letters.bytes() as u64;
    let sink = sink(settings).map_err(|error| clank::Error::new(format!("sinks.{name}: {error}")))?;
    Ok(SinkConfig { name: name.parse()?, sink, options })
}

fn filter(settings: &SinkSettings) -> Filter {
    let filter = Filter::new().kinds(settings.events.iter().map(|event| event.0));
    let filter = settings.paths.iter().fold(filter, |filter, path| filter.path(path.as_str()));
    settings.topics.iter().fold(filter, |filter, topic| match topic.as_str().strip_suffix('*') {
        Some(prefix) => filter.topics(prefix),
        None => filter.topic(topic.as_str()),
    })
}

fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

fn backoff(settings: &SinkSettings) -> Backoff {
    Backoff { min: LEAST_WAIT, max: settings.backoff.duration() }
}

fn sink(settings: &SinkSettings) -> clank::Result<AnySink> {
    Ok(match settings.kind {
        SinkKind::Webhook => AnySink::new(sinks::webhook::Webhook::new(settings)?),
        SinkKind::Command => AnySink::new(CommandSink::new(command(settings))),
        SinkKind::File => AnySink::new(FileSink::new(file(settings))),
        #[cfg(feature = "nats")]
        SinkKind::Nats => AnySink::new(sinks::nats::Nats::new(settings)),
        #[cfg(feature = "redis")]
        SinkKind::Redis => AnySink::new(sinks::redis::Redis::new(settings)?),
        #[cfg(feature = "amqp")]
        SinkKind::Amqp => AnySink::new(sinks::amqp::Amqp::new(settings)),
        #[cfg(not(all(feature = "nats", feature = "redis", feature = "amqp")))]
        _ => return Err(clank::Error::new("this program was built without such sinks")),
    })
}

fn command(settings: &SinkSettings) -> CommandOptions {
    let mut words = settings.command.iter().map(|word| word.as_str());
    let mut options = CommandOptions::new(words.next().unwrap_or_default());
    options.arguments = words.map(Into::into).collect();
    options.answers = if settings.acknowledge { Answers::Ids } else { Answers::Nothing };
    options.backoff = backoff(settings);
    options
}

fn file(settings: &SinkSettings) -> FileOptions {
    let path: PathBuf = settings.path.path().unwrap_or_else(|| "events.jsonl".as_ref()).to_owned();
    FileOptions {
        max_bytes: settings.rotate.bytes() as u64,
        keep: settings.keep.count(),
        ..FileOptions::new(path)
    }
}
