//! What one large audience costs all others.

use std::time::Duration;

use super::Job;
use super::broadcast::Broadcast;
use super::pace::Pace;
use crate::Result;
use crate::mark::Body;
use crate::measure::{Figures, Measure};
use crate::process::Moment;

/// The topics whose latency is measured; topic 0 has the crowd.
const OTHERS: std::ops::Range<u32> = 1..11;
/// Events a second on all of them together.
const RATE: u32 = 500;
/// Connections of the crowd that are served before the others are looked at again: some 30 µs.
const TURN: usize = 16;

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    let mut others = Broadcast::gather(job.target, TURN, OTHERS.len(), OTHERS)?;
    let mut crowd = Broadcast::gather(job.target, TURN, job.plan.crowd, 0..1)?;
    let mut events = 0;
    for (measure, busy) in [(Measure::Quiet, false), (Measure::Crowd, true)] {
        let warm_up = Pace::new(RATE, job.plan.warm_up(), OTHERS, events);
        let warm_up = drive(&mut others, &mut crowd, busy, warm_up)?;
        let (moment, before) = (Moment::now(job.server), crowd.delivered());
        let pace = Pace::new(RATE, job.plan.time, OTHERS, warm_up.events());
        let pace = drive(&mut others, &mut crowd, busy, pace)?;
        let figures = Figures::new(crowd.delivered() - before, moment.until_now(job.server));
        found.push((measure, Figures { latency: pace.percentiles(), ..figures }));
        events = pace.events();
    }
    crowd.drain(|_| ())
}

/// The others are looked at between any two turns of the crowd.
fn drive(others: &mut Broadcast<'_>, crowd: &mut Broadcast<'_>, busy: bool, mut pace: Pace) -> Result<Pace> {
    while !pace.is_over() {
        pace.publish(others)?;
        others.turn(Duration::ZERO, |mark| pace.heard(mark))?;
        if busy {
            crowd.refill(1, Body::Text(128))?;
        }
        crowd.turn(Duration::ZERO, |_| ())?;
    }
    while others.is_under_way() {
        others.turn(Duration::ZERO, |mark| pace.heard(mark))?;
        crowd.turn(Duration::ZERO, |_| ())?;
        pace.check_patience()?;
    }
    Ok(pace)
}
