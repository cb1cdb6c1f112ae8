//! WAMP v2, message by message, in place and out of place.

use clank::{Limits, TopicHandler};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::peer::{CLOSE, TEXT, close_payload, frame};
use crate::support::{FIN, JSON2, Peer2, serve, serve_limited};

#[test]
fn each_codec_has_sessions_topics_and_procedures() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let (mut one, mut other) = (test.client2(codec), test.client2(codec));
        assert_eq!(one.welcome[2]["realm"], "realm1");
        assert_eq!(one.welcome[2]["authrole"], "anonymous");
        let subscription = one.subscribe("com.example.topic");
        let event = json!(["ä", 1, -2.5, null, [true, {"a": 9_007_199_254_740_993_u64}]]);
        let publication = other.publish("com.example.topic", json!({}), &event);
        assert_eq!(one.next(), json!([36, subscription, publication, {}, event]), "{codec:?}");
        let registration = one.register("com.example.proc");
        let request = other.call("com.example.proc", &json!({}), &event);
        assert_eq!(one.next(), json!([68, 1, registration, {}, event]));
        one.send(&json!([70, 1, {}, event, {"k": 1}]));
        assert_eq!(other.next(), json!([50, request, {}, event, {"k": 1}]));
        let request = one.request();
        one.send(&json!([66, request, registration]));
        assert_eq!(one.next(), json!([67, request]));
        let request = one.request();
        one.send(&json!([34, request, subscription]));
        assert_eq!(one.next(), json!([35, request]));
        other.publish("com.example.topic", json!({}), &event);
        one.round_trip();
        one.leave();
        other.leave();
    }
}

#[test]
fn every_codec_meets_every_other() {
    let test = serve(|builder| builder);
    let mut all: Vec<Peer2> = Codec::ALL.into_iter().map(|codec| test.client2(codec)).collect();
    let subscriptions: Vec<u64> = all.iter_mut().map(|peer| peer.subscribe("com.example.topic")).collect();
    assert!(subscriptions.windows(2).all(|pair| pair[0] == pair[1]), "one topic is one subscription");
    for at in 0..all.len() {
        let arguments = json!([at, "text", {"list": [1.5, null]}]);
        let publication = all[at].publish("com.example.topic", json!({"exclude_me": false}), &arguments);
        for peer in &mut all {
            assert_eq!(peer.next(), json!([36, subscriptions[0], publication, {}, arguments]));
        }
    }
    all.into_iter().for_each(Peer2::leave);
}

#[test]
fn a_batch_holds_several_messages() {
    let test = serve(|builder| builder);
    for serializer in Serializer::ALL {
        let mut peer = test.client2(Codec { serializer, batched: true });
        let calls: Vec<Value> = (1..=50).map(|id| json!([48, id, {}, "test/echo", [id, "x"]])).collect();
        peer.send_all(&calls);
        let mut answers: Vec<u64> = calls.iter().map(|_| peer.next()[1].as_u64().unwrap()).collect();
        answers.sort_unstable();
        assert_eq!(answers, (1..=50).collect::<Vec<u64>>());
        peer.leave();
    }
}

#[test]
fn realms_know_nothing_of_each_other() {
    let test = serve(|builder| builder.realm("com.example.other"));
    let mut here = test.client2(JSON2);
    let mut there = Peer2::join(test.address, JSON2, "com.example.other");
    here.subscribe("com.example.topic");
    there.subscribe("com.example.topic");
    here.register("com.example.proc");
    there.publish("com.example.topic", json!({}), &json!([1]));
    there.call("com.example.proc", &json!({}), &json!([]));
    assert_eq!(there.error().2, "wamp.error.no_such_procedure");
    here.round_trip();
    there.round_trip();
    here.leave();
    there.leave();
    let mut nowhere = Peer2::connect(test.address, JSON2);
    nowhere.hello("com.example.none");
    assert_eq!(nowhere.aborted(), ("wamp.error.no_such_realm".into(), 1000));
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["protocol"]), (&json!("rejected"), &json!("wamp.2.json")));
}

