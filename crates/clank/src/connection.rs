//! A client's connection, as application code sees it.

use std::fmt;
use std::sync::Arc;

use clank_core::event::{ConnectionFacts, Identity};
use clank_core::id::ConnectionId;
use clank_core::topic::Uri;
use clank_core::wamp1::SessionId;
use clank_wire::ws::OpCode;
use serde_json::Value;

use crate::raw::Message;
use crate::runtime::{OnOverflow, Peer, Turn, frame_for};
use crate::topic::Event;

/// A client's connection. It can be held after the client has gone; cloning is cheap.
#[derive(Clone)]
pub struct Connection(pub(crate) Arc<Peer>);

impl Connection {
    /// The connection's number on this server, which no other connection gets while the server
    /// lives.
    pub fn resource_id(&self) -> u64 {
        self.facts().resource_id.value()
    }

    /// The connection's name in the whole world; the names sort by the time of connecting.
    pub fn id(&self) -> ConnectionId {
        self.facts().connection_id
    }

    /// The id of its WAMP session, which other clients know it by.
    pub fn session_id(&self) -> SessionId {
        self.0.session_id
    }

    /// Everything that was known of the client when it was admitted: address, path, headers.
    pub fn facts(&self) -> &ConnectionFacts {
        &self.0.facts
    }

    /// Who the client is, if a connecting listener said so.
    pub fn identity(&self) -> Option<&Identity> {
        self.facts().identity.as_deref()
    }

    /// A value that a connecting listener hung on the connection.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.facts().attributes.as_ref()?.get(name)
    }

    /// Whether it is open: not closed, and not about to be.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Closes it with a WebSocket close code from 1000 to 4999 and a reason of at most 123 bytes.
    /// Its `disconnected` has the cause `server_closed`. A second close is ignored.
    pub fn close(&self, code: u16, reason: &str) {
        self.0.engine.ask_to_close(&self.0, code, reason);
    }

    /// Sends a message as it is. Only for clients that speak no subprotocol: one that speaks WAMP
    /// would take it for a broken message.
    pub fn send(&self, message: Message<'_>) {
        let (opcode, payload) = match message {
            Message::Text(text) => (OpCode::Text, text.as_bytes()),
            Message::Binary(bytes) => (OpCode::Binary, bytes),
        };
        let mut turn = Turn::default();
        let push =
            self.0.push(frame_for(self.0.window, opcode, payload), payload.len(), OnOverflow::Disconnect);
        turn.note(&self.0, push);
        self.0.engine.hand_over(turn);
    }

    /// Tells listeners that something went wrong on it, with the application's own words, as a
    /// `clank.client.error` of the kind `handler_failed`. The connection goes on.
    pub fn report(&self, message: &str) {
        self.0.engine.report(&self.0, message);
    }

    /// The URIs of the topics that it is subscribed to at this moment.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.0.realm.hub.topics_of(&*self.0)
    }

    pub(crate) fn send_event(&self, topic: &Uri<'_>, event: &Event) {
        let mut turn = Turn::default();
        self.0.engine.send_event(&self.0, topic, event.0.as_payload(), &mut turn);
        self.0.engine.hand_over(turn);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.resource_id()).finish()
    }
}

/// Two are equal if they are the same connection.
impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}
