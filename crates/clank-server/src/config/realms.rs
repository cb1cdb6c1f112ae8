//! `[realms.NAME]`: how clients of WAMP v2 prove who they are, and what they may do.

use std::borrow::Cow;

use clank::wamp2::{CraSecret, Disclose, Effect, Match, Method, ScramSecret, Ticket};
use clank_core::limits::{MINUTE, Period, SECOND};
use serde_json::{Map, Number, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::credentials::{PublicKeys, SecretSource, Stored};
use super::problem::{Place, nearest};
use super::sinks::Text;
use super::table::{Setting, table};
use super::value::{Choice, Invalid, Raw, Value, Word};

/// Settings that were given, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<S> {
    /// The settings.
    pub settings: S,
    /// Where they begin.
    pub place: Place,
    /// Of each that was given, where; also if what was given is wrong.
    pub(super) places: Vec<(&'static str, Place)>,
    /// Those whose value is wrong: that has been told.
    pub(super) wrong: Vec<&'static str>,
}

impl<S: Default> Given<S> {
    pub(super) fn nothing(place: Place) -> Self {
        Self { settings: S::default(), place, places: Vec::new(), wrong: Vec::new() }
    }

    /// Where the setting was given, if it was.
    pub(super) fn place_of(&self, key: &str) -> Option<&Place> {
        self.places.iter().find(|(known, _)| *known == key).map(|(_, place)| place)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.place_of(key).is_some()
    }

    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.wrong.contains(&key)
    }
}

/// `[realms.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct RealmSettings {
    /// In which ways clients may prove who they are; none: nobody has to.
    pub methods: Vec<MethodName>,
    /// The role of those who prove nothing.
    pub anonymous_role: Text,
    /// Time to answer a challenge.
    pub timeout: Period<100, { 5 * MINUTE }>,
    /// From what challenges for users who don't exist are made.
    pub decoy_key: SecretSource,
    /// What holds where no rule says anything.
    pub otherwise: Effect,
    /// `[[realms.NAME.users]]`
    pub users: Vec<Given<UserSettings>>,
    /// `[[realms.NAME.rules]]`
    pub rules: Vec<Given<RuleSettings>>,
}

impl Given<RealmSettings> {
    /// Whether it is said what clients may do.
    pub(crate) fn has_rules(&self) -> bool {
        !self.settings.rules.is_empty() || self.has("otherwise")
    }
}

/// `[[realms.NAME.users]]`
#[derive(Clone, Debug, PartialEq)]
pub struct UserSettings {
    /// Its name.
    pub authid: Text,
    /// The roles that it may act in, the usual one first.
    pub roles: Vec<Text>,
    /// What is known of it beside its name.
    pub attributes: Attributes,
    /// What it knows: a ticket, a secret for WAMP-CRA, a password for SCRAM.
    pub secret: SecretSource,
    /// What is kept of its ticket.
    pub ticket_sha256: Stored<Ticket>,
    /// The key that is derived of its secret for WAMP-CRA.
    pub wampcra: Stored<CraSecret>,
    /// What is kept of its password for SCRAM as Autobahn has it.
    pub scram: Stored<ScramSecret>,
    /// What is kept of its password for SCRAM.
    pub wamp_scram: Stored<ScramSecret>,
    /// Its keys for cryptosign.
    pub public_keys: PublicKeys,
}

/// `[[realms.NAME.rules]]`
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSettings {
    /// The role that it is for.
    pub role: Text,
    /// The user that it is for.
    pub authid: Text,
    /// What they do.
    pub actions: Vec<Action>,
    /// To which URIs.
    pub uri: Text,
    /// How URIs are compared with it.
    pub matching: Match,
    /// Whether they may.
    pub effect: Effect,
    /// Whether others learn who publishes or calls.
    pub disclose: Disclose,
}

impl Default for RealmSettings {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            anonymous_role: Text::of("anonymous"),
            timeout: Period::of(10 * SECOND),
            decoy_key: SecretSource::None,
            otherwise: Effect::Deny,
            users: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Default for UserSettings {
    fn default() -> Self {
        Self {
            authid: Text::default(),
            roles: vec![Text::of("user")],
            attributes: Attributes::default(),
            secret: SecretSource::None,
            ticket_sha256: Stored::default(),
            wampcra: Stored::default(),
            scram: Stored::default(),
            wamp_scram: Stored::default(),
            public_keys: PublicKeys::default(),
        }
    }
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            role: Text::default(),
            authid: Text::default(),
            actions: clank::wamp2::Action::ALL.map(Action).into(),
            uri: Text::default(),
            matching: Match::Exact,
            effect: Effect::Deny,
            disclose: Disclose::AsAsked,
        }
    }
}

