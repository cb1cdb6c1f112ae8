//! A server with an API, its clients, and requests, byte for byte.
#![allow(unreachable_pub, dead_code, reason = "what peers can do is shared with other tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clank::{Admission, Builder, Call, Clank, Handle, Paths, RpcError, Server};
use clank_server::api::{Door, Serving};
use clank_server::config::{Raw, Settings};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

#[path = "../../../clank/tests/support/peer.rs"]
pub mod peer;

pub use peer::{HANDSHAKE, Peer, Response};

pub const TOKEN: &str = "token-of-the-shop";
pub const OTHER_TOKEN: &str = "token-of-the-forum";

/// A server with an API. When it is dropped, every client must have left, and every table be empty.
pub struct Test {
    pub server: Server,
    pub api: Serving,
    pub calls: Calls,
    _runtime: Runtime,
}

/// What the procedures of `test` have done.
#[derive(Clone)]
pub struct Calls {
    pub count: Arc<AtomicUsize>,
    /// `test/wait` answers once there is a permit.
    pub go: Arc<Semaphore>,
}

/// A server with an API, the service `test`, and users by their cookie.
pub fn serve() -> Test {
    serve_with(&[])
}

/// The same with these settings, by key.
pub fn serve_with(given: &[(&str, &str)]) -> Test {
    let mut settings = Settings::default();
    let tokens = format!("{TOKEN},{OTHER_TOKEN}");
    for (key, value) in [("api.listen", "0"), ("api.tokens", &tokens)].iter().chain(given) {
        set(&mut settings, key, value);
    }
    let calls = Calls { count: Arc::default(), go: Arc::new(Semaphore::new(0)) };
    let server = builder(calls.clone()).start().unwrap();
    // The program's has one thread too.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let door = runtime.block_on(Door::open(&settings.api)).unwrap().unwrap();
    let api = runtime.block_on(async { door.serve(server.handle()) });
    Test { server, api, calls, _runtime: runtime }
}

/// Sets a setting from its text.
pub fn set(settings: &mut Settings, key: &str, text: &str) {
    let api = &mut settings.api;
    match key {
        "api.listen" => api.listen = parse(text),
        "api.tokens" => api.tokens = parse(text),
        "api.body" => api.body = parse(text),
        "api.timeout" => api.timeout = parse(text),
        "api.connections" => api.connections = parse(text),
        _ => panic!("{key}"),
    }
}

fn parse<V: clank_server::config::Value>(text: &str) -> V {
    V::parse(Raw::Text(text)).unwrap()
}

fn builder(calls: Calls) -> Builder {
    Clank::builder()
        .bind("127.0.0.1:0")
        .workers(2)
        .paths(Paths::Any)
        .on_connecting(|request| async move {
            Ok(match request.cookie("user") {
                Some(user) => Admission::accept().identity(user),
                None => Admission::accept(),
            })
        })
        .rpc_fn("sample", |method: String, call: Call| async move {
            let terms: Vec<i64> = call.params()?;
            match method.as_str() {
                "add_func" => Ok(terms.iter().sum::<i64>().into()),
                _ => Err(RpcError::new("no such method").code(404)),
            }
        })
        .rpc_fn("test", move |method, call| procedure(calls.clone(), method, call))
}

async fn procedure(calls: Calls, method: String, call: Call) -> Result<Value, RpcError> {
    calls.count.fetch_add(1, Ordering::AcqRel);
    match method.as_str() {
        "echo" => call.params(),
        "count" => Ok(calls.count.load(Ordering::Acquire).into()),
        "fail" => {
            let (code,) = call.params()?;
            Err(RpcError::new("it did not work").code(code).detail("hint", "try again"))
        }
        "panic" => panic!("as told"),
        "wait" => {
            calls.go.acquire().await.unwrap().forget();
            Ok(json!("waited"))
        }
        _ => Err(RpcError::new("no such method").code(404)),
    }
}

impl Test {
    pub fn handle(&self) -> Handle {
        self.server.handle()
    }

    /// A client of nobody in particular.
    pub fn client(&self) -> Peer {
        Peer::wamp(self.server.local_addrs()[0])
    }

    /// A client of a user, on a path of its own.
    pub fn client_of(&self, user: &str, path: &str) -> Peer {
        let handshake = HANDSHAKE.replace("GET / ", &format!("GET {path} "));
        let handshake = handshake.replace("Host:", &format!("Cookie: user={user}\r\nHost:"));
        Peer::upgraded(self.server.local_addrs()[0], &handshake).welcomed()
    }

    /// A client that has subscribed.
    pub fn subscriber(&self, topic: &str) -> Peer {
        let mut client = self.client();
        self.subscribe(&mut client, topic);
        client
    }

    pub fn subscribe(&self, client: &mut Peer, topic: &str) {
        client.subscribe(topic);
        client.call("test/echo", &json!(["there"]));
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body)
    }

    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let json = ("Content-Type", "application/json");
        self.request("POST", path, &[&[json], headers].concat(), &body.to_string())
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, &[], "")
    }

    /// A request that shows the token, unless `headers` have another.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut peer = Peer::connect(self.api.address());
        peer.write(&request(method, path, headers, body));
        Answer::of(peer.response())
    }

    /// A request that is answered later.
    pub fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Peer {
        let mut peer = Peer::connect(self.api.address());
        let json = ("Content-Type", "application/json");
        peer.write(&request(method, path, &[&[json], headers].concat(), &body.to_string()));
        peer
    }

    pub fn resource_id(&self, client: &Peer) -> u64 {
        let session = client.session.parse().unwrap();
        self.handle().connection_of_session(session).unwrap().resource_id()
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            until("every table is empty", || self.handle().tables() == clank::Tables::default());
        }
    }
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: api.test\r\n");
    if !headers.iter().any(|(name, _)| *name == "Authorization") {
        text.push_str(&format!("Authorization: Bearer {TOKEN}\r\n"));
    }
    for (name, value) in headers {
        // An empty one stands for none.
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{text}Connection: close\r\n\r\n{body}").into_bytes()
}

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Answer {
    pub fn of(response: Response) -> Self {
        let Response { status, head, body } = response;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
        Self { status, head: head.to_ascii_lowercase(), body }
    }

    /// The body of an answer that is in order.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.head.contains("content-type: application/json\r\n"), "{}", self.head);
        self.body
    }

    /// Status and type of a problem, without what all types begin with.
    pub fn problem(&self) -> (u16, &str) {
        assert!(self.head.contains("content-type: application/problem+json\r\n"), "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        for member in ["title", "detail"] {
            assert!(self.body[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        (self.status, self.body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap())
    }
}

/// Waits until `look` is true.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + peer::PATIENCE;
    while !look() {
        assert!(Instant::now() < deadline, "never came to be: {what}");
        // The one wait: what is looked for belongs to another thread, which tells nobody.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
