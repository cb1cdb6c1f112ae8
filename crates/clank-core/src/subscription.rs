//! A topic's subscribers, and who of them hears what.

use std::hash::{BuildHasher, Hasher};

use indexmap::IndexMap;
use indexmap::map::Entry;

/// Members for which a topic always keeps its room.
const KEPT: usize = 256;

/// The members of one topic, each with what `M` holds of it, such as its outbound queue.
///
/// Members are named by the integer of their connection. Adding, removing and finding one takes
/// the same time whatever their number. There is no lock in it: whoever shares a subscription
/// locks it, and fills the members' queues under that lock, which is what keeps one publisher's
/// events in order.
///
/// ```
/// use clank_core::subscription::{Audience, Deliver, Subscription};
///
/// struct Heard(Vec<&'static str>);
///
/// impl Deliver<&'static str> for Heard {
///     fn deliver(&mut self, _connection: u64, member: &&'static str) {
///         self.0.push(member);
///     }
/// }
///
/// let mut topic = Subscription::new();
/// topic.add(1, "anne");
/// topic.add(2, "ben");
/// let mut heard = Heard(Vec::new());
/// topic.publish(&Audience::everyone_but(1), &mut heard);
/// assert_eq!(heard.0, ["ben"]);
/// ```
#[derive(Debug, Clone)]
pub struct Subscription<M> {
    members: IndexMap<u64, M, ConnectionHash>,
}

/// Takes what is published, once for each receiver.
///
/// `deliver` runs while the subscription is locked, in a loop over all receivers. It must
/// therefore return at once: put the shared frame into the member's queue and no more. It may not
/// block, make a system call, take a lock that is above an outbound queue's in the order of locks,
/// or come back to the subscription. It can't fail: a member whose queue overflows or is closed is
/// marked, and dealt with by its owner later. Two calls for the same member come in the order of
/// publication, and its queue must keep them so.
pub trait Deliver<M> {
    /// Hands what is published to the member.
    fn deliver(&mut self, connection: u64, member: &M);
}

/// Who of a topic's subscribers hears an event: (subscribers ∩ eligible) − exclude.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Those who don't, whatever else is said.
    pub exclude: Connections,
    /// Those who may; `None` for all.
    pub eligible: Option<Connections>,
}

/// A set of connections.
///
/// Sorted, without duplicates. Sets come from lists of at most some thousand ids, and mostly have
/// no or one element; an empty one allocates nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections(Vec<u64>);

impl<M> Subscription<M> {
    /// Nobody has subscribed.
    pub fn new() -> Self {
        Subscription { members: IndexMap::default() }
    }

    /// Adds a member. False if it already was one, which then stays as it is.
    pub fn add(&mut self, connection: u64, member: M) -> bool {
        match self.members.entry(connection) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(member);
                true
            }
        }
    }

    /// Removes a member and returns what was held of it; `None` if it was no member.
    pub fn remove(&mut self, connection: u64) -> Option<M> {
        let member = self.members.swap_remove(&connection);
        // Few are left of very many: the cost of moving them is spread over the removals before.
        if self.members.capacity() > KEPT && self.members.len() < self.members.capacity() / 8 {
            self.members.shrink_to(2 * self.members.len());
        }
        member
    }

    /// Whether the connection is a member.
    pub fn has(&self, connection: u64) -> bool {
        self.members.contains_key(&connection)
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members with their connections, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = (u64, &M)> {
        self.members.iter().map(|(connection, member)| (*connection, member))
    }

    /// Hands what is published to each member of the audience, once, and says how many they were.
    pub fn publish(&self, audience: &Audience, out: &mut impl Deliver<M>) -> usize {
        match &audience.eligible {
            None => self.publish_to_members(audience, out),
            Some(eligible) if eligible.count() > self.count() => self.publish_to_members(audience, out),
            Some(eligible) => self.publish_to_eligible(eligible, audience, out),
        }
    }

    fn publish_to_members(&self, audience: &Audience, out: &mut impl Deliver<M>) -> usize {
        let mut receivers = 0;
        for (connection, member) in &self.members {
            if audience.has(*connection) {
                out.deliver(*connection, member);
                receivers += 1;
            }
        }
        receivers
    }

    /// The same, walking the shorter of the two: a few eligible among many members.
    fn publish_to_eligible(
        &self,
        eligible: &Connections,
        audience: &Audience,
        out: &mut impl Deliver<M>,
    ) -> usize {
        let mut receivers = 0;
        for connection in eligible.iter().filter(|connection| !audience.exclude.has(*connection)) {
            if let Some(member) = self.members.get(&connection) {
                out.deliver(connection, member);
                receivers += 1;
            }
        }
        receivers
    }
}

impl<M> Default for Subscription<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl Audience {
    /// All subscribers.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// All subscribers except one, who need not be a subscriber.
    pub fn everyone_but(connection: u64) -> Self {
        Audience { exclude: [connection].into_iter().collect(), eligible: None }
    }

    /// Whether the connection hears an event, given that it has subscribed.
    pub fn has(&self, connection: u64) -> bool {
        let eligible = self.eligible.as_ref().is_none_or(|eligible| eligible.has(connection));
        eligible && !self.exclude.has(connection)
    }
}

impl Connections {
    /// Whether the connection is in the set.
    pub fn has(&self, connection: u64) -> bool {
        self.0.binary_search(&connection).is_ok()
    }

    /// How many connections the set has.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The connections, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

impl FromIterator<u64> for Connections {
    fn from_iter<I: IntoIterator<Item = u64>>(connections: I) -> Self {
        let mut connections: Vec<u64> = connections.into_iter().collect();
        connections.sort_unstable();
        connections.dedup();
        Connections(connections)
    }
}

/// Hashes the integer of a connection. The server gives these out in order, so no client can
/// choose them to collide, and one multiplication spreads them well enough.
#[derive(Debug, Clone, Copy, Default)]
struct ConnectionHash;

#[derive(Debug, Clone, Copy)]
struct ConnectionHasher(u64);

impl BuildHasher for ConnectionHash {
    type Hasher = ConnectionHasher;

    fn build_hasher(&self) -> ConnectionHasher {
        ConnectionHasher(0)
    }
}

impl Hasher for ConnectionHasher {
    fn write_u64(&mut self, connection: u64) {
        // 2^64 divided by the golden ratio: Knuth's multiplicative hashing. The table takes its
        // tag from the high bits and its bucket from the low ones, so both need to vary.
        let product = connection.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
