//! What a server is made of: its settings, and the application's code.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::id::{NodeId, RunId};
use clank_core::limits::Limits;
use clank_core::topic::Uri;
use clank_core::{wamp1, wamp2};
use clank_wire::ws::deflate;
use http::{HeaderMap, header};

use crate::listener::Listeners;
use crate::raw::MessageHandler;
use crate::rpc::{AnyService, ErasedCallHandler, ErasedProcedure, address};
use crate::topic::{ErasedTopicHandler, TopicHooks};
use crate::wamp2::Realm;

/// Which pages may connect, judged by the `Origin` that browsers send.
///
/// Programs other than browsers send none and are always let through: the check protects a
/// browser's user from foreign pages, not the server from programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Pages from the host and port that the request itself was sent to.
    #[default]
    SameHost,
    /// These, and those of the same host: `https://example.com`, `https://example.com:8443`.
    Listed(Vec<String>),
    /// All. Only where no cookie, client certificate or network position lets anybody in.
    Any,
}

impl Origins {
    /// Whether a request with these headers may be upgraded.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).into_iter();
        let Some(origin) = origins.next() else { return true };
        if *self == Self::Any {
            return true;
        }
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let same = origin.split_once("://").is_some_and(|(scheme, authority)| {
            host.is_some_and(|host| {
                without_default_port(scheme, authority) == without_default_port(scheme, host)
            })
        });
        match self {
            Self::Listed(listed) => same || listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
            Self::SameHost | Self::Any => same,
        }
    }
}

/// A host, and its port unless it is the scheme's own, in lower case.
fn without_default_port(scheme: &str, authority: &str) -> String {
    let default = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase()
}

/// What happens to a client whose connect listener took longer than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnListenerTimeout {
    /// It is disconnected, as `handler_failure`.
    #[default]
    Close,
    /// It is served all the same.
    Serve,
}

/// The paths on which WebSockets are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// One path.
    Only(String),
    /// Every path.
    Any,
}

impl Paths {
    pub(crate) fn serve(&self, path: &str) -> bool {
        match self {
            Self::Only(only) => only == path,
            Self::Any => true,
        }
    }

    /// The path of clients that ask for none.
    pub(crate) fn own(&self) -> &str {
        match self {
            Self::Only(only) => only,
            Self::Any => "/",
        }
    }
}

/// What can be configured of WAMP v2.
#[derive(Clone, Debug)]
pub(crate) struct Wamp2 {
    /// The realm in which clients of WAMP v1 are, and what the program publishes.
    pub realm: Realm,
    /// The other realms.
    pub realms: Vec<Realm>,
    pub options: wamp2::Options,
}

impl Default for Wamp2 {
    /// One realm. Its name is the one that the examples of most clients join.
    fn default() -> Self {
        Self { realm: "realm1".into(), realms: Vec::new(), options: wamp2::Options::default() }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub node: NodeId,
    /// `None`: a new one.
    pub run: Option<RunId>,
    /// A client is welcomed once its connection is recorded.
    pub before_accept: bool,
    pub limits: Limits,
    pub wamp1: Arc<wamp1::Options>,
    pub wamp2: Wamp2,
    /// The name of its subprotocol, shared by all records.
    pub wamp1_name: Arc<str>,
    pub deflate: Option<deflate::Options>,
    pub origins: Origins,
    pub paths: Paths,
    pub headers_kept: Vec<String>,
    pub on_listener_timeout: OnListenerTimeout,
    pub workers: usize,
    /// Where WebSockets are served.
    pub addresses: Vec<String>,
    /// Where RawSocket is spoken.
    pub rawsocket: Vec<RawSocketAt>,
}

/// Where RawSocket is spoken.
#[derive(Clone, Debug)]
pub(crate) enum RawSocketAt {
    /// A host and a port of TCP.
    Address(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A file that is served as it is.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub content_type: &'static str,
    pub body: Bytes,
}

/// The application's code.
#[derive(Default)]
pub(crate) struct Application {
    pub listeners: Listeners,
    pub topics: HashMap<String, TopicEntry>,
    /// Takes the topics that have no handler of their own.
    pub other_topics: Option<TopicEntry>,
    pub services: BTreeMap<String, AnyService>,
    /// Takes the calls that are no service's.
    pub other_calls: Option<Arc<dyn ErasedCallHandler>>,
    pub pages: HashMap<String, Page>,
    /// Takes the messages of clients that offered no subprotocol.
    pub raw: Option<Arc<dyn MessageHandler>>,
}

#[derive(Clone)]
pub(crate) struct TopicEntry {
    pub handler: Arc<dyn ErasedTopicHandler>,
    pub hooks: TopicHooks,
    pub inline: bool,
}

impl TopicEntry {
    /// Whether the handler sees what is published to the topic.
    pub(crate) fn sees(&self, topic: &Uri<'_>) -> bool {
        self.hooks.publish && self.handler.sees_publications(topic.as_str())
    }
}

impl Application {
    /// The handler of a topic.
    pub(crate) fn topic(&self, uri: &Uri<'_>) -> Option<&TopicEntry> {
        self.topics.get(uri.first_segment()).or(self.other_topics.as_ref())
    }

    /// What is called as `uri`.
    pub(crate) fn procedure(&self, uri: &str) -> Option<&dyn ErasedProcedure> {
        let (service, method) = address(uri);
        match self.services.get(service).filter(|_| !method.is_empty()) {
            Some(service) => service.find(method),
            None => Some(&**self.other_calls.as_ref().filter(|other| other.takes(uri))?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_judged_by_host_and_list() {
        let listed = Origins::Listed(vec!["https://app.example.com".into()]);
        let cases = [
            // policy, origin, host, allowed
            (&Origins::SameHost, None, "a.example", true),
            (&Origins::SameHost, Some("http://a.example"), "a.example", true),
            (&Origins::SameHost, Some("http://A.example:80"), "a.example", true),
            (&Origins::SameHost, Some("https://a.example"), "a.example:443", true),
            (&Origins::SameHost, Some("http://a.example:8080"), "a.example:8080", true),
            (&Origins::SameHost, Some("http://a.example:8081"), "a.example:8080", false),
            (&Origins::SameHost, Some("http://evil.example"), "a.example", false),
            (&Origins::SameHost, Some("http://a.example.evil.example"), "a.example", false),
            (&Origins::SameHost, Some("null"), "a.example", false),
            (&Origins::SameHost, Some(""), "a.example", false),
            (&listed, Some("https://app.example.com"), "ws.example.com", true),
            (&listed, Some("https://app.example.com:8443"), "ws.example.com", false),
            (&listed, Some("http://ws.example.com"), "ws.example.com", true),
            (&Origins::Any, Some("http://evil.example"), "a.example", true),
        ];
        for (policy, origin, host, allowed) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header::HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, header::HeaderValue::from_static(origin));
            }
            assert_eq!(policy.allow(&headers), allowed, "{policy:?} {origin:?} {host}");
        }
    }
}
