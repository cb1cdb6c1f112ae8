//! The realms of WAMP v2, from their settings.

use clank::Builder;
use clank::wamp2::{
    Auth, Authorizer, CraSecret, InvalidCredential, Kdf, Method, Pattern, Principal, Realm, Rule, Rules,
    ScramSecret, Secret, Ticket, Who,
};
use clank_core::wamp2::auth::Decoy;

use crate::config::{Given, RealmName, RealmSettings, RuleSettings, Settings, UserSettings};
use crate::secret;

/// Gives the server its realms.
pub(crate) fn add_to(builder: Builder, settings: &Settings) -> clank::Result<Builder> {
    let mut builder = builder;
    for name in &settings.wamp2.realms {
        builder = builder.realm(realm(name, settings)?);
    }
    Ok(builder.home_realm(realm(&settings.wamp2.realm, settings)?))
}

fn realm(name: &RealmName, settings: &Settings) -> clank::Result<Realm> {
    let (realm, name) = (settings.wamp2.realm(name), name.as_str());
    let Some(given) = settings.realms.get(name) else { return Ok(realm) };
    let wrong = |error: String| clank::Error::new(format!("realm {name}: {error}"));
    let realm = match auth(&given.settings).map_err(wrong)? {
        Some(auth) => realm.auth(auth),
        None => realm,
    };
    Ok(match authorizer(given).map_err(wrong)? {
        Some(authorizer) => realm.authorize(authorizer),
        None => realm,
    })
}

/// How its clients prove who they are, if they have to.
fn auth(realm: &RealmSettings) -> Result<Option<Auth>, String> {
    let methods: Vec<Method> = realm.methods.iter().map(|method| method.0).collect();
    if methods.is_empty() {
        return Ok(None);
    }
    let key = realm.decoy_key.read().map_err(|error| format!("decoy_key: {error}"))?;
    let key = key.map_or_else(random, Ok)?;
    let decoy = Decoy::new(key.clone());
    let auth = Auth::new(methods.iter().copied()).anonymous_role(realm.anonymous_role.as_str());
    let mut auth = auth.timeout(realm.timeout).decoy_key(key);
    for user in &realm.users {
        auth = auth.principal(principal(&user.settings, &methods, &decoy)?);
    }
    Ok(Some(auth))
}

fn principal(user: &UserSettings, methods: &[Method], decoy: &Decoy) -> Result<Principal, String> {
    let authid = user.authid.as_str();
    let wrong = |error: String| format!("user {authid}: secret: {error}");
    let secret = user.secret.read().map_err(wrong)?;
    let known = |method| secret.as_ref().filter(|_| methods.contains(&method));
    let derived = |derive: fn(&Secret, &[u8], Kdf) -> Result<ScramSecret, InvalidCredential>, method| {
        let derived = known(method).map(|secret| derive(secret, &decoy.scram_salt(authid), secret::KDF));
        derived.transpose().map_err(|error| wrong(error.to_string()))
    };
    let (specified, autobahn) = (
        derived(ScramSecret::derive, Method::Scram)?,
        derived(ScramSecret::derive_autobahn, Method::ScramAutobahn)?,
    );
    Ok(Principal {
        authroles: user.roles.iter().map(|role| role.as_str().into()).collect(),
        authextra: user.attributes.0.clone(),
        ticket: user.ticket_sha256.0.clone().or_else(|| known(Method::Ticket).map(Ticket::plain)),
        cra: user.wampcra.0.clone().or_else(|| known(Method::Cra).cloned().map(CraSecret::plain)),
        keys: user.public_keys.0.clone(),
        scram: user.wamp_scram.0.clone().or(specified),
        scram_autobahn: user.scram.0.clone().or(autobahn),
        ..Principal::new(authid, "")
    })
}

/// What its clients may do, if that is said.
fn authorizer(realm: &Given<RealmSettings>) -> Result<Option<Authorizer>, String> {
    let RealmSettings { rules, otherwise, .. } = &realm.settings;
    if !realm.has_rules() {
        return Ok(None);
    }
    let rules = rules.iter().map(|rule| compiled(&rule.settings)).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Authorizer::new(rules, *otherwise)))
}

fn compiled(rule: &RuleSettings) -> Result<Rule, String> {
    let who = match (rule.role.as_str(), rule.authid.as_str()) {
        ("", "") => Who::Everyone,
        ("", authid) => Who::Authid(authid.into()),
        (role, _) => Who::Role(role.into()),
    };
    let pattern = Pattern::parse(rule.uri.as_str().to_owned(), rule.matching, Rules::Loose);
    let pattern = pattern.map_err(|error| format!("rules: uri: {:?} {error}", rule.uri.as_str()))?;
    let actions = rule.actions.iter().map(|action| action.0);
    Ok(Rule { disclose: rule.disclose, ..Rule::new(who, actions, pattern, rule.effect) })
}

/// A key for names that no user has, where none is given.
fn random() -> Result<Secret, String> {
    secret::random::<32>().map(Secret::from)
}
