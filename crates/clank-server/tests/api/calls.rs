//! Calling procedures.

use serde_json::{Value, json};

use crate::support::{serve, serve_with, until};

#[test]
fn a_procedure_answers_with_its_result() {
    let test = serve();
    for (params, result) in
        [(json!([1, "a"]), json!([1, "a"])), (json!({"a": {}}), json!({"a": {}})), (json!([]), json!([]))]
    {
        let answer = test.post("/v1/call", &json!({"uri": "test/echo", "params": params})).ok();
        assert_eq!(answer, json!({"result": result}));
    }
    assert_eq!(test.post("/v1/call", &json!({"uri": "test/echo"})).ok(), json!({"result": []}));
}

#[test]
fn a_procedures_error_is_a_problem_of_its_class() {
    let test = serve();
    for (code, status) in
        [(400, 422), (404, 404), (417, 422), (499, 422), (500, 500), (503, 500), (7, 500), (-1, 500)]
    {
        let answer = test.post("/v1/call", &json!({"uri": "test/fail", "params": [code]}));
        assert_eq!(answer.problem(), (status, "procedure-failed"), "{code}");
        let Value::Object(body) = &answer.body else { panic!("{answer:?}") };
        assert_eq!((&body["code"], &body["detail"]), (&json!(code), &json!("it did not work")));
        assert_eq!(body["details"], json!({"hint": "try again"}));
    }
    for unknown in ["test", "none/such", "test/none", "", "//"] {
        let answer = test.post("/v1/call", &json!({"uri": unknown}));
        assert_eq!(
            (answer.problem(), &answer.body["code"]),
            ((404, "procedure-failed"), &json!(404)),
            "{unknown}"
        );
    }
    let panicked = test.post("/v1/call", &json!({"uri": "test/panic"}));
    assert_eq!(panicked.problem(), (500, "procedure-failed"));
    assert_eq!(panicked.body["detail"], "the procedure panicked: as told");
}

#[test]
fn parameters_are_an_array_or_an_object() {
    let test = serve();
    for params in [json!(1), json!("a"), json!(true)] {
        let refused = test.post("/v1/call", &json!({"uri": "test/echo", "params": params}));
        assert_eq!(refused.problem(), (422, "invalid-request"), "{params}");
    }
    for wrong in [
        json!({}),
        json!({"uri": 1}),
        json!({"uri": "test/echo", "args": []}),
        json!({"uri": "test/echo", "timeout_ms": -1}),
    ] {
        assert_eq!(test.post("/v1/call", &wrong).problem(), (422, "invalid-request"), "{wrong}");
    }
}

#[test]
fn a_call_that_takes_too_long_is_dropped() {
    let test = serve_with(&[("api.timeout", "100ms")]);
    for body in [
        json!({"uri": "test/wait", "timeout_ms": 1}),
        json!({"uri": "test/wait"}),
        json!({"uri": "test/wait", "timeout_ms": u64::MAX}),
    ] {
        assert_eq!(test.post("/v1/call", &body).problem(), (504, "call-timeout"), "{body}");
    }
    let wait = json!({"call": {"uri": "test/wait"}});
    let batch = json!({"commands": [wait, {"publish": {"topic": "t", "event": 1}}]});
    let results = test.post("/v1/batch", &batch).ok()["results"].clone();
    assert_eq!(results[0]["body"]["type"], "/problems/call-timeout");
    assert_eq!(
        (&results[1]["status"], &results[1]["body"]["type"]),
        (&json!(504), &json!("/problems/out-of-time"))
    );
}

#[test]
fn other_requests_are_answered_while_a_procedure_works() {
    let test = serve();
    let mut waiting = test.begin("POST", "/v1/call", &[], &json!({"uri": "test/wait"}));
    until("it works", || test.calls.count.load(std::sync::atomic::Ordering::Acquire) == 1);
    test.get("/v1/connections").ok();
    test.calls.go.add_permits(1);
    assert_eq!(waiting.response().body, r#"{"result":"waited"}"#);
}
