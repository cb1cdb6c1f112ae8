//! How durable records reach sinks.

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
pub use runner::{Refused, ReplayFrom};
pub use scheduler::ReplayProgress;
pub use sink::{AnySink, Outcome, Sink, Verdict};
pub use status::{Retried, SinkStatus};
pub use store::{DeadLetter, Letters};

#[cfg(test)]
mod tests;
