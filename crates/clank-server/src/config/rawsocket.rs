//! `[rawsocket]`: WAMP v2 without HTTP and WebSocket.

use super::api::{ApiListen, OptionalPath};

/// `[rawsocket]`
#[derive(Clone, Debug, PartialEq)]
pub struct RawSocketSettings {
    /// Where it is spoken over TCP.
    pub listen: ApiListen,
    /// The Unix socket on which it is spoken.
    pub unix: OptionalPath,
}

impl Default for RawSocketSettings {
    /// Nowhere.
    fn default() -> Self {
        Self { listen: ApiListen::Off, unix: OptionalPath::default() }
    }
}
