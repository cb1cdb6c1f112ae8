#![allow(clippy::unwrap_used)]
use clank_core::wamp1::OnMalformed;
use proptest::prelude::*;

use super::*;
use crate::config::{ConsoleFormat, SinkKind, Workers, reference};

fn file(text: &str) -> Input {
    Input { file: Some(("clank.toml".to_owned(), text.to_owned())), ..Input::default() }
}

fn environment(variables: &[(&str, &str)]) -> Input {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Input { environment: variables.iter().map(owned).collect(), ..Input::default() }
}

fn problems(input: &Input) -> Vec<String> {
    load(input).unwrap_err().iter().map(Problem::to_string).collect()
}

/// The source of a setting's value.
fn source(config: &Config, key: &str) -> String {
    config.sources().find(|(setting, _)| setting.key == key).unwrap().1.to_string()
}

#[test]
fn nothing_given_means_the_defaults() {
    let config = load(&Input::default()).unwrap();
    assert_eq!(config.settings, Settings::default());
    assert!(config.sources().all(|(_, source)| *source == Source::Default));
    assert!(config.warnings.is_empty());
}

#[test]
fn a_file_is_read() {
    let config = load(&file(
        r#"
        events.console = "json"
        [server]
        port = 0x1F90
        workers = 3
        origins = ["https://Example.com:443", "http://localhost:3000"]
        headers = ["User-Agent"]
        [limits]
        message = "64KiB"
        connections = 5_000
        [wamp1]
        on_malformed = "report"
        "#,
    ))
    .unwrap();
    let Settings { server, events, limits, wamp1, .. } = config.settings;
    assert_eq!(server.port, 8080);
    assert!(matches!(server.workers, Workers::Fixed(count) if count.count() == 3));
    let origins: Vec<_> = server.origins.iter().map(|origin| origin.as_str()).collect();
    assert_eq!(origins, ["https://example.com", "http://localhost:3000"]);
    assert_eq!(server.headers[0].as_str(), "user-agent");
    assert_eq!(events.console, ConsoleFormat::Json);
    assert_eq!((limits.message.bytes(), limits.connections.count()), (65_536, 5_000));
    assert_eq!(wamp1.on_malformed, OnMalformed::Report);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut input = file("[server]\nport = 1\nhost = \"::1\"\nnode = \"a\"\n");
    input.environment =
        environment(&[("CLANK_SERVER_PORT", "2"), ("CLANK_SERVER_HOST", "0.0.0.0")]).environment;
    input.flags = vec![Flag { key: "server.port", flag: "--port", value: "3".to_owned() }];
    let config = load(&input).unwrap();
    let server = &config.settings.server;
    assert_eq!((server.port, server.host.as_str(), server.node.as_str()), (3, "0.0.0.0", "a"));
    assert_eq!(source(&config, "server.port"), "--port");
    assert_eq!(source(&config, "server.host"), "CLANK_SERVER_HOST");
    assert_eq!(source(&config, "server.node"), "clank.toml:4:8");
    assert_eq!(source(&config, "server.path"), "default");
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let variables = SETTINGS.iter().map(|setting| {
        let shown = setting.show(&Settings::default());
        (setting.environment(), shown.replace(['"', '[', ']'], ""))
    });
    let config = load(&Input { environment: variables.collect(), ..Input::default() }).unwrap();
    assert_eq!(config.settings, Settings { has_journal: true, ..Settings::default() });
    assert!(config.sources().all(|(_, source)| matches!(source, Source::Given(Place::Environment(_)))));
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let text = r#"prot = 80
[server]
prot = 8080
port = 70000
hosts = "a"
origins = ["https://a.example", "b.example"]
[limit]
message = "1MiB"
[limits]
message = "2GiB"
connections = -5
handshake = 10
slow_consumer = "drop"
[events]
console = "jsno"
port = 1
"#;
    assert_eq!(
        problems(&file(text)),
        [
            "clank.toml:1:1: error: there is no setting `prot`; did you mean `server.port`?",
            "clank.toml:3:1: error: there is no setting `server.prot`; did you mean `server.port`?",
            "clank.toml:4:8: error: server.port: 70000 is out of range: 0 to 65535",
            "clank.toml:5:1: error: there is no setting `server.hosts`; did you mean `server.host`?",
            "clank.toml:6:33: error: server.origins: \"b.example\" is not an origin (`https://example.com`, with a port if it is not the scheme's) or `*`",
            "clank.toml:7:2: error: there is no section `limit`; did you mean `limits`?",
            "clank.toml:10:11: error: limits.message: 2GiB is out of range: 1KiB to 1GiB",
            "clank.toml:11:15: error: limits.connections: -5 is out of range: 0 or more",
            "clank.toml:12:13: error: limits.handshake: the integer 10 is not an integer and a unit: ms, s, m, h (\"30s\")",
            "clank.toml:13:17: error: limits.slow_consumer: \"drop\" is not \"disconnect\" or \"drop_events\"; did you mean \"drop_events\"?",
            "clank.toml:15:11: error: events.console: \"jsno\" is not \"text\", \"json\" or \"off\"; did you mean \"json\"?",
            "clank.toml:16:1: error: there is no setting `events.port`; did you mean `server.port`?",
        ]
    );
}

