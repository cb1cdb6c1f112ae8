//! Users who come, flap and go.

use super::super::{Kinds, Options};
use super::rig::*;

/// The records about users and the positions among all records.
fn users(rig: &Rig) -> Vec<String> {
    rig.ids().into_iter().filter(|id| id.ends_with("line")).collect()
}

#[test]
fn a_short_absence_does_not_show() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, "alice")]);
    assert_eq!(rig.ids(), ["1.open", "1.online"]);
    let online = &rig.records()[1];
    assert_eq!(online.presence.map(|known| (known.version, known.connections)), Some((2, 1)));
    rig.keep([closed(1, "alice")]);
    rig.pass(4_999);
    rig.keep([]);
    rig.keep([opened(2, "alice")]);
    rig.pass(60_000);
    rig.keep([]);
    rig.keep([closed(2, "alice")]);
    rig.pass(4_999);
    rig.keep([]);
    assert_eq!(users(&rig), ["1.online"]);
    assert_eq!(rig.writer.deadline(), Some(rig.now.ticks + std::time::Duration::from_millis(1)));
    rig.pass(1);
    rig.keep([]);
    assert_eq!(users(&rig), ["1.online", "2.offline"]);
    let offline = rig.records().pop().unwrap();
    assert_eq!(offline.presence.map(|known| known.connections), Some(0));
    assert_eq!(offline.time, rig.now.time);
    assert_eq!(rig.entries().last().unwrap().lane, rig.entries()[0].lane);
    // and the house is empty
    assert_eq!(rig.writer.staging.ledger.people.len(), 0);
    assert_eq!(rig.writer.deadline(), None);
}

#[test]
fn a_user_is_online_with_any_connection() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, "alice"), opened(2, "alice"), closed(1, "alice"), opened(3, "bob")]);
    rig.pass(10_000);
    rig.keep([closed(2, "alice"), opened(4, "alice"), closed(4, "alice")]);
    rig.pass(5_000);
    rig.keep([opened(5, "alice")]);
    assert_eq!(users(&rig), ["1.online", "3.online", "5.online"].map(str::to_owned)[..2].to_vec());
    rig.keep([closed(5, "alice")]);
    rig.pass(5_000);
    rig.keep([opened(6, "alice")]);
    assert_eq!(users(&rig), ["1.online", "3.online"]);
}

#[test]
fn a_restart_begins_the_grace_period_again() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, "alice"), opened(2, "bob"), opened(3, "carol"), closed(3, "carol")]);
    rig.pass(4_000);
    let mut rig = rig.crash();
    rig.pass(30_000);
    rig.begin(2).unwrap();
    rig.pass(4_000);
    rig.keep([opened(4, "alice")]);
    rig.pass(1_000);
    rig.keep([]);
    let mut seen = users(&rig);
    seen[3..].sort();
    assert_eq!(seen, ["1.online", "2.online", "3.online", "2.offline", "3.offline"]);
    let mut rig = rig.crash();
    rig.begin(3).unwrap();
    rig.pass(5_000);
    rig.keep([]);
    assert_eq!(users(&rig)[5..], ["4.offline"]);
    let mut rig = rig.crash();
    rig.begin(4).unwrap();
    rig.pass(5_000);
    rig.keep([opened(5, "bob")]);
    assert_eq!(users(&rig)[6..], ["5.online"]);
}

#[test]
fn where_nobody_wants_to_know_nothing_is_recorded() {
    let mut rig = Rig::begun(Options { kinds: Kinds::LEAST, ..options() });
    rig.keep([opened(1, "alice"), closed(1, "alice")]);
    rig.pass(10_000);
    rig.keep([]);
    assert_eq!(rig.ids(), ["1.open", "1.close"]);
}

#[test]
fn a_full_disk_delays_what_is_said_of_users() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, "alice")]);
    rig.keep([closed(1, "alice")]);
    rig.pass(5_000);
    rig.faults.set().room = Some(10);
    rig.turn([opened(2, "bob")]);
    rig.faults.set().room = None;
    rig.pass(250);
    rig.keep([]);
    assert_eq!(users(&rig), ["1.online", "1.offline"]);
    // a connection that did not open after all leaves the user as it was
    rig.keep([opened(3, "carol")]);
    rig.keep([closed(3, "carol")]);
    rig.faults.set().room = Some(10);
    rig.turn([opened(4, "carol")]);
    rig.faults.set().room = None;
    rig.pass(5_000);
    rig.keep([]);
    assert_eq!(users(&rig)[2..], ["3.online", "3.offline"]);
    assert_eq!(rig.writer.staging.ledger.people.len(), 0);
}
