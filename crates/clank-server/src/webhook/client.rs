//! One HTTP client for a webhook: it keeps its connections, follows no redirect, and reaches only
//! addresses that it may.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;

/// Bytes of an answer that are read.
const ANSWER: usize = 256 * 1024;
/// Connections that are kept while they are not needed.
const IDLE: usize = 16;

/// A client for one URL.
pub(crate) struct Client {
    pooled: Pooled<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    url: Uri,
    timeout: Duration,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there was no answer, in words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("nothing was answered within {0:?}")]
    TimedOut(Duration),
    #[error("can't reach it: {0}")]
    Unreachable(String),
    #[error("the answer broke off, or was longer than {ANSWER} bytes: {0}")]
    Broken(String),
}

/// Why a URL can't be one of a webhook.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadUrl {
    #[error("{0:?} is no URL: {1}")]
    Malformed(String, http::uri::InvalidUri),
    #[error("{0} is at an address of a private network or of this machine: allow_private lets it")]
    Private(Uri),
    #[error("the system's certificates can't be read: {0}")]
    Certificates(#[from] io::Error),
}

impl Client {
    /// A client for `url`; every request has `timeout` for all of it.
    pub(crate) fn new(url: &str, allow_private: bool, timeout: Duration) -> Result<Self, BadUrl> {
        let parsed: Uri = url.parse().map_err(|error| BadUrl::Malformed(url.to_owned(), error))?;
        // Addresses are not resolved, so that the resolver doesn't see them.
        let literal =
            parsed.host().map(|host| host.trim_matches(['[', ']'])).and_then(|host| host.parse().ok());
        if !allow_private && literal.is_some_and(|address| !is_public(address)) {
            return Err(BadUrl::Private(parsed));
        }
        let mut http = HttpConnector::new_with_resolver(Resolver { allow_private });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        let https = match parsed.scheme_str() {
            Some("https") => HttpsConnectorBuilder::new().with_native_roots()?,
            // Nothing is encrypted: no certificates are needed.
            _ => HttpsConnectorBuilder::new().with_tls_config(no_certificates()),
        };
        let connector = https.https_or_http().enable_http1().wrap_connector(http);
        let pooled = Pooled::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE).build(connector);
        Ok(Self { pooled, url: parsed, timeout })
    }

    /// Posts `body`.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, NoAnswer> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        match tokio::time::timeout(self.timeout, self.send(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::TimedOut(self.timeout)),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let response =
            self.pooled.request(request).await.map_err(|error| NoAnswer::Unreachable(all(&error)))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER)
            .collect()
            .await
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

impl Answer {
    /// How long the receiver asks to be left alone (RFC 9110, 10.2.3); `now` in seconds of Unix time.
    pub(crate) fn retry_after(&self, now: u64) -> Option<Duration> {
        let text = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = text.parse().ok().or_else(|| Some(http_date(text)?.saturating_sub(now)))?;
        Some(Duration::from_secs(seconds))
    }
}

/// Seconds of Unix time.
fn http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// An error, and what it came of.
fn all(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn no_certificates() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// Asks the system for the addresses of a name, each time that a connection is made: what a name
/// stands for can change.
#[derive(Clone)]
struct Resolver {
    allow_private: bool,
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                let message = format!("{name} has no address but private ones: allow_private lets it");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
            }
            Ok(allowed.into_iter())
        })
    }
}

/// Whether an address is one of the Internet's: not of this machine, of a private network, of a
/// group, or of documentation (the registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        // Carrier-grade NAT, RFC 6598.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // Benchmarks, RFC 2544.
        || (a == 198 && (18..20).contains(&b))
        // Groups and what is reserved.
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4, mapped or compatible; also :: and ::1.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => embedded(high, low),
        // NAT64, RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4, RFC 3056.
        [0x2002, high, low, ..] => embedded(high, low),
        // Documentation, and Teredo and the like.
        [0x2001, 0xdb8, ..] => false,
        [0x2001, second, ..] => second >= 0x200,
        // What is given out is 2000::/3.
        [first, ..] => first >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "::ffff:1.1.1.1",
            "2606:4700::1",
            "2a00::1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_private_address_in_the_url_is_refused_before_anything_is_sent() {
        for url in ["http://127.0.0.1:1/", "https://[::1]/", "http://169.254.169.254/latest"] {
            assert!(
                matches!(Client::new(url, false, Duration::from_secs(1)), Err(BadUrl::Private(_))),
                "{url}"
            );
        }
        assert!(Client::new("http://127.0.0.1:1/", true, Duration::from_secs(1)).is_ok());
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_refused_when_it_is_resolved() {
        let client = Client::new("http://localhost:1/", false, Duration::from_secs(5)).unwrap();
        let error = client.post(HeaderMap::new(), Bytes::new()).await.unwrap_err().to_string();
        assert!(error.contains("no address but private ones"), "{error}");
    }

    #[test]
    fn a_receiver_may_say_when_in_seconds_or_by_a_date() {
        let answer = |value: &str| {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value.parse().unwrap())]);
            Answer { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Bytes::new() }
        };
        let now = 784_111_770;
        assert_eq!(answer("120").retry_after(now), Some(Duration::from_secs(120)));
        assert_eq!(answer("Sun, 06 Nov 1994 08:49:37 GMT").retry_after(now), Some(Duration::from_secs(7)));
        assert_eq!(answer("Sat, 06 Nov 1993 08:49:37 GMT").retry_after(now), Some(Duration::ZERO));
        assert_eq!(answer("soon").retry_after(now), None);
    }
}
