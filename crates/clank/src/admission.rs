//! Who may connect: the question that a `connecting` listener answers.

use std::net::SocketAddr;
use std::sync::Arc;

use clank_core::event::{Identity, Transport};
use clank_core::id::{ConnectionId, ResourceId};
use clank_core::wamp1::SessionId;
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Result;

/// A client's request to be connected. Cloning shares it.
#[derive(Clone, Debug)]
pub struct ConnectRequest(pub(crate) Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub resource_id: ResourceId,
    pub connection_id: ConnectionId,
    pub session_id: SessionId,
    pub remote: Option<SocketAddr>,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub transport: Transport,
    pub protocol: &'static str,
}

impl ConnectRequest {
    /// The id that the connection will have.
    pub fn resource_id(&self) -> u64 {
        self.0.resource_id.value()
    }

    /// The globally unique id that the connection will have.
    pub fn connection_id(&self) -> ConnectionId {
        self.0.connection_id
    }

    /// The id that its WAMP session will have.
    pub fn session_id(&self) -> SessionId {
        self.0.session_id
    }

    /// The address at the other end of the socket; behind a proxy, the proxy's. `None` if the
    /// connection came by no socket of the server's own.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote
    }

    /// The path that was asked for, without the query.
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The query, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.0.uri.query()
    }

    /// All headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The value of a cookie, as it was sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.0.headers.get_all(http::header::COOKIE).into_iter();
        cookies.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// What carries the client's messages. RawSocket has no request: its path is the server's own, and
    /// there are no headers.
    pub fn transport(&self) -> Transport {
        self.0.transport
    }

    /// The subprotocol that the connection will speak, such as `wamp`; by RawSocket the one that has
    /// the same messages.
    pub fn protocol(&self) -> &str {
        self.0.protocol
    }
}

/// The answer to a [`ConnectRequest`].
///
/// ```
/// use clank::Admission;
///
/// let admission = Admission::accept().identity("anna").attribute("plan", &"gold")?;
/// # Ok::<(), clank::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Admission {
    pub(crate) identity: Option<Identity>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) refusal: Option<Refusal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub reason: String,
}

impl Admission {
    /// The client may connect.
    pub fn accept() -> Self {
        Self::default()
    }

    /// The client may not connect. It is told `status`, with `reason` as the body; so is the
    /// `clank.client.rejected` event.
    pub fn reject(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { refusal: Some(Refusal { status, reason: reason.into() }), ..Self::default() }
    }

    /// Says who the client is. Every later event of the connection carries it.
    #[must_use]
    pub fn identity(mut self, id: impl Into<String>) -> Self {
        self.identity = Some(Identity::new(id.into()));
        self
    }

    /// The same, with what the application says of the user.
    #[must_use]
    pub fn identified(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Hangs a value on the connection that every later event of it carries.
    ///
    /// # Errors
    /// When `value` can't be JSON.
    pub fn attribute<T: Serialize + ?Sized>(mut self, name: impl Into<String>, value: &T) -> Result<Self> {
        self.attributes.insert(name.into(), serde_json::to_value(value)?);
        Ok(self)
    }

    /// Takes the next listener's answer on top of this one.
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.identity = next.identity.or(self.identity);
        self.attributes.extend(next.attributes);
        self.refusal = next.refusal;
        self
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http::header::{COOKIE, HeaderValue};
    use serde_json::json;

    use super::*;

    fn request(cookies: &[&'static str]) -> ConnectRequest {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        ConnectRequest(Arc::new(Parts {
            resource_id: ResourceId::FIRST,
            connection_id: ConnectionId::new(0, &[0; 10]),
            session_id: SessionId::from_random([0; 8]),
            remote: None,
            uri: Uri::from_static("/chat?room=1"),
            headers,
            transport: Transport::WebSocket,
            protocol: "wamp",
        }))
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let cases: [(&[&str], Option<&str>); 12] = [
            (&[], None),
            (&[""], None),
            (&["user=anna"], Some("anna")),
            (&["a=1; user=anna; b=2"], Some("anna")),
            (&["a=1;user=anna"], Some("anna")),
            (&["a=1", "user=anna"], Some("anna")),
            (&["user=anna; user=ben"], Some("anna")),
            (&["user="], Some("")),
            (&["user=a=b=="], Some("a=b==")),
            (&["user=\"anna\""], Some("\"anna\"")),
            (&["superuser=anna; user; USER=anna; a=user=anna"], None),
            (&["\u{e9}=1", "user=anna"], Some("anna")),
        ];
        for (cookies, expected) in cases {
            assert_eq!(request(cookies).cookie("user"), expected, "{cookies:?}");
        }
    }

    #[test]
    fn a_request_tells_path_and_query_apart() {
        let request = request(&[]);
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!((request.resource_id(), request.protocol(), request.remote_addr()), (1, "wamp", None));
    }

    #[test]
    fn answers_are_taken_together() {
        let first = Admission::accept().identity("anna").attribute("plan", "gold").unwrap();
        let second = Admission::accept().attribute("plan", "free").unwrap().attribute("n", &1).unwrap();
        let both = first.and(second);
        assert_eq!(both.identity, Some(Identity::new("anna")), "a later listener need not know it");
        assert_eq!(Value::from(both.attributes.clone()), json!({"plan": "free", "n": 1}));
        let renamed = both.and(Admission::accept().identity("ben"));
        assert_eq!(renamed.identity, Some(Identity::new("ben")));
        let refused = renamed.and(Admission::reject(StatusCode::FORBIDDEN, "no"));
        let refusal = refused.refusal.unwrap();
        assert_eq!((refusal.status, &*refusal.reason), (StatusCode::FORBIDDEN, "no"));
    }

    #[test]
    fn an_attribute_has_to_be_json() {
        let map = std::collections::HashMap::from([(vec![1], 1)]);
        assert!(Admission::accept().attribute("map", &map).is_err());
    }
}
