//! Random steps against a model: what must hold of a log after any crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clank_core::cause::Cause;
use clank_core::event::{Body, Change};
use clank_core::id::ConnectionId;
use clank_core::journal::Position;
use proptest::prelude::*;

use super::super::{Durability, Options};
use super::rig::*;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// A batch: for each of some connections, whatever it can do next.
    Batch(Vec<(u32, bool)>),
    /// Time passes.
    Pass(u64),
    /// Delivery has come this far, in hundredths of what there is.
    Release(u64),
    /// So many bytes fit on the disk for the next batch.
    Full(u64, Vec<(u32, bool)>),
    /// So many syncs fail from the next batch on.
    BadSync(u32, Vec<(u32, bool)>),
    /// The process is killed; after a loss of power, so much of what was not synced is there, in
    /// hundredths.
    Crash(u64),
    /// A run ends in order, and another one begins.
    Restart,
}

fn batch() -> impl Strategy<Value = Vec<(u32, bool)>> {
    prop::collection::vec((0..12_u32, any::<bool>()), 1..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => batch().prop_map(Step::Batch),
        2 => (0..7_000_u64).prop_map(Step::Pass),
        1 => (0..=100_u64).prop_map(Step::Release),
        1 => (0..4_000_u64, batch()).prop_map(|(room, batch)| Step::Full(room, batch)),
        1 => (1..4_u32, batch()).prop_map(|(syncs, batch)| Step::BadSync(syncs, batch)),
        1 => (0..=100_u64).prop_map(Step::Crash),
        1 => Just(Step::Restart),
    ]
}

/// What is known of the log from its answers alone.
#[derive(Default)]
struct Model {
    /// The positions of all records that were reported as kept, by their ids.
    kept: BTreeMap<String, u64>,
    /// Ids of which it is unknown whether they are kept: they were refused by a failing disk.
    doubtful: BTreeSet<String>,
    /// Connections that are open, the number of the next one, and how often each has said something.
    open: BTreeMap<u32, u64>,
    next: u32,
    run: u8,
    /// The position up to which records were looked at, and who was online there.
    seen: u64,
    online: BTreeMap<String, bool>,
}

struct Test {
    rig: Option<Rig>,
    model: Model,
}

impl Test {
    fn new(durability: Durability) -> Self {
        let options = Options {
            durability,
            segment_bytes: 6 << 10,
            retention_bytes: 0,
            minor_rate: 1_000_000,
            ..options()
        };
        let mut rig = Rig::new(options);
        rig.begin(0).unwrap();
        Self { rig: Some(rig), model: Model { next: 1, ..Model::default() } }
    }

