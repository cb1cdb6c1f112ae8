//! The steps that build and run things.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{self, run, run_watched};
use crate::workspace::Workspace;
use crate::{Result, node, setup};

/// Most bytes of the `clank` program without its debug information.
///
/// It is there to make growth a decision: raise it in the commit that needs it.
const PROGRAM_BYTES: u64 = 15 * 1024 * 1024;

pub(crate) fn fmt(workspace: &Workspace) -> Result<String> {
    run(&mut workspace.cargo(&["fmt", "--all", "--check"]))?;
    Ok(String::new())
}

pub(crate) fn clippy(workspace: &Workspace) -> Result<String> {
    // `too_many_lines` is off by default; clippy.toml says how many.
    let arguments = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
        "-D",
        "clippy::too_many_lines",
    ];
    run(&mut workspace.cargo(&arguments))?;
    Ok(String::new())
}

pub(crate) fn doc(workspace: &Workspace) -> Result<String> {
    run(workspace
        .cargo(&["doc", "--locked", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(String::new())
}

pub(crate) fn test(workspace: &Workspace) -> Result<String> {
    // Tests of the examples build them: the first of them should not be the one that takes so long.
    run(&mut workspace.cargo(&["build", "--locked", "--workspace", "--examples"]))?;
    if setup::has_nextest() {
        count_tests(&mut workspace.cargo(&["nextest", "run", "--locked", "--workspace"]))
    } else {
        count_tests(&mut workspace.cargo(&[
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            // One run tells all that is wrong, as with nextest.
            "--no-fail-fast",
        ]))
    }
}

pub(crate) fn doctest(workspace: &Workspace) -> Result<String> {
    count_tests(&mut workspace.cargo(&["test", "--locked", "--workspace", "--doc"]))
}

pub(crate) fn model(workspace: &Workspace) -> Result<String> {
    let runner: &[&str] = if setup::has_nextest() { &["nextest", "run"] } else { &["test"] };
    // Tests that need the locks of the system are not compiled with the feature.
    let arguments = [runner, &["--locked", "--package", "clank", "--features", "shuttle", "--lib"]].concat();
    count_tests(&mut workspace.cargo(&arguments))
}

pub(crate) fn js(workspace: &Workspace) -> Result<String> {
    let folder = workspace.path("js/clank");
    node::install_packages(&folder)?;
    count_tests(&mut process::command(&folder, "npm", &["test"]))
}

pub(crate) fn php(workspace: &Workspace) -> Result<String> {
    count_tests(&mut process::command(workspace.root(), "php", &["php/tests/run.php"]))
}

pub(crate) fn release(workspace: &Workspace) -> Result<String> {
    let built = Release::build(workspace)?;
    let stripped = built.program.with_extension("stripped");
    let (from, to) = (built.program.to_string_lossy(), stripped.to_string_lossy());
    run(&mut process::command(workspace.root(), "strip", &["-o", &to, &from]))?;
    let bytes = std::fs::metadata(&stripped).map_err(|error| format!("{to}: {error}"))?.len();
    if bytes > PROGRAM_BYTES {
        return Err(format!("the program has {bytes} bytes, more than PROGRAM_BYTES ({PROGRAM_BYTES})"));
    }
    Ok(format!("{bytes} bytes of {PROGRAM_BYTES}"))
}

pub(crate) fn browser(workspace: &Workspace) -> Result<String> {
    let built = Release::build(workspace)?;
    let folder = workspace.path("e2e");
    node::install_packages(&folder)?;
    count_tests(process::command(&folder, "npm", &["test"]).env("CLANK_BIN", built.program))
}

pub(crate) fn autobahn(workspace: &Workspace) -> Result<String> {
    let built = Release::build(workspace)?;
    let (server, reports) = (built.echo.to_string_lossy(), workspace.target()?.join("autobahn"));
    let reports = reports.to_string_lossy();
    let arguments = ["e2e/autobahn/run.py", "--server", &server, "--out", &reports];
    count_tests(&mut process::command(workspace.root(), "python3", &arguments))
}

/// What the steps that test from outside start.
struct Release {
    program: PathBuf,
    echo: PathBuf,
}

impl Release {
    /// Builds both at once: one after the other, with other features, they would build their dependencies twice.
    fn build(workspace: &Workspace) -> Result<Self> {
        run(&mut workspace.cargo(&[
            "build",
            "--locked",
            "--release",
            "--bin",
            "clank",
            "--example",
            "echo",
        ]))?;
        let folder = workspace.target()?.join("release");
        Ok(Self { program: folder.join("clank"), echo: folder.join("examples/echo") })
    }
}

/// Runs tests; that none ran, or that one was left out, is a failure too.
fn count_tests(command: &mut Command) -> Result<String> {
    let mut totals = Totals::default();
    run_watched(command, |line| totals.read(line))?;
    match totals {
        Totals { passed: 0, .. } => Err("no test ran".to_owned()),
        Totals { passed, left_out: 0 } => Ok(format!("{passed} tests")),
        Totals { passed, left_out } => {
            Err(format!("{passed} tests passed, but {left_out} were skipped or ignored"))
        }
    }
}

/// The sum of what test runners print at their end.
#[derive(Default)]
struct Totals {
    passed: u64,
    left_out: u64,
}

impl Totals {
    fn read(&mut self, line: &str) {
        let words: Vec<&str> =
            line.split_whitespace().map(|word| word.trim_matches([',', ';', '.'])).collect();
        match words.as_slice() {
            // Node's runner: a line each.
            ["#" | "ℹ", "pass", count] => self.passed += number(count),
            ["#" | "ℹ", "skipped" | "todo", count] => self.left_out += number(count),
            // cargo test, for each target; cargo nextest; Autobahn; PHP.
            ["test", "result:", rest @ ..]
            | ["Summary", rest @ ..]
            | ["autobahn:", rest @ ..]
            | ["php:", rest @ ..] => self.read_pairs(rest),
            _ => {}
        }
    }

    fn read_pairs(&mut self, words: &[&str]) {
        for pair in words.windows(2) {
            match pair {
                [count, "passed"] => self.passed += number(count),
                [count, "skipped" | "ignored"] => self.left_out += number(count),
                _ => {}
            }
        }
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(output: &str) -> (u64, u64) {
        let mut totals = Totals::default();
        output.lines().for_each(|line| totals.read(line));
        (totals.passed, totals.left_out)
    }

    #[test]
    fn totals_of_each_runner_are_read() {
        let cases = [
            ("     Summary [   0.012s] 12 tests run: 11 passed (1 slow), 1 failed, 2 skipped", (11, 2)),
            (
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\ntest result: ok. 2 passed; 0 failed; 0 ignored",
                (7, 1),
            ),
            ("# tests 4\n# pass 3\n# fail 1\n# skipped 0\n# todo 0", (3, 0)),
            ("ℹ tests 4\nℹ pass 3\nℹ skipped 1", (3, 1)),
            ("autobahn: 517 passed, 0 failed, 0 non-strict, 0 unimplemented of 517 cases in 30 s", (517, 0)),
            ("php: 96 passed, 0 failed", (96, 0)),
            ("3 passed through here", (0, 0)),
        ];
        for (output, expected) in cases {
            assert_eq!(totals(output), expected, "{output}");
        }
    }
}
