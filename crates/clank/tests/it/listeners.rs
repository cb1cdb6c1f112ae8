//! Listeners that misbehave, and those that listen by name, by priority and to the server itself.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use clank::limits::Period;
use clank::{
    ClientErrorEvent, ClientEvent, ClientEventListener, ClientRejectedEvent, Error, EventKind, Limits,
    ListenerOptions, Result, ServerEvent,
};
use serde_json::json;

use crate::support::{HANDSHAKE, Peer, Test, eventually, serve, serve_limited, until};

/// How a listener misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Fails,
    Panics,
    PanicsAtOnce,
    Hangs,
    Blocks,
}

const FAULTS: [Fault; 5] = [Fault::Fails, Fault::Panics, Fault::PanicsAtOnce, Fault::Hangs, Fault::Blocks];

/// Misbehaves on `kind` for connections whose resource id is odd.
struct Faulty {
    kind: EventKind,
    fault: Fault,
    /// Nothing is ever sent: who receives blocks until the other end is dropped.
    blocked: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Faulty {
    async fn misbehave(&self, kind: EventKind, resource_id: u64) -> Result {
        if kind != self.kind || resource_id.is_multiple_of(2) {
            return Ok(());
        }
        match self.fault {
            Fault::Fails => Err(Error::new("on purpose")),
            Fault::Panics | Fault::PanicsAtOnce => {
                tokio::task::yield_now().await;
                panic!("on purpose")
            }
            Fault::Hangs => pending().await,
            Fault::Blocks => {
                _ = self.blocked.lock().unwrap().recv();
                Ok(())
            }
        }
    }
}

impl ClientEventListener for Faulty {
    fn on_client_connect(&self, event: &ClientEvent) -> impl Future<Output = Result> + Send {
        let id = event.connection().resource_id();
        // Before there is a future.
        let at_once = self.fault == Fault::PanicsAtOnce && self.kind == EventKind::Connected && id % 2 == 1;
        assert!(!at_once, "on purpose");
        self.misbehave(EventKind::Connected, id)
    }

    async fn on_client_disconnect(&self, event: &ClientEvent) -> Result {
        self.misbehave(EventKind::Disconnected, event.connection().resource_id()).await
    }

