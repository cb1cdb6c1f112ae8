//! Finding connections, and closing them.

use serde_json::{Value, json};

use crate::support::{Test, serve, until};

fn ids(page: &Value) -> Vec<u64> {
    let connections = page["connections"].as_array().unwrap();
    connections.iter().map(|connection| connection["resource_id"].as_u64().unwrap()).collect()
}

/// All connections that fit, page by page.
fn every(test: &Test, path: &str, limit: usize) -> Vec<u64> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    let separator = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = test.get(&format!("{path}{separator}limit={limit}{cursor}")).ok();
        all.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn count(test: &Test, query: &str) -> Value {
    test.get(&format!("/v1/connections/count{query}")).ok()["count"].clone()
}

#[test]
fn a_connection_is_shown_with_what_its_records_have() {
    let test = serve();
    let client = test.client_of("anna", "/shop");
    let id = test.resource_id(&client);
    let shown = test.get(&format!("/v1/connections/{id}")).ok();
    let connection = test.handle().connection(id).unwrap();
    assert_eq!(
        shown,
        json!({
            "resource_id": id,
            "connection_id": connection.id().to_string(),
            "session_id": client.session,
            "identity": {"id": "anna"},
            "attributes": null,
            "remote_address": client.stream.local_addr().unwrap().to_string(),
            "transport": "websocket",
            "protocol": "wamp",
            "path": "/shop",
            "headers": {},
        })
    );
    assert_eq!(test.get("/v1/connections").ok(), json!({"connections": [shown], "next": null}));
    client.leave();
    for gone in [format!("/v1/connections/{id}"), "/v1/connections/0".into(), "/v1/connections/x".into()] {
        assert_eq!(test.get(&gone).problem(), (404, "connection-not-found"), "{gone}");
    }
}

#[test]
fn connections_are_listed_in_pages_and_counted_by_identity_path_and_topic() {
    let test = serve();
    let mut clients = Vec::new();
    for number in 0..12_u64 {
        let user = ["anna", "ben"][number as usize % 2];
        let path = ["/", "/shop", "/forum"][number as usize % 3];
        let mut client = test.client_of(user, path);
        if number % 4 == 0 {
            test.subscribe(&mut client, "news/a b");
        }
        clients.push(client);
    }
    let all: Vec<u64> = clients.iter().map(|client| test.resource_id(client)).collect();
    let those = |fits: &dyn Fn(usize) -> bool| -> Vec<u64> {
        (0..12).filter(|at| fits(*at)).map(|at| all[at]).collect()
    };
    let cases: [(&str, &dyn Fn(usize) -> bool); 8] = [
        ("", &|_| true),
        ("?identity=anna", &|at| at % 2 == 0),
        ("?path=%2Fshop", &|at| at % 3 == 1),
        ("?topic=news/a+b", &|at| at % 4 == 0),
        ("?identity=ben&path=/", &|at| at % 2 == 1 && at % 3 == 0),
        ("?topic=news/a%20b&path=/&identity=anna", &|at| at % 4 == 0 && at % 3 == 0),
        ("?identity=nobody", &|_| false),
        ("?topic=none", &|_| false),
    ];
    for (query, fits) in cases {
        for limit in [1, 2, 5, 1_000] {
            assert_eq!(
                every(&test, &format!("/v1/connections{query}"), limit),
                those(fits),
                "{query} {limit}"
            );
        }
        assert_eq!(count(&test, query), those(fits).len(), "{query}");
    }
    assert_eq!(every(&test, "/v1/users/anna/connections", 4), those(&|at| at % 2 == 0));
    assert_eq!(every(&test, "/v1/users/carl/connections", 4), [0_u64; 0]);
    assert_eq!(every(&test, "/v1/topics/news%2Fa%20b/connections", 2), those(&|at| at % 4 == 0));
    // A page goes on behind its cursor, whoever has left meanwhile.
    let first = test.get("/v1/connections?limit=2").ok();
    clients.remove(1).leave();
    let second =
        test.get(&format!("/v1/connections?limit=2&cursor={}", first["next"].as_str().unwrap())).ok();
    assert_eq!(ids(&second), all[2..4]);
    clients.into_iter().for_each(|client| client.leave());
}

