//! The log of a server's lifecycle events, and what always holds of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clank::Record;
use serde_json::Value;

use super::eventually;

/// All records so far, as JSON. Clones share them.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Records>>);

#[derive(Default)]
struct Records {
    all: Vec<Value>,
    /// The ids of the records that a wait has found.
    found: Vec<String>,
}

impl Log {
    pub fn push(&self, record: &Record) {
        self.0.lock().unwrap().all.push(serde_json::to_value(record).unwrap());
    }

    pub fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().all.clone()
    }

    /// The records of one connection.
    pub fn of(&self, resource_id: u64) -> Vec<Value> {
        self.all().into_iter().filter(|record| record["resource_id"] == resource_id).collect()
    }

    /// The records of one type.
    pub fn every(&self, kind: &str) -> Vec<Value> {
        self.all().into_iter().filter(|record| record["type"] == kind).collect()
    }

    /// Waits for the first record of the type that no earlier wait has found.
    pub fn wait_for(&self, kind: &str) -> Value {
        eventually(kind, || {
            let mut records = self.0.lock().unwrap();
            let is_new = |record: &&Value| {
                let id = record["id"].as_str().unwrap();
                record["type"] == kind && !records.found.iter().any(|found| found == id)
            };
            let record = records.all.iter().find(is_new).cloned()?;
            records.found.push(record["id"].as_str().unwrap().to_owned());
            Some(record)
        })
    }

    /// Checks what holds of every connection that is gone: `connected` is first, `disconnected` is
    /// last, each is there once, the sequence rises, and an error that ended it comes before its
    /// end.
    pub fn check(&self) {
        let mut connections: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for record in self.all() {
            if let Some(id) = record["resource_id"].as_u64() {
                connections.entry(id).or_default().push(record);
            }
        }
        for (id, records) in connections {
            let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
            let count = |kind: &str| types.iter().filter(|known| **known == kind).count();
            assert_eq!(types.first(), Some(&"clank.client.connected"), "{id}: {types:?}");
            assert_eq!(types.last(), Some(&"clank.client.disconnected"), "{id}: {types:?}");
            assert_eq!(count("clank.client.connected"), 1, "{id}: {types:?}");
            assert_eq!(count("clank.client.disconnected"), 1, "{id}: {types:?}");
            let sequence: Vec<u64> =
                records.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
            assert_eq!(sequence[0], 1, "{id}");
            assert!(sequence.is_sorted_by(|a, b| a < b), "{id}: {sequence:?}");
        }
    }
}
