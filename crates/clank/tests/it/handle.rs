//! What the rest of the program finds out by a handle, and calls.

use clank::{Admission, Client, Connection, Handle};

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
