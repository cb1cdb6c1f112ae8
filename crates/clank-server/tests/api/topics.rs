//! Which topics there are, and who is on them.

use serde_json::{Value, json};

use crate::support::serve;

#[test]
fn topics_that_have_subscribers_are_listed_in_pages() {
    let test = serve();
    let mut first = test.client();
    for topic in ["rooms/2", "rooms/1", "news", "rooms/3"] {
        test.subscribe(&mut first, topic);
    }
    let second = test.subscriber("rooms/2");
    let page = |query: &str| -> (Vec<Value>, Value) {
        let page = test.get(&format!("/v1/topics?{query}")).ok();
        (page["topics"].as_array().unwrap().clone(), page["next"].clone())
    };
    let topic = |topic: &str, subscribers: usize| json!({"topic": topic, "subscribers": subscribers});
    let rooms = vec![topic("rooms/1", 1), topic("rooms/2", 2), topic("rooms/3", 1)];
    assert_eq!(page("prefix=rooms/"), (rooms.clone(), Value::Null));
    assert_eq!(page("limit=3"), ([vec![topic("news", 1)], rooms[..2].to_vec()].concat(), json!("rooms/2")));
    assert_eq!(page("limit=3&cursor=rooms%2F2"), (rooms[2..].to_vec(), Value::Null));
    assert_eq!(page("limit=3&prefix=rooms"), (rooms, Value::Null));
    assert_eq!(page("prefix=none"), (vec![], Value::Null));
    assert_eq!(test.get("/v1/topics/rooms%2F2").ok(), topic("rooms/2", 2));
    assert_eq!(test.get("/v1/topics/none").ok(), topic("none", 0));
    assert_eq!(test.get("/v1/topics/%00").problem(), (422, "invalid-request"));
    first.leave();
    second.leave();
}

#[test]
fn who_is_on_a_topic_is_told_by_user() {
    let test = serve();
    let mut clients: Vec<_> = ["ben", "anna", "carl", "anna"].map(|user| test.client_of(user, "/")).into();
    clients.push(test.client());
    clients.iter_mut().for_each(|client| test.subscribe(client, "room"));
    let elsewhere = test.client_of("dora", "/");
    let user = |identity: &str, connections: usize| json!({"identity": identity, "connections": connections});
    let all =
        json!({"users": [user("anna", 2), user("ben", 1), user("carl", 1)], "anonymous": 1, "next": null});
    assert_eq!(test.get("/v1/topics/room/users").ok(), all);
    let first = test.get("/v1/topics/room/users?limit=2").ok();
    assert_eq!(first, json!({"users": [user("anna", 2), user("ben", 1)], "anonymous": 1, "next": "ben"}));
    let second = test.get("/v1/topics/room/users?limit=2&cursor=ben").ok();
    assert_eq!(second, json!({"users": [user("carl", 1)], "anonymous": 1, "next": null}));
    let nobody = json!({"users": [], "anonymous": 0, "next": null});
    assert_eq!(test.get("/v1/topics/none/users").ok(), nobody);
    clients.into_iter().for_each(|client| client.leave());
    elsewhere.leave();
}
