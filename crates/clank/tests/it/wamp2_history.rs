//! Events that a realm keeps: histories, and what topics retain.

use clank::limits::{Count, Size};
use clank::wamp2::{Action, Authorizer, Bounds, Effect, Match, Pattern, Realm, Rule, Rules, Who};
use clank::{Connection, Limits, Permit, Result, Topic, TopicHandler};
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, Test, serve, serve_limited};

fn pattern(text: &'static str, matching: Match) -> Pattern<'static> {
    Pattern::parse(text, matching, Rules::Loose).unwrap()
}

/// A realm that keeps three events of one topic, and many of others.
fn keeping() -> Test {
    let realm = Realm::new("realm1")
        .history(pattern("com.example.chat", Match::Exact), Bounds { events: 3, bytes: 10_000 })
        .history(pattern("com.example.log.", Match::Prefix), Bounds { events: 1_000, bytes: 1 << 20 })
        .history(pattern("door", Match::Exact), Bounds { events: 10, bytes: 10_000 });
    serve(|builder| builder.home_realm(realm).topic("door", Guarded))
}

struct Guarded;

impl TopicHandler for Guarded {
    async fn may_subscribe(&self, _: &Connection, _: &Topic) -> Result<Permit> {
        Ok(Permit::Refused)
    }
}

fn ask(peer: &mut Peer2, procedure: &str, arguments: &Value, keywords: &Value) -> Value {
    let request = peer.request();
    peer.send(&json!([48, request, {}, procedure, arguments, keywords]));
    peer.next()
}

/// The events of a subscription, and whether there may be more.
fn events(peer: &mut Peer2, subscription: u64, query: &Value) -> (Vec<Value>, bool) {
    let result = ask(peer, "wamp.subscription.get_events", &json!([subscription]), query);
    assert_eq!(result[0], 50, "{result}");
    let events = result[3].as_array().cloned().unwrap_or_default();
    (events, result[4]["is_limit_reached"].as_bool().unwrap())
}

/// Their first arguments.
fn texts(peer: &mut Peer2, subscription: u64, query: &Value) -> Vec<Value> {
    events(peer, subscription, query).0.iter().map(|event| event["args"][0].clone()).collect()
}

fn lookup(peer: &mut Peer2, topic: &str, matching: &str) -> u64 {
    let found = ask(peer, "wamp.subscription.lookup", &json!([topic, {"match": matching}]), &json!({}));
    found[3][0].as_u64().unwrap()
}

#[test]
fn the_last_events_are_kept_whoever_publishes_them() {
    let test = keeping();
    for codec in Codec::ALL {
        // Nobody has subscribed, and there is a subscription to ask about.
        let (mut peer, mut old) = (test.client2(codec), test.client());
        let chat = lookup(&mut peer, "com.example.chat", "exact");
        let mut publisher = test.client2(JSON2);
        publisher.publish("com.example.chat", json!({}), &json!(["lost"]));
        let options = json!({"disclose_me": true});
        let publication = publisher.publish("com.example.chat", options, &json!(["v2", 2]));
        old.publish("com.example.chat", &json!("v1"));
        old.round_trip();
        test.handle().publish("com.example.chat", "program").unwrap();
        assert_eq!(texts(&mut peer, chat, &json!({})), ["v2", "v1", "program"]);
        let (all, is_limit_reached) = events(&mut peer, chat, &json!({"limit": 1}));
        assert!(is_limit_reached && all.len() == 1);
        let event = &all[0];
        assert_eq!((&event["subscription"], &event["publication"]), (&json!(chat), &json!(publication)));
        assert_eq!((&event["args"], event.get("kwargs")), (&json!(["v2", 2]), None));
        assert_eq!(event["details"]["publisher"], publisher.session);
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
        // What was heard has the number that it has in the history.
        assert_eq!(peer.subscribe("com.example.chat"), chat);
        old.publish("com.example.chat", &json!("heard"));
        let heard = peer.next();
        let last = events(&mut peer, chat, &json!({"reverse": true, "limit": 1})).0;
        assert_eq!((&heard[2], &last[0]["args"]), (&last[0]["publication"], &json!(["heard"])));
        old.leave();
        [peer, publisher].into_iter().for_each(Peer2::leave);
        test.until_empty();
        assert_eq!(test.handle().events_kept().0, 3);
    }
}

#[test]
fn a_history_is_asked_by_time_topic_and_publication() {
    let test = keeping();
    let mut peer = test.client2(JSON2);
    let log = lookup(&mut peer, "com.example.log.", "prefix");
    let topics = ["com.example.log.auth", "com.example.log.shop", "com.example.log.auth"];
    let published: Vec<u64> = topics
        .iter()
        .zip(1..)
        .map(|(topic, number)| peer.publish(topic, json!({}), &json!([number])))
        .collect();
    let [first, second, third] = published[..] else { panic!("three") };
    let (all, is_limit_reached) = events(&mut peer, log, &json!({}));
    assert!(!is_limit_reached);
    assert_eq!(all[1]["details"]["topic"], "com.example.log.shop");
    let times: Vec<_> = all.iter().map(|event| event["timestamp"].clone()).collect();
    for (query, expected) in [
        (json!({"reverse": true}), vec![3, 2, 1]),
        (json!({"topic": "com.example.log.auth"}), vec![1, 3]),
        (json!({"topic": "com.example.log.none"}), vec![]),
        (json!({"from_publication": second}), vec![2, 3]),
        (json!({"after_publication": second}), vec![3]),
        (json!({"before_publication": second}), vec![1]),
        (json!({"until_publication": second}), vec![1, 2]),
        (json!({"after_publication": first, "before_publication": third}), vec![2]),
        (json!({"from_time": times[1]}), vec![2, 3]),
        (json!({"until_time": times[0]}), vec![1]),
        (json!({"before_time": times[0]}), vec![]),
        (json!({"after_time": times[2]}), vec![]),
        (json!({"limit": 2, "reverse": true, "topic": "com.example.log.auth"}), vec![3, 1]),
    ] {
        assert_eq!(texts(&mut peer, log, &query), expected, "{query}");
    }
    // Who has subscribed to one of the topics asks about that one.
    let auth = peer.subscribe("com.example.log.auth");
    assert_eq!(texts(&mut peer, auth, &json!({})), [1, 3]);
    assert_eq!(texts(&mut peer, auth, &json!({"topic": "com.example.log.shop"})), [0_u64; 0]);
    let none = peer.subscribe("com.example.none");
    assert_eq!(texts(&mut peer, none, &json!({})), [0_u64; 0]);
    for (arguments, query, error) in [
        (json!([7]), json!({}), "wamp.error.no_such_subscription"),
        (json!([]), json!({}), "wamp.error.invalid_argument"),
        (json!([log]), json!({"limit": 0}), "wamp.error.invalid_argument"),
        (json!([log]), json!({"reverse": 1}), "wamp.error.invalid_argument"),
        (json!([log]), json!({"from_time": "yesterday"}), "wamp.error.invalid_argument"),
        (json!([log]), json!({"topic": 1}), "wamp.error.invalid_argument"),
        (json!([log]), json!({"from_publication": "x"}), "wamp.error.invalid_argument"),
    ] {
        let answer = ask(&mut peer, "wamp.subscription.get_events", &arguments, &query);
        assert_eq!((&answer[0], &answer[4]), (&json!(8), &json!(error)), "{query}");
    }
    peer.leave();
}

#[test]
fn a_long_history_comes_page_by_page() {
    let limits = Limits { message: Size::of(8 * 1024), ..Limits::DEFAULT };
    let bounds = Bounds { events: 100, bytes: 1 << 20 };
    let realm = Realm::new("realm1").history(pattern("com.example.chat", Match::Exact), bounds);
    let test = serve_limited(limits, |builder| builder.home_realm(realm));
    let mut peer = test.client2(JSON2);
    let chat = lookup(&mut peer, "com.example.chat", "exact");
    let text = "x".repeat(1_000);
    let expected: Vec<u64> =
        (0..20).map(|_| peer.publish("com.example.chat", json!({}), &json!([text]))).collect();
    let (mut found, mut query) = (Vec::new(), json!({}));
    loop {
        let (page, is_limit_reached) = events(&mut peer, chat, &query);
        found.extend(page.iter().map(|event| event["publication"].as_u64().unwrap()));
        if !is_limit_reached {
            break;
        }
        query = json!({"after_publication": found.last()});
    }
    assert_eq!(found, expected);
    peer.leave();
}

#[test]
fn nobody_learns_from_a_history_what_it_could_not_have_heard() {
    let deny = Rule::new(
        Who::Role("anonymous".into()),
        [Action::Subscribe],
        pattern("com.example.secret", Match::Exact),
        Effect::Deny,
    );
    let bounds = Bounds { events: 10, bytes: 10_000 };
    let realm = Realm::new("realm1")
        .history(pattern("com.example.secret", Match::Exact), bounds)
        .history(pattern("com.example.chat", Match::Exact), bounds)
        .history(pattern("door", Match::Exact), bounds)
        .authorize(Authorizer::new([deny], Effect::Allow));
    let test = serve(|builder| builder.home_realm(realm).topic("door", Guarded));
    let mut peer = test.client2(JSON2);
    for topic in ["com.example.secret", "door"] {
        let id = lookup(&mut peer, topic, "exact");
        let answer = ask(&mut peer, "wamp.subscription.get_events", &json!([id]), &json!({}));
        assert_eq!((&answer[0], &answer[4]), (&json!(8), &json!("wamp.error.not_authorized")), "{topic}");
    }
    let chat = lookup(&mut peer, "com.example.chat", "exact");
    for options in [
        json!({"exclude": [7]}),
        json!({"eligible": [peer.session]}),
        json!({"eligible_authrole": ["admin"]}),
        json!({"exclude_authrole": ["anonymous"]}),
        json!({"exclude_authid": [peer.welcome[2]["authid"]]}),
    ] {
        peer.publish("com.example.chat", options, &json!(["hidden"]));
    }
    let mut old = test.client();
    old.send(json!([7, "com.example.chat", "hidden", ["00000000000007"]]).to_string());
    old.send(json!([7, "com.example.chat", "seen", true]).to_string());
    old.round_trip();
    peer.publish("com.example.chat", json!({"eligible_authrole": ["anonymous"]}), &json!(["for us"]));
    assert_eq!(texts(&mut peer, chat, &json!({})), ["seen", "for us"]);
    old.leave();
    peer.leave();
}

/// Subscribes and asks for what is retained; returns the subscription.
fn subscribe(peer: &mut Peer2, topic: &str, matching: &str) -> u64 {
    let request = peer.request();
    peer.send(&json!([32, request, {"match": matching, "get_retained": true}, topic]));
    let subscribed = peer.next();
    assert_eq!((&subscribed[0], &subscribed[1]), (&json!(33), &json!(request)), "{subscribed}");
    subscribed[2].as_u64().unwrap()
}

#[test]
fn who_subscribes_gets_what_the_topic_has_retained() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let (mut publisher, mut peer) = (test.client2(JSON2), test.client2(codec));
        let retain = json!({"retain": true});
        publisher.publish("com.example.heat", retain.clone(), &json!([20]));
        let publication = publisher.publish("com.example.heat", retain.clone(), &json!([21]));
        publisher.publish("com.example.heat", json!({}), &json!(["not retained"]));
        let subscription = subscribe(&mut peer, "com.example.heat", "exact");
        assert_eq!(peer.next(), json!([36, subscription, publication, {"retained": true}, [21]]));
        // Only who asks for it gets it.
        let mut other = test.client2(codec);
        other.subscribe("com.example.heat");
        other.round_trip();
        subscribe(&mut other, "com.example.cold", "exact");
        other.round_trip();
        // New ones are as they were.
        publisher.publish("com.example.heat", retain, &json!([22]));
        assert_eq!((peer.next()[3].clone(), other.next()[3].clone()), (json!({}), json!({})));
        // Of the topics that a pattern matches, the last one.
        publisher.publish("com.example.rain", json!({"retain": true, "disclose_me": true}), &json!([0.5]));
        let pattern = subscribe(&mut other, "com.example.", "prefix");
        let event = other.next();
        let details = &event[3];
        assert_eq!(
            (&event[1], &details["topic"], &event[4]),
            (&json!(pattern), &json!("com.example.rain"), &json!([0.5]))
        );
        assert_eq!((&details["retained"], &details["publisher"]), (&json!(true), &json!(publisher.session)));
        [peer, other].into_iter().for_each(Peer2::leave);
        // The publisher has not wanted to hear its own.
        subscribe(&mut publisher, "com.example.heat", "exact");
        publisher.round_trip();
        publisher.leave();
        test.until_empty();
        assert_eq!(test.handle().events_kept().0, 2, "they outlive who published them");
    }
}

