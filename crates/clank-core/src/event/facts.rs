//! What is known of a client from its handshake.
//!
//! Every open connection keeps its facts, so they are small: texts that many
//! connections share are shared, and what most connections lack costs a word.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::id::{ConnectionId, ResourceId};

/// What is known of a connection that was admitted; it never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionFacts {
    /// Its name in the whole world.
    pub connection_id: ConnectionId,
    /// Its name on its node.
    pub resource_id: ResourceId,
    /// What its handshake said.
    pub request: RequestFacts,
    /// Who the client is, if a connecting listener said so or its session has proved it.
    pub identity: Option<Box<Identity>>,
    /// What else a connecting listener attached.
    pub attributes: Option<Box<Map<String, Value>>>,
    /// Its session, where that is one of WAMP v2.
    pub session: Option<Box<SessionFacts>>,
}

/// A session of WAMP v2: where it is, and who the client is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// The realm that it has joined.
    pub realm: Box<str>,
    /// The number that WELCOME gave it.
    pub id: u64,
    /// Who the client is.
    pub authid: Box<str>,
    /// As what it may act.
    pub authrole: Box<str>,
    /// How it has proved that.
    pub authmethod: Box<str>,
    /// Who has found it proved.
    #[serde(default)]
    pub authprovider: Box<str>,
    /// What WELCOME says beside that. It may be a proof for the client alone, so that no record has
    /// it: what is known of the user is in the identity's attributes.
    #[serde(skip)]
    pub authextra: Option<Box<Map<String, Value>>>,
    /// Who the connecting listeners said the client is: the next session on the same WebSocket
    /// begins from there, and not from what this one has proved.
    #[serde(skip)]
    pub handshake: Option<Box<Identity>>,
    /// How its messages are written: `json`, `msgpack` or `cbor`.
    pub serializer: Box<str>,
}

/// What carries a client's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// WebSocket (RFC 6455), or a pipe within the program that is spoken to alike.
    #[default]
    WebSocket,
    /// RawSocket, of WAMP v2.
    RawSocket,
}

/// What a handshake said. All of it may be missing from a malformed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// Where the client is; none on a Unix socket.
    pub remote_address: Option<RemoteAddress>,
    /// What carries the client's messages.
    pub transport: Transport,
    /// The negotiated subprotocol; of RawSocket the one that has the same messages.
    pub protocol: Option<Arc<str>>,
    /// The requested path, without its query, which may hold secrets; of RawSocket the server's own.
    pub path: Option<Arc<str>>,
    /// The headers that the configuration chose to keep.
    pub headers: Headers,
}

/// Who a client is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's name to the application.
    pub id: Box<str>,
    /// What the application said of the user: a role, a display name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

impl Identity {
    /// An identity without attributes.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), attributes: Map::new() }
    }
}

/// A client's IP address, with the port where it is known; a proxy that speaks
/// for the client commonly does not tell it.
///
/// ```
/// use clank_core::event::RemoteAddress;
/// let address: RemoteAddress = "[::ffff:192.0.2.1]:5000".parse()?;
/// assert_eq!(address.to_string(), "192.0.2.1:5000");
/// assert_eq!("2001:db8::1".parse::<RemoteAddress>()?.port(), None);
/// # Ok::<_, std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemoteAddress {
    ip: IpAddr,
    port: Option<NonZeroU16>,
}

impl RemoteAddress {
    /// An address. One of IPv4 that came mapped into IPv6 is unmapped, so that a
    /// client has one address whatever the socket listens on. Port 0 is none.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port: NonZeroU16::new(port) }
    }

    /// The IP address.
    pub const fn ip(self) -> IpAddr {
        self.ip
    }

    /// The port, if known.
    pub fn port(self) -> Option<u16> {
        self.port.map(NonZeroU16::get)
    }
}

impl From<SocketAddr> for RemoteAddress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port.get()).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

