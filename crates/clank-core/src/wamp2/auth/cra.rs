//! WAMP-CRA (specification: "Challenge Response Authentication").

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clank_wire::wamp2::{Dict, Id};
use serde::Serialize;
use serde_json::json;
use sha2::Sha256;

use super::{Denied, Identity, Secret, hmac_sha256};
use crate::event::Timestamp;

/// What a client signs its challenge with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CraSecret {
    key: Secret,
    salting: Option<Salting>,
}

/// How a key is derived from a password, by PBKDF2 with HMAC-SHA256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salting {
    /// The salt, whose UTF-8 is taken.
    pub salt: Box<str>,
    /// How often the hash is applied.
    pub iterations: u32,
    /// How long the key is, in bytes.
    pub keylen: u8,
}

/// The challenge of one client, and the secret that it should be signed with.
#[derive(Debug)]
pub(super) struct Cra {
    secret: CraSecret,
    challenge: String,
}

#[derive(Serialize)]
struct Signed<'a> {
    authid: &'a str,
    authrole: &'a str,
    authmethod: &'static str,
    authprovider: &'a str,
    nonce: String,
    timestamp: Timestamp,
    session: u64,
}

impl CraSecret {
    /// A secret that the client has too.
    pub const fn plain(secret: Secret) -> Self {
        CraSecret { key: secret, salting: None }
    }

    /// A key that was derived from a password, in Base64, which is then the shared secret.
    pub const fn derived(key: Secret, salting: Salting) -> Self {
        CraSecret { key, salting: Some(salting) }
    }

    /// Derives the key. That takes long by purpose: it is done when users are read, not for each
    /// client.
    ///
    /// ```
    /// use clank_core::wamp2::auth::{CraSecret, Salting, Secret};
    ///
    /// let salting = Salting { salt: "salt123".into(), iterations: 100, keylen: 32 };
    /// let key = Secret::from("23EgbJzv5UVDrvDok6x9La33Q89ubrMmXdvi42GUdw0=");
    /// let secret = CraSecret::derive(&Secret::from("s3cret"), salting.clone());
    /// assert_eq!(secret, CraSecret::derived(key, salting));
    /// ```
    pub fn derive(password: &Secret, salting: Salting) -> Self {
        let mut key = vec![0; usize::from(salting.keylen)];
        let salt = salting.salt.as_bytes();
        pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), salt, salting.iterations, &mut key);
        let encoded = Secret::from(STANDARD.encode(Secret::from(key).expose()));
        CraSecret { key: encoded, salting: Some(salting) }
    }

    /// What challenges are signed with.
    pub const fn key(&self) -> &Secret {
        &self.key
    }

    /// How the key was derived, if it was.
    pub const fn salting(&self) -> Option<&Salting> {
        self.salting.as_ref()
    }
}

impl Cra {
    pub(super) fn new(
        secret: CraSecret,
        identity: &Identity,
        session: Id,
        random: &[u8; 32],
        now: Timestamp,
    ) -> Self {
        let signed = Signed {
            authid: &identity.authid,
            authrole: &identity.authrole,
            authmethod: identity.authmethod.name(),
            authprovider: &identity.authprovider,
            nonce: URL_SAFE_NO_PAD.encode(random),
            timestamp: now,
            session: session.get(),
        };
        // Texts and numbers always become JSON.
        Cra { secret, challenge: serde_json::to_string(&signed).unwrap_or_default() }
    }

    pub(super) fn extra(&self) -> Dict<'static> {
        let extra = match &self.secret.salting {
            None => json!({"challenge": self.challenge}),
            Some(Salting { salt, iterations, keylen }) => json!({
                "challenge": self.challenge, "salt": salt, "iterations": iterations, "keylen": keylen,
            }),
        };
        Dict::from_serialize(&extra).unwrap_or_default()
    }

    pub(super) fn verify(&self, signature: &str) -> Result<(), Denied> {
        let expected = hmac_sha256(self.secret.key.expose(), &[self.challenge.as_bytes()]);
        let given = STANDARD.decode(signature).map_err(|_| Denied::Malformed("a signature in Base64"))?;
        if Secret::from(given) == Secret::from(expected) { Ok(()) } else { Err(Denied::WrongSecret) }
    }
}
