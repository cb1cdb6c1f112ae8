//! CALL and its one answer.

use std::sync::Arc;

use clank::limits::{Count, Period};
use clank::{Answer, Call, CallHandler, Limits, Procedures, RpcError, Service};
use serde_json::{Value, json};

use crate::support::{serve, serve_limited};

/// A service of typed procedures, each there inline too.
struct Sums;

impl Sums {
    async fn add(self: Arc<Self>, _: Call, terms: Vec<i64>) -> Result<i64, RpcError> {
        let sum = terms.iter().try_fold(0_i64, |sum, term| sum.checked_add(*term));
        sum.ok_or_else(|| RpcError::new("overflow").code(22))
    }

    async fn caller(self: Arc<Self>, call: Call, (): ()) -> Result<u64, RpcError> {
        call.caller().map(clank::Connection::resource_id).ok_or_else(|| RpcError::new("nobody"))
    }

    async fn panic(self: Arc<Self>, _: Call, _: Value) -> Result<(), RpcError> {
        panic!("on purpose")
    }

    async fn later(self: Arc<Self>, _: Call, value: Value) -> Result<Value, RpcError> {
        tokio::task::yield_now().await;
        Ok(value)
    }
}

impl Service for Sums {
    fn procedures(procedures: &mut Procedures<Self>) {
        procedures.add("add", Self::add).add_inline("add_inline", Self::add);
        procedures.add("caller", Self::caller).add_inline("caller_inline", Self::caller);
        procedures.add("panic", Self::panic).add_inline("panic_inline", Self::panic);
        procedures.add("later", Self::later).add_inline("later_inline", Self::later);
    }
}

/// Answers what no service does.
struct Others;

impl CallHandler for Others {
    fn takes(&self, uri: &str) -> bool {
        uri != "nobody/knows"
    }

