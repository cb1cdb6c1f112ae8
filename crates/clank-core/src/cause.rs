//! Why a connection was refused or ended.
//!
//! [`Cause`] is a closed list with one table. Close code, HTTP status, metric
//! label, log level, error event and documentation are columns of it, so that
//! none of them can disagree with another.

mod blame;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whose doing the end of a connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initiator {
    /// The client closed.
    Client,
    /// This server decided to close or to refuse, whatever made it do so.
    Server,
    /// The connection was found dead; neither end had said anything.
    Network,
    /// The process that held the connection died.
    Node,
}

impl Initiator {
    /// The name in records and documentation.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Network => "network",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// How loudly a cause is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Someone may have to act.
    Warn,
    /// The lifecycle of the server.
    Info,
    /// The lifecycle of a connection.
    Debug,
}

impl LogLevel {
    /// The level in lower case, as loggers spell it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A label that names no row of the table it was looked up in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {label:?}")]
pub struct UnknownLabel {
    what: &'static str,
    label: Box<str>,
}

impl UnknownLabel {
    pub(crate) fn new(what: &'static str, label: &str) -> Self {
        Self { what, label: label.into() }
    }
}

/// Declares an enum whose variants are the rows of one table.
macro_rules! labelled {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal {
            $($variant:ident $label:literal $sentence:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $sentence] $variant,)+
        }

        impl $name {
            /// Every row, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in records, metrics and documentation.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// One sentence for the documentation.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }

        impl FromStr for $name {
            type Err = UnknownLabel;

