//! How long a broadcast takes at a pace that most servers can keep.

use std::time::Duration;

use super::Job;
use super::broadcast::Broadcast;
use super::pace::Pace;
use crate::Result;
use crate::measure::{Figures, Measure};
use crate::process::Moment;

/// Events a second.
const RATE: u32 = 100;

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    let mut broadcast = Broadcast::gather(job.target, 1024, job.plan.subscribers, 0..1)?;
    let warm_up = Pace::new(RATE, job.plan.warm_up(), 0..1, 0, None);
    let events = warm_up.events();
    drive(job, &mut broadcast, warm_up)?;
    let (moment, before) = (Moment::now(job.server), broadcast.delivered());
    let pace = drive(job, &mut broadcast, Pace::new(RATE, job.plan.time, 0..1, events, None))?;
    let figures = Figures::new(broadcast.delivered() - before, moment.until_now(job.server));
    found.push((Measure::Latency, Figures { latency: pace.percentiles(), ..figures }));
    Ok(())
}

fn drive(job: &Job<'_>, broadcast: &mut Broadcast<'_>, mut pace: Pace) -> Result<Pace> {
    while !pace.is_over() {
        let wait = pace.publish(broadcast)?;
        let wait = if job.plan.pinned { Duration::ZERO } else { whole_milliseconds(wait) };
        broadcast.turn(wait, |mark| pace.heard(mark))?;
    }
    broadcast.drain(|mark| pace.heard(mark)).map_err(|error| format!("saturated: {error}"))?;
    Ok(pace)
}

/// The system rounds waits up.
fn whole_milliseconds(wait: Duration) -> Duration {
    Duration::from_millis(wait.as_millis() as u64)
}
