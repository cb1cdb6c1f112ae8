//! Patterns of URIs, and which of them a URI matches, however many there are.
//!
//! A [`Trie`] holds a value for each pattern of WAMP v2: exact, prefix or wildcard. A prefix is one
//! of characters, as the specification's examples have it: `com.myapp.topic.emergency` is for
//! `com.myapp.topic.emergency-low` too. An empty component of a wildcard stands for exactly one.
//!
//! It is an immutable tree: [`Trie::clone`] copies no more than a few pointers, and a change to one
//! of two clones copies the nodes on the way to what is changed. So a writer keeps one, changes it
//! and hands out clones, and readers walk theirs without a lock. Where nobody shares it, a change is
//! made in place.
//!
//! ```
//! use clank_core::pattern::Trie;
//! use clank_wire::wamp2::{Match, Pattern, Rules};
//!
//! let mut trie = Trie::new();
//! for (text, matching) in [("a.b", Match::Exact), ("a.", Match::Prefix), (".b", Match::Wildcard)] {
//!     trie.insert(&Pattern::parse(text, matching, Rules::Strict)?, text);
//! }
//! let before = trie.clone();
//! assert_eq!(trie.remove(&Pattern::parse("a.b", Match::Exact, Rules::Strict)?), Some("a.b"));
//! assert_eq!(trie.matches("a.b").collect::<Vec<_>>(), [&"a.", &".b"]);
//! assert_eq!(before.best("a.b"), Some(&"a.b"));
//! # Ok::<(), clank_wire::wamp2::InvalidUri>(())
//! ```

mod radix;
mod relation;
mod wildcards;

pub use relation::{covers, overlap};

use std::fmt;

use clank_wire::wamp2::{Match, Pattern};

use radix::{Prefixes, Radix};
use wildcards::Wildcards;

/// A value for each pattern; cheap to clone.
///
/// Looking up what matches a URI costs as much as the URI is long, and what matches; of wildcards
/// also those that are like the URI in their first components. How many patterns there are beside
/// that makes no difference.
pub struct Trie<T> {
    exact: Radix<T>,
    prefixes: Radix<T>,
    wildcards: Radix<T>,
}

impl<T> Trie<T> {
    /// No patterns.
    pub fn new() -> Self {
        Trie { exact: Radix::new(), prefixes: Radix::new(), wildcards: Radix::new() }
    }

    /// How many patterns there are.
    pub fn count(&self) -> usize {
        self.exact.count() + self.prefixes.count() + self.wildcards.count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// What is held for the pattern itself.
    pub fn value(&self, pattern: &Pattern<'_>) -> Option<&T> {
        self.of(pattern.matching()).value(pattern.as_str().as_bytes())
    }

    /// All values, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.prefixes.values()).chain(self.wildcards.values())
    }

    /// What is held for the patterns that match a URI: of the exact one, of the prefixes from the
    /// shortest to the longest, and of the wildcards, the most specific first.
    ///
    /// Of two wildcards the one is more specific that has a component where the other's first
    /// difference is an empty one.
    pub fn matches<'t, 'u>(&'t self, uri: &'u str) -> Matches<'t, 'u, T> {
        Matches {
            exact: self.exact.value(uri.as_bytes()),
            prefixes: self.prefixes.prefixes_of(uri.as_bytes()),
            wildcards: Wildcards::new(self.wildcards.root(), uri),
        }
    }

    /// What is held for the one pattern that a call is routed by: the exact one, else the longest
    /// prefix, else the most specific wildcard (specification: "Calls matching multiple
    /// registrations").
    pub fn best(&self, uri: &str) -> Option<&T> {
        let Matches { exact, prefixes, mut wildcards } = self.matches(uri);
        exact.or_else(|| prefixes.last()).or_else(|| wildcards.next())
    }

    fn of(&self, matching: Match) -> &Radix<T> {
        match matching {
            Match::Exact => &self.exact,
            Match::Prefix => &self.prefixes,
            Match::Wildcard => &self.wildcards,
        }
    }

    fn of_mut(&mut self, matching: Match) -> &mut Radix<T> {
        match matching {
            Match::Exact => &mut self.exact,
            Match::Prefix => &mut self.prefixes,
            Match::Wildcard => &mut self.wildcards,
        }
    }
}

impl<T: Clone> Trie<T> {
    /// Holds a value for the pattern, and returns what was held for it before.
    ///
    /// Values are cloned with the nodes that they are on: an [`Arc`](std::sync::Arc) suits.
    pub fn insert(&mut self, pattern: &Pattern<'_>, value: T) -> Option<T> {
        self.of_mut(pattern.matching()).insert(pattern.as_str().as_bytes(), value)
    }

    /// Forgets the pattern, and returns what was held for it.
    pub fn remove(&mut self, pattern: &Pattern<'_>) -> Option<T> {
        self.of_mut(pattern.matching()).remove(pattern.as_str().as_bytes())
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Trie<T> {
    /// The same patterns, of which both may then change without the other.
    fn clone(&self) -> Self {
        Trie { exact: self.exact.clone(), prefixes: self.prefixes.clone(), wildcards: self.wildcards.clone() }
    }
}

impl<T> fmt::Debug for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie").field("patterns", &self.count()).finish_non_exhaustive()
    }
}

/// Walks the values of the patterns that match a URI; see [`Trie::matches`].
pub struct Matches<'t, 'u, T> {
    exact: Option<&'t T>,
    prefixes: Prefixes<'t, 'u, T>,
    wildcards: Wildcards<'t, 'u, T>,
}

impl<'t, T> Iterator for Matches<'t, '_, T> {
    type Item = &'t T;

    fn next(&mut self) -> Option<&'t T> {
        self.exact.take().or_else(|| self.prefixes.next()).or_else(|| self.wildcards.next())
    }
}
