//! Users, and what is kept of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{CraSecret, Method, PublicKey, ScramSecret, Ticket, Wanted};

/// A user: who it is known as, and by what it can prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Its name.
    pub authid: Box<str>,
    /// The roles that it may act in. The first is taken where HELLO asks for none.
    pub authroles: Vec<Box<str>>,
    /// Where it is kept, as WELCOME and challenges say. Default: `static`.
    pub authprovider: Box<str>,
    /// What WELCOME says of it beside that.
    pub authextra: Map<String, Value>,
    /// Its ticket.
    pub ticket: Option<Ticket>,
    /// Its secret for WAMP-CRA.
    pub cra: Option<CraSecret>,
    /// Its keys for cryptosign.
    pub keys: Vec<PublicKey>,
    /// What is kept of its password, for [`Method::Scram`].
    pub scram: Option<ScramSecret>,
    /// What is kept of its password, for [`Method::ScramAutobahn`].
    pub scram_autobahn: Option<ScramSecret>,
}

/// Users by their names and keys.
#[derive(Debug, Clone, Default)]
pub struct Principals {
    by_authid: BTreeMap<Box<str>, Principal>,
    by_key: BTreeMap<[u8; 32], Box<str>>,
}

impl Principal {
    /// A user of one role who can't prove anything yet.
    pub fn new(authid: impl Into<Box<str>>, authrole: impl Into<Box<str>>) -> Self {
        Principal {
            authid: authid.into(),
            authroles: vec![authrole.into()],
            authprovider: "static".into(),
            authextra: Map::new(),
            ticket: None,
            cra: None,
            keys: Vec::new(),
            scram: None,
            scram_autobahn: None,
        }
    }
}

impl Principal {
    /// What is kept of its password for one of the two methods.
    pub(super) const fn scram_of(&self, method: Method) -> Option<&ScramSecret> {
        match method {
            Method::ScramAutobahn => self.scram_autobahn.as_ref(),
            _ => self.scram.as_ref(),
        }
    }
}

impl Principals {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user. Returns the one of that name who was there before. A key belongs to the user
    /// who was added last with it.
    pub fn add(&mut self, principal: Principal) -> Option<Principal> {
        let before = self.by_authid.remove(&principal.authid);
        for key in before.iter().flat_map(|before| &before.keys) {
            self.by_key.remove(&key.to_bytes());
        }
        for key in &principal.keys {
            self.by_key.insert(key.to_bytes(), principal.authid.clone());
        }
        self.by_authid.insert(principal.authid.clone(), principal);
        before
    }

    /// The user whom an attempt needs.
    pub fn find(&self, wanted: Wanted<'_>) -> Option<&Principal> {
        match wanted {
            Wanted::Authid(authid) => self.by_authid.get(authid),
            Wanted::Key(key) => self.by_authid.get(self.by_key.get(&key.to_bytes())?),
        }
    }

    /// All users, by their names.
    pub fn iter(&self) -> impl Iterator<Item = &Principal> {
        self.by_authid.values()
    }
}
