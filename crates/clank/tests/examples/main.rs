//! The examples do what they say, and README shows them as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::{Client, Example};

fn file(path: &str) -> String {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first block of a language in a page, with the line break at its end.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a block");
    let (block, _) = rest.split_once("```").expect("its end");
    block
}

#[test]
fn readme_shows_the_listener_as_it_is() {
    assert_eq!(block(&file("README.md"), "rust"), file("examples/listener.rs"));
}

#[test]
fn the_listener_prints_what_readme_shows() {
    let mut example = Example::start("listener");
    let mut printed = vec![example.first_line.replace(&example.address.to_string(), "127.0.0.1:8080")];
    let first = Client::connect(&example);
    printed.push(example.line());
    let mut second = Client::connect(&example);
    printed.push(example.line());
    first.close();
    printed.push(example.line());
    second.send_text("[5]");
    assert_eq!(u16::from(second.closed().code), 1007);
    printed.extend([example.line(), example.line()]);
    let printed: String = printed.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(printed, block(&file("README.md"), "text"));
}

#[test]
fn the_listener_hears_of_every_client_when_the_program_is_interrupted() {
    let mut example = Example::start("listener");
    let mut client = Client::connect(&example);
    assert_eq!(example.line(), "1 connected");
    let rest = std::thread::scope(|scope| {
        // The server waits for the client's close frame.
        scope.spawn(|| assert_eq!(u16::from(client.closed().code), 1001));
        example.interrupt()
    });
    assert_eq!(rest, "1 disconnected\n");
}

/// An event of the chat's server on the topic.
fn notice(text: &str) -> Value {
    json!([8, "chat/lobby", { "name": "Clank", "text": text }])
}

#[test]
fn the_chat_says_who_comes_and_goes() {
    let example = Example::start("chat");
    let mut anna = Client::connect(&example);
    anna.send(&json!([5, "chat/lobby"]));
    assert_eq!(anna.receive(), notice("1 has joined; 0 more here"));
    let mut ben = Client::connect(&example);
    ben.send(&json!([5, "chat/lobby"]));
    assert_eq!(anna.receive(), notice("2 has joined; 1 more here"));
    assert_eq!(ben.receive(), notice("2 has joined; 1 more here"));
    ben.close();
    assert_eq!(anna.receive(), notice("2 has left"));
}

#[test]
fn the_chat_passes_messages_on_under_the_senders_id() {
    let example = Example::start("chat");
    let mut anna = Client::connect(&example);
    anna.send(&json!([5, "chat/lobby"]));
    anna.receive();
    let mut ben = Client::connect(&example);
    ben.send(&json!([7, "chat/lobby", { "id": anna.session, "name": "Ben", "text": "hi", "more": 1 }]));
    let message = json!({ "id": ben.session, "name": "Ben", "text": "hi" });
    assert_eq!(anna.receive(), json!([8, "chat/lobby", message]));
}

#[test]
fn the_chat_tells_the_sender_alone_that_a_message_is_too_long() {
    let example = Example::start("chat");
    let mut anna = Client::connect(&example);
    anna.send(&json!([5, "chat/lobby"]));
    anna.receive();
    let mut ben = Client::connect(&example);
    for text in ["é".repeat(281), "é".repeat(280)] {
        ben.send(&json!([7, "chat/lobby", { "name": "Ben", "text": text }]));
    }
    assert_eq!(ben.receive(), notice("a message has at most 280 characters"));
    assert_eq!(anna.receive()[2]["text"], "é".repeat(280), "the longer one did not go out");
}

#[test]
fn the_chat_has_one_room() {
    let example = Example::start("chat");
    let mut client = Client::connect(&example);
    client.send(&json!([5, "chat/elsewhere"]));
    client.send(&json!([5, "chat/lobby"]));
    assert_eq!(client.receive(), notice("1 has joined; 0 more here"));
}

#[test]
fn the_chat_serves_its_page() {
    let example = Example::start("chat");
    assert_eq!(example.page("/"), file("crates/clank-server/assets/index.html"));
    assert_eq!(example.page("/chat.js"), file("crates/clank-server/assets/chat.js"));
    assert_eq!(example.page("/clank.js"), file("js/clank/dist/clank.js"));
}

