//! What the API says of a journal where there is none.

use serde_json::json;

use crate::support::serve;

#[test]
fn without_a_journal_nothing_is_said_of_it() {
    let test = serve();
    let id = "018bcfe5-6800-7bab-abab-abababababab.open";
    for path in
        ["/v1/sinks", "/v1/sinks/a/dead-letters", "/v1/events", &format!("/v1/events/{id}"), "/v1/journal"]
    {
        assert_eq!(test.get(path).problem(), (404, "no-journal"), "{path}");
    }
    for path in ["/v1/sinks/a", "/v1/sinks/a/dead-letters?all=true", "/v1/sinks/a/replays"] {
        assert_eq!(test.delete(path).problem(), (404, "no-journal"), "{path}");
    }
    for path in ["/v1/sinks/a/dead-letters/retry", "/v1/sinks/a/replays"] {
        assert_eq!(test.post(path, &json!({})).problem(), (404, "no-journal"), "{path}");
    }
    assert_eq!(test.get("/v1/sinks/a").problem(), (405, "method-not-allowed"));
}

#[test]
fn numbers_are_there_without_a_journal_too() {
    let test = serve();
    let client = test.client();
    let mut peer = crate::support::Peer::connect(test.api.address());
    peer.write(&crate::support::request("GET", "/metrics", &[], ""));
    let response = peer.response();
    assert_eq!(response.status, 200);
    assert!(
        response.head.to_ascii_lowercase().contains("content-type: text/plain; version=0.0.4"),
        "{response:?}"
    );
    assert!(response.body.contains("\nclank_connections 1\n"), "{response:?}");
    assert!(!response.body.contains("clank_journal"), "{response:?}");
    client.leave();
}
