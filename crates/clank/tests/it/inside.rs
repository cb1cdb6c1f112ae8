//! Clients within the program, and a server mounted on a router of the application's own.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use clank::{Admission, Forward, Handle};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::peer::{BINARY, frame};
use crate::support::{FIN, HANDSHAKE, JSON2, Peer, Peer2, Test, serve};

#[tokio::test]
async fn a_client_within_is_a_client_as_any_other() {
    let test = serve(|builder| {
        builder.topic("loud", |_, _, publication: clank::Publication| async move {
            let text: String = publication.event.parse()?;
            Forward::changed(&text.to_uppercase())
        })
    });
    let client = test.handle().client().await.unwrap();
    let other = test.handle().client().await.unwrap();
    assert_ne!(client.session_id(), other.session_id());
    let mut events = client.subscribe("t").await.unwrap();
    let mut loud = client.subscribe("loud/t").await.unwrap();
    assert_eq!(client.call::<_, Vec<i64>>("test/echo", &[1, 2]).await.unwrap(), [1, 2]);
    let error = client.call::<_, Value>("test/fail", &[1]).await.unwrap_err();
    let clank::CallError::Answered { uri, description, details } = error else { panic!("{error}") };
    assert_eq!((uri.as_str(), description.as_str()), ("test/fail", "it did not work"));
    assert_eq!(details["code"], 417);
    other.publish("t", &json!({"a": 1})).await.unwrap();
    assert_eq!(events.next().await.unwrap().event.parse::<Value>().unwrap(), json!({"a": 1}));
    client.publish("loud/t", "hi").await.unwrap();
    let received = loud.next().await.unwrap();
    assert_eq!((received.topic.as_str(), received.event.parse::<String>().unwrap()), ("loud/t", "HI".into()));
    // Not to itself, and to nobody but one.
    client.publish_to("t", "without me", &[client.session_id()], None).await.unwrap();
    client.publish_to("t", "me alone", &[], Some(&[client.session_id()])).await.unwrap();
    assert_eq!(events.next().await.unwrap().event.parse::<String>().unwrap(), "me alone");
    client.unsubscribe("t").await.unwrap();
    assert!(events.next().await.is_err());
    assert!(test.log.every("clank.client.connected").iter().all(|record| record["remote_address"].is_null()));
    client.close().await;
    drop(other);
    test.until_empty();
    let mut causes: Vec<String> = test
        .log
        .every("clank.client.disconnected")
        .iter()
        .map(|record| record["cause"].to_string())
        .collect();
    causes.sort();
    assert_eq!(causes, ["\"client_closed\"", "\"network_lost\""]);
}

#[tokio::test]
async fn a_client_within_is_asked_for_refused_and_closed_as_any_other() {
    let test = serve(|builder| {
        builder.on_connecting(|request| async move {
            Ok(match request.resource_id() {
                1 => Admission::reject(StatusCode::FORBIDDEN, "no"),
                _ => Admission::accept().identity("inside"),
            })
        })
    });
    let refused = test.handle().client().await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    assert_eq!(test.rejected()["cause"], "rejected");
    let client = test.handle().client().await.unwrap();
    let connection = test.handle().connections().remove(0);
    assert_eq!(connection.identity().unwrap().id.as_ref(), "inside");
    connection.close(4001, "enough");
    let closed = client.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, "enough"));
    assert!(client.publish("t", "too late").await.is_err());
    assert!(client.call::<_, Value>("test/echo", &()).await.is_err());
    assert!(client.subscribe("t").await.is_err());
}

#[tokio::test]
async fn a_message_larger_than_the_pipe_passes_through_it() {
    let test = serve(|builder| builder);
    let client = test.handle().client().await.unwrap();
    let mut events = client.subscribe("t").await.unwrap();
    let long = "x".repeat(900_000);
    for _ in 0..5 {
        client.publish("t", &long).await.unwrap();
        assert_eq!(events.next().await.unwrap().event.parse::<String>().unwrap(), long);
    }
    client.close().await;
}

/// Serves `handle` on `/ws` of an axum application, and returns its address.
async fn mount(handle: &Handle) -> SocketAddr {
    let mounted = handle
        .mount()
        .remote_addr(|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0));
    let router: Router =
        Router::new().route("/", get(|| async { "the application" })).route_service("/ws", mounted);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    address
}

