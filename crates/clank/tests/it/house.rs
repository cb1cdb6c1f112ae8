//! Many clients come, hear and go, and leave an empty house.

use clank::limits::Count;
use clank::{Limits, Tables};
use serde_json::json;

use crate::support::{Peer, serve_limited};

#[test]
fn hundreds_of_clients_come_and_go() {
    // Both ends are in this process, which may have as few as 1,024 descriptors.
    const CLIENTS: usize = 200;
    let limits = Limits { handshakes_per_address: Count::of(1_000), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    for round in 0..2 {
        let mut peers: Vec<Peer> = (0..CLIENTS).map(|_| test.client()).collect();
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.subscribe("all");
            peer.subscribe(&format!("own/{number}"));
        }
        test.until_subscribed("all", CLIENTS);
        peers[0].publish("all", &json!(round));
        for peer in &mut peers {
            assert_eq!(peer.json(), json!([8, "all", round]));
        }
        let tables = test.handle().tables();
        assert_eq!((tables.open, tables.connections, tables.addresses), (CLIENTS, CLIENTS, 1));
        for (number, peer) in peers.into_iter().enumerate() {
            match number % 3 {
                0 => peer.leave(),
                1 => drop(peer),
                // Without a word, and with its subscriptions ended.
                _ => {
                    let mut peer = peer;
                    peer.send(r#"[6,"all"]"#);
                }
            }
        }
        test.until_empty();
        assert_eq!(test.handle().tables(), Tables::default());
    }
    let ids = |kind: &str| {
        let mut ids: Vec<String> =
            test.log.every(kind).iter().map(|record| record["connection_id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let connected = ids("clank.client.connected");
    assert_eq!(connected.len(), 2 * CLIENTS);
    assert_eq!(connected, ids("clank.client.disconnected"));
}
