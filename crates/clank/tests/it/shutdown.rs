//! The end of a server.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use clank::limits::Period;
use clank::{EventKind, Limits};
use serde_json::json;

use crate::support::{Peer, Test, serve_limited, until};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n";

/// Waits for the server's end, on a thread of its own so that the test can have a deadline.
fn wait(test: &Test) -> Duration {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test.server.wait()).await });
    assert!(ended.is_ok(), "the server does not end: {:?}", test.handle().tables());
    begun.elapsed()
}

#[test]
fn a_shutdown_closes_everybody_over_the_window_and_tells() {
    const CLIENTS: usize = 20;
    let limits = Limits { drain: Period::of(400), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    assert_eq!(test.request(HEALTH).body, "ok\n");
    let mut peers: Vec<Peer> = (0..CLIENTS).map(|_| test.client()).collect();
    let begun = Instant::now();
    test.handle().shutdown();
    test.log.wait_for("clank.server.stopping");
    assert_eq!(test.request(HEALTH).status, 503);
    assert_eq!(test.request(crate::support::HANDSHAKE).status, 503);
    assert_eq!(test.rejected()["cause"], "server_shutdown");
    for peer in &mut peers {
        assert_eq!(peer.closed().0, 1001);
    }
    wait(&test);
    assert!(begun.elapsed() > Duration::from_millis(300), "spread over the window");
    let gone = test.log.every("clank.client.disconnected");
    assert_eq!(gone.len(), CLIENTS);
    for record in &gone {
        assert_eq!(
            (&record["cause"], &record["code"], &record["initiator"]),
            (&json!("server_shutdown"), &json!(1001), &json!("server"))
        );
    }
    let stopping = test.log.every("clank.server.stopping");
    assert_eq!((stopping.len(), &stopping[0]["open"]), (1, &json!(CLIENTS)));
}

#[test]
fn who_is_connected_is_served_until_its_turn_to_go() {
    let limits = Limits { drain: Period::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder.workers(1));
    let mut peers: Vec<Peer> = (0..10).map(|_| test.client()).collect();
    test.handle().shutdown();
    test.log.wait_for("clank.server.stopping");
    let last = peers.last_mut().unwrap();
    last.round_trip();
    last.round_trip();
    peers.iter_mut().for_each(|peer| assert_eq!(peer.closed().0, 1001));
    wait(&test);
}

#[test]
fn a_second_order_hastens() {
    let limits = Limits { drain: Period::of(60_000), shutdown: Period::of(120_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peers: Vec<Peer> = (0..10).map(|_| test.client()).collect();
    test.handle().shutdown();
    test.log.wait_for("clank.server.stopping");
    test.handle().shutdown();
    peers.iter_mut().for_each(|peer| assert_eq!(peer.closed().0, 1001));
    assert!(wait(&test) < Duration::from_secs(10));
    assert_eq!(test.log.every("clank.client.disconnected").len(), 10);
}

#[test]
fn listeners_are_awaited_as_long_as_they_may_take() {
    let (heard, hear) = mpsc::channel();
    let limits = Limits { drain: Period::of(0), listener: Period::of(300), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| {
        builder.on(EventKind::Stopping, |_| pending()).on(EventKind::Disconnected, |_| pending()).on(
            EventKind::Disconnected,
            move |_| {
                heard.send(()).unwrap();
                async { Ok(()) }
            },
        )
    });
    let mut peer = test.client();
    test.handle().shutdown();
    assert_eq!(peer.closed().0, 1001);
    wait(&test);
    hear.try_recv().unwrap();
}

#[test]
fn a_shutdown_ends_at_its_deadline_whatever_listeners_do() {
    let limits = Limits { drain: Period::of(0), shutdown: Period::of(300), ..Limits::DEFAULT };
    let test =
        serve_limited(limits, |builder| builder.on(EventKind::Disconnected, |_| async { pending().await }));
    let peer = test.client();
    test.handle().shutdown();
    assert!(wait(&test) < Duration::from_secs(5));
    drop(peer);
}

#[test]
fn a_shutdown_ends_also_if_all_application_threads_are_blocked() {
    let (keep, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let limits = Limits { drain: Period::of(0), listener: Period::of(100), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| {
        builder.on(EventKind::Connected, move |_| {
            let blocked = Arc::clone(&blocked);
            async move {
                _ = blocked.lock().unwrap().recv();
                Ok(())
            }
        })
    });
    let peers: Vec<Peer> = (0..40).map(|_| test.client()).collect();
    test.log.wait_for("clank.client.error");
    test.handle().shutdown();
    drop(peers);
    wait(&test);
    until("all have been told of", || test.log.every("clank.client.disconnected").len() == 40);
    drop(keep);
}

#[test]
fn a_server_without_clients_ends_at_once_and_only_once() {
    let test = serve_limited(Limits::DEFAULT, |builder| builder);
    test.handle().shutdown();
    assert!(wait(&test) < Duration::from_secs(2));
    assert!(wait(&test) < Duration::from_secs(1), "again");
    test.handle().shutdown();
    assert!(std::net::TcpStream::connect(test.address).is_err(), "the port is free");
    assert_eq!(test.log.every("clank.server.launched").len(), 1);
    assert_eq!(test.log.every("clank.server.stopping").len(), 1);
}

#[test]
fn a_server_that_is_dropped_ends_at_once() {
    let test = serve_limited(Limits::DEFAULT, |builder| builder);
    let address = test.address;
    drop(test);
    until("the port is free", || std::net::TcpStream::connect(address).is_err());
}
