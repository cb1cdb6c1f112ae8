//! The connections that are open, and whose they are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clank_core::event::{Body, Change, Presence, User};
use clank_core::event::{ConnectionFacts, Event, Identity, Origin, Timestamp};
use clank_core::id::ConnectionId;

/// Bytes that a connection's `disconnected` may have beyond its `connected`. Its reason is short: 123
/// bytes at most where it comes from a close frame, and words of ours elsewhere.
const END_BEYOND_OPEN: u64 = 1_024;

/// All open connections: what the records of their ends need, which is kept small, for there may be
/// very many.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    rows: HashMap<ConnectionId, Row>,
    /// The runs that hold connections.
    runs: Vec<Origin>,
    pub(crate) people: People,
    /// Bytes that the ends of all connections may need.
    reserved: u64,
    /// Bytes of the records with which they opened.
    bytes: u64,
}

/// An open connection.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) facts: Arc<ConnectionFacts>,
    pub(crate) opened: Timestamp,
    /// Where its `connected` is, or was.
    pub(crate) position: u64,
    /// The last sequence of its records.
    pub(crate) sequence: u64,
    /// The segment that holds the row.
    pub(crate) home: u64,
    /// How many connections the same user had when it opened.
    pub(crate) connections: u32,
    /// The run that holds it, as a place in the ledger's list.
    pub(crate) run: u32,
    /// Bytes of its `connected`.
    pub(crate) length: u32,
    /// Whether its end waits until there is room for it.
    pub(crate) is_closing: bool,
}

impl Row {
    /// Bytes that its end may need. Where there is an identity, two records more may come of it: that
    /// the user is there, and is gone.
    pub(crate) fn reserved(&self) -> u64 {
        let one = u64::from(self.length) + END_BEYOND_OPEN;
        if self.facts.identity.is_some() { 3 * one } else { one }
    }
}

impl Ledger {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes that the ends of all connections may need.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Bytes of the records with which all connections opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn row(&mut self, id: ConnectionId) -> Option<&mut Row> {
        self.rows.get_mut(&id)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub(crate) fn insert(&mut self, row: Row) {
        self.reserved += row.reserved();
        self.bytes += u64::from(row.length);
        if let Some(identity) = &row.facts.identity {
            self.people.arrive(identity);
        }
        let before = self.rows.insert(row.facts.connection_id, row);
        debug_assert!(before.is_none(), "a connection opened twice");
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        self.reserved -= row.reserved();
        self.bytes -= u64::from(row.length);
        if let Some(identity) = &row.facts.identity {
            self.people.leave(identity);
        }
        Some(row)
    }

    /// The place of a run in the ledger's list.
    pub(crate) fn run(&mut self, origin: &Origin) -> u32 {
        let known = self.runs.iter().position(|run| run == origin);
        let place = known.unwrap_or_else(|| {
            self.runs.push(origin.clone());
            self.runs.len() - 1
        });
        // there are as many as have ended with connections open, and each start sweeps
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The run at this place in the ledger's list.
    pub(crate) fn origin(&self, run: u32) -> Option<&Origin> {
        self.runs.get(usize::try_from(run).ok()?)
    }

    /// A connection's `connected`, as it was recorded.
    pub(crate) fn connected(&self, row: &Row) -> Option<Event> {
        let presence = row
            .facts
            .identity
            .is_some()
            .then_some(Presence { version: row.position, connections: row.connections.into() });
        Some(Event {
            time: row.opened,
            origin: self.origin(row.run)?.clone(),
            presence,
            body: Body::Client { connection: Arc::clone(&row.facts), sequence: 1, change: Change::Connected },
        })
    }
}

/// The users who have connections, or had them a moment ago.
#[derive(Debug, Default)]
pub(crate) struct People {
    people: HashMap<Box<str>, Person>,
}

/// A user.
#[derive(Debug, Default)]
pub(crate) struct Person {
    /// How many connections are open.
    pub(crate) connections: u32,
    /// The settled view, if it is that the user is online.
    pub(crate) online: Option<Online>,
}

/// A user is online, and the last record about that said so.
#[derive(Debug)]
pub(crate) struct Online {
    /// The connection with which the user came.
    pub(crate) connection: ConnectionId,
    /// The segment that holds that record, or its copy.
    pub(crate) home: u64,
    /// Set while there is no connection.
    pub(crate) leaving: Option<Leaving>,
}

/// A user whose last connection has gone.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// When the user counts as gone.
    pub(crate) at: Duration,
    /// What is to be recorded then.
    pub(crate) user: Box<User>,
}

impl People {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.people.len()
    }

    pub(crate) fn person(&mut self, id: &str) -> Option<&mut Person> {
        self.people.get_mut(id)
    }

    pub(crate) fn iter(&mut self) -> impl Iterator<Item = (&str, &mut Person)> {
        self.people.iter_mut().map(|(id, person)| (&**id, person))
    }

    /// How many connections of a user are open.
    pub(crate) fn connections(&self, identity: &Identity) -> u32 {
        self.people.get(&identity.id).map_or(0, |person| person.connections)
    }

    fn arrive(&mut self, identity: &Identity) {
        match self.people.get_mut(&identity.id) {
            Some(person) => person.connections += 1,
            None => {
                self.people.insert(identity.id.clone(), Person { connections: 1, online: None });
            }
        }
    }

    fn leave(&mut self, identity: &Identity) {
        if let Some(person) = self.people.get_mut(&identity.id) {
            person.connections -= 1;
            self.forget(&identity.id);
        }
    }

    /// Records in the settled view that a user is online.
    pub(crate) fn set_online(&mut self, id: &str, online: Online) {
        match self.people.get_mut(id) {
            Some(person) => person.online = Some(online),
            None => {
                self.people.insert(id.into(), Person { connections: 0, online: Some(online) });
            }
        }
    }

    /// Records in the settled view that a user is gone; returns what was known.
    pub(crate) fn set_offline(&mut self, id: &str) -> Option<Online> {
        let online = self.people.get_mut(id)?.online.take();
        self.forget(id);
        online
    }

    /// Forgets a user of whom nothing is known.
    fn forget(&mut self, id: &str) {
        if self.people.get(id).is_some_and(|person| person.connections == 0 && person.online.is_none()) {
            self.people.remove(id);
        }
    }
}
