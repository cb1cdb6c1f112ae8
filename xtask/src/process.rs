//! Starting other programs: every command is printed before it runs, and none gets an answer from a terminal.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Result, node};

/// A command in `directory`, with the environment that every step shares.
pub(crate) fn command(directory: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    // `CI` makes tests fail where they would otherwise make do; the browser comes from the system's packages.
    command
        .env("CI", "true")
        .env("PUPPETEER_SKIP_DOWNLOAD", "true")
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    if let Some(path) = node::search_path() {
        command.env("PATH", path);
    }
    command
}

/// Runs a command to its end, its output going straight through.
///
/// # Errors
/// It could not be started or its exit status is not zero.
pub(crate) fn run(command: &mut Command) -> Result {
    let text = announce(command);
    let status = command.status().map_err(|error| format!("cannot start `{text}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{text}` failed: {status}")) }
}

/// As [`run`], and also hands every line of output to `see`; standard error is merged into standard output.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_watched(command: &mut Command, mut see: impl FnMut(&str)) -> Result {
    let text = announce(command);
    let failed = |error: std::io::Error| format!("cannot run `{text}`: {error}");
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command holds the pipe's writing ends: without letting go of them the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(failed)?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("`{text}` failed: {status}")) }
}

/// Runs a command silently and returns what it wrote to standard output.
///
/// # Errors
/// It could not be started, its exit status is not zero, or its output is not text.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|_| format!("`{}` wrote no text", shown(command)))
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}` failed: {}\n{}", shown(command), output.status, errors.trim_end()))
    }
}

/// Whether a program is there and exits well with these arguments.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn announce(command: &Command) -> String {
    let text = shown(command);
    println!("  $ {text}");
    text
}

/// The command as one would type it: a toolchain's `cargo` is a long path that says nothing.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    std::iter::once(program.file_name().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
