//! Meta events and procedures: a realm tells of its sessions, subscriptions and registrations.

use clank::wamp2::{
    Action, Auth, Authorizer, Effect, Match, Method, Pattern, Principal, Realm, Rule, Rules, Secret, Ticket,
    Who,
};
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, Test, serve, until};

/// Calls, and returns the arguments of the result.
fn ask(peer: &mut Peer2, procedure: &str, arguments: &Value) -> Value {
    let request = peer.call(procedure, &json!({}), arguments);
    let result = peer.next();
    assert_eq!((&result[0], &result[1]), (&json!(50), &json!(request)), "{procedure}: {result}");
    result[3].clone()
}

/// Calls, and returns the URI of the error.
fn refused(peer: &mut Peer2, procedure: &str, arguments: &Value) -> String {
    peer.call(procedure, &json!({}), arguments);
    peer.error().2
}

/// The next message, which is an EVENT; returns subscription, arguments and keyword arguments.
fn event(peer: &mut Peer2) -> (u64, Value, Value) {
    let event = peer.next();
    assert_eq!(event[0], 36, "{event}");
    (event[1].as_u64().unwrap(), event[4].clone(), event[5].clone())
}

/// A realm where `joe`, by a ticket, may kill others.
fn guarded() -> Test {
    let joe =
        Principal { ticket: Some(Ticket::plain(&Secret::from("s3cret"))), ..Principal::new("joe", "admin") };
    let kill = Pattern::parse("wamp.session.kill", Match::Prefix, Rules::Loose).unwrap();
    let rule = Rule::new(Who::Role("admin".into()), [Action::Call], kill, Effect::Allow);
    let realm = Realm::new("realm1")
        .auth(Auth::new([Method::Ticket, Method::Anonymous]).principal(joe))
        .authorize(Authorizer::new([rule], Effect::Allow));
    serve(|builder| builder.home_realm(realm).realm("com.example.other"))
}

fn admin(test: &Test) -> Peer2 {
    let mut peer = Peer2::connect(test.address, JSON2);
    let roles = json!({"subscriber": {}, "publisher": {}, "caller": {}, "callee": {}});
    peer.send(&json!([1, "realm1", {"roles": roles, "authmethods": ["ticket"], "authid": "joe"}]));
    assert_eq!(peer.next()[0], 4);
    peer.send(&json!([5, "s3cret", {}]));
    peer.welcomed();
    peer
}

#[test]
fn a_realm_tells_who_joins_and_leaves_and_why() {
    let test = serve(|builder| builder.realm("com.example.other"));
    for codec in Codec::ALL {
        let mut watch = test.client2(codec);
        let (join, leave) =
            (watch.subscribe("wamp.session.on_join"), watch.subscribe("wamp.session.on_leave"));
        let peer = test.client2(JSON2);
        let (subscription, arguments, _) = event(&mut watch);
        let details = &arguments[0];
        assert_eq!((subscription, &details["session"]), (join, &json!(peer.session)), "{arguments}");
        assert_eq!(details["authid"], peer.welcome[2]["authid"]);
        assert_eq!(
            (&details["authrole"], &details["authmethod"]),
            (&json!("anonymous"), &json!("anonymous"))
        );
        assert_eq!(details["transport"]["protocol"], "wamp.2.json");
        let (session, authid) = (peer.session, details["authid"].clone());
        peer.leave();
        let (subscription, arguments, keywords) = event(&mut watch);
        assert_eq!((subscription, arguments), (leave, json!([session, authid, "anonymous"])));
        assert_eq!(
            keywords,
            json!({"cause": "client_closed", "code": 1000, "reason": "wamp.close.close_realm"})
        );
        // Its socket breaks.
        let lost = test.client2(JSON2);
        event(&mut watch);
        drop(lost);
        let (_, _, keywords) = event(&mut watch);
        assert_eq!((&keywords["cause"], &keywords["code"]), (&json!("network_lost"), &json!(1006)));
        // A client of WAMP v1 is a session too, and has a name by its handshake or none.
        let old = test.client();
        let number = u64::from_str_radix(&old.session, 16).unwrap();
        let (_, arguments, _) = event(&mut watch);
        assert_eq!((&arguments[0]["session"], &arguments[0]["authid"]), (&json!(number), &json!("")));
        old.leave();
        assert_eq!(event(&mut watch).1, json!([number, "", "anonymous"]));
        // Others' business.
        Peer2::join(test.address, JSON2, "com.example.other").leave();
        watch.round_trip();
        watch.leave();
        test.until_empty();
    }
}

