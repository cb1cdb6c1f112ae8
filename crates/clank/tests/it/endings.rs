//! How connections end where the client, or the server, does not do it by the book.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use clank::limits::Size;
use clank::{Clank, Connection, Limits, SlowConsumer, Topic, TopicHandler};
use serde_json::json;

use crate::support::peer::{CLOSE, FIN, Peer, TEXT, close_payload, frame};
use crate::support::{eventually, serve, serve_limited, until};

#[test]
fn a_server_that_is_dropped_leaves_no_client_behind() {
    let server = Clank::builder().bind("127.0.0.1:0").start().unwrap();
    let handle = server.handle();
    let address = server.local_addrs()[0];
    let mut subscriber = Peer::wamp(address);
    subscriber.subscribe("t");
    let mut silent = Peer::wamp(address);
    until("the subscription is made", || handle.topic("t").unwrap().count() == 1);
    drop(server);
    for peer in [&mut subscriber, &mut silent] {
        let mut rest = Vec::new();
        // The end may come as a reset; what matters is that it comes.
        _ = peer.stream.read_to_end(&mut rest);
    }
    until("every table is empty", || handle.tables() == clank::Tables::default());
}

#[test]
fn a_close_frame_is_answered_though_the_client_ends_its_direction_with_it() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.subscribe("t");
    let mut bytes = frame(FIN | TEXT, br#"[7,"t","last words"]"#);
    bytes.extend(frame(FIN | CLOSE, &close_payload(1000, "bye")));
    peer.write(&bytes);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.json(), json!([8, "t", "last words"]));
    assert_eq!(peer.closed(), (1000, String::new()));
    let disconnected = test.disconnected();
    assert_eq!((&disconnected["cause"], &disconnected["reason"]), (&json!("client_closed"), &json!("bye")));
}

#[test]
fn events_that_were_dropped_are_told_though_the_connection_never_recovers() {
    let limits = Limits {
        outbound: Size::of(64 * 1024),
        slow_consumer: SlowConsumer::DropEvents,
        write: "300ms".parse().unwrap(),
        ..Limits::DEFAULT
    };
    let test = serve_limited(limits, |builder| builder);
    let mut slow = test.client();
    slow.subscribe("t");
    test.until_subscribed("t", 1);
    let topic = test.handle().topic("t").unwrap();
    let event = "x".repeat(20_000);
    let told = eventually("the drop is told", || {
        topic.broadcast(&event).unwrap();
        test.log.every("clank.client.error").into_iter().find(|error| error["kind"] == "events_dropped")
    });
    assert!(told["message"].as_str().unwrap().contains("events were dropped"));
    assert_eq!(test.disconnected()["cause"], "slow_consumer");
}

#[test]
fn a_publisher_of_very_many_small_events_waits_for_them_to_be_written() {
    const SUBSCRIBERS: usize = 50;
    const EVENTS: usize = 16_000;
    let test = serve(|builder| builder.workers(1));
    let mut subscribers: Vec<Peer> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut peer = test.client();
            peer.subscribe("t");
            peer
        })
        .collect();
    test.until_subscribed("t", SUBSCRIBERS);
    let mut publisher = test.client();
    publisher.write(&frame(FIN | TEXT, br#"[7,"t",1]"#).repeat(EVENTS));
    std::thread::scope(|scope| {
        for peer in &mut subscribers {
            scope.spawn(move || {
                // A server frame of 11 bytes and its header of two.
                let mut events = vec![0; EVENTS * 11];
                peer.stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                peer.stream.read_exact(&mut events).unwrap();
                assert!(events.chunks(11).all(|event| &event[2..] == br#"[8,"t",1]"#));
            });
        }
    });
    test.is_well();
}

#[test]
fn descriptors_are_free_before_the_last_listener_has_heard() {
    let (hold, held) = tokio::sync::watch::channel(true);
    let test = serve(move |builder| {
        builder.on(clank::EventKind::Disconnected, move |_| {
            let mut held = held.clone();
            async move {
                _ = held.wait_for(|held| !held).await;
                Ok(())
            }
        })
    });
    let mut peer = test.client();
    peer.write(&frame(FIN | CLOSE, &close_payload(1000, "")));
    assert_eq!(peer.frame().opcode(), CLOSE);
    // The end of the stream: the server has given its end of the socket back.
    assert_eq!(peer.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(test.handle().tables().connections, 1, "the listener has not heard it out");
    hold.send(false).unwrap();
    test.until_empty();
}

/// A handler that never comes back from hearing of an unsubscription.
struct Hangs;

impl TopicHandler for Hangs {
    async fn on_unsubscribe(&self, _: &Connection, _: &Topic) -> clank::Result {
        std::future::pending().await
    }
}

#[test]
fn handlers_that_hang_put_the_end_off_once_not_once_each() {
    let limits = Limits { listener: "300ms".parse().unwrap(), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.topic("t", Hangs));
    let mut peer = test.client();
    (0..100).for_each(|topic| peer.subscribe(&format!("t/{topic}")));
    test.until_subscribed("t/99", 1);
    let begun = Instant::now();
    drop(peer);
    assert_eq!(test.disconnected()["cause"], "network_lost");
    assert!(begun.elapsed() < Duration::from_secs(10), "a hundred times 300 ms would be thirty seconds");
}
