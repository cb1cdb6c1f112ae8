//! Where a worker keeps its connections, and the tokens by which they are found again.

use slab::Slab;

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
        Some(self.slab.remove(token.index as usize).1)
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        let token = |(index, (generation, _)): (usize, &(u32, T))| Token {
            index: index as u32,
            generation: *generation,
        };
        self.slab.iter().map(token).collect()
    }
}
