//! From a challenge to an identity.

use std::time::Duration;

use clank_wire::wamp2::{Authenticate, Challenge, Dict};
use serde_json::{Map, Value};

use super::cra::Cra;
use super::cryptosign::Cryptosign;
use super::scram::Scram;
use super::{Denied, Method, Ticket};
use crate::event::Timestamp;

/// Who a client is, as WELCOME tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Its name.
    pub authid: Box<str>,
    /// The role that it acts in.
    pub authrole: Box<str>,
    /// How it has proved that.
    pub authmethod: Method,
    /// Who has found it proved.
    pub authprovider: Box<str>,
    /// What there is beside that: of SCRAM, the router's own proof.
    pub authextra: Map<String, Value>,
}

/// A client that has been sent a challenge, which it may answer once.
#[derive(Debug)]
pub struct Pending {
    proof: Proof,
    /// Whom the client is if it proves it.
    identity: Identity,
    /// Why it isn't welcome, whatever it proves.
    expected: Result<(), Denied>,
    since: Timestamp,
    timeout: Duration,
}

/// What has been asked for, and by what the answer is judged.
#[derive(Debug)]
pub(super) enum Proof {
    Ticket(Ticket),
    Cra(Cra),
    Cryptosign(Cryptosign),
    Scram(Scram),
}

impl Identity {
    /// Who the HTTP handshake has found the client to be.
    pub fn of_handshake(authid: impl Into<Box<str>>, authrole: impl Into<Box<str>>) -> Self {
        Identity {
            authid: authid.into(),
            authrole: authrole.into(),
            authmethod: Method::Cookie,
            authprovider: "handshake".into(),
            authextra: Map::new(),
        }
    }

    /// What there is beside the names, for WELCOME; `None` if there is nothing.
    pub fn extra(&self) -> Option<Dict<'static>> {
        if self.authextra.is_empty() { None } else { Dict::from_serialize(&self.authextra) }
    }
}

impl Pending {
    pub(super) const fn new(
        proof: Proof,
        identity: Identity,
        expected: Result<(), Denied>,
        since: Timestamp,
        timeout: Duration,
    ) -> Self {
        Pending { proof, identity, expected, since, timeout }
    }

    /// The challenge.
    pub fn challenge(&self) -> Challenge<'static> {
        let extra = match &self.proof {
            Proof::Ticket(_) => Dict::default(),
            Proof::Cra(cra) => cra.extra(),
            Proof::Cryptosign(cryptosign) => cryptosign.extra(),
            Proof::Scram(scram) => scram.extra(),
        };
        Challenge { method: self.identity.authmethod.name().into(), extra }
    }

    /// How long the client has for its answer.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Judges the answer. The work is the same whether there is such a user or not.
    ///
    /// # Errors
    /// When the client isn't welcome.
    pub fn verify(self, answer: &Authenticate<'_>, now: Timestamp) -> Result<Identity, Denied> {
        let Pending { proof, mut identity, expected, since, timeout } = self;
        let proved = match &proof {
            Proof::Ticket(ticket) if ticket.is(&answer.signature) => Ok(None),
            Proof::Ticket(_) => Err(Denied::WrongSecret),
            Proof::Cra(cra) => cra.verify(&answer.signature).map(|()| None),
            Proof::Cryptosign(cryptosign) => cryptosign.verify(&answer.signature).map(|()| None),
            Proof::Scram(scram) => scram.verify(answer).map(Some),
        };
        if now.since(since) > timeout {
            return Err(Denied::TooLate);
        }
        // Only who has proved who it is may hear of its roles; the log should say that there is no
        // such user rather than that the secret is wrong.
        let proved = match (expected, proved) {
            (Err(Denied::NoSuchRole), Err(wrong)) => return Err(wrong),
            (Err(unexpected), _) => return Err(unexpected),
            (Ok(()), proved) => proved?,
        };
        if let Some((name, proof)) = proved {
            identity.authextra.insert(name.to_owned(), proof.into());
        }
        Ok(identity)
    }
}
