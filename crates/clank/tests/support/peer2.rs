//! A scripted client of WAMP v2, in any serializer: what it says and hears is JSON to the test.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};

use clank_wire::serializer::{Serializer, Span};
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use super::peer::{BINARY, FIN, HANDSHAKE, PING, PONG, Peer, TEXT, frame};

/// A client of WAMP v2.
pub struct Peer2 {
    pub peer: Peer,
    codec: Codec,
    /// It speaks RawSocket, and not WebSocket.
    is_raw: bool,
    /// The number of its session.
    pub session: u64,
    /// What WELCOME said.
    pub welcome: Value,
    unread: VecDeque<Value>,
    requests: u64,
}

impl Peer2 {
    /// A client that has said nothing but which subprotocols it speaks.
    pub fn connect(address: SocketAddr, codec: Codec) -> Self {
        Self::connect_by(address, HANDSHAKE, codec)
    }

    /// The same, by a handshake of WAMP v1 whose subprotocol is replaced.
    pub fn connect_by(address: SocketAddr, handshake: &str, codec: Codec) -> Self {
        let offer = format!("Protocol: {}", codec.subprotocol());
        Self::new(Peer::upgraded(address, &handshake.replace("Protocol: wamp", &offer)), codec, false)
    }

    fn new(peer: Peer, codec: Codec, is_raw: bool) -> Self {
        Self { peer, codec, is_raw, session: 0, welcome: Value::Null, unread: VecDeque::new(), requests: 0 }
    }

    /// A client that is going to speak RawSocket.
    pub fn of_raw(peer: Peer, serializer: Serializer) -> Self {
        Self::new(peer, Codec { serializer, batched: false }, true)
    }

    /// A client of RawSocket that takes messages of 2^`exponent` bytes, and has been let in.
    pub fn raw(stream: TcpStream, serializer: Serializer, exponent: u8) -> Self {
        let mut peer = Peer::of(stream);
        let asked = (exponent - 9) << 4 | serializer.rawsocket_id();
        peer.write(&[0x7f, asked, 0, 0]);
        let answer = peer.take(4).unwrap();
        assert_eq!((answer[0], answer[1] & 0x0f), (0x7f, serializer.rawsocket_id()), "{answer:x?}");
        Self::new(peer, Codec { serializer, batched: false }, true)
    }

    /// One of RawSocket that has joined `realm1`.
    pub fn join_raw(stream: TcpStream, serializer: Serializer) -> Self {
        let mut peer = Self::raw(stream, serializer, 24);
        peer.hello("realm1");
        peer.welcomed();
        peer
    }

    /// One that can do all that clients can, and has joined `realm`.
    pub fn join(address: SocketAddr, codec: Codec, realm: &str) -> Self {
        let mut peer = Self::connect(address, codec);
        peer.hello(realm);
        peer.welcomed();
        peer
    }

    pub fn hello(&mut self, realm: &str) {
        let callee = json!({"features": {"call_canceling": true, "progressive_call_results": true,
            "progressive_call_invocations": true}});
        let caller = json!({"features": {"progressive_call_invocations": true}});
        let roles = json!({"subscriber": {}, "publisher": {}, "caller": caller, "callee": callee});
        self.send(&json!([1, realm, {"roles": roles}]));
    }

    pub fn welcomed(&mut self) {
        let welcome = self.next();
        assert_eq!(welcome[0], 2, "{welcome}");
        self.session = welcome[1].as_u64().unwrap();
        self.welcome = welcome;
    }

    /// Sends one message.
    pub fn send(&mut self, message: &Value) {
        self.send_all(std::slice::from_ref(message));
    }

    /// Sends messages, in one batch if the codec has batches.
    pub fn send_all(&mut self, messages: &[Value]) {
        let mut batch = Vec::new();
        for message in messages {
            let text = message.to_string();
            self.codec.append(&mut batch, |serializer, out| {
                Span::parse(Serializer::Json, text.as_bytes()).unwrap().write(serializer, out);
            });
            if !self.codec.batched {
                self.send_bytes(&std::mem::take(&mut batch));
            }
        }
        if self.codec.batched {
            self.send_bytes(&batch);
        }
    }

    /// Sends a message of the transport, of the codec's kind.
    pub fn send_bytes(&mut self, message: &[u8]) {
        if self.is_raw {
            return self.peer.write(&raw_frame(0, message));
        }
        let opcode = if self.codec.is_text() { TEXT } else { BINARY };
        self.peer.write(&frame(FIN | opcode, message));
    }

