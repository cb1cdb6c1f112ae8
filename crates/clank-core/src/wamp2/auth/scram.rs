//! WAMP-SCRAM (specification: "Salted Challenge Response Authentication"; RFC 5802, RFC 7677),
//! without channel binding.

use std::borrow::Cow;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clank_wire::serializer::{Kind, Span};
use clank_wire::wamp2::{Authenticate, Dict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Denied, InvalidCredential, Method, Secret, hmac_sha256};

/// The longest nonce that a client may choose, in bytes of its Base64.
const MAX_NONCE: usize = 256;

/// How a password becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kdf {
    /// PBKDF2 with HMAC-SHA256.
    Pbkdf2 {
        /// How often the hash is applied; RFC 7677 asks for 4,096 at least.
        iterations: u32,
    },
    /// Argon2id, version 1.3, on one thread.
    Argon2id {
        /// How often it passes over the memory.
        iterations: u32,
        /// How much memory it takes, in KiB.
        memory: u32,
    },
}

/// What is kept of a password: it proves that a client knows it, and doesn't give it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramSecret {
    /// In Base64, as it is sent.
    salt: Box<str>,
    kdf: Kdf,
    stored_key: Secret,
    server_key: Secret,
}

/// The challenge of one client, and the keys that it is judged by.
#[derive(Debug)]
pub(super) struct Scram {
    method: Method,
    secret: ScramSecret,
    authid: Box<str>,
    client_nonce: Box<str>,
    /// The client's nonce and ours.
    nonce: String,
}

impl Kdf {
    /// The cost and the memory.
    const fn parameters(self) -> (u32, Option<u32>) {
        match self {
            Kdf::Pbkdf2 { iterations } => (iterations, None),
            Kdf::Argon2id { iterations, memory } => (iterations, Some(memory)),
        }
    }

    const fn name(self, method: Method) -> &'static str {
        match self {
            Kdf::Pbkdf2 { .. } => "pbkdf2",
            Kdf::Argon2id { .. } if matches!(method, Method::ScramAutobahn) => "argon2id-13",
            Kdf::Argon2id { .. } => "argon2id13",
        }
    }

    /// 32 bytes of a password that has been normalized.
    fn derive(self, password: &[u8], salt: &[u8]) -> Result<Secret, InvalidCredential> {
        let mut key = [0; 32];
        match self {
            Kdf::Pbkdf2 { iterations } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut key);
            }
            Kdf::Argon2id { iterations, memory } => {
                let needs = "a cost and a salt that Argon2 takes: 8 KiB, 1 iteration and 8 bytes at least";
                let params = Params::new(memory, iterations, 1, Some(32));
                let hashed = params.and_then(|params| {
                    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                    argon2.hash_password_into(password, salt, &mut key)
                });
                hashed.map_err(|_| InvalidCredential { needs })?;
            }
        }
        Ok(Secret::from(key))
    }
}

impl ScramSecret {
    /// What has been derived from a password elsewhere.
    pub fn new(salt: &[u8], kdf: Kdf, stored_key: [u8; 32], server_key: [u8; 32]) -> Self {
        let salt = STANDARD.encode(salt).into();
        ScramSecret { salt, kdf, stored_key: stored_key.into(), server_key: server_key.into() }
    }

    /// What has been derived from a password elsewhere, as text: the salt in Base64, each key in 64
    /// hexadecimal digits or in Base64.
    ///
    /// # Errors
    /// When one of them is something else.
    pub fn from_text(
        salt: &str,
        kdf: Kdf,
        stored_key: &str,
        server_key: &str,
    ) -> Result<Self, InvalidCredential> {
        STANDARD.decode(salt).map_err(|_| InvalidCredential { needs: "a salt in Base64" })?;
        let (stored_key, server_key) =
            (Secret::key_from_text(stored_key)?, Secret::key_from_text(server_key)?);
        Ok(ScramSecret { salt: salt.into(), kdf, stored_key, server_key })
    }

    /// Derives what is kept of a password, which takes long by purpose: it is done when a user is
    /// made, not for each client.
    ///
    /// ```
    /// use clank_core::wamp2::auth::{Kdf, ScramSecret, Secret};
    ///
    /// let kdf = Kdf::Pbkdf2 { iterations: 4096 };
    /// let secret = ScramSecret::derive(&Secret::from("pencil"), b"a random salt", kdf)?;
    /// assert_eq!(secret.kdf(), kdf);
    /// # Ok::<(), clank_core::wamp2::auth::InvalidCredential>(())
    /// ```
    ///
    /// # Errors
    /// When the password has characters that RFC 4013 prohibits, or Argon2 refuses cost or salt.
    pub fn derive(password: &Secret, salt: &[u8], kdf: Kdf) -> Result<Self, InvalidCredential> {
        let needs = InvalidCredential { needs: "a password as RFC 4013 has it" };
        let password = std::str::from_utf8(password.expose()).map_err(|_| needs.clone())?;
        let password = stringprep::saslprep(password).map_err(|_| needs)?;
        Ok(Self::from_salted(&kdf.derive(password.as_bytes(), salt)?, salt, kdf))
    }

