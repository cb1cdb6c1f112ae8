//! What listeners have still to be told of that belongs to no open connection.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use tokio::runtime::{Handle, Id};

use super::sync::{Mutex, lock};
use crate::hooks::BoxFuture;

/// Notices that may wait: a flood of clients that are refused makes more of them than listeners
/// may keep up with.
const NOTICES: usize = 1024;

/// What listeners have still to be told of, one thing after another, by one task that is there
/// only while something waits.
#[derive(Default)]
pub(crate) struct Notices(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    queue: VecDeque<BoxFuture<()>>,
    /// Where a task is at work on the queue.
    told_on: Option<Id>,
    /// Notices for which there was no room since the queue was last empty.
    dropped: u64,
}

impl Notices {
    /// Has `tell` driven to its end on `runtime`, after all that waits already. Where too much
    /// waits it is dropped, which is counted and logged.
    pub(crate) fn push(&self, tell: BoxFuture<()>, runtime: &Handle) {
        let told_before = {
            let mut waiting = lock(&self.0);
            if waiting.queue.len() >= NOTICES {
                if waiting.dropped == 0 {
                    tracing::warn!("listeners are told more than they keep up with: the rest is dropped");
                }
                waiting.dropped += 1;
                return;
            }
            waiting.queue.push_back(tell);
            waiting.told_on.replace(runtime.id())
        };
        // When all threads were blocked there are new ones: the task on the old ones may be stuck.
        if told_before != Some(runtime.id()) {
            let teller = Teller { notices: Arc::clone(&self.0), runtime: Some(runtime.id()) };
            runtime.spawn(teller.tell_all());
        }
    }
}

/// The task that is at work on the queue.
struct Teller {
    notices: Arc<Mutex<Waiting>>,
    /// `None` once it has found the queue empty.
    runtime: Option<Id>,
}

impl Teller {
    async fn tell_all(mut self) {
        while let Some(tell) = self.next() {
            tell.await;
        }
    }

    fn next(&mut self) -> Option<BoxFuture<()>> {
        let mut waiting = lock(&self.notices);
        let next = waiting.queue.pop_front();
        if next.is_none() {
            waiting.told_on.take_if(|told_on| self.runtime == Some(*told_on));
            self.runtime = None;
            let dropped = mem::take(&mut waiting.dropped);
            if dropped > 0 {
                tracing::warn!(dropped, "listeners have not been told of all: there was too much of it");
            }
        }
        next
    }
}

impl Drop for Teller {
    /// Its runtime has ended before it has: so has the server, of which notices keep hold.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime else { return };
        let mut waiting = lock(&self.notices);
        if waiting.told_on.take_if(|told_on| *told_on == runtime).is_some() {
            let abandoned = mem::take(&mut waiting.queue);
            // Application code is dropped with them, which may come back here.
            drop(waiting);
            drop(abandoned);
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::oneshot;

    use super::*;

    /// A notice that waits to be told, and another that holds the task until it is released.
    fn notice(told: &Arc<AtomicUsize>) -> BoxFuture<()> {
        let told = Arc::clone(told);
        Box::pin(async move { _ = told.fetch_add(1, Ordering::Relaxed) })
    }

    fn held() -> (oneshot::Sender<()>, BoxFuture<()>) {
        let (release, released) = oneshot::channel();
        (release, Box::pin(async move { _ = released.await }))
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// Runs the runtime's tasks until none is left.
    fn finish(runtime: &Runtime) {
        runtime.block_on(async {
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn only_so_many_wait_and_one_task_tells_them() {
        let (notices, told, runtime) = (Notices::default(), Arc::default(), runtime());
        let (release, hold) = held();
        notices.push(hold, runtime.handle());
        runtime.block_on(tokio::task::yield_now());
        for _ in 0..NOTICES + 5 {
            notices.push(notice(&told), runtime.handle());
        }
        assert_eq!(lock(&notices.0).dropped, 5);
        assert_eq!(runtime.metrics().num_alive_tasks(), 1);
        release.send(()).unwrap();
        finish(&runtime);
        assert_eq!(told.load(Ordering::Relaxed), NOTICES);
        assert_eq!(lock(&notices.0).dropped, 0, "it is said once");
        // The next finds room, and a task.
        notices.push(notice(&told), runtime.handle());
        finish(&runtime);
        assert_eq!(told.load(Ordering::Relaxed), NOTICES + 1);
    }

    #[test]
    fn new_threads_go_on_where_blocked_ones_are_stuck() {
        let (notices, told) = (Notices::default(), Arc::default());
        // Nobody runs its tasks.
        let (blocked, fresh) = (runtime(), runtime());
        notices.push(notice(&told), blocked.handle());
        notices.push(notice(&told), fresh.handle());
        drop(blocked);
        finish(&fresh);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn nothing_is_kept_of_what_an_ended_runtime_was_to_tell() {
        let (notices, told) = (Notices::default(), Arc::default());
        let ended = runtime();
        let handle = ended.handle().clone();
        notices.push(notice(&told), &handle);
        drop(ended);
        notices.push(notice(&told), &handle);
        assert_eq!((Arc::strong_count(&told), told.load(Ordering::Relaxed)), (1, 0));
        assert!(lock(&notices.0).told_on.is_none());
    }
}
