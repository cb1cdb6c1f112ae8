//! Single rules, by example.

use clank_core::event::EventKind::{Connected, Disconnected, Error, Launched, Rejected};
use clank_core::event::{Body, Event, EventKind, Gap, Origin};
use clank_core::id::{EventId, RunId};

use super::model::{World, log, options};
use crate::delivery::options::OnPoison;
use crate::delivery::pace::Pace;
use crate::delivery::scheduler::*;
use crate::delivery::sink::{Outcome, Verdict};
use crate::delivery::state::Lane;
use crate::delivery::testing::entry;
use crate::source::Entry;

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

fn entries(events: &[(EventKind, u64, u64)]) -> Vec<Entry> {
    let numbered = events.iter().enumerate();
    numbered.map(|(at, (kind, number, lane))| entry(at as u64 + 1, *kind, *number, *lane)).collect()
}

/// So many connections that come and go, each in a lane of its own.
fn pairs(connections: u64) -> Vec<Entry> {
    let events: Vec<_> = (1..=connections)
        .flat_map(|number| [(Connected, number, number), (Disconnected, number, number)])
        .collect();
    entries(&events)
}

fn refuses(position: u64) -> impl Fn(&[Delivery]) -> Outcome {
    move |batch| match batch.iter().any(|delivery| delivery.position().value() == position) {
        true => Outcome::refused("no such user"),
        false => Outcome::ACKED,
    }
}

fn fails(position: u64) -> impl Fn(&[Delivery]) -> Outcome {
    move |batch| match batch.iter().any(|delivery| delivery.position().value() == position) {
        true => Outcome::failing("500"),
        false => Outcome::ACKED,
    }
}

fn dead(world: &World) -> Vec<u64> {
    world.disk.dead.keys().copied().collect()
}

fn offered(world: &World) -> Vec<u64> {
    world.offers.iter().map(|(_, delivery)| delivery.position().value()).collect()
}

#[test]
fn an_event_that_is_refused_goes_alone_and_its_connection_goes_on_marked() {
    let events = [(Connected, 1, 1), (Error, 1, 1), (Disconnected, 1, 1), (Connected, 2, 1)];
    let mut world = World::new(entries(&events), options(4, 1, OnPoison::Skip));
    world.drain(refuses(1));
    assert_eq!(dead(&world), [1]);
    assert_eq!(offered(&world), [1, 2, 3, 4]);
    let gaps: Vec<_> = world.offers.iter().map(|(_, delivery)| delivery.gap.map(|gap| gap.count)).collect();
    assert_eq!(gaps, [None, Some(1), Some(1), None]);
    assert_eq!(world.offers[1].1.gap.unwrap().last, world.log_id(1));
    assert!(world.disk.lost.is_empty(), "the connection is over");
    assert!(world.disk.dead[&1].about.superseded, "its end was taken");
}

#[test]
fn a_parked_connection_follows_as_one_group_and_others_of_its_lane_go_on() {
    let events =
        [(Connected, 1, 1), (Error, 1, 1), (Connected, 2, 1), (Disconnected, 1, 1), (Disconnected, 2, 1)];
    let mut world = World::new(entries(&events), options(4, 1, OnPoison::Park));
    world.drain(refuses(1));
    assert_eq!(dead(&world), [1, 2, 4]);
    assert_eq!(offered(&world), [1, 3, 5]);
    let groups: Vec<_> = world.disk.dead.values().map(|dead| dead.about.group).collect();
    assert!(groups.iter().all(|group| *group == world.log[0].connection), "{groups:?}");
    assert_eq!(&*world.disk.dead[&2].about.why, format!("parked behind {}", world.log_id(1)));
}

#[test]
fn a_poisoned_event_dies_of_its_tries_beside_good_neighbours() {
    let mut log = pairs(40);
    log.extend(
        entries(&[(Launched, 0, 0)]).into_iter().map(|entry| Entry { position: Position::new(81), ..entry }),
    );
    let mut world = World::new(log, options(4, 1, OnPoison::Skip));
    for _ in 0..80 {
        world.read(1);
        while world.send() {
            world.finish(0, fails(3));
        }
        world.millis += 1_000;
    }
    world.drain(fails(3));
    assert_eq!(dead(&world), [3]);
    let row = &world.disk.dead[&3];
    assert_eq!((row.row.tries, &*row.about.why), (3, "500"));
    let tries = offered(&world).iter().filter(|position| **position == 3).count();
    assert!((4..=6).contains(&tries), "{tries}: a failure counts once others have succeeded in between");
}

