//! What a second worker is worth.
//!
//! The load and the server share all processors here, so that it is made as cheap as it can be: what is
//! sent is always the same, what comes is counted and not looked at, but for a time at the beginning.

use std::ops::Range;
use std::time::{Duration, Instant};

use clank_wire::ws::{self, OpCode};

use super::Job;
use super::broadcast::GRACE;
use crate::Result;
use crate::load::{Load, TURN};
use crate::mark::{Body, Mark};
use crate::measure::{Figures, Measure};
use crate::process::Moment;
use crate::protocol::{Callee, wamp1};

/// Threads of the load.
const THREADS: usize = 2;
/// Topics of each thread, each with a publisher of its own.
const TOPICS: usize = 16;
/// Events that a publisher sends at once; the next ones leave when all of these have arrived.
const BURST: u64 = 16;
/// Calls that a client sends at once.
const CALLS: u64 = 8;

pub(super) fn run(job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
    found.push((Measure::CoreBursts, measure(job, |thread| bursts(job, thread))?));
    found.push((Measure::CoreCalls, measure(job, |_| calls(job))?));
    Ok(())
}

fn measure<'a>(job: &Job<'a>, prepare: impl Fn(usize) -> Result<Part<'a>>) -> Result<Figures> {
    let mut parts = (0..THREADS).map(prepare).collect::<Result<Vec<_>>>()?;
    drive(&mut parts, job.plan.warm_up(), Look::AtAll)?;
    let moment = Moment::now(job.server);
    let units = drive(&mut parts, job.plan.time, Look::AtNone)?;
    Ok(Figures::new(units, moment.until_now(job.server)))
}

/// Topics with an audience and a publisher each.
fn bursts<'a>(job: &Job<'a>, thread: usize) -> Result<Part<'a>> {
    let (protocol, mut part) = (job.target.protocol, Part::new(job)?);
    let members = (job.plan.subscribers / THREADS / TOPICS).max(1);
    // Workers get new connections by turns, and so as many publishers each.
    let senders = part.load.enter(TOPICS)?;
    for (topic, sender) in (thread * TOPICS..).map(|topic| topic as u32).zip(senders) {
        let audience = part.load.enter(members)?;
        part.load.settle(audience.clone(), |protocol, _, out| protocol.subscribe(out, topic))?;
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        for sequence in 0..BURST {
            let event = Mark { topic, sequence }.write(Body::Text(128));
            protocol.publish(&mut request, sequence + 1, topic, &event)?;
            answer.extend_from_slice(&ws::frame(OpCode::Text, &wamp1::event(topic, &event)));
        }
        part.add(Exchange::new(sender, request, audience, answer, BURST));
    }
    Ok(part)
}

/// Clients that call the server.
fn calls<'a>(job: &Job<'a>) -> Result<Part<'a>> {
    let (protocol, mut part) = (job.target.protocol, Part::new(job)?);
    for caller in part.load.enter((job.plan.callers / THREADS).max(1))? {
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        for id in 1..=CALLS {
            protocol.call(&mut request, Callee::Server, caller as u64, id)?;
            answer.extend_from_slice(&ws::frame(OpCode::Text, &wamp1::result(id, caller as u64 + id)));
        }
        part.add(Exchange::new(caller, request, caller..caller + 1, answer, CALLS));
    }
    Ok(part)
}

/// Whether what comes is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    AtAll,
    /// It is not even copied: its bytes are counted.
    AtNone,
}

/// Has all parts work at once, for so long; returns how much was done.
fn drive(parts: &mut [Part<'_>], time: Duration, look: Look) -> Result<u64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter_mut()
            .map(|part| scope.spawn(move || part.drive(time, look).map_err(|error| error.to_string())))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        Ok(done.collect::<std::result::Result<Vec<u64>, String>>()?.into_iter().sum())
    })
}

/// What one thread has to do.
struct Part<'a> {
    load: Load<'a>,
    exchanges: Vec<Exchange>,
    /// The exchange that each connection hears of.
    of: Vec<usize>,
    under_way: usize,
}

/// What is said again and again, and what each of those who hear of it is told.
struct Exchange {
    sender: usize,
    request: Vec<u8>,
    receivers: Range<usize>,
    answer: Vec<u8>,
    /// Pieces of work that a receiver sees of each request.
    units: u64,
    sent: u64,
    /// Bytes that are still to come.
    missing: usize,
    /// Bytes that each receiver has.
    received: Vec<usize>,
}

