//! Which callee is picked, by a table for each policy and beside a list of callees.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroU64;

use clank_core::wamp2::policy::{Refused, SharedRegistration, Unavailable};
use clank_wire::wamp2::{Invoke, reason};
use proptest::prelude::*;

const ALL: [Invoke; 5] = [Invoke::Single, Invoke::First, Invoke::Last, Invoke::RoundRobin, Invoke::Random];

fn registration(policy: Invoke, callees: &[(u8, u64)]) -> SharedRegistration<u8> {
    let mut registration = SharedRegistration::new(policy);
    for (callee, limit) in callees {
        registration.add(*callee, policy, NonZeroU64::new(*limit)).unwrap();
    }
    registration
}

#[test]
fn callees_are_picked_by_the_policy() {
    for (policy, callees, picked) in [
        (Invoke::Single, &[(1, 0)][..], [1, 1, 1, 1]),
        (Invoke::First, &[(1, 0), (2, 0), (3, 0)], [1, 1, 1, 1]),
        (Invoke::Last, &[(1, 0), (2, 0), (3, 0)], [3, 3, 3, 3]),
        (Invoke::RoundRobin, &[(1, 0), (2, 0), (3, 0)], [1, 2, 3, 1]),
        (Invoke::RoundRobin, &[(1, 1), (2, 0)], [1, 2, 2, 2]),
        (Invoke::Random, &[(1, 0), (2, 0), (3, 0)], [2, 3, 1, 2]),
    ] {
        let mut registration = registration(policy, callees);
        let found: Vec<u8> = (1..5).map(|random| *registration.pick(random, &[]).unwrap()).collect();
        assert_eq!(found, picked, "{policy:?}");
    }
}

#[test]
fn a_turn_is_kept_when_callees_come_and_go() {
    let mut registration = registration(Invoke::RoundRobin, &[(1, 0), (2, 0), (3, 0)]);
    assert_eq!(registration.pick(0, &[]), Ok(&1));
    assert_eq!(registration.remove(&1), Some(1));
    assert_eq!(registration.remove(&1), None);
    registration.add(4, Invoke::RoundRobin, None).unwrap();
    let found: Vec<u8> = (0..4).map(|_| *registration.pick(0, &[]).unwrap()).collect();
    assert_eq!(found, [2, 3, 4, 2]);
    assert!(registration.callees().eq(&[2, 3, 4]));
}

/// A stand-by is called when the first is gone, not when it is busy.
#[test]
fn a_busy_callee_is_passed_over_where_all_are_equal() {
    for (policy, second) in [
        (Invoke::Single, Err(Unavailable::Busy)),
        (Invoke::First, Err(Unavailable::Busy)),
        (Invoke::Last, Ok(2)),
        (Invoke::RoundRobin, Ok(2)),
        (Invoke::Random, Ok(2)),
    ] {
        let callees: &[(u8, u64)] = if policy == Invoke::Single { &[(1, 1)] } else { &[(1, 1), (2, 2)] };
        let mut registration = registration(policy, callees);
        let _ = registration.pick(0, &[]);
        assert_eq!(registration.pick(0, &[]).copied(), second, "{policy:?}");
        for _ in 0..3 {
            let _ = registration.pick(0, &[]);
        }
        assert_eq!(registration.pick(0, &[]), Err(Unavailable::Busy), "{policy:?}");
        assert_eq!(Unavailable::Busy.uri(), reason::NO_AVAILABLE_CALLEE);
        let busy = if policy == Invoke::Last { 2 } else { 1 };
        registration.release(&busy);
        assert_eq!(registration.pick(0, &[]), Ok(&busy), "{policy:?}");
    }
}

#[test]
fn a_call_that_was_sent_back_goes_to_another() {
    for (policy, order) in [
        (Invoke::First, [1, 2, 3]),
        (Invoke::Last, [3, 2, 1]),
        (Invoke::RoundRobin, [1, 2, 3]),
        (Invoke::Random, [1, 2, 3]),
    ] {
        let mut registration = registration(policy, &[(1, 0), (2, 0), (3, 0)]);
        let mut tried = Vec::new();
        while let Ok(callee) = registration.pick(0, &tried) {
            tried.push(*callee);
        }
        assert_eq!(tried, order, "{policy:?}");
        assert_eq!(registration.pick(0, &tried), Err(Unavailable::Exhausted));
    }
}

