//! Which events are kept, and who may hear of them.

#![allow(clippy::unwrap_used)]

use clank_core::event::Timestamp;
use clank_core::wamp2::history::{Audience, Bounds, Event, History, Listener, Query, Retained};
use clank_wire::wamp2::Id;
use proptest::prelude::*;

const ANN: Listener<'_> = Listener { authid: "ann", authrole: "user" };
const EVE: Listener<'_> = Listener { authid: "eve", authrole: "guest" };

fn id(number: u64) -> Id {
    Id::new(number).unwrap()
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
}

/// The publication of that number, of ten bytes.
fn event(number: u64) -> Event<u64> {
    let topic = if number.is_multiple_of(2) { "com.even" } else { "com.odd" };
    // Ids are in no order, and two events share a time.
    Event::new(id(100 - number), topic, at(number / 2 * 10), number, 10)
}

fn only(roles: &[&str]) -> Audience {
    let eligible = roles.iter().map(|role| (*role).into()).collect();
    Audience { eligible_authrole: Some(eligible), ..Audience::default() }
}

fn ten() -> History<u64> {
    let mut history = History::new(Bounds { events: 10, bytes: 1_000 });
    (0..10).for_each(|number| history.push(event(number)));
    history
}

#[test]
fn a_query_finds_what_all_its_conditions_hold_for() {
    let all = Query::default();
    let publication = |number: u64| Some(id(100 - number));
    for (query, found) in [
        (all, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..]),
        (Query { reverse: true, limit: Some(3), ..all }, &[9, 8, 7]),
        (Query { limit: Some(0), ..all }, &[]),
        (Query { from_time: Some(at(40)), ..all }, &[8, 9]),
        (Query { after_time: Some(at(30)), before_time: Some(at(41)), ..all }, &[8, 9]),
        (Query { until_time: Some(at(10)), ..all }, &[0, 1, 2, 3]),
        (Query { topic: Some("com.odd"), limit: Some(2), ..all }, &[1, 3]),
        (Query { topic: Some("com.none"), ..all }, &[]),
        (Query { from_publication: publication(8), ..all }, &[8, 9]),
        (Query { after_publication: publication(8), ..all }, &[9]),
        (Query { after_publication: publication(9), ..all }, &[]),
        (Query { before_publication: publication(2), reverse: true, ..all }, &[1, 0]),
        (Query { until_publication: publication(1), ..all }, &[0, 1]),
        (Query { from_publication: publication(5), until_publication: publication(3), ..all }, &[]),
        (Query { after_publication: Some(id(7)), ..all }, &[]),
        (Query { before_publication: Some(id(7)), ..all }, &[]),
        (
            Query { after_publication: publication(2), topic: Some("com.even"), limit: Some(2), ..all },
            &[4, 6],
        ),
    ] {
        let history = ten();
        let values: Vec<u64> = history.find(query, ANN).map(|event| event.value).collect();
        assert_eq!(values, found, "{query:?}");
    }
}

#[test]
fn an_event_is_found_by_those_who_might_have_heard_it() {
    let mut history = History::new(Bounds { events: 10, bytes: 1_000 });
    let names = |names: &[&str]| -> Vec<Box<str>> { names.iter().map(|name| (*name).into()).collect() };
    for (number, audience) in [
        Audience::default(),
        only(&["user", "admin"]),
        only(&[]),
        Audience { exclude_authid: names(&["ann"]), ..Audience::default() },
        Audience { exclude_authrole: names(&["guest"]), ..Audience::default() },
        Audience { eligible_authid: Some(names(&["eve", "ann"])), ..only(&["guest"]) },
    ]
    .into_iter()
    .enumerate()
    {
        history.push(Event { audience, ..event(number as u64) });
    }
    for (listener, found) in [(ANN, &[0, 1, 4][..]), (EVE, &[0, 3, 5])] {
        let values: Vec<u64> = history.find(Query::default(), listener).map(|event| event.value).collect();
        assert_eq!(values, found, "{}", listener.authid);
        let query = Query { limit: Some(1), reverse: true, ..Query::default() };
        let last = history.find(query, listener).map(|event| event.value).next();
        assert_eq!(last.as_ref(), found.last(), "the limit counts what may be heard");
    }
}

#[test]
fn a_listener_gets_the_last_retained_event_that_it_may_hear() {
    let mut retained = Retained::new(Bounds { events: 3, bytes: 100 });
    let latest = |retained: &Retained<u64>, listener| retained.latest(listener).map(|event| event.value);
    assert_eq!(latest(&retained, ANN), None);
    retained.push(Event { audience: only(&["user"]), ..event(1) });
    assert_eq!((latest(&retained, ANN), latest(&retained, EVE)), (Some(1), None));
    retained.push(event(2));
    assert_eq!((latest(&retained, ANN), latest(&retained, EVE), retained.count()), (Some(2), Some(2), 1));
    // However many come for fewer, the one for everybody stays.
    for number in 3..50 {
        retained.push(Event { audience: only(&["user"]), ..event(number) });
        retained.push(Event { audience: only(&["admin", &number.to_string()]), ..event(number) });
    }
    assert_eq!((latest(&retained, ANN), latest(&retained, EVE)), (Some(49), Some(2)));
    assert_eq!((retained.count(), retained.bytes()), (3, 30));
    // What has no room takes the place of what was before all the same.
    retained.push(Event { bytes: 101, ..event(50) });
    assert_eq!((latest(&retained, ANN), retained.count(), retained.bytes()), (None, 0, 0));
}

proptest! {
    #[test]
    fn what_is_kept_is_the_end_of_what_was_and_within_its_bounds(
        sizes in prop::collection::vec(0..60_usize, 0..40),
        events in 0..6_usize,
        bytes in 0..100_usize,
    ) {
        let mut history = History::new(Bounds { events, bytes });
        for (number, size) in sizes.iter().enumerate() {
            history.push(Event { bytes: *size, ..event(number as u64 % 99) });
            let kept = history.count();
            let range = number + 1 - kept..=number;
            prop_assert!(history.events().map(|event| event.value).eq(range.map(|number| number as u64 % 99)));
            let of = |count: usize| sizes[number + 1 - count..=number].iter().sum::<usize>();
            prop_assert_eq!(history.bytes(), of(kept));
            prop_assert!(kept <= events && history.bytes() <= bytes);
            // No more than needed has gone.
            prop_assert!(kept == events || kept == number + 1 || of(kept + 1) > bytes);
            prop_assert_eq!(history.evicted(), (number + 1 - kept) as u64);
        }
    }
}
