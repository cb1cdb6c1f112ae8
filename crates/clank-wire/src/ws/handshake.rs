//! The opening handshake, RFC 6455, section 4.2: pure checks of a request that an HTTP server
//! has read.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use sha1::{Digest, Sha1};

use super::extension::{self, Extension, parse_extensions};

/// What is appended to the key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key that isn't encoded (section 4.1, item 7).
const KEY_BYTES: usize = 16;

/// Base64 as the key needs it; a client that drew its key as text may have stray bits at the end.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What a valid request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of the response's `Sec-WebSocket-Accept`.
    pub accept: String,
    /// The subprotocols offered, the preferred first.
    pub protocols: Vec<String>,
    /// The extensions offered, the preferred first, for
    /// [`deflate::agree`](super::deflate::agree).
    pub extensions: Vec<Extension>,
}

/// Why a request can't be upgraded. Its words may be told to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The method isn't GET.
    #[error("method must be GET")]
    Method,
    /// The version of HTTP isn't 1.1.
    #[error("HTTP version must be 1.1")]
    HttpVersion,
    /// The target is no path and no `http` or `https` URI.
    #[error("request target must be a path or an http URI")]
    Target,
    /// There isn't exactly one `Host`.
    #[error("exactly one Host is needed")]
    Host,
    /// The request has a body, or two headers that contradict each other on its length.
    #[error("request must have no body")]
    Body,
    /// `Upgrade` doesn't name `websocket`.
    #[error("Upgrade must name websocket")]
    Upgrade,
    /// `Connection` doesn't name `upgrade`.
    #[error("Connection must name Upgrade")]
    Connection,
    /// The version of the protocol isn't 13.
    #[error("Sec-WebSocket-Version must be 13")]
    WebSocketVersion,
    /// There isn't exactly one key, of 16 bytes in base64.
    #[error("exactly one Sec-WebSocket-Key of 16 bytes is needed")]
    Key,
    /// `Sec-WebSocket-Protocol` is no list of different tokens.
    #[error("malformed Sec-WebSocket-Protocol")]
    Protocols,
    /// `Sec-WebSocket-Extensions` doesn't follow its grammar.
    #[error("malformed Sec-WebSocket-Extensions")]
    Extensions,
}

impl HandshakeError {
    /// The response's status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::HttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Upgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Target
            | Self::Host
            | Self::Body
            | Self::Connection
            | Self::Key
            | Self::Protocols
            | Self::Extensions => StatusCode::BAD_REQUEST,
        }
    }

    /// The headers that the response must have beside its status (RFC 6455, section 4.4;
    /// RFC 9110, sections 15.5.6 and 15.5.22).
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        let headers: &[_] = match self {
            Self::Method => &[(ALLOW, "GET")],
            Self::Upgrade => &[(UPGRADE, "websocket"), (CONNECTION, "Upgrade")],
            Self::WebSocketVersion => {
                &[(SEC_WEBSOCKET_VERSION, "13"), (UPGRADE, "websocket"), (CONNECTION, "Upgrade")]
            }
            _ => &[],
        };
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
    }
}

/// Whether a request asks for a WebSocket at all: one that doesn't can be served as ordinary HTTP,
/// any other should be given to [`check`].
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    names(headers, &UPGRADE, "websocket")
}

/// Checks a request's head as RFC 6455, section 4.2.1, demands, and more strictly where two
/// readers could take it for different requests.
///
/// Origin is the caller's to judge.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<Upgrade, HandshakeError> {
    if method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    check_target(uri, headers)?;
    check_no_body(headers)?;
    if !names(headers, &UPGRADE, "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !names(headers, &CONNECTION, "upgrade") {
        return Err(HandshakeError::Connection);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(HandshakeError::WebSocketVersion);
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
    if BASE64.decode(key).map(|bytes| bytes.len()) != Ok(KEY_BYTES) {
        return Err(HandshakeError::Key);
    }
    Ok(Upgrade { accept: accept_key(key), protocols: protocols(headers)?, extensions: extensions(headers)? })
}

/// The value of `Sec-WebSocket-Accept` for a key, RFC 6455, section 4.2.2.
///
/// ```
/// use clank_wire::ws::handshake::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    BASE64.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// A target of the forms for GET, and one host, the same in both places if there are two.
fn check_target(uri: &Uri, headers: &HeaderMap) -> Result<(), HandshakeError> {
    if !uri.path().starts_with('/') || !matches!(uri.scheme_str(), None | Some("http" | "https")) {
        return Err(HandshakeError::Target);
    }
    let host: Authority = single(headers, &HOST)
        .filter(|host| !host.contains('@'))
        .and_then(|host| host.parse().ok())
        .ok_or(HandshakeError::Host)?;
    match uri.authority() {
        Some(authority) if *authority != host => Err(HandshakeError::Host),
        _ => Ok(()),
    }
}

