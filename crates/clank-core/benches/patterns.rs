//! What a publication costs that is looked up among few, many and very many patterns.
//!
//! ```text
//! cargo bench -p clank-core --bench patterns
//! ```
//!
//! Two fifths of the patterns are prefixes, two fifths wildcards, the rest exact. Each publication matches
//! one exact pattern, two prefixes and one wildcard, however many patterns there are. They are to one
//! topic, whose nodes are then in the processor's cache, or to each in turn, whose nodes are not.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clank_core::pattern::Trie;
use clank_wire::wamp2::{Match, Pattern, Rules};

/// Of how many rounds the median is taken.
const ROUNDS: usize = 7;
/// How long one takes at least.
const ROUND: Duration = Duration::from_millis(50);

fn main() {
    println!("patterns  one topic  all topics  list of patterns  change of a clone  change in place");
    for count in [10, 1_000, 100_000] {
        let patterns: Vec<Pattern<'static>> = (0..count).flat_map(pattern).collect();
        let mut trie = Trie::new();
        for (number, pattern) in patterns.iter().enumerate() {
            trie.insert(pattern, Arc::new(number));
        }
        let uris: Vec<String> = (0..count / 5).map(|group| uri(group * 5)).collect();
        assert!(uris.iter().all(|uri| trie.matches(uri).count() == 4), "each publication has four matches");

        let mut turns = uris.iter().step_by(7).cycle();
        let mut next = || turns.next().map_or("", String::as_str);
        let cold = median(|| trie.matches(next()).map(|number| **number).sum());
        let list = median(|| patterns.iter().filter(|pattern| pattern.matches(next())).count());
        let warm = median(|| trie.matches(&uris[uris.len() / 2]).map(|number| **number).sum());

        let mut published = trie.clone();
        let Some(added) = pattern(count + 4).next_back() else { continue };
        let mut value = 0;
        let clone = median(|| {
            value += 1;
            trie.insert(&added, Arc::new(value));
            published = trie.clone();
            published.count()
        });
        drop(published);
        let in_place = median(|| {
            value += 1;
            trie.insert(&added, Arc::new(value)).map_or(0, |value| *value)
        });
        println!("{count:>8} {warm:>7} ns {cold:>8} ns {list:>14} ns {clone:>15} ns {in_place:>13} ns");
    }
}

/// One of five: for a group a URI, a prefix and a wildcard, and two that are for nothing published.
fn pattern(number: usize) -> impl DoubleEndedIterator<Item = Pattern<'static>> {
    let group = number - number % 5;
    let (text, matching) = match number {
        0 => ("com.example.".to_owned(), Match::Prefix),
        1 => ("com.example.none..created".to_owned(), Match::Wildcard),
        _ => match number % 5 {
            0 => (format!("com.other.group{group}."), Match::Prefix),
            1 => (format!("com.other.group{group}..created"), Match::Wildcard),
            2 => (uri(group), Match::Exact),
            3 => (format!("com.example.group{group}."), Match::Prefix),
            _ => (format!("com.example.group{group}..created"), Match::Wildcard),
        },
    };
    Pattern::parse(text, matching, Rules::Strict).ok().into_iter()
}

fn uri(group: usize) -> String {
    format!("com.example.group{group}.user.created")
}

/// Nanoseconds of one call.
fn median(mut call: impl FnMut() -> usize) -> u128 {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let (begin, mut calls) = (Instant::now(), 0);
            while begin.elapsed() < ROUND {
                for _ in 0..100 {
                    black_box(call());
                }
                calls += 100;
            }
            begin.elapsed().as_nanos() / calls
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}
