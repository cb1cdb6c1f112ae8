//! Users who come and go all the time, told to a receiver out of order: by the rule of versions it
//! ends with what is true.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;

use clank_core::event::{
    Body, Change, ConnectionFacts, Disconnected, Event, EventKind, Identity, Origin, RequestFacts, Timestamp,
};
use clank_core::id::{ConnectionId, NodeId, RunId};
use clank_core::journal::{Journal, Position};
use clank_journal::log::{Durability, Log, Options};
use clank_journal::source::Source;

const FLAPS: usize = 100_000;
const USERS: usize = 1_000;

/// splitmix64: the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// What a receiver that follows the rule knows of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    version: u64,
    connections: u64,
}

fn connection(log: &Log, user: usize, number: usize) -> Arc<ConnectionFacts> {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Arc::new(ConnectionFacts {
        connection_id: ConnectionId::new(1_700_000_000_000 + number as u64, &random),
        resource_id: log.next_resource_id().unwrap(),
        request: RequestFacts::default(),
        identity: Some(Box::new(Identity::new(format!("user-{user}")))),
        session: None,
        attributes: None,
    })
}

/// Records of users who come and go; returns how many connections each has at the end.
fn flap(log: &Log, origin: &Origin) -> Vec<usize> {
    let mut random = Random(7);
    let mut open: Vec<Vec<Arc<ConnectionFacts>>> = vec![Vec::new(); USERS];
    let (kept, all_kept) = channel();
    for number in 0..FLAPS {
        let user = random.below(USERS);
        let leaves = !open[user].is_empty() && random.below(2) == 0;
        let (facts, sequence, change) = if leaves {
            let which = random.below(open[user].len());
            let end = Disconnected::new(clank_core::cause::Cause::ClientClosed);
            (open[user].swap_remove(which), 2, Change::Disconnected(Box::new(end)))
        } else {
            let facts = connection(log, user, number);
            open[user].push(Arc::clone(&facts));
            (facts, 1, Change::Connected)
        };
        let body = Body::Client { connection: facts, sequence, change };
        let event = Event::new(Timestamp::from_unix_micros(number as u64), origin.clone(), body);
        let kept = kept.clone();
        log.append(event, Box::new(move |outcome| kept.send(outcome.unwrap()).unwrap()));
        if number % 1_000 == 999 {
            (0..1_000).for_each(|_| _ = all_kept.recv().unwrap());
        }
    }
    open.iter().map(Vec::len).collect()
}

/// All that was told of connections, in the order of the log.
fn told(log: &Log) -> Vec<Event> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let entries = log.read(after, 1 << 20).unwrap();
        let Some(last) = entries.last() else { return all };
        after = last.position;
        let of_clients = entries
            .iter()
            .filter(|entry| matches!(entry.kind, EventKind::Connected | EventKind::Disconnected));
        all.extend(of_clients.map(|entry| serde_json::from_slice::<Event>(&entry.json).unwrap()));
    }
}

/// An order that is legal where nothing but the order within a connection is kept: each event may
/// come much later than those of other connections, and some come twice.
fn shuffled(events: Vec<Event>) -> Vec<Event> {
    let mut random = Random(11);
    let mut queues: HashMap<ConnectionId, Vec<Event>> = HashMap::new();
    let mut turns = Vec::new();
    for event in events {
        let id = event.connection().unwrap().connection_id;
        queues.entry(id).or_default().insert(0, event);
        turns.push(id);
    }
    for at in (1..turns.len()).rev() {
        turns.swap(at, random.below(at + 1));
    }
    let mut order = Vec::new();
    for id in turns {
        let event = queues.get_mut(&id).unwrap().pop().unwrap();
        if random.below(10) == 0 {
            order.push(event.clone());
        }
        order.push(event);
    }
    order
}

#[test]
fn a_receiver_that_follows_the_versions_ends_with_what_is_true() {
    let directory =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("flaps-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&directory);
    let log =
        Log::open(&directory, Options { durability: Durability::Memory, ..Options::default() }).unwrap();
    let origin = Origin { node: NodeId::default(), run: RunId::new(1, &[1; 10]) };
    log.begin(&origin, Timestamp::from_unix_micros(1)).unwrap();
    let truth = flap(&log, &origin);

    let mut known: HashMap<String, Known> = HashMap::new();
    let mut stale = 0;
    for event in shuffled(told(&log)) {
        let (user, presence) = (event.identity().unwrap().id.to_string(), event.presence.unwrap());
        let known = known.entry(user).or_default();
        if presence.version > known.version {
            *known = Known { version: presence.version, connections: presence.connections };
        } else {
            stale += 1;
        }
    }
    assert!(stale > FLAPS / 2, "the order was hardly shuffled: {stale}");
    for (user, connections) in truth.iter().enumerate() {
        let found = known.get(&format!("user-{user}")).map_or(0, |known| known.connections);
        assert_eq!(found, *connections as u64, "user {user}");
    }
    drop(log);
    std::fs::remove_dir_all(&directory).unwrap();
}
