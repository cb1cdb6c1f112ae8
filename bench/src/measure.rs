//! What is measured, and the figures of one round.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::process::Spent;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    Fanout,
    Burst,
    Topics,
    Call,
    Routed,
    Cycle,
    Accept,
    Plain,
    Deflate,
    Latency,
    Quiet,
    Crowd,
    Idle,
    Subscribed,
    CoreBursts,
    CoreCalls,
}

/// Which of the figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Pieces of work a second, and the server's processor time for each.
    Rate,
    /// How long deliveries take.
    Latency,
    /// Bytes that a connection takes.
    Memory,
    /// The server's processor time for a piece of work, by how many workers it has.
    Workers,
}

impl Measure {
    pub(crate) const ALL: [Self; 16] = [
        Self::Fanout,
        Self::Burst,
        Self::Topics,
        Self::Call,
        Self::Routed,
        Self::Cycle,
        Self::Accept,
        Self::Plain,
        Self::Deflate,
        Self::Latency,
        Self::Quiet,
        Self::Crowd,
        Self::Idle,
        Self::Subscribed,
        Self::CoreBursts,
        Self::CoreCalls,
    ];

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Latency | Self::Quiet | Self::Crowd => Kind::Latency,
            Self::Idle | Self::Subscribed => Kind::Memory,
            Self::CoreBursts | Self::CoreCalls => Kind::Workers,
            _ => Kind::Rate,
        }
    }

    /// What it is, for the row of a table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Fanout => "fan-out, one event at a time",
            Self::Burst => "fan-out, bursts of 16",
            Self::Topics => "topics, each with its own audience",
            Self::Call => "calls to the server",
            Self::Routed => "calls routed to a client",
            Self::Cycle => "connect, welcome, close",
            Self::Accept => "connect and stay",
            Self::Plain => "2 KB of JSON, as it is",
            Self::Deflate => "2 KB of JSON, compressed",
            Self::Latency => "broadcast, 100 a second",
            Self::Quiet => "other topics, quiet server",
            Self::Crowd => "other topics beside a crowd",
            Self::Idle => "idle connection",
            Self::Subscribed => "idle connection with a subscription",
            Self::CoreBursts => "bursts of 16 on 32 topics",
            Self::CoreCalls => "calls to the server, eight at once",
        }
    }
}

/// What a round found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Deliveries, calls or connections.
    pub(crate) units: u64,
    pub(crate) seconds: f64,
    /// Processor time of the server, in seconds.
    pub(crate) server: f64,
    /// Processor time of the load, in seconds.
    pub(crate) load: f64,
    /// The 50th, 99th and 99.9th percentile, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<[f64; 3]>,
    /// Bytes a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<f64>,
    /// Of the deliveries, the share in which the server had to wait for its processor: they are in no
    /// percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<f64>,
    /// The server's memory before, and the most that was seen meanwhile, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<[u64; 2]>,
}

impl Figures {
    pub(crate) fn new(units: u64, spent: Spent) -> Self {
        let Spent { time: seconds, server, load } = spent;
        Self { units, seconds, server, load, ..Self::default() }
    }

    /// Pieces of work a second.
    pub(crate) fn rate(&self) -> f64 {
        self.units as f64 / self.seconds
    }

    /// The server's processor time for a piece of work, in microseconds.
    pub(crate) fn cost(&self) -> f64 {
        self.server * 1e6 / self.units as f64
    }

    /// The share of a processor that the server had.
    pub(crate) fn utilisation(&self) -> f64 {
        self.server / self.seconds
    }

    /// The share of a processor that the load took.
    pub(crate) fn load_utilisation(&self) -> f64 {
        self.load / self.seconds
    }
}

/// What whoever waits for the end of a run is shown of a round.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.latency, self.bytes) {
            (Some([p50, p99, p999]), _) => write!(f, "{p50:.0} / {p99:.0} / {p999:.0} µs")?,
            (None, Some(bytes)) => write!(f, "{bytes:.0} bytes")?,
            (None, None) => write!(f, "{:.0} a second, {:.3} µs each", self.rate(), self.cost())?,
        }
        write!(f, "; server at {:.2}, load at {:.2}", self.utilisation(), self.load_utilisation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_shown_by_what_it_is_about() {
        let rate = || Figures { units: 500_000, seconds: 2.0, server: 1.9, load: 1.0, ..Figures::default() };
        let latency = Figures { latency: Some([5000.0, 15_000.0, 2e4]), ..rate() };
        let memory = Figures { bytes: Some(917.4), ..rate() };
        for (figures, text) in [
            (rate(), "250000 a second, 3.800 µs each; server at 0.95, load at 0.50"),
            (latency, "5000 / 15000 / 20000 µs; server at 0.95, load at 0.50"),
            (memory, "917 bytes; server at 0.95, load at 0.50"),
        ] {
            assert_eq!(figures.to_string(), text);
        }
    }
}