    fn rig(&mut self) -> &mut Rig {
        self.rig.as_mut().unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Batch(batch) => self.batch(&batch),
            Step::Pass(millis) => {
                self.rig().pass(millis);
                self.batch(&[]);
            }
            Step::Release(hundredths) => {
                // what goes is looked at before
                self.check_users();
                let position = self.rig().writer.staging.position() * hundredths / 100;
                self.rig().writer.shared.release(position);
                self.batch(&[]);
            }
            Step::Full(room, batch) => {
                self.rig().faults.set().room = Some(room);
                self.batch(&batch);
                self.rig().faults.set().room = None;
                self.recover();
            }
            Step::BadSync(syncs, batch) => {
                {
                    let mut faults = self.rig().faults.set();
                    (faults.good_syncs, faults.bad_syncs) = (Some(0), syncs);
                }
                self.batch(&batch);
                self.recover();
                assert!(!self.rig().faults.set().is_synced_again);
            }
            Step::Crash(hundredths) => self.crash(hundredths),
            Step::Restart => {
                self.rig().end();
                self.restart();
            }
        }
    }

    /// Lets a disk that had a fault take what waits.
    fn recover(&mut self) {
        for _ in 0..20 {
            self.rig().pass(250);
            self.batch(&[]);
        }
        assert_eq!(self.rig().metrics().waiting, 0);
    }

    fn batch(&mut self, batch: &[(u32, bool)]) {
        let model = &mut self.model;
        let mut records = Vec::new();
        for (which, ends) in batch {
            let user = ["", "alice", "bob"][(*which % 3) as usize];
            // the connections of one user have numbers of one kind
            let open = model.open.iter_mut().find(|(number, _)| **number % 12 == *which);
            match open {
                None => {
                    let number = 12 * model.next + which;
                    model.next += 1;
                    model.open.insert(number, 1);
                    records.push(opened(number, user));
                }
                Some((number, said)) if !ends => {
                    *said += 1;
                    records.push(error(*number, user, *said));
                }
                Some((number, _)) => {
                    let number = *number;
                    model.open.remove(&number);
                    records.push(closed(number, user));
                }
            }
        }
        let answers = self.rig.as_mut().unwrap().turn(records);
        for (id, result) in answers {
            let number = u32::from_str_radix(&id[28..36], 16).unwrap();
            match result {
                Ok(position) => drop(self.model.kept.insert(id, position.value())),
                Err(_) => {
                    if id.ends_with(".open") {
                        self.model.open.remove(&number);
                    }
                    self.model.doubtful.insert(id);
                }
            }
        }
    }

    /// Kills the process; the last thing that it did was to write a batch, of which not all is there.
    fn crash(&mut self, hundredths: u64) {
        let file = self.rig().directory.segments().pop().unwrap();
        let durable = fs::metadata(&file).unwrap().len();
        let kept = self.model.kept.clone();
        let dropped = self.rig().writer.shared.dropped();
        self.batch(&[(0, true), (1, false), (2, true), (3, true)]);
        let whole = fs::metadata(&file).unwrap().len();
        // what is copied from a segment is synced before that goes
        let is_last = self.rig().directory.segments().last() == Some(&file)
            && self.rig().writer.shared.dropped() == dropped;
        if is_last && whole > durable {
            let length = durable + (whole - durable) * hundredths / 100;
            fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
            // the batch was not reported
            let lost: Vec<String> =
                self.model.kept.keys().filter(|id| !kept.contains_key(*id)).cloned().collect();
            self.model.doubtful.extend(lost);
            self.model.kept = kept;
        }
        self.restart();
    }

    fn restart(&mut self) {
        let open: Vec<u32> = self.model.open.keys().copied().collect();
        let mut rig = self.rig.take().unwrap().crash();
        self.model.run += 1;
        rig.begin(self.model.run).unwrap();
        self.model.open.clear();
        self.rig = Some(rig);
        let found = self.check();
        // the sweep has closed everything, also what was opened in segments that are gone
        assert_eq!(self.rig().writer.staging.ledger.len(), 0);
        let kept = |number: &u32| self.model.kept.contains_key(&format!("{}.open", connection_id(*number)));
        for number in open.iter().filter(|number| kept(number)) {
            let close = format!("{}.close", connection_id(*number));
            assert!(found.contains_key(&close), "{close} is missing");
        }
    }

    /// Closes everything, and waits until all users are gone.
    fn finish(&mut self) {
        let open: Vec<(u32, bool)> = self.model.open.keys().map(|number| (number % 12, true)).collect();
        self.batch(&open);
        self.rig().pass(5_000);
        self.batch(&[]);
        self.check_users();
        assert!(self.model.online.values().all(|is_online| !is_online), "{:?}", self.model.online);
        assert_eq!(self.rig().writer.staging.ledger.people.len(), 0);
        self.step(Step::Restart);
    }

    fn check(&mut self) -> BTreeMap<String, u64> {
        let rig = self.rig.as_ref().unwrap();
        let dropped = rig.writer.shared.dropped().value();
        let entries = rig.entries();
        let records = rig.records();
        // positions follow each other
        for (entry, position) in entries.iter().zip(dropped + 1..) {
            assert_eq!(entry.position, Position::new(position));
        }
        let found: BTreeMap<String, u64> = records
            .iter()
            .zip(&entries)
            .map(|(record, entry)| (record.id().to_string(), entry.position.value()))
            .collect();
        assert_eq!(found.len(), records.len(), "an id is there twice");
        for (id, position) in self.model.kept.iter().filter(|(_, position)| **position > dropped) {
            assert_eq!(found.get(id), Some(position), "{id} is missing");
        }
        self.check_pairs(&found, dropped);
        self.check_sequences(&found);
        self.check_users();
        found
    }

    /// What a sweep closes goes on with the sequence of the connection.
    fn check_sequences(&self, found: &BTreeMap<String, u64>) {
        let mut last: BTreeMap<ConnectionId, u64> = BTreeMap::new();
        for record in self.rig.as_ref().unwrap().records() {
            let Body::Client { connection, sequence, change } = &record.body else { continue };
            let before = last.insert(connection.connection_id, *sequence).unwrap_or_default();
            let has_all = found.contains_key(&format!("{}.open", connection.connection_id));
            match change {
                Change::Disconnected(end) if end.cause == Cause::NodeLost && has_all => {
                    assert_eq!(*sequence, before + 1, "{}", record.id());
                }
                _ => assert!(*sequence > before, "{}", record.id()),
            }
        }
    }

    /// Every connection that was opened has exactly one end, which is behind all else of it.
    fn check_pairs(&self, found: &BTreeMap<String, u64>, dropped: u64) {
        let of = |id: &str| id.split_once('.').unwrap().0.to_owned();
        for (id, position) in found {
            if id.ends_with(".open") {
                let close = found.get(&format!("{}.close", of(id)));
                assert!(close.is_some_and(|close| close > position), "{id} has no end");
            } else if !id.ends_with("line") {
                let open = found.get(&format!("{}.open", of(id)));
                assert!(open.map_or(dropped > 0, |open| open < position), "{id} has no beginning");
                let close = found.get(&format!("{}.close", of(id)));
                assert!(close.is_some_and(|close| close >= position), "{id} comes behind the end");
            }
        }
    }

    /// Users come and go by turns.
    fn check_users(&mut self) {
        let rig = self.rig.as_ref().unwrap();
        for (entry, record) in rig.entries().iter().zip(rig.records()) {
            let position = entry.position.value();
            if let Body::User(user) = &record.body
                && position > self.model.seen
            {
                let before = self.model.online.insert(user.identity.id.to_string(), user.online);
                assert_ne!(before.unwrap_or(false), user.online, "{} twice", record.id());
            }
            self.model.seen = self.model.seen.max(position);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_breaks_a_promise(steps in prop::collection::vec(step(), 1..40)) {
        let mut test = Test::new(Durability::Fsync);
        for step in steps {
            test.step(step);
        }
        test.finish();
    }

    #[test]
    fn a_log_that_is_not_synced_survives_a_kill(steps in prop::collection::vec(step(), 1..40)) {
        let mut test = Test::new(Durability::Os);
        for step in steps {
            // a disk that fails may lose what was not synced
            test.step(if let Step::BadSync(_, batch) = step { Step::Batch(batch) } else { step });
        }
        test.finish();
    }
}
