//! Disks that are full, and disks that fail.

use clank_core::event::Event;
use clank_core::journal::NotRecorded::{Conflict, Failed, Full, Shed};
use clank_core::journal::{NotRecorded, Position};

use super::super::{Durability, OnFull, Options};
use super::rig::*;

#[test]
fn a_short_write_is_gone_on_with() {
    let mut rig = Rig::begun(options());
    rig.faults.set().longest_write = Some(7);
    rig.keep([opened(1, ""), closed(1, "")]);
    let rig = rig.crash();
    assert_eq!(rig.ids(), ["1.open", "1.close"]);
}

/// The answers, each with the connection's number and what comes behind it.
fn by_id(answers: &[Answered]) -> Vec<(&str, Result<u64, NotRecorded>)> {
    answers.iter().map(|(id, result)| (&id[35..], result.map(Position::value))).collect()
}

#[test]
fn on_a_full_disk_ends_wait_and_all_else_is_refused() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), opened(2, "")]);
    rig.faults.set().room = Some(400);
    let before = rig.directory.segments()[0].metadata().unwrap().len();
    let answers = rig.turn([opened(3, ""), error(1, "", 2), closed(1, ""), error(3, "", 2), closed(3, "")]);
    let refused = [("3.2", Err(Shed)), ("1.2", Err(Shed)), ("3.open", Err(Full)), ("3.close", Err(Conflict))];
    assert_eq!(by_id(&answers), refused);
    assert_eq!(rig.metrics().waiting, 1);
    // nothing of it may come back behind a shorter batch
    assert_eq!(rig.directory.segments()[0].metadata().unwrap().len(), before);

    // the disk is left alone for a moment
    rig.faults.set().room = None;
    let answers = rig.turn([opened(4, ""), error(2, "", 2), closed(2, ""), closed(1, ""), error(1, "", 2)]);
    let refused = [("4.open", Err(Full)), ("2.2", Err(Shed)), ("1.close", Err(Conflict)), ("1.2", Err(Shed))];
    assert_eq!(by_id(&answers), refused);
    assert_eq!((rig.metrics().waiting, rig.metrics().open), (2, 2));
    let (_, open) = super::super::open_entries(rig.writer.open_connections());
    assert_eq!(open.len(), 2);

    // until it has room again
    rig.pass(250);
    assert_eq!(rig.writer.deadline(), Some(rig.now.ticks));
    let answers = rig.turn([opened(5, "")]);
    assert_eq!(by_id(&answers), [("5.open", Ok(5))]);
    assert_eq!((rig.metrics().waiting, rig.metrics().open), (0, 1));
    let rig = rig.crash();
    assert_eq!(rig.ids(), ["1.open", "2.open", "1.close", "2.close", "5.open"]);
}

#[test]
fn where_many_ends_do_not_fit_some_do() {
    let mut rig = Rig::begun(options());
    rig.keep((0..100).map(|number| opened(number, "")));
    rig.faults.set().room = Some(30_000);
    rig.turn((0..100).map(|number| closed(number, "")));
    for _ in 0..20 {
        rig.pass(250);
        rig.turn([]);
    }
    let waiting = rig.metrics().waiting;
    assert!((30..60).contains(&waiting), "{waiting}");
    rig.faults.set().room = None;
    rig.pass(250);
    rig.turn([]);
    assert_eq!((rig.metrics().waiting, rig.metrics().open), (0, 0));
    let rig = rig.crash();
    assert_eq!(rig.ids().len(), 200);
}

#[test]
fn a_failed_sync_costs_nothing_where_another_file_works() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), opened(2, "alice")]);
    {
        let mut faults = rig.faults.set();
        (faults.good_syncs, faults.bad_syncs) = (Some(0), 1);
    }
    // what the kernel dropped is written again, at the same positions
    rig.keep([closed(1, ""), closed(2, "alice"), opened(3, "")]);
    rig.keep([opened(4, "")]);
    assert!(!rig.faults.set().is_synced_again);
    assert_eq!(rig.directory.segments().len(), 2);
    let expected = ["1.open", "2.open", "2.online", "1.close", "2.close", "3.open", "4.open"];
    assert_eq!(rig.ids(), expected);
    let rig = rig.crash();
    assert_eq!(rig.ids(), expected);
    assert_eq!(rig.writer.staging.ledger.len(), 2);
}

#[test]
fn while_no_file_works_everything_fails_but_ends() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), opened(2, "")]);
    {
        let mut faults = rig.faults.set();
        (faults.good_syncs, faults.bad_syncs) = (Some(0), 4);
    }
    let answers = rig.turn([opened(3, ""), closed(1, "")]);
    assert_eq!(by_id(&answers), [("3.open", Err(Failed))]);
    rig.pass(250);
    let answers = rig.turn([opened(4, "")]);
    assert_eq!(by_id(&answers), [("4.open", Err(Failed))]);
    assert_eq!(rig.metrics().waiting, 1);
    for _ in 0..4 {
        rig.pass(250);
        rig.turn([]);
    }
    assert_eq!(rig.metrics().waiting, 0);
    rig.keep([closed(2, "")]);
    assert!(!rig.faults.set().is_synced_again);
    let expected = ["1.open", "2.open", "1.close", "2.close"];
    assert_eq!(rig.ids(), expected);
    assert_eq!(rig.crash().ids(), expected);
}

