//! How many deliveries a second, when there is always something to deliver.

use super::Job;
use super::broadcast::Broadcast;
use crate::Result;
use crate::mark::Body;
use crate::measure::{Figures, Measure};
use crate::process::Moment;

/// What is published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    topics: u32,
    /// Events in one write; the next ones leave when all of these have arrived.
    events: u64,
    body: Body,
}

pub(super) const ONE_TOPIC: Shape = Shape { topics: 1, events: 1, body: Body::Text(128) };
pub(super) const BURSTS: Shape = Shape { events: 16, ..ONE_TOPIC };
pub(super) const DOCUMENTS: Shape = Shape { body: Body::Json, ..ONE_TOPIC };
pub(super) const MANY_TOPICS: Shape = Shape { topics: 100, ..ONE_TOPIC };

/// Measures shapes with the same number of topics.
pub(super) fn run(job: &Job<'_>, shapes: &[(Measure, Shape)], found: &mut Vec<(Measure, Figures)>) -> Result {
    let topics = shapes.first().map_or(1, |(_, shape)| shape.topics);
    let mut broadcast = Broadcast::gather(job.target, 1024, job.plan.subscribers, 0..topics)?;
    for (measure, shape) in shapes {
        broadcast.drive(shape.events, shape.body, job.plan.warm_up())?;
        let (moment, before) = (Moment::now(job.server), broadcast.delivered());
        broadcast.drive(shape.events, shape.body, job.plan.time)?;
        let spent = moment.until_now(job.server);
        found.push((*measure, Figures::new(broadcast.delivered() - before, spent)));
    }
    Ok(())
}
