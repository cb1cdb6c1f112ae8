//! One publisher's events arrive in the order of publication, whatever comes between.

use clank::limits::Count;
use clank::{Forward, Limits};
use serde_json::{Value, json};

use crate::support::{Peer, Test, serve, serve_limited};

/// Events of each publisher.
const EVENTS: u64 = 300;

/// Room for all calls of a publisher at once.
fn limits() -> Limits {
    Limits { calls_in_flight: Count::of(EVENTS), ..Limits::DEFAULT }
}

/// Several publishers, each calling between its publications, and several subscribers, on four
/// workers: each sees each publisher's events in order, and each caller all its answers.
fn is_in_order(test: &Test, topic: &str) {
    let mut subscribers: Vec<Peer> = (0..5).map(|_| test.client()).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe(topic);
    }
    test.until_subscribed(topic, subscribers.len());
    std::thread::scope(|scope| {
        for publisher in 0..3 {
            scope.spawn(move || publish(test, topic, publisher));
        }
        for subscriber in &mut subscribers {
            scope.spawn(move || {
                let mut next = [0; 3];
                while next != [EVENTS; 3] {
                    let event = subscriber.json();
                    let publisher = event[2][0].as_u64().unwrap() as usize;
                    assert_eq!(event, json!([8, topic, [publisher, next[publisher]]]));
                    next[publisher] += 1;
                }
            });
        }
    });
}

/// Publishes, subscribed to the topic itself, with a call after each publication.
fn publish(test: &Test, topic: &str, publisher: u64) {
    let mut peer = test.client();
    let own = format!("own/{publisher}");
    peer.subscribe(&own);
    for number in 0..EVENTS {
        peer.publish(topic, &json!([publisher, number]));
        peer.publish(&own, &json!(number));
        peer.send(json!([2, number.to_string(), "test/echo", number]).to_string());
    }
    let (mut events, mut answers) = (0, 0);
    while (events, answers) != (EVENTS, EVENTS) {
        let message = peer.json();
        match message[0].as_u64() {
            Some(3) => answers += 1,
            Some(8) => {
                assert_eq!(message, json!([8, own, events]));
                events += 1;
            }
            _ => panic!("{message}"),
        }
    }
}

#[test]
fn events_keep_their_publishers_order_across_workers() {
    let test = serve_limited(limits(), |builder| builder.workers(4));
    is_in_order(&test, "t");
}

#[test]
fn events_keep_their_order_through_a_handler() {
    let test = serve_limited(limits(), |builder| {
        builder.workers(4).topic("handled", |_, _, _| async {
            tokio::task::yield_now().await;
            Ok(Forward::Unchanged)
        })
    });
    is_in_order(&test, "handled/t");
}

#[test]
fn a_large_audience_hears_everything_in_order() {
    const MEMBERS: usize = 100;
    let test = serve(|builder| builder.workers(3));
    let mut members: Vec<Peer> = (0..MEMBERS).map(|_| test.client()).collect();
    for member in &mut members {
        member.subscribe("t");
    }
    test.until_subscribed("t", MEMBERS);
    let mut publishers = [test.client(), test.client()];
    for number in 0..20 {
        for (name, publisher) in publishers.iter_mut().enumerate() {
            publisher.publish("t", &json!([name, number]));
        }
    }
    for member in &mut members {
        let mut heard: Vec<Value> = (0..40).map(|_| member.json()[2].clone()).collect();
        heard.sort_by_key(|event| event[0].as_u64());
        let expected: Vec<Value> = (0..2).flat_map(|name| (0..20).map(move |n| json!([name, n]))).collect();
        assert_eq!(heard, expected);
    }
    publishers.iter_mut().for_each(Peer::round_trip);
}

#[test]
fn what_one_client_sends_is_handled_in_order() {
    let test = serve(|builder| {
        builder.topic("slow", |_, _, _| async {
            tokio::task::yield_now().await;
            Ok(Forward::Unchanged)
        })
    });
    let mut peer = test.client();
    for round in 0..50 {
        peer.subscribe("slow/t");
        peer.publish("slow/t", &json!(round));
        peer.send(r#"[6,"slow/t"]"#);
        peer.publish("slow/t", &json!("nobody hears this"));
    }
    for round in 0..50 {
        assert_eq!(peer.json(), json!([8, "slow/t", round]));
    }
    peer.leave();
}