#[test]
fn an_event_in_retry_pins_neither_the_cursor_nor_memory() {
    let mut world = World::new(pairs(500), options(4, 1, OnPoison::Skip));
    world.options.tries = NonZeroU32::MAX;
    world.kill();
    for _ in 0..3_000 {
        world.read(4);
        while world.send() {}
        world.finish(0, fails(1));
        world.millis += 20;
    }
    world.sync();
    assert_eq!(world.disk.progress.cursor.value(), 1_000);
    assert_eq!(world.scheduler.retrying(), 2, "with the one behind it");
    assert_eq!(world.scheduler.pending(), 0);
    // a kill forgets nothing
    world.kill();
    world.drain(|_| Outcome::ACKED);
    assert!(dead(&world).is_empty());
}

#[test]
fn a_batch_is_divided_until_the_one_to_blame_stands_alone() {
    for refused in [1, 17, 32] {
        let events: Vec<_> = (1..=32).map(|number| (Connected, number, number)).collect();
        let mut world = World::new(entries(&events), options(1, 32, OnPoison::Skip));
        world.read(32);
        world.drain(refuses(refused));
        assert_eq!(dead(&world), [refused]);
        let taken: Vec<_> = offered(&world);
        assert!(taken.iter().filter(|position| **position == refused).count() <= 6, "{taken:?}");
        assert!(taken.len() <= 32 * 3, "{}", taken.len());
    }
}

#[test]
fn a_batch_holds_several_of_a_lane_in_order() {
    let mut world = World::new(log(1, &[0, 1, 1, 1, 3]), options(4, 10, OnPoison::Skip));
    world.read(10);
    assert!(world.send());
    assert_eq!(offered(&world), [1, 2, 3, 4, 5]);
    assert!(!world.send());
    // of which the first is taken, the second fails
    let why = || "busy".to_owned();
    world.finish(0, |_| {
        Outcome::Each(vec![Verdict::Acked, Verdict::Failing { retry_after: None, why: why() }])
    });
    world.drain(|_| Outcome::ACKED);
    assert_eq!(offered(&world)[5..], [2, 3, 4, 5]);
}

#[test]
fn rejected_clients_do_not_wait_for_each_other() {
    let events: Vec<_> = (1..=8).map(|number| (Rejected, number, 0)).collect();
    let mut world = World::new(entries(&events), options(8, 1, OnPoison::Skip));
    world.read(8);
    while world.send() {}
    assert_eq!(world.flights.len(), 8);
}

#[test]
fn probes_go_from_lane_to_lane_so_that_a_poisoned_one_cannot_keep_a_sink_shut() {
    let events: Vec<_> = (1..=6).map(|number| (Connected, number, number)).collect();
    let mut world = World::new(entries(&events), options(3, 1, OnPoison::Skip));
    world.read(6);
    while world.send() {}
    for _ in 0..3 {
        world.finish(0, |_| Outcome::failing("down"));
    }
    assert_eq!(world.scheduler.breaker(), BreakerState::Open);
    // the sink is back, but for the first two, which fail for ever
    for _ in 0..40 {
        let now = world.now().at;
        world.millis += world.scheduler.wake_at(now).map_or(0, |at| (at - now).as_millis() as u64 + 1);
        if world.send() {
            assert_eq!(world.flights.len(), 1, "one probe at a time");
        }
        world.finish(0, |batch| {
            if batch[0].position().value() < 3 { Outcome::failing("500") } else { Outcome::ACKED }
        });
        if world.scheduler.breaker() == BreakerState::Closed {
            return;
        }
    }
    panic!("it stays open");
}

#[test]
fn disconnects_are_paced_with_their_retries_and_others_pass_them() {
    let (storm, calm): (Vec<_>, Vec<_>) =
        (1..=60).map(|n| ((Disconnected, n, n), (Error, 100 + n, 100 + n))).unzip();
    let mut rules = options(4, 3, OnPoison::Skip);
    rules.pace =
        Pace::new(NonZeroU32::new(10).unwrap(), Duration::from_secs(1)).burst(NonZeroU32::new(2).unwrap());
    let mut world = World::new(entries(&[storm, calm].concat()), rules);
    let mut fails = 0;
    world.read(200);
    for _ in 0..4_000 {
        while world.send() {}
        world.finish(0, |_| {
            fails += 1;
            if fails % 5 == 0 { Outcome::failing("busy") } else { Outcome::ACKED }
        });
        world.millis += 5;
    }
    world.drain(|_| Outcome::ACKED);
    let times = |kind| {
        let of_kind = world.offers.iter().filter(move |(_, delivery)| delivery.kind() == kind);
        of_kind.map(|(millis, _)| *millis).collect::<Vec<_>>()
    };
    let disconnects = times(Disconnected);
    assert!(disconnects.len() > 60, "some were tried twice");
    for (at, first) in disconnects.iter().enumerate() {
        assert!(disconnects[at..].iter().filter(|time| **time < first + 1_000).count() <= 10);
    }
    // all others were through long before the storm was
    assert!(times(Error).iter().filter(|time| **time < 2_000).count() >= 60);
}

