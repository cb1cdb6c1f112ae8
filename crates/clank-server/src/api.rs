//! The way back in: an HTTP API, by which the application's other programs reach the server.
//!
//! It is off unless it has an address, which is its own. It runs on the program's main thread, and
//! reaches the server as every program does, by a [`Handle`]: no socket waits for it.
//!
//! ```text
//! Door (listens) -> serve (token, route, body, key) -+-> list: what is there
//!                                                    +-> command: publish, call, send, disconnect
//! ```
//!
//! - `problem`: what is wrong, as RFC 9457 has it; `respond`: what is answered
//! - `access`: tokens; `route`: which requests there are; `request`: what one says
//! - `command`: what changes something; `list`: what can be asked
//! - `idempotency`: requests that come again

mod access;
mod command;
mod idempotency;
mod list;
mod problem;
mod request;
mod respond;
mod route;
mod serve;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clank::Handle;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use problem::ProblemKind;

use crate::config::{ApiSettings, Tokens};
use problem::Problem;
use respond::Answer;
use serve::Api;

/// The description of the API, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../assets/openapi.json");

/// How long a connection may take to send a request's headers, or may be silent between requests.
const HEADERS: Duration = Duration::from_secs(10);
/// Bytes of the longest request line and headers.
const HEADER_BYTES: usize = 16 * 1024;
/// Headers of a request.
const HEADER_COUNT: usize = 64;
/// How long the body of a request that is refused may take to pass.
const DISCARD: Duration = Duration::from_secs(2);
/// Connections beyond the most that are told so; further ones are closed without a word.
const TOLD: usize = 32;
/// How long an address that is taken is tried for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two tries.
const BREATH: Duration = Duration::from_millis(50);

/// Why the API can't be there.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Its address is taken, not this machine's, or may not be used by this user.
    #[error("api.listen: can't listen on {0}: {1}")]
    Bind(String, io::Error),
    /// The file with tokens can't be read.
    #[error("api.token_file: can't read {0}: {1}")]
    TokenFile(String, io::Error),
    /// The file with tokens has a line that is none.
    #[error("{0}:{1}: api.token_file: a token is at least 16 of the characters A-Z a-z 0-9 - . _ ~ + / =")]
    NotAToken(String, usize),
    /// Nobody could use it.
    #[error("the API needs a token: {0} has none, and api.tokens neither")]
    NoToken(String),
}

/// All tokens: those of the settings, and those of the file that they name.
///
/// # Errors
/// When the file can't be read, or has something else in it.
pub fn read_tokens(settings: &ApiSettings) -> Result<Tokens, ApiError> {
    let mut tokens = settings.tokens.clone();
    if let Some(path) = settings.token_file.path() {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ApiError::TokenFile(name.clone(), error))?;
        tokens.extend(Tokens::of_lines(&text).map_err(|line| ApiError::NotAToken(name, line))?);
    }
    Ok(tokens)
}

/// The API's socket, at which nobody answers yet.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tokens: Tokens,
    settings: ApiSettings,
}

/// An API that answers. Dropping it ends it at once.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Door {
    /// Listens, if the settings say where.
    ///
    /// # Errors
    /// When there is no token, or the address can't be had.
    pub async fn open(settings: &ApiSettings) -> Result<Option<Self>, ApiError> {
        let Some(address) = settings.listen.address() else { return Ok(None) };
        let tokens = read_tokens(settings)?;
        if tokens.is_empty() {
            let file = settings.token_file.path().map(|path| path.display().to_string());
            return Err(ApiError::NoToken(file.unwrap_or_else(|| "api.token_file".to_owned())));
        }
        let failed = |error| ApiError::Bind(address.clone(), error);
        let listener = listen_patiently(&address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Self { listener, address, tokens, settings: settings.clone() }))
    }

    /// Lets requests reach the server.
    pub fn serve(self, clank: Handle) -> Serving {
        let Self { listener, address, tokens, settings } = self;
        tracing::info!(tokens = tokens.iter().count(), "the API listens on http://{address}");
        let api = Arc::new(Api::new(clank, &settings, tokens));
        let accepting = tokio::spawn(accept(listener, api, settings.connections.count()));
        Serving { address, accepting }
    }
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Listens on an address; one that is taken is tried for a while, because a process that was
/// killed may hold it for a moment.
async fn listen_patiently(address: &str) -> io::Result<TcpListener> {
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
async fn accept(listener: TcpListener, api: Arc<Api>, most: usize) {
    let (places, told) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(TOLD)));
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "the API can't accept a connection");
                breathe().await;
                continue;
            }
        };
        // A response leaves in one write; waiting to join it with another would delay it.
        _ = socket.set_nodelay(true);
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

async fn serve(socket: TcpStream, api: Arc<Api>, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    if let Err(error) = http().serve_connection(TokioIo::new(socket), answer).await {
        tracing::debug!(%error, "a connection to the API ended");
    }
}

/// Answers one request with 503, whatever it asks for.
async fn refuse(socket: TcpStream, _place: OwnedSemaphorePermit) {
    let answer = service_fn(|_| async {
        let detail = "try again in a second; api.connections says how many there may be";
        let problem = Problem::new(ProblemKind::TooManyConnections, detail).header("retry-after", "1");
        Ok::<_, Infallible>(Answer::from(problem).into_response(false))
    });
    let mut http = http();
    http.keep_alive(false);
    _ = timeout(DISCARD, http.serve_connection(TokioIo::new(socket), answer)).await;
}
