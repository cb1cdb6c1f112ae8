//! Whether a sink is asked at all: while it is down, one delivery at a time tries it.

use std::time::{Duration, Instant};

use super::backoff::{Backoff, Jitter};

/// The longest patience that a sink can ask for.
const MAX_PATIENCE: Duration = Duration::from_secs(3_600);

/// Failures in a row after which it opens, if they were of several lanes: one lane alone may be
/// poisoned, and must not hold up the others.
const OPENS_AFTER: u32 = 3;

/// Whether deliveries go to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// It is down: they wait.
    Open,
    /// It was down: one delivery tries it.
    Probing,
}

/// A breaker over the deliveries of one sink, whose lanes are told apart by `L`.
#[derive(Debug)]
pub(super) struct Breaker<L> {
    backoff: Backoff,
    state: State,
    /// Failures since the last success: how many, the first one's lane, whether there were others.
    failures: u32,
    first: Option<L>,
    several: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant, probes: u32, probing: bool },
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allows {
    All,
    OneProbe,
    Nothing,
}

impl<L: PartialEq> Breaker<L> {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, state: State::Closed, failures: 0, first: None, several: false }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { probing: false, .. } => BreakerState::Open,
            State::Open { probing: true, .. } => BreakerState::Probing,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(super) fn allows(&self, now: Instant) -> Allows {
        match self.state {
            State::Closed => Allows::All,
            State::Open { until, probing: false, .. } if until <= now => Allows::OneProbe,
            State::Open { .. } => Allows::Nothing,
        }
    }

    /// When the next probe may go, if it is that what is waited for.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { until, probing: false, .. } => Some(until),
            _ => None,
        }
    }

    /// A probe has left.
    pub(super) fn probed(&mut self) {
        if let State::Open { probing, .. } = &mut self.state {
            *probing = true;
        }
    }

    /// The sink answers. Whether it was down.
    pub(super) fn answered(&mut self) -> bool {
        let was_open = !self.is_closed();
        *self = Self::new(self.backoff);
        was_open
    }

    /// A delivery failed.
    pub(super) fn failed(
        &mut self,
        lane: L,
        probe: bool,
        retry_after: Option<Duration>,
        now: Instant,
        jitter: &mut Jitter,
    ) {
        self.failures += 1;
        match &self.first {
            None => self.first = Some(lane),
            Some(first) => self.several |= *first != lane,
        }
        let patience = retry_after.map(|time| time.min(MAX_PATIENCE));
        let wait = |probes, jitter: &mut Jitter| patience.unwrap_or(self.backoff.wait(probes, jitter));
        self.state = match self.state {
            State::Closed if patience.is_some() || (self.several && self.failures >= OPENS_AFTER) => {
                State::Open { until: now + wait(0, jitter), probes: 0, probing: false }
            }
            State::Open { probes, .. } if probe => {
                let probes = probes.saturating_add(1);
                State::Open { until: now + wait(probes, jitter), probes, probing: false }
            }
            // one that was under way when it opened
            State::Open { until, probes, probing } => {
                let until = patience.map_or(until, |patience| until.max(now + patience));
                State::Open { until, probes, probing }
            }
            State::Closed => State::Closed,
        };
    }

    /// A probe came back without telling anything.
    pub(super) fn unprobed(&mut self) {
        if let State::Open { probing, .. } = &mut self.state {
            *probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &mut Breaker<u8>, lane: u8, now: Instant) {
        breaker.failed(lane, false, None, now, &mut Jitter::new(1));
    }

    #[test]
    fn one_lane_alone_does_not_open_it() {
        let (mut breaker, now) = (Breaker::new(Backoff::default()), Instant::now());
        for _ in 0..50 {
            fail(&mut breaker, 1, now);
        }
        assert!(breaker.is_closed());
        fail(&mut breaker, 2, now);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn it_lets_one_probe_through_and_closes_when_that_is_answered() {
        let (mut breaker, now) = (Breaker::new(Backoff::default()), Instant::now());
        for lane in 0..3 {
            fail(&mut breaker, lane, now);
        }
        assert_eq!(breaker.allows(now), Allows::Nothing);
        let later = breaker.probe_at().unwrap_or(now);
        assert!(later > now);
        assert_eq!(breaker.allows(later), Allows::OneProbe);
        breaker.probed();
        assert_eq!(breaker.allows(later), Allows::Nothing);
        breaker.failed(3, true, None, later, &mut Jitter::new(2));
        assert!(breaker.probe_at() > Some(later));
        assert!(breaker.answered());
        assert_eq!(breaker.allows(now), Allows::All);
    }

    #[test]
    fn a_sink_that_asks_for_patience_gets_it_within_reason() {
        let (mut breaker, now) = (Breaker::new(Backoff::default()), Instant::now());
        breaker.failed(1, false, Some(Duration::from_secs(30)), now, &mut Jitter::new(1));
        assert_eq!(breaker.probe_at(), Some(now + Duration::from_secs(30)));
        breaker.failed(1, false, Some(Duration::MAX), now, &mut Jitter::new(1));
        assert_eq!(breaker.probe_at(), Some(now + MAX_PATIENCE));
    }
}