#[test]
fn what_was_durable_and_cannot_be_read_back_stops_the_journal() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), opened(2, "")]);
    let segment = &rig.directory.segments()[0];
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[200] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    {
        let mut faults = rig.faults.set();
        (faults.good_syncs, faults.bad_syncs) = (Some(0), 1);
    }
    assert_eq!(by_id(&rig.turn([opened(3, ""), closed(1, "")])), [("3.open", Err(Failed))]);
    for number in 4..8 {
        rig.pass(250);
        assert_eq!(results(&rig.turn([opened(number, "")])), [Err(Failed)]);
    }
    assert_eq!(rig.metrics().waiting, 1);
    rig.end();
    assert_eq!((rig.metrics().waiting, rig.metrics().open), (0, 2));
}

#[test]
fn without_waiting_for_syncs_a_failed_one_begins_a_segment() {
    let mut rig = Rig::begun(Options { durability: Durability::Os, ..options() });
    rig.keep([opened(1, "")]);
    rig.pass(100);
    rig.keep([opened(2, "")]);
    {
        let mut faults = rig.faults.set();
        (faults.good_syncs, faults.bad_syncs) = (Some(0), 1);
    }
    rig.pass(900);
    assert_eq!(rig.writer.deadline(), Some(rig.now.ticks));
    rig.turn([]);
    rig.keep([opened(3, "")]);
    assert_eq!(rig.directory.segments().len(), 2);
    assert!(!rig.faults.set().is_synced_again);
}

#[test]
fn room_for_the_end_of_every_connection_is_reserved() {
    let mut rig = Rig::begun(Options { max_bytes: 1 << 20, ..options() });
    let mut kept = 0;
    while results(&rig.turn([opened(kept, "")]))[0].is_ok() {
        kept += 1;
    }
    assert!((400..700).contains(&kept), "{kept}");
    assert_eq!(results(&rig.turn([rejected(0)])).len(), 1);
    // minor records may take what is left; then they are shed
    while results(&rig.turn([rejected(0)]))[0].is_ok() {
        rig.pass(10);
    }
    assert_eq!(results(&rig.turn([rejected(0)])), [Err(Shed)]);
    rig.keep((0..kept).map(|number| closed(number, "")));
    let metrics = rig.metrics();
    assert_eq!((metrics.open, metrics.reserved), (0, 0));
    assert!(metrics.used <= 1 << 20, "{metrics:?}");
    assert_eq!(metrics.refused, 1);
}

/// Ten connections that open and close.
fn come_and_go(batch: u32) -> impl Iterator<Item = Event> {
    (0..10).flat_map(move |number| {
        let number = 10 * batch + number;
        [opened(number, ""), closed(number, "")]
    })
}

#[test]
fn a_full_log_says_no_more_than_it_has_to() {
    let mut rig = Rig::begun(Options { max_bytes: 1 << 20, ..options() });
    rig.keep([opened(1, "")]);
    rig.writer.shared.set_others(1 << 20);
    let before = rig.metrics().bytes;
    for _ in 0..5 {
        rig.pass(1_000);
        assert!(rig.writer.deadline().is_some_and(|at| at <= rig.now.ticks));
        rig.turn([]);
    }
    assert_eq!(results(&rig.turn([opened(2, "")])), [Err(Full)]);
    assert_eq!(rig.metrics().bytes, before);
    rig.keep([closed(1, "")]);
    rig.writer.shared.set_others(0);
    rig.keep([opened(2, "")]);
}

#[test]
fn what_nobody_needs_makes_room() {
    let mut rig = Rig::begun(Options { max_bytes: 1 << 20, ..options() });
    rig.keep([opened(0, "")]);
    for batch in 1..500 {
        rig.keep(come_and_go(batch));
        let position = rig.writer.staging.position();
        rig.writer.shared.release(position);
    }
    assert!(rig.metrics().used <= 1 << 20);
    assert_eq!(rig.metrics().evicted, 0);
    assert!(rig.writer.shared.dropped() > Position::new(5_000));
    let rig = rig.crash();
    assert_eq!(rig.writer.staging.ledger.len(), 1);
}

#[test]
fn a_full_log_may_drop_what_somebody_needs() {
    let mut rig = Rig::begun(Options { max_bytes: 1 << 20, on_full: OnFull::Evict, ..options() });
    rig.keep([opened(0, "alice")]);
    for batch in 1..500 {
        rig.keep(come_and_go(batch));
    }
    assert!(rig.metrics().used <= 1 << 20);
    assert!(rig.metrics().evicted > 0);
    let dropped = rig.writer.shared.dropped();
    let entries = rig.entries();
    assert_eq!(entries[0].position.value(), dropped.value() + 1);
    let mut rig = rig.crash();
    assert_eq!(rig.writer.shared.dropped(), dropped);
    assert_eq!(rig.begin(2).unwrap().previous.unwrap().left_open, 1);
    assert_eq!(rig.ids().last().unwrap(), "0.close");
}

#[test]
fn minor_records_have_a_rate() {
    let mut rig = Rig::begun(Options { minor_rate: 3, ..options() });
    rig.keep([opened(1, "")]);
    let answers = rig.turn([rejected(2), error(1, "", 2), rejected(3), error(1, "", 3), rejected(4)]);
    assert_eq!(results(&answers), [Err(Shed), Err(Shed), Ok(2), Ok(3), Ok(4)]);
    rig.pass(1_000);
    rig.keep([error(1, "", 4), closed(1, "")]);
    assert_eq!(rig.metrics().shed, 2);
}