#[test]
fn clients_of_wamp_v1_hear_meta_events_and_call_meta_procedures() {
    let test = serve(|builder| builder);
    let mut old = test.client();
    old.subscribe("wamp.session.on_leave");
    old.round_trip();
    let peer = test.client2(JSON2);
    let (session, authid) = (peer.session, peer.welcome[2]["authid"].clone());
    assert_eq!(old.call("wamp.session.count", &json!([]))[2], json!(2));
    let refused = old.call("wamp.session.get", &json!([7]));
    assert_eq!((&refused[0], &refused[2]), (&json!(4), &json!("wamp.error.no_such_session")));
    // What it says there itself goes to nobody.
    old.publish("wamp.session.on_leave", &json!([7, "anna", "admin"]));
    peer.leave();
    let kwargs = json!({"cause": "client_closed", "code": 1000, "reason": "wamp.close.close_realm"});
    let event = json!({"args": [session, authid, "anonymous"], "kwargs": kwargs});
    assert_eq!(old.json(), json!([8, "wamp.session.on_leave", event]));
    old.leave();
}

#[test]
fn sessions_are_counted_listed_and_described() {
    let test = guarded();
    for codec in Codec::ALL {
        let (mut peer, joe, old) = (test.client2(codec), admin(&test), test.client());
        let own = json!([peer.session]);
        let other = Peer2::join(test.address, JSON2, "com.example.other");
        let old_number = u64::from_str_radix(&old.session, 16).unwrap();
        assert_eq!(ask(&mut peer, "wamp.session.count", &json!([])), json!([3]));
        assert_eq!(ask(&mut peer, "wamp.session.count", &json!([["admin", "none"]])), json!([1]));
        assert_eq!(ask(&mut peer, "wamp.session.count", &json!([["anonymous"]])), json!([2]));
        assert_eq!(ask(&mut peer, "wamp.session.list", &json!([["admin"]])), json!([[joe.session]]));
        let mut all = ask(&mut peer, "wamp.session.list", &json!([null]));
        let mut expected = json!([[peer.session, joe.session, old_number]]);
        for list in [&mut all, &mut expected] {
            list[0].as_array_mut().unwrap().sort_unstable_by_key(Value::as_u64);
        }
        assert_eq!(all, expected);
        let details = ask(&mut peer, "wamp.session.get", &json!([joe.session]));
        let described = json!([{"session": joe.session, "authid": "joe", "authrole": "admin",
            "authmethod": "ticket", "authprovider": "static", "transport": {"protocol": "wamp.2.json"}}]);
        assert_eq!(details, described);
        assert_eq!(ask(&mut peer, "wamp.session.get", &own)[0]["session"], own[0]);
        for stranger in [other.session, 1] {
            let error = refused(&mut peer, "wamp.session.get", &json!([stranger]));
            assert_eq!(error, "wamp.error.no_such_session");
        }
        for arguments in [json!([]), json!(["one"]), json!([{}]), json!([-1])] {
            assert_eq!(refused(&mut peer, "wamp.session.get", &arguments), "wamp.error.invalid_argument");
        }
        assert_eq!(refused(&mut peer, "wamp.session.list", &json!([1])), "wamp.error.invalid_argument");
        [peer, joe, other].into_iter().for_each(Peer2::leave);
        old.leave();
        test.until_empty();
    }
}

