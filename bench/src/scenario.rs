//! What servers are asked to do while they are measured.

mod broadcast;
mod connect;
mod cores;
mod fairness;
mod fanout;
mod idle;
mod latency;
mod pace;
mod rpc;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::load::{Load, Target};
use crate::measure::{Figures, Measure};
use crate::process::Processes;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Memory of connections that do nothing, without and with a subscription.
    Idle,
    /// 128 bytes to 1,000 subscribers of one topic, one at a time and in bursts of 16.
    Fanout,
    /// 100 topics with 10 subscribers each, an event under way on each of them.
    Topics,
    /// Calls from 100 clients, 8 of each under way: to the server, and to a client.
    Rpc,
    /// Clients that connect, are welcomed and go, and clients that connect and stay.
    Connect,
    /// A broadcast to 1,000 subscribers, 100 times a second, whatever the server makes of it.
    Latency,
    /// 2 KB of JSON to 1,000 subscribers, as it is and compressed.
    Deflate,
    /// Latency of other topics while one topic fans out to 19,000 subscribers without a pause.
    Fairness,
    /// Bursts on many topics and calls, where server and load share all processors.
    Cores,
}

impl Scenario {
    pub(crate) const ALL: [Self; 9] = [
        Self::Fanout,
        Self::Topics,
        Self::Rpc,
        Self::Connect,
        Self::Deflate,
        Self::Latency,
        Self::Fairness,
        Self::Idle,
        Self::Cores,
    ];

    /// Measures a server. What was found is added to `found` as soon as it is known.
    ///
    /// # Errors
    /// If the server leaves, doesn't answer, or a delivery is lost, out of order or in the wrong place.
    pub(crate) fn run(self, job: &Job<'_>, found: &mut Vec<(Measure, Figures)>) -> Result {
        match self {
            Self::Idle => idle::run(job, found),
            Self::Fanout => fanout::run(
                job,
                &[(Measure::Fanout, fanout::ONE_TOPIC), (Measure::Burst, fanout::BURSTS)],
                found,
            ),
            Self::Topics => fanout::run(job, &[(Measure::Topics, fanout::MANY_TOPICS)], found),
            Self::Deflate => {
                let plain = Job { target: Target { deflate: false, ..job.target }, ..*job };
                fanout::run(&plain, &[(Measure::Plain, fanout::DOCUMENTS)], found)?;
                fanout::run(job, &[(Measure::Deflate, fanout::DOCUMENTS)], found)
            }
            Self::Rpc => rpc::run(job, found),
            Self::Connect => connect::run(job, found),
            Self::Latency => latency::run(job, found),
            Self::Fairness => fairness::run(job, found),
            Self::Cores => cores::run(job, found),
        }
    }
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Idle connections.
    pub(crate) connections: usize,
    pub(crate) subscribers: usize,
    /// Subscribers of the one topic, where fairness is measured.
    pub(crate) crowd: usize,
    pub(crate) callers: usize,
    /// Connections that stay, where connecting is measured.
    pub(crate) staying: usize,
    /// How long a part of a round takes, without what comes before and after.
    pub(crate) time: Duration,
    /// Whether the load has a processor of its own, on which it may wait without sleeping.
    pub(crate) pinned: bool,
}

impl Plan {
    /// The plan for a server that can't have more than so many clients.
    pub(crate) fn within(self, most: usize) -> Self {
        Self {
            connections: self.connections.min(most),
            subscribers: self.subscribers.min(most),
            crowd: self.crowd.min(most),
            staying: self.staying.min(most),
            ..self
        }
    }

    fn warm_up(&self) -> Duration {
        self.time / 4
    }
}

/// A server to be measured.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) target: Target<'a>,
    pub(crate) server: Processes,
    pub(crate) plan: Plan,
    /// Whether the server has a procedure, and whether its clients can offer one.
    pub(crate) calls: Calls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) served: bool,
    pub(crate) routed: bool,
}

impl<'a> Job<'a> {
    /// A load of which each turn looks at many connections.
    fn load(&self) -> Result<Load<'a>> {
        Load::new(self.target, 1024)
    }
}
