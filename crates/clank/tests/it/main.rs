//! The server from outside: real sockets, scripted clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod abuse;
mod bundles;
mod doors;
mod endings;
mod handle;
mod house;
mod inside;
mod journal;
mod lifecycle;
mod listeners;
mod matrix;
mod order;
mod rawsocket;
mod rejected;
mod sessions;
mod shutdown;
mod topics;
mod wamp1_calls;
mod wamp1_malformed;
mod wamp1_messages;
mod wamp2_auth;
mod wamp2_authorize;
mod wamp2_calls;
mod wamp2_history;
mod wamp2_messages;
mod wamp2_meta;
mod wamp2_model;
mod wamp2_patterns;
mod wamp2_progressive;
mod wamp2_testaments;