#[test]
fn values_of_a_wrong_type_are_named() {
    for (text, message) in [
        ("server.host = 1", "server.host: the integer 1 is not an IP address or a host name"),
        ("server.port = \"80\"", "server.port: the string \"80\" is not an integer"),
        ("server.port = 80.5", "server.port: the float 80.5 is not an integer"),
        ("server.port = []", "server.port: an array is not an integer"),
        ("server.origins = \"*\"", "server.origins: the string \"*\" is not a list of strings"),
        ("server.workers = \"aut\"", "server.workers: the string \"aut\" is not an integer and not \"auto\""),
        (
            "server.headers = [\"Cookie\"]",
            "server.headers: \"Cookie\" is not the name of a header that carries no secret",
        ),
        ("deflate.enabled = 1", "deflate.enabled: the integer 1 is not true or false"),
        ("server.port.x = 1", "server.port: a table is not an integer"),
        ("server = 1", "`server` is a section: write [server]"),
        (
            "wamp1.on_malformed = 2024-01-01",
            "wamp1.on_malformed: the date 2024-01-01 is not \"close\" or \"report\"",
        ),
    ] {
        let problems = problems(&file(text));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(&format!("error: {message}")), "{}", problems[0]);
    }
}

#[test]
fn broken_syntax_has_a_place_and_hides_no_other_error() {
    let problems = problems(&file("[server]\nport = = 1\npath = \"x\"\n[limits\n"));
    assert!(problems[0].starts_with("clank.toml:2:"), "{problems:?}");
    assert!(
        problems.iter().any(|problem| problem.starts_with("clank.toml:3:8: error: server.path: ")),
        "{problems:?}"
    );
    assert!(problems.iter().any(|problem| problem.starts_with("clank.toml:4:")), "{problems:?}");
    assert!(!problems.iter().any(|problem| problem.contains("server.port:")), "{problems:?}");
}

