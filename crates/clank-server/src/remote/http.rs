//! A request to the API of a running server.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Failure;
use crate::api::connect;
use crate::config::Token;

/// How long the server may take to let a connection in.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the API is, and what it wants to see.
pub(crate) struct Target {
    place: Place,
    /// What stands before `/v1`, where a proxy has put it there.
    prefix: String,
    token: Option<Token>,
    patience: Duration,
}

/// Where the API listens.
enum Place {
    /// At a host and port.
    Tcp(String),
    /// In the directory of the server's journal.
    Control(PathBuf),
}

/// What the API answered.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Box<RawValue>,
}

impl Target {
    /// The API at `url`, `http://HOST:PORT`.
    pub(super) fn parse(url: &str, token: Token, patience: Duration) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::unusable(format!("the API's address {url:?} {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL: write http://HOST:PORT"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong(
                    "wants TLS, which this command does not speak: use a tunnel, or the API itself",
                ));
            }
            _ => return Err(wrong("does not begin with http://")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("has more than host, port and path"));
        }
        let port = authority.port_u16().unwrap_or(80);
        let (authority, prefix) = (format!("{}:{port}", authority.host()), uri.path().trim_end_matches('/'));
        Ok(Self { place: Place::Tcp(authority), prefix: prefix.to_owned(), token: Some(token), patience })
    }

    /// The API in the directory of the server's journal.
    pub(crate) fn control(directory: &Path, patience: Duration) -> Self {
        let place = Place::Control(directory.to_owned());
        Self { place, prefix: String::new(), token: None, patience }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let asked = self.exchange(method, path, body);
        let late = |_| self.unreached("no answer came in time");
        timeout(self.patience, asked).await.map_err(late)?
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Failure> {
        let unreached = |error: &dyn Display| self.unreached(&error.to_string());
        match &self.place {
            Place::Tcp(authority) => {
                let connecting = timeout(CONNECT, TcpStream::connect(authority)).await;
                let socket =
                    connecting.map_err(|error| unreached(&error))?.map_err(|error| unreached(&error))?;
                self.send(socket, authority, method, path, body).await
            }
            Place::Control(directory) => {
                let socket = connect(directory).await.map_err(|error| unreached(&error))?;
                let socket = socket.ok_or_else(|| self.unreached("no server answers"))?;
                self.send(socket, "control", method, path, body).await
            }
        }
    }

    async fn send(
        &self,
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: &str,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let unreached = |error: &dyn Display| self.unreached(&error.to_string());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(|error| unreached(&error))?;
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.prefix)).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.secret()));
        }
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Full::new(body.into())),
            None => request.body(Full::<Bytes>::default()),
        };
        let request = request.map_err(|error| unreached(&error))?;
        let response = sender.send_request(request).await.map_err(|error| unreached(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| unreached(&error))?.to_bytes();
        let body = serde_json::from_slice(&body).map_err(|_| {
            Failure::unreached(format!("what answers at {} is no API of Clank's", self.place))
        })?;
        Ok(Answer { status, body })
    }

    fn unreached(&self, why: &str) -> Failure {
        Failure::unreached(match &self.place {
            Place::Tcp(_) => format!(
                "can't reach the API at http://{}: {why}; is the server running, with this address as api.listen?",
                self.place
            ),
            Place::Control(_) => format!("can't reach the server of the journal in {}: {why}", self.place),
        })
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(authority) => f.write_str(authority),
            Self::Control(directory) => directory.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_that_of_http() {
        let token = || Token::read("0123456789abcdef").unwrap();
        let parse = |url| {
            Target::parse(url, token(), CONNECT).map(|target| format!("{}{}", target.place, target.prefix))
        };
        for (url, target) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("http://localhost/", "localhost:80"),
            ("http://[::1]:1/clank/", "[::1]:1/clank"),
        ] {
            assert_eq!(parse(url).ok().as_deref(), Some(target));
        }
        for refused in
            ["", "127.0.0.1:8081", "https://a", "ftp://a", "http://", "http://a@b", "http://a/?b", "/v1"]
        {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}
