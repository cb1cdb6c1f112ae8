//! The application's listeners as a durable sink of the journal.
//!
//! They hear of this run's connections as these come and go, and the sink waits for that. What they
//! had not heard of when an earlier run ended is told by the sink, of connections that are gone.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clank::{EventKind, Record, RunId};
use clank_core::event::{Body, Change, ConnectionFacts};
use clank_journal::delivery::{
    AnySink, Delivery, Filter, OnPoison, Outcome, Pace, Sink, SinkConfig, SinkOptions, Verdict,
};

use super::SINK;
use super::bridge::Bridge;
use super::connections::{Head, Untold, seconds};
use super::frame::Frame;
use super::request::{Ended, Kind};

/// Events that are waited for at once, each of another client.
const AT_ONCE: usize = 256;
/// Ends of connections in a second: those that are told already need no pace.
const PACE: u32 = 1_000_000;

/// The sink.
struct Listeners {
    bridge: Arc<Bridge>,
    run: RunId,
}

pub(super) fn config(bridge: &Arc<Bridge>, run: RunId) -> clank::Result<SinkConfig> {
    let settings = &bridge.settings;
    let mut options = SinkOptions::default();
    options.filter = Filter::new().kinds([EventKind::Connected, EventKind::Disconnected]);
    options.concurrency = NonZeroUsize::new(AT_ONCE).unwrap_or(NonZeroUsize::MIN);
    // A worker that hangs is found by its own time limit; this one waits for those before it too.
    let waits = [settings.timeout.duration(), settings.boot_timeout.duration(), settings.wait.duration()];
    options.timeout = waits.iter().sum();
    options.on_poison = OnPoison::Skip;
    options.pace = Pace::new(PACE.try_into()?, Duration::from_secs(1));
    let sink = AnySink::new(Listeners { bridge: Arc::clone(bridge), run });
    Ok(SinkConfig { name: SINK.parse()?, sink, options })
}

impl Sink for Listeners {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let mut verdicts = Vec::with_capacity(batch.len());
        for delivery in batch {
            let verdict = self.tell(delivery).await;
            let fails = matches!(verdict, Verdict::Failing { .. });
            verdicts.push(verdict);
            if fails {
                break;
            }
        }
        Outcome::Each(verdicts)
    }
}

impl Listeners {
    async fn tell(&self, delivery: &Delivery) -> Verdict {
        let event = match delivery.event() {
            Ok(event) => event,
            Err(error) => return Verdict::Refused { why: format!("the record cannot be read: {error}") },
        };
        let Body::Client { connection, change, .. } = &event.body else { return Verdict::Acked };
        if event.origin.run == self.run && delivery.replay.is_none() {
            match self.bridge.connections.settled(event.id(), connection).await {
                None => return Verdict::Acked,
                Some(Untold::Died(why)) if !self.bridge.settings.retry => return self.bury(&event, why),
                Some(Untold::Missed) => return failing("the application ends"),
                Some(Untold::Died(_) | Untold::Buried) => {}
            }
        }
        self.tell_of_gone(&event, connection, change).await
    }

    async fn tell_of_gone(&self, event: &Record, connection: &ConnectionFacts, change: &Change) -> Verdict {
        let (bridge, id) = (&self.bridge, connection.resource_id.value());
        let user = connection.identity.as_ref().map(|identity| &*identity.id);
        let head = Head::of_facts(connection, String::new());
        let at = match change {
            Change::Disconnected(end) => seconds(event.time) - end.duration.as_secs_f64(),
            _ => seconds(event.time),
        };
        let json = head.json(user, at, None);
        let say = |frame: Frame| {
            let frame = frame.raw("connection", &json);
            match change {
                Change::Disconnected(end) => {
                    let frame = frame.text("event", "close").value("cause", &end.cause);
                    frame.value("code", &end.code).text("reason", &end.reason)
                }
                _ => frame.text("event", "open"),
            }
        };
        // No worker knows the connection, so it is nobody's.
        let request = bridge.request(Kind::Gone, (None, &id.to_string()), say);
        match bridge.ask(bridge.slot(id), request).ended().await {
            Ended::Done(_) => Verdict::Acked,
            Ended::Died(why) if bridge.settings.retry => failing(&why),
            Ended::Died(why) => self.bury(event, why),
            Ended::Refused(why) => failing(why),
        }
    }

    /// Listeners are not asked twice for what a worker died of.
    fn bury(&self, event: &Record, why: String) -> Verdict {
        self.bridge.connections.bury(event.id());
        Verdict::Refused { why }
    }
}

fn failing(why: &str) -> Verdict {
    Verdict::Failing { retry_after: None, why: why.to_owned() }
}
