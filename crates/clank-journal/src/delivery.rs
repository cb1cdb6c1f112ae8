//! How durable records reach sinks.
//!
//! ```text
//! Source ─ feed ─ scheduler ─ Sink           each sink has a runner of its own,
//!                     │                      which drives the four
//!                   store                    delivery.redb, for all sinks
//! ```
//!
//! - A sink is offered each event until it says that it has it: at least once, with one id, and
//!   marked where it may have come before. Events of one lane (an identity's, else a connection's)
//!   come one after the other, lanes beside each other.
//! - A sink that is down stops its own cursor, and nobody's tries are used up by it. An event that it
//!   refuses, or that fails its tries while others are taken, becomes a dead letter.
//! - What is in memory is bounded, whatever waits in the journal: 4,096 events and 8 MiB read ahead
//!   for each sink, and one reading (256 KiB) more.
//! - What was acknowledged is written down every 250 ms or 1,000 acknowledgements. After a kill at
//!   most 10,000 acknowledged deliveries repeat, and those that were under way. After a stop none do,
//!   but those that were broken off.
//! - Past `max_dead_letter_bytes` a sink's oldest dead letters are dropped. That, and dead letters
//!   that an operator drops, is told to the sink as `clank.journal.gap`.

mod backoff;
mod breaker;
mod cursors;
mod dispatcher;
mod feed;
mod filter;
mod offline;
mod options;
mod pace;
mod record;
mod runner;
mod scheduler;
mod sink;
mod state;
mod status;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use backoff::Backoff;
pub(crate) use backoff::Jitter;
pub use breaker::BreakerState;
pub use dispatcher::{Dispatcher, SinkConfig};
pub use filter::Filter;
pub use offline::Offline;
pub use options::{InvalidSinkName, OnPoison, SinkName, SinkOptions};
pub use pace::Pace;
pub use record::{Delivery, Missing};
pub use runner::{Refused, ReplayFrom, new_origin};
pub use scheduler::ReplayProgress;
pub use sink::{AnySink, Outcome, Sink, Verdict};
pub use status::{Retried, SinkStatus};
pub use store::{DeadLetter, Letters};

#[cfg(test)]
mod tests;
