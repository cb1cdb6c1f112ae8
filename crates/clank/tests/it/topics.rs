//! Topic handlers, topics in the program's hands, and the handle.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clank::limits::Period;
use clank::{
    Audience, Clank, Connection, Error, Event, Forward, Limits, Permit, Publication, Result, StartError,
    Topic, TopicHandler,
};
use serde_json::{Value, json};

use crate::support::{Peer, Test, serve, serve_limited, until};

/// Does what the topic's URI says, and writes down what it hears.
#[derive(Clone, Default)]
struct Acme(Arc<Mutex<Vec<String>>>);

impl Acme {
    fn note(&self, what: &str, connection: &Connection, topic: &Topic) {
        self.0.lock().unwrap().push(format!("{what} {} {topic}", connection.resource_id()));
    }

    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, line: &str) -> usize {
        self.heard().iter().filter(|heard| *heard == line).count()
    }
}

impl TopicHandler for Acme {
    async fn may_subscribe(&self, _: &Connection, topic: &Topic) -> Result<Permit> {
        match topic.uri() {
            "acme/private" => Ok(Permit::Refused),
            "acme/broken" => Err(Error::new("can't say")),
            "acme/panics" => panic!("on purpose"),
            "acme/hangs" => std::future::pending().await,
            _ => Ok(Permit::Granted),
        }
    }

    async fn on_subscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        assert!(topic.has(connection));
        self.note("joined", connection, topic);
        topic.broadcast(&format!("{} has joined {topic}", connection.resource_id()))
    }

    async fn on_unsubscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        assert!(!topic.has(connection));
        self.note("left", connection, topic);
        topic.broadcast(&format!("{} has left {topic}", connection.resource_id()))
    }

    async fn on_publish(
        &self,
        connection: &Connection,
        _: &Topic,
        publication: &Publication,
    ) -> Result<Forward> {
        match publication.event.parse::<Value>()? {
            Value::String(text) if text == "nothing" => Ok(Forward::Nothing),
            Value::String(text) if text == "fail" => Err(Error::new("no such thing")),
            Value::String(text) if text == "panic" => panic!("on purpose"),
            Value::String(text) => Forward::changed(&json!({"from": connection.resource_id(), "text": text})),
            _ => Ok(Forward::Unchanged),
        }
    }
}

fn acme() -> (Acme, Test) {
    let acme = Acme::default();
    let handler = acme.clone();
    let limits = Limits { listener: Period::of(1_000), ..Limits::DEFAULT };
    (acme, serve_limited(limits, |builder| builder.topic("acme", handler)))
}

#[test]
fn who_may_not_subscribe_does_not() {
    let (acme, test) = acme();
    let mut peer = test.client();
    let cases = [
        ("acme/private", None),
        ("acme/broken", Some(("handler_failed", "can't say"))),
        ("acme/panics", Some(("handler_panicked", "handler panicked: on purpose"))),
        ("acme/hangs", Some(("handler_timed_out", "handler took longer than it may"))),
    ];
    for (topic, error) in cases {
        peer.subscribe(topic);
        peer.round_trip();
        assert_eq!(test.handle().topic(topic).unwrap().count(), 0, "{topic}");
        if let Some((kind, message)) = error {
            let record = test.log.wait_for("clank.client.error");
            assert_eq!((&record["kind"], &record["message"]), (&json!(kind), &json!(message)));
            assert_eq!(record["survived"], true);
        }
    }
    assert_eq!(test.log.every("clank.topic.subscribed").len(), 0);
    peer.leave();
    assert_eq!(acme.heard(), [] as [&str; 0]);
}