    async fn on_client_error(&self, event: &ClientErrorEvent) -> Result {
        self.misbehave(EventKind::Error, event.connection().resource_id()).await
    }
}

/// A server with a faulty listener; what is returned beside it keeps blocked threads blocked.
fn faulty(kind: EventKind, fault: Fault) -> (mpsc::Sender<()>, Test) {
    let (keep, blocked) = mpsc::channel();
    // A panic takes its time, too: it may write a backtrace.
    let may_take = if matches!(fault, Fault::Hangs | Fault::Blocks) { 150 } else { 10_000 };
    let limits = Limits { listener: Period::of(may_take), ..Limits::DEFAULT };
    let blocked = Arc::new(Mutex::new(blocked));
    let test = serve_limited(limits, |builder| builder.listener(Faulty { kind, fault, blocked }));
    (keep, test)
}

#[test]
fn a_listener_that_misbehaves_leaves_the_others_alone() {
    for kind in [EventKind::Connected, EventKind::Disconnected, EventKind::Error] {
        for fault in FAULTS {
            let (keep, test) = faulty(kind, fault);
            // Resource ids count from one: the first is odd.
            let mut odd = Peer::upgraded(test.address, HANDSHAKE).welcomed();
            let (mut even, id) = test.client_and_id();
            assert_eq!(id, 2, "{kind} {fault:?}");
            odd.send(r#"[2,"id","test/panic"]"#);
            even.subscribe("t");
            for round in 0..20 {
                even.publish("t", &json!(round));
                assert_eq!(even.json(), json!([8, "t", round]), "{kind} {fault:?}");
                even.round_trip();
            }
            odd.send_close(1000, "");
            test.log.wait_for("clank.client.disconnected");
            even.round_trip();
            even.leave();
            test.until_empty();
            assert_eq!(test.log.every("clank.client.disconnected").len(), 2, "{kind} {fault:?}");
            drop(keep);
        }
    }
}

#[test]
fn a_listener_that_misbehaves_becomes_an_error_event() {
    let expected = |fault: Fault| match fault {
        Fault::Fails => ("listener_failed", "on purpose"),
        Fault::Panics | Fault::PanicsAtOnce => ("listener_panicked", "listener panicked: on purpose"),
        Fault::Hangs | Fault::Blocks => ("listener_timed_out", "listener took longer than it may"),
    };
    for fault in FAULTS {
        let (keep, test) = faulty(EventKind::Connected, fault);
        let mut peer = test.client();
        let error = test.log.wait_for("clank.client.error");
        let (kind, message) = expected(fault);
        assert_eq!((&error["kind"], &error["message"]), (&json!(kind), &json!(message)));
        if matches!(fault, Fault::Hangs | Fault::Blocks) {
            assert_eq!(test.disconnected()["cause"], "handler_failure");
        } else {
            // It has heard, if badly: the client is served.
            peer.round_trip();
            peer.leave();
        }
        drop(keep);
    }
}

#[test]
fn an_inline_listener_may_panic_and_wait() {
    let limits = Limits { listener: Period::of(1_000), ..Limits::DEFAULT };
    let inline = ListenerOptions::new().inline();
    let test = serve_limited(limits, |builder| {
        builder
            .on_with(inline, EventKind::Connected, |_| async { panic!("on purpose") })
            .on_with(inline, EventKind::Connected, |_| async {
                tokio::time::timeout(std::time::Duration::from_millis(1), pending::<()>()).await.unwrap_err();
                Ok(())
            })
            .on_with(inline, EventKind::Disconnected, |_| pending())
    });
    let mut peer = test.client();
    peer.round_trip();
    peer.leave();
    test.until_empty();
    assert_eq!(test.log.every("clank.client.error")[0]["kind"], "listener_panicked");
}

#[test]
fn listeners_are_told_by_priority_until_one_stops_it() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let test = serve(|builder| {
        let listen = |builder: clank::Builder, name: &'static str, priority: i32, stops: bool| {
            let heard = Arc::clone(&heard);
            builder.on_with(ListenerOptions::new().priority(priority), EventKind::Connected, move |event| {
                heard.lock().unwrap().push((event.connection().unwrap().resource_id(), name));
                if stops && event.connection().unwrap().resource_id() == 2 {
                    event.stop_propagation();
                }
                async { Ok(()) }
            })
        };
        let builder = listen(builder, "second", 0, false);
        let builder = listen(builder, "last", -5, false);
        let builder = listen(builder, "third, and may stop", 0, true);
        listen(builder, "first", 5, false)
    });
    let mut peers = [test.client(), test.client()];
    peers.iter_mut().for_each(Peer::round_trip);
    let of = |id: u64| -> Vec<&str> {
        let heard = heard.lock().unwrap();
        heard.iter().filter(|(of, _)| *of == id).map(|(_, name)| *name).collect()
    };
    assert_eq!(of(1), ["first", "second", "third, and may stop", "last"]);
    assert_eq!(of(2), ["first", "second", "third, and may stop"]);
    drop(peers);
}

/// Writes down what it hears, as the events' own methods tell it.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn note(&self, line: String) -> Result {
        self.0.lock().unwrap().push(line);
        Ok(())
    }

    fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl ClientEventListener for Story {
    async fn on_client_connect(&self, event: &ClientEvent) -> Result {
        let connection = event.connection();
        assert!(connection.is_open() && event.cause().is_none());
        self.note(format!("{} connected", connection.resource_id()))
    }

    async fn on_client_disconnect(&self, event: &ClientEvent) -> Result {
        let (connection, end) = (event.connection(), event.disconnected().unwrap());
        assert!(!connection.is_open() && event.cause() == Some(end.cause));
        self.note(format!("{} disconnected: {} {}", connection.resource_id(), end.cause, end.code))
    }

    async fn on_client_error(&self, event: &ClientErrorEvent) -> Result {
        let error = event.error();
        self.note(format!("connection error occurred: {error} ({}, {})", error.kind(), error.survived()))
    }

    async fn on_client_rejected(&self, event: &ClientRejectedEvent) -> Result {
        self.note(format!("rejected: {}", event.rejection().cause))
    }

    async fn on_server_launched(&self, event: &ServerEvent) -> Result {
        self.note(event.record().kind().to_string())
    }

    async fn on_server_stopping(&self, event: &ServerEvent) -> Result {
        self.note(event.record().kind().to_string())
    }
}

