//! The settings of the server, parsed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use clank_core::event::Headers;
use clank_core::id::NodeId;
use clank_core::limits::{Count, Limits, SlowConsumer};
use clank_core::wamp1::{self, EmptyEligible, OnMalformed};

use super::api::ApiSettings;
use super::journal::JournalSettings;
use super::rawsocket::RawSocketSettings;
use super::realms::{Given, RealmSettings};
use super::sinks::{ConnectingSettings, SinkSettings};
use super::symfony::SymfonySettings;
use super::value::{Choice, Invalid, Raw, Value, Word, words};
use super::wamp2::Wamp2Settings;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[events]`
    pub events: EventSettings,
    /// `[limits]`, `[keepalive]` and `[shutdown]`
    pub limits: Limits,
    /// `[wamp1]`
    pub wamp1: Wamp1Settings,
    /// `[wamp2]`
    pub wamp2: Wamp2Settings,
    /// `[rawsocket]`
    pub rawsocket: RawSocketSettings,
    /// `[realms.NAME]`
    pub realms: BTreeMap<String, Given<RealmSettings>>,
    /// `[deflate]`
    pub deflate: DeflateSettings,
    /// `[api]`
    pub api: ApiSettings,
    /// `[connecting]`
    pub connecting: ConnectingSettings,
    /// `[journal]`
    pub journal: JournalSettings,
    /// Whether there is a journal: something was said of it, or there is a sink.
    pub has_journal: bool,
    /// `[sinks.NAME]`
    pub sinks: BTreeMap<String, SinkSettings>,
    /// `[symfony]`
    pub symfony: SymfonySettings,
    /// `[log]`
    pub log: LogSettings,
}

/// `[server]`: where it listens, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// The node's name in events.
    pub node: NodeId,
    /// The address or name to listen on.
    pub host: Host,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Whether the host was given: only if not, an application may say it.
    pub is_host_given: bool,
    /// The same of the port.
    pub is_port_given: bool,
    /// The path of the WebSocket.
    pub path: UrlPath,
    /// How many threads serve connections.
    pub workers: Workers,
    /// Origins allowed besides the server's own host.
    pub origins: Vec<Origin>,
    /// Headers of the handshake that events carry.
    pub headers: Vec<HeaderName>,
}

/// `[events]`: who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSettings {
    /// What standard output is told of them.
    pub console: ConsoleFormat,
    /// What becomes of a connection whose connect listener failed.
    pub on_connect_timeout: OnConnectTimeout,
}

/// `[wamp1]`: points on which servers of WAMP v1 differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wamp1Settings {
    /// What a malformed message leads to.
    pub on_malformed: OnMalformed,
    /// Whether publishers receive their own events if they say nothing.
    pub publisher_receives: bool,
    /// Whom an empty list of eligible receivers means.
    pub empty_eligible: EmptyEligible,
}

/// `[deflate]`: compression of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateSettings {
    /// Whether it is negotiated.
    pub enabled: bool,
}

/// `[log]`: what is logged on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important level that is logged.
    pub level: LogLevel,
    /// How a line is written.
    pub format: LogFormat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: ServerSettings {
                node: NodeId::default(),
                host: Host::loopback(),
                port: 8080,
                is_host_given: false,
                is_port_given: false,
                path: UrlPath("/".into()),
                workers: Workers::Auto,
                origins: Vec::new(),
                headers: Vec::new(),
            },
            events: EventSettings {
                console: ConsoleFormat::Text,
                on_connect_timeout: OnConnectTimeout::Close,
            },
            limits: Limits::DEFAULT,
            wamp1: Wamp1Settings {
                on_malformed: OnMalformed::Close,
                publisher_receives: true,
                empty_eligible: EmptyEligible::Everyone,
            },
            wamp2: Wamp2Settings::default(),
            rawsocket: RawSocketSettings::default(),
            realms: BTreeMap::new(),
            deflate: DeflateSettings { enabled: false },
            api: ApiSettings::default(),
            connecting: ConnectingSettings::default(),
            journal: JournalSettings::default(),
            has_journal: false,
            sinks: BTreeMap::new(),
            symfony: SymfonySettings::default(),
            log: LogSettings { level: LogLevel::Info, format: LogFormat::Text },
        }
    }
}

impl Settings {
    /// The options of WAMP v1: its own section, and the limits that concern it.
    pub fn wamp1_options(&self) -> wamp1::Options {
        let (Wamp1Settings { on_malformed, publisher_receives, empty_eligible }, limits) =
            (self.wamp1, &self.limits);
        wamp1::Options {
            publisher_receives,
            empty_eligible,
            on_malformed,
            max_uri_bytes: limits.uri.bytes(),
            max_call_id_bytes: limits.call_id.bytes(),
            max_prefixes: limits.prefixes.count(),
            max_prefix_bytes: limits.prefix_bytes.bytes(),
            max_listed_sessions: limits.listed_sessions.count(),
        }
    }
}

/// Declares an enum whose variants are the choices of a setting.
macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $label:literal)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl Choice for $name {
            const CHOICES: &'static [(&'static str, Self)] = &[$(($label, Self::$variant),)+];
        }
    )+};
}
pub(super) use choices;

choices! {
    /// What standard output is told of lifecycle events.
    ConsoleFormat {
        /// A short line of text.
        Text "text"
        /// The whole record, as JSON.
        Json "json"
        /// Nothing.
        Off "off"
    }

    /// What becomes of a connection whose connect listener failed.
    OnConnectTimeout {
        /// It is closed, as `handler_failure`.
        Close "close"
        /// It is served.
        Serve "serve"
    }

    /// The least important level that is logged.
    LogLevel {
        /// Someone must act.
        Error "error"
        /// Someone may have to act.
        Warn "warn"
        /// The lifecycle of the server.
        Info "info"
        /// The lifecycle of connections.
        Debug "debug"
        /// Everything, payloads included.
        Trace "trace"
    }

    /// How a line of the log is written.
    LogFormat {
        /// For people.
        Text "text"
        /// A JSON object.
        Json "json"
    }
}

impl Choice for OnMalformed {
    const CHOICES: &'static [(&'static str, Self)] = &[("close", Self::Close), ("report", Self::Report)];
}

impl Choice for EmptyEligible {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("everyone", Self::Everyone), ("nobody", Self::Nobody)];
}

impl Choice for SlowConsumer {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("disconnect", Self::Disconnect), ("drop_events", Self::DropEvents)];
}

/// An IP address, or a name that the system resolves to one.
///
/// ```
/// use clank_server::config::{Host, Raw, Value};
/// assert_eq!(Host::parse(Raw::Text("::1")).map(|host| host.for_url()), Ok("[::1]".to_owned()));
/// assert!(Host::parse(Raw::Text("localhost:80")).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(Box<str>);

