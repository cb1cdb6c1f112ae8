//! HELLO and WELCOME: a session begins.

use std::borrow::Cow;

use super::elements::Elements;
use super::encoder::Encoder;
use super::{Dict, Id, Malformed, MessageType, Roles, TextList};
use crate::serializer::Serializer;

const ROLES: &str = "a dictionary of roles";

/// `[1, realm, details]`: a client wants to join a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The realm's URI.
    pub realm: Cow<'a, str>,
    /// What the client says of itself.
    pub details: HelloDetails<'a>,
}

/// What a client says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelloDetails<'a> {
    /// Its roles: `publisher`, `subscriber`, `caller`, `callee`.
    pub roles: Roles<'a>,
    /// The name and version of its software.
    pub agent: Option<Cow<'a, str>>,
    /// Whom it wants to be known as.
    pub authid: Option<Cow<'a, str>>,
    /// The role that it wants to be authorised in.
    pub authrole: Option<Cow<'a, str>>,
    /// The methods of authentication that it knows.
    pub authmethods: Option<TextList<'a>>,
    /// What those methods need to begin.
    pub authextra: Option<Dict<'a>>,
}

/// `[2, session, details]`: the client has joined the realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The id of the session.
    pub session: Id,
    /// What the router says of itself and of the session.
    pub details: WelcomeDetails<'a>,
}

/// What a router says of itself and of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WelcomeDetails<'a> {
    /// The router's roles: `broker`, `dealer`.
    pub roles: Roles<'a>,
    /// The name and version of its software.
    pub agent: Option<Cow<'a, str>>,
    /// The realm that was joined.
    pub realm: Option<Cow<'a, str>>,
    /// Whom the client is known as.
    pub authid: Option<Cow<'a, str>>,
    /// The role that it is authorised in.
    pub authrole: Option<Cow<'a, str>>,
    /// The method by which it was authenticated.
    pub authmethod: Option<Cow<'a, str>>,
    /// Who authenticated it.
    pub authprovider: Option<Cow<'a, str>>,
    /// What authentication gave beside that.
    pub authextra: Option<Dict<'a>>,
}

impl<'a> Hello<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let realm = elements.text(1, "a realm URI")?;
        let (mut details, mut roles) = (HelloDetails::default(), None);
        for detail in elements.attributes(2, "a dictionary of details")? {
            match detail.name() {
                "roles" => roles = Some(Roles::read(&detail)?),
                "agent" => details.agent = Some(detail.text()?),
                "authid" => details.authid = Some(detail.text()?),
                "authrole" => details.authrole = Some(detail.text()?),
                "authmethods" => details.authmethods = Some(detail.texts()?),
                "authextra" => details.authextra = Some(detail.dict()?),
                _ => {}
            }
        }
        details.roles = roles.ok_or_else(|| elements.lacks("roles", ROLES))?;
        Ok(Hello { realm, details })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let details = &self.details;
        Encoder::begin(MessageType::Hello, serializer, out)
            .text(&self.realm)
            .attributes(|written| {
                written.dict("roles", Some(details.roles.dict()));
                written.text("agent", details.agent.as_deref());
                written.text("authid", details.authid.as_deref());
                written.text("authrole", details.authrole.as_deref());
                written.texts("authmethods", details.authmethods.as_ref());
                written.dict("authextra", details.authextra.as_ref());
            })
            .end();
    }
}

impl<'a> Welcome<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let session = elements.id(1, "a session id (1 to 2^53)")?;
        let (mut details, mut roles) = (WelcomeDetails::default(), None);
        for detail in elements.attributes(2, "a dictionary of details")? {
            match detail.name() {
                "roles" => roles = Some(Roles::read(&detail)?),
                "agent" => details.agent = Some(detail.text()?),
                "realm" => details.realm = Some(detail.text()?),
                "authid" => details.authid = Some(detail.text()?),
                "authrole" => details.authrole = Some(detail.text()?),
                "authmethod" => details.authmethod = Some(detail.text()?),
                "authprovider" => details.authprovider = Some(detail.text()?),
                "authextra" => details.authextra = Some(detail.dict()?),
                _ => {}
            }
        }
        details.roles = roles.ok_or_else(|| elements.lacks("roles", ROLES))?;
        Ok(Welcome { session, details })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let details = &self.details;
        Encoder::begin(MessageType::Welcome, serializer, out)
            .id(self.session)
            .attributes(|written| {
                written.dict("roles", Some(details.roles.dict()));
                written.text("agent", details.agent.as_deref());
                written.text("realm", details.realm.as_deref());
                written.text("authid", details.authid.as_deref());
                written.text("authrole", details.authrole.as_deref());
                written.text("authmethod", details.authmethod.as_deref());
                written.text("authprovider", details.authprovider.as_deref());
                written.dict("authextra", details.authextra.as_ref());
            })
            .end();
    }
}
