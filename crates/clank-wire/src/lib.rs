//! WebSocket frames and WAMP messages.

pub mod json;
pub mod payload;
pub mod wamp1;
