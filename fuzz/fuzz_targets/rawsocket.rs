//! RawSocket.

#![no_main]

#[path = "../bodies/rawsocket.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
