//! The project's own tasks: `cargo xtask ci` is the one gate, `cargo xtask setup` makes a machine fit for it.
//!
//! `ci` names the steps and runs them; `steps` holds those that run other programs, `rules` those that read the
//! tree; `setup` and `node` install what they need; `process` starts programs; `workspace` asks Cargo about the crates.

mod ci;
mod node;
mod process;
mod rules;
mod setup;
mod steps;
mod workspace;

use std::process::ExitCode;

/// What a task ends in: a value, or words for whoever has to act.
type Result<T = ()> = std::result::Result<T, String>;

const USAGE: &str = "\
Usage: cargo xtask <task>

  ci [step...]   set up the machine, then run every check, or only the steps that are named
  ci --list      name the steps
  setup          install what the tests need; says what, and does nothing twice";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci", "--list"] => {
            ci::list();
            Ok(())
        }
        ["ci", names @ ..] => ci::run(names),
        ["setup"] => workspace::Workspace::find()
            .and_then(|found| setup::prepare(&found))
            .map(|note| println!("{note}")),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