/// A body would be read as frames; headers that disagree on its length are how requests are
/// smuggled.
fn check_no_body(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let empty = match single(headers, &CONTENT_LENGTH) {
        Some(length) => length == "0",
        None => !headers.contains_key(CONTENT_LENGTH),
    };
    if empty && !headers.contains_key(TRANSFER_ENCODING) { Ok(()) } else { Err(HandshakeError::Body) }
}

/// The subprotocols of all headers; they must be different tokens (section 4.1, item 10).
fn protocols(headers: &HeaderMap) -> Result<Vec<String>, HandshakeError> {
    let mut seen = BTreeSet::new();
    let mut protocols = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| HandshakeError::Protocols)?;
        for protocol in elements(value) {
            if !extension::is_token(protocol) || !seen.insert(protocol) {
                return Err(HandshakeError::Protocols);
            }
            protocols.push(protocol.to_owned());
        }
    }
    Ok(protocols)
}

fn extensions(headers: &HeaderMap) -> Result<Vec<Extension>, HandshakeError> {
    let mut extensions = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let value = value.to_str().map_err(|_| HandshakeError::Extensions)?;
        extensions.extend(parse_extensions(value).map_err(|_| HandshakeError::Extensions)?);
    }
    Ok(extensions)
}

/// The value of a header that is there once, if it is printable ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_none() { value.to_str().ok() } else { None }
}

/// Whether a list, over all headers of that name, has this element, in any case.
fn names(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(elements)
        .any(|it| it.eq_ignore_ascii_case(element))
}

