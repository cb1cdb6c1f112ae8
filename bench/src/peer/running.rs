//! A server while it runs.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Peer, Places};
use crate::Result;
use crate::process::{Place, Processes, begun, pin};
use crate::scenario::Scenario;

/// How long a server may take until it listens: Crossbar takes some.
const STARTING: Duration = Duration::from_secs(60);
/// How long it may take to stop, before it is killed.
const STOPPING: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// It is stopped when it is dropped, with all that it has started.
pub(crate) struct Running {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts a server, on a processor of its own if `pinned`, and waits until it listens.
    ///
    /// # Errors
    /// If it can't be started, or ends.
    pub(crate) fn start(peer: Peer, places: &Places, scenario: Scenario, pinned: bool) -> Result<Self> {
        // A port that is free now may be taken until the server asks for it; then it says so and ends.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = places.scratch.join(format!("{}.log", peer.name));
        let output = File::create(&log)?;
        let mut command = peer.command(places, port, scenario)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        if pinned {
            pin(Place::Server)?;
        }
        let process = command.spawn();
        if pinned {
            pin(Place::Load)?;
        }
        let process = process.map_err(|error| format!("can't start {command:?}: {error}"))?;
        let mut running = Self { process, address: (Ipv4Addr::LOCALHOST, port).into() };
        let begun = Instant::now();
        while TcpStream::connect(running.address).is_err() {
            if let Some(status) = running.process.try_wait()? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default();
                return Err(format!("{} ended ({status}): {last}", peer.title).into());
            }
            if begun.elapsed() > STARTING {
                return Err(format!("{} doesn't listen after {STARTING:?}", peer.title).into());
            }
            pause();
        }
        Ok(running)
    }

    pub(crate) fn processes(&self) -> Processes {
        Processes { root: self.process.id() }
    }

    /// Whether the process is still there.
    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Children may outlive their parent.
        let all: Vec<(u32, Option<u64>)> =
            self.processes().ids().into_iter().map(|id| (id, begun(id))).collect();
        // While nobody has waited for it, its id can't be another's.
        if !self.has_ended() {
            _ = pid(self.process.id()).map(|id| kill_process(id, Signal::TERM));
        }
        let asked = Instant::now();
        while !self.has_ended() && asked.elapsed() < STOPPING {
            pause();
        }
        for (id, begun_then) in all {
            if begun_then.is_some() && begun(id) == begun_then {
                _ = pid(id).map(|id| kill_process(id, Signal::KILL));
            }
        }
        _ = self.process.wait();
    }
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(id.cast_signed())
}

#[expect(clippy::disallowed_methods, reason = "another process can't be waited for otherwise")]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn nothing_that_was_started_outlives_it() {
        let script = "sleep 600 & echo $!; wait";
        let mut process = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(process.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let child: u32 = line.trim().parse().unwrap();
        let running = Running { process, address: (Ipv4Addr::LOCALHOST, 1).into() };
        let root = running.processes().root;
        assert!(running.processes().ids().contains(&child));
        drop(running);
        for id in [root, child] {
            let deadline = Instant::now() + STOPPING;
            while std::fs::read_to_string(format!("/proc/{id}/cmdline"))
                .is_ok_and(|line| line.contains("sleep"))
            {
                assert!(Instant::now() < deadline, "process {id} is still there");
                pause();
            }
        }
    }
}
