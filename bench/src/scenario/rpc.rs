//! Calls: to the server's own procedure, and to a client's.

use std::time::{Duration, Instant};

use super::Job;
use crate::Result;
use crate::load::{Load, TURN};
use crate::measure::{Figures, Measure};
use crate::process::Moment;
use crate::protocol::{Callee, Protocol, Said};

/// Calls of each client that are under way.
const OUTSTANDING: u64 = 8;
/// How long the last results may take.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    if job.calls.served {
        found.push((Measure::Call, measure(job, Callee::Server)?));
    }
    if job.calls.routed {
        found.push((Measure::Routed, measure(job, Callee::Client)?));
    }
    Ok(())
}

fn measure(job: &Job<'_>, callee: Callee) -> Result<Figures> {
    let mut load = job.load()?;
    if callee == Callee::Client {
        let offering = load.enter(1)?;
        load.settle(offering, |protocol, _, out| protocol.register(out))?;
    }
    let callers = load.enter(job.plan.callers)?;
    load.settle(callers.clone(), |protocol, number, out| protocol.prepare(out, number as u64))?;
    let mut calls = Calls {
        protocol: job.target.protocol,
        callee,
        first: callers.start,
        callers: vec![Caller::default(); callers.len()],
        answered: 0,
        under_way: 0,
        go_on: true,
    };
    calls.drive(&mut load, job.plan.warm_up())?;
    let (moment, before) = (Moment::now(job.server), calls.answered);
    calls.drive(&mut load, job.plan.time)?;
    Ok(Figures::new(calls.answered - before, moment.until_now(job.server)))
}

struct Calls {
    protocol: Protocol,
    callee: Callee,
    /// The connection of the first caller.
    first: usize,
    callers: Vec<Caller>,
    answered: u64,
    under_way: u64,
    /// Whether an answer leads to the next call.
    go_on: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Caller {
    /// The last request; they count from 1.
    last: u64,
    /// The requests that are under way.
    open: [u64; OUTSTANDING as usize],
}

impl Calls {
    fn drive(&mut self, load: &mut Load<'_>, time: Duration) -> Result {
        let end = Instant::now() + time;
        self.go_on = true;
        for number in self.first..self.first + self.callers.len() {
            for _ in 0..OUTSTANDING {
                self.call(number, load.out(number)?)?;
            }
            load.flush(number)?;
        }
        while self.under_way > 0 {
            let now = Instant::now();
            self.go_on = now < end;
            if now > end + GRACE {
                return Err(format!("{} calls have no answer", self.under_way).into());
            }
            load.turn(TURN, &mut |number, said, out| self.hear(number, said, out))?;
        }
        Ok(())
    }

    fn call(&mut self, number: usize, out: &mut Vec<u8>) -> Result {
        let caller = self.callers.get_mut(number.wrapping_sub(self.first)).ok_or("no such caller")?;
        let place = caller.open.iter_mut().find(|request| **request == 0).ok_or("too many calls")?;
        caller.last += 1;
        *place = caller.last;
        self.under_way += 1;
        self.protocol.call(out, self.callee, number as u64, caller.last)
    }

    fn hear(&mut self, number: usize, said: Said<'_>, out: &mut Vec<u8>) -> Result {
        match said {
            Said::Invocation(invocation) => self.protocol.answer(out, &invocation),
            Said::Result { request, value } => {
                self.answered(number, request, value)?;
                if self.go_on { self.call(number, out) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    fn answered(&mut self, number: usize, request: u64, value: u64) -> Result {
        let caller = self.callers.get_mut(number.wrapping_sub(self.first)).ok_or("no such caller")?;
        let mut open = caller.open.iter_mut();
        let place = open.find(|open| **open == request && request != 0);
        *place.ok_or_else(|| format!("a result for call {request}, which is not under way"))? = 0;
        let sum = number as u64 + request;
        if value != sum {
            return Err(format!("the result of call {request} is {value} and not {sum}").into());
        }
        self.answered += 1;
        self.under_way -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_judged() {
        let mut calls = Calls {
            protocol: Protocol::Bare,
            callee: Callee::Server,
            first: 5,
            callers: vec![Caller::default(); 2],
            answered: 0,
            under_way: 0,
            go_on: false,
        };
        let mut out = Vec::new();
        for _ in 0..OUTSTANDING {
            calls.call(6, &mut out).unwrap();
        }
        assert!(calls.call(6, &mut out).is_err(), "no more than may be under way");
        for (number, request, value, error) in [
            (6, 2, 8, None),
            (6, 2, 8, Some("not under way")),
            (6, 0, 6, Some("not under way")),
            (5, 1, 6, Some("not under way")),
            (7, 1, 8, Some("no such caller")),
            (6, 1, 8, Some("is 8 and not 7")),
        ] {
            let heard = calls.hear(number, Said::Result { request, value }, &mut out);
            match error {
                None => heard.unwrap(),
                Some(error) => assert!(heard.unwrap_err().to_string().contains(error), "{error}"),
            }
        }
        assert_eq!((calls.answered, calls.under_way), (1, OUTSTANDING - 1));
    }
}