            fn from_str(label: &str) -> Result<Self, UnknownLabel> {
                match label {
                    $($label => Ok(Self::$variant),)+
                    _ => Err(UnknownLabel::new($what, label)),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.label())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let label = std::borrow::Cow::<'de, str>::deserialize(from)?;
                label.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

labelled! {
    /// What went wrong on a connection, in a `clank.client.error` event.
    ErrorKind, "kind of error" {
        Protocol "protocol" "The client broke the protocol of WebSocket or RawSocket.";
        Malformed "malformed" "A message was not one of the negotiated protocol.";
        MessageTooBig "message_too_big" "A message was longer than the limit.";
        LimitExceeded "limit_exceeded" "The client asked for more than a limit of its connection allows.";
        EventsDropped "events_dropped" "Events for the client were dropped, because it read too slowly or takes none of that length.";
        SlowConsumer "slow_consumer" "The client read too slowly to be kept.";
        Overload "overload" "The whole server holds as many unsent bytes as it may.";
        HandlerFailed "handler_failed" "A topic or procedure handler returned an error that is no reply.";
        HandlerPanicked "handler_panicked" "A topic or procedure handler panicked.";
        HandlerTimedOut "handler_timed_out" "A topic handler took longer than its limit; procedures have none.";
        ListenerFailed "listener_failed" "A lifecycle listener returned an error.";
        ListenerPanicked "listener_panicked" "A lifecycle listener panicked.";
        ListenerTimedOut "listener_timed_out" "A lifecycle listener took longer than its limit.";
        Internal "internal" "Clank itself failed; this is a bug in it.";
    }
}

/// Declares [`Cause`] and the columns of its table.
macro_rules! causes {
    ($(
        $variant:ident $label:literal
            $code:expr, $status:expr, $initiator:ident, $level:ident, $error:expr;
            $sentence:literal
    )+) => {
        labelled! {
            /// Why a connection was refused or ended.
            ///
            /// A cause with a [`close_code`](Cause::close_code) can end an open
            /// connection; one with an [`http_status`](Cause::http_status) can
            /// refuse a handshake; some can do both.
            Cause, "cause" { $($variant $label $sentence;)+ }
        }

        impl Cause {
            /// The WebSocket close code (RFC 6455, 7.4) that the record carries,
            /// unless the client's close frame brought its own.
            ///
            /// 1005 and 1006 stand for a close frame without a code and for no
            /// close frame at all: they are recorded, never sent. `None`: the
            /// cause ends no open connection.
            pub const fn close_code(self) -> Option<u16> {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status that answers a handshake refused for this cause, unless
            /// a listener or what was wrong with the request gave a more exact one.
            ///
            /// `None`: the cause refuses no handshake, or nobody is left to read
            /// an answer.
            pub const fn http_status(self) -> Option<u16> {
                match self { $(Self::$variant => $status,)+ }
            }

            /// Whose doing it was.
            pub const fn initiator(self) -> Initiator {
                match self { $(Self::$variant => Initiator::$initiator,)+ }
            }

            /// How loudly the end of the connection is logged.
            pub const fn level(self) -> LogLevel {
                match self { $(Self::$variant => LogLevel::$level,)+ }
            }

            /// The error event that precedes the `disconnected` of an open
            /// connection.
            ///
            /// `None` where the end is no error, and where the error was told
            /// when it happened: a handler's failure has its own kind.
            pub const fn error_kind(self) -> Option<ErrorKind> {
                match self { $(Self::$variant => $error,)+ }
            }
        }
    };
}

use ErrorKind::{Internal, LimitExceeded, Malformed, MessageTooBig, Overload, Protocol, SlowConsumer};

// Codes: RFC 6455, 7.4.1, and IANA's registry for 1013 (try again later), 3000
// (unauthorized) and 3003 (forbidden).
causes! {
    // variant and label, then: close code, HTTP status, initiator, log level, error event; sentence
    ClientClosed "client_closed"
        Some(1005), None, Client, Debug, None;
        "The client sent a close frame, or GOODBYE; the record has its code and reason."
    ServerClosed "server_closed"
        Some(1000), None, Server, Debug, None;
        "The application closed the connection."
    KeepaliveTimeout "keepalive_timeout"
        Some(1011), None, Network, Debug, None;
        "Nothing was heard from the client within the keepalive interval and timeout."
    NetworkLost "network_lost"
        Some(1006), None, Network, Debug, None;
        "The transport ended or failed without a close frame, a RawSocket without GOODBYE."
    ProtocolViolation "protocol_violation"
        Some(1002), None, Server, Debug, Some(Protocol);
        "The client broke the protocol of WebSocket or RawSocket, or the order of the negotiated one."
    UnsupportedData "unsupported_data"
        Some(1003), None, Server, Debug, Some(Malformed);
        "The client sent binary data on a subprotocol of text, or the reverse."
    MalformedMessage "malformed_message"
        Some(1007), None, Server, Debug, Some(Malformed);
        "A text was not UTF-8, or a message was not one of the negotiated protocol."
    MessageTooBig "message_too_big"
        Some(1009), None, Server, Debug, Some(MessageTooBig);
        "A message was longer than the limit, before or after decompression."
    SlowConsumer "slow_consumer"
        Some(1008), None, Server, Warn, Some(SlowConsumer);
        "The client let its queue run full, or took no byte for the write time-out."
    LimitExceeded "limit_exceeded"
        Some(1008), None, Server, Debug, Some(LimitExceeded);
        "The client went past a limit of its connection for which there is no milder answer."
    Overloaded "overloaded"
        Some(1013), Some(503), Server, Warn, Some(Overload);
        "The whole server holds as many bytes for its clients as it may."
    Rejected "rejected"
        Some(3003), Some(403), Server, Debug, None;
        "A connecting listener said no; it may choose another status."
    Unauthorised "unauthorised"
        Some(3000), Some(401), Server, Debug, None;
        "The client did not prove who it is."
    SessionExpired "session_expired"
        Some(3000), None, Server, Debug, None;
        "The login that the connection rested on ended."
    ServerShutdown "server_shutdown"
        Some(1001), Some(503), Server, Debug, None;
        "The server is stopping."
    NodeLost "node_lost"
        Some(1006), None, Node, Warn, None;
        "The process that held the connection died; its successor closed the record."
    HandlerFailure "handler_failure"
        Some(1011), Some(500), Server, Warn, None;
        "A connecting or connect listener failed, panicked or took longer than its limit."
    InternalError "internal_error"
        Some(1011), Some(500), Server, Error, Some(Internal);
        "Clank itself failed; this is a bug in it."
    HandshakeTimeout "handshake_timeout"
        None, Some(408), Server, Debug, None;
        "The handshake was not complete in time."
    HandshakeMalformed "handshake_malformed"
        None, Some(400), Server, Debug, None;
        "The request was not HTTP, or not a WebSocket handshake (RFC 6455, 4.2.1); or what came was not one of RawSocket."
    HeadersTooLarge "headers_too_large"
        None, Some(431), Server, Debug, None;
        "The request had more headers, or more bytes of them, than the limits."
    VersionUnsupported "version_unsupported"
        None, Some(426), Server, Debug, None;
        "The client asked for a WebSocket version other than 13."
    PathUnknown "path_unknown"
        None, Some(404), Server, Debug, None;
        "No WebSocket is served on the requested path."
    SubprotocolRefused "subprotocol_refused"
        None, Some(400), Server, Debug, None;
        "The client offered no subprotocol that the server speaks, or by RawSocket no serializer."
    OriginRefused "origin_refused"
        None, Some(403), Server, Debug, None;
        "The page that the client runs in comes from a host that is not allowed."
    ServerFull "server_full"
        None, Some(503), Server, Warn, None;
        "The server holds as many connections or unfinished handshakes as it may."
    JournalUnavailable "journal_unavailable"
        Some(1013), Some(503), Server, Error, None;
        "The connection could not be recorded: the journal is full, or its disk failed."
    AddressLimit "address_limit"
        None, Some(429), Server, Debug, None;
        "The client's address holds as many connections or unfinished handshakes as one may."
    Aborted "aborted"
        None, None, Client, Debug, None;
        "The client went away before its handshake was answered."
}

impl Cause {
    /// Whether the server may send a close frame with [`close_code`](Self::close_code).
    ///
    /// ```
    /// use clank_core::cause::Cause;
    /// assert!(Cause::ServerShutdown.sends_close());
    /// assert!(!Cause::NetworkLost.sends_close());
    /// ```
    pub const fn sends_close(self) -> bool {
        !matches!(self.close_code(), None | Some(1005 | 1006))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_unique_and_snake_case() {
        let labels: Vec<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
        assert_eq!(labels.iter().collect::<HashSet<_>>().len(), labels.len());
        let kinds: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.label()).collect();
        assert_eq!(kinds.iter().collect::<HashSet<_>>().len(), kinds.len());
        for label in labels.into_iter().chain(kinds) {
            assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{label}");
        }
    }

    #[test]
    fn every_label_is_read_back() {
        for &cause in Cause::ALL {
            assert_eq!(cause.label().parse(), Ok(cause));
            let json = serde_json::to_string(&cause).unwrap();
            assert_eq!(serde_json::from_str::<Cause>(&json).unwrap(), cause);
        }
        for &kind in ErrorKind::ALL {
            assert_eq!(kind.label().parse(), Ok(kind));
        }
        let unknown = "gone_fishing".parse::<Cause>().unwrap_err();
        assert_eq!(unknown.to_string(), r#"unknown cause "gone_fishing""#);
    }

    #[test]
    fn every_row_is_documented() {
        let sentences = Cause::ALL.iter().map(|cause| cause.sentence());
        for sentence in sentences.chain(ErrorKind::ALL.iter().map(|kind| kind.sentence())) {
            assert!(sentence.ends_with('.') && sentence.len() > 20, "{sentence}");
            assert!(!sentence.contains('|'), "would break the table: {sentence}");
        }
    }

    #[test]
    fn close_codes_are_registered_and_those_sent_may_be_sent() {
        for cause in Cause::ALL {
            let Some(code) = cause.close_code() else {
                continue;
            };
            assert!(matches!(code, 1000..=1003 | 1005..=1014 | 3000..=4999), "{cause}: {code}");
            assert_eq!(cause.sends_close(), !matches!(code, 1005 | 1006), "{cause}");
        }
    }

    #[test]
    fn statuses_are_errors() {
        for cause in Cause::ALL {
            assert!(cause.http_status().is_none_or(|status| (400..600).contains(&status)), "{cause}");
        }
    }

    #[test]
    fn every_cause_ends_a_connection_or_refuses_one() {
        for &cause in Cause::ALL {
            let answered = cause.close_code().is_some() || cause.http_status().is_some();
            assert!(answered || cause == Cause::Aborted, "{cause}");
        }
    }

    #[test]
    fn an_error_event_precedes_only_the_end_of_an_open_connection() {
        for cause in Cause::ALL.iter().filter(|cause| cause.error_kind().is_some()) {
            assert!(cause.close_code().is_some(), "{cause}");
            assert_eq!(cause.initiator(), Initiator::Server, "{cause}");
        }
    }
}
