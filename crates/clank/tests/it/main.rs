//! The server from outside: real sockets, scripted clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod lifecycle;
mod order;
mod rejected;
mod wamp1_calls;
mod wamp1_malformed;
mod wamp1_messages;
