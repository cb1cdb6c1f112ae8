//! What the system says of the server's processes, and where they run.

use std::fs;
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// The server: a process and its children, such as Crossbar has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    pub(crate) root: u32,
}

impl Processes {
    /// The ids of all of them, the root first.
    pub(crate) fn ids(self) -> Vec<u32> {
        let mut ids = vec![self.root];
        let parents: Vec<(u32, u32)> = all().filter_map(|id| Some((id, stat(id)?.parent))).collect();
        let mut next = 0;
        while let Some(&parent) = ids.get(next) {
            ids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| id));
            next += 1;
        }
        ids
    }

    /// Processor time of all their threads.
    pub(crate) fn cpu(self) -> Duration {
        let ticks: u64 = self.ids().into_iter().filter_map(stat).map(|stat| stat.ticks).sum();
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Their memory in bytes, of shared pages their part (PSS).
    ///
    /// # Errors
    /// If the system doesn't tell.
    pub(crate) fn memory(self) -> Result<u64> {
        let mut kilobytes = 0;
        for id in self.ids() {
            let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))
                .map_err(|error| format!("can't read the memory of process {id}: {error}"))?;
            kilobytes += field(&text, "Pss:").ok_or("the system tells no PSS")?;
        }
        Ok(kilobytes * 1024)
    }
}

/// When a process began: with its id it names the process, for ids are used again.
pub(crate) fn begun(id: u32) -> Option<u64> {
    stat(id).map(|stat| stat.begun)
}

/// A moment: how much had been spent until then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    server: Duration,
    load: Duration,
}

/// What passed between two moments, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) time: f64,
    pub(crate) server: f64,
    pub(crate) load: f64,
}

impl Moment {
    pub(crate) fn now(server: Processes) -> Self {
        let own = clock_gettime(ClockId::ProcessCPUTime);
        let load = Duration::new(own.tv_sec.unsigned_abs(), own.tv_nsec as u32);
        Self { server: server.cpu(), load, at: Instant::now() }
    }

    pub(crate) fn until_now(self, server: Processes) -> Spent {
        let now = Self::now(server);
        Spent {
            time: (now.at - self.at).as_secs_f64(),
            server: now.server.saturating_sub(self.server).as_secs_f64(),
            load: now.load.saturating_sub(self.load).as_secs_f64(),
        }
    }
}

/// Which processors this thread, and the processes that it starts, may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first one.
    Server,
    /// The last one.
    Load,
    /// All of them.
    Anywhere,
}

/// # Errors
/// If there is only one processor, or the system refuses.
#[cfg(target_os = "linux")]
pub(crate) fn pin(place: Place) -> Result {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let count = std::thread::available_parallelism()?.get().max(processors());
    if count < 2 {
        return Err("server and load need a processor each; use --nopin".into());
    }
    let mut set = CpuSet::new();
    match place {
        Place::Server => set.set(0),
        Place::Load => set.set(count - 1),
        Place::Anywhere => (0..count).for_each(|processor| set.set(processor)),
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// # Errors
/// Always: this system lets nobody choose.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_: Place) -> Result {
    Err("processors can't be chosen on this system; use --nopin".into())
}

/// When the system lets a thread run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precedence {
    /// Before all others, which takes root or `CAP_SYS_NICE`.
    First,
    /// When nobody else wants the processor.
    Last,
}

impl Precedence {
    /// Gives it to the thread that calls, and to no other. One that may not go first is told of, and stays
    /// as it is.
    ///
    /// # Errors
    /// If there is no `chrt`, of util-linux.
    pub(crate) fn take(self) -> Result {
        static TOLD: Once = Once::new();
        let policy = match self {
            Self::First => ["--fifo", "--pid", "50"],
            Self::Last => ["--idle", "--pid", "0"],
        };
        let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
        let mut chrt = Command::new("chrt");
        let output = chrt.args(policy).arg(thread).output().map_err(|error| format!("chrt: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            TOLD.call_once(|| eprintln!("the load can't have real-time priority: {said}"));
        }
        Ok(())
    }
}

/// The number of processors, whatever this thread may use.
pub(crate) fn processors() -> usize {
    fs::read_to_string("/proc/cpuinfo").map_or(1, |text| text.matches("processor\t").count())
}

/// Raises the limit on descriptors as far as it goes, and returns it.
pub(crate) fn raise_descriptors() -> Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// What is of interest in `/proc/ID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
    begun: u64,
}

fn stat(id: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The name, in parentheses, may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat { parent: number(1)? as u32, ticks: number(11)? + number(12)?, begun: number(19)? })
}

fn all() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let line = "7 (a) b) S 3 7 7 0 -1 0 1 0 0 0 11 5 0 0 20 0 1 0 991 1 2";
        assert_eq!(parse_stat(line), Some(Stat { parent: 3, ticks: 16, begun: 991 }));
        assert_eq!(parse_stat("7 (a) S 3"), None);
    }

    #[test]
    fn this_process_is_found_with_its_child() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let own = Processes { root: std::process::id() };
        let ids = own.ids();
        assert!(ids.first() == Some(&own.root) && ids.contains(&child.id()));
        assert!(own.memory().unwrap() > 100_000);
        assert!(begun(child.id()) >= begun(own.root));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(begun(child.id()), None);
    }

    #[test]
    fn time_that_is_spent_is_seen() {
        let own = Processes { root: std::process::id() };
        let before = Moment::now(own);
        let mut turns = 0u64;
        while before.at.elapsed() < Duration::from_millis(60) {
            turns = std::hint::black_box(turns + 1);
        }
        let Spent { time, load, .. } = before.until_now(own);
        // The clocks are read one after the other.
        assert!(time >= 0.06 && load > 0.0 && load <= time + 0.01, "{load} of {time} seconds");
    }
}
