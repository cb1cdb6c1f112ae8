//! How durable records reach sinks.
#![allow(dead_code, reason = "nothing drives the scheduler yet")]

mod backoff;
mod breaker;
mod filter;
mod options;
mod pace;
mod record;
mod scheduler;
mod sink;
mod state;
#[cfg(test)]
mod testing;

pub use backoff::Backoff;
pub use breaker::BreakerState;
pub use filter::Filter;
pub use options::{InvalidSinkName, OnPoison, SinkName, SinkOptions};
pub use pace::Pace;
pub use record::{Delivery, Missing};
pub use scheduler::ReplayProgress;
pub use sink::{AnySink, Outcome, Sink, Verdict};
