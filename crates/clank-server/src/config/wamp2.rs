//! `[wamp2]`: the realms that clients of WAMP v2 join.

use std::borrow::Cow;

use clank_wire::wamp2::{Rules, Uri};

use super::value::Word;

/// `[wamp2]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wamp2Settings {
    /// Where clients of WAMP v1 are, and where the HTTP API publishes.
    pub realm: RealmName,
    /// The others.
    pub realms: Vec<RealmName>,
}

/// The URI of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmName(String);

impl RealmName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Wamp2Settings {
    fn default() -> Self {
        Self { realm: RealmName("realm1".into()), realms: Vec::new() }
    }
}

impl Word for RealmName {
    const SYNTAX: &'static str =
        "the name of a realm, such as `com.example.app`: no white space, no `#`, no empty part between dots";

    fn read(text: &str) -> Option<Self> {
        let uri = Uri::parse(text, Rules::Loose).ok()?;
        (!uri.is_reserved()).then(|| Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.as_str().into()
    }
}

super::value::words!(RealmName);
