//! The checker of histories finds what it is there to find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use serve_support::history::{HEADER, History};

fn record(connection: &str, sequence: u64, kind: &str) -> Value {
    let suffix = match kind {
        "connected" => "open".to_owned(),
        "disconnected" => "close".to_owned(),
        _ => sequence.to_string(),
    };
    json!({
        "id": format!("{connection}.{suffix}"),
        "type": format!("clank.client.{kind}"),
        "connection_id": connection,
        "resource_id": connection.len(),
        "sequence": sequence,
        "headers": { HEADER: connection },
    })
}

/// Two connections in order, one of which has an error.
fn history() -> Vec<Value> {
    vec![
        record("a", 1, "connected"),
        record("bb", 1, "connected"),
        record("a", 2, "error"),
        record("bb", 2, "disconnected"),
        record("a", 3, "disconnected"),
    ]
}

/// What the checker says of the history, changed.
fn check(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut deliveries = history();
    change(&mut deliveries);
    let welcomed: BTreeSet<String> = ["a", "bb"].map(str::to_owned).into();
    History { deliveries }.check(&welcomed).0.join("; ")
}

fn with(record: &Value, field: &str, value: Value) -> Value {
    let mut record = record.clone();
    record[field] = value;
    record
}

#[test]
fn a_history_in_order_is_found_in_order() {
    assert_eq!(check(|_| {}), "");
    assert_eq!(check(|it| it.swap(0, 1)), "", "connections have nothing to do with each other");
    assert_eq!(check(|it| it.push(with(&it[0].clone(), "redelivered", json!(true)))), "", "at least once");
}

#[test]
fn what_must_not_be_is_found() {
    assert!(check(|it| drop(it.remove(4))).contains("a has 0 ends"));
    assert!(check(|it| drop(it.remove(0))).contains("a begins with"));
    assert!(check(|it| it.swap(2, 4)).contains("a is told out of order"));
    assert!(check(|it| it.push(record("a", 4, "error"))).contains("a has 1 ends"));
    assert!(check(|it| it.push(with(&it[4].clone(), "id", json!("a.close2")))).contains("a has 2 ends"));
    assert!(check(|it| it.push(it[4].clone())).contains("came again without being marked"));
    let changed = json!({ "redelivered": true });
    assert!(
        check(|it| it.push(with(
            &with(&it[4].clone(), "code", json!(1)),
            "redelivered",
            changed["redelivered"].clone()
        )))
        .contains("two contents")
    );
    assert!(
        check(|it| it.retain(|record| record["connection_id"] != "bb")).contains("client bb was welcomed")
    );
    assert!(check(|it| it[1]["headers"][HEADER] = json!("a")).contains("two connections"));
    assert!(check(|it| it[1]["resource_id"] = json!(1)).contains("same resource id 1"));
}

#[test]
fn the_numbers_of_an_identity_are_checked() {
    let of = |numbers: [u64; 4]| {
        check(|it| {
            for (index, connections) in [0, 1, 3, 4].into_iter().zip(numbers) {
                it[index]["identity"] =
                    json!({ "id": "anna", "version": index + 10, "connections": connections });
            }
        })
    };
    assert_eq!(of([1, 2, 1, 0]), "");
    assert!(of([1, 1, 1, 0]).contains("anna has 2 connections at version 11"));
}
