//! The HTTP API from outside: real requests, and real clients that hear of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod calls;
mod connections;
mod guide;
mod idempotency;
mod journal;
mod limits;
mod publish;
mod support;
mod topics;
