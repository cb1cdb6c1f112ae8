//! What is kept of a run: a line of JSON for each thing that was found, so that runs add up.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::measure::{Figures, Measure};
use crate::peer::Peer;
use crate::scenario::Scenario;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    Run { machine: String, command: String, pinned: bool },
    Peer { name: String, version: String },
    Missing { name: String },
    Found { name: String, measure: Measure, round: u32, figures: Figures },
    Failed { name: String, scenario: Scenario, round: u32, error: String },
}

/// A file of records.
pub(crate) struct Records {
    file: File,
}

impl Records {
    /// Opens a file; what is in it stays only if `add` says so.
    pub(crate) fn open(path: &Path, add: bool) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).append(add).truncate(!add);
        let file = options.open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file })
    }

    pub(crate) fn add(&mut self, record: &Record) -> Result {
        let line = serde_json::to_string(record)? + "\n";
        Ok(self.file.write_all(line.as_bytes())?)
    }

    pub(crate) fn read(path: &Path) -> Result<Vec<Record>> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let records = text.lines().enumerate().map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("{}, line {}: {error}", path.display(), number + 1).into())
        });
        records.collect()
    }
}

/// Whom a name stands for in a report.
pub(crate) fn title(name: &str) -> &str {
    Peer::from_name(name).map_or(name, |peer| peer.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let path = std::env::temp_dir().join(format!("clank-bench-records-{}", std::process::id()));
        let (name, figures) = ("clank".to_owned(), Figures { units: 3, seconds: 0.5, ..Figures::default() });
        let found = Record::Found { name: name.clone(), measure: Measure::Burst, round: 2, figures };
        let missing = Record::Missing { name };
        Records::open(&path, false).unwrap().add(&missing).unwrap();
        Records::open(&path, true).unwrap().add(&found).unwrap();
        assert_eq!(Records::read(&path).unwrap(), [missing.clone(), found]);
        Records::open(&path, false).unwrap().add(&missing).unwrap();
        assert_eq!(Records::read(&path).unwrap(), [missing]);
        std::fs::write(&path, "{}\n").unwrap();
        assert!(Records::read(&path).unwrap_err().to_string().contains("line 1"));
        std::fs::remove_file(path).unwrap();
    }
}
