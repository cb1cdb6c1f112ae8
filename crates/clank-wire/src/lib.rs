//! WebSocket frames and WAMP messages.
