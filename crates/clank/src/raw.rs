//! WebSockets without a subprotocol: messages as they come.

use crate::connection::Connection;

/// A message of a client that speaks no subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Takes the messages of clients that offered no subprotocol.
///
/// It runs on the thread that serves the client's socket and must not block.
///
/// ```
/// let server = clank::Clank::builder().raw(|connection: &clank::Connection, message: clank::Message<'_>| {
///     connection.send(message);
/// });
/// ```
pub trait MessageHandler: Send + Sync + 'static {
    /// `connection` sent `message`.
    fn on_message(&self, connection: &Connection, message: Message<'_>);
}

impl<F: Fn(&Connection, Message<'_>) + Send + Sync + 'static> MessageHandler for F {
    fn on_message(&self, connection: &Connection, message: Message<'_>) {
        self(connection, message);
    }
}
