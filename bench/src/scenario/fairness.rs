//! What one large audience costs all others.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Job;
use super::broadcast::Broadcast;
use super::pace::Pace;
use crate::Result;
use crate::displaced::Displaced;
use crate::load::TURN;
use crate::mark::Body;
use crate::measure::{Figures, Measure};
use crate::process::{Moment, Precedence, Processes};

/// The topics whose latency is measured; topic 0 has the crowd.
const OTHERS: Range<u32> = 1..11;
/// Events a second on all of them together.
const RATE: u32 = 2_000;
/// The shortest wait that a loop can ask the system for.
const TICK: Duration = Duration::from_millis(1);
/// Between two looks at the server.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    let mut beside = Beside {
        others: Broadcast::gather(job.target, OTHERS.len(), OTHERS.len(), OTHERS)?,
        events: 0,
        crowd: Broadcast::gather(job.target, 1024, job.plan.crowd, 0..1)?,
        is_busy: false,
        server: job.server,
        pinned: job.plan.pinned,
    };
    for measure in [Measure::Quiet, Measure::Crowd] {
        beside.is_busy = measure == Measure::Crowd;
        let before = job.server.memory()?;
        let mut most = before;
        // The system takes its time to tell of memory, so that nothing is measured meanwhile.
        beside.drive(job.plan.warm_up(), || {
            most = most.max(job.server.memory()?);
            Ok(())
        })?;
        let (moment, delivered) = (Moment::now(job.server), beside.crowd.delivered());
        let pace = beside.drive(job.plan.time, || Ok(()))?;
        let figures = Figures::new(beside.crowd.delivered() - delivered, moment.until_now(job.server));
        let (latency, memory) = (pace.percentiles(), Some([before, most]));
        found.push((measure, Figures { latency, left_out: Some(pace.left_out()), memory, ..figures }));
    }
    beside.crowd.drain(|_| ())
}

/// The other topics beside the one with the crowd.
struct Beside<'a> {
    others: Broadcast<'a>,
    /// Events on each of their topics so far.
    events: u64,
    crowd: Broadcast<'a>,
    /// Whether the crowd always has an event under way.
    is_busy: bool,
    server: Processes,
    /// Whether the load has a processor of its own.
    pinned: bool,
}

impl Beside<'_> {
    /// Publishes on the other topics for so long; `look` is called now and then meanwhile.
    ///
    /// Others and crowd have a thread each, so that nobody waits for the other's turn. With a processor of
    /// their own, that of the others has it whenever it wants, and that of the crowd when nobody else does:
    /// what the system has to do beside all this then happens there, and not on the server's processor.
    fn drive(&mut self, time: Duration, mut look: impl FnMut() -> Result) -> Result<Pace> {
        let Self { others, events, crowd, is_busy, server, pinned } = self;
        let (before, is_over) = (*events, AtomicBool::new(false));
        let pace = std::thread::scope(|scope| {
            let probe = scope.spawn(|| {
                let displaced = prefer(Precedence::First, *pinned).and_then(|()| {
                    // Threads that have a processor each don't displace each other.
                    pinned.then(|| Displaced::new(*server)).transpose()
                });
                let pace = displaced.map(|displaced| Pace::new(RATE, time, OTHERS, before, displaced));
                pace.and_then(|pace| probe(others, pace)).map_err(|error| error.to_string())
            });
            let crowd = scope.spawn(|| {
                // A processor that is kept from sleeping needn't be woken, whether or not there is a crowd.
                let wait = if *pinned { Duration::ZERO } else { TICK };
                let served = prefer(Precedence::Last, *pinned);
                served
                    .and_then(|()| serve(crowd, *is_busy, wait, &is_over))
                    .map_err(|error| error.to_string())
            });
            let mut looked = Ok(());
            while !probe.is_finished() && looked.is_ok() {
                pause(LOOK);
                looked = look();
            }
            let pace = probe.join();
            is_over.store(true, Ordering::Relaxed);
            crowd.join().map_err(|_| "the thread of the crowd panicked")??;
            looked?;
            Ok::<_, Box<dyn std::error::Error>>(pace.map_err(|_| "the thread of the others panicked")??)
        })?;
        *events = pace.events();
        Ok(pace)
    }
}

/// Publishes until all that was to leave has arrived.
fn probe(others: &mut Broadcast<'_>, mut pace: Pace) -> Result<Pace> {
    while !pace.is_over() {
        let wait = pace.publish(others)?;
        if others.is_under_way() {
            others.turn(wait.max(TICK), |mark| pace.heard(mark))?;
        } else {
            pause(wait);
        }
    }
    while others.is_under_way() {
        others.turn(TURN, |mark| pace.heard(mark))?;
        pace.check_patience()?;
    }
    Ok(pace)
}

/// Reads what the crowd gets, and keeps an event under way if it `is_busy`.
fn serve(crowd: &mut Broadcast<'_>, is_busy: bool, wait: Duration, is_over: &AtomicBool) -> Result {
    while !is_over.load(Ordering::Relaxed) {
        if is_busy {
            crowd.refill(1, Body::Text(128))?;
        }
        crowd.turn(wait, |_| ())?;
    }
    Ok(())
}

/// Where server and load share their processors, nobody is preferred.
fn prefer(precedence: Precedence, pinned: bool) -> Result {
    if pinned { precedence.take() } else { Ok(()) }
}

#[expect(clippy::disallowed_methods, reason = "events leave when the clock says so")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