#[test]
fn a_key_given_twice_is_an_error() {
    let problems = problems(&file("[server]\nport = 1\nport = 2\n"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("clank.toml:3:1: error: duplicate key"), "{problems:?}");
}

#[test]
fn errors_outside_the_file_name_their_variable_or_flag() {
    let mut input =
        environment(&[("CLANK_EVENTS_CONSOLE", "josn"), ("CLANK_SERVER_PORT", "tcp://10.0.0.1:80")]);
    input.flags = vec![Flag { key: "server.host", flag: "--host", value: "a b".to_owned() }];
    assert_eq!(
        problems(&input),
        [
            "CLANK_EVENTS_CONSOLE: error: events.console: \"josn\" is not \"text\", \"json\" or \"off\"; did you mean \"json\"?",
            "CLANK_SERVER_PORT: error: server.port: \"tcp://10.0.0.1:80\" is not an integer",
            "--host: error: server.host: \"a b\" is not an IP address or a host name",
        ]
    );
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let config = load(&environment(&[("CLANK_SERVER_PROT", "1"), ("CLANK_CONFIG", "x.toml")])).unwrap();
    let warnings: Vec<_> = config.warnings.iter().map(Problem::to_string).collect();
    assert_eq!(
        warnings,
        ["CLANK_SERVER_PROT: warning: there is no such setting; did you mean CLANK_SERVER_PORT?"]
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    assert_eq!(
        problems(&file("[limits]\nmessage = \"16MiB\"\n[shutdown]\ndrain = \"30s\"\n")),
        [
            "clank.toml:2:11: error: limits.outbound: \"1MiB\" (default) is less than limits.message = \"16MiB\" (clank.toml:2:11)",
            "clank.toml:4:9: error: shutdown.deadline: \"30s\" (default) is not more than shutdown.drain = \"30s\" (clank.toml:4:9)",
        ]
    );
    let together = "[limits]\nmessage = \"16MiB\"\noutbound = \"32MiB\"\n";
    assert!(load(&file(together)).is_ok());
}

#[test]
fn an_api_needs_a_token_and_better_stays_on_loopback() {
    let problems_of = |text: &str| match load(&file(text)) {
        Ok(config) => config.warnings.iter().map(Problem::to_string).collect(),
        Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
    };
    let open = problems_of("[api]\nlisten = 8081\n");
    assert!(open[0].starts_with("clank.toml:2:10: error: api.listen: the API needs a token: "), "{open:?}");
    assert_eq!(open.len(), 1);
    let remote = problems_of("[api]\nlisten = \"0.0.0.0:1\"\ntoken_file = \"tokens\"\n");
    assert!(remote[0].starts_with("clank.toml:2:10: warning: api.listen: the API has no TLS"), "{remote:?}");
    assert_eq!(remote.len(), 1);
    assert!(problems_of("[api]\nlisten = 1\ntokens = [\"0123456789abcdef\"]\n").is_empty());
    let config = load(&file("[api]\ntokens = [\"0123456789abcdef\"]\n")).unwrap();
    assert!(!reference::effective(&config).contains("0123456789"));
    let short = problems_of("[api]\ntokens = [\"0123456789abcdef\", \"secret\", 1]\n");
    assert!(short[0].starts_with("clank.toml:2:31: error: api.tokens: a token is not"), "{short:?}");
    assert!(!short.concat().contains("secret"), "{short:?}");
}

#[test]
fn the_configuration_printed_reads_back_as_itself() {
    let config =
        load(&file("[server]\norigins = [\"*\"]\nport = 9\n[keepalive]\ninterval = \"1500ms\"\n")).unwrap();
    let printed = reference::effective(&config);
    assert!(printed.contains("# clank.toml:3:8\n"), "{printed}");
    assert_eq!(load(&file(&printed)).unwrap().settings, config.settings);
    let config = load(&file("[journal]\ngrace = \"1s\"\n")).unwrap();
    assert_eq!(load(&file(&reference::effective(&config))).unwrap().settings, config.settings);
}

/// Text that is TOML more often than not.
fn toml_like() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "[server]",
        "[limits]",
        "server.port",
        "port",
        "origins",
        "é",
        "message",
        "[[",
    ]);
    let value = prop::sample::select(vec![
        "= 1",
        "= -1",
        "= \"1MiB\"",
        "= [\"*\", 1]",
        "= {}",
        "= 1e9",
        "= nan",
        "\u{feff}",
        "",
    ]);
    prop::collection::vec((key, value, "\\PC{0,3}"), 0..8)
        .prop_map(|lines| lines.iter().map(|(key, value, rest)| format!("{key} {value}{rest}\n")).collect())
}

proptest! {
    #[test]
    fn whatever_a_file_says_each_problem_has_its_place(text in prop_oneof![toml_like(), any::<String>()]) {
        let problems = load(&file(&text)).err().unwrap_or_default();
        let lines = text.matches('\n').count() + 1;
        for problem in problems {
            let line = problem.place.as_ref().and_then(Place::line);
            prop_assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{}", problem);
        }
    }
}

const HOOK: &str = "[sinks.crm]\ntype = \"webhook\"\nurl = \"https://crm.example/hook\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n";