#[test]
fn what_is_retained_for_some_is_for_them_alone() {
    let test = serve(|builder| builder);
    let (mut publisher, mut peer) = (test.client2(JSON2), test.client2(JSON2));
    let publish = |publisher: &mut Peer2, options: Value, text: &str| {
        let mut options = options;
        options["retain"] = true.into();
        publisher.publish("com.example.heat", options, &json!([text]));
    };
    publish(&mut publisher, json!({}), "all");
    publish(&mut publisher, json!({"eligible_authrole": ["admin"]}), "admins");
    publish(&mut publisher, json!({"eligible": [7]}), "one");
    subscribe(&mut peer, "com.example.heat", "exact");
    assert_eq!(peer.next()[4], json!(["all"]));
    let authid = &peer.welcome[2]["authid"];
    publish(&mut publisher, json!({"eligible_authid": [authid]}), "you");
    peer.next();
    subscribe(&mut peer, "com.example.heat", "exact");
    assert_eq!(peer.next()[4], json!(["you"]));
    [publisher, peer].into_iter().for_each(Peer2::leave);
}

#[test]
fn what_is_retained_is_bounded() {
    let limits =
        Limits { retained_topics: Count::of(3), retained_bytes: Size::of(4 * 1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client2(JSON2);
    for number in 0..1_000 {
        peer.publish(
            &format!("com.example.topic{number}"),
            json!({"retain": true, "exclude_me": false}),
            &json!([number]),
        );
    }
    assert_eq!(test.handle().events_kept().0, 3);
    subscribe(&mut peer, "com.example.topic999", "exact");
    assert_eq!(peer.next()[4], json!([999]));
    subscribe(&mut peer, "com.example.topic996", "exact");
    peer.round_trip();
    peer.publish("com.example.long", json!({"retain": true}), &json!(["x".repeat(5_000)]));
    let (events, bytes) = test.handle().events_kept();
    assert!(events <= 3 && bytes <= 4 * 1024, "{events} {bytes}");
    peer.leave();
}
