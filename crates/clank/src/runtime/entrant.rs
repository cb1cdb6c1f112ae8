//! A client whose handshake is accepted: a connection, or one that has still to join a realm.

use std::sync::Arc;
use std::time::SystemTime;

use clank_core::event::{
    Body, Change, ConnectionFacts, Event as Record, Identity, RequestFacts, SessionFacts, Timestamp,
    Transport,
};
use clank_core::wamp1::SessionId;
use clank_wire::ws::deflate::Agreement;
use serde_json::{Map, Value};

use super::admitted::Admitted;
use super::door::{Why, reject_accepted, tell_rejection};
use super::engine::{Engine, Names};
use super::form::{Form, Framed};
use super::peer::Features;
use super::realm::Realm;

/// What was agreed on in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Wamp1,
    Wamp2(Framed),
    /// No subprotocol.
    Raw,
}

/// The subprotocol of WAMP v1.
pub(crate) const WAMP1: &str = "wamp";

impl Speaks {
    /// The name of its subprotocol. What RawSocket frames is called as what a WebSocket would carry.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Wamp1 => Some(WAMP1),
            Self::Wamp2(framed) => Some(framed.codec().subprotocol()),
            Self::Raw => None,
        }
    }

    /// In which form it gets its messages.
    pub(super) fn form(self) -> Form {
        match self {
            Self::Wamp1 | Self::Raw => Form::Wamp1,
            Self::Wamp2(framed) => Form::Wamp2(framed),
        }
    }

    /// What carries its messages.
    pub(super) fn transport(self) -> Transport {
        self.form().transport()
    }
}

/// A connection that may be opened: its handshake was answered with 101, and where it speaks WAMP v2
/// it has joined a realm.
pub(crate) struct Accepted {
    pub session_id: SessionId,
    pub facts: Arc<ConnectionFacts>,
    /// When it was let in.
    pub time: Timestamp,
    /// The journal has its `connected`.
    pub recorded: bool,
    pub speaks: Speaks,
    pub realm: Arc<Realm>,
    pub features: Features,
    pub deflate: Option<Agreement>,
    /// Its place; kept until the last listener has heard of the end.
    pub place: Admitted,
}

impl Accepted {
    /// The record of its opening.
    pub(super) fn connected(&self, engine: &Engine) -> Record {
        let body =
            Body::Client { connection: Arc::clone(&self.facts), sequence: 1, change: Change::Connected };
        Record::new(self.time, engine.origin.clone(), body)
    }
}

/// A client whose handshake is accepted.
pub(crate) enum Entrant {
    /// It is connected.
    Accepted(Accepted),
    /// It speaks WAMP v2, and is connected when it has joined a realm.
    Candidate(Box<Candidate>),
}

/// A client that may join a realm.
pub(crate) struct Candidate {
    /// The names that the connection will have. `None`: it has had a session before, and the next
    /// one has others.
    pub names: Option<Names>,
    pub framed: Framed,
    pub request: RequestFacts,
    pub identity: Option<Box<Identity>>,
    pub attributes: Option<Box<Map<String, Value>>>,
    pub deflate: Option<Agreement>,
    pub place: Admitted,
}

impl Entrant {
    /// A number by which they are spread over the workers.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Accepted(accepted) => accepted.facts.resource_id.value(),
            Self::Candidate(candidate) => candidate.names.map_or(0, |names| names.resource_id.value()),
        }
    }

    /// Tells the listeners that it came to nothing.
    pub(crate) fn reject(self, engine: &Arc<Engine>, why: Why<'_>) {
        match self {
            Self::Accepted(accepted) => reject_accepted(engine, accepted, why),
            Self::Candidate(candidate) => candidate.reject(engine, why),
        }
    }
}

impl Candidate {
    /// One that has left its session, and may begin another.
    pub(crate) fn again(
        framed: Framed,
        facts: &ConnectionFacts,
        deflate: Option<Agreement>,
        place: Admitted,
    ) -> Self {
        Self {
            names: None,
            framed,
            request: facts.request.clone(),
            // What the session has proved ends with it.
            identity: facts.session.as_ref().and_then(|session| session.handshake.clone()),
            attributes: facts.attributes.clone(),
            deflate,
            place,
        }
    }

    /// It has joined a realm.
    pub(crate) fn join(
        self,
        names: Names,
        session: SessionFacts,
        realm: Arc<Realm>,
        features: Features,
    ) -> Accepted {
        let facts = ConnectionFacts {
            connection_id: names.connection_id,
            resource_id: names.resource_id,
            request: self.request,
            session: Some(session.into()),
            identity: self.identity,
            attributes: self.attributes,
        };
        Accepted {
            session_id: names.session_id,
            facts: facts.into(),
            time: SystemTime::now().into(),
            recorded: false,
            speaks: Speaks::Wamp2(self.framed),
            realm,
            features,
            deflate: self.deflate,
            place: self.place,
        }
    }

    /// Tells the listeners that it came to nothing. Of one that has had a session all has been told:
    /// that it begins no other is no refusal.
    pub(crate) fn reject(self, engine: &Arc<Engine>, (cause, reason): Why<'_>) {
        if let Some(names) = self.names {
            let (id, request) = (Some(names.connection_id), self.request);
            tell_rejection(engine, id, (cause, reason), cause.http_status(), || request);
        }
    }

    /// The same, of one whose HELLO was refused: listeners hear of that in any case.
    pub(crate) fn refuse(self, engine: &Arc<Engine>, why: Why<'_>) {
        let (id, request) = (self.names.map(|names| names.connection_id), self.request);
        tell_rejection(engine, id, why, None, || request);
    }
}