    async fn call(&self, call: Call) -> Result<Answer, RpcError> {
        match call.uri() {
            "http://example.com/error" => {
                let details = Answer::from_json(r#"[1.0, "é"]"#).unwrap();
                Err(RpcError::verbatim("http://example.com/wrong", "it is wrong", Some(details)))
            }
            "bare/error" => Err(RpcError::verbatim("bare/error", "", None)),
            _ => Answer::from_json(call.params_json()).map_err(|error| RpcError::new(error.to_string())),
        }
    }
}

#[test]
fn calls_of_no_service_are_answered_as_they_are_said() {
    let test = serve(|builder| builder.other_calls(Others));
    let mut peer = test.client();
    peer.send(r#"[2,"1","any",{"a" : 1.0}]"#);
    assert_eq!(peer.text(), r#"[3,"1",{"a" : 1.0}]"#);
    peer.send(r#"[2,"2","http://example.com/error"]"#);
    assert_eq!(peer.text(), r#"[4,"2","http://example.com/wrong","it is wrong",[1.0, "é"]]"#);
    peer.send(r#"[2,"3","bare/error"]"#);
    assert_eq!(peer.text(), r#"[4,"3","bare/error",""]"#);
    let unknown = json!({"code": 404, "rpc": "nobody/knows", "params": []});
    assert_eq!(
        peer.call("nobody/knows", &json!([])),
        json!([4, "call", "nobody/knows", "Unable to find that command", unknown])
    );
    peer.round_trip();
    let unknown = peer.call("test/unknown", &json!([]));
    assert_eq!(
        (&unknown[0], &unknown[3]),
        (&json!(4), &json!("no such method")),
        "a service claims its name"
    );
    peer.leave();
}

#[test]
fn a_call_gets_its_arguments_by_ratchets_rule() {
    // arguments as they were listed, parameters as the procedure gets them
    let cases = [
        ("", json!([])),
        (",[]", json!([])),
        (",{}", json!({})),
        (",1", json!([1])),
        (r#","x""#, json!(["x"])),
        (",null", json!([null])),
        (",1,2", json!([1, 2])),
        (",[1,2]", json!([1, 2])),
        (r#",{"a":1}"#, json!({"a": 1})),
        (",[[1]]", json!([[1]])),
        (",[1],[2]", json!([[1], [2]])),
        (",{},{}", json!([{}, {}])),
    ];
    let test = serve(|builder| builder);
    let mut peer = test.client();
    for (arguments, params) in cases {
        for uri in ["test/echo", "test/echo/and/more"] {
            peer.send(format!(r#"[2,"the id","{uri}"{arguments}]"#));
            assert_eq!(peer.json(), json!([3, "the id", params]), "{arguments}");
        }
    }
    peer.leave();
}

#[test]
fn a_call_that_fails_says_what_failed() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    let mut peer = test.client();
    let not_found = "Unable to find that command";
    let no_uri = "Incorrectly formatted Topic name";
    let cases = [
        ("test/fail", "it did not work", json!({"code": 417, "hint": "try again"})),
        ("test/unknown", "no such method", json!({"code": 404})),
        ("sums/unknown", not_found, json!({"code": 404})),
        ("sums/procedures", not_found, json!({"code": 404})),
        ("unknown/echo", not_found, json!({"code": 404})),
        ("test", no_uri, json!({"code": 400, "topic_name": "test"})),
        ("test/", no_uri, json!({"code": 400, "topic_name": "test/"})),
        ("/echo", no_uri, json!({"code": 400, "topic_name": "/echo"})),
    ];
    for (uri, description, mut details) in cases {
        details["rpc"] = json!(uri);
        details["params"] = json!([1, "b"]);
        peer.send(json!([2, "id", uri, 1, "b"]).to_string());
        assert_eq!(peer.json(), json!([4, "id", uri, description, details]));
    }
    assert_eq!(test.log.every("clank.client.error"), [] as [Value; 0], "an answer is no error event");
    peer.leave();
}

#[test]
fn typed_procedures_answer_on_either_thread() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    let (mut peer, id) = test.client_and_id();
    for suffix in ["", "_inline"] {
        let call = |name: &str| format!("sums/{name}{suffix}");
        assert_eq!(peer.call(&call("add"), &json!([2, 5])), json!([3, "call", 7]));
        assert_eq!(peer.call(&call("add"), &json!([])), json!([3, "call", 0]));
        assert_eq!(peer.call(&call("caller"), &json!([])), json!([3, "call", id]));
        assert_eq!(peer.call(&call("later"), &json!({"a": 1})), json!([3, "call", {"a": 1}]));
        let overflow = peer.call(&call("add"), &json!([i64::MAX, 1]));
        assert_eq!((&overflow[3], &overflow[4]["code"]), (&json!("overflow"), &json!(22)));
        let invalid = peer.call(&call("add"), &json!(["two"]));
        assert_eq!(invalid[4]["code"], 400, "{invalid}");
        assert!(invalid[3].as_str().unwrap().starts_with("invalid parameters: "), "{invalid}");
    }
    peer.leave();
}

#[test]
fn a_result_may_be_anything() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    assert_eq!(peer.call("test/nothing", &json!([])), json!([3, "call", null]));
    for value in [json!([0]), json!([false]), json!([""]), json!([[]])] {
        assert_eq!(peer.call("test/echo", &value), json!([3, "call", value]));
    }
    peer.leave();
}

#[test]
fn a_procedure_that_panics_answers_and_becomes_an_error_event() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    let (mut peer, id) = test.client_and_id();
    for uri in ["test/panic", "sums/panic", "sums/panic_inline"] {
        let answer = peer.call(uri, &json!([1]));
        let details = json!({"code": 500, "rpc": uri, "params": [1]});
        assert_eq!(answer, json!([4, "call", uri, "the procedure failed", details]));
        let error = test.log.wait_for("clank.client.error");
        assert_eq!(
            (&error["kind"], &error["resource_id"], &error["survived"]),
            (&json!("handler_panicked"), &json!(id), &json!(true))
        );
        assert!(error["message"].as_str().unwrap().contains("on purpose"), "{error}");
        peer.round_trip();
    }
    peer.leave();
}

#[test]
fn calls_of_one_id_are_answered_one_by_one() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    for _ in 0..3 {
        peer.send(r#"[2,"same","test/echo",1]"#);
    }
    for _ in 0..3 {
        assert_eq!(peer.json(), json!([3, "same", [1]]));
    }
    peer.leave();
}

#[test]
fn a_call_too_many_is_answered_with_an_error() {
    let limits = Limits { calls_in_flight: Count::of(2), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let mut peer = test.client();
    for id in ["1", "2", "3"] {
        peer.send(json!([2, id, "test/never"]).to_string());
    }
    let answer = peer.json();
    assert_eq!((&answer[1], &answer[4]["code"]), (&json!("3"), &json!(429)), "{answer}");
    // Another's calls are counted apart.
    test.is_well();
    peer.leave();
}

#[test]
fn calls_in_flight_are_dropped_when_the_client_leaves() {
    let test = serve(|builder| builder);
    for _ in 0..3 {
        let mut peer = test.client();
        for id in 0..10 {
            peer.send(json!([2, id.to_string(), "test/never"]).to_string());
        }
        peer.round_trip();
        peer.leave();
        assert_eq!(test.disconnected()["cause"], "client_closed");
    }
}

#[test]
fn a_procedure_that_blocks_its_thread_delays_its_own_disconnect_no_longer_than_the_limit() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let limits = Limits { listener: Period::of(100), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| {
        builder.rpc_fn("blocking", move |_, _| {
            let released = Arc::clone(&released);
            async move {
                _ = released.lock().unwrap().recv();
                Ok(Value::Null)
            }
        })
    });
    let mut peer = test.client();
    peer.send(r#"[2,"id","blocking/now"]"#);
    peer.round_trip();
    peer.leave();
    assert_eq!(test.disconnected()["cause"], "client_closed");
    test.is_well();
    drop(release);
}

#[test]
fn answers_come_as_they_are_ready() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.send(r#"[2,"slow","test/never"]"#);
    peer.send(r#"[2,"quick","test/echo"]"#);
    assert_eq!(peer.json()[1], "quick");
    peer.leave();
}
