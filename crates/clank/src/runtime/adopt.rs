//! Connections whose handshake somebody else has made.

use bytes::Bytes;

use super::entrant::Entrant;
use super::socket::Socket;
use super::transport::Stream;

/// A connection whose handshake somebody else has made.
pub(crate) struct Adopted {
    pub entrant: Entrant,
    pub carrier: Carrier,
    /// What the client has sent already.
    pub early: Bytes,
}

/// What carries an adopted connection.
pub(crate) enum Carrier {
    /// A socket.
    Socket(Socket),
    /// Any other stream.
    Stream(Box<dyn Stream>),
}