    /// The same for [`Method::ScramAutobahn`]: the password is taken as it is, and what Argon2 makes
    /// of it is the text of that, in Base64 without padding.
    ///
    /// # Errors
    /// When Argon2 refuses cost or salt.
    pub fn derive_autobahn(password: &Secret, salt: &[u8], kdf: Kdf) -> Result<Self, InvalidCredential> {
        let derived = kdf.derive(password.expose(), salt)?;
        let salted = match kdf {
            Kdf::Pbkdf2 { .. } => derived,
            Kdf::Argon2id { .. } => Secret::from(STANDARD_NO_PAD.encode(derived.expose())),
        };
        Ok(Self::from_salted(&salted, salt, kdf))
    }

    fn from_salted(salted: &Secret, salt: &[u8], kdf: Kdf) -> Self {
        let client_key = hmac_sha256(salted.expose(), &[b"Client Key"]);
        let server_key = hmac_sha256(salted.expose(), &[b"Server Key"]);
        Self::new(salt, kdf, Sha256::digest(client_key).into(), server_key)
    }

    /// How the password became a key.
    pub const fn kdf(&self) -> Kdf {
        self.kdf
    }

    /// How long the salt is, in bytes.
    pub(super) fn salt_bytes(&self) -> usize {
        STANDARD.decode(&*self.salt).map_or(0, |salt| salt.len())
    }

    /// The key by which a client's proof is judged: SHA-256 of the client key.
    pub const fn stored_key(&self) -> &Secret {
        &self.stored_key
    }

    /// The key by which the router proves that it knows the user.
    pub const fn server_key(&self) -> &Secret {
        &self.server_key
    }
}

impl Scram {
    /// `Err` says what is wrong with the nonce that the client has chosen.
    pub(super) fn check_nonce(nonce: &str) -> Result<(), &'static str> {
        let fits = !nonce.is_empty() && nonce.len() <= MAX_NONCE && STANDARD.decode(nonce).is_ok();
        if fits { Ok(()) } else { Err("a nonce in Base64, of 256 bytes at most") }
    }

    pub(super) fn new(
        method: Method,
        secret: ScramSecret,
        authid: &str,
        client_nonce: &str,
        random: &[u8],
    ) -> Self {
        let nonce = format!("{client_nonce}{}", STANDARD.encode(random));
        Scram { method, secret, authid: authid.into(), client_nonce: client_nonce.into(), nonce }
    }

    pub(super) fn extra(&self) -> Dict<'static> {
        let ScramSecret { salt, kdf, .. } = &self.secret;
        let (iterations, memory) = kdf.parameters();
        let mut extra = json!({
            "nonce": self.nonce, "salt": salt, "kdf": kdf.name(self.method), "iterations": iterations,
        });
        // Autobahn takes null for a number.
        if let Value::Object(extra) = &mut extra
            && (memory.is_some() || self.method == Method::Scram)
        {
            extra.insert("memory".to_owned(), memory.into());
        }
        Dict::from_serialize(&extra).unwrap_or_default()
    }

    /// Returns by which name WELCOME tells the client that the router knows the user, and how.
    pub(super) fn verify(&self, answer: &Authenticate<'_>) -> Result<(&'static str, String), Denied> {
        let proof = STANDARD.decode(&*answer.signature).ok();
        let proof = proof.and_then(|proof| <[u8; 32]>::try_from(proof).ok());
        let proof = proof.ok_or(Denied::Malformed("a proof of 32 bytes in Base64"))?;
        if self.method == Method::Scram {
            self.check_extra(&answer.extra)?;
        }
        let message = self.auth_message();
        let signature = hmac_sha256(self.secret.stored_key.expose(), &[message.as_bytes()]);
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        let recovered = Secret::from(<[u8; 32]>::from(Sha256::digest(client_key)));
        if recovered != self.secret.stored_key {
            return Err(Denied::WrongSecret);
        }
        let verifier = hmac_sha256(self.secret.server_key.expose(), &[message.as_bytes()]);
        let name = if self.method == Method::Scram { "verifier" } else { "scram_server_signature" };
        Ok((name, STANDARD.encode(verifier)))
    }

    fn check_extra(&self, extra: &Dict<'_>) -> Result<(), Denied> {
        let nonce = extra.value("nonce").and_then(Span::to_text);
        if nonce.as_deref() != Some(&self.nonce) {
            return Err(Denied::Malformed("the nonce of CHALLENGE"));
        }
        let bound = ["channel_binding", "cbind_data"].iter().filter_map(|name| extra.value(name));
        if bound.into_iter().any(|value| value.kind() != Kind::Null) {
            return Err(Denied::Malformed("done without channel binding"));
        }
        Ok(())
    }

    /// What both sides sign: the first three messages as RFC 5802 would have them.
    fn auth_message(&self) -> String {
        let Scram { client_nonce, nonce, .. } = self;
        let (salt, (iterations, _)) = (&self.secret.salt, self.secret.kdf.parameters());
        let authid = stringprep::saslprep(&self.authid).unwrap_or(Cow::Borrowed(&self.authid));
        let (authid, bound) = if self.method == Method::Scram {
            // "n,,": no channel binding.
            (authid.replace('=', "=3D").replace(',', "=2C").into(), "biws")
        } else {
            (authid, "")
        };
        format!("n={authid},r={client_nonce},r={nonce},s={salt},i={iterations},c={bound},r={nonce}")
    }
}
