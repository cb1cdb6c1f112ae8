//! A file of JSON lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::delivery::{Delivery, Outcome, Sink};

/// How a [`FileSink`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// The file. Older ones lie beside it, as `<file>.1`, `<file>.2` and so on.
    pub path: PathBuf,
    /// The size past which a new file is begun.
    pub max_bytes: u64,
    /// How many older files are kept.
    pub keep: usize,
    /// Whether a line is on the disk before it counts as delivered.
    pub sync: bool,
}

impl FileOptions {
    /// Files of 64 MiB, ten of them beside the current one, each line synced.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: 64 * 1024 * 1024, keep: 10, sync: true }
    }
}

/// Writes each event as a line of JSON.
///
/// A line is never half there: what a crash has cut off is removed when the file is opened again,
/// and the event comes again.
#[derive(Debug)]
pub struct FileSink {
    lines: Arc<Mutex<Lines>>,
}

impl FileSink {
    /// A sink that opens its file with the first event.
    pub fn new(options: FileOptions) -> Self {
        Self { lines: Arc::new(Mutex::new(Lines { options, open: None })) }
    }
}

impl Sink for FileSink {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let records: Vec<Bytes> = batch.iter().map(Delivery::json).collect();
        let lines = Arc::clone(&self.lines);
        let written = tokio::task::spawn_blocking(move || {
            let mut lines = lines.lock().map_err(|_| io::Error::other("a write has panicked"))?;
            lines.write(&records)
        });
        match written.await.map_err(io::Error::other).flatten() {
            Ok(()) => Outcome::ACKED,
            Err(error) => Outcome::failing(error.to_string()),
        }
    }
}

#[derive(Debug)]
struct Lines {
    options: FileOptions,
    /// The file and its size; none after a failure, when its tail is not to be trusted.
    open: Option<(File, u64)>,
}

impl Lines {
    fn write(&mut self, records: &[Bytes]) -> io::Result<()> {
        let (mut file, size) = match self.open.take() {
            Some(open) => open,
            None => open(&self.options.path)?,
        };
        let mut block = Vec::with_capacity(records.iter().map(|record| record.len() + 1).sum());
        for record in records {
            block.extend_from_slice(record);
            block.push(b'\n');
        }
        file.write_all(&block)?;
        if self.options.sync {
            file.sync_data()?;
        }
        let size = size + block.len() as u64;
        if size >= self.options.max_bytes {
            self.rotate()?;
        } else {
            self.open = Some((file, size));
        }
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        let path = &self.options.path;
        for number in (1..self.options.keep).rev() {
            rename(&numbered(path, number), &numbered(path, number + 1))?;
        }
        if self.options.keep > 0 {
            rename(path, &numbered(path, 1))?;
        } else {
            fs::remove_file(path)?;
        }
        sync_folder(path)
    }
}

/// Opens a file behind its last whole line.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let size = whole_lines(&mut file)?;
    file.set_len(size)?;
    sync_folder(path)?;
    Ok((file, size))
}

/// The end of the last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(begin))?;
        let mut block = Vec::new();
        BufReader::new(&*file).take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// A name is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::delivery::testing::{Folder, delivery};

    fn lines(path: &Path) -> Vec<String> {
        fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn each_event_is_a_line_and_what_a_crash_cut_off_is_removed() {
        let folder = Folder::new();
        let path = folder.0.join("events").join("log.jsonl");
        let sink = FileSink::new(FileOptions::new(&path));
        assert_eq!(sink.deliver(&[delivery(1), delivery(2)]).await, Outcome::ACKED);
        let whole = lines(&path);
        assert_eq!(whole.len(), 2);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"half").unwrap();
        let sink = FileSink::new(FileOptions::new(&path));
        assert_eq!(sink.deliver(&[delivery(3)]).await, Outcome::ACKED);
        let after = lines(&path);
        assert_eq!((&after[..2], after.len()), (&whole[..], 3));
        assert!(after.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[tokio::test]
    async fn files_are_begun_anew_past_their_size_and_the_oldest_go() {
        let folder = Folder::new();
        let path = folder.0.join("log.jsonl");
        let options = FileOptions { max_bytes: 1, keep: 2, ..FileOptions::new(&path) };
        let sink = FileSink::new(options);
        for position in 1..=5 {
            assert_eq!(sink.deliver(&[delivery(position)]).await, Outcome::ACKED);
        }
        let id = |path: &Path| lines(path).first().cloned().unwrap_or_default();
        assert_eq!(id(&numbered(&path, 1)).as_bytes(), &delivery(5).json()[..]);
        assert_eq!(id(&numbered(&path, 2)).as_bytes(), &delivery(4).json()[..]);
        assert!(!numbered(&path, 3).exists());
    }

    #[tokio::test]
    async fn a_disk_that_fails_makes_a_failing_sink() {
        let folder = Folder::new();
        let sink = FileSink::new(FileOptions::new(&folder.0));
        assert!(matches!(sink.deliver(&[delivery(1)]).await, Outcome::All(_)));
        assert_ne!(sink.deliver(&[delivery(1)]).await, Outcome::ACKED);
    }
}
