//! WAMP v1: messages, and sessions of them.

#![no_main]

#[path = "../bodies/wamp1.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
