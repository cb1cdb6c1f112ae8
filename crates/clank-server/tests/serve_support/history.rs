//! A checker of histories: it reads what clients, and a receiver of events, have seen, and looks for
//! what must never be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// The header by which clients are told apart in records.
pub const HEADER: &str = "x-client";

/// What must never be.
#[derive(Debug, Default)]
pub struct Violations(pub Vec<String>);

impl Violations {
    fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Fails the test if there are any.
    pub fn assert_none(&self) {
        let some: Vec<&String> = self.0.iter().take(12).collect();
        assert!(self.0.is_empty(), "{} violations: {some:#?}", self.0.len());
    }
}

/// What a receiver was sent, in the order in which it came: records, with the marks of their delivery.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub deliveries: Vec<Value>,
}

/// One connection's records, the first delivery of each.
type Connection<'a> = Vec<&'a Value>;

impl History {
    /// The CloudEvents of a webhook's requests, as the records in them.
    pub fn of_events<'a>(bodies: impl IntoIterator<Item = &'a Value>) -> Self {
        let deliveries = bodies.into_iter().flat_map(|body| match body {
            Value::Array(events) => events.iter().map(record).collect(),
            event => vec![record(event)],
        });
        Self { deliveries: deliveries.collect() }
    }

    /// The distinct ids of one type.
    pub fn ids(&self, kind: &str) -> BTreeSet<&str> {
        let of_kind = self.deliveries.iter().filter(|record| record["type"] == kind);
        of_kind.map(|record| record["id"].as_str().unwrap()).collect()
    }

    /// How many deliveries were repetitions.
    pub fn repeated(&self) -> usize {
        let distinct: BTreeSet<_> =
            self.deliveries.iter().map(|record| record["id"].as_str().unwrap()).collect();
        self.deliveries.len() - distinct.len()
    }

    /// Checks the history of a receiver to which everything has been delivered. `welcomed` are the
    /// clients that were let in, as they know it.
    pub fn check(&self, welcomed: &BTreeSet<String>) -> Violations {
        let mut violations = Violations::default();
        let connections = self.connections(&mut violations);
        let mut clients = BTreeSet::new();
        let mut numbers: HashMap<u64, &str> = HashMap::new();
        for (id, records) in &connections {
            check_connection(id, records, &mut violations);
            let open = records[0];
            if let Some(client) = open["headers"][HEADER].as_str()
                && !clients.insert(client.to_owned())
            {
                violations.add(format!("client {client} has two connections"));
            }
            if let Some(number) = open["resource_id"].as_u64()
                && let Some(other) = numbers.insert(number, id)
            {
                violations.add(format!("{id} and {other} have the same resource id {number}"));
            }
        }
        for lost in welcomed.difference(&clients) {
            violations.add(format!("client {lost} was welcomed, and nobody was told"));
        }
        self.check_identities(&mut violations);
        violations
    }

    /// The records of each connection, the first delivery of each; what comes again must be the same.
    fn connections(&self, violations: &mut Violations) -> BTreeMap<&str, Connection<'_>> {
        let mut connections: BTreeMap<&str, Connection<'_>> = BTreeMap::new();
        let mut first: HashMap<&str, Value> = HashMap::new();
        for delivery in &self.deliveries {
            let id = delivery["id"].as_str().unwrap();
            let bare = without_marks(delivery);
            if let Some(known) = first.get(id) {
                if *known != bare {
                    violations.add(format!("{id} came with two contents: {known} and {bare}"));
                }
                if delivery["redelivered"] != true {
                    violations.add(format!("{id} came again without being marked"));
                }
                continue;
            }
            first.insert(id, bare);
            if let (Some(connection), Some(_)) =
                (delivery["connection_id"].as_str(), delivery["sequence"].as_u64())
            {
                connections.entry(connection).or_default().push(delivery);
            }
        }
        connections
    }

    /// Of each identity, the number of connections that records tell follows from the records before.
    fn check_identities(&self, violations: &mut Violations) {
        let mut by_identity: BTreeMap<&str, BTreeMap<u64, &Value>> = BTreeMap::new();
        for delivery in self.deliveries.iter().filter(|delivery| delivery["sequence"].is_u64()) {
            let identity = &delivery["identity"];
            if let (Some(id), Some(version)) = (identity["id"].as_str(), identity["version"].as_u64()) {
                by_identity.entry(id).or_default().insert(version, delivery);
            }
        }
        for (identity, records) in by_identity {
            let mut open = 0;
            for (version, record) in records {
                match record["type"].as_str().unwrap() {
                    "clank.client.connected" => open += 1,
                    "clank.client.disconnected" => open -= 1,
                    _ => {}
                }
                if record["identity"]["connections"].as_i64() != Some(open) {
                    violations
                        .add(format!("{identity} has {open} connections at version {version}: {record}"));
                }
            }
        }
    }
}

/// One `connected` first, one `disconnected` last, and the sequence rises.
fn check_connection(id: &str, records: &Connection<'_>, violations: &mut Violations) {
    let kinds: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    if kinds[0] != "clank.client.connected" {
        violations.add(format!("{id} begins with {}", kinds[0]));
    }
    let ends = kinds.iter().filter(|kind| **kind == "clank.client.disconnected").count();
    if ends != 1 || kinds.last() != Some(&"clank.client.disconnected") {
        violations.add(format!("{id} has {ends} ends: {kinds:?}"));
    }
    let sequences: Vec<u64> = records.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    if !sequences.is_sorted_by(|one, next| one < next) {
        violations.add(format!("{id} is told out of order: {sequences:?}"));
    }
    if records[0]["sequence"] != 1 {
        violations.add(format!("{id} begins at {}", records[0]["sequence"]));
    }
}

/// The record in a CloudEvent, with the marks of its delivery.
fn record(event: &Value) -> Value {
    let mut record = event["data"].clone();
    for mark in ["redelivered", "replayid", "gap", "snapshot"] {
        if !event[mark].is_null() {
            record[mark] = event[mark].clone();
        }
    }
    record
}

fn without_marks(record: &Value) -> Value {
    let mut bare = record.clone();
    let fields = bare.as_object_mut().unwrap();
    for mark in ["redelivered", "replayid", "gap", "snapshot"] {
        fields.remove(mark);
    }
    bare
}
