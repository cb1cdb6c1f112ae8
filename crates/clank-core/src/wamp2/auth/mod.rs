//! How a client proves who it is, before it is welcome (specification: "Authentication Methods").
//!
//! ```text
//! HELLO ─ Attempt::begin ─ wanted? ─ proceed ─┬─ Step::Accepted ──────────────── WELCOME
//!              │ Denied                       └─ Step::Challenged ─ CHALLENGE
//!            ABORT                                 Pending::verify ─ AUTHENTICATE ─ WELCOME, ABORT
//! ```
//!
//! [`Settings`] say which methods a realm takes. Of those that the client offers the first one is
//! taken that the realm has; whether there is such a user plays no part in it. The caller looks for
//! the [`Principal`] that [`Attempt::wanted`] names, in [`Principals`] or wherever users are kept.
//!
//! A user who doesn't exist is challenged like any other: with a salt and a role that are always
//! the same for that name, and costs as other users have them ([`Decoy`]). The proof is computed and
//! refused, with the error of a wrong secret. So names can't be guessed one by one.
//!
//! | method | proves | stored |
//! |---|---|---|
//! | `anonymous` | nothing | nothing |
//! | `cookie` | what the HTTP handshake has found out | nothing |
//! | `ticket` | that it knows a ticket, which it sends | its SHA-256: [`Ticket`] |
//! | `wampcra` | that it knows a secret, by HMAC-SHA256 | the secret, or a key derived of it: [`CraSecret`] |
//! | `cryptosign` | that it has a private key, by Ed25519 | the public key: [`PublicKey`] |
//! | `wamp-scram`, `scram` | that it knows a password, by SCRAM-SHA-256 | keys that don't give it away: [`ScramSecret`] |
//!
//! `scram` is what Autobahn calls it, which differs from the specification in details.
//!
//! ```
//! use clank_core::event::Timestamp;
//! use clank_core::wamp2::auth::{
//!     Attempt, Decoy, Method, Principal, Principals, Secret, Settings, Step, Ticket,
//! };
//! use clank_wire::wamp2::{Authenticate, HelloDetails, Id};
//!
//! let mut principals = Principals::new();
//! let ticket = Some(Ticket::plain(&Secret::from("s3cret")));
//! principals.add(Principal { ticket, ..Principal::new("joe", "user") });
//! let settings = Settings::new([Method::Ticket], Decoy::new(Secret::from("random bytes")));
//!
//! let mut hello = HelloDetails { authid: Some("joe".into()), ..HelloDetails::default() };
//! hello.authmethods = Some(["ticket"].into_iter().collect());
//! let (now, random) = (Timestamp::from_unix_micros(0), [7; 32]);
//!
//! let attempt = Attempt::begin(&settings, &hello, None)?;
//! let principal = attempt.wanted().and_then(|wanted| principals.find(wanted));
//! let Step::Challenged(pending) = attempt.proceed(&settings, principal, Id::MIN, &random, now) else {
//!     panic!("a challenge");
//! };
//! assert_eq!(pending.challenge().method, "ticket");
//! let answer = Authenticate { signature: "s3cret".into(), extra: Default::default() };
//! let identity = pending.verify(&answer, now)?;
//! assert_eq!((&*identity.authid, &*identity.authrole), ("joe", "user"));
//! # Ok::<(), clank_core::wamp2::auth::Denied>(())
//! ```

mod attempt;
mod cra;
mod cryptosign;
mod decoy;
mod denied;
mod method;
mod pending;
mod principal;
mod scram;
mod secret;
mod settings;
mod ticket;

pub use attempt::{Attempt, Step, Wanted};
pub use cra::{CraSecret, Salting};
pub use cryptosign::PublicKey;
pub use decoy::Decoy;
pub use denied::Denied;
pub use method::{Method, UnknownMethod};
pub use pending::{Identity, Pending};
pub use principal::{Principal, Principals};
pub use scram::{Kdf, ScramSecret};
pub use secret::{InvalidCredential, Secret};
pub use settings::Settings;
pub use ticket::Ticket;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 of all parts as one.
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key may have any length, so that this always is some.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