/// Sees one publication after the other, when it may.
#[derive(Clone)]
struct Gated {
    heard: Arc<Mutex<Vec<String>>>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl TopicHandler for Gated {
    async fn on_unsubscribe(&self, _: &Connection, _: &Topic) -> Result {
        self.heard.lock().unwrap().push("left".into());
        Ok(())
    }

    async fn on_publish(&self, _: &Connection, _: &Topic, publication: &Publication) -> Result<Forward> {
        self.gate.acquire().await?.forget();
        self.heard.lock().unwrap().push(publication.event.parse()?);
        Ok(Forward::Nothing)
    }
}

#[test]
fn a_handler_hears_of_the_end_of_a_subscription_before_what_comes_after_it() {
    let handler = Gated { heard: Arc::default(), gate: Arc::new(tokio::sync::Semaphore::new(0)) };
    let test = serve(|builder| builder.topic("acme", handler.clone()));
    let mut peer = test.client();
    peer.subscribe("acme");
    peer.publish("acme", &json!("one"));
    peer.send(r#"[6,"acme"]"#);
    peer.publish("acme", &json!("two"));
    peer.send(r#"[2,"call","test/id"]"#);
    // All of it waits for the first publication.
    handler.gate.add_permits(2);
    assert_eq!(peer.json()[0], 3);
    peer.leave();
    assert_eq!(*handler.heard.lock().unwrap(), ["one", "left", "two"]);
}

/// Claims what nobody else does, and lets some of it pass.
struct Others(Arc<Mutex<Vec<String>>>);

impl TopicHandler for Others {
    async fn on_subscribe(&self, _: &Connection, topic: &Topic) -> Result {
        self.0.lock().unwrap().push(format!("joined {topic}"));
        Ok(())
    }

    fn sees_publications(&self, topic: &str) -> bool {
        topic.starts_with("seen")
    }

    async fn on_publish(
        &self,
        connection: &Connection,
        topic: &Topic,
        publication: &Publication,
    ) -> Result<Forward> {
        connection.report(&format!("not on {topic}: {}", publication.event.json()));
        Ok(Forward::Nothing)
    }
}

#[test]
fn topics_that_nobody_claims_have_a_handler_too() {
    let (acme, heard) = (Acme::default(), Arc::default());
    let others = Others(Arc::clone(&heard));
    let test = serve(|builder| builder.topic("acme", acme.clone()).other_topics(others));
    let mut peer = test.client();
    for topic in ["acme", "seen/a", "other"] {
        peer.subscribe(topic);
    }
    assert_eq!(peer.json()[1], "acme");
    peer.publish("seen/a", &json!({"a": 1}));
    peer.publish("other", &json!("passes"));
    assert_eq!(peer.json(), json!([8, "other", "passes"]));
    let record = test.log.wait_for("clank.client.error");
    assert_eq!(
        (&record["kind"], &record["message"], &record["survived"]),
        (&json!("handler_failed"), &json!(r#"not on seen/a: {"a":1}"#), &json!(true))
    );
    let id = test.handle().connections()[0].clone();
    let mut topics: Vec<String> = id.topics().iter().map(|uri| uri.to_string()).collect();
    topics.sort();
    assert_eq!(topics, ["acme", "other", "seen/a"]);
    peer.leave();
    assert_eq!(*heard.lock().unwrap(), ["joined seen/a", "joined other"]);
    until("both are told", || acme.heard().len() == 2);
}

#[test]
fn a_handler_hears_of_members_that_come_and_go_once_each() {
    let (acme, test) = acme();
    let (mut one, first) = test.client_and_id();
    let (mut two, second) = test.client_and_id();
    one.subscribe("acme");
    assert_eq!(one.json(), json!([8, "acme", format!("{first} has joined acme")]));
    one.subscribe("acme");
    two.subscribe("acme");
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.json(), json!([8, "acme", format!("{second} has joined acme")]));
    }
    // By unsubscribing, and by leaving without it.
    two.send(r#"[6,"acme"]"#);
    two.send(r#"[6,"acme"]"#);
    assert_eq!(one.json(), json!([8, "acme", format!("{second} has left acme")]));
    two.subscribe("acme/room");
    assert_eq!(two.json()[1], "acme/room");
    two.leave();
    drop(one);
    test.until_empty();
    for (id, topic) in [(first, "acme"), (second, "acme"), (second, "acme/room")] {
        assert_eq!(acme.count(&format!("joined {id} {topic}")), 1, "{:?}", acme.heard());
        assert_eq!(acme.count(&format!("left {id} {topic}")), 1, "{:?}", acme.heard());
    }
    assert_eq!(test.log.every("clank.topic.unsubscribed").len(), 3);
}

#[test]
fn a_handler_changes_swallows_and_refuses_publications() {
    let (_, test) = acme();
    let (mut peer, id) = test.client_and_id();
    peer.subscribe("acme/t");
    assert_eq!(peer.json()[2], json!(format!("{id} has joined acme/t")));
    for swallowed in ["nothing", "fail", "panic"] {
        peer.publish("acme/t", &json!(swallowed));
    }
    peer.publish("acme/t", &json!("hi"));
    assert_eq!(peer.json(), json!([8, "acme/t", {"from": id, "text": "hi"}]));
    peer.send(r#"[7,"acme/t",[1.0,  2]]"#);
    assert_eq!(peer.text(), r#"[8,"acme/t",[1.0,  2]]"#);
    for falsy in [json!(0), json!(false), json!(null), json!([])] {
        peer.publish("acme/t", &falsy);
        assert_eq!(peer.json(), json!([8, "acme/t", falsy]));
    }
    let kinds: Vec<Value> =
        test.log.every("clank.client.error").iter().map(|error| error["kind"].clone()).collect();
    assert_eq!(kinds, ["handler_failed", "handler_panicked"]);
    peer.leave();
}

#[test]
fn what_a_handler_forwards_keeps_its_audience() {
    let (_, test) = acme();
    let (mut one, mut two) = (test.client(), test.client());
    for peer in [&mut one, &mut two] {
        peer.subscribe("acme");
        peer.json();
    }
    one.json();
    one.send(r#"[7,"acme",1,true]"#);
    one.send(json!([7, "acme", "two only", [], [two.session]]).to_string());
    one.send(r#"[7,"acme",2]"#);
    assert_eq!(one.json(), json!([8, "acme", 2]));
    assert_eq!(two.json(), json!([8, "acme", 1]));
    assert_eq!(two.json()[2]["text"], "two only");
    assert_eq!(two.json(), json!([8, "acme", 2]));
}

/// Misbehaves when members leave, and when they publish.
struct Parting;

impl TopicHandler for Parting {
    async fn on_unsubscribe(&self, _: &Connection, topic: &Topic) -> Result {
        match topic.uri() {
            "parting/fails" => Err(Error::new("on purpose")),
            "parting/panics" => panic!("on purpose"),
            _ => std::future::pending().await,
        }
    }

    async fn on_publish(&self, _: &Connection, _: &Topic, _: &Publication) -> Result<Forward> {
        std::future::pending().await
    }
}

#[test]
fn a_handler_that_misbehaves_at_the_end_is_told_of_before_the_end() {
    let limits = Limits { listener: Period::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.topic("parting", Parting));
    let cases = [
        ("parting/fails", "handler_failed"),
        ("parting/panics", "handler_panicked"),
        ("parting/hangs", "handler_timed_out"),
    ];
    for (topic, kind) in cases {
        let mut peer = test.client();
        peer.subscribe(topic);
        peer.round_trip();
        peer.leave();
        let gone = test.disconnected();
        assert_eq!(gone["cause"], "client_closed");
        let records = test.log.of(gone["resource_id"].as_u64().unwrap());
        let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "clank.client.connected",
                "clank.topic.subscribed",
                "clank.topic.unsubscribed",
                "clank.client.error",
                "clank.client.disconnected",
            ]
        );
        assert_eq!((&records[3]["kind"], &records[3]["survived"]), (&json!(kind), &json!(false)));
    }
}

#[test]
fn a_publication_that_is_never_decided_delays_its_own_client_alone() {
    let limits = Limits { listener: Period::of(300), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.topic("parting", Parting));
    let (mut stuck, mut lost, mut other) = (test.client(), test.client(), test.client());
    stuck.publish("parting/t", &json!(1));
    lost.publish("parting/t", &json!(1));
    drop(lost);
    other.subscribe("t");
    for round in 0..50 {
        other.publish("t", &json!(round));
        assert_eq!(other.json(), json!([8, "t", round]));
    }
    // What came behind it is handled when it has been given up.
    stuck.publish("t", &json!("at last"));
    assert_eq!(other.json(), json!([8, "t", "at last"]));
    stuck.leave();
    other.leave();
    test.until_empty();
    let timed_out = test.log.every("clank.client.error");
    assert!(timed_out.iter().all(|error| error["kind"] == "handler_timed_out"), "{timed_out:?}");
}

#[test]
fn a_handler_serves_its_first_path_segment_alone() {
    let (acme, test) = acme();
    let mut peer = test.client();
    for topic in ["acmeX", "Acme", "other/acme", "acme:x"] {
        peer.subscribe(topic);
        peer.publish(topic, &json!("plain"));
        assert_eq!(peer.json(), json!([8, topic, "plain"]));
    }
    for topic in ["acme", "acme/", "acme/a/b"] {
        peer.subscribe(topic);
        assert!(peer.json()[2].as_str().unwrap().contains("has joined"));
    }
    assert_eq!(acme.heard().len(), 3);
    peer.leave();
}

/// Three clients that have subscribed to `t`, with their connections.
fn members(test: &Test) -> (Vec<Peer>, Vec<Connection>) {
    let mut peers = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..3 {
        let (mut peer, id) = test.client_and_id();
        peer.subscribe("t");
        peer.round_trip();
        connections.push(test.handle().connection(id).unwrap());
        peers.push(peer);
    }
    (peers, connections)
}

#[test]
fn the_program_sends_to_a_topics_members() {
    let test = serve(|builder| builder);
    let (mut peers, connections) = members(&test);
    let [one, two, three] = [0, 1, 2].map(|index| &connections[index]);
    let topic = test.handle().topic("t").unwrap();
    let audiences = [
        (Audience::everyone(), [true, true, true]),
        (Audience::everyone().exclude([one]), [false, true, true]),
        (Audience::everyone().eligible([one, two]), [true, true, false]),
        (Audience::everyone().eligible([one, two]).exclude([one]), [false, true, false]),
        (Audience::everyone().eligible([]), [false, false, false]),
        (Audience::everyone().exclude([one, two, three]), [false, false, false]),
    ];
    for (audience, hear) in audiences {
        topic.broadcast_to("some", &audience).unwrap();
        topic.publish(&Event::new("all").unwrap(), &Audience::everyone());
        for (peer, hears) in peers.iter_mut().zip(hear) {
            if hears {
                assert_eq!(peer.json(), json!([8, "t", "some"]), "{audience:?}");
            }
            assert_eq!(peer.json(), json!([8, "t", "all"]), "{audience:?}");
        }
    }
    topic.send(two, "to one").unwrap();
    test.handle().send(two.resource_id(), "elsewhere", &json!({"a": 1})).unwrap();
    test.handle().publish("t", "to all").unwrap();
    assert_eq!(peers[1].json(), json!([8, "t", "to one"]));
    assert_eq!(peers[1].json(), json!([8, "elsewhere", {"a": 1}]));
    for peer in &mut peers {
        assert_eq!(peer.json(), json!([8, "t", "to all"]));
    }
}

#[test]
fn the_program_sees_and_changes_a_topics_members() {
    let test = serve(|builder| builder);
    let (mut peers, connections) = members(&test);
    let topic = test.handle().topic("t").unwrap();
    let ids = |connections: &[Connection]| {
        let mut ids: Vec<u64> = connections.iter().map(Connection::resource_id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!((topic.uri(), topic.count()), ("t", 3));
    assert_eq!(ids(&topic.members()), ids(&connections));
    assert_eq!(ids(&test.handle().connections()), ids(&connections));
    let one = &connections[0];
    assert!(topic.has(one) && !topic.add(one));
    assert!(topic.remove(one) && !topic.remove(one) && !topic.has(one));
    topic.broadcast("without one").unwrap();
    assert!(topic.add(one) && topic.has(one));
    topic.broadcast("with one").unwrap();
    assert_eq!(peers[0].json()[2], "with one");
    assert_eq!(peers[1].json()[2], "without one");
    // The client itself may end what the program began.
    let other = test.handle().topic("other").unwrap();
    assert!(other.add(one));
    peers[0].send(r#"[6,"other"]"#);
    peers[0].round_trip();
    assert_eq!(other.count(), 0);
}

#[test]
fn impossible_topics_and_connections_are_errors() {
    let test = serve(|builder| builder);
    let handle = test.handle();
    for uri in ["", "a\nb", &"x".repeat(1025)] {
        assert!(handle.topic(uri).is_err());
        assert!(handle.publish(uri, "x").is_err());
    }
    assert!(handle.send(7, "t", "x").is_err());
    assert!(handle.connection(7).is_none());
    handle.publish("nobody/listens", "x").unwrap();
    assert_eq!(handle.topic("nobody/listens").unwrap().count(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn the_program_calls_its_own_procedures() {
    let test = serve(|builder| builder);
    let handle = test.handle();
    assert_eq!(handle.call::<_, Vec<i64>>("test/echo", &[1, 2]).await.unwrap(), [1, 2]);
    assert_eq!(handle.call::<_, Option<u64>>("test/id", &()).await.unwrap(), None, "nobody calls");
    let failed = handle.call::<_, Value>("test/fail", &[1]).await.unwrap_err();
    assert_eq!(failed.description(), "it did not work");
    for (uri, words) in [
        ("test/panic", "the procedure panicked: on purpose"),
        ("unknown/x", "Unable to find that command"),
        ("test", "Unable to find that command"),
    ] {
        assert_eq!(handle.call::<_, Value>(uri, &[1]).await.unwrap_err().description(), words);
    }
    assert!(handle.call::<_, String>("test/echo", &[1]).await.is_err(), "no string");
}

#[test]
fn a_periodic_task_ticks_and_survives_its_failures() {
    let ticks = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&ticks);
    let test = serve(|builder| {
        builder.periodic(Duration::from_millis(5), move |clank| {
            let tick = {
                let mut ticks = count.lock().unwrap();
                *ticks += 1;
                *ticks
            };
            async move {
                match tick {
                    1 => Err(Error::new("on purpose")),
                    2 => panic!("on purpose"),
                    tick => clank.publish("ticks", &tick),
                }
            }
        })
    });
    let mut peer = test.client();
    peer.subscribe("ticks");
    let first = peer.json()[2].as_u64().unwrap();
    assert_eq!(peer.json(), json!([8, "ticks", first + 1]));
    peer.leave();
}

#[test]
fn a_tick_whose_predecessor_still_runs_is_skipped() {
    let running = Arc::new(Mutex::new((0, 0)));
    let watched = Arc::clone(&running);
    let test = serve(|builder| {
        builder.periodic(Duration::from_millis(1), move |_| {
            let watched = Arc::clone(&watched);
            async move {
                {
                    let mut watched = watched.lock().unwrap();
                    watched.0 += 1;
                    watched.1 = watched.1.max(watched.0);
                }
                tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>())
                    .await
                    .unwrap_err();
                watched.lock().unwrap().0 -= 1;
                Ok(())
            }
        })
    });
    let mut seen = 0;
    until("it ran several times", || {
        seen += u32::from(running.lock().unwrap().0 > 0);
        seen > 20
    });
    assert_eq!(running.lock().unwrap().1, 1, "one at a time");
    drop(test);
}

#[test]
fn a_cron_task_runs_and_a_broken_expression_is_refused() {
    let test =
        serve(|builder| builder.cron("* * * * * *", |clank| async move { clank.publish("seconds", "tick") }));
    let mut peer = test.client();
    peer.subscribe("seconds");
    assert_eq!(peer.json(), json!([8, "seconds", "tick"]));
    peer.leave();
    for broken in ["", "every day", "61 * * * *", "* * *"] {
        let started = Clank::builder().cron(broken, |_| async { Ok(()) }).start();
        let Err(StartError::Cron { expression, message }) = started else { panic!("{broken:?} is taken") };
        assert_eq!(expression, broken);
        assert!(!message.is_empty());
    }
}
