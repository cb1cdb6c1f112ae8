//! What clients may do, by the rules of their realm.

use clank::wamp2::{
    Action, Auth, Authorizer, Disclose, Effect, Match, Method, Pattern, Realm, Rule, Rules, Who,
};
use serde_json::{Value, json};

use crate::support::{HANDSHAKE, JSON2, Peer, Peer2, Test, serve};

const NOT_AUTHORIZED: &str = "wamp.error.not_authorized";

fn rule(who: Who, action: Action, uri: &str, effect: Effect) -> Rule {
    Rule::new(who, [action], Pattern::parse(uri.to_owned(), Match::Exact, Rules::Loose).unwrap(), effect)
}

/// Anonymous clients may do each thing to the URI that is called after it, and `test/echo`.
fn authorizer() -> Authorizer {
    let who = || Who::Role("anonymous".into());
    let allowed = Action::ALL.map(|action| {
        let uri = format!("com.example.{}", action.name());
        rule(who(), action, &uri, Effect::Allow)
    });
    let others = [
        rule(who(), Action::Call, "test/echo", Effect::Allow),
        rule(Who::Authid("anna".into()), Action::Call, "test/nothing", Effect::Allow),
    ];
    Authorizer::new(allowed.into_iter().chain(others), Effect::Deny)
}

fn ruled() -> Test {
    serve(|builder| {
        builder.home_realm(Realm::new("realm1").authorize(authorizer())).on_connecting(|request| async move {
            Ok(match request.cookie("user") {
                Some(user) => clank::Admission::accept().identity(user),
                None => clank::Admission::accept(),
            })
        })
    })
}

fn error(peer: &mut Peer2, message: &Value) -> String {
    peer.send(message);
    let (request_type, request, uri) = peer.error();
    assert_eq!((json!(request_type), json!(request)), (message[0].clone(), message[1].clone()));
    uri
}

#[test]
fn each_action_is_judged_before_it_is_looked_for_what_it_is_done_to() {
    let test = ruled();
    let mut peer = test.client2(JSON2);
    let acknowledge = json!({"acknowledge": true});
    for uri in ["com.example.other", "com.example.none"] {
        assert_eq!(error(&mut peer, &json!([32, 1, {}, uri])), NOT_AUTHORIZED);
        assert_eq!(error(&mut peer, &json!([16, 2, acknowledge, uri])), NOT_AUTHORIZED);
        assert_eq!(error(&mut peer, &json!([64, 3, {}, uri])), NOT_AUTHORIZED);
        assert_eq!(error(&mut peer, &json!([48, 4, {}, uri])), NOT_AUTHORIZED);
    }
    // There is such a procedure, and none of the other name.
    assert_eq!(error(&mut peer, &json!([48, 5, {}, "test/nothing"])), NOT_AUTHORIZED);
    assert_eq!(error(&mut peer, &json!([48, 6, {}, "test/nowhere"])), NOT_AUTHORIZED);
    assert_eq!(error(&mut peer, &json!([48, 7, {}, "com.example.call"])), "wamp.error.no_such_procedure");
    // Nobody hears of a publication that nobody waits for.
    peer.send(&json!([16, 8, {}, "com.example.other", ["unheard"]]));
    // A pattern asks for more than one URI.
    let prefix = json!({"match": "prefix"});
    assert_eq!(error(&mut peer, &json!([32, 9, prefix, "com.example.subscribe"])), NOT_AUTHORIZED);
    peer.send(&json!([32, 10, {}, "com.example.subscribe"]));
    assert_eq!(peer.next()[0], 33);
    peer.register("com.example.register");
    peer.send(&json!([16, 12, acknowledge, "com.example.publish"]));
    assert_eq!(peer.next()[0], 17);
    peer.leave();
}