#[test]
fn nobody_kills_where_no_rule_says_so() {
    let test = serve(|builder| builder);
    let (mut peer, other) = (test.client2(JSON2), test.client2(JSON2));
    let mut old = test.client();
    for (procedure, argument) in [
        ("wamp.session.kill", json!([other.session])),
        ("wamp.session.kill_by_authid", json!([other.welcome[2]["authid"]])),
        ("wamp.session.kill_by_authrole", json!(["anonymous"])),
        ("wamp.session.kill_all", json!([])),
    ] {
        assert_eq!(refused(&mut peer, procedure, &argument), "wamp.error.not_authorized", "{procedure}");
        assert_eq!(old.call(procedure, &argument)[2], "wamp.error.not_authorized", "{procedure}");
    }
    old.leave();
    [peer, other].into_iter().for_each(Peer2::leave);
    // The default of a realm's rules is no rule.
    let test = guarded();
    let (mut peer, other) = (test.client2(JSON2), test.client2(JSON2));
    assert_eq!(refused(&mut peer, "wamp.session.kill_all", &json!([])), "wamp.error.not_authorized");
    [peer, other].into_iter().for_each(Peer2::leave);
}

/// The client is told to go, and its socket is closed.
fn killed(mut peer: Peer2, goodbye: &Value) {
    assert_eq!(peer.next(), *goodbye);
    assert_eq!(peer.peer.closed().0, 1000);
}

#[test]
fn who_may_kills_others_and_never_itself() {
    let test = guarded();
    let mut joe = admin(&test);
    let killed_for = |reason: &str| json!([6, {}, reason]);
    let victim = test.client2(JSON2);
    let request = joe.request();
    let words = json!({"reason": "com.example.over", "message": "go home"});
    joe.send(&json!([48, request, {}, "wamp.session.kill", [victim.session], words]));
    assert_eq!(joe.next(), json!([50, request, {}]));
    killed(victim, &json!([6, {"message": "go home"}, "com.example.over"]));
    let end = test.disconnected();
    assert_eq!((&end["cause"], &end["reason"]), (&json!("server_closed"), &json!("go home")), "{end}");
    // By its name, by its role, and all.
    let victim = test.client2(JSON2);
    let authid = victim.welcome[2]["authid"].clone();
    assert_eq!(ask(&mut joe, "wamp.session.kill_by_authid", &json!([authid])), json!([[victim.session]]));
    killed(victim, &killed_for("wamp.close.killed"));
    let (victim, mut old) = (test.client2(JSON2), test.client());
    assert_eq!(ask(&mut joe, "wamp.session.kill_by_authrole", &json!(["anonymous"])), json!([2]));
    killed(victim, &killed_for("wamp.close.killed"));
    assert_eq!(old.closed().0, 1000);
    let (victim, second) = (test.client2(JSON2), admin(&test));
    let other = Peer2::join(test.address, JSON2, "com.example.other");
    until("the others are gone", || ask(&mut joe, "wamp.session.count", &json!([])) == json!([3]));
    assert_eq!(ask(&mut joe, "wamp.session.kill_all", &json!([])), json!([2]));
    killed(victim, &killed_for("wamp.close.killed"));
    killed(second, &killed_for("wamp.close.killed"));
    for (arguments, words, error) in [
        (json!([joe.session]), json!({}), "wamp.error.no_such_session"),
        (json!([other.session]), json!({}), "wamp.error.no_such_session"),
        (json!([7]), json!({"reason": "no uri"}), "wamp.error.invalid_uri"),
        (json!([7]), json!({"reason": ""}), "wamp.error.invalid_uri"),
        (json!([7]), json!({"reason": 1}), "wamp.error.invalid_argument"),
    ] {
        let request = joe.request();
        joe.send(&json!([48, request, {}, "wamp.session.kill", arguments, words]));
        assert_eq!(joe.error(), (48, request, error.to_owned()), "{arguments} {words}");
    }
    assert_eq!(ask(&mut joe, "wamp.session.kill_by_authid", &json!([""])), json!([[]]), "nobody's name");
    assert_eq!(ask(&mut joe, "wamp.session.kill_by_authid", &json!(["joe"])), json!([[]]));
    other.leave();
    joe.leave();
}

