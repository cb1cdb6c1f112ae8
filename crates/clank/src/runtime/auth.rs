//! Who the clients of a realm are.

use clank_core::event::{Identity, SessionFacts, Timestamp};
use clank_core::wamp2::auth::{
    Attempt, Decoy, Denied, Identity as Proved, Method, Principals, Secret, Settings, Step, Wanted,
};
use clank_wire::wamp2::{Codec, Hello, Id};

use super::engine::random;
use super::realm::Realm;
use crate::wamp2::Auth;

/// The role of who has a name by a connecting listener, unless that says another.
const USER: &str = "user";

/// How the clients of a realm prove who they are.
pub(crate) struct Authentication {
    settings: Settings,
    principals: Principals,
    /// Nothing was set up: what the handshake says holds, whatever HELLO asks for.
    is_open: bool,
}

impl Authentication {
    pub(crate) fn new(auth: Option<&Auth>) -> Self {
        let is_open = auth.is_none();
        let (settings, principals) = match auth {
            Some(auth) => auth.build(random()),
            None => {
                let decoy = Decoy::new(Secret::from(random::<32>()));
                (Settings::new([Method::Cookie, Method::Anonymous], decoy), Principals::new())
            }
        };
        Self { settings, principals, is_open }
    }

    /// The role of clients that prove nothing.
    pub(crate) fn anonymous_role(&self) -> &str {
        &self.settings.anonymous_role
    }

    /// Accepts the client, or challenges it. `session` is the one that it will have.
    pub(crate) fn begin(
        &self,
        hello: &Hello<'_>,
        handshake: Option<&Identity>,
        session: Id,
        now: Timestamp,
    ) -> Result<Step, Denied> {
        let known = handshake.map(|known| Proved::of_handshake(known.id.clone(), role_of(known)));
        match known {
            Some(known) if self.is_open => Ok(Step::Accepted(known)),
            known => {
                let attempt = Attempt::begin(&self.settings, &hello.details, known.as_ref())?;
                let principal = attempt.wanted().and_then(|wanted| self.principals.find(wanted));
                Ok(attempt.proceed(&self.settings, principal, session, &random(), now))
            }
        }
    }

    /// Who the client is to the application: nobody, if it has proved nothing.
    fn identify(&self, proved: &Proved, handshake: Option<&Identity>) -> Option<Identity> {
        match proved.authmethod {
            Method::Anonymous => None,
            Method::Cookie => handshake.cloned(),
            _ => {
                let user = self.principals.find(Wanted::Authid(&proved.authid));
                let attributes = user.map(|user| user.authextra.clone()).unwrap_or_default();
                Some(Identity { id: proved.authid.clone(), attributes })
            }
        }
    }
}

/// The role in which a client acts that has its name by a connecting listener.
pub(super) fn role_of(identity: &Identity) -> &str {
    identity.attributes.get("role").and_then(|role| role.as_str()).unwrap_or(USER)
}

/// What is known of a session, and who its client is to the application.
pub(super) fn session_facts(
    proved: Proved,
    handshake: Option<Box<Identity>>,
    realm: &Realm,
    codec: Codec,
    id: u64,
) -> (SessionFacts, Option<Box<Identity>>) {
    let identity = realm.authentication.identify(&proved, handshake.as_deref());
    let Proved { authid, authrole, authmethod, authprovider, authextra } = proved;
    let serializer = codec.subprotocol().split('.').nth(2).unwrap_or_default();
    let session = SessionFacts {
        realm: (&*realm.name).into(),
        id,
        authid,
        authrole,
        authmethod: authmethod.name().into(),
        authprovider,
        authextra: (!authextra.is_empty()).then(|| authextra.into()),
        handshake,
        serializer: serializer.into(),
    };
    (session, identity.map(Box::new))
}
