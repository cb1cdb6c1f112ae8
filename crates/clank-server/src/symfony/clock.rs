//! The periodic services of the application: the server keeps their time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::bridge::Bridge;
use super::frame::Frame;
use super::request::{Ended, Kind};
use super::said::Periodic;

/// The shortest interval: less would let the application do nothing else.
const LEAST: Duration = Duration::from_millis(1);

/// Has a worker tick until this is dropped.
pub(super) struct Clock {
    _ticking: JoinSet<()>,
}

impl Clock {
    /// Of several workers, the first one ticks.
    pub(super) fn start(bridge: &Arc<Bridge>, number: usize, periodics: &[Periodic]) -> Self {
        let mut ticking = JoinSet::new();
        for periodic in periodics.iter().filter(|_| number == 0) {
            ticking.spawn(tick(Arc::clone(bridge), periodic.clone()));
        }
        Self { _ticking: ticking }
    }
}

/// The next tick is looked for when the last one is over: what comes due meanwhile is left out.
async fn tick(bridge: Arc<Bridge>, Periodic { name, interval_ms }: Periodic) {
    let Some(slot) = bridge.slots.first() else { return };
    let every = Duration::from_millis(interval_ms).max(LEAST);
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let tick = bridge.request(Kind::Tick, (None, &name), |frame: Frame| frame.text("name", &name));
        if let Ended::Refused(_) = bridge.ask(slot, tick).ended().await {
            return;
        }
    }
}
