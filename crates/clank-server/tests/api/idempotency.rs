//! Requests that come again with the same key.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::support::{Answer, OTHER_TOKEN, serve, until};

const REPLAYED: &str = "idempotency-replayed: true\r\n";

#[test]
fn a_request_that_comes_again_is_answered_again_and_not_carried_out() {
    let test = serve();
    let key = ("Idempotency-Key", "order-1");
    let call = json!({"uri": "test/count"});
    let first = test.post_with("/v1/call", &[key], &call);
    assert!(!first.head.contains(REPLAYED));
    for _ in 0..3 {
        let again = test.post_with("/v1/call", &[key], &call);
        assert!(again.head.contains(REPLAYED), "{}", again.head);
        assert_eq!(again.ok(), first.body);
    }
    assert_eq!(test.calls.count.load(Ordering::Acquire), 1);
    // Without the key, with another, on another route, or of another holder it is another request.
    assert_eq!(test.post("/v1/call", &call).ok(), json!({"result": 2}));
    assert_eq!(
        test.post_with("/v1/call", &[("Idempotency-Key", "order-2")], &call).ok(),
        json!({"result": 3})
    );
    let other = format!("Bearer {OTHER_TOKEN}");
    assert_eq!(
        test.post_with("/v1/call", &[key, ("Authorization", &other)], &call).ok(),
        json!({"result": 4})
    );
    let batch = json!({"commands": [{"call": call}]});
    assert_eq!(test.post_with("/v1/batch", &[key], &batch).ok()["results"][0]["body"], json!({"result": 5}));
}

#[test]
fn a_problem_is_answered_again_too_but_not_one_of_the_request_itself() {
    let test = serve();
    let key = [("Idempotency-Key", "k")];
    let fail = json!({"uri": "test/fail", "params": [500]});
    test.post_with("/v1/call", &key, &fail);
    let again = test.post_with("/v1/call", &key, &fail);
    assert_eq!(again.problem(), (500, "procedure-failed"));
    assert!(again.head.contains(REPLAYED));
    assert_eq!(test.calls.count.load(Ordering::Acquire), 1);
    let key = [("Idempotency-Key", "l")];
    assert_eq!(test.post_with("/v1/call", &key, &json!({})).problem(), (422, "invalid-request"));
    assert_eq!(test.post_with("/v1/call", &key, &json!({"uri": "test/count"})).ok(), json!({"result": 2}));
}

#[test]
fn a_key_with_another_request_is_refused() {
    let test = serve();
    let (first, second) = (test.client(), test.client());
    let ids = [&first, &second].map(|client| test.resource_id(client));
    let key = [("Idempotency-Key", "k")];
    test.post_with("/v1/publish", &key, &json!({"topic": "a", "event": 1})).ok();
    let refused = test.post_with("/v1/publish", &key, &json!({"topic": "a", "event": 2}));
    assert_eq!(refused.problem(), (422, "key-reused"));
    let delete =
        |id: u64, query: &str| test.request("DELETE", &format!("/v1/connections/{id}{query}"), &key, "");
    let mut first = first;
    delete(ids[0], "?code=4000").ok();
    assert_eq!(first.closed().0, 4000);
    assert_eq!(delete(ids[1], "?code=4000").problem(), (422, "key-reused"));
    assert_eq!(delete(ids[0], "?code=4001").problem(), (422, "key-reused"));
    let again = delete(ids[0], "?code=4000");
    assert!(again.head.contains(REPLAYED));
    assert_eq!(again.ok(), json!({"disconnected": 1}));
    second.leave();
}

#[test]
fn a_key_whose_first_request_is_under_way_is_refused() {
    let test = serve();
    let key = [("Idempotency-Key", "k")];
    let wait = json!({"uri": "test/wait"});
    let mut first = test.begin("POST", "/v1/call", &key, &wait);
    until("it works", || test.calls.count.load(Ordering::Acquire) == 1);
    let refused = test.post_with("/v1/call", &key, &wait);
    assert_eq!(refused.problem(), (409, "key-in-use"));
    assert!(refused.head.contains("retry-after: 1\r\n"), "{}", refused.head);
    test.calls.go.add_permits(1);
    let answered = Answer::of(first.response()).ok();
    assert_eq!(test.post_with("/v1/call", &key, &wait).ok(), answered);
    assert_eq!(test.calls.count.load(Ordering::Acquire), 1);
}

#[test]
fn what_a_client_that_has_gone_asked_for_is_done_and_its_answer_kept() {
    let test = serve();
    let key = [("Idempotency-Key", "k")];
    let wait = json!({"uri": "test/wait"});
    let gone = test.begin("POST", "/v1/call", &key, &wait);
    until("it works", || test.calls.count.load(Ordering::Acquire) == 1);
    drop(gone);
    test.calls.go.add_permits(1);
    until("it is done", || test.post_with("/v1/call", &key, &wait).status == 200);
    let again = test.post_with("/v1/call", &key, &wait);
    assert_eq!(again.body, json!({"result": "waited"}));
    assert_eq!(test.calls.count.load(Ordering::Acquire), 1);
}

#[test]
fn of_many_at_once_one_is_carried_out() {
    let test = serve();
    let call = json!({"uri": "test/count"});
    for round in 1..=20 {
        let name = format!("race-{round}");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = || test.post_with("/v1/call", &[("Idempotency-Key", &name)], &call).status;
            let racing: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            racing.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert_eq!(test.calls.count.load(Ordering::Acquire), round);
    }
}

#[test]
fn a_key_that_is_none_is_refused() {
    let test = serve();
    let call = json!({"uri": "test/count"});
    for headers in [&[("Idempotency-Key", "é")][..], &[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]] {
        assert_eq!(test.post_with("/v1/call", headers, &call).problem(), (400, "bad-request"), "{headers:?}");
    }
    let long = "x".repeat(256);
    assert_eq!(
        test.post_with("/v1/call", &[("Idempotency-Key", &long)], &call).problem(),
        (400, "bad-request")
    );
    assert_eq!(test.calls.count.load(Ordering::Acquire), 0);
}