impl Host {
    /// The loopback address of IPv4.
    pub fn loopback() -> Self {
        Self(Ipv4Addr::LOCALHOST.to_string().into())
    }

    /// Whether it is of this machine alone, as far as can be told without asking for its addresses.
    pub fn is_loopback(&self) -> bool {
        self.0.parse::<IpAddr>().map_or(&*self.0 == "localhost", |address| address.is_loopback())
    }

    /// The address or name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host as a URL has it: an IPv6 address in brackets.
    pub fn for_url(&self) -> String {
        if self.0.contains(':') { format!("[{}]", self.0) } else { self.0.to_string() }
    }
}

impl Word for Host {
    const SYNTAX: &'static str = "an IP address or a host name";

    fn read(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            (1..=253).contains(&text.len()) && text.bytes().all(is_allowed)
        };
        (text.parse::<IpAddr>().is_ok() || is_name(text)).then(|| Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        (&*self.0).into()
    }
}

/// The path of a URL, without query: `/` and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath(Box<str>);

impl UrlPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Word for UrlPath {
    const SYNTAX: &'static str = "a path: `/` and visible ASCII characters, without `?` and `#`";

    fn read(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        (text.starts_with('/') && text.bytes().all(is_allowed)).then(|| Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        (&*self.0).into()
    }
}

/// An origin (RFC 6454): scheme, host and port of a page. `*` stands for any.
///
/// It is kept as browsers write it: in lower case, without a default port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Box<str>);

impl Origin {
    /// The origin, or `*`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Word for Origin {
    const SYNTAX: &'static str =
        "an origin (`https://example.com`, with a port if it is not the scheme's) or `*`";

    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self(text.into()));
        }
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let is_authority = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        let is_valid = !scheme.is_empty()
            && scheme.bytes().all(is_scheme)
            && !authority.is_empty()
            && authority.bytes().all(is_authority);
        let authority = if default_port.is_empty() {
            authority
        } else {
            authority.strip_suffix(default_port).unwrap_or(authority)
        };
        is_valid.then(|| Self(format!("{scheme}://{authority}").into()))
    }

    fn text(&self) -> Cow<'_, str> {
        (&*self.0).into()
    }
}