#[test]
fn a_listener_hears_the_whole_story() {
    let story = Story::default();
    let listener = story.clone();
    let test = serve(|builder| builder.listener(listener));
    until("it is launched", || story.told().len() == 1);
    let mut peer = test.client();
    peer.call("test/panic", &json!([]));
    peer.leave();
    test.until_empty();
    assert_eq!(test.request("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n").status, 400);
    until("the rejection is heard", || story.told().len() == 5);
    test.handle().shutdown();
    until("the end is heard", || story.told().len() == 6);
    assert_eq!(
        story.told(),
        [
            "clank.server.launched",
            "1 connected",
            "connection error occurred: handler panicked: on purpose (handler_panicked, true)",
            "1 disconnected: client_closed 1000",
            "rejected: handshake_malformed",
            "clank.server.stopping",
        ]
    );
}

#[test]
fn a_closed_connection_can_be_held_and_asked() {
    let held = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&held);
    let test = serve(|builder| {
        builder.on(EventKind::Connected, move |event| {
            keep.lock().unwrap().extend(event.connection().cloned());
            async { Ok(()) }
        })
    });
    let peer = test.client();
    until("it is held", || held.lock().unwrap().len() == 1);
    peer.leave();
    test.until_empty();
    let connection = held.lock().unwrap()[0].clone();
    let topic = test.handle().topic("t").unwrap();
    assert_eq!((connection.resource_id(), connection.is_open()), (1, false));
    assert!(!topic.add(&connection) && !topic.has(&connection) && !topic.remove(&connection));
    topic.send(&connection, "nobody").unwrap();
    connection.close(1000, "");
    assert!(test.handle().connection(1).is_none());
    assert!(test.handle().send(1, "t", "nobody").is_err());
}

#[test]
fn blocked_threads_stop_no_socket_and_later_clients_are_heard() {
    const BLOCKING: u64 = 30;
    let (keep, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let (heard, hear) = mpsc::channel();
    let test = serve(|builder| {
        builder.on(EventKind::Connected, move |event| {
            let (blocked, heard) = (Arc::clone(&blocked), heard.clone());
            let id = event.connection().unwrap().resource_id();
            async move {
                if (2..2 + BLOCKING).contains(&id) {
                    _ = blocked.lock().unwrap().recv();
                }
                heard.send(id)?;
                Ok(())
            }
        })
    });
    let mut early = test.client();
    early.subscribe("t");
    early.round_trip();
    assert_eq!(hear.recv().unwrap(), 1);
    let blocking: Vec<Peer> = (0..BLOCKING).map(|_| test.client()).collect();
    // What needs none of the application's code goes on at once.
    for round in 0..50 {
        early.publish("t", &json!(round));
        assert_eq!(early.json(), json!([8, "t", round]));
    }
    // What needs it gets fresh threads, once it has been noticed that all are blocked.
    let mut late = eventually("a later client is heard", || {
        let (peer, last) = (test.client(), 2 + BLOCKING);
        hear.recv_timeout(Duration::from_millis(200)).is_ok_and(|id| id >= last).then_some(peer)
    });
    late.round_trip();
    early.round_trip();
    drop(blocking);
    late.leave();
    early.leave();
    // Those that blocked are given up at their limit, and still told of.
    test.until_empty();
    drop(keep);
}