#[test]
fn both_classes_have_their_share_while_both_wait() {
    let (storm, calm): (Vec<_>, Vec<_>) =
        (1..=200).map(|n| ((Disconnected, n, n), (Error, 300 + n, 300 + n))).unzip();
    let mut world = World::new(entries(&[storm, calm].concat()), options(1, 1, OnPoison::Skip));
    world.read(400);
    for _ in 0..100 {
        world.send();
        world.finish(0, |_| Outcome::ACKED);
    }
    let disconnects = world.offers.iter().filter(|(_, delivery)| delivery.kind() == Disconnected).count();
    assert_eq!(disconnects, 25);
}

#[test]
fn after_a_clean_stop_only_what_was_under_way_may_be_a_repetition() {
    let mut world = World::new(pairs(5), options(2, 1, OnPoison::Skip));
    world.read(10);
    while world.send() {}
    world.finish(0, |_| Outcome::ACKED);
    let under_way: Vec<_> = world.flights.drain(..).collect();
    for flight in &under_way {
        world.scheduler.broken_off(flight.id);
    }
    let changes = world.scheduler.take_changes(true);
    world.disk.apply(&changes);
    let repeated = under_way[0].batch[0].position();
    world.scheduler = Scheduler::new(world.options.clone(), world.disk.kept(), 1);
    world.sync();
    world.offers.clear();
    world.drain(|_| Outcome::ACKED);
    for (_, delivery) in &world.offers {
        assert_eq!(delivery.redelivered, delivery.position() == repeated);
    }
    assert_eq!(world.offers.len(), 9);
}

fn gap(from: u64, to: u64) -> Entry {
    let origin = Origin { node: "n".parse().unwrap(), run: RunId::new(1, &[1; 10]) };
    let gap = Gap { from, to, count: to - from + 1 };
    let event = Event::new(Timestamp::from_unix_micros(7), origin, Body::Gap(gap));
    let json = serde_json::to_vec(&event).unwrap().into();
    Entry { position: Position::new(to), kind: EventKind::Gap, connection: None, lane: 0, json }
}

#[test]
fn a_gap_is_told_before_anything_behind_it_and_again_after_a_kill() {
    let mut world = World::new(pairs(10), options(8, 1, OnPoison::Skip));
    world.read(2);
    while world.send() {}
    assert_eq!(world.scheduler.evict(Position::new(7)), Some((Position::new(3), 5)));
    world.scheduler.tell_gap(gap(3, 7), 5);
    assert_eq!(world.scheduler.room(), 0);
    world.acked.extend(3..7);
    world.finish(0, |_| Outcome::ACKED);
    while world.send() {
        world.finish(0, |batch| {
            if batch[0].kind() == EventKind::Gap { Outcome::failing("busy") } else { Outcome::ACKED }
        });
    }
    let told = |world: &World| {
        world.offers.iter().find(|(_, delivery)| delivery.kind() == EventKind::Gap).map(|(_, gap)| gap.id())
    };
    let id = told(&world);
    assert_eq!(id, Some(EventId::Gap(RunId::new(1, &[1; 10]), 3)));
    world.sync();
    world.offers.clear();
    world.flights.clear();
    world.scheduler = Scheduler::new(world.options.clone(), world.disk.kept(), 1);
    world.sync();
    while world.send() {}
    assert_eq!(told(&world), id, "the same id");
    while !world.flights.is_empty() {
        world.finish(0, |_| Outcome::ACKED);
        while world.send() {}
    }
    assert!(world.scheduler.room() > 0);
    assert_eq!(world.scheduler.evict(Position::new(7)), None, "it is not lost twice");
    assert_eq!(world.scheduler.read_to(), Position::new(7));
}

