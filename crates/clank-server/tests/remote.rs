//! The commands that reach a running server, run as programs against `clank server`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use serve_support::{Peer, Program, command, eventually};

const TOKEN: &str = "0123456789abcdef";

/// A server with an API, on a port that the system has chosen.
struct Served {
    program: Program,
    api: SocketAddr,
}

fn serve() -> Served {
    serve_with(&[("CLANK_API_TOKENS", TOKEN)])
}

fn serve_with(settings: &[(&str, &str)]) -> Served {
    let program = Program::start(&[&[("CLANK_API_LISTEN", "0")], settings].concat());
    let api = eventually("the API listens", || {
        let log = program.log();
        let (_, address) = log.split_once("the API listens on http://")?;
        address.split_whitespace().next()?.parse().ok()
    });
    Served { program, api }
}

/// Names and values.
type Variables<'a> = &'a [(&'a str, &'a str)];
/// Exit code, standard output and standard error of a command.
type Ended = (i32, String, String);

fn run(arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clank"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .envs(settings.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read it has hung up.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

impl Served {
    /// Runs a command that is told of the API by the environment.
    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let listen = self.api.to_string();
        run(arguments, &[("CLANK_API_LISTEN", &listen), ("CLANK_API_TOKENS", TOKEN)], input)
    }

    fn ids(&self) -> Vec<u64> {
        let (code, lines, _) = self.run(&["connections", "--json"]);
        assert_eq!(code, 0);
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["resource_id"].as_u64().unwrap())
            .collect()
    }
}

fn printed(text: &str) -> Ended {
    (0, text.to_owned(), String::new())
}

/// A client that has subscribed, and knows it.
fn subscriber(program: &Program, topic: &str) -> Peer {
    let mut peer = program.client();
    peer.subscribe(topic);
    peer.publish(topic, &json!("there"));
    assert_eq!(peer.json(), json!([8, topic, "there"]));
    peer
}

#[test]
fn an_event_is_published_as_it_was_written() {
    let served = serve();
    let mut first = subscriber(&served.program, "first");
    first.subscribe("t");
    let mut second = subscriber(&served.program, "t");
    let event = r#"{"n": 12345678901234567890123}"#;
    assert_eq!(served.run(&["publish", "t", event]), printed("2 received it\n"));
    for client in [&mut first, &mut second] {
        while !client.text().starts_with(r#"[8,"t",{"n": 12345678901234567890123}"#) {}
    }
    let session = second.session.clone();
    assert_eq!(served.run(&["publish", "t", "-1", "--exclude", &session]), printed("1 received it\n"));
    assert_eq!(first.json(), json!([8, "t", -1]));
    assert_eq!(
        served.run_with(&["publish", "t", "-", "--eligible", "2", "--json"], "[2]\n"),
        printed("{\"receivers\":1}\n")
    );
    assert_eq!(second.json(), json!([8, "t", [2]]));
    first.leave();
    second.leave();
}

#[test]
fn connections_are_listed_and_closed() {
    let served = serve();
    let (mut first, second) = (served.program.client(), subscriber(&served.program, "t"));
    let address = first.stream.local_addr().unwrap();
    let (code, lines, _) = served.run(&["connections"]);
    assert_eq!((code, lines.lines().count()), (0, 2));
    assert_eq!(lines.lines().next().unwrap(), format!("1\t-\t/\t{address}"));
    assert_eq!(served.ids(), [1, 2]);
    assert_eq!(served.run(&["connections", "--topic", "t", "--count"]), printed("1\n"));
    assert_eq!(served.run(&["connections", "--identity", "a b&c", "--json"]), printed(""));
    assert_eq!(served.run(&["connections", "--path", "/", "--count", "--json"]), printed("{\"count\":2}\n"));
    let close = ["disconnect", "1", "--code", "4001", "--reason", "out of stock & more"];
    assert_eq!(served.run(&close), printed("1 disconnected\n"));
    assert_eq!(first.closed(), (4001, "out of stock & more".to_owned()));
    assert_eq!(served.run(&["disconnect", "--user", "nobody/here"]), printed("0 disconnected\n"));
    second.leave();
    eventually("both are gone", || served.ids().is_empty().then_some(()));
    let (code, _, error) = served.run(&["disconnect", "1"]);
    assert_eq!(code, 1);
    assert_eq!(error, "error: There is no such open connection. no open connection has the resource id 1\n");
}

#[test]
fn what_a_procedure_answers_is_printed_and_so_is_its_error() {
    let served = serve();
    // The program has no procedures of its own.
    let (code, stdout, stderr) = served.run(&["call", "sample/add", "[1, 2]", "--timeout", "100", "--json"]);
    let problem: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &problem["code"]), (1, &json!(404)));
    assert_eq!(stderr, "error: The procedure answered with an error. Unable to find that command\n");
}

