//! WAMP v2: messages in each serializer, and sessions.

#![no_main]

#[path = "../bodies/wamp2.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