#[test]
fn sinks_are_read_from_the_file_and_from_variables() {
    let mut input =
        file(&format!("{HOOK}batch = 50\n[sinks.log]\ntype = \"file\"\npath = \"events.jsonl\"\n"));
    input.environment = [
        ("CLANK_SINKS_CRM_DEAD_LETTERS", "2MiB"),
        ("CLANK_SINKS_TWO_WORDS_TYPE", "command"),
        ("CLANK_SINKS_TWO_WORDS_COMMAND", "notify, --fast"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let config = load(&input).unwrap();
    assert_eq!(config.warnings, []);
    let sinks = &config.settings.sinks;
    assert_eq!(sinks.keys().collect::<Vec<_>>(), ["crm", "log", "two-words"]);
    assert_eq!((sinks["crm"].batch.count(), sinks["crm"].dead_letters.bytes()), (50, 2 << 20));
    assert_eq!(sinks["log"].kind, SinkKind::File);
    let command: Vec<_> = sinks["two-words"].command.iter().map(|word| word.as_str()).collect();
    assert_eq!(command, ["notify", "--fast"]);
    assert!(config.settings.has_journal);
    let printed = reference::effective(&config);
    assert!(printed.contains("[sinks.crm]\n") && !printed.contains("MfKQ9r8G"), "{printed}");
    assert!(printed.contains("batch = 50  # clank.toml:5:9\n"), "{printed}");
}

#[test]
fn a_journal_is_there_once_something_is_said_of_it() {
    assert!(!load(&Input::default()).unwrap().settings.has_journal);
    for input in [
        file("[journal]\n"),
        file("journal.path = \"x\"\n"),
        environment(&[("CLANK_JOURNAL_DURABILITY", "os")]),
    ] {
        assert!(load(&input).unwrap().settings.has_journal);
    }
}

#[test]
fn what_is_wrong_with_a_sink_is_told_with_its_place() {
    let cases = [
        ("[sinks]\ncrm = 1\n", "clank.toml:2:1: error: `sinks.crm` is a section: write [sinks.crm]"),
        (
            "[sinks.CRM]\n",
            "clank.toml:1:8: error: `CRM` is no name of a sink: 1 to 32 of the characters a-z 0-9 -",
        ),
        (
            "[sinks.a]\n",
            "clank.toml:1:8: error: sinks.a.type: say what it is: \"webhook\", \"command\", \"file\", \"nats\", \"redis\" or \"amqp\"",
        ),
        (
            "[sinks.a]\npath = \"x\"\ntype = \"webhok\"\n",
            "clank.toml:3:8: error: sinks.a.type: \"webhok\" is not \"webhook\", \"command\", \"file\", \"nats\", \"redis\" or \"amqp\"; did you mean \"webhook\"?",
        ),
        (
            "[sinks.a]\ntype = \"file\"\npath = \"x\"\nsecret = []\n",
            "clank.toml:4:1: error: a sink has no setting `secret`; did you mean `secrets`?",
        ),
        (
            "[sinks.a]\ntype = \"file\"\npath = \"x\"\nurl = \"http://x\"\n",
            "clank.toml:4:7: error: sinks.a.url: a sink of type \"file\" has none",
        ),
        (
            "[sinks.a]\ntype = \"file\"\n",
            "clank.toml:1:8: error: sinks.a.path: a sink of type \"file\" needs it",
        ),
        (
            "[sinks.a]\ntype = \"webhook\"\nurl = \"ftp://x\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n",
            "clank.toml:1:8: error: sinks.a.url: it does not begin with http:// or https://",
        ),
        (
            "[sinks.a]\ntype = \"file\"\npath = \"x\"\nevents = [\"clank.client.conected\"]\n",
            "clank.toml:4:11: error: sinks.a.events: \"clank.client.conected\" is not the name of an event, such as `clank.client.connected`",
        ),
        ("[sink.a]\n", "clank.toml:1:2: error: there is no section `sink`; did you mean `sinks`?"),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(&file(text)), [expected], "{text}");
    }
    let secret =
        problems(&file("[sinks.a]\ntype = \"webhook\"\nurl = \"http://x\"\nsecrets = [\"whsec_hidden\"]\n"));
    assert!(secret[0].starts_with("clank.toml:4:12: error: sinks.a.secrets: a secret is not"), "{secret:?}");
    assert!(!secret.concat().contains("hidden"), "{secret:?}");
}
