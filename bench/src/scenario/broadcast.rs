//! Subscribers, their publisher, and the judgement of every delivery.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::{Load, TURN, Target};
use crate::mark::{Body, Finder, Mark};
use crate::protocol::Said;

/// How long the last deliveries may take.
pub(super) const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Broadcast<'a> {
    load: Load<'a>,
    publisher: usize,
    /// Publications so far.
    published: u64,
    audience: Audience,
}

/// What subscribers have heard. The subscribers of the topics take turns.
struct Audience {
    subscribers: Range<usize>,
    topics: Range<u32>,
    /// The sequence that each subscriber is to hear next.
    expected: Vec<u64>,
    /// For each topic: the next sequence, and the deliveries that are under way.
    progress: Vec<Progress>,
    finder: Finder,
    delivered: u64,
    under_way: u64,
    /// Topics on which nothing is under way.
    free: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    next: u64,
    under_way: u64,
    members: u64,
}

impl<'a> Broadcast<'a> {
    /// Lets the subscribers in. `turn` is how many of them are looked at in each turn.
    pub(super) fn gather(
        target: Target<'a>,
        turn: usize,
        subscribers: usize,
        topics: Range<u32>,
    ) -> Result<Self> {
        let mut load = Load::new(target, turn)?;
        let numbers = load.enter(subscribers)?;
        load.settle(numbers.clone(), |protocol, number, out| {
            protocol.subscribe(out, topics.start + number as u32 % topics.len() as u32)
        })?;
        let publisher = load.enter(1)?.start;
        Ok(Self { load, publisher, published: 0, audience: Audience::new(numbers, topics) })
    }

    pub(super) const fn delivered(&self) -> u64 {
        self.audience.delivered
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.audience.under_way > 0
    }

    /// Sends so many events on a topic, in one write.
    pub(super) fn publish(&mut self, topic: u32, events: u64, body: Body) -> Result {
        let protocol = self.load.target.protocol;
        self.audience.free.retain(|free| *free != topic);
        for _ in 0..events {
            self.published += 1;
            let mark = self.audience.next(topic)?;
            protocol.publish(self.load.out(self.publisher)?, self.published, topic, &mark.write(body))?;
        }
        self.load.flush(self.publisher)
    }

    /// Serves the connections once; `heard` is told of each delivery.
    pub(super) fn turn(&mut self, wait: Duration, mut heard: impl FnMut(Mark)) -> Result {
        let audience = &mut self.audience;
        self.load.turn(wait, &mut |number, said, _| {
            if let Said::Event(message) = said {
                heard(audience.hear(number, message)?);
            }
            Ok(())
        })
    }

    /// Publishes so many events on each topic that has nothing under way.
    pub(super) fn refill(&mut self, events: u64, body: Body) -> Result {
        while let Some(topic) = self.audience.free.pop() {
            self.publish(topic, events, body)?;
        }
        Ok(())
    }

    /// Keeps so many events under way on each topic for so long, and waits until all have arrived.
    pub(super) fn drive(&mut self, events: u64, body: Body, time: Duration) -> Result {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.refill(events, body)?;
            self.turn(TURN, |_| ())?;
        }
        self.drain(|_| ())
    }

    /// Waits for what is under way.
    ///
    /// # Errors
    /// If it doesn't come.
    pub(super) fn drain(&mut self, mut heard: impl FnMut(Mark)) -> Result {
        let end = Instant::now() + GRACE;
        while self.audience.under_way > 0 {
            if Instant::now() > end {
                let (lost, delivered) = (self.audience.under_way, self.audience.delivered);
                return Err(format!("{lost} deliveries have not come, beside {delivered} that have").into());
            }
            self.turn(TURN, &mut heard)?;
        }
        Ok(())
    }
}

impl Audience {
    fn new(subscribers: Range<usize>, topics: Range<u32>) -> Self {
        let mut progress = vec![Progress::default(); topics.len()];
        let members = (0..topics.len()).cycle();
        for (_, topic) in subscribers.clone().zip(members) {
            if let Some(progress) = progress.get_mut(topic) {
                progress.members += 1;
            }
        }
        Self {
            expected: vec![0; subscribers.len()],
            progress,
            finder: Finder::default(),
            delivered: 0,
            under_way: 0,
            free: topics.clone().collect(),
            subscribers,
            topics,
        }
    }

    /// The next event of a topic is on its way.
    fn next(&mut self, topic: u32) -> Result<Mark> {
        let place = topic.wrapping_sub(self.topics.start) as usize;
        let progress = self.progress.get_mut(place).ok_or("no such topic")?;
        let mark = Mark { topic, sequence: progress.next };
        progress.next += 1;
        progress.under_way += progress.members;
        self.under_way += progress.members;
        Ok(mark)
    }

    fn hear(&mut self, number: usize, message: &[u8]) -> Result<Mark> {
        let mark = self.finder.find(message)?;
        let subscriber = number.wrapping_sub(self.subscribers.start);
        let expected = self.expected.get_mut(subscriber).ok_or("an event for one who is no subscriber")?;
        let place = subscriber % self.topics.len();
        let topic = self.topics.start + place as u32;
        if mark.topic != topic {
            return Err(format!("an event of topic {} for a subscriber of topic {topic}", mark.topic).into());
        }
        if mark.sequence != *expected {
            return Err(format!("event {} came where {expected} was due", mark.sequence).into());
        }
        self.under_way = self.under_way.checked_sub(1).ok_or("an event that nobody published")?;
        *expected += 1;
        self.delivered += 1;
        if let Some(progress) = self.progress.get_mut(place) {
            progress.under_way -= 1;
            if progress.under_way == 0 {
                self.free.push(topic);
            }
        }
        Ok(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: u32, sequence: u64) -> String {
        Mark { topic, sequence }.write(Body::Text(64))
    }

    #[test]
    fn every_delivery_is_judged() {
        let mut audience = Audience::new(10..14, 5..7);
        assert_eq!(audience.free, [5, 6]);
        audience.free.clear();
        for sequence in 0..2 {
            assert_eq!(audience.next(5).unwrap(), Mark { topic: 5, sequence });
        }
        assert!(audience.next(7).is_err());
        for (number, topic, sequence, error) in [
            (10, 5, 0, None),
            (10, 5, 0, Some("event 0 came where 1 was due")),
            (10, 5, 2, Some("event 2 came where 1 was due")),
            (11, 5, 0, Some("topic 5 for a subscriber of topic 6")),
            (14, 5, 0, Some("no subscriber")),
            (10, 5, 1, None),
            (12, 5, 0, None),
            (12, 5, 1, None),
            (12, 5, 2, Some("nobody published")),
        ] {
            let heard = audience.hear(number, message(topic, sequence).as_bytes());
            match error {
                None => assert_eq!(heard.unwrap(), Mark { topic, sequence }),
                Some(error) => assert!(heard.unwrap_err().to_string().contains(error), "{error}"),
            }
        }
        assert_eq!((audience.delivered, &audience.free[..]), (4, &[5][..]));
    }
}