/// Every setting of a realm, in the order of the reference.
pub const REALM_SETTINGS: &[Setting<RealmSettings>] = table! {
    "methods" => methods, "In which ways clients of WAMP v2 may prove who they are; `[]`: nobody has to. `cookie` takes who the webhook of `[connecting]` says that they are, `anonymous` takes everybody; `scram` is SCRAM as Autobahn has it.";
    "anonymous_role" => anonymous_role, "The role of clients that prove nothing.";
    "timeout" => timeout, "Time that a client has to answer a challenge; less if `limits.handshake` is.";
    "decoy_key" => decoy_key, "From what challenges for names that no user has are made; `\"\"`: from something else at each start. Where users' keys are kept and not their secrets it must stay the same, or who asks before and after a start learns which names there are.";
    "otherwise" => otherwise, "What holds for what no rule speaks of; without this and without rules everything is allowed.";
};

/// Every setting of a user, in the order of the reference.
pub const USER_SETTINGS: &[Setting<UserSettings>] = table! {
    "authid" => authid, "The user's name.";
    "roles" => roles, "The roles that it may act in: the first, unless it asks for another.";
    "attributes" => attributes, "What is known of it beside its name: the attributes of its identity in events. The client is told them too, as `authextra`.";
    "secret" => secret, "What it knows: its ticket, its secret for WAMP-CRA, its password for SCRAM, for each method that the realm has.";
    "ticket_sha256" => ticket_sha256, "What is kept of its ticket in place of `secret`: the SHA-256.";
    "wampcra" => wampcra, "What is kept for WAMP-CRA in place of `secret`: a key derived by PBKDF2.";
    "scram" => scram, "What is kept for the method `scram` in place of `secret`.";
    "wamp_scram" => wamp_scram, "What is kept for the method `wamp-scram` in place of `secret`.";
    "public_keys" => public_keys, "Its public keys, for cryptosign.";
};

/// Every setting of a rule, in the order of the reference.
pub const RULE_SETTINGS: &[Setting<RuleSettings>] = table! {
    "role" => role, "The role that it is for. With neither this nor `authid` it is for everybody.";
    "authid" => authid, "The user that it is for.";
    "actions" => actions, "What they do.";
    "uri" => uri, "To which topics or procedures. `\"\"`, with `match = \"prefix\"`, is all.";
    "match" => matching, "Whether the URI is one, the beginning of some, or one whose empty parts between dots stand for any.";
    "effect" => effect, "Whether they may. A rule that denies wins over those that allow.";
    "disclose" => disclose, "Whether others learn who publishes or calls: if the client asks for it, always or never.";
};

/// A method of authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodName(pub Method);

impl Word for MethodName {
    const SYNTAX: &'static str =
        "`anonymous`, `cookie`, `ticket`, `wampcra`, `cryptosign`, `wamp-scram` or `scram`";

    fn read(text: &str) -> Option<Self> {
        Method::from_name(text).map(Self)
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.name().into()
    }

    fn nearest(text: &str) -> Option<&'static str> {
        nearest(text, Method::ALL.into_iter().map(Method::name))
    }
}

/// What a client does to a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub clank::wamp2::Action);

impl Word for Action {
    const SYNTAX: &'static str = "`subscribe`, `publish`, `register` or `call`";

    fn read(text: &str) -> Option<Self> {
        clank::wamp2::Action::from_name(text).map(Self)
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.name().into()
    }

    fn nearest(text: &str) -> Option<&'static str> {
        nearest(text, clank::wamp2::Action::ALL.into_iter().map(clank::wamp2::Action::name))
    }
}

/// What is known of a user beside its name, as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Map<String, Json>);

impl Value for Attributes {
    fn syntax() -> String {
        "table".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        match raw {
            Raw::Toml(DeValue::Table(table)) => object(table).map(Self),
            _ => Err(Invalid::new("it is not a table, such as { plan = \"gold\" }")),
        }
    }

    fn to_toml(&self) -> String {
        // It came from TOML.
        toml::Value::try_from(&self.0).map_or_else(|_| "{}".to_owned(), |table| table.to_string())
    }
}

fn object(table: &DeTable<'_>) -> Result<Map<String, Json>, Invalid> {
    table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), json(value)?))).collect()
}

fn json(value: &Spanned<DeValue<'_>>) -> Result<Json, Invalid> {
    let wrong = || Invalid { span: Some(value.span()), ..Invalid::new("it is no number of JSON") };
    Ok(match value.get_ref() {
        DeValue::String(text) => (&**text).into(),
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Datetime(datetime) => datetime.to_string().into(),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| wrong())?.into()
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            Json::Number(number.ok_or_else(wrong)?)
        }
        DeValue::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        DeValue::Table(table) => Json::Object(object(table)?),
    })
}

impl Choice for Effect {
    const CHOICES: &'static [(&'static str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}

impl Choice for Match {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("exact", Self::Exact), ("prefix", Self::Prefix), ("wildcard", Self::Wildcard)];
}

impl Choice for Disclose {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("as_asked", Self::AsAsked), ("always", Self::Always), ("never", Self::Never)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_names_every_method_and_action() {
        for method in Method::ALL {
            assert!(MethodName::SYNTAX.contains(&format!("`{method}`")), "{method}");
        }
        for action in clank::wamp2::Action::ALL {
            assert!(Action::SYNTAX.contains(&format!("`{}`", action.name())), "{action:?}");
        }
    }
}
