//! Who may do what: a table, and a list of rules that are looked at one by one.

#![allow(clippy::unwrap_used)]

use clank_core::pattern::{covers, overlap};
use clank_core::wamp2::authorize::{
    Action, Authorizer, Decision, Disclose, DiscloseRefused, Effect, Rule, Subject, Who,
};
use clank_wire::wamp2::{Match, Pattern, Rules, reason};
use proptest::prelude::*;

use Action::{Call, Publish, Register, Subscribe};
use Effect::{Allow, Deny};
use Match::{Exact, Prefix, Wildcard};

fn pattern(text: &str, matching: Match) -> Pattern<'static> {
    Pattern::parse(text.to_owned(), matching, Rules::Strict).unwrap()
}

fn role(name: &str) -> Who {
    Who::Role(name.into())
}

const ANN: Subject<'_> = Subject { authid: "ann", authrole: "user" };
const BEN: Subject<'_> = Subject { authid: "ben", authrole: "user" };
const EVE: Subject<'_> = Subject { authid: "eve", authrole: "guest" };

fn rules() -> Vec<Rule> {
    vec![
        Rule::new(role("user"), [Subscribe, Publish], pattern("app.", Prefix), Allow),
        Rule::new(role("user"), [Publish], pattern("app..log", Wildcard), Deny),
        Rule::new(Who::Authid("ann".into()), [Publish], pattern("app.db.log", Exact), Allow),
        Rule::new(Who::Authid("ben".into()), Action::ALL, pattern("app.secret", Exact), Deny),
        Rule::new(Who::Everyone, [Call], pattern("app.time", Exact), Allow),
        Rule::new(role("guest"), [Subscribe], pattern("news..today", Wildcard), Allow),
        Rule::new(role("user"), [Register], pattern("app.", Prefix), Allow),
        Rule::new(Who::Everyone, [Register], pattern("app.time", Exact), Deny),
    ]
}

#[test]
fn what_denies_wins_and_the_default_is_last() {
    for default in [Allow, Deny] {
        let authorizer = Authorizer::new(rules(), default);
        for (subject, action, text, matching, effect, rule) in [
            (ANN, Publish, "app.chat", Exact, Allow, Some(0)),
            (ANN, Call, "app.chat", Exact, default, None),
            (ANN, Publish, "app.db.log", Exact, Deny, Some(1)), // the exact rule doesn't help
            (ANN, Publish, "app.db.x.log", Exact, Allow, Some(0)),
            (ANN, Subscribe, "app.secret", Exact, Allow, Some(0)),
            (BEN, Subscribe, "app.secret", Exact, Deny, Some(3)),
            (EVE, Call, "app.time", Exact, Allow, Some(4)),
            (EVE, Subscribe, "app.chat", Exact, default, None),
            (ANN, Register, "app.time", Exact, Deny, Some(7)),
            // With a pattern: all of it has to be allowed, and nothing of it denied.
            (ANN, Subscribe, "app.", Prefix, Allow, Some(0)),
            (ANN, Subscribe, "app.chat", Prefix, Allow, Some(0)),
            (ANN, Subscribe, "app", Prefix, default, None),
            (ANN, Subscribe, "app..log", Wildcard, Allow, Some(0)),
            (ANN, Subscribe, ".chat.log", Wildcard, default, None),
            (BEN, Subscribe, "app.", Prefix, Deny, Some(3)),
            (BEN, Subscribe, ".secret", Wildcard, Deny, Some(3)),
            (EVE, Subscribe, "news..today", Wildcard, Allow, Some(5)),
            (EVE, Subscribe, "news.world.today", Wildcard, Allow, Some(5)),
            (EVE, Subscribe, "news..", Wildcard, default, None),
            (EVE, Subscribe, "news.", Prefix, default, None),
            (ANN, Register, "app.", Prefix, Deny, Some(7)),
            (ANN, Register, "app.t", Prefix, Deny, Some(7)),
            (ANN, Register, "app.c", Prefix, Allow, Some(6)),
        ] {
            let decision = authorizer.decide_pattern(subject, action, &pattern(text, matching));
            assert_eq!(
                (decision.effect, decision.rule),
                (effect, rule),
                "{} {action:?} {text}",
                subject.authid
            );
            assert_eq!(decision.uri(), (effect == Deny).then_some(reason::NOT_AUTHORIZED));
            if matching == Exact {
                assert_eq!(authorizer.decide(subject, action, text), decision);
            }
        }
    }
}

