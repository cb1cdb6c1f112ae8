//! A lifecycle event as a line of standard output.
//!
//! Scripts read these lines: they are part of the program's interface. What a
//! client sent is escaped, so that it can't forge one.

use std::borrow::Cow;
use std::fmt::Write as _;

use clank_core::event::{Body, Change, Event};

use crate::config::ConsoleFormat;

/// The first line of standard output, whatever the format.
pub const STARTING: &str = "Starting Clank";

/// The second line of standard output, whatever the format: the server accepts
/// connections on `address`, a URL.
///
/// ```
/// use clank_server::console::launching;
/// assert_eq!(launching("ws://127.0.0.1:8080"), "Launching WebSocket server on: ws://127.0.0.1:8080");
/// ```
pub fn launching(address: &str) -> String {
    format!("Launching WebSocket server on: {address}")
}

/// A line of standard output behind the second, for each place where the server speaks RawSocket.
///
/// ```
/// use clank_server::console::launching_rawsocket;
/// let line = launching_rawsocket("rs://127.0.0.1:8081");
/// assert_eq!(line, "Launching RawSocket server on: rs://127.0.0.1:8081");
/// ```
pub fn launching_rawsocket(url: &str) -> String {
    format!("Launching RawSocket server on: {url}")
}

/// The line for `event`, without its line break; `None` if the format has none for it.
pub fn line(event: &Event, format: ConsoleFormat) -> Option<String> {
    match format {
        ConsoleFormat::Text => text(event),
        ConsoleFormat::Json => json(event),
        ConsoleFormat::Off => None,
    }
}

fn text(event: &Event) -> Option<String> {
    match &event.body {
        Body::Client { connection, change, .. } => {
            let id = connection.resource_id;
            match change {
                Change::Connected => Some(format!("{id} connected")),
                Change::Disconnected(_) => Some(format!("{id} disconnected")),
                Change::Error(failure) => {
                    Some(format!("connection error occurred: {}", escape(&failure.message)))
                }
                Change::Subscribed(_) | Change::Unsubscribed(_) => None,
            }
        }
        _ => None,
    }
}

/// The whole record. JSON itself escapes only the control characters of ASCII.
fn json(event: &Event) -> Option<String> {
    let json = serde_json::to_string(event).ok()?;
    if !json.contains(is_unprintable) {
        return Some(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unprintable(c) {
            // all of them have four digits, and stand within strings
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Some(escaped)
}

/// `text` on one line, with what a terminal would act upon made visible.
///
/// ```
/// use clank_server::console::escape;
/// assert_eq!(escape("no such topic: é"), "no such topic: é");
/// assert_eq!(escape("a\n2 connected\u{1b}[2J"), r"a\n2 connected\u{1b}[2J");
/// assert_eq!(escape(r"a\n"), r"a\\n");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| c == '\\' || is_unprintable(c);
    if !text.contains(is_escaped) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped.into()
}

/// Control characters, the line breaks of Unicode, and what changes the direction of text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use clank_core::cause::{Cause, ErrorKind};
    use clank_core::event::{
        ConnectionFacts, Disconnected, Failure, Launched, Origin, Rejection, RequestFacts, Stopping,
        Timestamp,
    };
    use clank_core::id::{ConnectionId, NodeId, ResourceId, RunId};

    use super::*;

    fn event(body: Body) -> Event {
        let origin = Origin { node: NodeId::default(), run: RunId::new(0, &[0; 10]) };
        Event::new(Timestamp::from_unix_micros(0), origin, body)
    }

    fn connection_id() -> ConnectionId {
        ConnectionId::new(0, &[1; 10])
    }

    fn client(change: Change) -> Event {
        let connection = Arc::new(ConnectionFacts {
            connection_id: connection_id(),
            resource_id: ResourceId::FIRST,
            request: RequestFacts::default(),
            identity: None,
            session: None,
            attributes: None,
        });
        event(Body::Client { connection, sequence: 1, change })
    }

    fn error(message: &str) -> Event {
        let failure = Failure { kind: ErrorKind::HandlerFailed, message: message.into(), survived: true };
        client(Change::Error(Box::new(failure)))
    }

    fn text(event: &Event) -> Option<String> {
        line(event, ConsoleFormat::Text)
    }

    #[test]
    fn lines_are_those_of_the_listener_of_the_bundle() {
        let gone = Disconnected::new(Cause::ClientClosed);
        let rejection = Rejection::new(
            connection_id(),
            RequestFacts::default(),
            Cause::OriginRefused,
            "http://evil.example",
        );
        let launched =
            Launched { address: "ws://127.0.0.1:1".into(), rawsocket: Box::default(), previous: None };
        for (event, expected) in [
            (client(Change::Connected), Some("1 connected")),
            (client(Change::Disconnected(Box::new(gone))), Some("1 disconnected")),
            (error("it broke"), Some("connection error occurred: it broke")),
            (client(Change::Subscribed("acme".into())), None),
            (client(Change::Unsubscribed("acme".into())), None),
            (event(Body::Rejected(Box::new(rejection))), None),
            (event(Body::Stopping(Stopping { open: 3 })), None),
            (event(Body::Launched(launched)), None),
        ] {
            assert_eq!(text(&event).as_deref(), expected);
        }
    }

    #[test]
    fn a_client_can_not_forge_a_line() {
        let sent = "x\r\n2 connected\u{1b}]0;title\u{7}\u{9b}1m\u{2028}\u{202e}";
        assert_eq!(
            text(&error(sent)).unwrap(),
            r"connection error occurred: x\r\n2 connected\u{1b}]0;title\u{7}\u{9b}1m\u{2028}\u{202e}"
        );
        let json = line(&error(sent), ConsoleFormat::Json).unwrap();
        assert!(!json.contains(is_unprintable), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), error(sent));
    }

    #[test]
    fn json_is_the_whole_record() {
        let event = client(Change::Connected);
        assert_eq!(line(&event, ConsoleFormat::Json).unwrap(), serde_json::to_string(&event).unwrap());
        assert_eq!(line(&event, ConsoleFormat::Off), None);
    }
}
