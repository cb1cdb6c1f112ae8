//! Tables that give back the room that they no longer need.
//!
//! A table grows with the clients that come, and the standard library's never shrink by themselves.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

/// Entries for which a table always keeps its room: clients that come and go by the hundred shall
/// not make it shrink and grow.
pub(crate) const KEPT: usize = 1_024;
/// A table shrinks when fewer than one place in so many is taken, to twice what is in it.
const SPARSE: usize = 8;

/// Shrinks `map` if it is far larger than it needs to be. Called after each removal: it looks at
/// two numbers, and what moving the entries costs is spread over the many removals before.
pub(crate) fn shrink_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if map.capacity() > 2 * KEPT && map.len() < map.capacity() / SPARSE {
        map.shrink_to((2 * map.len()).max(KEPT));
    }
}

/// Gives up the room of a queue in which nothing waits.
pub(crate) fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT {
        *queue = VecDeque::new();
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn a_map_shrinks_with_what_is_in_it() {
        let mut map: HashMap<usize, usize> = (0..100_000).map(|n| (n, n)).collect();
        for n in 0..100_000 {
            map.remove(&n);
            shrink_map(&mut map);
            // The map itself rounds up to a power of two.
            assert!(map.capacity() <= (2 * SPARSE * map.len()).max(4 * KEPT), "{n}");
        }
    }

    #[test]
    fn a_small_map_stays_as_it_is() {
        let mut map: HashMap<usize, usize> = (0..KEPT).map(|n| (n, n)).collect();
        let before = map.capacity();
        map.clear();
        shrink_map(&mut map);
        assert_eq!(map.capacity(), before);
    }

    #[test]
    fn a_queue_keeps_its_room_while_something_waits() {
        let mut queue: VecDeque<usize> = (0..=2 * KEPT).collect();
        queue.truncate(1);
        shrink_queue(&mut queue);
        assert!(queue.capacity() > KEPT);
        queue.clear();
        shrink_queue(&mut queue);
        assert_eq!(queue.capacity(), 0);
    }
}