/// The elements of a list in a header, RFC 9110, section 5.6.1; empty ones don't count.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use HandshakeError as E;

    /// Headers with a new value.
    type Replaced<'a> = &'a [(&'a str, &'a str)];
    /// Further headers.
    type Added<'a> = &'a [(&'a str, &'a [u8])];

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// The request of RFC 6455, section 1.3, with some headers replaced (an empty value drops the header) and
    /// then others added.
    fn request(replaced: Replaced<'_>, added: Added<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "server.example.com"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", KEY),
            ("sec-websocket-version", "13"),
        ] {
            let value = replaced.iter().find(|it| it.0 == name).map_or(value, |it| it.1);
            if !value.is_empty() {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
        }
        for (name, value) in added {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn get(headers: &HeaderMap) -> Result<Upgrade, HandshakeError> {
        check(&Method::GET, &Uri::from_static("/chat?x=1"), Version::HTTP_11, headers)
    }

    #[test]
    fn a_request_is_upgraded_with_what_it_offers() {
        let headers = request(
            &[],
            &[
                ("sec-websocket-protocol", b"wamp.2.json, wamp"),
                ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
                ("Sec-WebSocket-Protocol", b",x"),
                ("Sec-WebSocket-Extensions", b"x-other"),
            ],
        );
        let upgrade = get(&headers).unwrap();
        assert_eq!(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(upgrade.protocols, ["wamp.2.json", "wamp", "x"]);
        let names: Vec<_> = upgrade.extensions.iter().map(|extension| extension.name.as_str()).collect();
        assert_eq!(names, ["permessage-deflate", "x-other"]);
    }

    #[test]
    fn spelling_and_company_of_the_tokens_do_not_matter() {
        let cases: [(Replaced<'_>, Added<'_>); 6] = [
            (&[("upgrade", "WebSocket"), ("connection", "keep-alive, UPGRADE")], &[]),
            (&[("upgrade", "h2c, websocket")], &[]),
            (&[("connection", "keep-alive")], &[("connection", b"upgrade")]),
            (&[("host", "[::1]:8080")], &[("content-length", b"0")]),
            (&[("host", "localhost:8080")], &[("origin", b"null")]),
            // 16 bytes, the last with bits set that a canonical encoding has clear.
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")], &[]),
        ];
        for (replaced, added) in cases {
            assert_eq!(get(&request(replaced, added)).err(), None, "{replaced:?} {added:?}");
        }
    }

    #[test]
    fn headers_that_break_a_rule_are_refused() {
        let cases: [(Replaced<'_>, Added<'_>, E); 29] = [
            (&[("host", "")], &[], E::Host),
            (&[], &[("host", b"other")], E::Host),
            (&[("host", "a b")], &[], E::Host),
            (&[("host", "user@a")], &[], E::Host),
            (&[("upgrade", "")], &[], E::Upgrade),
            (&[("upgrade", "websockets")], &[], E::Upgrade),
            (&[("connection", "")], &[], E::Connection),
            (&[("connection", "close")], &[], E::Connection),
            (&[("sec-websocket-version", "")], &[], E::WebSocketVersion),
            (&[("sec-websocket-version", "8")], &[], E::WebSocketVersion),
            (&[("sec-websocket-version", "013")], &[], E::WebSocketVersion),
            (&[], &[("sec-websocket-version", b"13")], E::WebSocketVersion),
            (&[("sec-websocket-key", "")], &[], E::Key),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ")], &[], E::Key),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25j")], &[], E::Key),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZWE=")], &[], E::Key),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSB*b25jZQ==")], &[], E::Key),
            (&[], &[("sec-websocket-key", KEY.as_bytes())], E::Key),
            (&[], &[("content-length", b"5")], E::Body),
            (&[], &[("content-length", b"+0")], E::Body),
            (&[], &[("content-length", b"0"), ("content-length", b"0")], E::Body),
            (&[], &[("transfer-encoding", b"chunked")], E::Body),
            (&[], &[("transfer-encoding", b"chunked"), ("content-length", b"0")], E::Body),
            (&[], &[("sec-websocket-protocol", "wämp".as_bytes())], E::Protocols),
            (&[], &[("sec-websocket-protocol", b"wamp v1")], E::Protocols),
            (&[], &[("sec-websocket-protocol", b"a, b, a")], E::Protocols),
            (&[], &[("sec-websocket-protocol", b"a"), ("sec-websocket-protocol", b"a")], E::Protocols),
            (&[], &[("sec-websocket-extensions", "ä".as_bytes())], E::Extensions),
            (&[], &[("sec-websocket-extensions", b"a;b=\"")], E::Extensions),
        ];
        for (replaced, added, error) in cases {
            assert_eq!(get(&request(replaced, added)), Err(error), "{replaced:?} {added:?}");
        }
    }

    #[test]
    fn method_version_and_target_are_checked() {
        let headers = request(&[], &[]);
        let cases = [
            (Method::GET, "/", Version::HTTP_11, None),
            (Method::GET, "http://server.example.com/chat", Version::HTTP_11, None),
            (Method::GET, "http://SERVER.example.com", Version::HTTP_11, None),
            (Method::GET, "http://other.example.com/chat", Version::HTTP_11, Some(E::Host)),
            (Method::GET, "ftp://server.example.com/chat", Version::HTTP_11, Some(E::Target)),
            (Method::GET, "*", Version::HTTP_11, Some(E::Target)),
            (Method::GET, "server.example.com:80", Version::HTTP_11, Some(E::Target)),
            (Method::POST, "/", Version::HTTP_11, Some(E::Method)),
            (Method::HEAD, "/", Version::HTTP_11, Some(E::Method)),
            (Method::GET, "/", Version::HTTP_10, Some(E::HttpVersion)),
            (Method::GET, "/", Version::HTTP_2, Some(E::HttpVersion)),
        ];
        for (method, uri, version, error) in cases {
            let result = check(&method, &Uri::from_static(uri), version, &headers);
            assert_eq!(result.err(), error, "{method} {uri} {version:?}");
        }
    }

    #[test]
    fn a_refusal_has_its_status_and_headers() {
        let cases: [(E, u16, &[&str]); 4] = [
            (E::Method, 405, &["allow: GET"]),
            (E::Upgrade, 426, &["upgrade: websocket", "connection: Upgrade"]),
            (
                E::WebSocketVersion,
                426,
                &["sec-websocket-version: 13", "upgrade: websocket", "connection: Upgrade"],
            ),
            (E::Key, 400, &[]),
        ];
        for (error, status, headers) in cases {
            let shown: Vec<_> =
                error.headers().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            assert_eq!(
                (error.status().as_u16(), shown),
                (status, headers.iter().map(|it| it.to_string()).collect())
            );
        }
    }

    #[test]
    fn an_ordinary_request_is_told_from_an_upgrade() {
        assert!(is_upgrade(&request(&[], &[])));
        assert!(is_upgrade(&request(&[("sec-websocket-key", "")], &[])));
        assert!(!is_upgrade(&request(&[("upgrade", "")], &[])));
        assert!(!is_upgrade(&request(&[("upgrade", "h2c")], &[])));
    }
}
