//! Measures Clank beside its peers, on one machine and by turns.
//!
//! A run starts each server in turn, puts a load on it, and keeps what was found as [`record`]s, from
//! which the [`report`] is made.
//!
//! - [`peer`]: which servers there are, how they are found, started and stopped; [`raw`] and [`serve`]
//!   are servers of this program's own
//! - [`scenario`]: what is asked of them, and the judgement of what they answer
//! - [`load`]: connections, driven by one epoll loop; [`protocol`], [`frame`] and [`mark`] are what it
//!   says
//! - [`process`], [`displaced`], [`histogram`], [`measure`]: what is read of the system, counted, and kept
//! - [`mod@run`]: the rounds, in which servers take turns

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cli;
mod displaced;
mod frame;
mod histogram;
mod load;
mod mark;
mod measure;
mod peer;
mod process;
mod protocol;
mod raw;
mod record;
mod report;
mod run;
mod scenario;
mod serve;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

/// The allocator of the program `clank`, with the same settings: where Clank is served from here, it is
/// measured as it comes.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