    /// The next message.
    pub fn next(&mut self) -> Value {
        while self.unread.is_empty() {
            if self.is_raw {
                let (kind, payload) = self.raw_frame();
                match kind {
                    0 => self.unread.push_back(self.read(&payload)),
                    1 => self.peer.write(&raw_frame(2, &payload)),
                    _ => panic!("a frame of type {kind}"),
                }
                continue;
            }
            let received = self.peer.frame();
            match received.opcode() {
                PING => self.peer.write(&frame(FIN | PONG, &received.payload)),
                opcode => {
                    let text = String::from_utf8_lossy(&received.payload);
                    assert_eq!(opcode, if self.codec.is_text() { TEXT } else { BINARY }, "{text}");
                    for message in self.codec.messages(&received.payload) {
                        self.unread.push_back(self.read(message.unwrap()));
                    }
                }
            }
        }
        self.unread.pop_front().unwrap()
    }

    /// The next frame of RawSocket: its type and payload.
    pub fn raw_frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.peer.take(4).unwrap();
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        (head[0], self.peer.take(length).unwrap())
    }

    fn read(&self, message: &[u8]) -> Value {
        let span = Span::parse(self.codec.serializer, message).unwrap();
        serde_json::from_str(&span.to_string()).unwrap()
    }

    /// The id of the next request.
    pub fn request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Subscribes, and returns the subscription.
    pub fn subscribe(&mut self, topic: &str) -> u64 {
        let request = self.request();
        self.send(&json!([32, request, {}, topic]));
        let subscribed = self.next();
        assert_eq!((&subscribed[0], &subscribed[1]), (&json!(33), &json!(request)), "{subscribed}");
        subscribed[2].as_u64().unwrap()
    }

    /// Publishes with an acknowledgement, and returns the publication.
    pub fn publish(&mut self, topic: &str, options: Value, arguments: &Value) -> u64 {
        let request = self.request();
        let mut options = options;
        options["acknowledge"] = true.into();
        self.send(&json!([16, request, options, topic, arguments]));
        let mut published = self.next();
        // The publisher's own event comes before the acknowledgement.
        let event = (published[0] == 36).then(|| std::mem::replace(&mut published, Value::Null));
        if event.is_some() {
            published = self.next();
        }
        self.unread.extend(event);
        assert_eq!((&published[0], &published[1]), (&json!(17), &json!(request)), "{published}");
        published[2].as_u64().unwrap()
    }

    /// Registers, and returns the registration.
    pub fn register(&mut self, procedure: &str) -> u64 {
        self.register_with(procedure, &json!({}))
    }

    pub fn register_with(&mut self, procedure: &str, options: &Value) -> u64 {
        let request = self.request();
        self.send(&json!([64, request, options, procedure]));
        let registered = self.next();
        assert_eq!((&registered[0], &registered[1]), (&json!(65), &json!(request)), "{registered}");
        registered[2].as_u64().unwrap()
    }

    /// Calls, and returns the id of the request.
    pub fn call(&mut self, procedure: &str, options: &Value, arguments: &Value) -> u64 {
        let request = self.request();
        self.send(&json!([48, request, options, procedure, arguments]));
        request
    }

    /// The next message, which is an INVOCATION; returns its id.
    pub fn invoked(&mut self) -> u64 {
        let invocation = self.next();
        assert_eq!(invocation[0], 68, "{invocation}");
        invocation[1].as_u64().unwrap()
    }

    /// The next message, which is an ERROR; returns its type, id and URI.
    pub fn error(&mut self) -> (u64, u64, String) {
        let error = self.next();
        assert_eq!(error[0], 8, "{error}");
        (error[1].as_u64().unwrap(), error[2].as_u64().unwrap(), error[4].as_str().unwrap().to_owned())
    }

    /// Has the server answer, so that all it sent before is here and all that was sent to it before
    /// is taken.
    pub fn round_trip(&mut self) {
        let request = self.call("test/echo", &json!({}), &json!(["there"]));
        assert_eq!(self.next(), json!([50, request, {}, [["there"]]]));
    }

    /// Leaves the realm and closes, in order.
    pub fn leave(mut self) {
        self.send(&json!([6, {}, "wamp.close.close_realm"]));
        assert_eq!(self.next(), json!([6, {}, "wamp.close.goodbye_and_out"]));
        if self.is_raw {
            self.peer.end();
            assert!(self.peer.is_ended());
        } else {
            self.peer.leave();
        }
    }

    /// The server ends the session with an ABORT, and closes; returns the reason and the close code,
    /// which RawSocket has not.
    pub fn aborted(&mut self) -> (String, u16) {
        let abort = self.next();
        assert_eq!(abort[0], 3, "{abort}");
        if self.is_raw {
            assert!(self.peer.is_ended());
            return (abort[2].as_str().unwrap().to_owned(), 0);
        }
        (abort[2].as_str().unwrap().to_owned(), self.peer.closed().0)
    }
}

/// A frame of RawSocket.
pub fn raw_frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    assert_eq!(length[0], 0, "a frame has fewer than 2^24 bytes");
    [&[kind], &length[1..], payload].concat()
}
