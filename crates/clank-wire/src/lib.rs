//! What Clank says on the wire, without I/O.
//!
//! Every item here is a value or a state machine over bytes: no socket, clock, runtime, randomness
//! or environment. What needs one of them (a mask, a time) takes it as an argument.
//!
//! - [`ws`]: the WebSocket handshake, frames and permessage-deflate (RFC 6455, RFC 7692).

pub mod ws;
