//! Subscriptions, audiences and topics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use clank_core::subscription::{Audience, Deliver, Subscription};
use clank_core::topic::{InvalidUri, Uri};
use proptest::prelude::*;

/// Notes who heard, and checks that each is handed what was held of it.
#[derive(Default)]
struct Heard(Vec<u64>);

impl Deliver<String> for Heard {
    fn deliver(&mut self, connection: u64, member: &String) {
        assert_eq!(member, &connection.to_string());
        self.0.push(connection);
    }
}

fn subscription(connections: impl IntoIterator<Item = u64>) -> Subscription<String> {
    let mut subscription = Subscription::new();
    for connection in connections {
        subscription.add(connection, connection.to_string());
    }
    subscription
}

#[test]
fn members_come_and_go_once() {
    let mut subscription = Subscription::default();
    assert!(subscription.is_empty());
    assert!(subscription.add(1, "one"));
    assert!(subscription.add(2, "two"));
    assert!(!subscription.add(1, "again"));
    assert_eq!(subscription.count(), 2);
    assert!(subscription.has(1) && !subscription.has(3));
    assert_eq!(subscription.remove(1), Some("one"));
    assert_eq!(subscription.remove(1), None);
    assert_eq!(subscription.members().collect::<Vec<_>>(), [(2, &"two")]);
    assert_eq!(subscription.remove(2), Some("two"));
    assert!(subscription.is_empty());
}

#[test]
fn many_members_are_found_whatever_their_ids_have_in_common() {
    for step in [1, 2, 1 << 7, 1 << 20, 1 << 32, 1 << 44] {
        let mut subscription = subscription((0..10_000).map(|n| n * step));
        assert_eq!(subscription.count(), 10_000);
        for n in (0..10_000).step_by(2) {
            assert_eq!(subscription.remove(n * step), Some((n * step).to_string()));
        }
        assert!((0..10_000).all(|n| subscription.has(n * step) == (n % 2 == 1)));
    }
}

#[test]
fn an_audience_can_leave_one_out() {
    let (mut all, mut others) = (Heard::default(), Heard::default());
    let subscription = subscription([1, 2, 3]);
    assert_eq!(subscription.publish(&Audience::everyone(), &mut all), 3);
    assert_eq!(subscription.publish(&Audience::everyone_but(2), &mut others), 2);
    assert_eq!((all.0, others.0), (vec![1, 2, 3], vec![1, 3]));
}

#[test]
fn a_uri_is_not_empty_not_too_long_and_has_no_control_characters() {
    let parse = |text: &str| Uri::parse(text.to_owned(), 8).map(|uri| uri.to_string());
    for valid in ["a", "a b", "12345678", "éééé", "a:b//c#d", "\u{202e}"] {
        assert_eq!(parse(valid), Ok(valid.to_owned()));
    }
    assert_eq!(parse(""), Err(InvalidUri::Empty));
    assert_eq!(parse("123456789"), Err(InvalidUri::TooLong { bytes: 9, max_bytes: 8 }));
    assert_eq!(parse("ééééé"), Err(InvalidUri::TooLong { bytes: 10, max_bytes: 8 }));
    for control in ["\0", "\n", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}"] {
        assert_eq!(parse(&format!("é{control}")), Err(InvalidUri::Control { at: 2 }));
    }
    for (uri, segment) in [("a/b/c", "a"), ("a", "a"), ("/a", ""), ("a/", "a")] {
        assert_eq!(Uri::parse(uri, 8).unwrap().into_owned().first_segment(), segment);
    }
}

proptest! {
    #[test]
    fn an_event_reaches_subscribers_that_are_eligible_and_not_excluded_once(
        members in prop::collection::btree_set(0..40_u64, 0..30),
        exclude in prop::collection::vec(0..40_u64, 0..10),
        eligible in prop::option::of(prop::collection::vec(0..40_u64, 0..50)),
    ) {
        let expected: BTreeSet<u64> = members
            .iter()
            .copied()
            .filter(|member| eligible.as_ref().is_none_or(|eligible| eligible.contains(member)))
            .filter(|member| !exclude.contains(member))
            .collect();
        let audience = Audience {
            exclude: exclude.into_iter().collect(),
            eligible: eligible.map(|eligible| eligible.into_iter().collect()),
        };
        let mut heard = Heard::default();
        let receivers = subscription(members).publish(&audience, &mut heard);
        prop_assert_eq!(receivers, heard.0.len());
        prop_assert_eq!(heard.0.len(), expected.len());
        prop_assert_eq!(heard.0.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn members_are_those_who_were_added_and_not_removed(
        steps in prop::collection::vec((any::<bool>(), 0..20_u64), 0..100),
    ) {
        let mut model = BTreeSet::new();
        let mut subscription = Subscription::new();
        for (add, connection) in steps {
            if add {
                let added = subscription.add(connection, connection.to_string());
                prop_assert_eq!(added, model.insert(connection));
            } else {
                let removed = subscription.remove(connection);
                prop_assert_eq!(removed.is_some(), model.remove(&connection));
            }
            prop_assert_eq!(subscription.count(), model.len());
            let members: BTreeSet<u64> = subscription.members().map(|(member, _)| member).collect();
            prop_assert_eq!(&members, &model);
        }
    }
}
