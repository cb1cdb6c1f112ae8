//! Testaments: what a session leaves to be published when it ends.

use clank::wamp2::{Action, Authorizer, Effect, Match, Pattern, Realm, Rule, Rules, Who};
use clank::{Connection, Forward, Limits, Publication, Result, Topic, TopicHandler};
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, serve, serve_limited, until};

const ADD: &str = "wamp.session.add_testament";
const FLUSH: &str = "wamp.session.flush_testaments";

/// Calls, and returns the answer.
fn ask(peer: &mut Peer2, procedure: &str, arguments: &Value, keywords: &Value) -> Value {
    let request = peer.request();
    peer.send(&json!([48, request, {}, procedure, arguments, keywords]));
    peer.next()
}

fn add(peer: &mut Peer2, topic: &str, text: &str, keywords: &Value) {
    let answer = ask(peer, ADD, &json!([topic, [text], {"from": "the dead"}]), keywords);
    assert_eq!((&answer[0], &answer[3]), (&json!(50), &Value::Null), "{answer}");
}

/// The next message, which is an EVENT; returns its first argument.
fn heard(peer: &mut Peer2) -> Value {
    let event = peer.next();
    assert_eq!((&event[0], &event[5]), (&json!(36), &json!({"from": "the dead"})), "{event}");
    event[4][0].clone()
}

#[test]
fn testaments_are_published_however_the_session_ends() {
    let test = serve(|builder| builder);
    let mut watch = test.client2(JSON2);
    watch.subscribe("com.example.end");
    let detached = json!({"scope": "detached"});
    type End = fn(Peer2);
    let ends: [End; 4] = [
        Peer2::leave,
        drop,
        |mut peer| {
            peer.send(&json!([99]));
            peer.aborted();
        },
        |peer| peer.peer.leave(),
    ];
    for codec in Codec::ALL {
        for end in ends {
            let mut peer = test.client2(codec);
            add(&mut peer, "com.example.end", "last", &json!({}));
            add(&mut peer, "com.example.end", "first", &detached);
            add(&mut peer, "com.example.end", "very last", &json!({"scope": "destroyed"}));
            add(&mut peer, "com.example.end", "second", &detached);
            end(peer);
            let all: Vec<_> = (0..4).map(|_| heard(&mut watch)).collect();
            assert_eq!(all, ["first", "second", "last", "very last"]);
        }
    }
    // The server itself ends it.
    let (mut peer, id) = (test.client2(JSON2), test.handle().connections().len());
    add(&mut peer, "com.example.end", "closed", &json!({}));
    let session = peer.session;
    let connections = test.handle().connections();
    assert_eq!(connections.len(), id);
    let own = connections.iter().find(|one| one.session_id().value() == session).unwrap();
    own.close(1000, "go");
    assert_eq!(heard(&mut watch), "closed");
    assert_eq!(peer.next()[0], 6);
    peer.peer.closed();
    watch.leave();
}

#[test]
fn what_is_flushed_is_not_published() {
    let test = serve(|builder| builder);
    let mut watch = test.client2(JSON2);
    watch.subscribe("com.example.end");
    for (flush, left) in [("detached", "kept"), ("destroyed", "dropped")] {
        let mut peer = test.client2(JSON2);
        add(&mut peer, "com.example.end", "dropped", &json!({"scope": "detached"}));
        add(&mut peer, "com.example.end", "kept", &json!({}));
        assert_eq!(ask(&mut peer, FLUSH, &json!([]), &json!({"scope": flush}))[0], 50);
        peer.leave();
        assert_eq!(heard(&mut watch), left);
    }
    let mut peer = test.client2(JSON2);
    add(&mut peer, "com.example.end", "dropped", &json!({}));
    assert_eq!(ask(&mut peer, FLUSH, &json!([]), &json!({}))[0], 50);
    assert_eq!(ask(&mut peer, FLUSH, &json!([]), &json!({}))[0], 50);
    peer.leave();
    watch.round_trip();
    watch.leave();
}

#[test]
fn a_testament_is_an_event_like_others() {
    let test = serve(|builder| builder);
    let (mut one, mut two, mut old) = (test.client2(JSON2), test.client2(JSON2), test.client());
    one.subscribe("com.example.end");
    two.subscribe("com.example.end");
    old.subscribe("com.example.end");
    old.round_trip();
    let mut peer = test.client2(JSON2);
    let options = json!({"eligible": [one.session], "disclose_me": true, "acknowledge": true});
    add(&mut peer, "com.example.end", "chosen", &json!({"publish_options": options}));
    add(&mut peer, "com.example.end", "all", &json!({}));
    let session = peer.session;
    peer.leave();
    let event = one.next();
    assert_eq!((&event[3]["publisher"], &event[4]), (&json!(session), &json!(["chosen"])), "{event}");
    assert_eq!((heard(&mut one), heard(&mut two)), (json!("all"), json!("all")));
    let value = json!({"args": ["all"], "kwargs": {"from": "the dead"}});
    assert_eq!(old.json(), json!([8, "com.example.end", value]));
    // A client of WAMP v1 may leave one too: its only argument is a list of arguments.
    let mut other = test.client();
    assert_eq!(other.call(ADD, &json!(["com.example.end", ["v1"]]))[0], 3);
    drop(other);
    assert_eq!((one.next()[4].clone(), old.json()), (json!(["v1"]), json!([8, "com.example.end", "v1"])));
    assert_eq!(two.next()[4], json!(["v1"]));
    [one, two].into_iter().for_each(Peer2::leave);
    old.leave();
}

