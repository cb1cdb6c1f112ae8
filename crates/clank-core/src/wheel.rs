//! One timer wheel for the deadlines of every connection.
//!
//! Deadlines are kept in ticks, whose length the owner chooses. The wheel is
//! hierarchical (Varghese and Lauck, 1987, scheme 7): a level has 64 slots, and
//! a slot of level *n* spans 64^*n* ticks. Inserting takes constant time, and an
//! entry moves down at most once a level before it fires.
//!
//! An entry can't be cancelled. Its owner keeps the true deadline beside the
//! connection, looks at it when the entry fires, and inserts the entry again if
//! the deadline has moved: a connection that is heard from costs the wheel
//! nothing.

/// Bits of a deadline that pick a slot within a level.
const SLOT_BITS: u32 = 6;
/// Slots of a level; a level's occupancy is one `u64`.
const SLOTS: usize = 1 << SLOT_BITS;
/// Levels that together span all of `u64`.
const LEVELS: usize = u64::BITS.div_ceil(SLOT_BITS) as usize;

/// Deadlines in ticks, each with a `T` that is handed out when it has passed.
///
/// ```
/// use clank_core::wheel::Wheel;
/// let mut wheel = Wheel::new(0);
/// wheel.insert(30, "ping");
/// wheel.insert(10, "handshake");
/// let mut fired = Vec::new();
/// wheel.advance(29, &mut |name| fired.push(name));
/// assert_eq!(fired, ["handshake"]);
/// ```
#[derive(Debug)]
pub struct Wheel<T> {
    now: u64,
    len: usize,
    /// Entries whose deadline had passed when they were inserted.
    due: Vec<T>,
    levels: Vec<Level<T>>,
}

#[derive(Debug)]
struct Level<T> {
    /// Bit *n* is set if slot *n* has an entry.
    occupied: u64,
    slots: [Vec<Entry<T>>; SLOTS],
}

#[derive(Debug)]
struct Entry<T> {
    deadline: u64,
    value: T,
}

impl<T> Wheel<T> {
    /// An empty wheel that stands at tick `now`.
    pub const fn new(now: u64) -> Self {
        Self { now, len: 0, due: Vec::new(), levels: Vec::new() }
    }

    /// How many entries wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no entry waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tick that the wheel stands at.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Adds an entry that fires when the wheel reaches `deadline`, or at its
    /// next advance if it stands there already.
    pub fn insert(&mut self, deadline: u64, value: T) {
        self.len += 1;
        if deadline <= self.now {
            self.due.push(value);
        } else {
            self.place(Entry { deadline, value });
        }
    }

    /// Moves to tick `now` and hands out every entry whose deadline it reaches.
    ///
    /// What was late when it was inserted fires first; then deadlines fire in
    /// order, those of one tick in none. A `now` that lies before the wheel's
    /// moves nothing.
    pub fn advance(&mut self, now: u64, fire: &mut impl FnMut(T)) {
        for value in std::mem::take(&mut self.due) {
            self.len -= 1;
            fire(value);
        }
        while let Some((level, slot, start)) = self.first_slot() {
            if start > now {
                break;
            }
            // Taking the vector gives its memory back: after a storm of deadlines the wheel is small again.
            let entries = self.levels[level].take(slot);
            self.now = start;
            for entry in entries {
                if entry.deadline <= start {
                    self.len -= 1;
                    fire(entry.value);
                } else {
                    self.place(entry);
                }
            }
        }
        self.now = self.now.max(now);
    }

    /// Forgets the entries that `keep` refuses, and gives back the memory that they took.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.due.retain(&mut keep);
        self.due.shrink_to_fit();
        self.len = self.due.len();
        for level in &mut self.levels {
            self.len += level.retain(&mut keep);
        }
    }

    /// A tick to advance to: the earliest deadline, or one before it at which
    /// entries have to move down. `None` if no entry waits.
    ///
    /// Sleeping until this tick and advancing, again and again, misses no
    /// deadline and wakes at most once a level for an entry.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.due.is_empty() { self.first_slot().map(|(_, _, start)| start) } else { Some(self.now) }
    }

    /// Level, index and first tick of the earliest slot that has an entry.
    ///
    /// The lowest occupied level has it: an entry lies on the level of the
    /// highest digit in which its deadline differs from `now`, so that all of a
    /// level come before all of the next. For the same reason no occupied slot
    /// lies at or before the position of `now`.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let (level, occupied) = self
            .levels
            .iter()
            .map(|level| level.occupied)
            .enumerate()
            .find(|&(_, occupied)| occupied != 0)?;
        let slot = occupied.trailing_zeros() as usize;
        let shift = SLOT_BITS * level as u32;
        let above =
            self.now.checked_shr(shift + SLOT_BITS).unwrap_or(0).checked_shl(shift + SLOT_BITS).unwrap_or(0);
        Some((level, slot, above | (slot as u64) << shift))
    }

    /// Puts an entry whose deadline lies ahead into its slot.
    fn place(&mut self, entry: Entry<T>) {
        let highest_bit = (entry.deadline ^ self.now).checked_ilog2().unwrap_or(0);
        let level = (highest_bit / SLOT_BITS) as usize;
        let slot = (entry.deadline >> (SLOT_BITS * level as u32)) as usize % SLOTS;
        while self.levels.len() <= level {
            self.levels.push(Level { occupied: 0, slots: std::array::from_fn(|_| Vec::new()) });
        }
        self.levels[level].put(slot, entry);
    }
}

