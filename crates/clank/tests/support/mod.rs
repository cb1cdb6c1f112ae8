//! What the tests share: a server under test that keeps the log of its lifecycle events, and a
//! scripted peer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

pub mod cell;
pub mod log;
pub mod peer;
pub mod peer2;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clank::{Builder, Call, Clank, EventKind, Handle, Limits, ListenerOptions, RpcError, Server, Tables};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

pub use log::Log;
pub use peer::{FIN, HANDSHAKE, Peer};
pub use peer2::Peer2;

/// The codec that tests read most easily.
pub const JSON2: Codec = Codec { serializer: Serializer::Json, batched: false };

/// Waits until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + peer::PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came to be: {what}");
        // The one wait: what is looked for belongs to another thread, which tells nobody.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Waits until `look` is true.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    eventually(what, || look().then_some(()));
}

/// A server under test. When it is dropped, every client must have left, every table must be empty,
/// and every connection must have been told of in order.
pub struct Test {
    pub server: Server,
    pub log: Log,
    pub address: SocketAddr,
}

/// A server on a free port with the service `test` and a log, configured further by `configure`.
pub fn serve(configure: impl FnOnce(Builder) -> Builder) -> Test {
    let log = Log::default();
    let builder = EventKind::ALL.into_iter().fold(Clank::builder(), |builder, kind| {
        let log = log.clone();
        let options = ListenerOptions::new().priority(i32::MAX).inline();
        builder.on_with(options, kind, move |event| {
            log.push(event.record());
            std::future::ready(Ok(()))
        })
    });
    let builder =
        builder.bind("127.0.0.1:0").bind_rawsocket("127.0.0.1:0").workers(2).rpc_fn("test", procedure);
    let server = configure(builder).start().unwrap();
    let address = server.local_addrs()[0];
    Test { server, log, address }
}

/// As [`serve`], with limits.
pub fn serve_limited(limits: Limits, configure: impl FnOnce(Builder) -> Builder) -> Test {
    serve(|builder| configure(builder.limits(limits)))
}

/// The service `test`.
async fn procedure(method: String, call: Call) -> Result<Value, RpcError> {
    match method.as_str() {
        "echo" => call.params(),
        "id" => Ok(call.caller().map(clank::Connection::resource_id).into()),
        "fail" => Err(RpcError::new("it did not work").code(417).detail("hint", "try again")),
        "panic" => panic!("on purpose"),
        "never" => std::future::pending().await,
        "nothing" => Ok(Value::Null),
        _ => Err(RpcError::new("no such method").code(404)),
    }
}

impl Test {
    pub fn handle(&self) -> Handle {
        self.server.handle()
    }

    /// Sends a handshake, and what may stand behind it. One that comes whole and one that comes in pieces are
    /// read by two, who have to agree.
    pub fn ask(&self, request: &[u8], in_pieces: bool) -> Peer {
        let mut peer = Peer::connect(self.address);
        let (first, rest) = request.split_at(if in_pieces { 1 } else { request.len() });
        peer.write(first);
        if in_pieces {
            until("the first piece is there", || self.handle().tables().handshakes == 1);
            peer.write(rest);
        }
        peer
    }

    /// A client that has been welcomed.
    pub fn client(&self) -> Peer {
        Peer::wamp(self.address)
    }

    /// A client of WAMP v2 that has been welcomed.
    pub fn client2(&self, codec: Codec) -> Peer2 {
        Peer2::join(self.address, codec, "realm1")
    }

    /// A client of RawSocket that has been welcomed.
    pub fn client_raw(&self, serializer: Serializer) -> Peer2 {
        Peer2::join_raw(self.connect_raw(), serializer)
    }

    /// A connection to where RawSocket is spoken, on which nothing has been said.
    pub fn connect_raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.rawsocket_addrs()[0]).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A client and its resource id.
    pub fn client_and_id(&self) -> (Peer, u64) {
        let mut peer = self.client();
        let id = peer.call("test/id", &json!([]))[2].as_u64().unwrap();
        (peer, id)
    }

    /// Sends `request` and returns the answer.
    pub fn request(&self, request: impl AsRef<[u8]>) -> peer::Response {
        let mut peer = Peer::connect(self.address);
        peer.write(request.as_ref());
        peer.response()
    }

    /// Another client is served.
    pub fn is_well(&self) {
        self.client().round_trip();
    }

    /// Waits until `count` clients have subscribed to `topic`.
    pub fn until_subscribed(&self, topic: &str, count: usize) {
        let topic = self.handle().topic(topic).unwrap();
        until("all have subscribed", || topic.count() == count);
    }

    /// Waits for the next end of a connection that the log tells of, and returns its record.
    pub fn disconnected(&self) -> Value {
        self.log.wait_for("clank.client.disconnected")
    }

    /// Waits for a rejection and returns its record.
    pub fn rejected(&self) -> Value {
        self.log.wait_for("clank.client.rejected")
    }

    /// Waits until all that clients left behind is gone.
    pub fn until_empty(&self) {
        let handle = self.handle();
        let mut tables = handle.tables();
        let deadline = Instant::now() + peer::PATIENCE;
        while tables != Tables::default() {
            assert!(Instant::now() < deadline, "the house is not empty: {tables:?}");
            std::thread::park_timeout(Duration::from_millis(1));
            tables = handle.tables();
        }
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.until_empty();
            self.log.check();
        }
    }
}
