//! What Clank says on the wire, without I/O.
//!
//! Every item here is a value or a state machine over bytes: no socket, clock, runtime, randomness
//! or environment. What needs one of them (a mask, a time) takes it as an argument.
//!
//! - [`ws`]: the WebSocket handshake, frames and permessage-deflate (RFC 6455, RFC 7692)
//! - [`json`]: spans of JSON text, checked but not parsed into values
//! - [`serializer`]: JSON, MessagePack and CBOR as spans, and from one to another
//! - [`payload`]: what a message carries for the application, unparsed
//! - [`wamp1`]: the messages of WAMP v1
//! - [`wamp2`]: the messages of WAMP v2
//! - [`rawsocket`]: WAMP v2 without WebSocket
//! - [`excerpt`]: what a peer sent, fit to be shown

pub mod excerpt;
pub mod json;
pub mod payload;
pub mod rawsocket;
pub mod serializer;
pub mod wamp1;
pub mod wamp2;
pub mod ws;
