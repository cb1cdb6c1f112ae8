//! Rounds, in which the servers take turns.

use std::path::PathBuf;

use crate::Result;
use crate::load::Target;
use crate::peer::{Peer, Places, Running};
use crate::process::{self, Place, pin};
use crate::record::{Record, Records};
use crate::scenario::{Job, Plan, Scenario};

/// Descriptors for what is no client.
const SPARE: usize = 200;

pub(crate) struct Run {
    pub(crate) peers: Vec<Peer>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) rounds: u32,
    pub(crate) plan: Plan,
    pub(crate) places: Places,
    /// How all this was asked for.
    pub(crate) command: String,
}

impl Run {
    /// Measures, and keeps what was found. A server that fails is told of, and the others go on.
    ///
    /// # Errors
    /// If nothing can be measured, or records can't be written.
    pub(crate) fn drive(&self, records: &mut Records) -> Result {
        let descriptors = process::raise_descriptors()?;
        let needed = self.descriptors() as u64;
        if descriptors < needed {
            return Err(format!(
                "{needed} descriptors are needed and {descriptors} allowed: see `ulimit -Hn`, --connections, --crowd"
            )
            .into());
        }
        std::fs::create_dir_all(&self.places.scratch)?;
        if self.plan.pinned {
            pin(Place::Load)?;
        }
        let (machine, command) = (machine(), self.command.clone());
        records.add(&Record::Run { machine, command, pinned: self.plan.pinned })?;
        let mut present = Vec::new();
        for peer in &self.peers {
            let name = peer.name.to_owned();
            match peer.version(&self.places) {
                Ok(version) => {
                    present.push(*peer);
                    records.add(&Record::Peer { name, version })?;
                }
                Err(error) => {
                    eprintln!("{error}");
                    records.add(&Record::Missing { name })?;
                }
            }
        }
        if present.is_empty() {
            return Err("none of the servers is installed".into());
        }
        for round in 1..=self.rounds {
            for scenario in &self.scenarios {
                for peer in present.iter().filter(|peer| peer.does(*scenario)) {
                    self.measure(*peer, *scenario, round, records)?;
                }
            }
        }
        Ok(())
    }

    /// Descriptors that a process needs: one for each client, and some.
    fn descriptors(&self) -> usize {
        let clients = self.scenarios.iter().map(|scenario| match scenario {
            Scenario::Idle => self.plan.connections,
            Scenario::Fairness => self.plan.crowd,
            Scenario::Connect => self.plan.staying,
            _ => self.plan.subscribers,
        });
        clients.max().unwrap_or_default() + SPARE
    }

    fn measure(&self, peer: Peer, scenario: Scenario, round: u32, records: &mut Records) -> Result {
        let mut found = Vec::new();
        let pinned = self.plan.pinned && scenario != Scenario::Cores;
        if self.plan.pinned {
            pin(if pinned { Place::Load } else { Place::Anywhere })?;
        }
        let outcome = Running::start(peer, &self.places, scenario, pinned).and_then(|running| {
            let deflate = scenario == Scenario::Deflate;
            let (protocol, path) = (peer.protocol, peer.path());
            let job = Job {
                target: Target { address: running.address, path, protocol, deflate },
                server: running.processes(),
                plan: Plan { pinned, ..self.plan.within(peer.most()) },
                calls: peer.calls(),
            };
            scenario.run(&job, &mut found)
        });
        for (measure, figures) in found {
            eprintln!("round {round}, {}, {}: {figures}", peer.name, measure.title());
            records.add(&Record::Found { name: peer.name.to_owned(), measure, round, figures })?;
        }
        if let Err(error) = outcome {
            let (name, error) = (peer.name.to_owned(), error.to_string());
            eprintln!("round {round}, {name}, {scenario:?}: {error}");
            records.add(&Record::Failed { name, scenario, round, error })?;
        }
        Ok(())
    }
}

/// What the figures are of.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let model = field(&read("/proc/cpuinfo"), "model name");
    let kernel = read("/proc/sys/kernel/osrelease");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kilobytes: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    format!(
        "{} processors ({model}), Linux {}, {:.0} GiB",
        process::processors(),
        kernel.trim(),
        kilobytes / 1_048_576.0
    )
}

/// The folder for what servers leave, if none is named.
pub(crate) fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("clank-bench-{}", std::process::id()))
}