/// A header's name, in lower case; none that carries a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(Box<str>);

impl HeaderName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Word for HeaderName {
    const SYNTAX: &'static str = "the name of a header that carries no secret";

    fn read(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        // the characters of a token, RFC 9110, 5.6.2
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_valid =
            !name.is_empty() && name.bytes().all(is_token) && !Headers::SECRET.contains(&name.as_str());
        is_valid.then(|| Self(name.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        (&*self.0).into()
    }
}

impl Word for NodeId {
    const SYNTAX: &'static str = "1 to 64 of the characters `A-Z a-z 0-9 . _ -`";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn text(&self) -> Cow<'_, str> {
        self.as_str().into()
    }
}

words!(Host, UrlPath, NodeId);

/// How many threads serve connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One a core.
    Auto,
    /// So many.
    Fixed(Count<1, 1_024>),
}

impl Value for Workers {
    fn syntax() -> String {
        format!("`\"auto\"` or {}", Count::<1, 1_024>::syntax())
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let is_auto = match raw {
            Raw::Text(text) => text == "auto",
            Raw::Toml(value) => value.as_str() == Some("auto"),
        };
        if is_auto {
            return Ok(Self::Auto);
        }
        let or_auto = |invalid: Invalid| Invalid {
            message: format!("{} and not \"auto\"", invalid.message),
            ..invalid
        };
        Count::parse(raw).map(Self::Fixed).map_err(or_auto)
    }

    fn to_toml(&self) -> String {
        match self {
            Self::Auto => "\"auto\"".to_owned(),
            Self::Fixed(count) => count.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_wamp_v1_are_those_of_the_core() {
        assert_eq!(Settings::default().wamp1_options(), wamp1::Options::default());
    }

    #[test]
    fn origins_are_kept_as_browsers_write_them() {
        for (written, kept) in [
            ("HTTPS://Example.COM:443", Some("https://example.com")),
            ("http://example.com:80", Some("http://example.com")),
            ("http://example.com:443", Some("http://example.com:443")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("app://localhost", Some("app://localhost")),
            ("*", Some("*")),
            ("https://example.com/", None),
            ("https://*.example.com", None),
            ("example.com", None),
            ("https://", None),
            ("://example.com", None),
            ("", None),
        ] {
            assert_eq!(Origin::read(written).as_ref().map(Origin::as_str), kept, "{written}");
        }
    }

    #[test]
    fn paths_have_no_query() {
        for refused in ["", "ws", "/a?b", "/a#b", "/a b", "/é", "/\n"] {
            assert_eq!(UrlPath::read(refused), None, "{refused}");
        }
        assert!(UrlPath::read("/ws/%C3%A9").is_some());
    }
}