impl FromStr for RemoteAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|ip| Self::new(ip, 0)).or_else(|_| text.parse::<SocketAddr>().map(Self::from))
    }
}

impl Serialize for RemoteAddress {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RemoteAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Headers of a handshake, in one allocation; none if it is empty.
///
/// A header that carries a secret is never kept.
///
/// ```
/// use clank_core::event::Headers;
/// let headers: Headers = [("User-Agent", "x"), ("Cookie", "secret")].into_iter().collect();
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("user-agent", "x")]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(
    /// Lines of `name:value`. Neither part has a line break, a name no colon. Most servers keep no
    /// headers, so that none take one word.
    Option<Box<Box<str>>>,
);

impl Headers {
    /// Headers that are never kept, in lower case: what proves who a client is
    /// belongs in no record.
    pub const SECRET: [&'static str; 4] =
        ["authorization", "cookie", "proxy-authorization", "sec-websocket-key"];

    /// Name, in lower case, and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|lines| lines.lines()).filter_map(|line| line.split_once(':'))
    }

    /// The first value of the header `name`, which is in lower case.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether none were kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    /// Leaves out secret headers and what can be no header: a name with a colon,
    /// a line break anywhere.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        let mut lines = String::new();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let is_header = !name.contains([':', '\n', '\r']) && !value.contains(['\n', '\r']);
            if is_header && !Self::SECRET.contains(&name.as_str()) {
                lines.extend([name.as_str(), ":", value, "\n"]);
            }
        }
        Self((!lines.is_empty()).then(|| Box::new(lines.into())))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Headers {
    /// A map; the values of a repeated header are joined by `, ` (RFC 9110, 5.3).
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        for (at, (name, _)) in self.iter().enumerate() {
            if self.iter().take(at).all(|(earlier, _)| earlier != name) {
                let values: Vec<_> =
                    self.iter().filter(|(known, _)| *known == name).map(|(_, value)| value).collect();
                map.serialize_entry(name, &values.join(", "))?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = Map::<String, Value>::deserialize(from)?;
        let as_text =
            |(name, value): (&'_ String, &'_ Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let headers: Vec<_> = map.iter().filter_map(as_text).collect();
        Ok(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn facts_are_small() {
        assert_eq!(size_of::<RemoteAddress>(), 20);
        assert_eq!(size_of::<RequestFacts>(), 64);
        assert_eq!(size_of::<ConnectionFacts>(), 112);
    }

    #[test]
    fn addresses_are_read_back_with_and_without_a_port() {
        for text in ["192.0.2.1:5000", "192.0.2.1", "[2001:db8::1]:5000", "2001:db8::1"] {
            assert_eq!(text.parse::<RemoteAddress>().unwrap().to_string(), text);
        }
        assert!("localhost:80".parse::<RemoteAddress>().is_err());
    }

    #[test]
    fn secrets_are_not_kept() {
        let headers: Headers = ["Cookie", "AUTHORIZATION", "Proxy-Authorization", "Sec-WebSocket-Key"]
            .map(|name| (name, "secret"))
            .into_iter()
            .collect();
        assert!(headers.is_empty());
    }

    #[test]
    fn a_repeated_header_is_joined_in_json() {
        let headers: Headers = [("a", "1"), ("b", "2"), ("A", "3")].into_iter().collect();
        assert_eq!(serde_json::to_string(&headers).unwrap(), r#"{"a":"1, 3","b":"2"}"#);
        assert_eq!(headers.find("a"), Some("1"));
    }

    proptest! {
        #[test]
        fn a_header_never_becomes_another(name in "\\PC*", value in any::<String>()) {
            let headers: Headers = [(name.as_str(), value.as_str())].into_iter().collect();
            let kept: Vec<_> = headers.iter().collect();
            prop_assert!(kept.is_empty() || kept == [(name.to_ascii_lowercase().as_str(), value.as_str())]);
        }
    }
}