#[test]
fn what_is_no_testament_is_refused() {
    let limits = Limits {
        testaments: clank::limits::Count::of(2),
        testament_bytes: clank::limits::Size::of(1024),
        ..Limits::DEFAULT
    };
    let deny = Pattern::parse("com.example.secret", Match::Exact, Rules::Loose).unwrap();
    let rule = Rule::new(Who::Everyone, [Action::Publish], deny, Effect::Deny);
    let realm = Realm::new("realm1").authorize(Authorizer::new([rule], Effect::Allow));
    let test = serve_limited(limits, |builder| builder.home_realm(realm));
    for codec in Codec::ALL {
        let mut peer = test.client2(codec);
        let long = "x".repeat(2_000);
        let none = json!({});
        let (invalid, uri) = ("wamp.error.invalid_argument", "wamp.error.invalid_uri");
        for (arguments, keywords, error) in [
            (json!([]), &none, invalid),
            (json!([7, [], {}]), &none, invalid),
            (json!(["a b", [], {}]), &none, uri),
            (json!(["", [], {}]), &none, uri),
            (json!(["wamp.session.on_leave", [], {}]), &none, uri),
            (json!(["com.example.end", 7, {}]), &none, invalid),
            (json!(["com.example.end", [], 7]), &none, invalid),
            (json!(["com.example.end", [], {}]), &json!({"scope": "later"}), invalid),
            (json!(["com.example.end", [], {}]), &json!({"publish_options": []}), invalid),
            (json!(["com.example.end", [], {}]), &json!({"publish_options": {"exclude": 7}}), invalid),
            (json!(["com.example.secret", [], {}]), &none, "wamp.error.not_authorized"),
            (json!(["com.example.end", [long], {}]), &none, "clank.error.limit_exceeded"),
        ] {
            let answer = ask(&mut peer, ADD, &arguments, keywords);
            assert_eq!(
                (&answer[0], &answer[4]),
                (&json!(8), &json!(error)),
                "{arguments} {keywords}: {answer}"
            );
        }
        assert_eq!(ask(&mut peer, FLUSH, &json!([]), &json!({"scope": 1}))[4], invalid);
        add(&mut peer, "com.example.end", "one", &none);
        add(&mut peer, "com.example.end", "two", &none);
        let answer = ask(&mut peer, ADD, &json!(["com.example.end", [], {}]), &none);
        assert_eq!(answer[4], "clank.error.limit_exceeded");
        assert_eq!(ask(&mut peer, FLUSH, &json!([]), &none)[0], 50);
        add(&mut peer, "com.example.end", "again", &none);
        peer.leave();
    }
}

struct Shouting;

impl TopicHandler for Shouting {
    async fn on_publish(&self, _: &Connection, _: &Topic, publication: &Publication) -> Result<Forward> {
        let text = publication.event.json().to_uppercase();
        Forward::changed(&text)
    }
}

#[test]
fn a_testament_is_no_way_around_a_handler() {
    let test = serve(|builder| builder.topic("door", Shouting));
    let mut watch = test.client2(JSON2);
    watch.subscribe("door/front");
    let mut peer = test.client2(JSON2);
    assert_eq!(ask(&mut peer, ADD, &json!(["door/front", ["quiet"]]), &json!({}))[0], 50);
    drop(peer);
    assert_eq!(watch.next()[4], json!(["\"QUIET\""]));
    watch.leave();
}

#[test]
fn testaments_are_published_when_the_server_stops() {
    // One worker closes its connections one after the other.
    let limits = Limits { drain: clank::limits::Period::of(200), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.workers(1));
    let (mut watch, mut peer) = (test.client2(JSON2), test.client2(JSON2));
    watch.subscribe("com.example.end");
    peer.subscribe("com.example.end");
    add(&mut watch, "com.example.end", "watch", &json!({}));
    add(&mut peer, "com.example.end", "peer", &json!({}));
    test.handle().shutdown();
    // One of them ends first, and the other hears of it.
    let (one, two) = (watch.next(), peer.next());
    assert!((one[0] == 36) != (two[0] == 36), "{one} {two}");
    until("all are gone", || test.handle().tables().open == 0);
    drop((watch, peer));
}
