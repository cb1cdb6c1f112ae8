//! Models of what threads share, explored by shuttle: it runs each of them under thousands of
//! schedules, and a failing one prints the schedule, which `shuttle::replay(model, "...")` runs
//! again.
//!
//! ```text
//! cargo nextest run -p clank --features shuttle --lib
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gate;
mod hub;
mod mailbox;
mod outbound;

use shuttle::{check_pct, check_random};

/// Schedules of each kind that a model is run under.
const SCHEDULES: usize = 10_000;

/// Runs `model` under random schedules, and under such as find a bug that needs up to three
/// changes from one thread to another at the right places.
fn explore(model: fn()) {
    check_random(model, SCHEDULES);
    for changes in 1..=3 {
        check_pct(model, SCHEDULES / 2, changes);
    }
}
