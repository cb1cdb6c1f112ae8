//! Models of what threads share, explored by shuttle: it runs each of them under thousands of
//! schedules, and a failing one prints the schedule, which `shuttle::replay(model, "...")` runs
//! again.
//!
//! ```text
//! cargo nextest run -p clank --features shuttle --lib
//! ```
//!
//! What each model catches: the code was broken in these ways, one at a time, and a model failed.
//!
//! - [`outbound`]: the edge that comes during a write is ignored by the writer, not noted, or
//!   claims no flush; a claim leaves the queue idle, or a second one is given; `Blocked` or `Idle`
//!   is set after the lock was dropped in between; what was not written goes behind what came
//!   later, or from its beginning; frames follow the last one; an overflow closes nothing, or is
//!   taken for the last frame; a drop is not told; a close or an edge gives no room back, a close
//!   is not seen after a write; the owner believes a late word of a full socket
//! - [`hub`]: a forgotten topic gets subscribers; one is forgotten without a second look, or twice;
//!   `closed` is checked outside of the lock, the limit too; the member is added after the lock was
//!   dropped in between; the leaving says more than it ended, or forgets no topic; a subscribe that
//!   fails leaves its topic behind; what was unsubscribed still counts; events are delivered
//!   outside of the lock
//! - [`mailbox`]: the worker falls asleep without a look; whether it sleeps is asked before the
//!   command is there
//! - [`gate`]: what is counted was checked before, outside of the lock; a refusal keeps its address

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
