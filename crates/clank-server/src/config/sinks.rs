//! `[sinks.NAME]`: who is told of lifecycle events from the journal.

use std::fmt;

use clank_core::event::EventKind;
use clank_core::limits::{Count, GIB, HOUR, KIB, MIB, MINUTE, Period, SECOND, Size};

use super::api::OptionalPath;
use super::settings::{UrlPath, choices};
use super::table::{Setting, table};
use super::value::{Choice, Invalid, Raw, Value, Word};

/// `[sinks.NAME]`: one receiver of lifecycle events.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkSettings {
    /// What it is.
    pub kind: SinkKind,
    /// Which events it gets.
    pub events: Vec<EventName>,
    /// Of connections on which paths; empty: all.
    pub paths: Vec<UrlPath>,
    /// Topic events of which topics; empty: all.
    pub topics: Vec<Text>,
    /// Deliveries under way at once, each of another client.
    pub concurrency: Count<1, 1_000>,
    /// Events of one delivery.
    pub batch: Count<1, 10_000>,
    /// Time that a delivery may take.
    pub timeout: Period<10, { 10 * MINUTE }>,
    /// Tries of an event that fails while others succeed.
    pub tries: Count<1, 1_000>,
    /// The longest pause between two tries.
    pub backoff: Period<100, HOUR>,
    /// What becomes of the later events of a connection of which one has failed for good.
    pub on_poison: OnPoison,
    /// Ends of connections that it gets in a second.
    pub pace: Count<1, 1_000_000>,
    /// Bytes of events that have failed for good.
    pub dead_letters: Size<MIB, { 64 * GIB }>,

    /// The URL of a webhook, or of a broker.
    pub url: Text,
    /// What a webhook's deliveries are signed with.
    pub secrets: Secrets,
    /// How an event is put into a request.
    pub mode: WebhookMode,
    /// Whether a webhook may be at an address that the Internet does not know.
    pub allow_private: bool,
    /// The program of a command, and its arguments.
    pub command: Vec<Text>,
    /// Whether a command acknowledges what it has got.
    pub acknowledge: bool,
    /// The file.
    pub path: OptionalPath,
    /// How long a file grows before another is begun.
    pub rotate: Size<{ 4 * KIB }, { 64 * GIB }>,
    /// How many full files are kept.
    pub keep: Count<0, 10_000>,
    /// Where a broker puts events.
    pub subject: Text,
    /// How many entries a Redis stream is cut to; 0: it is not cut.
    pub max_length: Count<0, 1_000_000_000>,
}

impl Default for SinkSettings {
    fn default() -> Self {
        use EventKind::{Connected, Disconnected, Error};
        Self {
            kind: SinkKind::Webhook,
            events: [Connected, Disconnected, Error].map(EventName).into(),
            paths: Vec::new(),
            topics: Vec::new(),
            concurrency: Count::of(16),
            batch: Count::of(1),
            timeout: Period::of(10 * SECOND),
            tries: Count::of(8),
            backoff: Period::of(MINUTE),
            on_poison: OnPoison::Skip,
            pace: Count::of(2_000),
            dead_letters: Size::of(64 * MIB),
            url: Text::default(),
            secrets: Secrets::default(),
            mode: WebhookMode::Structured,
            allow_private: false,
            command: Vec::new(),
            acknowledge: true,
            path: OptionalPath::default(),
            rotate: Size::of(64 * MIB),
            keep: Count::of(8),
            subject: Text::default(),
            max_length: Count::of(0),
        }
    }
}

/// `[connecting]`: a webhook that is asked who may connect.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectingSettings {
    /// Where it is; empty: nobody is asked.
    pub url: Text,
    /// What requests are signed with.
    pub secrets: Secrets,
    /// The headers of the handshake that it is told.
    pub headers: Vec<Text>,
    /// Time that it may take.
    pub timeout: Period<10, MINUTE>,
    /// What becomes of clients while it can't be asked.
    pub on_unavailable: OnUnavailable,
    /// Whether it may be at an address that the Internet does not know.
    pub allow_private: bool,
}

impl Default for ConnectingSettings {
    fn default() -> Self {
        Self {
            url: Text::default(),
            secrets: Secrets::default(),
            headers: ["authorization", "cookie", "origin", "user-agent"].map(|name| Text(name.into())).into(),
            timeout: Period::of(4 * SECOND),
            on_unavailable: OnUnavailable::Reject,
            allow_private: false,
        }
    }
}

