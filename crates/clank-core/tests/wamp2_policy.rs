//! Which callee is picked, by a table for each policy and beside a list of callees.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use clank_core::wamp2::policy::{Refused, SharedRegistration};
use clank_wire::wamp2::{Invoke, reason};
use proptest::prelude::*;

const ALL: [Invoke; 5] = [Invoke::Single, Invoke::First, Invoke::Last, Invoke::RoundRobin, Invoke::Random];

fn registration(policy: Invoke, callees: &[u8]) -> SharedRegistration<u8> {
    let mut registration = SharedRegistration::new(policy);
    callees.iter().for_each(|callee| registration.add(*callee, policy).unwrap());
    registration
}

#[test]
fn callees_are_picked_by_the_policy() {
    for (policy, callees, picked) in [
        (Invoke::Single, &[1][..], [1, 1, 1, 1]),
        (Invoke::First, &[1, 2, 3], [1, 1, 1, 1]),
        (Invoke::Last, &[1, 2, 3], [3, 3, 3, 3]),
        (Invoke::RoundRobin, &[1, 2, 3], [1, 2, 3, 1]),
        (Invoke::Random, &[1, 2, 3], [2, 3, 1, 2]),
    ] {
        let mut registration = registration(policy, callees);
        let found: Vec<u8> = (1..5).map(|random| *registration.pick(random).unwrap()).collect();
        assert_eq!(found, picked, "{policy:?}");
    }
}

#[test]
fn a_turn_is_kept_when_callees_come_and_go() {
    let mut registration = registration(Invoke::RoundRobin, &[1, 2, 3]);
    assert_eq!(registration.pick(0), Some(&1));
    assert_eq!(registration.remove(|callee| *callee == 1), Some(1));
    assert_eq!(registration.remove(|callee| *callee == 1), None);
    registration.add(4, Invoke::RoundRobin).unwrap();
    let found: Vec<u8> = (0..4).map(|_| *registration.pick(0).unwrap()).collect();
    assert_eq!(found, [2, 3, 4, 2]);
    assert_eq!(registration.callees(), [2, 3, 4]);
}

#[test]
fn who_does_not_fit_to_the_others_is_refused() {
    for registered in ALL {
        for asked in ALL {
            let mut registration = registration(registered, &[1]);
            let expected = match registered {
                Invoke::Single => Err(Refused::Single),
                _ if registered == asked => Ok(()),
                _ => Err(Refused::OtherPolicy { registered, asked }),
            };
            assert_eq!(registration.add(2, asked), expected);
            assert_eq!(registration.add(1, asked), Err(Refused::AlreadyCallee));
            assert_eq!(Refused::AlreadyCallee.uri(), reason::PROCEDURE_ALREADY_EXISTS);
        }
        let mut empty = registration(registered, &[]);
        assert_eq!(empty.pick(7), None);
    }
}

proptest! {
    /// Whoever comes and goes, the callee is one of those that there are; in turn, who stays is
    /// never passed over for somebody who was called since.
    #[test]
    fn only_callees_are_picked(
        policy in prop::sample::select(&ALL[1..]),
        steps in prop::collection::vec((0_u8..4, 0_u8..6, any::<u64>()), 0..200),
    ) {
        let mut registration = SharedRegistration::new(policy);
        let mut model: Vec<u8> = Vec::new();
        let mut calls_since: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for (step, callee, random) in steps {
            match step {
                0 => {
                    let added = registration.add(callee, policy).is_ok();
                    prop_assert_eq!(added, !model.contains(&callee));
                    if added {
                        model.push(callee);
                        calls_since.insert(callee, Vec::new());
                    }
                }
                1 => {
                    let removed = registration.remove(|known| *known == callee);
                    prop_assert_eq!(removed.is_some(), model.contains(&callee));
                    model.retain(|known| *known != callee);
                    calls_since.remove(&callee);
                    // Who has left and comes back begins anew.
                    calls_since.values_mut().for_each(|called| called.retain(|known| *known != callee));
                }
                _ => {
                    let picked = registration.pick(random).copied();
                    prop_assert_eq!(picked.is_some(), !model.is_empty());
                    let Some(picked) = picked else { continue };
                    match policy {
                        Invoke::First => prop_assert_eq!(Some(&picked), model.first()),
                        Invoke::Last => prop_assert_eq!(Some(&picked), model.last()),
                        Invoke::RoundRobin => {
                            for (waiting, called) in &mut calls_since {
                                if *waiting == picked {
                                    called.clear();
                                } else {
                                    prop_assert!(called.iter().filter(|known| **known == picked).count() <= 1);
                                    called.push(picked);
                                }
                            }
                        }
                        _ => prop_assert!(model.contains(&picked)),
                    }
                }
            }
            prop_assert_eq!(registration.callees(), &model[..]);
        }
    }
}