#[test]
fn queries_that_make_no_sense_are_refused() {
    let test = serve();
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "cursor=-1",
        "idenity=a",
        "limit=1&limit=2",
        "identity=%ff",
    ] {
        assert_eq!(test.get(&format!("/v1/connections?{query}")).problem(), (400, "bad-request"), "{query}");
    }
    assert_eq!(test.get("/v1/connections?topic=").problem(), (422, "invalid-request"));
    assert_eq!(test.get("/v1/users/%ff/connections").problem(), (400, "bad-request"));
    assert_eq!(test.get("/v1/connections/1?limit=1").problem(), (400, "bad-request"));
}

#[test]
fn one_connection_is_closed_with_code_and_reason() {
    let test = serve();
    let (mut first, mut second, third) = (test.client(), test.client(), test.client());
    let id = test.resource_id(&first);
    let answer = test.delete(&format!("/v1/connections/{id}?code=4003&reason=out+of%20%C3%A9+stock")).ok();
    assert_eq!(answer, json!({"disconnected": 1}));
    assert_eq!(first.closed(), (4003, "out of é stock".to_owned()));
    let second_id = test.resource_id(&second);
    test.delete(&format!("/v1/connections/{second_id}")).ok();
    assert_eq!(second.closed(), (1000, String::new()));
    until("it is gone", || test.handle().connection(id).is_none());
    assert_eq!(test.delete(&format!("/v1/connections/{id}")).problem(), (404, "connection-not-found"));
    let third_id = test.resource_id(&third);
    let long = format!("reason={}", "x".repeat(124));
    for (query, refusal) in [
        ("code=999", (422, "invalid-request")),
        ("code=1005", (422, "invalid-request")),
        ("code=5000", (422, "invalid-request")),
        (&long, (422, "invalid-request")),
        ("code=x", (400, "bad-request")),
        ("code=70000", (400, "bad-request")),
        ("cod=1000", (400, "bad-request")),
    ] {
        let refused = test.delete(&format!("/v1/connections/{third_id}?{query}"));
        assert_eq!(refused.problem(), refusal, "{query}");
    }
    third.leave();
}

#[test]
fn all_connections_of_a_user_are_closed() {
    let test = serve();
    let mut anna = [0; 3].map(|_| test.client_of("a/n na", "/"));
    let ben = test.client_of("ben", "/");
    let answer = test.delete("/v1/users/a%2Fn%20na/connections?code=4001&reason=bye").ok();
    assert_eq!(answer, json!({"disconnected": 3}));
    for client in &mut anna {
        assert_eq!(client.closed(), (4001, "bye".to_owned()));
    }
    until("they are gone", || count(&test, "?identity=a/n%20na") == 0);
    assert_eq!(test.delete("/v1/users/a%2Fn%20na/connections").ok(), json!({"disconnected": 0}));
    ben.leave();
}

#[test]
fn long_lists_come_whole() {
    let test = serve();
    let clients: Vec<_> = (0..600).map(|_| test.client_of("anna", "/")).collect();
    let all: Vec<u64> = clients.iter().map(|client| test.resource_id(client)).collect();
    for path in ["/v1/connections", "/v1/users/anna/connections", "/v1/connections?path=/"] {
        for limit in [100, 256, 1_000] {
            assert_eq!(every(&test, path, limit), all, "{path} {limit}");
        }
    }
    assert_eq!(count(&test, "?path=/"), 600);
    test.delete("/v1/users/anna/connections").ok();
    clients.into_iter().for_each(|mut client| assert_eq!(client.closed().0, 1000));
}