choices! {
    /// What becomes of clients while nobody can be asked.
    OnUnavailable {
        /// They are refused: 503.
        Reject "reject"
        /// They are let in, without an identity.
        Accept "accept"
    }

    /// What a sink is.
    SinkKind {
        /// HTTP requests.
        Webhook "webhook"
        /// A program that reads lines.
        Command "command"
        /// A file of lines.
        File "file"
        /// A stream of NATS JetStream.
        Nats "nats"
        /// A Redis stream.
        Redis "redis"
        /// An exchange of AMQP 0.9.1.
        Amqp "amqp"
    }

    /// What becomes of the later events of a connection of which one has failed for good.
    OnPoison {
        /// They are delivered, marked.
        Skip "skip"
        /// They are kept with it.
        Park "park"
    }

    /// How an event is put into a request, as CloudEvents has it.
    WebhookMode {
        /// The body is the whole event.
        Structured "structured"
        /// The body is the record, the rest stands in headers.
        Binary "binary"
        /// The body is a list of events.
        Batch "batch"
    }
}

/// Every setting of a sink, in the order of the reference.
pub const SINK_SETTINGS: &[Setting<SinkSettings>] = table! {
    "type" => kind, "What the sink is.";
    "events" => events, "The events that it gets.";
    "paths" => paths, "It gets those of connections whose path is one of these, or lies below one; `[]`: of all.";
    "topics" => topics, "It gets topic events of these topics, and of those that begin with one that ends in `*`; `[]`: of all.";
    "concurrency" => concurrency, "Deliveries under way at once. Those of one user, or of one connection without a user, follow one another.";
    "batch" => batch, "Events of one delivery.";
    "timeout" => timeout, "Time that a delivery may take.";
    "tries" => tries, "Tries of an event that fails while others succeed; then it goes to the dead letters. A sink that is down uses up none.";
    "backoff" => backoff, "The longest pause between two tries; the first is 100ms, and each is longer than the one before.";
    "on_poison" => on_poison, "What becomes of the later events of a connection of which one has failed for good: they are delivered, marked with the gap, or go to the dead letters with it.";
    "pace" => pace, "Ends of connections that it gets in a second, over five seconds.";
    "dead_letters" => dead_letters, "Bytes of events that have failed for good.";
    "url" => url, "webhook, nats, redis, amqp: where it is.";
    "secrets" => secrets, "webhook: what deliveries are signed with, the newest first. All of them sign, so that a receiver can change over.";
    "mode" => mode, "webhook: how CloudEvents puts an event into a request.";
    "allow_private" => allow_private, "webhook: whether it may be at an address of a private network or of this machine.";
    "command" => command, "command: the program and its arguments.";
    "acknowledge" => acknowledge, "command: whether it answers each event with its id. If not, nothing is promised.";
    "path" => path, "file: its name.";
    "rotate" => rotate, "file: how long it grows before another is begun.";
    "keep" => keep, "file: how many full ones are kept.";
    "subject" => subject, "nats: the subject, `{type}` stands for the event's name; redis: the stream's key; amqp: exchange and routing key, with a `/` between them.";
    "max_length" => max_length, "redis: entries that the stream is cut to, about; 0: it is not cut.";
};

/// A name under which a sink keeps its place in the journal: 1 to 32 of the characters `a-z 0-9 -`.
pub fn is_sink_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// The name of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventName(pub EventKind);

impl Word for EventName {
    const SYNTAX: &'static str = "the name of an event, such as `clank.client.connected`";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.0.name().into()
    }
}

/// Any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Box<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(text: &str) -> Self {
        Self(text.into())
    }
}

impl Word for Text {
    const SYNTAX: &'static str = "text";

    fn read(text: &str) -> Option<Self> {
        (!text.contains(char::is_control)).then(|| Self(text.into()))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        (&*self.0).into()
    }
}

super::value::words!(Text);

/// Secrets of Standard Webhooks: `whsec_` and base64. Nothing that is printed shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Box<str>>);

impl Secrets {
    /// Each of them, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(text: &str) -> Option<Box<str>> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        // Standard Webhooks: 24 to 64 bytes.
        (24..=64).contains(&key.len()).then(|| text.into())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Value for Secrets {
    fn syntax() -> String {
        "list, each `whsec_` and the base64 of 24 to 64 bytes; never printed".to_owned()
    }

    /// What is wrong is told without what was written: it may be a secret but for one character.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let wrong = "a secret is not whsec_ and the base64 of 24 to 64 bytes: openssl rand -base64 32";
        raw.items(|text| Self::read(text).ok_or_else(|| Invalid::new(wrong))).map(Self)
    }

    fn to_toml(&self) -> String {
        format!("[{}]", vec!["\"***\""; self.0.len()].join(", "))
    }
}
