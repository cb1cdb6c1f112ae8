//! Which patterns a topic matches.

use std::hint::black_box;
use std::sync::Arc;

use clank_core::pattern::Trie;
use clank_wire::wamp2::{Match, Pattern, Rules};

use super::{Piece, measure};

pub(crate) const PIECES: &[Piece] = &[
    ("match four of 10 patterns", || match_four(10)),
    ("match four of 1,000 patterns", || match_four(1_000)),
    ("match four of 100,000 patterns", || match_four(100_000)),
];

/// So many patterns, of which four match what is published: one exact, two prefixes and one wildcard.
fn match_four(count: usize) {
    let mut trie = Trie::new();
    let topic = "com.example.group0.user.created";
    let matching = [
        (topic.to_owned(), Match::Exact),
        ("com.example.".to_owned(), Match::Prefix),
        ("com.example.group0.".to_owned(), Match::Prefix),
        ("com.example.group0..created".to_owned(), Match::Wildcard),
    ];
    let others = (1..).map(|group| match group % 3 {
        0 => (format!("com.example.group{group}.user.created"), Match::Exact),
        1 => (format!("com.example.group{group}."), Match::Prefix),
        _ => (format!("com.example.group{group}..created"), Match::Wildcard),
    });
    for (number, (text, matching)) in matching.into_iter().chain(others).take(count).enumerate() {
        let pattern = Pattern::parse(text, matching, Rules::Strict);
        pattern.into_iter().for_each(|pattern| _ = trie.insert(&pattern, Arc::new(number)));
    }
    measure(trie, |trie| assert_eq!(trie.matches(black_box(topic)).count(), 4));
}