#[test]
fn rules_for_a_user_hold_for_that_user_alone() {
    let test = ruled();
    let cookie = HANDSHAKE.replace("Host:", "Cookie: user=anna\r\nHost:");
    let mut anna = Peer::upgraded(test.address, &cookie).welcomed();
    assert_eq!(anna.call("test/nothing", &json!([]))[0], 3);
    let refused = anna.call("test/echo", &json!([]));
    assert_eq!((&refused[0], &refused[2]), (&json!(4), &json!(NOT_AUTHORIZED)));
    anna.leave();
}

#[test]
fn clients_of_wamp_v1_are_judged_as_anonymous_ones() {
    let test = ruled();
    let (mut one, mut two) = (test.client(), test.client2(JSON2));
    one.subscribe("com.example.other");
    one.publish("com.example.other", &json!(1));
    one.subscribe("com.example.subscribe");
    one.publish("com.example.publish", &json!(2));
    one.round_trip();
    assert_eq!(test.handle().tables().topics, 1);
    for uri in ["test/nothing", "test/nowhere", "com.example.other"] {
        let refused = one.call(uri, &json!([]));
        assert_eq!((&refused[0], &refused[2]), (&json!(4), &json!(NOT_AUTHORIZED)), "{refused}");
    }
    two.round_trip();
    two.leave();
    one.leave();
}

#[test]
fn a_publication_that_is_not_allowed_reaches_nobody() {
    let deny = rule(Who::Role("guest".into()), Action::Publish, "com.example.chat", Effect::Deny);
    let auth = Auth::new([Method::Anonymous]).anonymous_role("guest");
    let realm = Realm::new("realm1").auth(auth).authorize(Authorizer::new([deny], Effect::Allow));
    let test = serve(|builder| builder.realm("realm1").home_realm(realm));
    let (mut one, mut two, mut old) = (test.client2(JSON2), test.client2(JSON2), test.client());
    one.subscribe("com.example.chat");
    two.send(&json!([16, 1, {}, "com.example.chat", ["unheard"]]));
    two.round_trip();
    old.publish("com.example.chat", &json!("unheard"));
    old.round_trip();
    one.round_trip();
    // The program is not judged.
    test.handle().topic("com.example.chat").unwrap().broadcast("heard").unwrap();
    assert_eq!(one.next()[4], json!(["heard"]));
    for peer in [one, two] {
        peer.leave();
    }
    old.leave();
}

#[test]
fn rules_say_who_learns_of_publishers_and_callers() {
    let everyone =
        |uri: &str, disclose| Rule { disclose, ..rule(Who::Everyone, Action::Publish, uri, Effect::Allow) };
    let call = rule(Who::Everyone, Action::Call, "com.example.call", Effect::Allow);
    let rules = [
        everyone("com.example.open", Disclose::Always),
        everyone("com.example.shut", Disclose::Never),
        Rule { disclose: Disclose::Always, ..call },
    ];
    let realm = Realm::new("realm1").authorize(Authorizer::new(rules, Effect::Allow));
    let test = serve(|builder| builder.home_realm(realm));
    let (mut one, mut two) = (test.client2(JSON2), test.client2(JSON2));
    for (uri, disclosed) in [("com.example.open", true), ("com.example.shut", false)] {
        one.subscribe(uri);
        two.publish(uri, json!({}), &json!([1]));
        let event = one.next();
        assert_eq!(event[3]["publisher"] == two.session, disclosed, "{event}");
    }
    one.register("com.example.call");
    two.call("com.example.call", &json!({}), &json!([]));
    let invocation = one.next();
    assert_eq!(invocation[3]["caller"], two.session, "{invocation}");
    one.send(&json!([70, invocation[1], {}]));
    assert_eq!(two.next()[0], 50);
    let message = json!([16, 9, {"acknowledge": true, "disclose_me": true}, "com.example.shut"]);
    assert_eq!(error(&mut two, &message), "wamp.error.option_disallowed.disclose_me");
    for peer in [one, two] {
        peer.leave();
    }
}