#[test]
fn subscriptions_are_told_of_and_looked_up() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let mut watch = test.client2(codec);
        let names = ["create", "subscribe", "unsubscribe", "delete"];
        let [create, subscribe, unsubscribe, delete] =
            names.map(|name| watch.subscribe(&format!("wamp.subscription.on_{name}")));
        let (mut one, mut two) = (test.client2(JSON2), test.client2(JSON2));
        let id = one.subscribe("com.example.topic");
        let (subscription, arguments, _) = event(&mut watch);
        let details = &arguments[1];
        assert_eq!((subscription, &arguments[0]), (create, &json!(one.session)));
        let known = (&details["id"], &details["uri"], &details["match"]);
        assert_eq!(known, (&json!(id), &json!("com.example.topic"), &json!("exact")));
        assert!(details["created"].as_str().unwrap().starts_with("20"), "{details}");
        assert_eq!(event(&mut watch), (subscribe, json!([one.session, id]), Value::Null));
        assert_eq!(ask(&mut watch, "wamp.subscription.get", &json!([id])), json!([details]));
        two.subscribe("com.example.topic");
        assert_eq!(event(&mut watch), (subscribe, json!([two.session, id]), Value::Null));
        two.subscribe("com.example.topic");
        // A pattern, and one of WAMP v1.
        let request = two.request();
        two.send(&json!([32, request, {"match": "prefix"}, "com.example."]));
        let pattern = two.next()[2].as_u64().unwrap();
        let (_, arguments, _) = event(&mut watch);
        assert_eq!((&arguments[1]["id"], &arguments[1]["match"]), (&json!(pattern), &json!("prefix")));
        assert_eq!(event(&mut watch).1, json!([two.session, pattern]));
        let mut old = test.client();
        let number = u64::from_str_radix(&old.session, 16).unwrap();
        old.subscribe("com.example.topic");
        assert_eq!(event(&mut watch).1, json!([number, id]));
        subscriptions_are_looked_up(&mut watch, (id, pattern), two.session);
        // They end: one is given up, one is left, one is lost.
        let request = one.request();
        one.send(&json!([34, request, id]));
        assert_eq!(event(&mut watch), (unsubscribe, json!([one.session, id]), Value::Null));
        old.leave();
        assert_eq!(event(&mut watch), (unsubscribe, json!([number, id]), Value::Null));
        let session = two.session;
        drop(two);
        let mut ends: Vec<_> = (0..4).map(|_| event(&mut watch)).collect();
        ends.sort_unstable_by_key(|(subscription, ids, _)| (ids[1].as_u64(), *subscription));
        let expected = [id, pattern]
            .map(|id| [unsubscribe, delete].map(|event| (event, json!([session, id]), Value::Null)));
        let mut expected = expected.concat();
        expected.sort_unstable_by_key(|(subscription, ids, _)| (ids[1].as_u64(), *subscription));
        assert_eq!(ends, expected);
        assert_eq!(one.next()[0], 35);
        [one, watch].into_iter().for_each(Peer2::leave);
        test.until_empty();
    }
}

/// One of the topic, with three subscribers, and one of a pattern with one.
fn subscriptions_are_looked_up(watch: &mut Peer2, (id, pattern): (u64, u64), subscriber: u64) {
    let options = json!({"match": "prefix"});
    for (procedure, arguments, expected) in [
        ("lookup", json!(["com.example.topic"]), json!([id])),
        ("lookup", json!(["com.example.", options]), json!([pattern])),
        ("lookup", json!(["com.example."]), json!([null])),
        ("match", json!(["com.example.topic"]), json!([[id, pattern]])),
        ("match", json!(["com.example.none"]), json!([[pattern]])),
        ("match", json!(["com.other"]), json!([null])),
        ("count_subscribers", json!([id]), json!([3])),
        ("count_subscribers", json!([pattern]), json!([1])),
        ("list_subscribers", json!([pattern]), json!([[subscriber]])),
    ] {
        let result = ask(watch, &format!("wamp.subscription.{procedure}"), &arguments);
        assert_eq!(result, expected, "{procedure} {arguments}");
    }
    let lists = ask(watch, "wamp.subscription.list", &json!([]))[0].clone();
    assert!(lists["exact"].as_array().unwrap().contains(&json!(id)), "{lists}");
    assert_eq!((&lists["prefix"], &lists["wildcard"]), (&json!([pattern]), &json!([])));
    for procedure in ["get", "list_subscribers", "count_subscribers"] {
        let procedure = format!("wamp.subscription.{procedure}");
        assert_eq!(refused(watch, &procedure, &json!([1])), "wamp.error.no_such_subscription");
        assert_eq!(refused(watch, &procedure, &json!(["x"])), "wamp.error.invalid_argument");
    }
    let word = json!(["com.example", {"match": "some"}]);
    assert_eq!(refused(watch, "wamp.subscription.lookup", &word), "wamp.error.invalid_argument");
}