#[test]
fn what_comes_before_hello_is_refused_and_told() {
    let test = serve(|builder| builder);
    let violations = [
        r#"[32,1,{},"a.b"]"#,
        r#"[6,{},"wamp.close.close_realm"]"#,
        "[1]",
        r#"[1,"realm1",{}]"#,
        "nonsense",
        "[]",
    ];
    for message in violations {
        let mut peer = Peer2::connect(test.address, JSON2);
        peer.send_bytes(message.as_bytes());
        assert_eq!(peer.aborted().0, "wamp.error.protocol_violation", "{message}");
        let rejected = test.rejected();
        assert!(rejected["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{rejected}");
    }
    let mut peer = Peer2::connect(test.address, JSON2);
    peer.send(&json!([1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"]}]));
    assert_eq!(peer.aborted().0, "wamp.error.no_matching_auth_method");
    assert_eq!(test.rejected()["cause"], "unauthorised");
    let mut gone = Peer2::connect(test.address, JSON2);
    gone.peer.send_close(1000, "");
    assert_eq!(gone.peer.closed().0, 1000);
    assert_eq!(test.rejected()["cause"], "aborted");
    assert_eq!(test.log.every("clank.client.connected").len(), 0);
}

#[test]
fn what_is_out_of_place_ends_the_session() {
    let test = serve(|builder| builder);
    let violations = [
        (r#"[1,"realm1",{"roles":{}}]"#, "protocol_violation", "protocol"),
        (r#"[5,"signature",{}]"#, "protocol_violation", "protocol"),
        (r#"[70,7,{}]"#, "protocol_violation", "protocol"),
        (r#"[8,68,7,{},"com.example.error"]"#, "protocol_violation", "protocol"),
        (r#"[2,1,{}]"#, "malformed_message", "malformed"),
        (r#"[32,1,{}]"#, "malformed_message", "malformed"),
        (r#"[32,1,{"match":"any"},"a.b"]"#, "malformed_message", "malformed"),
        ("{}", "malformed_message", "malformed"),
        ("", "malformed_message", "malformed"),
    ];
    for (message, cause, kind) in violations {
        let mut peer = test.client2(JSON2);
        peer.send_bytes(message.as_bytes());
        assert_eq!(peer.aborted().0, "wamp.error.protocol_violation", "{message}");
        assert_eq!(test.disconnected()["cause"], cause, "{message}");
        assert_eq!(test.log.wait_for("clank.client.error")["kind"], kind, "{message}");
    }
    let mut peer = test.client2(JSON2);
    peer.call("test/never", &json!({}), &json!([]));
    peer.send(&json!([48, 1, {}, "test/never"]));
    assert_eq!(peer.aborted().0, "wamp.error.protocol_violation", "a request's id is used twice");
    let mut peer = test.client2(Codec { serializer: Serializer::Cbor, batched: false });
    peer.peer.send("[6,{},\"a.b\"]");
    assert_eq!(peer.aborted().1, 1003, "text where it has to be binary");
}

#[test]
fn a_request_that_is_refused_says_why() {
    let limits = Limits { subscriptions: clank::limits::Count::of(2), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client2(JSON2);
    let cases = [
        (json!([32, 1, {}, "a..b"]), 32, "wamp.error.invalid_uri"),
        (json!([34, 2, 77]), 34, "wamp.error.no_such_subscription"),
        (json!([16, 3, {"acknowledge": true}, "wamp.a"]), 16, "wamp.error.invalid_uri"),
        (json!([48, 4, {}, "no.such.procedure"]), 48, "wamp.error.no_such_procedure"),
        (json!([48, 5, {}, "test/fail"]), 48, "test/fail"),
        (json!([64, 6, {}, "test/echo"]), 64, "wamp.error.procedure_already_exists"),
        (json!([64, 7, {}, "wamp.b"]), 64, "wamp.error.invalid_uri"),
        (json!([66, 8, 77]), 66, "wamp.error.no_such_registration"),
    ];
    for (request, kind, uri) in cases {
        peer.send(&request);
        assert_eq!(peer.error(), (kind, request[1].as_u64().unwrap(), uri.to_owned()));
    }
    peer.send(&json!([16, 9, {}, "wamp.a"]));
    peer.subscribe("a.b");
    peer.subscribe("a.c");
    peer.send(&json!([32, 99, {}, "a.d"]));
    assert_eq!(peer.error().2, "clank.error.limit_exceeded");
    assert_eq!(test.log.wait_for("clank.client.error")["kind"], "limit_exceeded");
    peer.leave();
}

#[test]
fn a_session_may_follow_another_on_one_socket() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let mut peer = test.client2(codec);
        peer.subscribe("com.example.topic");
        let first = peer.session;
        peer.send(&json!([6, {}, "wamp.close.close_realm"]));
        assert_eq!(peer.next(), json!([6, {}, "wamp.close.goodbye_and_out"]));
        let gone = test.disconnected();
        assert_eq!((&gone["cause"], &gone["session"]["id"]), (&json!("client_closed"), &json!(first)));
        assert_eq!(gone["reason"], "wamp.close.close_realm");
        peer.hello("realm1");
        peer.welcomed();
        assert_ne!(peer.session, first);
        peer.round_trip();
        peer.leave();
        let second = test.disconnected();
        assert_ne!(gone["connection_id"], second["connection_id"], "two connections to the listeners");
        assert_ne!(gone["resource_id"], second["resource_id"]);
    }
    assert_eq!(test.log.every("clank.client.rejected").len(), 0, "who leaves is not refused");
}

#[test]
fn records_tell_of_the_session() {
    let test = serve(|builder| builder);
    let peer = test.client2(Codec { serializer: Serializer::MessagePack, batched: true });
    let connected = test.log.wait_for("clank.client.connected");
    assert_eq!(connected["protocol"], "wamp.2.msgpack.batched");
    let authid = &peer.welcome[2]["authid"];
    assert!(authid.as_str().is_some_and(|authid| authid.len() > 8), "{authid}");
    let expected = json!({"realm": "realm1", "id": peer.session, "authid": authid, "authrole": "anonymous",
        "authmethod": "anonymous", "authprovider": "static", "serializer": "msgpack"});
    assert_eq!(connected["session"], expected);
    peer.leave();
    assert_eq!(test.disconnected()["session"], expected);
}

struct Doorkeeper;

impl TopicHandler for Doorkeeper {
    async fn may_subscribe(
        &self,
        _: &clank::Connection,
        topic: &clank::Topic,
    ) -> clank::Result<clank::Permit> {
        match topic.uri() {
            "door/open" => Ok(clank::Permit::Granted),
            "door/shut" => Ok(clank::Permit::Refused),
            _ => Err(clank::Error::new("no such door")),
        }
    }

    async fn on_publish(
        &self,
        _: &clank::Connection,
        _: &clank::Topic,
        publication: &clank::Publication,
    ) -> clank::Result<clank::Forward> {
        match publication.event.parse::<Value>()? {
            Value::String(text) => clank::Forward::changed(&text.to_uppercase()),
            Value::Null => Ok(clank::Forward::Nothing),
            _ => Err(clank::Error::new("a text is needed")),
        }
    }
}

#[test]
fn handlers_decide_in_both_versions() {
    let test = serve(|builder| builder.topic("door", Doorkeeper));
    let mut peer = test.client2(JSON2);
    let subscription = peer.subscribe("door/open");
    peer.send(&json!([32, 10, {}, "door/shut"]));
    assert_eq!(peer.error(), (32, 10, "wamp.error.not_authorized".into()));
    peer.send(&json!([32, 11, {}, "door/none"]));
    assert_eq!(peer.error(), (32, 11, "clank.error.handler_failed".into()));
    peer.send(&json!([16, 12, {"exclude_me": false, "acknowledge": true}, "door/open", ["hi"]]));
    let (first, second) = (peer.next(), peer.next());
    assert_eq!((&first[0], &first[1], &first[4]), (&json!(36), &json!(subscription), &json!(["HI"])));
    assert_eq!((&second[0], &second[1], &second[2]), (&json!(17), &json!(12), &first[2]));
    peer.send(&json!([16, 13, {"acknowledge": true}, "door/open"]));
    assert_eq!(peer.next()[0], 17, "what is kept back has been published");
    peer.send(&json!([16, 14, {"acknowledge": true}, "door/open", [1]]));
    assert_eq!(peer.error(), (16, 14, "clank.error.handler_failed".into()));
    peer.leave();
}

#[test]
fn a_handler_reads_json_whatever_was_published() {
    let test = serve(|builder| {
        builder.topic("json", |_, _, publication: clank::Publication| {
            std::future::ready(clank::Forward::changed(&*publication.event.json()))
        })
    });
    for codec in Codec::ALL {
        let mut peer = test.client2(codec);
        peer.subscribe("json/a");
        for (arguments, seen) in [
            (json!([5]), "5"),
            (json!([[]]), "[]"),
            (json!(["a"]), r#""a""#),
            (json!([1, null]), r#"{"args":[1,null],"kwargs":{}}"#),
        ] {
            let request = peer.request();
            peer.send(&json!([16, request, {"exclude_me": false}, "json/a", arguments]));
            assert_eq!(peer.next()[4], json!([seen]), "{codec:?}");
        }
        peer.leave();
    }
}

#[test]
fn a_server_that_stops_says_so() {
    let test = serve(|builder| builder);
    let mut joined = test.client2(JSON2);
    let mut joining = Peer2::connect(test.address, JSON2);
    let mut left = test.client2(JSON2);
    left.send(&json!([6, {}, "wamp.close.close_realm"]));
    assert_eq!(left.next()[0], 6);
    test.disconnected();
    test.handle().shutdown();
    let goodbye = joined.next();
    assert_eq!((&goodbye[0], &goodbye[2]), (&json!(6), &json!("wamp.close.system_shutdown")));
    assert_eq!(joined.peer.closed().0, 1001);
    assert_eq!(joining.aborted().0, "wamp.close.system_shutdown");
    assert_eq!(test.rejected()["cause"], "server_shutdown");
    assert_eq!(left.aborted().0, "wamp.close.system_shutdown");
    assert_eq!(test.disconnected()["cause"], "server_shutdown");
    assert_eq!(test.log.every("clank.client.rejected").len(), 1, "who has left is not refused");
}

#[test]
fn what_comes_behind_goodbye_is_not_lost() {
    let test = serve(|builder| builder);
    let goodbye = frame(FIN | TEXT, br#"[6,{},"wamp.close.close_realm"]"#);
    let mut peer = test.client2(JSON2);
    peer.peer.write(&[goodbye.clone(), frame(FIN | CLOSE, &close_payload(1000, ""))].concat());
    assert_eq!(peer.next()[0], 6);
    assert_eq!(peer.peer.closed().0, 1000);
    assert!(peer.peer.is_ended(), "nothing follows a close frame");
    let mut peer = test.client2(JSON2);
    let hello = frame(FIN | TEXT, br#"[1,"realm1",{"roles":{"caller":{}}}]"#);
    peer.peer.write(&[goodbye, hello].concat());
    assert_eq!(peer.next()[0], 6);
    peer.welcomed();
    peer.round_trip();
    peer.leave();
}
