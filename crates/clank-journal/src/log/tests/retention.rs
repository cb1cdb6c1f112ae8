//! What goes, and what outlives it.

use std::time::Duration;

use clank_core::journal::Position;

use super::super::{Durability, Options};
use super::rig::*;

fn small() -> Options {
    Options { segment_bytes: 8 << 10, retention_bytes: 0, durability: Durability::Os, ..options() }
}

/// Opens and closes so many connections, from number 1,000 on.
fn traffic(rig: &mut Rig, count: u32) {
    for number in 1_000..1_000 + count {
        rig.keep([opened(number, ""), closed(number, "")]);
    }
}

fn release_all(rig: &mut Rig) {
    let position = rig.writer.staging.position();
    rig.writer.shared.release(position);
    rig.keep([]);
}

#[test]
fn nothing_goes_before_it_is_released() {
    let mut rig = Rig::begun(small());
    traffic(&mut rig, 100);
    let segments = rig.directory.segments().len();
    assert!(segments > 5, "{segments}");
    assert_eq!(rig.writer.shared.dropped(), Position::START);
    release_all(&mut rig);
    assert_eq!(rig.directory.segments().len(), 1);
    rig.keep([rejected(1)]);
    let dropped = rig.writer.shared.dropped();
    assert!(dropped > Position::new(100));
    assert_eq!(rig.entries()[0].position.value(), dropped.value() + 1);
    assert_eq!(rig.crash().writer.shared.dropped(), dropped);
}

#[test]
fn what_is_released_is_kept_for_a_time_and_to_a_size() {
    let age = Duration::from_secs(60);
    let options = Options { retention_age: age, retention_bytes: 30 << 10, ..small() };
    let mut rig = Rig::begun(options);
    traffic(&mut rig, 100);
    release_all(&mut rig);
    let kept: u64 = rig.directory.segments().iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!((20 << 10..45 << 10).contains(&kept), "{kept}");
    rig.pass(59_000);
    rig.keep([]);
    assert!(rig.directory.segments().len() > 1);
    assert!(rig.writer.deadline().is_some());
    rig.pass(60_000);
    rig.keep([]);
    assert_eq!(rig.directory.segments().len(), 1);
}

#[test]
fn open_connections_and_users_outlive_their_records() {
    let mut rig = Rig::begun(small());
    rig.keep([opened(1, "alice"), opened(2, ""), error(2, "", 2), error(2, "", 3), opened(3, "bob")]);
    let (_, before) = super::super::open_entries(rig.writer.open_connections());
    for _ in 0..3 {
        traffic(&mut rig, 100);
        release_all(&mut rig);
        assert_eq!(rig.directory.segments().len(), 1);
    }
    let (_, after) = super::super::open_entries(rig.writer.open_connections());
    assert_eq!(before, after);
    let mut rig = rig.crash();
    let (_, recovered) = super::super::open_entries(rig.writer.open_connections());
    assert_eq!(before, recovered);
    let end = rig.writer.staging.position();
    let begun = rig.begin(2).unwrap();
    assert_eq!((begun.previous.unwrap().left_open, begun.first.value()), (3, 1 + (1 << 20)));
    rig.pass(5_000);
    rig.keep([]);
    let records = super::super::read(&rig.writer.shared, Position::new(end), usize::MAX).unwrap();
    let mut ids: Vec<String> = rig.ids().split_off(rig.ids().len() - records.len());
    ids[3..].sort();
    assert_eq!(ids, ["1.close", "2.close", "3.close", "1.offline", "3.offline"]);
    let lost = String::from_utf8(records[1].json.to_vec()).unwrap();
    assert!(lost.contains(r#""sequence":4"#), "{lost}");
}

#[test]
fn rows_that_fill_the_log_are_not_copied_for_ever() {
    let mut rig = Rig::begun(small());
    rig.keep((1..200).map(|number| opened(number, "")));
    traffic(&mut rig, 10);
    let before = rig.metrics().bytes;
    for _ in 0..100 {
        rig.pass(1_000);
        release_all(&mut rig);
    }
    assert!(rig.metrics().bytes - before < 200 << 10, "{}", rig.metrics().bytes - before);
    assert_eq!(rig.crash().writer.staging.ledger.len(), 199);
}

#[test]
fn a_crash_between_copy_and_removal_changes_nothing() {
    let mut rig = Rig::begun(small());
    rig.keep([opened(1, "alice")]);
    traffic(&mut rig, 60);
    let old = rig.directory.copy();
    release_all(&mut rig);
    rig.keep([closed(1, "alice")]);
    // the removed segments are there again, as far as they follow each other
    for (from, to) in old
        .segments()
        .iter()
        .zip(old.segments().iter().map(|file| rig.directory.path().join(file.file_name().unwrap())))
    {
        if !to.exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
    let rig = rig.crash();
    assert_eq!(rig.writer.staging.ledger.len(), 0);
    assert_eq!(rig.ids()[0], "1.open");
    assert_eq!(rig.ids().last().unwrap(), "1.close");
}
