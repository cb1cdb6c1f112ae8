//! What is kept, what is refused, and what comes back.

use std::time::Duration;

use clank_core::cause::Cause;
use clank_core::event::{Body, Change, Event, EventKind, PreviousRun};
use clank_core::journal::{NotRecorded, Position};

use super::super::{Durability, Kinds, Options};
use super::rig::*;

#[test]
fn records_come_back_as_they_were_handed_over() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), error(1, "", 2), rejected(7), closed(1, "")]);
    let records = rig.records();
    assert_eq!(records, [opened(1, ""), error(1, "", 2), rejected(7), closed(1, "")]);
    let entries = rig.entries();
    let positions: Vec<u64> = entries.iter().map(|entry| entry.position.value()).collect();
    assert_eq!(positions, [1, 2, 3, 4]);
    let kinds: Vec<EventKind> = entries.iter().map(|entry| entry.kind).collect();
    use EventKind::{Connected, Disconnected, Error, Rejected};
    assert_eq!(kinds, [Connected, Error, Rejected, Disconnected]);
    let lanes: Vec<u64> = entries.iter().map(|entry| entry.lane).collect();
    assert_eq!((lanes[0], lanes[0], 0), (lanes[1], lanes[3], lanes[2]));
    let connections: Vec<bool> = entries.iter().map(|entry| entry.connection.is_some()).collect();
    assert_eq!(connections, [true, true, false, true]);
    assert_eq!(*rig.writer.shared.end.borrow(), Position::new(4));
    assert_eq!(rig.metrics().open, 0);
}

#[test]
fn a_connection_has_one_of_each() {
    use NotRecorded::Conflict;
    let mut rig = Rig::begun(options());
    let answers = rig.turn([opened(1, ""), opened(1, ""), closed(1, ""), closed(1, ""), error(1, "", 3)]);
    assert_eq!(results(&answers), [Err(Conflict), Err(Conflict), Err(Conflict), Ok(1), Ok(2)]);
    let answers = rig.turn([closed(2, ""), error(2, "", 2), opened(2, ""), error(2, "", 2), error(2, "", 2)]);
    assert_eq!(results(&answers), [Err(Conflict), Err(Conflict), Err(Conflict), Ok(3), Ok(4)]);
    assert_eq!(rig.metrics().conflicts, 6);
    assert_eq!(rig.ids(), ["1.open", "1.close", "2.open", "2.2"]);
}

#[test]
fn nothing_is_kept_outside_of_a_run() {
    let mut rig = Rig::new(options());
    assert_eq!(results(&rig.turn([opened(1, "")])), [Err(NotRecorded::Closed)]);
    rig.begin(1).unwrap();
    rig.keep([opened(1, "")]);
    rig.end();
    assert_eq!(results(&rig.turn([closed(1, "")])), [Err(NotRecorded::Closed)]);
    assert_eq!(rig.begin(2).unwrap_err().to_string(), "the journal cannot be used: it is closed");
    let mut rig = rig.crash();
    rig.begin(2).unwrap();
    assert_eq!(rig.begin(2).unwrap_err().to_string(), "the journal cannot be used: a run has begun already");
}

#[test]
fn what_is_known_of_a_user_goes_with_the_record() {
    let mut rig = Rig::begun(Options { kinds: Kinds::LEAST, ..options() });
    rig.keep([opened(1, "alice"), opened(2, "alice"), error(1, "alice", 2), closed(2, "alice")]);
    rig.keep([closed(1, "alice")]);
    let known = |record: &Event| record.presence.map(|known| (known.version, known.connections));
    let known: Vec<_> = rig.records().iter().map(known).collect();
    assert_eq!(known, [Some((1, 1)), Some((2, 2)), Some((3, 2)), Some((4, 1)), Some((5, 0))]);
    let lanes: Vec<u64> = rig.entries().iter().map(|entry| entry.lane).collect();
    assert!(lanes.iter().all(|lane| *lane == lanes[0] && *lane != 0));
    assert_eq!(rig.writer.staging.ledger.people.len(), 0);
}

