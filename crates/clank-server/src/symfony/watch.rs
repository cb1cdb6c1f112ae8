//! Files whose change asks for a new worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Files that are looked at.
pub(super) const MOST: usize = 20_000;

/// When files were changed.
#[derive(Default)]
pub(super) struct Watch {
    changed: Vec<Option<SystemTime>>,
}

impl Watch {
    /// Whether one of the files was changed since the last look, or is gone. There may be more files
    /// than at the last look, behind the others: those have not been.
    pub(super) async fn look(&mut self, files: Arc<[PathBuf]>) -> bool {
        if files.is_empty() {
            return false;
        }
        // A disk may take its time, and workers don't wait for it.
        let now = tokio::task::spawn_blocking(move || times(&files)).await.unwrap_or_default();
        let before = std::mem::replace(&mut self.changed, now);
        before.iter().zip(&self.changed).any(|(before, now)| before != now)
    }
}

fn times(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    let time = |file: &PathBuf| std::fs::metadata(file).and_then(|file| file.modified()).ok();
    files.iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_change_is_noticed_once() {
        let file = std::env::temp_dir().join(format!("clank-watch-{}", std::process::id()));
        let opened = File::create(&file).unwrap();
        let files: Arc<[PathBuf]> = [file.clone()].into();
        let mut watch = Watch::default();
        assert!(!watch.look(Arc::default()).await);
        assert!(!watch.look(Arc::clone(&files)).await, "it is seen for the first time");
        assert!(!watch.look(Arc::clone(&files)).await);
        opened.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(watch.look(Arc::clone(&files)).await);
        assert!(!watch.look(Arc::clone(&files)).await);
        std::fs::remove_file(&file).unwrap();
        assert!(watch.look(Arc::clone(&files)).await, "it is gone");
    }
}
