//! The threads that application code runs on, and what is done when that code blocks them all.
//!
//! Code that blocks its thread harms nobody as long as other threads are left. When none is left,
//! a probe that is sent ahead of new work is not answered in time; then the work that comes after
//! it gets fresh threads, and the blocked ones are left to themselves.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::sync::{Mutex, lock};

/// Threads that application code has at least: one that blocks shall not stop the others.
const THREADS: usize = 8;
/// How often blocked threads are replaced at most.
const REPLACEMENTS: usize = 16;
/// How long a probe may go unanswered, in milliseconds.
pub(crate) const PATIENCE: u64 = 1_000;

/// The threads that application code runs on.
pub(crate) struct Threads {
    current: Mutex<Handle>,
    /// The runtimes that the server made for itself, the current one last; none if the application
    /// gave its own.
    own: Mutex<Vec<Runtime>>,
    /// When the probe was sent that is not answered yet; zero: none.
    probe: Arc<AtomicU64>,
}

impl Threads {
    /// The application's own threads, or new ones.
    pub(crate) fn new(given: Option<Handle>) -> io::Result<Self> {
        let (current, own) = match given {
            Some(given) => (given, Vec::new()),
            None => {
                let made = make()?;
                (made.handle().clone(), vec![made])
            }
        };
        Ok(Self { current: Mutex::new(current), own: Mutex::new(own), probe: Arc::default() })
    }

    /// The runtime for new work.
    pub(crate) fn handle(&self) -> Handle {
        lock(&self.current).clone()
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.handle().spawn(future)
    }

    /// Sends a probe ahead of new work. `true`: [`check`](Self::check) has to be called
    /// [`PATIENCE`] from `now`.
    pub(crate) fn probe(&self, now: u64) -> bool {
        let now = now.max(1);
        if self.probe.compare_exchange(0, now, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        let probe = Arc::clone(&self.probe);
        self.spawn(async move { probe.store(0, Ordering::Release) });
        true
    }

    /// Looks whether the probe was answered, and if not, lets new work run on new threads.
    pub(crate) fn check(&self, now: u64) {
        let sent = self.probe.load(Ordering::Acquire);
        if sent == 0 || now < sent + PATIENCE {
            return;
        }
        let mut own = lock(&self.own);
        if own.is_empty() || own.len() > REPLACEMENTS {
            tracing::error!("all threads of the application are blocked, and stay so");
        } else {
            match make() {
                Ok(made) => {
                    tracing::error!(
                        replacements = own.len(),
                        "all threads of the application are blocked: it gets new ones"
                    );
                    *lock(&self.current) = made.handle().clone();
                    own.push(made);
                }
                Err(error) => tracing::error!(%error, "all threads of the application are blocked"),
            }
        }
        self.probe.store(0, Ordering::Release);
    }

    /// Ends the threads that the server made; tasks that still run on them are left to themselves.
    pub(crate) fn end(&self) {
        for runtime in lock(&self.own).drain(..) {
            runtime.shutdown_background();
        }
    }
}

fn make() -> io::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.max(THREADS))
        .thread_name("clank-app")
        .enable_all()
        .build()
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_goes_on_when_all_threads_are_blocked() {
        let threads = Threads::new(None).unwrap();
        let count = thread::available_parallelism().map_or(1, usize::from).max(THREADS);
        let (blocked, is_blocked) = mpsc::channel();
        let mut releases = Vec::new();
        for _ in 0..count {
            let (release, released) = mpsc::channel::<()>();
            let blocked = blocked.clone();
            threads.spawn(async move {
                blocked.send(()).unwrap();
                _ = released.recv();
            });
            releases.push(release);
        }
        (0..count).for_each(|_| is_blocked.recv().unwrap());

        assert!(threads.probe(5));
        assert!(!threads.probe(6), "one probe at a time");
        threads.check(5 + PATIENCE - 1);
        threads.check(5 + PATIENCE);
        let (done, is_done) = mpsc::channel();
        threads.spawn(async move { done.send(()).unwrap() });
        is_done.recv_timeout(Duration::from_secs(10)).unwrap();
        drop(releases);
        threads.end();
    }
}
