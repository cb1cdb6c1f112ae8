//! The names of all sinks that have been here: the witness of a state that is lost.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::options::SinkName;

const FILE: &str = "sinks.json";

pub(super) struct Names {
    path: PathBuf,
    names: BTreeSet<Box<str>>,
}

impl Names {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        let names = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, names })
    }

    /// Whether it was not there yet. When it returns, it is there durably.
    pub(super) fn add(&mut self, sink: &SinkName) -> io::Result<bool> {
        let is_new = self.names.insert(sink.as_str().into());
        if is_new {
            self.write()?;
        }
        Ok(is_new)
    }

    pub(super) fn remove(&mut self, sink: &SinkName) -> io::Result<()> {
        if self.names.remove(sink.as_str()) { self.write() } else { Ok(()) }
    }

    fn write(&self) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(&self.names)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}
