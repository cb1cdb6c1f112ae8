//! The ways in: whatever becomes of a handshake or of a page, it is told once and sent whole.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;

use clank::limits::Period;
use clank::{
    Admission, Builder, Clank, ClientEventListener, ConnectRequest, EventKind, Limits, ListenerOptions,
    Mounted, Result,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tower_service::Service;

use crate::support::{HANDSHAKE, Peer, Test, serve, serve_limited, until};

/// What the application's threads are called; those that serve sockets have numbers.
const APPLICATION: &str = "clank-app";

fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A handshake on a path that isn't served.
fn elsewhere() -> String {
    HANDSHAKE.replacen("GET / ", "GET /elsewhere ", 1)
}

#[test]
fn an_ordinary_listener_behind_an_inline_one_has_its_own_threads() {
    let (heard, hear) = mpsc::channel();
    let test = serve(|builder| {
        builder.on(EventKind::Rejected, move |_| {
            heard.send(thread_name()).unwrap();
            std::future::ready(Ok(()))
        })
    });
    assert_eq!(test.request(elsewhere()).status, 404);
    test.rejected();
    assert_eq!(hear.recv().unwrap(), APPLICATION);
}

/// Decides after a wait, and tells on which threads.
struct Waits(mpsc::Sender<String>);

impl ClientEventListener for Waits {
    async fn on_client_connecting(&self, _: &ConnectRequest) -> Result<Admission> {
        self.0.send(thread_name()).unwrap();
        tokio::task::yield_now().await;
        self.0.send(thread_name()).unwrap();
        Ok(Admission::accept())
    }
}

#[test]
fn an_inline_decider_that_waits_goes_on_elsewhere() {
    let (told, hear) = mpsc::channel();
    let test = serve(|builder| builder.listener_with(ListenerOptions::new().inline(), Waits(told)));
    test.client().leave();
    let first = hear.recv().unwrap();
    assert!(first.starts_with("clank-") && first != APPLICATION, "it begins on the worker's thread: {first}");
    assert_eq!(hear.recv().unwrap(), APPLICATION);
}

#[test]
fn rejections_that_wait_for_their_listener_share_a_task() {
    const REJECTIONS: usize = 30;
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let test = serve(|builder| builder.runtime(handle).on(EventKind::Rejected, |_| pending()));
    let tasks = || runtime.metrics().num_alive_tasks();
    until("the start is over", || tasks() == 0);
    for _ in 0..REJECTIONS {
        assert_eq!(test.request(elsewhere()).status, 404);
        test.rejected();
    }
    assert!(tasks() <= 1, "{}", tasks());
}

/// Serves one connection by hyper, with `mounted` for every request. Returns another descriptor of
/// its socket.
async fn serve_one(mounted: Mounted, listener: std::net::TcpListener) -> TcpStream {
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let same = socket.try_clone().unwrap();
    let io = TokioIo::new(tokio::net::TcpStream::from_std(socket).unwrap());
    let service = hyper::service::service_fn(move |request| {
        let answer = mounted.clone().call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap()) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    connection.with_upgrades().await.unwrap();
    same
}

#[test]
fn a_socket_that_is_handed_over_sends_small_frames_at_once() {
    let test = serve(|builder| builder);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || Peer::wamp(address));
    let socket = runtime().block_on(serve_one(test.handle().mount(), listener));
    let mut peer = client.join().unwrap();
    assert!(socket.nodelay().unwrap());
    peer.round_trip();
    let connected: Value = test.log.wait_for("clank.client.connected");
    assert_eq!(connected["path"], "/");
    drop(socket);
    peer.leave();
}
