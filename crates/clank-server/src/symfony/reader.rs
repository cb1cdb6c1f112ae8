//! What a worker says, heard to its end.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::bridge::Bridge;
use super::commands::Aside;
use super::frame::Frames;
use super::said::Died;
use super::watch::MOST;

/// Hears a worker out.
pub(super) struct Reader {
    task: JoinHandle<Words>,
    files: watch::Receiver<Arc<[PathBuf]>>,
}

/// What a worker said last.
#[derive(Default)]
pub(super) struct Words {
    /// That it ends, and why.
    pub died: Option<Died>,
    /// What can't be from a worker that is in order.
    pub broken: Option<String>,
}

impl Reader {
    pub(super) fn start(bridge: &Arc<Bridge>, number: usize, frames: Frames<OwnedReadHalf>) -> Self {
        let (watched, files) = watch::channel(Arc::default());
        Self { task: tokio::spawn(hear(Arc::clone(bridge), number, frames, watched)), files }
    }

    /// Waits until it says nothing any more. To be called until it returns, and not again.
    pub(super) async fn ended(&mut self) -> Words {
        (&mut self.task).await.unwrap_or_default()
    }

    /// The files whose change asks for a new worker.
    pub(super) fn files(&self) -> Arc<[PathBuf]> {
        Arc::clone(&self.files.borrow())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Each file is told of once.
fn add(files: &mut Arc<[PathBuf]>, more: Vec<PathBuf>) {
    *files = files.iter().cloned().chain(more).take(MOST).collect();
}

async fn hear(
    bridge: Arc<Bridge>,
    number: usize,
    mut frames: Frames<OwnedReadHalf>,
    watched: watch::Sender<Arc<[PathBuf]>>,
) -> Words {
    let mut words = Words::default();
    let Some(slot) = bridge.slots.get(number) else { return words };
    loop {
        let heard = match frames.next().await {
            Ok(Some(frame)) => bridge.obey(slot, &frame),
            Ok(None) => return words,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return words,
            // It was killed while it wrote.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return words,
            Err(error) => Err(error.to_string()),
        };
        match heard {
            Ok(None) => {}
            Ok(Some(Aside::Died(died))) => words.died = Some(died),
            Ok(Some(Aside::Watch(more))) => watched.send_modify(|files| add(files, more)),
            Err(why) => {
                words.broken = Some(why);
                return words;
            }
        }
        // One that never stops talking does not keep others from being served.
        tokio::task::coop::consume_budget().await;
    }
}