#[test]
fn a_callee_registers_by_the_policy_of_the_first() {
    for registered in ALL {
        for asked in ALL {
            let mut registration = registration(registered, &[(1, 0)]);
            let expected = match (registered, asked) {
                (Invoke::Single, _) => Err(Refused::Single),
                (registered, asked) if registered == asked => Ok(()),
                _ => Err(Refused::OtherPolicy { registered, asked }),
            };
            assert_eq!(registration.add(2, asked, None), expected);
            assert_eq!(registration.add(1, asked, None), Err(Refused::AlreadyCallee));
            assert_eq!(registration.count(), 1 + usize::from(expected.is_ok()));
        }
    }
    assert_eq!(Refused::Single.uri(), reason::PROCEDURE_ALREADY_EXISTS);
    assert_eq!(
        Refused::OtherPolicy { registered: Invoke::First, asked: Invoke::Random }.to_string(),
        "the procedure is already registered to be invoked by 'first', not by 'random'"
    );
}

#[test]
fn chance_reaches_all_who_are_free() {
    let mut registration = registration(Invoke::Random, &[(1, 1), (2, 0), (3, 0), (4, 0)]);
    assert_eq!(registration.pick(0, &[]), Ok(&1));
    registration.remove(&3);
    let mut found: Vec<u8> = (0..20).map(|random| *registration.pick(random, &[]).unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, [[2; 10], [4; 10]].concat());
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Add(u8, u64),
    Remove(u8),
    Pick(u64),
    Release(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..8_u8, 0..4_u64).prop_map(|(callee, limit)| Step::Add(callee, limit)),
        (0..8_u8).prop_map(Step::Remove),
        any::<u64>().prop_map(Step::Pick),
        (0..8_u8).prop_map(Step::Release),
    ]
}

/// A callee, how many calls it takes (zero: any number), and how many it has.
type Model = Vec<(u8, u64, u64)>;

fn has_room((_, limit, in_flight): &(u8, u64, u64)) -> bool {
    *limit == 0 || in_flight < limit
}

proptest! {
    #[test]
    fn what_is_picked_has_room(policy in prop::sample::select(&ALL[1..]), steps in prop::collection::vec(step(), 0..80)) {
        let (mut registration, mut model) = (SharedRegistration::new(policy), Model::new());
        for step in steps {
            match step {
                Step::Add(callee, limit) => {
                    let is_new = model.iter().all(|known| known.0 != callee);
                    prop_assert_eq!(registration.add(callee, policy, NonZeroU64::new(limit)).is_ok(), is_new);
                    model.extend(is_new.then_some((callee, limit, 0)));
                }
                Step::Remove(callee) => {
                    let at = model.iter().position(|known| known.0 == callee);
                    prop_assert_eq!(registration.remove(&callee), at.map(|at| model.remove(at).2));
                }
                Step::Pick(random) => {
                    let free: Vec<u8> = model.iter().filter(|known| has_room(known)).map(|known| known.0).collect();
                    let allowed: Vec<u8> = match policy {
                        Invoke::First => model.first().filter(|known| has_room(known)).map(|known| known.0).into_iter().collect(),
                        Invoke::Last => model.last().filter(|known| has_room(known)).map(|known| known.0).into_iter().collect(),
                        _ => free,
                    };
                    match registration.pick(random, &[]) {
                        Ok(callee) => {
                            prop_assert!(allowed.contains(callee));
                            let known = model.iter_mut().find(|known| known.0 == *callee).unwrap();
                            known.2 += 1;
                        }
                        Err(Unavailable::Busy) => prop_assert!(allowed.is_empty() && !model.is_empty()),
                        Err(Unavailable::Exhausted) => prop_assert!(model.is_empty()),
                    }
                }
                Step::Release(callee) => {
                    registration.release(&callee);
                    for known in model.iter_mut().filter(|known| known.0 == callee) {
                        known.2 = known.2.saturating_sub(1);
                    }
                }
            }
            prop_assert!(registration.callees().eq(model.iter().map(|known| &known.0)));
            for known in &model {
                prop_assert_eq!(registration.in_flight(&known.0), Some(known.2));
            }
        }
    }
}