impl<T> Level<T> {
    fn put(&mut self, slot: usize, entry: Entry<T>) {
        self.occupied |= 1 << slot;
        self.slots[slot].push(entry);
    }

    fn take(&mut self, slot: usize) -> Vec<Entry<T>> {
        self.occupied &= !(1 << slot);
        std::mem::take(&mut self.slots[slot])
    }

    /// Returns how many entries are left.
    fn retain(&mut self, keep: &mut impl FnMut(&T) -> bool) -> usize {
        let mut left = 0;
        for (slot, entries) in self.slots.iter_mut().enumerate() {
            entries.retain(|entry| keep(&entry.value));
            entries.shrink_to_fit();
            left += entries.len();
            if entries.is_empty() {
                self.occupied &= !(1 << slot);
            }
        }
        left
    }
}

const _: () = assert!(LEVELS == 11, "a shift by the last level's bits stays below 64");

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    fn fired<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
        let mut fired = Vec::new();
        wheel.advance(now, &mut |value| fired.push(value));
        fired
    }

    /// Entries that there is memory for.
    fn held<T>(wheel: &Wheel<T>) -> usize {
        let slots = wheel.levels.iter().flat_map(|level| &level.slots);
        slots.map(Vec::capacity).sum::<usize>() + wheel.due.capacity()
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry<(u32, u32)>>(), 16);
    }

    #[test]
    fn a_passed_deadline_fires_at_the_next_advance() {
        let mut wheel = Wheel::new(100);
        wheel.insert(99, 'a');
        wheel.insert(100, 'b');
        assert_eq!(wheel.next_deadline(), Some(100));
        assert_eq!(fired(&mut wheel, 50), ['a', 'b']);
        assert_eq!(wheel.now(), 100);
        assert!(wheel.is_empty());
    }

    #[test]
    fn the_whole_range_of_ticks_is_held() {
        let mut wheel = Wheel::new(0);
        wheel.insert(u64::MAX, 'z');
        wheel.insert(1 << 40, 'b');
        assert_eq!(fired(&mut wheel, (1 << 40) - 1), []);
        assert_eq!(fired(&mut wheel, 1 << 40), ['b']);
        assert_eq!(fired(&mut wheel, u64::MAX), ['z']);
        assert_eq!(wheel.next_deadline(), None);
    }

    #[test]
    fn a_drained_wheel_holds_no_memory_for_entries() {
        let mut wheel = Wheel::new(0);
        for n in 0..10_000 {
            wheel.insert(n, n);
        }
        assert_eq!(fired(&mut wheel, 10_000).len(), 10_000);
        assert!(wheel.is_empty());
        assert_eq!(held(&wheel), 0);
    }

    #[test]
    fn what_is_forgotten_holds_no_memory() {
        let mut wheel = Wheel::new(5);
        for n in 0..10_000 {
            wheel.insert(n * n, n);
        }
        wheel.retain(|n| *n == 77);
        assert_eq!((wheel.len(), held(&wheel)), (1, 1));
        assert_eq!(fired(&mut wheel, 77 * 77), [77]);
        assert_eq!(wheel.next_deadline(), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Advance(u64),
        Sleep,
        /// Every so many entries stay.
        Retain(usize),
    }

    /// Distances of every magnitude, so that every level comes up.
    fn distance() -> impl Strategy<Value = u64> {
        (0u32..64, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => distance().prop_map(Step::Insert),
            1 => distance().prop_map(Step::Advance),
            2 => Just(Step::Sleep),
            1 => (1..5_usize).prop_map(Step::Retain),
        ]
    }

    proptest! {
        #[test]
        fn it_fires_what_a_heap_would(start in distance(), steps in prop::collection::vec(step(), 0..200)) {
            let mut wheel = Wheel::new(start);
            let mut heap = BinaryHeap::new();
            let mut now = start;
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(distance) => {
                        let deadline = now.saturating_add(distance);
                        wheel.insert(deadline, (deadline, n));
                        heap.push(Reverse((deadline, n)));
                        continue;
                    }
                    Step::Advance(distance) => now = now.saturating_add(distance),
                    Step::Sleep => now = wheel.next_deadline().unwrap_or(now),
                    Step::Retain(every) => {
                        wheel.retain(|(_, n)| n % every == 0);
                        heap.retain(|Reverse((_, n))| n % every == 0);
                    }
                }
                let fired = fired(&mut wheel, now);
                prop_assert!(fired.is_sorted_by_key(|&(deadline, _)| deadline));
                let mut expected = Vec::new();
                while heap.peek().is_some_and(|&Reverse((deadline, _))| deadline <= now) {
                    expected.extend(heap.pop().map(|Reverse(entry)| entry));
                }
                let mut sorted = fired;
                sorted.sort_unstable();
                prop_assert_eq!(sorted, expected);
                prop_assert_eq!(wheel.len(), heap.len());
                let earliest = heap.peek().map(|&Reverse((deadline, _))| deadline);
                prop_assert_eq!(wheel.next_deadline().is_none(), earliest.is_none());
                prop_assert!(wheel.next_deadline() <= earliest);
                prop_assert!(wheel.next_deadline().is_none_or(|next| next > now));
            }
            // sleeping from deadline to deadline ends, and empties the wheel
            let most = wheel.len() * LEVELS;
            for _ in 0..most {
                let Some(next) = wheel.next_deadline() else { break };
                wheel.advance(next, &mut |_| ());
            }
            prop_assert!(wheel.is_empty());
        }
    }
}
