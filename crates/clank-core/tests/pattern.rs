//! Patterns in a trie, beside a list of them that is searched one by one.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use clank_core::pattern::{Trie, covers, overlap};
use clank_wire::wamp2::{Match, Pattern, Rules};
use proptest::prelude::*;

fn pattern(text: &str, matching: Match) -> Pattern<'static> {
    Pattern::parse(text.to_owned(), matching, Rules::Loose).unwrap()
}

fn trie(patterns: &[(&'static str, Match)]) -> Trie<&'static str> {
    let mut trie = Trie::new();
    for (text, matching) in patterns {
        assert_eq!(trie.insert(&pattern(text, *matching), *text), None);
    }
    trie
}

/// The example in the specification's "Calls matching multiple registrations".
#[test]
fn a_call_is_routed_by_its_best_match() {
    let trie = trie(&[
        ("a1.b2.c3.d4.e55", Match::Exact),
        ("a1.b2.c3", Match::Prefix),
        ("a1.b2.c3.d4", Match::Prefix),
        ("a1.b2..d4.e5", Match::Wildcard),
        ("a1.b2.c33..e5", Match::Wildcard),
        ("a1.b2..d4.e5..g7", Match::Wildcard),
        ("a1.b2..d4..f6.g7", Match::Wildcard),
    ]);
    for (uri, best) in [
        ("a1.b2.c3.d4.e55", Some("a1.b2.c3.d4.e55")),
        ("a1.b2.c3.d98.e74", Some("a1.b2.c3")),
        ("a1.b2.c3.d4.e325", Some("a1.b2.c3.d4")),
        ("a1.b2.c55.d4.e5", Some("a1.b2..d4.e5")),
        // "a1.b2.c3" is a prefix of this one too, as of "emergency-low" in the same specification.
        ("a1.b2.c33.d4.e5", Some("a1.b2.c3")),
        ("a1.b2.c88.d4.e5.f6.g7", Some("a1.b2..d4.e5..g7")),
        ("a2.b2.c2.d2.e2", None),
    ] {
        assert_eq!(trie.best(uri).copied(), best, "{uri}");
    }
    let mut trie = trie;
    trie.remove(&pattern("a1.b2.c3", Match::Prefix));
    assert_eq!(trie.best("a1.b2.c33.d4.e5"), Some(&"a1.b2.c33..e5"));
}

#[test]
fn an_event_goes_to_all_that_match() {
    let trie = trie(&[
        ("", Match::Prefix),
        ("com.t", Match::Prefix),
        ("com.t.", Match::Prefix),
        ("com.topic", Match::Exact),
        ("com.", Match::Wildcard),
        (".topic", Match::Wildcard),
        (".", Match::Wildcard),
        ("", Match::Wildcard),
        ("com.topic.x", Match::Exact),
    ]);
    for (uri, matches) in [
        ("com.topic", &["com.topic", "", "com.t", "com.", ".topic", "."][..]),
        ("com.t.x", &["", "com.t", "com.t."]),
        ("com", &["", ""]),
        ("org.topic", &["", ".topic", "."]),
        ("com.topic.x", &["com.topic.x", "", "com.t"]),
    ] {
        assert_eq!(trie.matches(uri).copied().collect::<Vec<_>>(), matches, "{uri}");
    }
    assert_eq!((trie.count(), trie.values().count()), (9, 9));
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Pattern<'static>, u32),
    Remove(Pattern<'static>),
}

/// Few and short components, with a common beginning and a character of several bytes.
fn components(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(of), 1..5).prop_map(|components| components.join("."))
}

fn patterns() -> impl Strategy<Value = Pattern<'static>> {
    let text = components(&["", "", "a", "ab", "é", "b"]);
    (text, prop::sample::select(vec![Match::Exact, Match::Prefix, Match::Wildcard]))
        .prop_filter_map("an empty component where none may be", |(text, matching)| {
            Pattern::parse(text, matching, Rules::Loose).ok()
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let insert = (patterns(), any::<u32>()).prop_map(|(pattern, value)| Step::Insert(pattern, value));
    let remove = patterns().prop_map(Step::Remove);
    prop::collection::vec(prop_oneof![3 => insert, 1 => remove], 0..60)
}

type Key = (u8, String);

fn key(pattern: &Pattern<'_>) -> Key {
    (pattern.matching() as u8, pattern.as_str().to_owned())
}

type Model = BTreeMap<Key, (Pattern<'static>, u32)>;

fn check(trie: &Trie<u32>, model: &Model, uri: &str) {
    let mut found: Vec<u32> = trie.matches(uri).copied().collect();
    let matching = || model.values().filter(|(pattern, _)| pattern.matches(uri));
    let mut expected: Vec<u32> = matching().map(|(_, value)| *value).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{uri}");

    let best = matching().max_by_key(|(pattern, _)| {
        let prefix = if pattern.matching() == Match::Prefix { pattern.as_str().len() } else { 0 };
        let portions: Vec<bool> =
            pattern.as_str().split('.').map(|component| !component.is_empty()).collect();
        (pattern.matching() == Match::Exact, pattern.matching() == Match::Prefix, prefix, portions)
    });
    assert_eq!(trie.best(uri), best.map(|(_, value)| value), "{uri}");
}

proptest! {
    #[test]
    fn the_trie_finds_what_a_list_has(
        steps in steps(),
        uris in prop::collection::vec(components(&["a", "ab", "é", "b", "abc", ""]), 1..20),
        snapshot in 0..60_usize,
    ) {
        let (mut trie, mut model) = (Trie::new(), Model::new());
        let mut before = (trie.clone(), model.clone());
        for (at, step) in steps.into_iter().enumerate() {
            if at == snapshot {
                before = (trie.clone(), model.clone());
            }
            match step {
                Step::Insert(pattern, value) => {
                    let old = model.insert(key(&pattern), (pattern.clone(), value));
                    prop_assert_eq!(trie.insert(&pattern, value), old.map(|(_, value)| value));
                    prop_assert_eq!(trie.value(&pattern), Some(&value));
                }
                Step::Remove(pattern) => {
                    let old = model.remove(&key(&pattern));
                    prop_assert_eq!(trie.remove(&pattern), old.map(|(_, value)| value));
                }
            }
            prop_assert_eq!((trie.count(), trie.values().count()), (model.len(), model.len()));
        }
        for uri in &uris {
            check(&trie, &model, uri);
            check(&before.0, &before.1, uri);
        }
    }

    /// Beside all URIs of up to four of a few components, which are enough for these patterns.
    #[test]
    fn patterns_overlap_and_cover_as_their_uris_do(one in patterns(), other in patterns()) {
        let components = ["a", "ab", "é", "b", "z", "az", "abz", "éz", "bz"];
        let mut uris = vec![String::new()];
        let (mut overlaps, mut covered) = (false, true);
        for length in 1..6 {
            uris = uris.iter().flat_map(|uri| components.map(|component| match uri.as_str() {
                "" => component.to_owned(),
                uri => format!("{uri}.{component}"),
            })).collect();
            overlaps |= uris.iter().any(|uri| one.matches(uri) && other.matches(uri));
            covered &= uris.iter().all(|uri| one.matches(uri) || !other.matches(uri));
            if length == 4 && !one.as_str().ends_with('.') && !other.as_str().ends_with('.') {
                break;
            }
        }
        prop_assert_eq!(overlap(&one, &other), overlaps);
        prop_assert_eq!(overlap(&other, &one), overlaps);
        prop_assert_eq!(covers(&one, &other), covered);
    }
}
