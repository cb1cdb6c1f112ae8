//! From HELLO to a challenge.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clank_wire::serializer::{Kind, Span};
use clank_wire::wamp2::{HelloDetails, Id};
use serde_json::Map;

use super::cra::Cra;
use super::cryptosign::Cryptosign;
use super::pending::Proof;
use super::scram::Scram;
use super::{Denied, Identity, Method, Pending, Principal, PublicKey, Settings};
use crate::event::Timestamp;

/// A client that wants to join a realm: the method is known, the user isn't.
#[derive(Debug)]
pub struct Attempt {
    claim: Claim,
    /// The role that HELLO asks for.
    authrole: Option<Box<str>>,
}

/// Which user an attempt needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The one of that name.
    Authid(&'a str),
    /// The one with that key.
    Key(&'a PublicKey),
}

/// What comes of an attempt.
#[derive(Debug)]
pub enum Step {
    /// The client is welcome.
    Accepted(Identity),
    /// The client has to answer a challenge first.
    Challenged(Box<Pending>),
}

/// What a client says of itself, complete for its method.
#[derive(Debug)]
enum Claim {
    Anonymous,
    Cookie(Identity),
    Ticket { authid: Box<str> },
    Cra { authid: Box<str> },
    Cryptosign { key: Box<PublicKey>, authid: Option<Box<str>> },
    Scram { method: Method, authid: Box<str>, nonce: Box<str> },
}

impl Attempt {
    /// Chooses the method. `handshake` is who the client has been found to be when its connection
    /// was made, as [`Identity::of_handshake`].
    ///
    /// A client that offers no method joins as whom its handshake says, or unknown, where the realm
    /// takes that. One whose handshake says nothing, or another name than HELLO, is authenticated by
    /// the other methods that it offers.
    ///
    /// # Errors
    /// When the realm has none of the client's methods, or HELLO lacks what the first needs.
    pub fn begin(
        settings: &Settings,
        hello: &HelloDetails<'_>,
        handshake: Option<&Identity>,
    ) -> Result<Self, Denied> {
        let known = handshake.filter(|known| hello.authid.as_deref().is_none_or(|id| id == &*known.authid));
        let takes = |method| settings.takes(method) && (method != Method::Cookie || known.is_some());
        let offered = hello.authmethods.as_ref().filter(|methods| methods.count() > 0);
        let method = match offered {
            None => {
                let unasked = [Method::Cookie, Method::Anonymous].into_iter().find(|method| takes(*method));
                unasked.ok_or(Denied::Required)?
            }
            Some(methods) => {
                let mut known = methods.iter().filter_map(|name| Method::from_name(&name));
                known.find(|method| takes(*method)).ok_or(Denied::NoMatchingMethod)?
            }
        };
        let claim = Claim::read(method, hello, known)?;
        Ok(Attempt { claim, authrole: hello.authrole.as_deref().map(Box::from) })
    }

    /// The method.
    pub const fn method(&self) -> Method {
        match &self.claim {
            Claim::Anonymous => Method::Anonymous,
            Claim::Cookie(_) => Method::Cookie,
            Claim::Ticket { .. } => Method::Ticket,
            Claim::Cra { .. } => Method::Cra,
            Claim::Cryptosign { .. } => Method::Cryptosign,
            Claim::Scram { method, .. } => *method,
        }
    }

    /// Which user [`proceed`](Self::proceed) needs; `None` if it needs none.
    pub fn wanted(&self) -> Option<Wanted<'_>> {
        match &self.claim {
            Claim::Anonymous | Claim::Cookie(_) => None,
            Claim::Ticket { authid } | Claim::Cra { authid } | Claim::Scram { authid, .. } => {
                Some(Wanted::Authid(authid))
            }
            Claim::Cryptosign { key, .. } => Some(Wanted::Key(key)),
        }
    }

    /// Accepts the client, or challenges it, also where there is no such user. `session` is the id
    /// that its session will have, `random` are bytes that nobody can foresee.
    pub fn proceed(
        self,
        settings: &Settings,
        principal: Option<&Principal>,
        session: Id,
        random: &[u8; 32],
        now: Timestamp,
    ) -> Step {
        let Attempt { claim, authrole } = self;
        let decoy = &settings.decoy;
        let (proof, identity, expected) = match claim {
            Claim::Anonymous => return Step::Accepted(anonymous(settings, random)),
            Claim::Cookie(identity) => return Step::Accepted(identity),
            Claim::Ticket { authid } => {
                let (identity, expected) = identify(settings, principal, Method::Ticket, &authid, authrole);
                let stored = principal.and_then(|principal| principal.ticket.clone());
                let expected = expected.and(stored.as_ref().map(drop).ok_or(NO_TICKET));
                (Proof::Ticket(stored.unwrap_or_else(|| decoy.ticket(&authid))), identity, expected)
            }
            Claim::Cra { authid } => {
                let (identity, expected) = identify(settings, principal, Method::Cra, &authid, authrole);
                let stored = principal.and_then(|principal| principal.cra.clone());
                let expected = expected.and(stored.as_ref().map(drop).ok_or(NO_CRA));
                let secret = stored.unwrap_or_else(|| decoy.cra(&authid));
                (Proof::Cra(Cra::new(secret, &identity, session, random, now)), identity, expected)
            }
            Claim::Scram { method, authid, nonce } => {
                let (identity, expected) = identify(settings, principal, method, &authid, authrole);
                let stored = principal.and_then(|principal| principal.scram_of(method).cloned());
                let expected = expected.and(stored.as_ref().map(drop).ok_or(Denied::NoCredential(method)));
                let secret = stored.unwrap_or_else(|| decoy.scram(&authid));
                // Half of the bytes are as many as the specification recommends.
                let ours = random.first_chunk::<16>().map_or(&random[..], |half| &half[..]);
                (Proof::Scram(Scram::new(method, secret, &authid, &nonce, ours)), identity, expected)
            }
            Claim::Cryptosign { key, authid } => {
                let owner = principal.filter(|principal| {
                    principal.keys.contains(&key)
                        && authid.as_deref().is_none_or(|authid| authid == &*principal.authid)
                });
                let name = owner.map_or_else(|| key.to_hex(), |owner| owner.authid.to_string());
                let (identity, expected) = identify(settings, owner, Method::Cryptosign, &name, authrole);
                (Proof::Cryptosign(Cryptosign::new(*key, *random)), identity, expected)
            }
        };
        Step::Challenged(Box::new(Pending::new(proof, identity, expected, now, settings.timeout.duration())))
    }
}

