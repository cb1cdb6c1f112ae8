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

#[test]
fn of_rejections_that_nobody_hears_no_record_is_made() {
    let server = Clank::builder().bind("127.0.0.1:0").start().unwrap();
    let address = server.local_addrs()[0];
    let mut refused = Peer::connect(address);
    refused.write(elsewhere().as_bytes());
    assert_eq!(refused.response().status, 404);
    // A record would have taken the first name.
    let peer = Peer::wamp(address);
    until("it has the first name", || server.handle().connection(1).is_some());
    peer.leave();
}

/// A client of small buffers.
fn slow_reader(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(crate::support::peer::PATIENCE)).unwrap();
    stream
}

/// A server with a page that no socket holds at once.
fn serve_large(limits: Limits) -> (usize, Test) {
    const LARGE: usize = 8 * 1024 * 1024;
    let page = "clank ".repeat(LARGE / 6 + 1).into_bytes();
    let length = page.len();
    (length, serve_limited(limits, |builder| builder.page("/large", "text/plain", page)))
}

const LARGE: &[u8] = b"GET /large HTTP/1.1\r\nHost: clank.test\r\nConnection: close\r\n\r\n";

#[test]
fn a_page_is_sent_whole_before_its_connection_is_closed() {
    let (length, test) = serve_large(Limits::DEFAULT);
    let mut stream = slow_reader(test.address);
    std::io::Write::write_all(&mut stream, LARGE).unwrap();
    // The server has written what the socket takes.
    stream.peek(&mut [0]).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let head = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(response.len() - head, length);
    assert!(test.log.every("clank.client.rejected").is_empty());
}

#[test]
fn a_page_that_nobody_reads_is_given_up_in_time() {
    let limits = Limits { handshake: Period::of(150), ..Limits::DEFAULT };
    let (_, test) = serve_large(limits);
    let mut stream = slow_reader(test.address);
    std::io::Write::write_all(&mut stream, LARGE).unwrap();
    stream.peek(&mut [0]).unwrap();
    test.until_empty();
    assert!(test.log.every("clank.client.rejected").is_empty());
}

/// Adds a decider that never decides; what it saw is sent.
fn never_decides(builder: Builder) -> (Builder, mpsc::Receiver<String>) {
    let (asked, was_asked) = mpsc::channel();
    let builder = builder.on_connecting(move |request| {
        asked.send(request.connection_id().to_string()).unwrap();
        pending()
    });
    (builder, was_asked)
}

/// A server that never decides.
fn undecided(limits: Limits) -> (Test, mpsc::Receiver<String>) {
    let mut asked = None;
    let test = serve_limited(limits, |builder| {
        let (builder, was_asked) = never_decides(builder);
        asked = Some(was_asked);
        builder
    });
    (test, asked.unwrap())
}

/// The one rejection, of the connection that the decider saw.
fn assert_told_once(test: &Test, connection_id: &str, cause: &str) {
    let rejected = test.rejected();
    assert_eq!(
        (&rejected["connection_id"], &rejected["cause"], &rejected["path"]),
        (&json!(connection_id), &json!(cause), &json!("/")),
        "{rejected}"
    );
    test.until_empty();
    assert_eq!(test.log.every("clank.client.rejected").len(), 1);
}

#[test]
fn who_goes_while_a_listener_decides_is_told_of_by_name() {
    for in_pieces in [false, true] {
        let (test, asked) = undecided(Limits::DEFAULT);
        let peer = test.ask(HANDSHAKE.as_bytes(), in_pieces);
        let id = asked.recv().unwrap();
        drop(peer);
        assert_told_once(&test, &id, "aborted");
    }
}

#[test]
fn a_handshake_that_is_not_decided_in_time_is_told_of_by_name() {
    let limits = Limits { handshake: Period::of(150), ..Limits::DEFAULT };
    for in_pieces in [false, true] {
        let (test, asked) = undecided(limits);
        let mut peer = test.ask(HANDSHAKE.as_bytes(), in_pieces);
        let id = asked.recv().unwrap();
        assert_eq!(peer.response().status, 408);
        assert_told_once(&test, &id, "handshake_timeout");
    }
}

/// Polls `future` until a decider is asked, and drops it.
async fn abandon<T>(future: impl Future<Output = T>, asked: &mpsc::Receiver<String>) -> String {
    let mut future = pin!(future);
    poll_fn(|cx| match (future.as_mut().poll(cx), asked.try_recv()) {
        (Poll::Ready(_), _) => panic!("nobody has decided"),
        (Poll::Pending, Ok(id)) => Poll::Ready(id),
        (Poll::Pending, Err(_)) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_client_within_the_program_that_gives_up_is_told_of_by_name() {
    let (test, asked) = undecided(Limits::DEFAULT);
    let handle = test.handle();
    let id = runtime().block_on(abandon(handle.client(), &asked));
    assert_told_once(&test, &id, "aborted");
}

/// The handshake as another server hands it over, with no socket behind it.
fn mounted_request() -> http::Request<()> {
    let mut lines = HANDSHAKE.lines().skip(1).take_while(|line| !line.is_empty());
    let builder = http::Request::get("/");
    let add = |builder: http::request::Builder, line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        builder.header(name, value)
    };
    lines.by_ref().fold(builder, add).body(()).unwrap()
}

#[test]
fn a_mounted_handshake_that_another_server_drops_is_told_of_by_name() {
    let (test, asked) = undecided(Limits::DEFAULT);
    let mut mounted = test.handle().mount();
    let id = runtime().block_on(abandon(mounted.call(mounted_request()), &asked));
    assert_told_once(&test, &id, "aborted");
}

#[test]
fn an_upgrade_that_fails_is_told_of_by_name() {
    let (asked, was_asked) = mpsc::channel();
    let test = serve(|builder| {
        builder.on_connecting(move |request| {
            asked.send(request.connection_id().to_string()).unwrap();
            std::future::ready(Ok(Admission::accept()))
        })
    });
    let response = runtime().block_on(test.handle().mount().call(mounted_request())).unwrap();
    assert_eq!(response.status(), 101);
    assert_told_once(&test, &was_asked.recv().unwrap(), "aborted");
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
