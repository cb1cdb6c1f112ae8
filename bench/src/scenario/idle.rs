//! What connections cost that do nothing.

use std::time::Duration;

use super::Job;
use crate::Result;
use crate::measure::{Figures, Measure};
use crate::process::Moment;

/// Clients that come and go first, so that what the first ones need is there.
const FIRST: usize = 200;
/// After this time servers have put in order what connecting left behind.
const REST: Duration = Duration::from_secs(2);
/// Topics that the subscriptions are for.
const TOPICS: usize = 100;

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    let rest = REST.min(job.plan.time);
    let mut load = job.load()?;
    let first = load.enter(FIRST.min(job.plan.connections))?;
    load.settle(first, |protocol, number, out| protocol.subscribe(out, (number % TOPICS) as u32))?;
    load.abandon();
    load.rest(rest)?;

    let (moment, before) = (Moment::now(job.server), job.server.memory()?);
    let numbers = load.enter(job.plan.connections)?;
    let mut add = |measure, load: &mut crate::load::Load<'_>| -> Result {
        load.rest(rest)?;
        let grown = job.server.memory()?.saturating_sub(before);
        let figures = Figures::new(numbers.len() as u64, moment.until_now(job.server));
        found.push((measure, Figures { bytes: Some(grown as f64 / numbers.len() as f64), ..figures }));
        Ok(())
    };
    add(Measure::Idle, &mut load)?;
    load.settle(numbers.clone(), |protocol, number, out| protocol.subscribe(out, (number % TOPICS) as u32))?;
    add(Measure::Subscribed, &mut load)
}
