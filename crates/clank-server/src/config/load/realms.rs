//! The realms of a configuration: sections that have the name of a realm, with lists of users and
//! of rules.

use std::collections::BTreeSet;

use clank::wamp2::{Method, Pattern, Rules};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::super::problem::{Place, Problem, Severity, nearest};
use super::super::realms::{
    Given, MethodName, REALM_SETTINGS, RULE_SETTINGS, RealmSettings, RuleSettings, USER_SETTINGS,
    UserSettings,
};
use super::super::sinks::Text;
use super::super::table::Setting;
use super::super::value::{Invalid, Raw, quote};
use super::super::wamp2::Wamp2Settings;
use super::{File, Loader};

const USERS: &str = "users";
const RULES: &str = "rules";
/// By what a user proves who it is, and in which ways.
const PROOFS: [(&str, &[Method]); 6] = [
    ("secret", &[Method::Ticket, Method::Cra, Method::Scram, Method::ScramAutobahn]),
    ("ticket_sha256", &[Method::Ticket]),
    ("wampcra", &[Method::Cra]),
    ("scram", &[Method::ScramAutobahn]),
    ("wamp_scram", &[Method::Scram]),
    ("public_keys", &[Method::Cryptosign]),
];

impl Loader {
    /// `[realms]`, which holds a table for each of them.
    pub(super) fn realms(&mut self, file: &File<'_>, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, place) = (key.get_ref(), file.place(&key.span()));
            let DeValue::Table(table) = value.get_ref() else {
                let section = realm_key(name);
                self.error(place, None, &format!("`{section}` is a section: write [{section}]"), None);
                continue;
            };
            let realm = self.realm(file, &realm_key(name), place, table);
            _ = self.settings.realms.insert(name.to_string(), realm);
        }
    }

    fn realm(
        &mut self,
        file: &File<'_>,
        path: &str,
        place: Place,
        table: &DeTable<'_>,
    ) -> Given<RealmSettings> {
        let mut realm: Given<RealmSettings> = Given::nothing(place);
        for (key, value) in table {
            let list = format!("{path}.{}", key.get_ref());
            match &**key.get_ref() {
                USERS => realm.settings.users = self.list(file, &list, value, USER_SETTINGS),
                RULES => realm.settings.rules = self.list(file, &list, value, RULE_SETTINGS),
                _ => self.one(file, path, REALM_SETTINGS, &mut realm, (key, value), &[USERS, RULES]),
            }
        }
        realm
    }

    /// A list of tables: `[[path]]`.
    fn list<S: Default>(
        &mut self,
        file: &File<'_>,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        settings: &'static [Setting<S>],
    ) -> Vec<Given<S>> {
        let mut list = Vec::new();
        let items = value.get_ref().as_array().map(|items| items.iter().collect()).unwrap_or(vec![value]);
        for item in items {
            let place = file.place(&item.span());
            let DeValue::Table(table) = item.get_ref() else {
                self.error(place, None, &format!("`{path}` is a list of tables: write [[{path}]]"), None);
                continue;
            };
            if value.get_ref().as_array().is_none() {
                self.error(place.clone(), None, &format!("there may be several: write [[{path}]]"), None);
            }
            let mut given = Given::nothing(place);
            for entry in table {
                self.one(file, path, settings, &mut given, entry, &[]);
            }
            list.push(given);
        }
        list
    }

    /// Reads one setting of a section. `others` are what may stand there beside settings.
    fn one<S: Default>(
        &mut self,
        file: &File<'_>,
        path: &str,
        settings: &'static [Setting<S>],
        into: &mut Given<S>,
        (key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>),
        others: &[&'static str],
    ) {
        let name = key.get_ref();
        let Some(setting) = settings.iter().find(|setting| setting.key == name) else {
            let near =
                nearest(name, settings.iter().map(|setting| setting.key).chain(others.iter().copied()));
            let message = format!("`{path}` has no setting `{}`", name.escape_debug());
            return self.error(file.place(&key.span()), None, &message, near.map(|near| format!("`{near}`")));
        };
        let place = file.place(&value.span());
        into.places.push((setting.key, place.clone()));
        if let Err(Invalid { message, nearest, span }) =
            (setting.set)(&mut into.settings, Raw::Toml(value.get_ref()))
        {
            into.wrong.push(setting.key);
            let place = span.map_or(place, |span| file.place(&span));
            let key = format!("{path}.{}", setting.key);
            self.error(place, Some(&key), &message, nearest.map(|near| format!("{near:?}")));
        }
    }

    /// Whether a variable is where a secret is.
    pub(super) fn is_secret_variable(&self, name: &str) -> bool {
        self.settings.realms.values().any(|realm| {
            let users = realm.settings.users.iter().map(|user| &user.settings.secret);
            users.chain([&realm.settings.decoy_key]).any(|secret| secret.variable() == Some(name))
        })
    }

    /// Refuses realms that lack something, or say what does not go together.
    pub(super) fn check_realms(&mut self) {
        for (name, realm) in std::mem::take(&mut self.settings.realms) {
            let (key, known) = (realm_key(&name), &self.settings.wamp2);
            if let Some(problem) = unknown(&name, &key, &realm.place, known) {
                self.problems.push(problem);
            }
            let is_home = known.realm.as_str() == name;
            self.problems.extend(Check { key, realm: &realm, is_home }.problems());
            _ = self.settings.realms.insert(name, realm);
        }
    }
}