/// Runs `talk`, which blocks, while the application serves.
async fn beside(talk: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(talk).await.unwrap();
}

fn mounted_handshake() -> String {
    HANDSHAKE.replace("GET / ", "GET /ws ")
}

#[tokio::test]
async fn a_mounted_server_serves_beside_the_application() {
    let test: Test = serve(|builder| builder.paths(clank::Paths::Only("/ws".into())));
    let address = mount(&test.handle()).await;
    beside(move || {
        let mut page = Peer::connect(address);
        page.write(b"GET / HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n");
        assert_eq!(page.response().body, "the application");
        let mut plain = Peer::connect(address);
        plain.write(b"GET /ws HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n");
        assert_eq!(plain.response().status, 426);
        let mut refused = Peer::connect(address);
        refused.write(mounted_handshake().replace("wamp", "soap").as_bytes());
        assert_eq!(refused.response().status, 400);

        let mut mounted = Peer::upgraded(address, &mounted_handshake()).welcomed();
        let mut own = Peer::upgraded(test.address, &mounted_handshake()).welcomed();
        for peer in [&mut mounted, &mut own] {
            peer.subscribe("t");
            peer.round_trip();
        }
        let long = json!("x".repeat(300_000));
        own.publish("t", &long);
        mounted.publish("t", &json!("short"));
        for peer in [&mut mounted, &mut own] {
            let mut heard = [peer.json()[2].clone(), peer.json()[2].clone()];
            heard.sort_by_key(|event| event.as_str().map(str::len));
            assert_eq!(heard, [json!("short"), long.clone()]);
        }
        let here = mounted.stream.local_addr().unwrap().to_string();
        let connected = test.log.every("clank.client.connected");
        assert!(connected.iter().any(|record| record["remote_address"] == here), "{connected:?}");
        mounted.write(&frame(FIN | BINARY, b"no"));
        assert_eq!(mounted.closed().0, 1003);
        assert_eq!(test.disconnected()["cause"], "unsupported_data");
        own.leave();
        // Ends of all kinds.
        let mut leaving = Peer::upgraded(address, &mounted_handshake()).welcomed();
        leaving.round_trip();
        leaving.leave();
        drop(Peer::upgraded(address, &mounted_handshake()).welcomed());
        test.until_empty();
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_with_a_mounted_handshake_is_not_lost() {
    let test = serve(|builder| builder.paths(clank::Paths::Any));
    let address = mount(&test.handle()).await;
    beside(move || {
        let mut peer = Peer::connect(address);
        let call = frame(0x81, br#"[2,"id","test/echo",1]"#);
        peer.write(&[mounted_handshake().as_bytes(), &call].concat());
        assert_eq!(peer.response().status, 101);
        let mut peer = peer.welcomed();
        assert_eq!(peer.json(), json!([3, "id", [1]]));
        peer.leave();
        test.until_empty();
    })
    .await;
}

#[tokio::test]
async fn a_mounted_server_has_sessions_of_wamp_v2() {
    let test: Test = serve(|builder| builder.paths(clank::Paths::Any));
    let address = mount(&test.handle()).await;
    let sessions = move || {
        let mut peer = Peer2::connect_by(address, &mounted_handshake(), JSON2);
        for _ in 0..2 {
            peer.hello("realm1");
            peer.welcomed();
            peer.round_trip();
            peer.send(&json!([6, {}, "wamp.close.close_realm"]));
            assert_eq!(peer.next()[0], 6);
        }
        peer.peer.leave();
    };
    tokio::task::spawn_blocking(sessions).await.unwrap();
    test.disconnected();
    test.disconnected();
}

#[tokio::test]
async fn a_shutdown_closes_mounted_clients_and_those_within() {
    let test = serve(|builder| builder.paths(clank::Paths::Any));
    let address = mount(&test.handle()).await;
    let client = test.handle().client().await.unwrap();
    let (told, tell) = tokio::sync::oneshot::channel();
    let peer = tokio::task::spawn_blocking(move || {
        let mut peer = Peer::upgraded(address, &mounted_handshake()).welcomed();
        told.send(()).unwrap();
        assert_eq!(peer.closed().0, 1001);
    });
    tell.await.unwrap();
    test.server.shutdown().await;
    peer.await.unwrap();
    assert_eq!(client.closed().await.code, 1001);
    let gone = test.log.every("clank.client.disconnected");
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|record| record["cause"] == "server_shutdown"));
}