#[test]
fn what_a_lost_run_left_open_is_closed_by_the_record() {
    let mut rig = Rig::begun(options());
    rig.keep([opened(1, ""), opened(2, ""), error(2, "", 2), opened(3, ""), closed(3, "")]);
    rig.pass(1_500);
    rig.keep([]);
    rig.pass(700);
    rig.keep([Event { time: rig.now.time, ..opened(4, "") }]);
    rig.pass(10_000);
    let mut rig = rig.crash();
    let begun = rig.begin(2).unwrap();
    assert_eq!(begun.previous, Some(PreviousRun { run: origin(1).run, clean: false, left_open: 3 }));
    let records = rig.records();
    let closed = &records[records.len() - 3..];
    let mut ends = Vec::new();
    for record in closed {
        let Body::Client { sequence, change: Change::Disconnected(end), .. } = &record.body else {
            panic!("{record:?}")
        };
        assert_eq!((end.cause, record.time), (Cause::NodeLost, rig.now.time));
        assert_eq!(record.origin, origin(1));
        ends.push((*sequence, end.alive_until.unwrap().since(time(0)).as_millis(), end.duration.as_millis()));
    }
    assert_eq!(ends, [(2, 1_500, 1_500), (3, 1_500, 1_500), (2, 2_200, 0)]);
    assert_eq!(rig.metrics().open, 0);
    assert_eq!(results(&rig.turn([closed_again()])), [Err(NotRecorded::Conflict)]);
}

fn closed_again() -> Event {
    closed(1, "")
}

#[test]
fn a_run_that_ended_in_order_is_known_as_such() {
    let mut rig = Rig::new(options());
    assert_eq!(rig.begin(1).unwrap().previous, None);
    rig.keep([opened(1, ""), closed(1, "")]);
    rig.end();
    let mut rig = rig.crash();
    let previous = rig.begin(2).unwrap().previous;
    assert_eq!(previous, Some(PreviousRun { run: origin(1).run, clean: true, left_open: 0 }));
    assert_eq!(rig.ids(), ["1.open", "1.close"]);
}

#[test]
fn resource_ids_are_never_given_twice() {
    let mut rig = Rig::new(options());
    assert_eq!(rig.begin(1).unwrap().first.value(), 1);
    assert_eq!(rig.writer.shared.ids.next().0.unwrap().value(), 1);
    let mut rig = rig.crash();
    assert_eq!(rig.begin(2).unwrap().first.value(), 1 + (1 << 20));
    // half of the block is used: the next turn reserves more
    for _ in 0..=1 << 19 {
        rig.writer.shared.ids.next();
    }
    rig.keep([]);
    let mut rig = rig.crash();
    assert_eq!(rig.begin(3).unwrap().first.value(), 1 + (3 << 20));
}

#[test]
fn a_log_is_read_piece_by_piece_from_any_position() {
    let mut rig = Rig::begun(Options { segment_bytes: 16 << 10, ..options() });
    for number in 0..200 {
        rig.keep([opened(number, ""), closed(number, "")]);
    }
    assert!(rig.directory.segments().len() > 5);
    let all = rig.entries();
    assert_eq!(all.len(), 400);
    let json = all.iter().map(|entry| entry.json.len()).max().unwrap();
    for (max_bytes, from) in [(0, 0), (1, 395), (json, 100), (10 * json, 17), (1 << 20, 0)] {
        let mut after = Position::new(from);
        let mut read = Vec::new();
        loop {
            let part = super::super::read(&rig.writer.shared, after, max_bytes).unwrap();
            let Some(last) = part.last() else { break };
            let bytes: usize = part.iter().map(|entry| entry.json.len()).sum();
            assert!(part.len() == 1 || bytes <= max_bytes);
            after = last.position;
            read.extend(part);
        }
        assert_eq!(read, all[usize::try_from(from).unwrap()..], "{max_bytes} bytes from {from}");
    }
}

#[test]
fn batches_are_gathered_where_several_records_come_at_once() {
    let gathering = |options: Options, count: u32, passed: u64| {
        let mut rig = Rig::begun(options);
        rig.keep((0..count).map(|number| opened(number, "")));
        rig.writer.gathering(Duration::from_micros(passed)).map(|left| left.as_micros())
    };
    assert_eq!(gathering(options(), 1, 0), None);
    assert_eq!(gathering(options(), 10, 0), Some(2_000));
    assert_eq!(gathering(options(), 10, 1_999), Some(1));
    assert_eq!(gathering(options(), 10, 2_001), None);
    assert_eq!(gathering(Options { durability: Durability::Os, ..options() }, 10, 0), None);
}
