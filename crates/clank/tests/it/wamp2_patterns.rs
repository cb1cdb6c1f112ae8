//! Subscriptions and registrations for patterns of URIs.

use clank::{Connection, Permit, Result, Topic, TopicHandler};
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, serve};

/// Subscribes to a pattern, and returns the subscription.
fn subscribe(peer: &mut Peer2, pattern: &str, matching: &str) -> u64 {
    let request = peer.request();
    peer.send(&json!([32, request, {"match": matching}, pattern]));
    let subscribed = peer.next();
    assert_eq!((&subscribed[0], &subscribed[1]), (&json!(33), &json!(request)), "{subscribed}");
    subscribed[2].as_u64().unwrap()
}

#[test]
fn events_come_to_every_pattern_that_fits() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let (mut one, mut other) = (test.client2(codec), test.client2(JSON2));
        let exact = one.subscribe("com.example.user.created");
        let prefix = subscribe(&mut one, "com.example.us", "prefix");
        let wildcard = subscribe(&mut one, "com.example..created", "wildcard");
        assert_eq!(
            subscribe(&mut other, "com.example.us", "prefix"),
            prefix,
            "one pattern is one subscription"
        );
        let heard = |peer: &mut Peer2, count: usize| {
            let mut heard: Vec<(Value, Value)> = (0..count)
                .map(|_| peer.next())
                .map(|event| (event[1].clone(), event[3]["topic"].clone()))
                .collect();
            heard.sort_unstable_by_key(|(subscription, _)| subscription.as_u64());
            heard
        };
        let mut publisher = test.client2(JSON2);
        let topic = "com.example.user.created";
        publisher.publish(topic, json!({}), &json!([1]));
        assert_eq!(
            heard(&mut one, 3),
            [(json!(exact), Value::Null), (json!(prefix), json!(topic)), (json!(wildcard), json!(topic)),]
        );
        assert_eq!(heard(&mut other, 1), [(json!(prefix), json!(topic))]);
        publisher.publish("com.example.group.created", json!({}), &json!([1]));
        assert_eq!(heard(&mut one, 1), [(json!(wildcard), json!("com.example.group.created"))]);
        let mut old = test.client();
        old.publish("com.example.user/v1", &json!(2));
        assert_eq!(heard(&mut one, 1), [(json!(prefix), json!("com.example.user/v1"))]);
        assert_eq!(heard(&mut other, 1), [(json!(prefix), json!("com.example.user/v1"))]);
        old.leave();
        let request = one.request();
        one.send(&json!([34, request, prefix]));
        assert_eq!(one.next(), json!([35, request]));
        publisher.publish("com.example.users", json!({}), &json!([3]));
        assert_eq!(heard(&mut other, 1), [(json!(prefix), json!("com.example.users"))]);
        one.round_trip();
        [one, other, publisher].into_iter().for_each(Peer2::leave);
        test.until_empty();
    }
}

#[test]
fn a_call_goes_to_the_most_exact_registration() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    let mut register =
        |pattern: &str, matching: &str| callee.register_with(pattern, &json!({"match": matching}));
    let wildcard = register("com..add", "wildcard");
    let short = register("com.", "prefix");
    let long = register("com.example.", "prefix");
    let exact = register("com.example.add", "exact");
    let cases = [
        ("com.example.add", exact, None),
        ("com.example.sub", long, Some("com.example.sub")),
        ("com.other.sub", short, Some("com.other.sub")),
        ("com.other.add", short, Some("com.other.add")),
    ];
    for (procedure, registration, told) in cases {
        let request = caller.call(procedure, &json!({}), &json!([]));
        let invocation = callee.next();
        let details = told.map_or_else(|| json!({}), |told| json!({"procedure": told}));
        assert_eq!((&invocation[2], &invocation[3]), (&json!(registration), &details), "{procedure}");
        callee.send(&json!([70, invocation[1], {}]));
        assert_eq!(caller.next(), json!([50, request, {}]));
    }
    for registration in [short, long] {
        let request = callee.request();
        callee.send(&json!([66, request, registration]));
        assert_eq!(callee.next(), json!([67, request]));
    }
    caller.call("com.other.add", &json!({}), &json!([]));
    assert_eq!(callee.next()[2], wildcard);
    callee.leave();
    assert_eq!(caller.error().2, "wamp.error.canceled");
    caller.call("test/echo", &json!({}), &json!([1]));
    assert_eq!(caller.next()[0], 50);
    caller.leave();
}

#[test]
fn nobody_takes_calls_away_from_the_server() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register_with("te", &json!({"match": "prefix"}));
    callee.register_with("wa", &json!({"match": "prefix"}));
    caller.round_trip();
    caller.call("wamp.session.count", &json!({}), &json!([]));
    assert_eq!(caller.next()[3], json!([2]), "WAMP's own");
    caller.call("wamp.session.other", &json!({}), &json!([]));
    assert_eq!(caller.error().2, "wamp.error.no_such_procedure", "it has nothing of that name");
    callee.leave();
    caller.leave();
}

struct Guarded;

impl TopicHandler for Guarded {
    async fn may_subscribe(&self, _: &Connection, _: &Topic) -> Result<Permit> {
        Ok(Permit::Refused)
    }
}

#[test]
fn a_pattern_is_no_way_around_a_handler() {
    let test = serve(|builder| builder.topic("door", Guarded).topic("com.example.door", Guarded));
    let mut peer = test.client2(JSON2);
    let refused = [("do", "prefix"), ("door/", "prefix"), ("door/a", "prefix"), ("com..door", "wildcard")];
    for (pattern, matching) in refused {
        let request = peer.request();
        peer.send(&json!([32, request, {"match": matching}, pattern]));
        assert_eq!(peer.error(), (32, request, "wamp.error.not_authorized".into()), "{pattern}");
    }
    subscribe(&mut peer, "window/", "prefix");
    subscribe(&mut peer, "com..window", "wildcard");
    peer.leave();
}
