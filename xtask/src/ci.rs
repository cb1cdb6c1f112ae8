//! The gate: every check in one fixed order, the quick ones first.

use std::time::{Duration, Instant};

use crate::workspace::Workspace;
use crate::{Result, rules, setup, steps};

/// One check. `run` returns a note for the summary, for instance how many tests ran.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> Result<String>,
}

const STEPS: &[Step] = &[
    Step { name: "setup", about: "install what the tests need", run: setup::prepare },
    Step { name: "fmt", about: "source is formatted", run: steps::fmt },
    Step {
        name: "lockfiles",
        about: "one lock file for each package manager, current and free of hosts",
        run: rules::lockfiles::check,
    },
    Step {
        name: "dependencies",
        about: "crates depend on each other in one direction, pure ones on no runtime",
        run: rules::dependencies::check,
    },
    Step {
        name: "purity",
        about: "pure crates use no clock, socket, file, thread or environment",
        run: rules::purity::check,
    },
    Step {
        name: "licences",
        about: "every dependency has a licence that ours allows",
        run: rules::licences::check,
    },
    Step { name: "sizes", about: "source files stay small", run: rules::sizes::check },
    Step {
        name: "words",
        about: "no test is switched off, no path of a machine is written down",
        run: rules::words::check,
    },
    Step { name: "clippy", about: "clippy, warnings denied", run: steps::clippy },
    Step { name: "doc", about: "rustdoc, warnings denied", run: steps::doc },
    Step { name: "test", about: "unit and integration tests, fuzz corpora among them", run: steps::test },
    Step { name: "doctest", about: "examples in the documentation", run: steps::doctest },
    Step { name: "model", about: "the runtime's concurrent parts under a model checker", run: steps::model },
    Step { name: "js", about: "tests and size of the JavaScript client", run: steps::js },
    Step { name: "php", about: "tests of the Symfony bundle and its worker", run: steps::php },
    Step { name: "release", about: "the release build, and the size of the program", run: steps::release },
    Step { name: "browser", about: "headless Chromium against the release build", run: steps::browser },
    Step { name: "autobahn", about: "Autobahn|Testsuite, all 517 cases, strictly", run: steps::autobahn },
];

/// A step's name, how long it took and how it ended.
type Finished = (&'static str, Duration, Result<String>);

/// Prints the names of the steps and what each is for.
pub(crate) fn list() {
    for step in STEPS {
        println!("{:13} {}", step.name, step.about);
    }
}

/// Runs the named steps, or all of them when none is named, and prints a summary.
///
/// A step that fails does not stop the others: one run tells all that is wrong.
///
/// # Errors
/// A name that is no step's, or any step that failed.
pub(crate) fn run(names: &[&str]) -> Result {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        return Err(format!("there is no step `{unknown}`; `cargo xtask ci --list` names them"));
    }
    let chosen = STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name));
    let workspace = Workspace::find()?;

    let started = Instant::now();
    let mut finished = Vec::new();
    for step in chosen {
        println!("\n==> {}: {}", step.name, step.about);
        let started = Instant::now();
        let outcome = (step.run)(&workspace);
        let took = started.elapsed();
        match &outcome {
            Ok(note) => println!("==> {} passed in {}  {note}", step.name, seconds(took)),
            Err(reason) => println!("==> {} FAILED in {}\n{reason}", step.name, seconds(took)),
        }
        finished.push((step.name, took, outcome));
    }

    summarise(&finished, started.elapsed())
}

/// Prints the table, and fails if a step did.
fn summarise(finished: &[Finished], in_all: Duration) -> Result {
    println!("\nSummary");
    for (name, took, outcome) in finished {
        let (verdict, note) = match outcome {
            Ok(note) => ("ok", note.as_str()),
            Err(reason) => ("FAILED", reason.lines().next().unwrap_or_default().trim_end_matches(':')),
        };
        println!("  {verdict:7} {name:13} {:>8}  {note}", seconds(*took));
    }
    let failed: Vec<&str> =
        finished.iter().filter(|(.., outcome)| outcome.is_err()).map(|(name, ..)| *name).collect();
    if failed.is_empty() {
        println!("All {} steps passed in {}.", finished.len(), seconds(in_all));
        return Ok(());
    }
    Err(format!("{} of {} steps failed: {}", failed.len(), finished.len(), failed.join(", ")))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
