//! Connections that come, and those that come and go.

use std::time::Instant;

use super::Job;
use crate::Result;
use crate::load::{ENTERING, TURN};
use crate::measure::{Figures, Measure};
use crate::process::Moment;
use crate::protocol::Said;

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    cycle(job, job.plan.warm_up())?;
    found.push((Measure::Cycle, cycle(job, job.plan.time)?));
    let mut load = job.load()?;
    let moment = Moment::now(job.server);
    load.enter(job.plan.staying)?;
    found.push((Measure::Accept, Figures::new(job.plan.staying as u64, moment.until_now(job.server))));
    Ok(())
}

/// Clients that connect, are welcomed, close and connect anew, for so long.
fn cycle(job: &Job<'_>, time: std::time::Duration) -> Result<Figures> {
    let mut load = job.load()?;
    let (moment, end) = (Moment::now(job.server), Instant::now() + time);
    for _ in 0..ENTERING {
        load.open()?;
    }
    let (mut cycles, mut open) = (0, ENTERING);
    let (mut welcome, mut closed) = (Vec::new(), Vec::new());
    while open > 0 {
        load.turn(TURN, &mut |number, said, _| {
            match said {
                Said::Welcome => welcome.push(number),
                Said::Closed => closed.push(number),
                _ => {}
            }
            Ok(())
        })?;
        for number in welcome.drain(..) {
            load.close(number)?;
        }
        let now = Instant::now();
        for number in closed.drain(..) {
            cycles += 1;
            if now < end {
                load.reopen(number)?;
            } else {
                open -= 1;
            }
        }
        if now > end + time.max(TURN * 100) {
            return Err(format!("{open} connections don't end").into());
        }
    }
    Ok(Figures::new(cycles, moment.until_now(job.server)))
}
