//! The one table of settings.

use super::settings::Settings;
use super::value::{Invalid, Raw, Value};

/// One setting: of the server, or of whatever there is several of.
#[derive(Debug)]
pub struct Setting<S: 'static = Settings> {
    /// Section and name: `server.port`.
    pub key: &'static str,
    /// What it does, in Markdown.
    pub sentence: &'static str,
    /// Reads a value into the settings.
    pub(super) set: fn(&mut S, Raw<'_>) -> Result<(), Invalid>,
    /// The value as TOML.
    pub(super) show: fn(&S) -> String,
    pub(super) syntax: fn(&S) -> String,
}

impl<S: Default> Setting<S> {
    /// The environment variable: `CLANK_SERVER_PORT`.
    ///
    /// ```
    /// let port = clank_server::config::SETTINGS.iter().find(|setting| setting.key == "server.port");
    /// assert_eq!(port.map(|port| port.environment()).as_deref(), Some("CLANK_SERVER_PORT"));
    /// ```
    pub fn environment(&self) -> String {
        format!("CLANK_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The section that it stands in.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the section.
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// How its value is written, with its range, in Markdown.
    pub fn syntax(&self) -> String {
        (self.syntax)(&S::default())
    }

    /// Its value among `settings`, as TOML.
    pub fn show(&self, settings: &S) -> String {
        (self.show)(settings)
    }
}

/// A section of the file.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in Markdown.
    pub sentence: &'static str,
}

/// Every section, in the order of the reference.
pub const SECTIONS: &[Section] = &[
    Section { name: "server", sentence: "Where the server listens, and to whom." },
    Section {
        name: "events",
        sentence: "Who is told of lifecycle events; see [Lifecycle events](lifecycle-events.md).",
    },
    Section {
        name: "connecting",
        sentence: "A webhook that is asked whether a client may connect; see [Lifecycle events](lifecycle-events.md#asking-who-may-connect).",
    },
    Section {
        name: "journal",
        sentence: "Where lifecycle events are kept. There is a journal as soon as one of these settings is given, or a sink.",
    },
    Section {
        name: "limits",
        sentence: "What a client may use. Every limit has a default and a range; there is no way to write unlimited.",
    },
    Section { name: "keepalive", sentence: "How clients that are gone without a word are found." },
    Section {
        name: "wamp1",
        sentence: "Points on which servers of WAMP v1 differ. The defaults are those of Ratchet 0.4.",
    },
    Section {
        name: "wamp2",
        sentence: "The realms that clients of WAMP v2 join; see [WAMP v2](wamp2.md#sessions-and-realms).",
    },
    Section {
        name: "rawsocket",
        sentence: "[WAMP v2 without WebSocket](wamp2.md#rawsocket), on a port or a Unix socket of its own. It is off unless it has one.",
    },
    Section { name: "deflate", sentence: "Compression of messages (RFC 7692)." },
    Section {
        name: "shutdown",
        sentence: "What happens on SIGTERM or SIGINT. A second signal ends the waiting at once.",
    },
    Section {
        name: "api",
        sentence: "The [HTTP API](http-api.md), by which the application's other programs reach the server. It is off unless it has an address.",
    },
    Section {
        name: "symfony",
        sentence: "An application that was written for the bundle, run by the server in PHP of its own.",
    },
    Section { name: "log", sentence: "What is logged on standard error." },
];

pub(super) fn syntax_of<V: Value>(_: &V) -> String {
    V::syntax()
}

macro_rules! table {
    ($($key:literal => $($field:ident).+, $sentence:literal;)+) => {
        &[$($crate::config::table::Setting {
            key: $key,
            sentence: $sentence,
            set: |settings, raw| {
                settings.$($field).+ = $crate::config::value::Value::parse(raw)?;
                Ok(())
            },
            show: |settings| $crate::config::value::Value::to_toml(&settings.$($field).+),
            syntax: |settings| $crate::config::table::syntax_of(&settings.$($field).+),
        },)+]
    };
}
pub(super) use table;

/// Every setting, in the order of the reference.
pub const SETTINGS: &[Setting] = table! {
    "server.node" => server.node, "The node's name in events; different on every node that shares a listener.";
    "server.host" => server.host, "The address to listen on.";
    "server.port" => server.port, "The port to listen on. 0 takes a free one and prints it.";
    "server.path" => server.path, "The path of the WebSocket. Handshakes elsewhere are answered 404.";
    "server.workers" => server.workers, "Threads that serve connections; `\"auto\"` is one a core.";
    "server.origins" => server.origins, "Origins of pages that may connect besides those of the server's own host. `\"*\"` lets every page in: any site can then act for its visitors, if they are known by a cookie.";
    "server.headers" => server.headers, "Headers of the handshake that events carry. They are kept in memory for each open connection.";

    "events.console" => events.console, "What standard output is told: a line of text, the whole record, or nothing.";
    "events.on_connect_timeout" => events.on_connect_timeout, "What becomes of a connection whose connect listener took longer than `limits.listener`: it is closed as `handler_failure`, or served.";

    "connecting.url" => connecting.url, "Where it is; `\"\"`: nobody is asked.";
    "connecting.secrets" => connecting.secrets, "What requests are signed with, the newest first.";
    "connecting.headers" => connecting.headers, "Headers of the handshake that it is told, in lower case.";
    "connecting.timeout" => connecting.timeout, "Time that it may take; less than `limits.listener`.";
    "connecting.on_unavailable" => connecting.on_unavailable, "What becomes of clients while it can't be reached, or gives no decision: they are refused with 503, or let in without an identity.";
    "connecting.allow_private" => connecting.allow_private, "Whether it may be at an address of a private network or of this machine.";

    "journal.path" => journal.path, "The directory that holds it. One server at a time can use it.";
    "journal.durability" => journal.durability, "What an event survives once it counts as kept: the loss of power, the end of the process however it comes, or nothing that is promised.";
    "journal.before_accept" => journal.before_accept, "Whether a client is welcomed once its connection is recorded. If not, only the welcome goes ahead: listeners, sinks, and what the client asks for, still wait.";
    "journal.max_bytes" => journal.max_bytes, "Bytes that it may hold, dead letters aside.";
    "journal.on_full" => journal.on_full, "What happens when it holds as much because a sink lags: clients are refused, or the oldest events are dropped, and the sinks that lack them are told of the gap.";
    "journal.retention_age" => journal.retention_age, "How long events are kept that every sink has.";
    "journal.retention_bytes" => journal.retention_bytes, "How many bytes of such events are kept.";
    "journal.grace" => journal.grace, "How long a user has no connection before `clank.user.offline`.";

    "limits.message" => limits.message, "Length of a message, after decompression and over all its fragments. Beyond it: close 1009.";
    "limits.headers" => limits.headers, "Length of a request's line and headers. Beyond it: 431.";
    "limits.header_count" => limits.header_count, "Headers of a request. Beyond it: 431.";
    "limits.handshake" => limits.handshake, "Time from accepting a connection to the end of its request. Beyond it: 408.";
    "limits.handshakes" => limits.handshakes, "Unfinished handshakes. Beyond it: 503.";
    "limits.handshakes_per_address" => limits.handshakes_per_address, "Unfinished handshakes of one IP address. Beyond it: 429.";
    "limits.connections" => limits.connections, "Connections. Beyond it: 503. The operating system's limit on open files may be lower.";
    "limits.connections_per_address" => limits.connections_per_address, "Connections of one IP address. Beyond it: 429. Behind a proxy all clients may share one.";
    "limits.subscriptions" => limits.subscriptions, "Subscriptions of a connection.";
    "limits.prefixes" => limits.prefixes, "Prefixes that a WAMP v1 session has defined.";
    "limits.prefix_bytes" => limits.prefix_bytes, "Length of all prefixes of a WAMP v1 session, with what they stand for.";
    "limits.call_id" => limits.call_id, "Length of a WAMP v1 call's id.";
    "limits.listed_sessions" => limits.listed_sessions, "Sessions that a publication may exclude, and as many that it may name as eligible.";
    "limits.testaments" => limits.testaments, "Testaments of a WAMP v2 session: events that it leaves to be published when it ends.";
    "limits.testament_bytes" => limits.testament_bytes, "Length of all testaments of a session.";
    "limits.retained_topics" => limits.retained_topics, "Topics of a WAMP v2 realm that retain an event. Beyond it, those lose theirs that got it longest ago.";
    "limits.retained_bytes" => limits.retained_bytes, "Length of all events that the topics of a realm retain.";
    "limits.uri" => limits.uri, "Length of a topic's or procedure's URI.";
    "limits.calls_in_flight" => limits.calls_in_flight, "Calls of a connection that wait for their results. Beyond it a call is answered with an error.";
    "limits.inbox" => limits.inbox, "Messages of a connection that wait for a handler. At this many the server stops reading from it.";
    "limits.outbound" => limits.outbound, "Bytes that wait to be sent to a connection; at least `limits.message`.";
    "limits.slow_consumer" => limits.slow_consumer, "What becomes of a connection for which more would wait: it is disconnected as `slow_consumer`, or events for it are dropped and counted.";
    "limits.write" => limits.write, "Time for which a connection may take no byte of what waits for it. Beyond it: disconnected as `slow_consumer`.";
    "limits.buffered" => limits.buffered, "Bytes that wait to be sent or handled over all connections; at least `limits.outbound`. Beyond it: disconnected as `overloaded`.";
    "limits.listener" => limits.listener, "Time that a lifecycle listener may take. With `symfony.app`, if it is not given: `symfony.timeout`, `symfony.wait` and `symfony.boot_timeout` together.";

    "keepalive.interval" => limits.keepalive_interval, "Silence of a client after which it is sent a ping.";
    "keepalive.timeout" => limits.keepalive_timeout, "Time after the ping in which something must be heard. Beyond it: disconnected as `keepalive_timeout`.";

    "wamp1.on_malformed" => wamp1.on_malformed, "What a malformed message leads to besides an error event: close 1007, or nothing, as in Ratchet 0.2.";
    "wamp1.publisher_receives" => wamp1.publisher_receives, "Whether a publisher that subscribes to its topic receives its own event when it says nothing of it.";
    "wamp1.empty_eligible" => wamp1.empty_eligible, "Whom an empty list of eligible receivers means.";

    "wamp2.realm" => wamp2.realm, "The realm that is always there: clients of WAMP v1 are in it, and the HTTP API publishes in it.";
    "wamp2.realms" => wamp2.realms, "Other realms, each a space of topics and procedures of its own.";
    "wamp2.history" => wamp2.history, "Topics whose last events each realm keeps in memory, for clients to ask for by `wamp.subscription.get_events`.";
    "wamp2.history_events" => wamp2.history_events, "How many events each of them keeps.";
    "wamp2.history_bytes" => wamp2.history_bytes, "Length of the events that each of them keeps.";

    "rawsocket.listen" => rawsocket.listen, "The address to listen on. It has no TLS, and its clients have no cookie and no origin.";
    "rawsocket.unix" => rawsocket.unix, "The path of a Unix socket to listen on, to which the server's own user and group may connect. One that a killed server has left there is replaced.";

    "deflate.enabled" => deflate.enabled, "Whether compression is offered to clients. It saves traffic and costs time.";

    "shutdown.drain" => limits.drain, "Time over which connections are closed, so that their clients do not come back all at once.";
    "shutdown.deadline" => limits.shutdown, "Time from the signal after which nothing is waited for; more than `shutdown.drain`.";

    "api.listen" => api.listen, "The address of its own that the API listens on. It has no TLS: beyond loopback, who can listen in can read the tokens.";
    "api.tokens" => api.tokens, "Bearer tokens, of which a request must show one. Without one the API does not start.";
    "api.token_file" => api.token_file, "A file with more of them, one on each line. It is read once, at the start.";
    "api.body" => api.body, "Length of a request's body. Beyond it: 413.";
    "api.timeout" => api.timeout, "Time that a request may take. Beyond it: 408 for one that is not yet there, 504 for one whose call is not answered.";
    "api.connections" => api.connections, "Connections to the API, and requests that change something under way. Beyond the former: 503; beyond the latter: 429.";

    "symfony.app" => symfony.app, "The application: its directory, or a PHP file that returns its kernel. `\"\"`: there is none. With one, host and port are those of its `clank: web_socket_server` where they are not given here, and the console is off unless asked for: the application's listeners have it.";
    "symfony.php" => symfony.php, "The program that runs PHP: a path, or a name that is looked for.";
    "symfony.bundle" => symfony.bundle, "The directory of the bundle. `\"\"`: the one that comes with the program.";
    "symfony.env" => symfony.env, "The environment that it runs in, such as `prod`. `\"\"`: what the application itself says.";
    "symfony.debug" => symfony.debug, "Whether debug mode is left to the application. If not, it is off.";
    "symfony.watch" => symfony.watch, "Whether, in debug mode, the application is begun anew when one of its files changes. Sockets stay open.";
    "symfony.boot_timeout" => symfony.boot_timeout, "Time in which the application has to start.";
    "symfony.timeout" => symfony.timeout, "Time that it may take over one event, publication, call or tick. Beyond it, its process is killed, and the next one goes on.";
    "symfony.wait" => symfony.wait, "Time for which a call or a handshake waits for those before it. Beyond it, the call is answered with an error, the handshake with 503.";
    "symfony.queue" => symfony.queue, "Calls, publications and handshakes that wait for the application. Beyond it they are refused.";
    "symfony.max_memory" => symfony.max_memory, "Memory past which its process is replaced, between two requests. 0: it is not.";
    "symfony.max_requests" => symfony.max_requests, "Requests after which its process is replaced. 0: it is not.";
    "symfony.max_age" => symfony.max_age, "Age at which its process is replaced. 0: it is not.";
    "symfony.on_restart" => symfony.on_restart, "What becomes of those who are connected when the process is replaced: its listeners hear again that they are connected; or only the scalars that hung on a connection are handed over, by a process that ended in order (and where the bundle has `snapshot: true`); or they are disconnected.";
    "symfony.retry" => symfony.retry, "With a journal: whether an opening or end of a connection is told again of which a process of the application died. If not, it becomes a dead letter of the sink `symfony`.";
    "symfony.stateless" => symfony.stateless, "Whether the application keeps nothing in memory from one request to the next. Only then can there be several workers: each knows but some of the connections.";
    "symfony.workers" => symfony.workers, "Processes that run the application. A connection stays with one.";

    "log.level" => log.level, "The least important level that is logged. Only `\"trace\"` shows payloads.";
    "log.format" => log.format, "Lines for people, or JSON objects.";
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_and_variables_are_unique() {
        let keys: HashSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let variables: HashSet<_> = SETTINGS.iter().map(Setting::environment).collect();
        assert_eq!((keys.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
    }

    #[test]
    fn every_setting_stands_in_a_section_and_every_section_has_settings() {
        let used: HashSet<_> = SETTINGS.iter().map(Setting::section).collect();
        let known: HashSet<_> = SECTIONS.iter().map(|section| section.name).collect();
        assert_eq!(used, known);
    }

    #[test]
    fn sentences_fit_into_a_table() {
        for setting in SETTINGS {
            assert!(
                setting.sentence.ends_with('.') && !setting.sentence.contains(['|', '\n']),
                "{}",
                setting.key
            );
        }
    }

    #[test]
    fn every_default_is_read_back_from_toml_and_from_text() {
        let defaults = Settings::default();
        for setting in SETTINGS {
            let shown = setting.show(&defaults);
            let document = format!("value = {shown}");
            let table = toml::de::DeTable::parse(&document).unwrap();
            let value = table.get_ref().get("value").unwrap().get_ref();
            let text = shown.replace(['"', '[', ']'], "");
            for raw in [Raw::Toml(value), Raw::Text(&text)] {
                let mut settings = defaults.clone();
                (setting.set)(&mut settings, raw).unwrap();
                assert_eq!(settings, defaults, "{}", setting.key);
            }
        }
    }

    #[test]
    fn a_setting_changes_its_own_field_alone() {
        // among them a value for each setting that is not its default
        let values = "snapshot true false 7 17 9s 2KiB 77KiB 3MiB 17MiB json serve report nobody drop_events debug os evict accept whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD /ws a.example https://x.example 0123456789abcdef";
        let defaults = Settings::default();
        for setting in SETTINGS {
            let changed = values.split(' ').find_map(|text| {
                let mut settings = defaults.clone();
                (setting.set)(&mut settings, Raw::Text(text)).ok()?;
                (setting.show(&settings) != setting.show(&defaults)).then_some(settings)
            });
            let settings = changed.expect(setting.key);
            for other in SETTINGS.iter().filter(|other| other.key != setting.key) {
                assert_eq!(other.show(&settings), other.show(&defaults), "{} by {}", other.key, setting.key);
            }
        }
    }
}