/// A section is about a realm that there is: one that is misspelled would be open to everybody.
fn unknown(name: &str, key: &str, place: &Place, known: &Wamp2Settings) -> Option<Problem> {
    let names = || known.realms.iter().chain([&known.realm]).map(|realm| realm.as_str());
    if names().any(|known| known == name) {
        return None;
    }
    Some(Problem {
        severity: Severity::Error,
        place: Some(place.clone()),
        key: Some(key.to_owned()),
        message: "there is no such realm: wamp2.realm and wamp2.realms name those that there are".to_owned(),
        nearest: nearest(name, names()).map(quote),
    })
}

/// The key of a realm's section.
pub(in super::super) fn realm_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => format!("realms.{name}"),
        false => format!("realms.{}", quote(name)),
    }
}

/// A realm that is looked at as a whole.
struct Check<'a> {
    key: String,
    realm: &'a Given<RealmSettings>,
    /// Whether clients of WAMP v1 are in it.
    is_home: bool,
}

impl Check<'_> {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_methods(&mut problems);
        self.check_users(&mut problems);
        for rule in &self.realm.settings.rules {
            self.check_rule(rule, &mut problems);
        }
        problems
    }

    fn check_methods(&self, problems: &mut Vec<Problem>) {
        let RealmSettings { methods, users, decoy_key, .. } = &self.realm.settings;
        let place = || self.realm.place_of("methods").unwrap_or(&self.realm.place);
        let mut about =
            |severity, key, place, message: &str| problems.push(self.problem(severity, key, place, message));
        if methods.is_empty() && !users.is_empty() && !self.realm.is_wrong("methods") {
            let message = "there are users: say in which ways they prove who they are";
            about(Severity::Error, "methods", place(), message);
        }
        for MethodName(method) in methods {
            let can = |user: &Given<UserSettings>| {
                PROOFS.iter().any(|(key, methods)| user.has(key) && methods.contains(method))
            };
            let needs_user = !matches!(method, Method::Anonymous | Method::Cookie);
            if needs_user && !users.iter().any(can) {
                about(Severity::Warning, "methods", place(), &format!("no user can use {method}"));
            }
        }
        let is_open = methods.iter().any(|method| method.0 == Method::Anonymous);
        if self.is_home && !methods.is_empty() && !is_open && !self.realm.has_rules() {
            let message = "clients of WAMP v1 are in this realm, prove nothing, and may do everything: give it rules, or let wamp2.realm be another";
            about(Severity::Warning, "methods", place(), message);
        }
        let is_kept =
            |user: &Given<UserSettings>| ["wampcra", "scram", "wamp_scram"].iter().any(|key| user.has(key));
        if let Some(user) = users.iter().find(|user| is_kept(user)).filter(|_| !decoy_key.is_some()) {
            let message = "a user keeps its salt over a start, and names that no user has need this to keep theirs: else it shows which names there are";
            about(Severity::Warning, "decoy_key", &user.place, message);
        }
    }

    fn check_users(&self, problems: &mut Vec<Problem>) {
        let mut names = BTreeSet::new();
        for user in &self.realm.settings.users {
            let UserSettings { authid, roles, secret, .. } = &user.settings;
            let mut about = |key: &str, message: &str| {
                let place = user.place_of(key).unwrap_or(&user.place);
                problems.push(self.problem(Severity::Error, &format!("{USERS}.{key}"), place, message));
            };
            if authid.as_str().is_empty() && !user.is_wrong("authid") {
                about("authid", "a user needs a name");
            } else if !user.is_wrong("authid") && !names.insert(authid.as_str()) {
                about("authid", &format!("there are two of the name {:?}", authid.as_str()));
            }
            if roles.iter().all(|role| role.as_str().is_empty()) {
                about("roles", "a user has one at least");
            }
            let proves =
                |key: &str| user.has(key) && (key != "secret" || secret.is_some() || user.is_wrong(key));
            if !PROOFS.iter().any(|(key, _)| proves(key)) {
                about("secret", "a user proves who it is by this, or by a setting that takes its place");
            }
        }
    }

    fn check_rule(&self, rule: &Given<RuleSettings>, problems: &mut Vec<Problem>) {
        let RuleSettings { role, authid, uri, matching, .. } = &rule.settings;
        let mut about = |severity, key: &str, message: &str| {
            let place = rule.place_of(key).unwrap_or(&rule.place);
            problems.push(self.problem(severity, &format!("{RULES}.{key}"), place, message));
        };
        for needed in ["uri", "effect"].into_iter().filter(|key| !rule.has(key)) {
            about(Severity::Error, needed, "a rule needs it");
        }
        for (key, value) in [("role", role), ("authid", authid)] {
            if rule.has(key) && value.as_str().is_empty() && !rule.is_wrong(key) {
                about(Severity::Error, key, "it is empty: a rule for everybody leaves it out");
            }
        }
        if rule.has("uri")
            && !rule.is_wrong("uri")
            && let Err(error) = Pattern::parse(uri.as_str(), *matching, Rules::Loose)
        {
            about(Severity::Error, "uri", &format!("{:?} {error}", uri.as_str()));
        }
        if !role.as_str().is_empty() && !authid.as_str().is_empty() {
            about(Severity::Error, "authid", "a rule is for a role or for a user, not for both");
        }
        if let Some((key, nearest)) = self.nobody(&rule.settings) {
            let place = rule.place_of(key).unwrap_or(&rule.place);
            let message = format!("there is no such {}", if key == "role" { key } else { "user" });
            let problem = self.problem(Severity::Warning, &format!("{RULES}.{key}"), place, &message);
            problems.push(Problem { nearest: nearest.map(quote), ..problem });
        }
    }

    /// Whether nobody can have the role or name that a rule is for, and who was probably meant. Where
    /// others say who clients are, nobody knows.
    fn nobody(&self, rule: &RuleSettings) -> Option<(&'static str, Option<&str>)> {
        let RealmSettings { methods, users, anonymous_role, .. } = &self.realm.settings;
        if methods.is_empty() || methods.iter().any(|method| method.0 == Method::Cookie) {
            return None;
        }
        let users = || users.iter().map(|user| &user.settings);
        let roles = users().flat_map(|user| &user.roles).chain([anonymous_role]).map(Text::as_str);
        let names = users().map(|user| user.authid.as_str());
        missing("role", &rule.role, roles.collect())
            .or_else(|| missing("authid", &rule.authid, names.collect()))
    }

    fn problem(&self, severity: Severity, key: &str, place: &Place, message: &str) -> Problem {
        let (key, message) = (format!("{}.{key}", self.key), message.to_owned());
        Problem { severity, place: Some(place.clone()), key: Some(key), message, nearest: None }
    }
}

/// A name that is not among those known, and the nearest of them.
fn missing<'a>(
    key: &'static str,
    name: &Text,
    known: Vec<&'a str>,
) -> Option<(&'static str, Option<&'a str>)> {
    let is_missing = !name.as_str().is_empty() && !known.contains(&name.as_str());
    is_missing.then(|| (key, nearest(name.as_str(), known.into_iter())))
}

#[cfg(test)]
mod tests;