#[test]
fn procedures_answer_with_results_and_errors() {
    let example = Example::start("rpc");
    let mut client = Client::connect(&example);
    let largest = i64::MAX;
    let cases = [
        ("sample/add_func", json!({ "term1": 2, "term2": 5 }), json!([3, "call", { "result": 7 }])),
        (
            "sample/add_func",
            json!({ "term1": largest, "term2": 1 }),
            json!([4, "call", "sample/add_func", "the sum has more than 64 bits",
                { "code": 422, "rpc": "sample/add_func", "params": { "term1": largest, "term2": 1 } }]),
        ),
        ("sample/divide", json!([1, 4]), json!([3, "call", 0.25])),
        (
            "sample/divide",
            json!([1, 0]),
            json!([4, "call", "sample/divide", "division by zero",
                { "code": 422, "rpc": "sample/divide", "params": [1, 0], "dividend": 1.0 }]),
        ),
        ("sample/calls", json!([]), json!([3, "call", 4])),
        (
            "sample/nothing",
            json!([]),
            json!([4, "call", "sample/nothing", "Unable to find that command",
                { "code": 404, "rpc": "sample/nothing", "params": [] }]),
        ),
    ];
    for (uri, arguments, answer) in cases {
        assert_eq!(client.call(uri, &arguments), answer);
    }
}

#[test]
fn parameters_that_do_not_fit_are_an_error_of_the_caller() {
    let example = Example::start("rpc");
    let mut client = Client::connect(&example);
    let answer = client.call("sample/add_func", &json!({ "term1": "two" }));
    assert_eq!((&answer[0], &answer[4]["code"]), (&json!(4), &json!(400)), "{answer}");
    assert!(answer[3].as_str().unwrap().starts_with("invalid parameters: "), "{answer}");
}

#[test]
fn tasks_run_at_their_interval_and_at_their_times() {
    let example = Example::start("periodic");
    let mut client = Client::connect(&example);
    client.send(&json!([5, "clock/second"]));
    client.send(&json!([5, "clock/even"]));
    let (mut runs, mut evens) = (Vec::new(), Vec::new());
    while runs.len() < 2 || evens.is_empty() {
        let event = client.receive();
        match event[1].as_str().unwrap() {
            "clock/second" => runs.push(event[2].as_u64().unwrap()),
            _ => evens.push(event[2].clone()),
        }
    }
    assert!(runs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{runs:?}");
    assert!(evens.iter().all(|connections| *connections == json!(1)), "{evens:?}");
}

#[test]
fn beside_axum_one_port_serves_both() {
    let example = Example::start("axum");
    let page = example.page("/");
    assert!(page.contains("new WebSocket(`ws://${location.host}/ws`, \"wamp\")"), "{page}");
    let mut client = Client::connect_to(example.address, "/ws");
    client.send(&json!([5, "announcements"]));
    // The answer to a call comes after what was asked for before it.
    assert_eq!(client.call("none/such", &json!([]))[0], 4);
    assert_eq!(example.request("POST", "/announce", r#""dinner is ready""#), (202, String::new()));
    assert_eq!(client.receive(), json!([8, "announcements", "dinner is ready"]));
    let (status, reason) = example.request("POST", "/announce", "dinner");
    assert_eq!((status, &*reason), (400, "expected value at line 1 column 1"));
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(u16::from(client.closed().code), 1001));
        example.interrupt()
    });
    assert_eq!(ended, "");
}

#[test]
fn what_was_open_when_it_was_killed_is_told_when_it_starts_again() {
    let data =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("durable-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&data);
    let arguments = ["--data", data.to_str().unwrap()];
    let mut example = Example::start_with("durable", &arguments);
    let _client = Client::connect(&example);
    assert_eq!([example.line(), example.line()], ["clank.server.launched", "1 clank.client.connected"]);
    example.kill();
    let mut example = Example::start_with("durable", &arguments);
    let client = Client::connect(&example);
    // What was told before may be told again: the listener is known to have heard it a little later.
    // Events of the server and those of each connection have nothing to do with each other.
    let mut told = Vec::new();
    let ended = |told: &[String]| told.iter().any(|line| line == "1 clank.client.disconnected");
    let another = |line: &String, what: &str| !line.starts_with("1 ") && line.ends_with(what);
    let came = |told: &[String]| told.iter().any(|line| another(line, " clank.client.connected"));
    while !(ended(&told) && came(&told)) {
        told.push(example.line());
    }
    client.close();
    while !another(&example.line(), " clank.client.disconnected") {}
    example.interrupt();
    std::fs::remove_dir_all(&data).unwrap();
}
