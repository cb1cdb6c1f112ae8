//! Where a worker keeps its connections, and the tokens by which they are found again.

use slab::Slab;

use super::room::KEPT;

/// Names a connection of one worker. A token of a connection that is gone finds nothing, also
/// when its place has been taken by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// The accept socket.
    pub(crate) const LISTENER: mio::Token = mio::Token(usize::MAX);
    /// The mailbox.
    pub(crate) const MAILBOX: mio::Token = mio::Token(usize::MAX - 1);

    /// The probe of the application's threads.
    pub(crate) const PROBE: Self = Self { index: u32::MAX, generation: u32::MAX };

    pub(crate) fn to_mio(self) -> mio::Token {
        mio::Token((self.generation as usize) << 32 | self.index as usize)
    }

    pub(crate) fn from_mio(token: mio::Token) -> Self {
        Self { index: token.0 as u32, generation: (token.0 >> 32) as u32 }
    }
}

/// The connections of one worker.
pub(crate) struct Slots<T> {
    slab: Slab<(u32, T)>,
    generation: u32,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { slab: Slab::new(), generation: 0 }
    }

    /// Puts what `make` makes of its token into a free place.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Token) -> T) -> Token {
        // The highest generations would make tokens of the listener and the mailbox.
        self.generation = (self.generation + 1) % (u32::MAX - 1);
        let entry = self.slab.vacant_entry();
        // A worker has at most as many connections as there are descriptors, which are 32 bits.
        let token = Token { index: entry.key() as u32, generation: self.generation };
        entry.insert((self.generation, make(token)));
        token
    }

    pub(crate) fn find(&mut self, token: Token) -> Option<&mut T> {
        let (generation, value) = self.slab.get_mut(token.index as usize)?;
        (*generation == token.generation).then_some(value)
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        self.find(token)?;
        let (_, value) = self.slab.remove(token.index as usize);
        if self.slab.is_empty() && self.slab.capacity() > KEPT {
            self.slab = Slab::new();
        }
        Some(value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        let token = |(index, (generation, _)): (usize, &(u32, T))| Token {
            index: index as u32,
            generation: *generation,
        };
        self.slab.iter().map(token).collect()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_finds_its_own_connection_and_no_later_one() {
        let mut slots = Slots::new();
        let first = slots.insert(|_| "first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert(|_| "second");
        assert_eq!((first.index, second.index), (0, 0), "the place is used again");
        assert_ne!(first, second);
        assert_eq!(slots.find(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.find(second), Some(&mut "second"));
    }

    #[test]
    fn an_empty_house_is_small_again() {
        let mut slots = Slots::new();
        let tokens: Vec<Token> = (0..10_000).map(|_| slots.insert(|token| token)).collect();
        assert!(tokens.iter().all(|token| slots.remove(*token).is_some()));
        assert!(slots.is_empty() && slots.slab.capacity() <= KEPT);
        let next = slots.insert(|token| token);
        assert!(!tokens.contains(&next), "a token is given once");
    }

    #[test]
    fn tokens_never_meet_those_of_the_listener_and_the_mailbox() {
        let mut slots = Slots::new();
        slots.generation = u32::MAX - 3;
        let tokens: Vec<Token> = (0..4).map(|_| slots.insert(|token| token)).collect();
        assert_eq!(tokens[1].generation, 0, "it begins anew");
        for token in tokens {
            assert_eq!(Token::from_mio(token.to_mio()), token);
            assert!(token.to_mio().0 < Token::MAILBOX.0 && token.to_mio().0 < Token::LISTENER.0);
        }
    }

    proptest! {
        #[test]
        fn slots_are_a_map(steps in prop::collection::vec(prop::option::of(0..20_usize), 0..200)) {
            let mut slots = Slots::new();
            let mut expected = HashMap::new();
            let mut tokens = Vec::new();
            for (step, remove) in steps.into_iter().enumerate() {
                match remove.and_then(|index| tokens.get(index).copied()) {
                    Some(token) => prop_assert_eq!(slots.remove(token), expected.remove(&token)),
                    None => {
                        let token = slots.insert(|_| step);
                        prop_assert_eq!(expected.insert(token, step), None, "a token is given once");
                        tokens.insert(0, token);
                    }
                }
                prop_assert_eq!(slots.tokens().len(), expected.len());
                for token in &tokens {
                    prop_assert_eq!(slots.find(*token).copied(), expected.get(token).copied());
                }
            }
        }
    }
}
