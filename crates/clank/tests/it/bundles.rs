//! Events that come in one read go to their subscribers together, and nobody sees a difference.

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::peer::{TEXT, frame};
use crate::support::{FIN, Peer, Peer2, Test, serve};

const TOPIC: &str = "com.example.topic";
/// More than go together.
const EVENTS: u64 = 150;

/// Sends all of it in one write.
fn write_all(peer: &mut Peer, messages: impl IntoIterator<Item = Value>) {
    let frames = messages.into_iter().map(|message| frame(FIN | TEXT, message.to_string().as_bytes()));
    peer.write(&frames.collect::<Vec<_>>().concat());
}

/// A client in every form that there is beside WAMP v1.
fn clients2(test: &Test) -> Vec<Peer2> {
    let on_websocket = Codec::ALL.into_iter().map(|codec| test.client2(codec));
    on_websocket.chain(Serializer::ALL.into_iter().map(|serializer| test.client_raw(serializer))).collect()
}

#[test]
fn every_form_hears_all_of_a_burst_in_order() {
    let test = serve(|builder| builder);
    let (mut publisher, mut old, mut new) = (test.client(), test.client(), clients2(&test));
    old.subscribe(TOPIC);
    new.iter_mut().for_each(|peer| _ = peer.subscribe(TOPIC));
    test.until_subscribed(TOPIC, new.len() + 1);
    write_all(&mut publisher, (0..EVENTS).map(|number| json!([7, TOPIC, number])));
    let mut publications: Vec<Value> = Vec::new();
    for number in 0..EVENTS {
        assert_eq!(old.json(), json!([8, TOPIC, number]));
        let events: Vec<Value> = new.iter_mut().map(Peer2::next).collect();
        assert!(events.iter().all(|event| event[4] == json!([number])), "{events:?}");
        assert!(events.iter().all(|event| event[2] == events[0][2]), "one number for all: {events:?}");
        assert!(!publications.contains(&events[0][2]), "no number for two");
        publications.push(events[0][2].clone());
    }
    old.leave();
    let end = test.disconnected();
    assert_eq!(end["messages_sent"], 1 + EVENTS, "each event counts, and WELCOME");
}

#[test]
fn what_comes_between_keeps_its_place() {
    let test = serve(|builder| builder);
    let (mut publisher, mut heard) = (test.client(), test.client());
    for topic in ["a", "b"] {
        heard.subscribe(topic);
        test.until_subscribed(topic, 1);
    }
    let publish = |topic: &str, number: u64| json!([7, topic, number]);
    write_all(
        &mut publisher,
        [
            publish("a", 1),
            publish("a", 2),
            publish("b", 3),
            publish("a", 4),
            // what was published before is not for this subscription, what follows is
            json!([5, "a"]),
            publish("a", 5),
            json!([2, "call", "test/echo", 6]),
            publish("a", 7),
            json!([7, "a", 8, true]),
            json!([6, "a"]),
            publish("a", 9),
        ],
    );
    let told = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("a", 5), ("a", 7), ("a", 8), ("a", 9)];
    for (topic, number) in told {
        assert_eq!(heard.json(), json!([8, topic, number]));
    }
    let mut own = [publisher.json(), publisher.json(), publisher.json()];
    own.sort_by_key(|message| message[0].as_u64());
    assert_eq!(own, [json!([3, "call", [6]]), json!([8, "a", 5]), json!([8, "a", 7])]);
    publisher.round_trip();
}

#[test]
fn a_burst_before_an_end_is_heard() {
    let test = serve(|builder| builder);
    let mut heard = test.client();
    heard.subscribe(TOPIC);
    test.until_subscribed(TOPIC, 1);
    for last in [frame(FIN | TEXT, b"no JSON"), frame(0x80 | 0x70, b""), frame(FIN | 8, b"\x03\xe8")] {
        let mut publisher = test.client();
        let events = (0..3).map(|number| frame(FIN | TEXT, json!([7, TOPIC, number]).to_string().as_bytes()));
        publisher.write(&events.chain([last]).collect::<Vec<_>>().concat());
        (0..3).for_each(|number| assert_eq!(heard.json(), json!([8, TOPIC, number])));
    }
}

#[test]
fn who_takes_little_gets_what_it_can_take() {
    let test = serve(|builder| builder);
    let mut small = Peer2::raw(test.connect_raw(), Serializer::Json, 12);
    small.hello("realm1");
    small.welcomed();
    small.subscribe(TOPIC);
    let mut publisher = test.client();
    let long = "x".repeat(5_000);
    write_all(&mut publisher, ["first", &long, "second"].map(|event| json!([7, TOPIC, event])));
    assert_eq!(small.next()[4], json!(["first"]));
    assert_eq!(small.next()[4], json!(["second"]));
}

#[test]
fn where_subscribers_are_very_many_the_next_message_waits() {
    let test = serve(|builder| builder);
    let mut others: Vec<Peer> = (0..1_050).map(|_| test.client()).collect();
    others.iter_mut().for_each(|other| other.subscribe(TOPIC));
    let mut publisher = test.client();
    publisher.subscribe(TOPIC);
    test.until_subscribed(TOPIC, others.len() + 1);
    let events = (0..3).map(|number| json!([7, TOPIC, number]));
    write_all(&mut publisher, events.chain([json!([6, TOPIC]), json!([7, TOPIC, 3])]));
    (0..3).for_each(|number| assert_eq!(publisher.json(), json!([8, TOPIC, number])));
    for other in &mut others {
        (0..4).for_each(|number| assert_eq!(other.json(), json!([8, TOPIC, number])));
    }
    publisher.round_trip();
}
