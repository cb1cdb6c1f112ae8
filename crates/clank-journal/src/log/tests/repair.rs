//! Damage, and what is made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clank_core::event::Gap;
use proptest::prelude::*;

use super::super::{Damage, Durability, OpenError, Options, Reader, Report, check, repair};
use super::rig::*;

/// A log of several segments: connections that open and close, a batch each, and one that stays open.
fn log() -> (Arc<Directory>, Vec<String>) {
    let mut rig = Rig::begun(Options {
        segment_bytes: 4 << 10,
        minor_rate: 1_000_000,
        durability: Durability::Fsync,
        ..options()
    });
    rig.keep([opened(0, "alice")]);
    for number in 1..=20 {
        rig.keep([opened(number, "")]);
        rig.keep([error(number, "", 2)]);
        rig.keep([closed(number, "")]);
    }
    rig.keep([rejected(21)]);
    assert!(rig.directory.segments().len() >= 5);
    (rig.directory.clone(), rig.ids())
}

fn change(file: &Path, with: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    with(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn quick() -> Options {
    Options { segment_bytes: 4 << 10, durability: Durability::Memory, ..options() }
}

/// Checks that a log is damaged, repairs it, and opens it.
fn repaired(directory: &Arc<Directory>) -> (Report, Rig) {
    let Err(OpenError::Damaged { .. }) = Rig::open(directory.clone(), quick(), 0) else {
        panic!("it was opened")
    };
    let checked = check(directory.path()).unwrap();
    let report = repair(directory.path(), time(0)).unwrap();
    assert_eq!((&checked.damage, &checked.lost), (&report.damage, &report.lost));
    assert_eq!((checked.open, checked.unclosable), (None, None));
    let again = repair(directory.path(), time(1)).unwrap();
    assert_eq!((again.damage, again.lost), (vec![], vec![]));
    (report, Rig::open(directory.clone(), quick(), 0).unwrap())
}

#[test]
fn a_log_without_damage_is_left_alone() {
    let (directory, ids) = log();
    let before: Vec<_> = directory.segments().iter().map(|file| fs::read(file).unwrap()).collect();
    let report = check(directory.path()).unwrap();
    assert_eq!((report.records, report.last.value(), report.open), (63, 63, Some(1)));
    assert_eq!((&report.damage, &report.lost, &report.torn), (&vec![], &vec![], &None));
    assert_eq!(repair(directory.path(), time(0)).unwrap(), report);
    let after: Vec<_> = directory.segments().iter().map(|file| fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
    assert_eq!(Rig::open(directory, quick(), 0).unwrap().ids(), ids);
}

#[test]
fn a_bad_record_becomes_a_gap() {
    let (directory, ids) = log();
    let file = directory.segments()[0].clone();
    let rig = Rig::open(directory.clone(), quick(), 0).unwrap();
    let (from, to) = rig.entry_at(3);
    drop(rig);
    let bad = fs::read(&file).unwrap()[from..to].to_vec();
    change(&file, |bytes| bytes[from + 60] ^= 1);
    assert!(matches!(Reader::open(directory.path()), Err(OpenError::Damaged { .. })));
    let bad = [&bad[..60], &[bad[60] ^ 1], &bad[61..]].concat();

    let (report, mut rig) = repaired(&directory);
    let length = (to - from) as u64;
    assert_eq!(report.damage, [Damage { file, offset: from as u64, length }]);
    assert_eq!(report.lost, [Gap { from: 3, to: 3, count: 1 }]);
    // connection 1 has records, and no beginning
    assert_eq!((report.open, report.unclosable), (Some(1), Some(1)));
    let kept = fs::read(directory.path().join(format!("damaged/0000000000000001-{from}.bin"))).unwrap();
    assert_eq!(kept, bad);
    let mut expected = ids;
    expected[2] = format!("{}.gap-3", 0x0101_0101);
    assert_eq!(rig.ids(), expected);
    let begun = rig.begin(2).unwrap();
    assert!(begun.first.value() > 16 << 20);
    assert_eq!(rig.ids()[63..], ["0.close"]);
}

#[test]
fn a_missing_segment_becomes_a_gap() {
    let (directory, ids) = log();
    let files = directory.segments();
    fs::remove_file(&files[2]).unwrap();
    let (report, rig) = repaired(&directory);
    assert_eq!(report.damage, [Damage { file: files[2].clone(), offset: 0, length: 0 }]);
    let [Gap { from, to, count }] = report.lost[..] else { panic!("{report:?}") };
    assert_eq!(count, to - from + 1);
    let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
    let found = rig.ids();
    assert_eq!(found[..from - 1], ids[..from - 1]);
    assert_eq!(found[from..], ids[to..]);
    assert!(found[from - 1].ends_with(&format!("gap-{from}")), "{}", found[from - 1]);
}

#[test]
fn a_bad_header_costs_no_record() {
    let (directory, ids) = log();
    let files = directory.segments();
    for file in [0, 2, files.len() - 1] {
        let copy = Arc::new(directory.copy());
        change(&copy.segments()[file], |bytes| bytes[30] ^= 1);
        let (report, rig) = repaired(&copy);
        assert_eq!(report.damage, [Damage { file: copy.segments()[file].clone(), offset: 0, length: 64 }]);
        assert_eq!((report.lost, rig.ids()), (vec![], ids.clone()));
    }
}

#[test]
fn a_segment_cut_short_becomes_a_gap() {
    let (directory, ids) = log();
    let file = directory.segments()[1].clone();
    change(&file, |bytes| bytes.truncate(bytes.len() - 1));
    let (report, rig) = repaired(&directory);
    let [Gap { from, count: 1, .. }] = report.lost[..] else { panic!("{report:?}") };
    let mut expected = ids;
    let at = usize::try_from(from).unwrap() - 1;
    expected[at] = format!("{}.gap-{from}", 0x0101_0101);
    assert_eq!(rig.ids(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn after_any_damage_the_rest_is_there(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..200_usize, any::<u8>()), 1..4),
        removed in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (directory, ids) = log();
        for (file, at, length, with) in damage {
            let files = directory.segments();
            change(file.get::<PathBuf>(&files), |bytes| {
                let at = at.index(bytes.len());
                let end = (at + length).min(bytes.len());
                bytes[at..end].fill(with);
            });
        }
        if let Some(removed) = removed {
            fs::remove_file(removed.get(&directory.segments())).unwrap();
        }
        let report = repair(directory.path(), time(0)).unwrap();
        let again = repair(directory.path(), time(1)).unwrap();
        prop_assert_eq!((&again.damage, &again.lost), (&vec![], &vec![]));
        let mut rig = Rig::open(directory, quick(), 0).unwrap();
        // what is there is what was there, at its place, or a gap that stands for what was
        let dropped = rig.writer.shared.dropped().value();
        let mut next = dropped + 1;
        for (entry, id) in rig.entries().iter().zip(rig.ids()) {
            let position = entry.position.value();
            if let Some(gap) = report.lost.iter().find(|gap| gap.to == position) {
                prop_assert_eq!(gap.from, next);
                prop_assert!(id.ends_with(&format!(".gap-{next}")), "{}", id);
            } else {
                prop_assert_eq!(position, next);
                prop_assert_eq!(&id, &ids[usize::try_from(position - 1).unwrap()]);
            }
            next = position + 1;
        }
        prop_assert_eq!(rig.writer.staging.position() + 1, next);
        rig.begin(2).unwrap();
        prop_assert_eq!(rig.writer.staging.ledger.len(), 0);
    }
}