#[test]
fn registrations_are_told_of_and_looked_up() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let mut watch = test.client2(codec);
        let names = ["create", "register", "unregister", "delete"];
        let [create, register, unregister, delete] =
            names.map(|name| watch.subscribe(&format!("wamp.registration.on_{name}")));
        let (mut one, mut two) = (test.client2(JSON2), test.client2(JSON2));
        let shared = json!({"invoke": "roundrobin"});
        let id = one.register_with("com.example.proc", &shared);
        let (subscription, arguments, _) = event(&mut watch);
        let details = &arguments[1];
        assert_eq!((subscription, &arguments[0], &details["id"]), (create, &json!(one.session), &json!(id)));
        let known = (&details["uri"], &details["match"], &details["invoke"]);
        assert_eq!(known, (&json!("com.example.proc"), &json!("exact"), &json!("roundrobin")));
        assert_eq!(event(&mut watch), (register, json!([one.session, id]), Value::Null));
        assert_eq!(ask(&mut watch, "wamp.registration.get", &json!([id])), json!([details]));
        two.register_with("com.example.proc", &shared);
        assert_eq!(event(&mut watch), (register, json!([two.session, id]), Value::Null));
        let pattern = two.register_with("com.", &json!({"match": "prefix"}));
        assert_eq!((event(&mut watch).0, event(&mut watch).0), (create, register));
        let prefix = json!({"match": "prefix"});
        for (procedure, arguments, expected) in [
            ("list", json!([]), json!([{"exact": [id], "prefix": [pattern], "wildcard": []}])),
            ("lookup", json!(["com.example.proc"]), json!([id])),
            ("lookup", json!(["com.", prefix]), json!([pattern])),
            ("lookup", json!(["com."]), json!([null])),
            ("match", json!(["com.example.proc"]), json!([id])),
            ("match", json!(["com.example.none"]), json!([pattern])),
            ("match", json!(["org"]), json!([null])),
            ("list_callees", json!([id]), json!([[one.session, two.session]])),
            ("count_callees", json!([id]), json!([2])),
        ] {
            let result = ask(&mut watch, &format!("wamp.registration.{procedure}"), &arguments);
            assert_eq!(result, expected, "{procedure} {arguments}");
        }
        for procedure in ["get", "list_callees", "count_callees"] {
            let procedure = format!("wamp.registration.{procedure}");
            assert_eq!(refused(&mut watch, &procedure, &json!([9_999])), "wamp.error.no_such_registration");
        }
        let request = one.request();
        one.send(&json!([66, request, id]));
        assert_eq!(one.next(), json!([67, request]));
        assert_eq!(event(&mut watch), (unregister, json!([one.session, id]), Value::Null));
        let session = two.session;
        drop(two);
        let ends: Vec<_> = (0..4).map(|_| event(&mut watch)).collect();
        let expected = [id, pattern]
            .map(|id| [unregister, delete].map(|event| (event, json!([session, id]), Value::Null)));
        assert_eq!(ends, expected.concat());
        [one, watch].into_iter().for_each(Peer2::leave);
        test.until_empty();
    }
}

#[test]
fn a_pattern_may_hear_all_meta_events_and_rules_may_deny_them() {
    let test = serve(|builder| builder);
    let mut watch = test.client2(JSON2);
    watch.send(&json!([32, 1, {"match": "prefix"}, "wamp.s"]));
    assert_eq!(watch.next()[0], 33);
    let mut peer = test.client2(JSON2);
    peer.subscribe("com.example.topic");
    let topics: Vec<_> = (0..3).map(|_| watch.next()[3]["topic"].clone()).collect();
    let expected = ["wamp.session.on_join", "wamp.subscription.on_create", "wamp.subscription.on_subscribe"];
    assert_eq!(topics, expected);
    watch.leave();
    // Nobody listens any more, and nobody is told.
    peer.subscribe("com.example.other");
    peer.leave();
    let deny = Pattern::parse("wamp.", Match::Prefix, Rules::Loose).unwrap();
    let rule = Rule::new(Who::Everyone, Action::ALL, deny, Effect::Deny);
    let realm = Realm::new("realm1").authorize(Authorizer::new([rule], Effect::Allow));
    let test = serve(|builder| builder.home_realm(realm));
    let mut peer = test.client2(JSON2);
    assert_eq!(refused(&mut peer, "wamp.session.count", &json!([])), "wamp.error.not_authorized");
    peer.send(&json!([32, 9, {}, "wamp.session.on_join"]));
    assert_eq!(peer.error().2, "wamp.error.not_authorized");
    peer.leave();
}

