//! What the rest of the program finds out by a handle, and calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use clank::{Admission, Client, Connection, Handle, RpcError};
use serde_json::{Value, json};

use crate::support::{serve, until};

fn ids(connections: &[Connection]) -> Vec<u64> {
    connections.iter().map(Connection::resource_id).collect()
}

async fn clients(handle: &Handle, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(handle.client().await.unwrap());
    }
    clients
}

#[tokio::test]
async fn connections_are_found_page_by_page_by_user_and_by_session() {
    let test = serve(|builder| {
        builder.on_connecting(|request| async move {
            Ok(match request.resource_id() % 2 {
                0 => Admission::accept().identity("even"),
                _ => Admission::accept(),
            })
        })
    });
    let handle = test.handle();
    let clients = clients(&handle, 5).await;
    assert_eq!(ids(&handle.connections_after(0, 2)), [1, 2]);
    assert_eq!(ids(&handle.connections_after(2, 9)), [3, 4, 5]);
    assert_eq!(ids(&handle.connections_after(5, 9)), [0_u64; 0]);
    assert_eq!(ids(&handle.connections_of("even")), [2, 4]);
    assert_eq!(ids(&handle.connections_of("odd")), [0_u64; 0]);
    let found = handle.connection_of_session(clients[2].session_id().parse().unwrap()).unwrap();
    assert_eq!(found.resource_id(), 3);
    for client in clients {
        client.close().await;
    }
    test.until_empty();
    assert_eq!(ids(&handle.connections_of("even")), [0_u64; 0]);
    assert!(handle.connection_of_session(found.session_id()).is_none());
}

#[tokio::test]
async fn topics_that_have_subscribers_are_listed_in_order() {
    let test = serve(|builder| builder);
    let handle = test.handle();
    let client = handle.client().await.unwrap();
    let mut subscriptions = Vec::new();
    for topic in ["b/2", "a/1", "b/1", "c", "b/3"] {
        subscriptions.push(client.subscribe(topic).await.unwrap());
    }
    let topics = |prefix, after, count| -> Vec<String> {
        handle.topics_after(prefix, after, count).iter().map(|topic| topic.uri().to_owned()).collect()
    };
    until("all are there", || handle.tables().topics == 5);
    assert_eq!(topics("", "", 9), ["a/1", "b/1", "b/2", "b/3", "c"]);
    assert_eq!(topics("b/", "", 2), ["b/1", "b/2"]);
    assert_eq!(topics("b/", "b/2", 2), ["b/3"]);
    assert_eq!(topics("", "", 0), [""; 0]);
    client.close().await;
    test.until_empty();
    assert_eq!(topics("", "", 9), [""; 0]);
}

/// The caller's runtime has one thread, which goes on.
#[tokio::test]
async fn a_procedure_that_blocks_blocks_not_its_caller() {
    let (unblock, blocked) = mpsc::channel();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let test = serve(|builder| {
        builder.rpc_fn("blocking", move |_, _| {
            let blocked = Arc::clone(&blocked);
            async move { Ok(json!(blocked.lock().unwrap().recv().is_ok())) }
        })
    });
    let handle = test.handle();
    let called = tokio::spawn(async move { handle.call::<_, Value>("blocking/wait", &[1]).await });
    let unblocks = tokio::spawn(async move { unblock.send(()).unwrap() });
    assert_eq!(called.await.unwrap(), Ok(json!(true)));
    unblocks.await.unwrap();
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_dropped() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let (dropped, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
    let (is_dropped, has_begun) = (Arc::clone(&dropped), Arc::clone(&begun));
    let test = serve(|builder| {
        builder.rpc_fn("endless", move |_, _| {
            let (dropped, begun) = (Dropped(Arc::clone(&dropped)), Arc::clone(&begun));
            async move {
                let _dropped = dropped;
                begun.notify_one();
                std::future::pending::<Result<Value, RpcError>>().await
            }
        })
    });
    let handle = test.handle();
    tokio::select! {
        answer = handle.call::<_, Value>("endless/wait", &[1]) => panic!("{answer:?}"),
        () = has_begun.notified() => {}
    }
    until("it is dropped", || is_dropped.load(Ordering::Acquire));
}
