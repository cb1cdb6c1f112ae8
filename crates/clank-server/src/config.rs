//! The configuration: a file, the environment and flags over the defaults.
//!
//! One table, [`SETTINGS`], says everything about a setting: its key, its type
//! with range and unit, its default, its environment variable and a sentence.
//! Reading, `clank check`, `clank config` and `docs/configuration.md` follow
//! from it.

mod api;
mod credentials;
mod journal;
mod load;
mod problem;
mod rawsocket;
mod realms;
pub mod reference;
mod settings;
mod sinks;
mod symfony;
mod table;
mod value;
mod wamp2;

pub use api::{ApiListen, ApiSettings, OptionalPath, Token, Tokens};
pub use credentials::{PublicKeys, SecretSource, Stored};
pub use journal::{Directory, Durability, JournalSettings, OnFull};
pub use load::{Config, Flag, Input, Source, load, read};
pub use problem::{Place, Problem, Severity};
pub use rawsocket::RawSocketSettings;
pub use realms::{
    Action, Attributes, Given, MethodName, REALM_SETTINGS, RULE_SETTINGS, RealmSettings, RuleSettings,
    USER_SETTINGS, UserSettings,
};
pub use settings::{
    ConsoleFormat, DeflateSettings, EventSettings, HeaderName, Host, LogFormat, LogLevel, LogSettings,
    OnConnectTimeout, Origin, ServerSettings, Settings, UrlPath, Wamp1Settings, Workers,
};
pub use sinks::{
    ConnectingSettings, EventName, OnPoison, OnUnavailable, SINK_SETTINGS, Secrets, SinkKind, SinkSettings,
    Text, WebhookMode, is_sink_name,
};
pub use symfony::{OnRestart, SymfonySettings};
pub use table::{SECTIONS, SETTINGS, Section, Setting};
pub use value::{Invalid, Raw, Value};
pub use wamp2::{RealmName, Wamp2Settings};
