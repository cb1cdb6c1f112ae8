//! Receivers of lifecycle events outside of the process. What an acknowledgement of each means:
//!
//! - [`webhook`]: the application answered 2xx
//! - `nats`: JetStream confirmed that it stored the message, as durably as the stream is configured
//! - `redis`: the server has the entry, as durably as its `appendfsync` makes it
//! - `amqp`: the broker confirmed the message, and a queue took it
//!
//! Files and commands are in `clank-journal`.

#[cfg(feature = "amqp")]
pub(crate) mod amqp;
#[cfg(feature = "nats")]
pub(crate) mod nats;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod webhook;

use clank_journal::delivery::{Outcome, Verdict};

/// What a broker confirmed of each event: what it did not confirm is offered again.
#[cfg(any(feature = "amqp", feature = "nats"))]
fn each<E: std::fmt::Display>(confirmed: Vec<Result<(), E>>) -> Outcome {
    let verdict = |confirmed: Result<(), E>| match confirmed {
        Ok(()) => Verdict::Acked,
        Err(error) => Verdict::Failing { retry_after: None, why: error.to_string() },
    };
    Outcome::Each(confirmed.into_iter().map(verdict).collect())
}

/// An error, and what it came of: the words of clients name little of it themselves.
fn failing(error: &dyn std::error::Error) -> Outcome {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    Outcome::failing(text)
}
