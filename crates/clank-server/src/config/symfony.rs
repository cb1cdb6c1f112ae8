//! `[symfony]`: an application of PHP that the server runs.

use clank_core::limits::{Count, GIB, HOUR, MINUTE, Period, SECOND, Size};

use super::api::OptionalPath;
use super::settings::choices;
use super::sinks::Text;
use super::value::Choice;

const DAY: u64 = 24 * HOUR;

/// `[symfony]`: an application of PHP that the server runs.
#[derive(Clone, Debug, PartialEq)]
pub struct SymfonySettings {
    /// The application's directory, or the file of its kernel; none: the server runs no application.
    pub app: OptionalPath,
    /// The program that runs PHP.
    pub php: Text,
    /// The bundle's directory, where it is not to be the program's own.
    pub bundle: OptionalPath,
    /// The environment; empty: what the application itself says.
    pub env: Text,
    /// Whether it may run in debug mode.
    pub debug: bool,
    /// Whether a change of the application's files begins it anew, in debug mode.
    pub watch: bool,
    /// Time in which it has to start.
    pub boot_timeout: Period<100, HOUR>,
    /// Time that it may take over one thing.
    pub timeout: Period<10, { 30 * MINUTE }>,
    /// Time for which a call waits until it is begun.
    pub wait: Period<0, { 10 * MINUTE }>,
    /// Calls, publications and handshakes that wait.
    pub queue: Count<1, 1_000_000>,
    /// Resident bytes past which the worker is replaced; 0: it is not.
    pub max_memory: Size<0, { 1024 * GIB }>,
    /// Requests after which it is replaced; 0: it is not.
    pub max_requests: Count<0, 1_000_000_000>,
    /// Age at which it is replaced; 0: it is not.
    pub max_age: Period<0, { 365 * DAY }>,
    /// What becomes of the clients of a worker that is replaced.
    pub on_restart: OnRestart,
    /// Whether an event of which a worker died is told again.
    pub retry: bool,
    /// Whether any worker may serve any connection.
    pub stateless: bool,
    /// How many workers there are.
    pub workers: Count<1, 256>,
}

impl Default for SymfonySettings {
    fn default() -> Self {
        Self {
            app: OptionalPath::default(),
            php: Text::of("php"),
            bundle: OptionalPath::default(),
            env: Text::default(),
            debug: true,
            watch: true,
            boot_timeout: Period::of(30 * SECOND),
            timeout: Period::of(30 * SECOND),
            wait: Period::of(30 * SECOND),
            queue: Count::of(10_000),
            max_memory: Size::of(GIB),
            max_requests: Count::of(0),
            max_age: Period::of(0),
            on_restart: OnRestart::ReplayConnected,
            retry: false,
            stateless: false,
            workers: Count::of(1),
        }
    }
}

choices! {
    /// What becomes of the clients of a worker that is replaced.
    OnRestart {
        /// The new worker knows them, and its listeners are told again that they are connected.
        ReplayConnected "replay_connected"
        /// The new worker knows them, with the scalars that the old one had hung on them.
        Snapshot "snapshot"
        /// They are disconnected.
        DisconnectClients "disconnect_clients"
    }
}