#[test]
fn an_answer_is_no_longer_than_a_message_may_be() {
    let limits = clank::Limits { message: clank::limits::Size::of(1024), ..clank::Limits::DEFAULT };
    let test = serve(|builder| builder.limits(limits));
    let mut peer = test.client2(JSON2);
    assert_eq!(ask(&mut peer, "wamp.subscription.list", &json!([]))[0]["exact"], json!([]));
    (0..300).for_each(|number| _ = peer.subscribe(&format!("com.example.topic{number}")));
    assert_eq!(refused(&mut peer, "wamp.subscription.list", &json!([])), "clank.error.limit_exceeded");
    peer.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_calls_meta_procedures_too() {
    let test = serve(|builder| builder);
    let mut peer = test.client2(JSON2);
    let topic = peer.subscribe("com.example.topic");
    let handle = test.handle();
    let count: u64 = handle.call("wamp.session.count", &()).await.unwrap();
    let found: u64 = handle.call("wamp.subscription.lookup", &["com.example.topic"]).await.unwrap();
    assert_eq!((count, found), (1, topic));
    let error = handle.call::<_, Value>("wamp.session.get", &[7]).await.unwrap_err();
    assert_eq!(error.description(), "there is no such session in the realm beside your own");
    handle.call::<_, Value>("wamp.session.kill", &[peer.session]).await.unwrap();
    killed(peer, &json!([6, {}, "wamp.close.killed"]));
}

/// Clients on several workers come and go at once: what is told of it could have happened so.
#[test]
fn meta_events_come_in_an_order_that_makes_sense() {
    const ROUNDS: usize = 50;
    let test = serve(|builder| builder.workers(4));
    let mut watch = test.client2(JSON2);
    watch.send(&json!([32, 1, {"match": "prefix"}, "wamp.subscription."]));
    assert_eq!(watch.next()[0], 33);
    let address = test.address;
    let clients = (0..4).map(|_| {
        std::thread::spawn(move || {
            let mut peer = Peer2::join(address, JSON2, "realm1");
            for _ in 0..ROUNDS {
                let subscription = peer.subscribe("com.example.topic");
                let request = peer.request();
                peer.send(&json!([34, request, subscription]));
                assert_eq!(peer.next(), json!([35, request]));
            }
            peer.leave();
        })
    });
    clients.collect::<Vec<_>>().into_iter().for_each(|client| client.join().unwrap());
    // The subscription that there is, and who has it.
    let mut current: Option<(u64, Vec<u64>)> = None;
    let (mut joined, mut left) = (0, 0);
    while (joined, left) != (4 * ROUNDS, 4 * ROUNDS) || current.is_some() {
        let event = watch.next();
        let (topic, session) = (event[3]["topic"].as_str().unwrap(), event[4][0].as_u64().unwrap());
        let id = event[4][1]["id"].as_u64().or(event[4][1].as_u64()).unwrap();
        let what = topic.rsplit('_').next().unwrap();
        match (what, &mut current) {
            ("create", none @ None) => *none = Some((id, Vec::new())),
            ("subscribe", Some((known, members))) if *known == id && !members.contains(&session) => {
                members.push(session);
                joined += 1;
            }
            ("unsubscribe", Some((known, members))) if *known == id && members.contains(&session) => {
                members.retain(|member| *member != session);
                left += 1;
            }
            ("delete", some @ Some(_)) => {
                assert_eq!(*some, Some((id, Vec::new())));
                *some = None;
            }
            (_, state) => panic!("{event} when there is {state:?}"),
        }
    }
    watch.leave();
}