const NO_TICKET: Denied = Denied::NoCredential(Method::Ticket);
const NO_CRA: Denied = Denied::NoCredential(Method::Cra);

/// Whom the challenge is for, and why it will be refused whatever the answer is.
///
/// The role is the one that HELLO asks for also where the user hasn't got it: whether there is such
/// a user must not show in the challenge.
fn identify(
    settings: &Settings,
    principal: Option<&Principal>,
    method: Method,
    authid: &str,
    authrole: Option<Box<str>>,
) -> (Identity, Result<(), Denied>) {
    let decoy = &settings.decoy;
    let known = principal.ok_or(Denied::UnknownPrincipal);
    let expected = known.and_then(|principal| match &authrole {
        Some(role) if principal.authroles.contains(role) => Ok(()),
        None if !principal.authroles.is_empty() => Ok(()),
        _ => Err(Denied::NoSuchRole),
    });
    let usual = || principal.and_then(|principal| principal.authroles.first()).unwrap_or(&decoy.authrole);
    let identity = Identity {
        authid: principal.map_or(authid, |principal| &principal.authid).into(),
        authrole: authrole.unwrap_or_else(|| usual().clone()),
        authmethod: method,
        authprovider: principal.map_or(&decoy.authprovider, |principal| &principal.authprovider).clone(),
        authextra: principal.map(|principal| principal.authextra.clone()).unwrap_or_default(),
    };
    (identity, expected)
}

fn anonymous(settings: &Settings, random: &[u8; 32]) -> Identity {
    let name = random.first_chunk::<12>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
    Identity {
        authid: name.into(),
        authrole: settings.anonymous_role.clone(),
        authmethod: Method::Anonymous,
        authprovider: "static".into(),
        authextra: Map::new(),
    }
}

impl Claim {
    fn read(method: Method, hello: &HelloDetails<'_>, known: Option<&Identity>) -> Result<Self, Denied> {
        let lacks = |what| Denied::Incomplete { method, what };
        let authid = || hello.authid.as_deref().map(Box::<str>::from).ok_or(lacks("an authid"));
        let extra = |name: &str| hello.authextra.as_ref().and_then(|extra| extra.value(name));
        Ok(match method {
            Method::Anonymous => Claim::Anonymous,
            Method::Cookie => Claim::Cookie(known.cloned().ok_or(Denied::Required)?),
            Method::Ticket => Claim::Ticket { authid: authid()? },
            Method::Cra => Claim::Cra { authid: authid()? },
            Method::Cryptosign => {
                let key = extra("pubkey").and_then(Span::to_text);
                let key = key.and_then(|key| PublicKey::from_hex(&key).ok());
                let key = key.ok_or(lacks("a public key in 64 hexadecimal digits"))?;
                Claim::Cryptosign { key: Box::new(key), authid: hello.authid.as_deref().map(Box::from) }
            }
            Method::Scram | Method::ScramAutobahn => {
                let binding = extra("channel_binding").is_some_and(|binding| binding.kind() != Kind::Null);
                if binding {
                    return Err(Denied::ChannelBinding);
                }
                let nonce = extra("nonce").and_then(Span::to_text).unwrap_or_default();
                Scram::check_nonce(&nonce).map_err(lacks)?;
                Claim::Scram { method, authid: authid()?, nonce: (&*nonce).into() }
            }
        })
    }
}
