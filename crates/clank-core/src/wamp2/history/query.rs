//! What `wamp.subscription.get_events` asks for.

use std::collections::VecDeque;
use std::ops::Range;

use clank_wire::wamp2::Id;

use super::Event;
use crate::event::Timestamp;

/// Which events; all conditions hold together (specification: "Receiving Event History").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Query<'a> {
    /// Whether the newest comes first.
    pub reverse: bool,
    /// How many at most: the first of those found, in the order asked for.
    pub limit: Option<usize>,
    /// Not before that time.
    pub from_time: Option<Timestamp>,
    /// Later than that time.
    pub after_time: Option<Timestamp>,
    /// Earlier than that time.
    pub before_time: Option<Timestamp>,
    /// Not after that time.
    pub until_time: Option<Timestamp>,
    /// Of that topic alone.
    pub topic: Option<&'a str>,
    /// That publication and those behind it.
    pub from_publication: Option<Id>,
    /// Those behind that publication.
    pub after_publication: Option<Id>,
    /// Those in front of that publication.
    pub before_publication: Option<Id>,
    /// Those in front of that publication, and it too.
    pub until_publication: Option<Id>,
}

impl Query<'_> {
    /// Between which events those lie that are asked for.
    pub(super) fn range<T>(&self, events: &VecDeque<Event<T>>) -> Range<usize> {
        // Ids have no order: where a publication lies, has to be looked for.
        let place = |publication: Option<Id>| {
            publication.map(|id| events.iter().rposition(|event| event.publication == id))
        };
        let (mut begin, mut end) = (0, events.len());
        for (publication, behind) in [(self.from_publication, 0), (self.after_publication, 1)] {
            // One that isn't kept is behind all.
            begin = begin.max(place(publication).map_or(0, |at| at.map_or(usize::MAX, |at| at + behind)));
        }
        for (publication, with) in [(self.before_publication, 0), (self.until_publication, 1)] {
            end = end.min(place(publication).map_or(usize::MAX, |at| at.map_or(0, |at| at + with)));
        }
        begin.min(end)..end
    }

    /// What of the events is asked for, in the order that is asked for.
    pub(super) fn pick<'e, T: 'e>(
        self,
        events: impl DoubleEndedIterator<Item = &'e Event<T>>,
    ) -> impl Iterator<Item = &'e Event<T>> {
        let Query { reverse, limit, .. } = self;
        let mut events = events.filter(move |event| self.has(event));
        let mut left = limit.unwrap_or(usize::MAX);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            if reverse { events.next_back() } else { events.next() }
        })
    }

    fn has<T>(&self, event: &Event<T>) -> bool {
        let time = event.time;
        self.from_time.is_none_or(|from| time >= from)
            && self.after_time.is_none_or(|after| time > after)
            && self.before_time.is_none_or(|before| time < before)
            && self.until_time.is_none_or(|until| time <= until)
            && self.topic.is_none_or(|topic| *event.topic == *topic)
    }
}
