//! What is made up for users who don't exist.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CraSecret, Kdf, Principals, Salting, ScramSecret, Secret, Ticket, hmac_sha256};

/// What is made up for users who don't exist, so that their challenges are like those of others.
///
/// In what users differ, they can still be told from these: by their roles, which a challenge of
/// WAMP-CRA has to say, or by what their keys cost.
///
/// The key should be random and stay the same for as long as users keep their salts: a user whose
/// salt changes is seen not to exist.
#[derive(Debug, Clone)]
pub struct Decoy {
    key: Secret,
    /// The role that a challenge says. Default: `user`.
    pub authrole: Box<str>,
    /// Who a challenge says has authenticated the user. Default: `static`.
    pub authprovider: Box<str>,
    /// How keys for WAMP-CRA are derived, and a salt of the usual length. Default: they aren't.
    pub salting: Option<Salting>,
    /// How keys for SCRAM are derived. Default: by PBKDF2, 4,096 times.
    pub kdf: Kdf,
    /// How long the salt for SCRAM is, in bytes. Default: 16.
    pub salt_bytes: usize,
}

impl Decoy {
    /// Users as the defaults say.
    pub fn new(key: Secret) -> Self {
        Decoy {
            key,
            authrole: "user".into(),
            authprovider: "static".into(),
            salting: None,
            kdf: Kdf::Pbkdf2 { iterations: 4096 },
            salt_bytes: 16,
        }
    }

    /// Users as most others are.
    #[must_use]
    pub fn resembling(mut self, principals: &Principals) -> Self {
        let all = || principals.iter();
        if let Some(role) = most(all().filter_map(|principal| principal.authroles.first().cloned())) {
            self.authrole = role;
        }
        if let Some(provider) = most(all().map(|principal| principal.authprovider.clone())) {
            self.authprovider = provider;
        }
        let salting = all()
            .filter_map(|principal| principal.cra.as_ref())
            .map(|cra| cra.salting().map(|salting| (salting.iterations, salting.keylen, salting.salt.len())));
        if let Some(salting) = most(salting) {
            self.salting = salting.map(|(iterations, keylen, length)| Salting {
                salt: "x".repeat(length).into(),
                iterations,
                keylen,
            });
        }
        let scram = all().flat_map(|principal| [&principal.scram, &principal.scram_autobahn]).flatten();
        if let Some((kdf, bytes)) = most(scram.map(|scram| (scram.kdf(), scram.salt_bytes()))) {
            (self.kdf, self.salt_bytes) = (kdf, bytes);
        }
        self
    }

    /// The salt for SCRAM that a user of that name seems to have. Whoever knows a user's password
    /// derives its keys with this one: it is the same after a restart, and before there was such a
    /// user.
    ///
    /// ```
    /// use clank_core::wamp2::auth::{Decoy, Secret};
    ///
    /// let decoy = Decoy::new(Secret::from("random bytes"));
    /// assert_eq!(decoy.scram_salt("joe").len(), 16);
    /// assert_ne!(decoy.scram_salt("joe"), decoy.scram_salt("ann"));
    /// ```
    pub fn scram_salt(&self, authid: &str) -> Vec<u8> {
        self.long("salt of scram", authid, self.salt_bytes)
    }

    pub(super) fn ticket(&self, authid: &str) -> Ticket {
        Ticket::decoy(self.bytes("ticket", authid))
    }

    pub(super) fn cra(&self, authid: &str) -> CraSecret {
        let key = Secret::from(self.bytes("wampcra", authid));
        match &self.salting {
            None => CraSecret::plain(key),
            Some(like) => {
                let mut salt = STANDARD.encode(self.long("salt of wampcra", authid, like.salt.len()));
                salt.truncate(like.salt.len());
                CraSecret::derived(key, Salting { salt: salt.into(), ..like.clone() })
            }
        }
    }

    pub(super) fn scram(&self, authid: &str) -> ScramSecret {
        let salt = self.scram_salt(authid);
        let (stored, server) = (self.bytes("stored key", authid), self.bytes("server key", authid));
        ScramSecret::new(&salt, self.kdf, stored, server)
    }

    fn bytes(&self, purpose: &str, authid: &str) -> [u8; 32] {
        hmac_sha256(self.key.expose(), &[purpose.as_bytes(), b"\0", authid.as_bytes()])
    }

    fn long(&self, purpose: &str, authid: &str, count: usize) -> Vec<u8> {
        let mut long = Vec::new();
        let mut block = self.bytes(purpose, authid);
        while long.len() < count {
            long.extend_from_slice(&block);
            block = hmac_sha256(self.key.expose(), &[&block]);
        }
        long.truncate(count);
        long
    }
}

/// What there is most of.
fn most<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}
