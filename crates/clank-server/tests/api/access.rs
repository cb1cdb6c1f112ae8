//! Who is let in, and what is there.

use crate::support::{OTHER_TOKEN, TOKEN, serve};
use serde_json::json;

#[test]
fn a_right_token_is_needed_for_everything_but_the_description() {
    let test = serve();
    let ask =
        |credentials: &str| test.request("GET", "/v1/connections", &[("Authorization", credentials)], "");
    for right in [TOKEN, OTHER_TOKEN] {
        assert_eq!(ask(&format!("Bearer {right}")).ok(), json!({"connections": [], "next": null}));
    }
    let none = ask("");
    assert_eq!(none.problem(), (401, "unauthorized"));
    assert!(none.head.contains("www-authenticate: bearer realm=\"clank\"\r\n"), "{}", none.head);
    for wrong in
        ["Bearer token-of-the-shoq", "Bearer token-of-the-sho", "Basic dG9rZW4tb2YtdGhlLXNob3A=", "Bearer"]
    {
        let refused = ask(wrong);
        assert_eq!(refused.problem(), (401, "unauthorized"), "{wrong}");
        assert!(refused.head.contains("error=\"invalid_token\""), "{}", refused.head);
    }
    // Who has no token does not learn what there is.
    for (method, path) in [("GET", "/nowhere"), ("PUT", "/v1/publish"), ("POST", "/v1/publish")] {
        let refused = test.request(method, path, &[("Authorization", "")], "{}");
        assert_eq!(refused.problem(), (401, "unauthorized"), "{path}");
    }
    let description = test.request("GET", "/openapi.json", &[("Authorization", "")], "");
    assert_eq!(description.status, 200);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let test = serve();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/publish/",
        "/v2/publish",
        "/v1/topics/a/b/users",
        "//v1/publish",
        "/healthz",
    ] {
        assert_eq!(test.get(path).problem(), (404, "not-found"), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/publish", "allow: post\r\n"),
        ("PUT", "/v1/publish", "allow: post\r\n"),
        ("POST", "/v1/connections", "allow: get, head\r\n"),
        ("DELETE", "/v1/connections/count", "allow: get, head\r\n"),
        ("PATCH", "/v1/connections/1", "allow: get, head, delete\r\n"),
        ("OPTIONS", "/v1/topics/a", "allow: get, head\r\n"),
    ] {
        let refused = test.request(method, path, &[], "");
        assert_eq!(refused.problem(), (405, "method-not-allowed"), "{method} {path}");
        assert!(refused.head.contains(allow), "{}", refused.head);
    }
}

#[test]
fn a_response_to_head_is_that_to_get_without_its_body() {
    let test = serve();
    let mut peer = crate::support::Peer::connect(test.api.address());
    peer.write(&crate::support::request("HEAD", "/v1/connections", &[], ""));
    let mut response = String::new();
    std::io::Read::read_to_string(&mut peer.stream, &mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\n"), "{response}");
}
