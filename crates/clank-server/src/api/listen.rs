//! The sockets at which the API is asked.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::DISCARD;
use super::problem::{Problem, ProblemKind};
use super::respond::Answer;
use super::serve::Api;

/// How long a connection may take to send a request's headers, or may be silent between requests.
const HEADERS: Duration = Duration::from_secs(10);
/// Bytes of the longest request line and headers.
const HEADER_BYTES: usize = 16 * 1024;
/// Headers of a request.
const HEADER_COUNT: usize = 64;
/// Connections beyond the most that are told so; further ones are closed without a word.
const TOLD: usize = 32;
/// How long an address that is taken is tried for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two tries.
const BREATH: Duration = Duration::from_millis(50);

/// Where connections come in.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

impl Listener {
    async fn next(&self) -> io::Result<Box<dyn Socket>> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                // A response leaves in one write; waiting to join it with another would delay it.
                _ = socket.set_nodelay(true);
                Ok(Box::new(socket))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Listens on an address; one that is taken is tried for a while, because a process that was
/// killed may hold it for a moment.
pub(super) async fn listen_patiently(address: &str) -> io::Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < PATIENCE => {
                breathe().await;
            }
            result => return result,
        }
    }
}

/// Waits for a moment where nothing tells when the system can give what it has not.
async fn breathe() {
    _ = timeout(BREATH, std::future::pending::<()>()).await;
}

/// Lets connections in, up to `most`.
pub(super) async fn accept(listener: Listener, api: Arc<Api>, most: usize) {
    let (places, told) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(TOLD)));
    loop {
        let socket = match listener.next().await {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "the API can't accept a connection");
                breathe().await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            tokio::spawn(serve(socket, Arc::clone(&api), place));
        } else if let Ok(place) = Arc::clone(&told).try_acquire_owned() {
            tokio::spawn(refuse(socket, place));
        }
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_COUNT);
    http
}

async fn serve(socket: Box<dyn Socket>, api: Arc<Api>, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    if let Err(error) = http().serve_connection(TokioIo::new(socket), answer).await {
        tracing::debug!(%error, "a connection to the API ended");
    }
}

/// Answers one request with 503, whatever it asks for.
async fn refuse(socket: Box<dyn Socket>, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|_| async {
        let detail = "try again in a second; api.connections says how many there may be";
        let problem = Problem::new(ProblemKind::TooManyConnections, detail).header("retry-after", "1");
        Ok::<_, Infallible>(Answer::from(problem).into_response(false))
    });
    let mut http = http();
    http.keep_alive(false);
    _ = timeout(DISCARD, http.serve_connection(TokioIo::new(socket), answer)).await;
}
