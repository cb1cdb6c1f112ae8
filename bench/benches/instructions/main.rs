//! Instructions that pieces of Clank take, one at a time. They are the same on a busy machine and on a
//! quiet one, so that a change of a hundredth shows.
//!
//! ```text
//! cargo bench -p clank-bench --bench instructions             # all; with what it was the last time
//! cargo bench -p clank-bench --bench instructions -- wamp1    # those with this in their names
//! ```
//!
//! It takes valgrind, whose callgrind counts. What is made ready, and what is dropped afterwards, does not
//! count. The allocator is the program's.

#![allow(clippy::panic)]

mod codec;
mod fanout;
mod sessions;
mod topics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A piece of work with what is made ready for it. It calls [`count_instructions_of`] once.
type Piece = (&'static str, fn());

/// Asks for one piece, in this process.
const RUN: &str = "--run";

fn main() -> ExitCode {
    let pieces: Vec<Piece> = [codec::PIECES, topics::PIECES, fanout::PIECES, sessions::PIECES].concat();
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let wanted = arguments.last().map(String::as_str).unwrap_or_default();
    if arguments.first().is_some_and(|first| first == RUN) {
        pieces.iter().filter(|(name, _)| *name == wanted).for_each(|(_, run)| run());
        return ExitCode::SUCCESS;
    }
    match count(pieces.iter().map(|(name, _)| *name).filter(|name| name.contains(wanted))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is done in here counts.
#[inline(never)]
fn count_instructions_of<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Counts twice, and takes the lesser: what the allocator does for the first block of a size is no part of
/// the work.
fn measure<T, R>(mut value: T, mut work: impl FnMut(&mut T) -> R) {
    drop(work(&mut value));
    drop(count_instructions_of(|| work(&mut value)));
}

/// Counts, prints, and keeps for the next time.
fn count<'a>(names: impl Iterator<Item = &'a str>) -> Result {
    let folder = folder()?;
    let kept = folder.join("instructions.json");
    let before = std::fs::read_to_string(&kept).unwrap_or_default();
    let mut counts: BTreeMap<String, u64> = serde_json::from_str(&before).unwrap_or_default();
    for name in names {
        let count = instructions(name, &folder)?;
        let change = match counts.insert(name.to_owned(), count) {
            Some(before) if before != count => {
                format!("  was {before}, {:+.1} %", (count as f64 / before as f64 - 1.0) * 100.0)
            }
            _ => String::new(),
        };
        println!("{name:48} {count:>9}{change}");
    }
    Ok(std::fs::write(kept, serde_json::to_string_pretty(&counts)?)?)
}

/// The folder of what benchmarks have found, which is kept.
fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).ok_or("the program is in no target folder")?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs a piece under callgrind.
fn instructions(name: &str, folder: &Path) -> Result<u64> {
    let out = folder.join(format!("callgrind.{}", std::process::id()));
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg("--toggle-collect=*count_instructions_of*");
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(std::env::current_exe()?).args([RUN, name]);
    let run = valgrind.output().map_err(|error| format!("valgrind: {error}"))?;
    if !run.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&run.stderr)).into());
    }
    let text = std::fs::read_to_string(&out)?;
    std::fs::remove_file(out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.and_then(|total| total.trim().parse().ok()) {
        None | Some(0) => Err(format!("{name}: callgrind has counted nothing").into()),
        Some(count) => Ok(count),
    }
}
