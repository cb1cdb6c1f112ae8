//! The program's commands, run as programs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in an empty directory of its own, with none of our variables.
fn clank(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clank"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    command
}

/// An empty directory, removed when it is dropped.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with_file(name: &str, text: &str) -> Self {
        let directory = Self::new(name);
        std::fs::write(directory.0.join("clank.toml"), text).unwrap();
        directory
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn assert_output(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!((text(&output.stdout), text(&output.stderr)), (stdout, stderr));
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn check_without_a_file_says_that_the_defaults_hold() {
    let directory = Directory::new("check-none");
    let output = clank(&directory.0, &["check"]).output().unwrap();
    assert_output(&output, 0, "no configuration file: the defaults are in effect\n", "");
}

#[test]
fn check_reads_the_file_of_the_working_directory() {
    let directory = Directory::with_file("check-good", "[server]\nport = 1\n");
    let output = clank(&directory.0, &["check"]).output().unwrap();
    assert_output(&output, 0, "clank.toml: no errors\n", "");
}

#[test]
fn check_tells_every_error_and_fails() {
    let directory = Directory::with_file("check-bad", "[server]\nprot = 1\nhost = \"a b\"\n");
    let output = clank(&directory.0, &["check"]).env("CLANK_LOG_LEVEL", "inof").output().unwrap();
    assert_output(
        &output,
        1,
        "",
        "clank.toml:2:1: error: there is no setting `server.prot`; did you mean `server.port`?\n\
         clank.toml:3:8: error: server.host: \"a b\" is not an IP address or a host name\n\
         CLANK_LOG_LEVEL: error: log.level: \"inof\" is not \"error\", \"warn\", \"info\", \"debug\" or \"trace\"; did you mean \"info\"?\n",
    );
}

#[test]
fn check_warns_of_unknown_variables_without_failing() {
    let directory = Directory::new("check-variable");
    let output = clank(&directory.0, &["check"]).env("CLANK_PORT_80_TCP", "tcp://10.0.0.1").output().unwrap();
    assert_eq!(text(&output.stderr), "CLANK_PORT_80_TCP: warning: there is no such setting\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_file_that_is_named_must_exist() {
    let directory = Directory::new("check-missing");
    for (arguments, variable) in
        [(&["check", "--config", "other.toml"][..], None), (&["check"][..], Some("other.toml"))]
    {
        let mut command = clank(&directory.0, arguments);
        command.envs(variable.map(|name| ("CLANK_CONFIG", name)));
        let output = command.output().unwrap();
        assert!(
            text(&output.stderr).starts_with("error: can't read other.toml: "),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn config_says_where_each_value_comes_from() {
    let directory = Directory::with_file("config", "[server]\npath = \"/ws\"\nport = 1\n");
    let mut command = clank(&directory.0, &["config", "--port", "0"]);
    let output = command.env("CLANK_SERVER_HOST", "::1").output().unwrap();
    let printed = text(&output.stdout);
    for (assignment, source) in [
        ("node = \"clank\"", "default"),
        ("host = \"::1\"", "CLANK_SERVER_HOST"),
        ("port = 0", "--port"),
        ("path = \"/ws\"", "clank.toml:2:8"),
    ] {
        let line = printed.lines().find(|line| line.starts_with(assignment)).unwrap();
        assert_eq!(line.split_once("# ").map(|(_, source)| source), Some(source));
    }
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn config_with_an_error_prints_none() {
    let directory = Directory::new("config-bad");
    let output = clank(&directory.0, &["config", "--events", "xml"]).output().unwrap();
    assert_output(
        &output,
        1,
        "",
        "--events: error: events.console: \"xml\" is not \"text\", \"json\" or \"off\"\n",
    );
}

const REALM: &str = "[realms.realm1]\nmethods = [\"ticket\", \"anonymous\"]\n[[realms.realm1.users]]\nauthid = \"joe\"\nsecret = ";

#[test]
fn a_secret_is_never_printed_and_what_is_printed_is_none() {
    let directory = Directory::with_file("config-secret", &format!("{REALM}\"s3cret\"\n"));
    let output = clank(&directory.0, &["config"]).output().unwrap();
    let printed = text(&output.stdout);
    assert!(
        printed.contains("secret = \"***\"  # clank.toml:5:10\n") && !printed.contains("s3cret"),
        "{printed}"
    );
    std::fs::write(directory.0.join("clank.toml"), printed).unwrap();
    let output = clank(&directory.0, &["check"]).output().unwrap();
    assert!(text(&output.stderr).contains("error: realms.realm1.users.secret: *** is"), "{output:?}");
}

#[test]
fn a_secret_that_can_not_be_had_keeps_the_server_from_starting() {
    for (source, words) in [
        ("{ env = \"JOE\" }", "the environment has no JOE"),
        ("{ env = \"EMPTY\" }", "EMPTY is empty"),
        ("{ file = \"joe\" }", "can't read joe: No such file or directory (os error 2)"),
    ] {
        let directory = Directory::with_file("secret-missing", &format!("{REALM}{source}\n"));
        // Another machine may have it.
        let checked = clank(&directory.0, &["check"]).output().unwrap();
        assert_output(&checked, 0, "clank.toml: no errors\n", "");
        let output = clank(&directory.0, &["server", "--port", "0"]).env("EMPTY", "").output().unwrap();
        let expected = format!("error: realm realm1: user joe: secret: {words}\n");
        assert_output(&output, 1, "Starting Clank\n", &expected);
    }
}

#[test]
fn secret_prints_what_is_kept_of_one() {
    let directory = Directory::new("secret");
    let run = |secret: &'static str| {
        let mut child = clank(&directory.0, &["secret"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let (first, second) = (run("s3cret\n"), run("s3cret"));
    let names: Vec<_> = text(&first.stdout).lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["ticket_sha256", "wampcra", "scram", "wamp_scram"]);
    assert!(!text(&first.stdout).contains("s3cret"));
    // A ticket has no salt, the others have a new one each time.
    let same =
        text(&first.stdout).lines().zip(text(&second.stdout).lines()).filter(|(one, other)| one == other);
    assert_eq!(same.count(), 1);
    assert_output(&run("\n"), 1, "", "error: standard input has no secret\n");
}

#[test]
fn the_configuration_printed_can_be_read() {
    let directory = Directory::new("config-again");
    let printed = clank(&directory.0, &["config", "--events", "off"]).output().unwrap().stdout;
    std::fs::write(directory.0.join("clank.toml"), &printed).unwrap();
    let output = clank(&directory.0, &["check"]).output().unwrap();
    assert_output(&output, 0, "clank.toml: no errors\n", "");
}

#[test]
fn a_reader_that_has_gone_away_does_no_harm() {
    let directory = Directory::new("config-closed");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = clank(&directory.0, &["config"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn help_and_errors_of_the_command_line_are_told() {
    let directory = Directory::new("usage");
    let output = clank(&directory.0, &["--version"]).output().unwrap();
    assert_output(&output, 0, concat!("clank ", env!("CARGO_PKG_VERSION"), "\n"), "");
    let output = clank(&directory.0, &["chekc"]).output().unwrap();
    assert!(text(&output.stderr).contains("check"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_signal_is_heard_as_soon_as_the_server_is_launched() {
    let directory = Directory::new("signal");
    let mut command = clank(&directory.0, &["server", "--port", "0"]);
    // The more there are, the longer the start goes on after that line.
    command.env("CLANK_SERVER_WORKERS", "200").stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let launching = lines.map(Result::unwrap).find(|line| line.starts_with("Launching"));
    assert!(launching.is_some());
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let status = server.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}