impl Exchange {
    fn new(sender: usize, request: Vec<u8>, receivers: Range<usize>, answer: Vec<u8>, units: u64) -> Self {
        let received = vec![0; receivers.len()];
        Self { sender, request, receivers, answer, units, sent: 0, missing: 0, received }
    }

    fn work(&self) -> u64 {
        self.sent * self.units * self.receivers.len() as u64
    }

    fn send(&mut self, load: &mut Load<'_>) -> Result {
        load.out(self.sender)?.extend_from_slice(&self.request);
        load.flush(self.sender)?;
        self.sent += 1;
        self.missing += self.answer.len() * self.receivers.len();
        Ok(())
    }

    /// So many bytes have come; what they are is there if it is looked at. `true`: they were the last ones.
    fn hear(&mut self, number: usize, length: usize, bytes: Option<&[u8]>) -> Result<bool> {
        let receiver = number.wrapping_sub(self.receivers.start);
        let received = self.received.get_mut(receiver).ok_or("an answer for one who has not asked")?;
        if let Some(bytes) = bytes {
            let expected = self.answer.iter().cycle().skip(*received % self.answer.len());
            if !bytes.iter().eq(expected.take(length)) {
                let bytes = String::from_utf8_lossy(bytes);
                return Err(format!("connection {number} was told something else: {bytes}").into());
            }
        }
        *received += length;
        self.missing = self.missing.checked_sub(length).ok_or("more has come than was sent")?;
        Ok(self.missing == 0)
    }

    /// # Errors
    /// If one has what another lacks.
    fn check(&self) -> Result {
        let each = self.answer.len() * self.sent as usize;
        match self.received.iter().position(|received| *received != each) {
            Some(receiver) => {
                Err(format!("receiver {receiver} has not {each} bytes: {:?}", self.received).into())
            }
            None => Ok(()),
        }
    }
}

impl<'a> Part<'a> {
    fn new(job: &Job<'a>) -> Result<Self> {
        Ok(Self { load: job.load()?, exchanges: Vec::new(), of: Vec::new(), under_way: 0 })
    }

    fn add(&mut self, exchange: Exchange) {
        // Connections are numbered in the order of their exchanges.
        self.of.resize(exchange.receivers.end.max(exchange.sender + 1), self.exchanges.len());
        self.exchanges.push(exchange);
    }

    /// Works for so long; returns how much was done.
    fn drive(&mut self, time: Duration, look: Look) -> Result<u64> {
        let Self { load, exchanges, of, under_way } = self;
        let before: u64 = exchanges.iter().map(Exchange::work).sum();
        let end = Instant::now() + time;
        for exchange in exchanges.iter_mut() {
            exchange.send(load)?;
            *under_way += 1;
        }
        let mut finished = Vec::new();
        while *under_way > 0 {
            load.turn_unheard(TURN, look == Look::AtAll, |number, length, bytes| {
                let place = of.get(number).ok_or("no such connection")?;
                let exchange = exchanges.get_mut(*place).ok_or("no such exchange")?;
                if exchange.hear(number, length, bytes)? {
                    finished.push(*place);
                }
                Ok(())
            })?;
            let now = Instant::now();
            for place in finished.drain(..) {
                match exchanges.get_mut(place).filter(|_| now < end) {
                    Some(exchange) => exchange.send(load)?,
                    None => *under_way -= 1,
                }
            }
            if now > end + GRACE {
                return Err(format!("{under_way} bursts have not been answered").into());
            }
        }
        exchanges.iter().try_for_each(Exchange::check)?;
        Ok(exchanges.iter().map(Exchange::work).sum::<u64>() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_accounted_for() {
        let mut exchange = Exchange::new(0, Vec::new(), 5..7, b"answer".to_vec(), 3);
        (exchange.sent, exchange.missing) = (2, 24);
        for (number, length, bytes, error) in [
            (4, 1, None, Some("has not asked")),
            (5, 4, Some(&b"answ"[..]), None),
            (5, 3, Some(b"era"), None),
            (5, 2, Some(b"xy"), Some("something else")),
            (5, 5, None, None),
            (6, 13, None, Some("more has come")),
            (6, 11, None, None),
        ] {
            let heard = exchange.hear(number, length, bytes);
            match error {
                None => assert!(!heard.unwrap()),
                Some(error) => assert!(heard.unwrap_err().to_string().contains(error), "{error}"),
            }
        }
    }
}
