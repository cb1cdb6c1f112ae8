//! The settled view of users: who has come, and who is gone for good.
//!
//! A user without a connection counts as online for the grace period. The two records alternate for
//! each user, also across restarts: the view itself is read from the log.

use std::collections::VecDeque;
use std::time::Duration;

use clank_core::event::{Body, ConnectionFacts, Event, Origin, Timestamp, User};

use super::batch::Undo;
use super::ledger::{Leaving, Online, People};
use super::staging::Staging;

/// What is done when users come and go.
#[derive(Debug)]
pub(crate) struct Settled {
    /// How long a user without a connection counts as online; `None` if nobody wants to know.
    grace: Option<Duration>,
    /// Users without a connection, in the order in which their time ends. Who has come back
    /// meanwhile is still here, and passed over.
    leaving: VecDeque<(Duration, Box<str>)>,
}

impl Settled {
    pub(crate) fn new(grace: Option<Duration>) -> Self {
        Self { grace, leaving: VecDeque::new() }
    }

    /// When somebody may count as gone.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.leaving.front().map(|(at, _)| *at)
    }

    /// A connection has opened. Returns with whom the user was about to leave, and what is to be
    /// recorded if the user was not there.
    pub(crate) fn arrive(&mut self, people: &mut People, record: &Event) -> (Option<Leaving>, Option<Event>) {
        let (Some(_), Some(facts)) = (self.grace, record.connection()) else { return (None, None) };
        let Some(identity) = facts.identity.as_deref() else { return (None, None) };
        match people.person(&identity.id).map(|person| &mut person.online) {
            Some(Some(online)) => (online.leaving.take(), None),
            _ => {
                let user =
                    User { identity: identity.clone(), connection_id: facts.connection_id, online: true };
                let body = Body::User(Box::new(user));
                (None, Some(Event::new(record.time, record.origin.clone(), body)))
            }
        }
    }

    /// A connection has ended.
    pub(crate) fn leave(&mut self, people: &mut People, facts: &ConnectionFacts, now: Duration) {
        let (Some(grace), Some(identity)) = (self.grace, facts.identity.as_deref()) else { return };
        let Some(person) = people.person(&identity.id) else { return };
        let (0, Some(online)) = (person.connections, &mut person.online) else { return };
        let user = User { identity: identity.clone(), connection_id: facts.connection_id, online: false };
        let at = now + grace;
        online.leaving = Some(Leaving { at, user: Box::new(user) });
        self.leaving.push_back((at, identity.id.clone()));
    }

    /// A record says that a user has come or is gone.
    pub(crate) fn record(&mut self, people: &mut People, record: &Event, home: u64) {
        if let Body::User(user) = &record.body
            && user.online
        {
            let online = Online { connection: user.connection_id, home, leaving: None };
            people.set_online(&user.identity.id, online);
        }
    }

    /// Gives everybody without a connection a new grace period, which begins `now`.
    fn restart(&mut self, people: &mut People, now: Duration) {
        self.leaving.clear();
        let Some(grace) = self.grace else { return };
        for (id, person) in people.iter() {
            if let Some(leaving) = person.online.as_mut().and_then(|online| online.leaving.as_mut()) {
                leaving.at = now + grace;
                self.leaving.push_back((leaving.at, id.into()));
            }
        }
    }

    /// Takes somebody whose time is over: what is to be recorded, and what was known.
    fn take_gone(&mut self, people: &mut People, now: Duration) -> Option<(Box<User>, Online)> {
        while let Some((at, id)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            let online = people.person(&id).and_then(|person| person.online.as_ref());
            let user = online.and_then(|online| online.leaving.as_ref()).filter(|leaving| leaving.at == at);
            if let Some(user) = user.map(|leaving| leaving.user.clone())
                && let Some(online) = people.set_offline(&id)
            {
                return Some((user, online));
            }
        }
        None
    }

    /// A connection did not open after all.
    pub(crate) fn take_back_arrival(&mut self, people: &mut People, record: &Event, stayed: Option<Leaving>) {
        let online = record.identity().and_then(|identity| people.person(&identity.id)?.online.as_mut());
        if let (Some(online), Some(stayed)) = (online, stayed) {
            self.leaving.push_front((stayed.at, stayed.user.identity.id.clone()));
            online.leaving = Some(stayed);
        }
    }

    /// A connection did not end yet.
    pub(crate) fn take_back_departure(&mut self, people: &mut People, record: &Event) {
        let online = record.identity().and_then(|identity| people.person(&identity.id)?.online.as_mut());
        if let Some(online) = online {
            online.leaving = None;
        }
    }

    /// A user did not come.
    pub(crate) fn take_back_online(&mut self, people: &mut People, record: &Event) {
        record.identity().and_then(|identity| people.set_offline(&identity.id));
    }

    /// A user is not gone.
    pub(crate) fn take_back_offline(&mut self, people: &mut People, record: &Event, online: Online) {
        let Some(identity) = record.identity() else { return };
        if let Some(leaving) = &online.leaving {
            self.leaving.push_front((leaving.at, identity.id.clone()));
        }
        people.set_online(&identity.id, online);
    }
}

impl Staging {
    /// Begins all grace periods again.
    pub(crate) fn restart_settled(&mut self, now: Duration) {
        self.settled.restart(&mut self.ledger.people, now);
    }

    /// Stages that users are gone whose time is over, until the batch has `most` records.
    pub(crate) fn stage_gone(&mut self, origin: &Origin, time: Timestamp, now: Duration, most: usize) {
        while !self.is_full(most) {
            let Some((user, online)) = self.settled.take_gone(&mut self.ledger.people, now) else { return };
            let record = Event::new(time, origin.clone(), Body::User(user));
            self.stage_user(record, Undo::WentOffline(online));
        }
    }
}