#[test]
fn a_gap_grows_by_what_a_kill_loses_before_it_was_told() {
    let mut world = World::new(pairs(10), options(8, 1, OnPoison::Skip));
    world.read(4);
    assert!(world.send());
    world.finish(0, |_| Outcome::ACKED);
    assert!(world.send());
    assert_eq!(world.scheduler.evict(Position::new(7)), Some((Position::new(5), 3)));
    world.scheduler.tell_gap(gap(5, 7), 3);
    while world.send() {}
    world.sync();
    // the journal has dropped what was in memory alone
    world.scheduler = Scheduler::new(world.options.clone(), world.disk.kept(), 1);
    let unsettled = 3;
    assert_eq!(world.scheduler.evict(Position::new(7)), Some((Position::new(2), unsettled + 3)));
}

#[test]
fn a_replay_goes_beside_what_is_new_with_its_id() {
    let mut world = World::new(pairs(10), options(4, 2, OnPoison::Skip));
    world.drain(|_| Outcome::ACKED);
    assert!(world.scheduler.start_replay("r1".into(), Position::new(4), Position::new(12)));
    assert!(!world.scheduler.start_replay("r2".into(), Position::START, Position::new(20)), "one at a time");
    let (after, to) = world.scheduler.replay_reads().unwrap();
    assert_eq!((after.value(), to.value()), (4, 12));
    let items = world.log[4..].iter().map(|entry| Item::new(entry.clone()).unwrap()).collect();
    world.scheduler.admit_replay(items, Position::new(20));
    for _ in 0..100 {
        while let Some(flight) = world.scheduler.next(world.now().at) {
            world.flights.push_back(flight);
        }
        world.finish(0, |batch| {
            assert!(batch.iter().all(|delivery| delivery.replay.as_deref() == Some("r1")));
            refuses(6)(batch)
        });
    }
    let progress = world.scheduler.replay_progress().unwrap();
    assert_eq!((progress.delivered, progress.failed, progress.finished), (7, 1, true));
    assert!(dead(&world).is_empty(), "a replay leaves no dead letters");
    assert!(world.scheduler.start_replay("r2".into(), Position::START, Position::new(20)));
    world.scheduler.cancel_replay();
    assert!(world.scheduler.replay_progress().unwrap().finished);
}

#[test]
fn dead_letters_that_come_back_heal_their_connection() {
    let events = [(Connected, 1, 1), (Error, 1, 1), (Error, 1, 1)];
    let mut world = World::new(entries(&events), options(4, 1, OnPoison::Skip));
    world.drain(refuses(2));
    assert_eq!(world.disk.lost.len(), 1);
    let mut row = world.disk.dead.remove(&2).unwrap().row;
    row.revived = true;
    world.disk.retries.insert((Lane::Of(1), 2), row);
    world.scheduler.revive(Lane::Of(1), 100, None);
    world.log.push(entry(4, Disconnected, 1, 1));
    world.drain(|_| Outcome::ACKED);
    assert!(world.disk.lost.is_empty());
    assert_eq!(offered(&world), [1, 2, 3, 2, 4]);
    assert_eq!(world.offers[4].1.gap, None);
}

#[test]
fn a_window_is_bounded_whatever_waits_behind_it() {
    let mut world = World::new(pairs(10_000), options(16, 1, OnPoison::Skip));
    for _ in 0..200 {
        world.read(500);
    }
    assert!(world.scheduler.pending() <= WINDOW_EVENTS + 500);
    world.options.concurrency = NonZeroUsize::MIN;
    assert!(world.scheduler.read_to().value() <= WINDOW_EVENTS as u64 + 500);
}

#[test]
fn nothing_is_offered_that_the_disk_could_not_suspect_after_a_kill() {
    let mut world = World::new(Vec::new(), options(4, 1, OnPoison::Skip));
    let far = entry(20_000, Connected, 1, 1);
    world.scheduler.admit(vec![Item::new(far).unwrap()], Position::new(20_000), world.now());
    assert!(world.scheduler.next(world.now().at).is_none());
    assert!(world.scheduler.is_due());
    world.sync();
    assert!(world.scheduler.next(world.now().at).is_some());
}

#[test]
fn deliveries_wait_for_a_disk_that_does_not_keep_up() {
    let mut world = World::new(Vec::new(), options(4, 1, OnPoison::Skip));
    let (mut taken, mut position) = (0, 0);
    loop {
        position += 1;
        let item = Item::new(entry(position, Error, position, position)).unwrap();
        world.scheduler.admit(vec![item], Position::new(position), world.now());
        let Some(flight) = world.scheduler.next(world.now().at) else { break };
        world.scheduler.done(flight.id, Outcome::ACKED, world.now());
        taken += 1;
    }
    assert_eq!(taken, 10_000);
    world.sync();
    assert!(world.scheduler.next(world.now().at).is_some());
}
