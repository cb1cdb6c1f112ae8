//! Who may do what to which URIs (specification: "Authorization").
//!
//! [`Rule`]s allow or deny actions of everybody, a role or a user on the URIs of a pattern. One that
//! denies wins over any that allow, however specific; where no rule says anything, the realm's
//! default holds. All that is looked at is who asks, for what and which URI: so it can be decided
//! before anybody looks for the topic or procedure, and a refusal does not tell whether there is one.
//!
//! Who subscribes or registers with a pattern asks for all the URIs that it matches: a rule that
//! denies one of them denies it, and one rule must allow them all.
//!
//! ```
//! use clank_core::wamp2::authorize::{Action, Authorizer, Effect, Rule, Subject, Who};
//! use clank_wire::wamp2::{Match, Pattern, Rules};
//!
//! let pattern = |text, matching| Pattern::parse(text, matching, Rules::Strict);
//! let user = || Who::Role("user".into());
//! let authorizer = Authorizer::new(
//!     [
//!         Rule::new(user(), Action::ALL, pattern("com.example.", Match::Prefix)?, Effect::Allow),
//!         Rule::new(user(), [Action::Publish], pattern("com.example..log", Match::Wildcard)?, Effect::Deny),
//!     ],
//!     Effect::Deny,
//! );
//! let joe = Subject { authid: "joe", authrole: "user" };
//! assert!(authorizer.decide(joe, Action::Publish, "com.example.chat").is_allowed());
//! assert!(!authorizer.decide(joe, Action::Publish, "com.example.db.log").is_allowed());
//! let all = pattern("com.", Match::Prefix)?;
//! assert!(!authorizer.decide_pattern(joe, Action::Subscribe, &all).is_allowed());
//! # Ok::<(), clank_wire::wamp2::InvalidUri>(())
//! ```

mod rule;

pub use rule::{Action, Actions, Disclose, DiscloseRefused, Effect, Rule, Who};

use std::collections::BTreeMap;
use std::sync::Arc;

use clank_wire::wamp2::{Match, Pattern, reason};

use crate::pattern::{Trie, covers, overlap};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Its name.
    pub authid: &'a str,
    /// The role that it acts in.
    pub authrole: &'a str,
}

/// Whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub effect: Effect,
    /// Whether others learn who it is, if it publishes or calls.
    pub disclose: Disclose,
    /// Which rule has decided, in the order in which they were given; `None` if it is the default.
    pub rule: Option<usize>,
}

/// The rules of a realm, compiled.
///
/// What a decision costs grows with the rules that match the URI, not with those that there are. A
/// subscription or registration with a pattern looks at each pattern in the rules for everybody,
/// the role and the user; publications and calls have no patterns.
#[derive(Debug, Clone)]
pub struct Authorizer {
    everyone: Table,
    roles: BTreeMap<Box<str>, Table>,
    authids: BTreeMap<Box<str>, Table>,
    default: Decision,
}

/// The rules for one role, user or everybody, by their patterns.
type Table = Trie<Arc<Entry>>;

/// What all rules with one pattern say together.
#[derive(Debug, Clone)]
struct Entry {
    pattern: Pattern<'static>,
    decisions: [Option<Decision>; Action::ALL.len()],
}

impl Decision {
    /// Whether it may.
    pub const fn is_allowed(self) -> bool {
        matches!(self.effect, Effect::Allow)
    }

    /// The URI of the error that answers the request, if it may not.
    pub const fn uri(self) -> Option<&'static str> {
        if self.is_allowed() { None } else { Some(reason::NOT_AUTHORIZED) }
    }

    /// Both together: what denies wins, and of the rules that allow, the one that hides more.
    fn and(self, other: Self) -> Self {
        if self.effect != other.effect {
            return if self.is_allowed() { other } else { self };
        }
        let rule = if other.rule < self.rule { other.rule } else { self.rule };
        Decision { effect: self.effect, disclose: self.disclose.max(other.disclose), rule }
    }
}

impl Authorizer {
    /// Compiles rules. `default` holds where they say nothing; then others learn who a client is if
    /// it asks for that.
    pub fn new(rules: impl IntoIterator<Item = Rule>, default: Effect) -> Self {
        let default = Decision { effect: default, disclose: Disclose::AsAsked, rule: None };
        let (everyone, roles, authids) = (Table::new(), BTreeMap::new(), BTreeMap::new());
        let mut authorizer = Authorizer { everyone, roles, authids, default };
        for (number, rule) in rules.into_iter().enumerate() {
            authorizer.add(number, rule);
        }
        authorizer
    }

    /// The same where a default that allows says otherwise who learns of a client.
    #[must_use]
    pub const fn disclosing(mut self, default: Disclose) -> Self {
        self.default.disclose = default;
        self
    }

    fn add(&mut self, number: usize, rule: Rule) {
        let Rule { who, actions, pattern, effect, disclose } = rule;
        let table = match who {
            Who::Everyone => &mut self.everyone,
            Who::Role(role) => self.roles.entry(role).or_default(),
            Who::Authid(authid) => self.authids.entry(authid).or_default(),
        };
        let mut decisions = table.value(&pattern).map(|entry| entry.decisions).unwrap_or_default();
        let added = Decision { effect, disclose, rule: Some(number) };
        for (action, decision) in Action::ALL.into_iter().zip(&mut decisions) {
            if actions.has(action) {
                *decision = Some(decision.map_or(added, |decision| decision.and(added)));
            }
        }
        let entry = Entry { pattern: pattern.clone(), decisions };
        table.insert(&pattern, Arc::new(entry));
    }

    /// Whether a client may do that to a URI.
    pub fn decide(&self, subject: Subject<'_>, action: Action, uri: &str) -> Decision {
        let entries = self.tables(subject).flat_map(|table| table.matches(uri));
        let decisions = entries.filter_map(|entry| entry.decision(action));
        decisions.reduce(Decision::and).unwrap_or(self.default)
    }

    /// Whether a client may subscribe or register with a pattern.
    pub fn decide_pattern(&self, subject: Subject<'_>, action: Action, pattern: &Pattern<'_>) -> Decision {
        if pattern.matching() == Match::Exact {
            return self.decide(subject, action, pattern.as_str());
        }
        let entries = self.tables(subject).flat_map(Table::values);
        let decisions = entries.filter_map(|entry| {
            let decision = entry.decision(action)?;
            let applies = match decision.effect {
                Effect::Deny => overlap(&entry.pattern, pattern),
                Effect::Allow => covers(&entry.pattern, pattern),
            };
            applies.then_some(decision)
        });
        decisions.reduce(Decision::and).unwrap_or(self.default)
    }

    fn tables(&self, subject: Subject<'_>) -> impl Iterator<Item = &Table> {
        let (role, authid) = (self.roles.get(subject.authrole), self.authids.get(subject.authid));
        [Some(&self.everyone), role, authid].into_iter().flatten()
    }
}

impl Entry {
    fn decision(&self, action: Action) -> Option<Decision> {
        Action::ALL.into_iter().zip(self.decisions).find(|(known, _)| *known == action)?.1
    }
}