#[test]
fn of_rules_that_allow_the_one_that_hides_more_holds() {
    let rule = |who, text, matching, disclose| {
        let rule = Rule::new(who, [Publish], pattern(text, matching), Allow);
        Rule { disclose, ..rule }
    };
    let rules = [
        rule(Who::Everyone, "", Prefix, Disclose::AsAsked),
        rule(role("user"), "app.", Prefix, Disclose::Always),
        rule(Who::Authid("ann".into()), "app.vote", Exact, Disclose::Never),
    ];
    let authorizer = Authorizer::new(rules, Deny);
    for (subject, uri, asked, disclosed) in [
        (EVE, "app.chat", false, Ok(false)),
        (EVE, "app.chat", true, Ok(true)),
        (BEN, "app.vote", false, Ok(true)),
        (ANN, "app.chat", true, Ok(true)),
        (ANN, "app.vote", false, Ok(false)),
        (ANN, "app.vote", true, Err(DiscloseRefused)),
    ] {
        let decision = authorizer.decide(subject, Publish, uri);
        assert!(decision.is_allowed());
        assert_eq!(decision.disclose.resolve(asked), disclosed, "{} {uri}", subject.authid);
    }
    let open = Authorizer::new([], Allow).disclosing(Disclose::Never);
    assert_eq!(open.decide(ANN, Call, "x").disclose, Disclose::Never);
    assert_eq!(DiscloseRefused.uri(), "wamp.error.option_disallowed.disclose_me");
}

#[test]
fn words_of_settings_are_read() {
    assert!(Action::ALL.into_iter().all(|action| Action::from_name(action.name()) == Some(action)));
    assert!([Allow, Deny].into_iter().all(|effect| Effect::from_name(effect.name()) == Some(effect)));
    for disclose in [Disclose::AsAsked, Disclose::Always, Disclose::Never] {
        assert_eq!(Disclose::from_name(disclose.name()), Some(disclose));
    }
    assert_eq!(
        (Action::from_name("shout"), Effect::from_name(""), Disclose::from_name("x")),
        (None, None, None)
    );
}

fn patterns() -> impl Strategy<Value = Pattern<'static>> {
    let text = prop::collection::vec(prop::sample::select(vec!["", "", "a", "ab", "b"]), 1..4);
    (text, prop::sample::select(vec![Exact, Prefix, Wildcard]))
        .prop_filter_map("an empty component where none may be", |(components, matching)| {
            Pattern::parse(components.join("."), matching, Rules::Strict).ok()
        })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let who = prop::sample::select(vec![
        Who::Everyone,
        role("user"),
        role("guest"),
        Who::Authid("ann".into()),
        Who::Authid("eve".into()),
    ]);
    let actions = prop::sample::subsequence(Action::ALL.to_vec(), 1..=4);
    let effect = prop::sample::select(vec![Allow, Allow, Deny]);
    let disclose = prop::sample::select(vec![Disclose::AsAsked, Disclose::Always, Disclose::Never]);
    (who, actions, patterns(), effect, disclose).prop_map(|(who, actions, pattern, effect, disclose)| Rule {
        disclose,
        ..Rule::new(who, actions, pattern, effect)
    })
}

/// Looks at every rule.
fn naive(
    rules: &[Rule],
    default: Effect,
    subject: Subject<'_>,
    action: Action,
    of: &Pattern<'_>,
) -> Decision {
    let applies = |rule: &&(usize, &Rule)| {
        let rule = rule.1;
        let is_meant = match &rule.who {
            Who::Everyone => true,
            Who::Role(role) => **role == *subject.authrole,
            Who::Authid(authid) => **authid == *subject.authid,
        };
        let on = match rule.effect {
            Deny => overlap(&rule.pattern, of),
            Allow => covers(&rule.pattern, of),
        };
        is_meant && rule.actions.has(action) && on
    };
    let numbered: Vec<_> = rules.iter().enumerate().collect();
    for effect in [Deny, Allow] {
        let of_effect: Vec<_> =
            numbered.iter().filter(applies).filter(|rule| rule.1.effect == effect).collect();
        if let Some(first) = of_effect.first() {
            let disclose = of_effect.iter().map(|rule| rule.1.disclose).max().unwrap();
            return Decision { effect, disclose, rule: Some(first.0) };
        }
    }
    Decision { effect: default, disclose: Disclose::AsAsked, rule: None }
}

proptest! {
    #[test]
    fn compiled_rules_decide_as_a_list_does(
        rules in prop::collection::vec(any_rule(), 0..12),
        objects in prop::collection::vec(patterns(), 1..8),
        default in prop::sample::select(vec![Allow, Deny]),
    ) {
        let authorizer = Authorizer::new(rules.clone(), default);
        for object in &objects {
            for action in Action::ALL {
                for subject in [ANN, BEN, EVE] {
                    let expected = naive(&rules, default, subject, action, object);
                    prop_assert_eq!(authorizer.decide_pattern(subject, action, object), expected);
                }
            }
        }
    }
}
