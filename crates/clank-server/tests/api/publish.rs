//! Publishing, sending, and several commands in one request.

use serde_json::{Value, json};

use crate::support::serve;

#[test]
fn an_event_reaches_the_subscribers_as_it_was_written() {
    let test = serve();
    let mut first = test.subscriber("news");
    let mut second = test.subscriber("news");
    let other = test.subscriber("other");
    // Numbers beyond what a double holds, escapes, spaces: none of that is the API's.
    let body = r#"{"topic":"news","event":{"n":12345678901234567890.10, "s":"\u00e9"}}"#;
    let json = [("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(test.request("POST", "/v1/publish", &json, body).ok(), json!({"receivers": 2}));
    for client in [&mut first, &mut second] {
        assert_eq!(client.text(), r#"[8,"news",{"n":12345678901234567890.10, "s":"\u00e9"}]"#);
    }
    assert_eq!(
        test.post("/v1/publish", &json!({"topic": "nobody/here", "event": null})).ok(),
        json!({"receivers": 0})
    );
    for client in [first, second, other] {
        client.leave();
    }
}

#[test]
fn one_event_goes_to_several_topics() {
    let test = serve();
    let mut client = test.subscriber("a");
    test.subscribe(&mut client, "b");
    let published = test.post("/v1/publish", &json!({"topics": ["a", "b", "c"], "event": 1})).ok();
    assert_eq!(published, json!({"receivers": 2}));
    assert_eq!((client.json(), client.json()), (json!([8, "a", 1]), json!([8, "b", 1])));
    client.leave();
}

#[test]
fn an_audience_is_named_by_resource_or_session() {
    let test = serve();
    let mut clients = [0; 3].map(|_| test.subscriber("t"));
    let ids = [0, 1, 2].map(|at| test.resource_id(&clients[at]));
    let sessions = [0, 1, 2].map(|at| clients[at].session.clone());
    let cases: [(Value, Value, &[usize]); 7] = [
        (json!([]), json!(null), &[0, 1, 2]),
        (json!([ids[0]]), json!(null), &[1, 2]),
        (json!([sessions[0], ids[1]]), json!(null), &[2]),
        (json!([]), json!([sessions[1]]), &[1]),
        (json!([ids[1]]), json!([ids[0], sessions[1]]), &[0]),
        (json!([]), json!([]), &[]),
        // Who is not there is nobody.
        (json!([999, "00000000000001"]), json!([ids[2], 999]), &[2]),
    ];
    for (number, (exclude, eligible, hear)) in cases.iter().enumerate() {
        let mut body = json!({"topic": "t", "event": number, "exclude": exclude, "eligible": eligible});
        if eligible.is_null() {
            body.as_object_mut().unwrap().remove("eligible");
        }
        assert_eq!(test.post("/v1/publish", &body).ok(), json!({"receivers": hear.len()}), "{body}");
        for at in *hear {
            assert_eq!(clients[*at].json(), json!([8, "t", number]));
        }
    }
    clients.into_iter().for_each(|client| client.leave());
}

#[test]
fn an_event_is_sent_to_one_connection_subscribed_or_not() {
    let test = serve();
    let mut client = test.client();
    let id = test.resource_id(&client);
    let path = format!("/v1/connections/{id}/events");
    assert_eq!(test.post(&path, &json!({"topic": "inbox", "event": [1]})).ok(), json!({"receivers": 1}));
    assert_eq!(client.json(), json!([8, "inbox", [1]]));
    client.leave();
    for path in [path.as_str(), "/v1/connections/x/events", "/v1/connections/-1/events"] {
        let refused = test.post(path, &json!({"topic": "inbox", "event": 1}));
        assert_eq!(refused.problem(), (404, "connection-not-found"), "{path}");
    }
}

#[test]
fn the_commands_of_a_batch_have_a_result_each_in_order() {
    let test = serve();
    let mut client = test.subscriber("t");
    let id = test.resource_id(&client);
    let batch = json!({"commands": [
        {"publish": {"topic": "t", "event": 1}},
        {"call": {"uri": "test/echo", "params": {"a": 1}}},
        {"call": {"uri": "test/fail", "params": [417]}},
        {"send": {"resource_id": 999, "topic": "t", "event": 2}},
        {"publish": {"topic": "", "event": 2}},
        {"send": {"resource_id": id, "topic": "t", "event": 3}},
        {"disconnect": {"resource_id": id, "code": 4001, "reason": "enough"}},
        {"disconnect": {"identity": "nobody"}},
    ]});
    let answer = test.post("/v1/batch", &batch).ok();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 422, 404, 422, 200, 200, 200]);
    assert_eq!(results[0]["body"], json!({"receivers": 1}));
    assert_eq!(results[1]["body"], json!({"result": {"a": 1}}));
    assert_eq!(results[2]["body"]["type"], "/problems/procedure-failed");
    assert_eq!(results[3]["body"]["type"], "/problems/connection-not-found");
    assert_eq!(results[7]["body"], json!({"disconnected": 0}));
    assert_eq!((client.json(), client.json()), (json!([8, "t", 1]), json!([8, "t", 3])));
    assert_eq!(client.closed(), (4001, "enough".to_owned()));
    assert_eq!(test.post("/v1/batch", &json!({"commands": []})).ok(), json!({"results": []}));
}

#[test]
fn a_batch_with_a_command_that_is_none_does_nothing() {
    let test = serve();
    let client = test.subscriber("t");
    for broken in [
        json!({"publihs": {}}),
        json!({"publish": {"topic": "t"}}),
        json!({}),
        json!(1),
        json!({"publish": {"topic": "t", "event": 1}, "call": {}}),
    ] {
        let batch = json!({"commands": [{"publish": {"topic": "t", "event": 1}}, broken]});
        assert_eq!(test.post("/v1/batch", &batch).problem(), (422, "invalid-request"), "{batch}");
    }
    let many = vec![json!({"publish": {"topic": "t", "event": 1}}); 1_001];
    assert_eq!(test.post("/v1/batch", &json!({"commands": many})).problem(), (422, "invalid-request"));
    // Nothing was sent: the closing handshake is what comes next.
    client.leave();
}

#[test]
fn bodies_that_are_not_what_is_expected_are_refused() {
    let test = serve();
    let json = [("Content-Type", "application/json")];
    let post = |path: &str, body: &str| test.request("POST", path, &json, body);
    for broken in
        ["", "{", "{\"topic\":\"t\",\"event\":}", "nonsense", "{\"topic\":\"t\",\"event\":1}}", "\u{feff}{}"]
    {
        assert_eq!(post("/v1/publish", broken).problem(), (400, "malformed-json"), "{broken}");
    }
    for wrong in [
        "[]",
        "1",
        "{}",
        r#"{"topic":"t"}"#,
        r#"{"event":1}"#,
        r#"{"topic":"t","topics":["t"],"event":1}"#,
        r#"{"topic":1,"event":1}"#,
        r#"{"topic":"","event":1}"#,
        r#"{"topic":"a\u0000","event":1}"#,
        r#"{"topic":"t","event":1,"exlude":[1]}"#,
        r#"{"topic":"t","event":1,"exclude":["x"]}"#,
        r#"{"topic":"t","event":1,"exclude":[-1]}"#,
        r#"{"topic":"t","event":1,"exclude":1}"#,
        r#"{"topic":"t","event":1,"topic":"t"}"#,
    ] {
        assert_eq!(post("/v1/publish", wrong).problem(), (422, "invalid-request"), "{wrong}");
    }
    let long = json!({"topic": "x".repeat(2_000), "event": 1}).to_string();
    assert_eq!(post("/v1/publish", &long).problem(), (422, "invalid-request"));
    let deep = format!(r#"{{"topic":"t","event":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let answer = post("/v1/publish", &deep);
    assert!([200, 400].contains(&answer.status), "{answer:?}");
    for media_type in
        ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
    {
        let refused = test.request(
            "POST",
            "/v1/publish",
            &[("Content-Type", media_type)],
            r#"{"topic":"t","event":1}"#,
        );
        assert_eq!(refused.problem(), (415, "unsupported-media-type"), "{media_type}");
    }
}

/// Bodies of which each is in order, for each path that is posted to.
fn bodies() -> [(&'static str, Value); 5] {
    [
        (
            "/v1/publish",
            json!({"topic": "t", "event": {"a": [1.5, "é"]}, "exclude": [1], "eligible": ["0a1b2c3d4e5f60"]}),
        ),
        ("/v1/publish", json!({"topics": ["t", "u"], "event": null})),
        ("/v1/call", json!({"uri": "test/echo", "params": {"a": 1}, "timeout_ms": 1_000})),
        ("/v1/connections/1/events", json!({"topic": "t", "event": true})),
        (
            "/v1/batch",
            json!({"commands": [{"publish": {"topic": "t", "event": 1}}, {"disconnect": {"identity": "x"}}]}),
        ),
    ]
}

#[test]
fn a_body_that_is_cut_off_anywhere_is_no_json() {
    let test = serve();
    for (path, body) in bodies() {
        let body = body.to_string();
        for end in (1..body.len()).filter(|end| body.is_char_boundary(*end)) {
            let refused = test.request("POST", path, &[("Content-Type", "application/json")], &body[..end]);
            assert_eq!(refused.problem(), (400, "malformed-json"), "{path}: {}", &body[..end]);
        }
    }
}

/// Every way to replace one value within `value` by another.
fn with_another(value: &Value, other: &Value) -> Vec<Value> {
    let mut all = vec![other.clone()];
    let pairs: Vec<(Value, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (json!(name), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (json!(at), item)).collect(),
        _ => Vec::new(),
    };
    for (place, part) in pairs {
        for part in with_another(part, other) {
            let mut whole = value.clone();
            match &place {
                Value::String(name) => whole[name] = part,
                place => whole[place.as_u64().unwrap() as usize] = part,
            }
            all.push(whole);
        }
    }
    all
}

#[test]
fn a_body_with_any_value_in_any_place_is_answered() {
    let test = serve();
    let others = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!([]),
        json!({}),
        json!([[]]),
        json!(true),
    ];
    for (path, body) in bodies() {
        for other in &others {
            for body in with_another(&body, other) {
                let answer = test.post(path, &body);
                assert!([200, 404, 422, 504].contains(&answer.status), "{body}: {answer:?}");
            }
        }
    }
}