#[test]
fn what_keeps_a_command_from_the_api_is_told() {
    let served = serve();
    let url = format!("http://{}", served.api);
    let count = |settings: &[(&str, &str)], more: &[&str]| {
        run(&[&["connections", "--count"], more].concat(), settings, "")
    };
    let token = ("CLANK_API_TOKENS", TOKEN);
    assert_eq!(count(&[token], &["--api", &url]), printed("0\n"));
    let free = {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", taken.local_addr().unwrap())
    };
    let web = format!("http://{}", served.program.address);
    let cases: [(Variables<'_>, &[&str], i32, &str); 9] = [
        (&[], &[], 1, "error: there is no token: set api.tokens"),
        (&[token], &[], 1, "error: no API is configured: set api.listen"),
        (&[("CLANK_API_LISTEN", "0"), token], &[], 1, "error: api.listen leaves the port to the system"),
        (
            &[("CLANK_API_LISTEN", "8081")],
            &[],
            1,
            "CLANK_API_LISTEN: error: api.listen: the API needs a token",
        ),
        (
            &[("CLANK_API_TOKENS", "fedcba9876543210")],
            &["--api", &url],
            1,
            "error: the API knows no such token",
        ),
        (
            &[token],
            &["--api", "https://api.example"],
            1,
            "error: the API's address \"https://api.example\" wants TLS",
        ),
        (&[token], &["--api", &free], 3, "error: can't reach the API at http://127.0.0.1:"),
        (&[token], &["--api", &web], 3, "error: what answers at "),
        (
            &[("CLANK_API_TOKEN_FILE", "none"), token],
            &["--api", &url],
            1,
            "error: api.token_file: can't read none: ",
        ),
    ];
    for (settings, arguments, code, begins) in cases {
        let (ended, stdout, stderr) = count(settings, arguments);
        assert!(stderr.starts_with(begins), "{stderr}");
        assert_eq!((ended, stdout.as_str()), (code, ""), "{stderr}");
        assert!(!stderr.contains(TOKEN), "{stderr}");
    }
}

#[test]
fn a_command_line_that_is_wrong_is_refused() {
    let served = serve();
    for arguments in [
        &["publish", "t", "hello"][..],
        &["publish", "t"],
        &["call", "a/b", "{"],
        &["disconnect"],
        &["disconnect", "x"],
        &["disconnect", "1", "--user", "anna"],
        &["disconnect", "1", "--code", "70000"],
        &["connections", "--token", TOKEN],
    ] {
        let (code, stdout, stderr) = served.run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    let (_, _, stderr) = served.run(&["publish", "t", "hello"]);
    assert!(stderr.contains("write strings in double quotes within single ones"), "{stderr}");
}

#[test]
fn tokens_of_a_file_let_in_and_nothing_shows_them() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join(format!("tokens-{}", std::process::id()));
    std::fs::write(&file, format!("# of the shop\n{TOKEN}\n")).unwrap();
    let name = file.display().to_string();
    let settings = [("CLANK_API_TOKEN_FILE", name.as_str()), ("CLANK_LOG_LEVEL", "trace")];
    let mut served = serve_with(&settings);
    assert_eq!(served.run(&["connections", "--count"]), printed("0\n"));
    let listen = served.api.to_string();
    let by_file = [("CLANK_API_TOKEN_FILE", name.as_str()), ("CLANK_API_LISTEN", &listen)];
    assert_eq!(run(&["connections", "--count"], &by_file, ""), printed("0\n"));
    let (code, stdout, _) = run(&["config"], &[("CLANK_API_TOKENS", TOKEN)], "");
    assert!(code == 0 && stdout.contains("tokens = [\"***\"]") && !stdout.contains(TOKEN), "{stdout}");
    served.program.signal("TERM");
    assert!(served.program.wait().success());
    assert!(!served.program.log().contains(TOKEN), "{}", served.program.log());
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_server_whose_api_can_not_be_there_does_not_start() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join(format!("no-tokens-{}", std::process::id()));
    std::fs::write(&file, "# none\n").unwrap();
    let broken = directory.join(format!("broken-tokens-{}", std::process::id()));
    std::fs::write(&broken, "too short\n").unwrap();
    let [name, broken_name] = [&file, &broken].map(|file| file.display().to_string());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [(Variables<'_>, &str); 5] = [
        (&[("CLANK_API_LISTEN", "0")], "the API needs a token: give api.tokens or api.token_file"),
        (&[("CLANK_API_LISTEN", "0"), ("CLANK_API_TOKEN_FILE", &name)], "the API needs a token: "),
        (
            &[("CLANK_API_LISTEN", "0"), ("CLANK_API_TOKEN_FILE", &broken_name)],
            ":1: api.token_file: a token is",
        ),
        (
            &[("CLANK_API_LISTEN", "0"), ("CLANK_API_TOKEN_FILE", "nowhere")],
            "api.token_file: can't read nowhere: ",
        ),
        (
            &[("CLANK_API_LISTEN", &address), ("CLANK_API_TOKENS", TOKEN)],
            "api.listen: can't listen on 127.0.0.1:",
        ),
    ];
    for (settings, message) in cases {
        let output = command(settings).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(message), "{stderr}");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(&broken).unwrap();
}

#[test]
fn an_api_beyond_loopback_is_warned_of() {
    let served = serve_with(&[("CLANK_API_LISTEN", "0.0.0.0:0"), ("CLANK_API_TOKENS", TOKEN)]);
    let log = served.program.log();
    assert!(log.contains("CLANK_API_LISTEN: warning: api.listen: the API has no TLS"), "{log}");
}
