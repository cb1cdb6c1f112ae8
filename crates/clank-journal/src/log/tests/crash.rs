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
