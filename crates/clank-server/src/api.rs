//! The way back in: an HTTP API, by which the application's other programs reach the server.
//!
//! It is off unless it has an address, which is its own; where there is a journal, it is also on a
//! socket in the journal's directory. It runs on the program's main thread, and reaches the server as
//! every program does, by a [`Handle`]: no socket waits for it.
//!
//! ```text
//! Door (listens) -> serve (token, route, body, key) -+-> list: what is there
//!                                                    +-> command: publish, call, send, disconnect
//!                                                    +-> journal: sinks, dead letters, events
//!                                                    +-> order: retry, drop, replay, remove
//! ```
//!
//! - `listen`: its sockets; `control`: the one in the journal's directory
//! - `problem`: what is wrong, as RFC 9457 has it; `respond`: what is answered
//! - `access`: tokens; `route`: which requests there are; `request`: what one says
//! - `command`: what changes something; `list`: what can be asked
//! - `journal`: what can be asked of the journal and its sinks; `order`: what the sinks can be told
//! - `metrics`: numbers for who watches
//! - `idempotency`: requests that come again

mod access;
mod command;
mod control;
mod idempotency;
mod journal;
mod list;
mod listen;
mod metrics;
mod order;
mod problem;
mod request;
mod respond;
mod route;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clank::Handle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use control::{Control, connect};
pub use problem::ProblemKind;

use crate::config::{ApiSettings, Tokens};
use crate::events::Access;
use listen::{Listener, accept, listen_patiently};
use serve::Api;

/// The description of the API, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../assets/openapi.json");

/// How long the body of a request that is refused may take to pass.
const DISCARD: Duration = Duration::from_secs(2);

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

    /// Lets requests reach the server, which has no journal.
    pub fn serve(self, clank: Handle) -> Serving {
        self.serve_with(clank, None)
    }

    /// Lets requests reach the server and its journal.
    pub(crate) fn serve_with(self, clank: Handle, journal: Option<Access>) -> Serving {
        let Self { listener, address, tokens, settings } = self;
        tracing::info!(tokens = tokens.iter().count(), "the API listens on http://{address}");
        let api = Arc::new(Api::new(clank, journal, &settings, Some(tokens)));
        let accepting = tokio::spawn(accept(Listener::Tcp(listener), api, settings.connections.count()));
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
