//! What a crash leaves.

use std::fs;

use super::super::{Durability, OpenError, Options};
use super::rig::*;

/// A log with connections 1 to 3, each opened in a batch of its own, and the last batch.
fn log_of_three(options: Options) -> Rig {
    let mut rig = Rig::begun(options);
    for number in 1..=3 {
        rig.keep([opened(number, "")]);
    }
    rig
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_record_loses_that_record() {
    let mut rig = log_of_three(options());
    let file = rig.directory.segments()[0].clone();
    let before = fs::metadata(&file).unwrap().len();
    rig.keep([closed(2, "")]);
    let whole = fs::read(&file).unwrap();
    let directory = rig.directory.clone();
    drop(rig);
    for length in before..whole.len() as u64 {
        for is_zeroed in [false, true] {
            let copy = std::sync::Arc::new(directory.copy());
            let mut bytes = whole[..usize::try_from(length).unwrap()].to_vec();
            if is_zeroed {
                bytes.resize(whole.len() + 5_000, 0);
            }
            fs::write(copy.segments().first().unwrap(), bytes).unwrap();
            // what matters is how the log was written, and not how it goes on
            let quick = Options { durability: Durability::Memory, ..options() };
            let mut rig = Rig::open(copy.clone(), quick, 0).unwrap();
            assert_eq!(rig.ids(), ["1.open", "2.open", "3.open"]);
            assert_eq!(fs::metadata(&copy.segments()[0]).unwrap().len(), before);
            rig.begin(2).unwrap();
            assert_eq!(rig.ids()[3..], ["1.close", "2.close", "3.close"]);
        }
    }
}

#[test]
fn a_bad_record_before_good_ones_refuses_the_start() {
    for durability in [Durability::Fsync, Durability::Os] {
        let mut rig = log_of_three(Options { durability, ..options() });
        rig.pass(1_000);
        rig.keep([opened(4, "")]);
        rig.keep([opened(5, "")]);
        let file = rig.directory.segments()[0].clone();
        let (at, _) = rig.entry_at(2);
        let directory = rig.directory.clone();
        drop(rig);
        let mut bytes = fs::read(&file).unwrap();
        bytes[at + 70] ^= 4;
        fs::write(&file, bytes).unwrap();
        let Err(error) = Rig::open(directory, options(), 0) else { panic!("it was opened") };
        let OpenError::Damaged { file: named, offset, .. } = &error else { panic!("{error}") };
        assert_eq!((named, *offset), (&file, at as u64));
        assert!(error.to_string().contains("`clank journal repair`"), "{error}");
    }
}

#[test]
fn a_sweep_that_is_cut_short_is_finished_by_the_next_run() {
    let mut rig = Rig::begun(options());
    rig.keep((0..100).map(|number| opened(number, "alice")));
    let file = rig.directory.segments()[0].clone();
    let before = fs::metadata(&file).unwrap().len();
    let mut rig = rig.crash();
    let whole = rig.begin(2).unwrap();
    let swept = fs::metadata(&file).unwrap().len();
    let directory = rig.directory.clone();
    for hundredths in 0..100 {
        let length = before + (swept - before) * hundredths / 100;
        let copy = std::sync::Arc::new(directory.copy());
        fs::OpenOptions::new().write(true).open(&copy.segments()[0]).unwrap().set_len(length).unwrap();
        let quick = Options { durability: Durability::Memory, ..options() };
        let mut rig = Rig::open(copy, quick, 0).unwrap();
        let begun = rig.begin(3).unwrap();
        assert_eq!(begun.previous, whole.previous, "at {length} of {before} to {swept}");
        let mut ids = rig.ids();
        assert_eq!(ids.len(), 201);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 201);
    }
}

#[test]
fn a_sweep_that_the_disk_refuses_can_be_tried_again() {
    let mut rig = log_of_three(options()).crash();
    rig.faults.set().room = Some(1_000);
    assert_eq!(rig.begin(2).unwrap_err().to_string(), "the journal cannot be used: the disk is full");
    rig.faults.set().room = None;
    let begun = rig.begin(2).unwrap();
    assert_eq!(begun.previous.unwrap().left_open, 3);
    assert_eq!(rig.ids()[3..], ["1.close", "2.close", "3.close"]);
    rig.keep([opened(4, "")]);
}

#[test]
fn what_was_not_synced_may_be_lost_in_any_order() {
    // one batch of which the first half is lost, and the second is there
    let mut rig = log_of_three(options());
    let file = rig.directory.segments()[0].clone();
    let durable = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    rig.keep([opened(4, ""), opened(5, ""), opened(6, "")]);
    let mut bytes = fs::read(&file).unwrap();
    let (fifth, _) = rig.entry_at(5);
    bytes[durable..fifth].fill(0);
    fs::write(&file, bytes).unwrap();
    let rig = rig.crash();
    assert_eq!(rig.ids(), ["1.open", "2.open", "3.open"]);
}

#[test]
fn a_segment_that_was_just_begun_is_begun_again() {
    for header in [vec![], vec![0; 64], b"CLANKLOG".to_vec()] {
        let mut rig = log_of_three(options());
        fs::write(super::super::segments::path(rig.directory.path(), 2), header).unwrap();
        rig = rig.crash();
        assert_eq!(rig.ids(), ["1.open", "2.open", "3.open"]);
        assert_eq!(rig.directory.segments().len(), 1);
        rig.begin(2).unwrap();
    }
}

#[test]
fn a_hundred_thousand_lost_connections_are_closed_in_moments() {
    let mut rig = Rig::begun(Options { durability: Durability::Memory, ..Options::default() });
    for part in 0..25 {
        rig.keep((0..4_000).map(|number| opened(4_000 * part + number, "")));
    }
    let began = std::time::Instant::now();
    let mut rig = rig.crash();
    assert_eq!(rig.begin(2).unwrap().previous.unwrap().left_open, 100_000);
    let took = began.elapsed();
    assert_eq!(rig.writer.staging.position(), 200_000);
    // a generous bound: this is no optimised build, and others may want the processor
    assert!(took.as_secs() < 60, "{took:?}");
}
