//! Calls whose arguments come in parts.

use clank::Limits;
use clank::limits::Size;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, Test, serve, serve_limited};

const PROC: &str = "com.example.upload";

/// Sends a part of a call, the last if `more` is false.
fn part(peer: &mut Peer2, request: u64, more: bool, argument: &Value) {
    let options = if more { json!({"progress": true}) } else { json!({}) };
    peer.send(&json!([48, request, options, PROC, [argument]]));
}

/// The next message, which is an INVOCATION; returns its id, its details and its first argument.
fn invoked(peer: &mut Peer2) -> (u64, Value, Value) {
    let invocation = peer.next();
    assert_eq!(invocation[0], 68, "{invocation}");
    (invocation[1].as_u64().unwrap(), invocation[3].clone(), invocation[4][0].clone())
}

/// One that joins with these features as a caller and as a callee.
fn join(test: &Test, caller: &Value, callee: &Value) -> Peer2 {
    let mut peer = Peer2::connect(test.address, JSON2);
    let roles = json!({"caller": {"features": caller}, "callee": {"features": callee}});
    peer.send(&json!([1, "realm1", {"roles": roles}]));
    peer.welcomed();
    peer
}

#[test]
fn arguments_may_come_bit_by_bit() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let (mut caller, mut callee) = (test.client2(codec), test.client2(JSON2));
        callee.register(PROC);
        let request = caller.request();
        part(&mut caller, request, true, &json!(1));
        let (invocation, details, argument) = invoked(&mut callee);
        assert_eq!((details, argument), (json!({"progress": true}), json!(1)));
        // Another call in between.
        let other = caller.call(PROC, &json!({}), &json!(["other"]));
        let (second, details, _) = invoked(&mut callee);
        assert!(second != invocation && details == json!({}));
        callee.send(&json!([70, second, {}, ["done"]]));
        assert_eq!(caller.next(), json!([50, other, {}, ["done"]]));
        for number in 2..100 {
            part(&mut caller, request, true, &json!(number));
            assert_eq!(invoked(&mut callee), (invocation, json!({"progress": true}), json!(number)));
        }
        part(&mut caller, request, false, &json!("end"));
        assert_eq!(invoked(&mut callee), (invocation, json!({}), json!("end")));
        callee.send(&json!([70, invocation, {}, ["whole"]]));
        assert_eq!(caller.next(), json!([50, request, {}, ["whole"]]));
        [caller, callee].into_iter().for_each(Peer2::leave);
        test.until_empty();
    }
}

#[test]
fn parts_go_both_ways_and_the_first_one_says_how() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register_with("com.example.", &json!({"match": "prefix"}));
    let request = caller.request();
    let options =
        json!({"progress": true, "receive_progress": true, "disclose_me": true, "ppt_scheme": "x_mine"});
    caller.send(&json!([48, request, options, PROC, [1]]));
    let (invocation, details, _) = invoked(&mut callee);
    assert_eq!((&details["caller"], &details["procedure"]), (&json!(caller.session), &json!(PROC)));
    assert_eq!((&details["receive_progress"], &details["ppt_scheme"]), (&json!(true), &json!("x_mine")));
    callee.send(&json!([70, invocation, {"progress": true}, ["first"]]));
    assert_eq!(caller.next(), json!([50, request, {"progress": true}, ["first"]]));
    // What is said later of how it is called counts for nothing.
    caller.send(&json!([48, request, {"progress": true, "ppt_scheme": "x_other"}, PROC, [2]]));
    assert_eq!(invoked(&mut callee).1, details);
    callee.send(&json!([70, invocation, {"progress": true}, ["second"]]));
    assert_eq!(caller.next(), json!([50, request, {"progress": true}, ["second"]]));
    part(&mut caller, request, false, &json!(3));
    let (_, last, _) = invoked(&mut callee);
    assert_eq!((last.get("progress"), &last["caller"]), (None, &json!(caller.session)));
    callee.send(&json!([70, invocation, {}, ["whole"]]));
    assert_eq!(caller.next(), json!([50, request, {}, ["whole"]]));
    [caller, callee].into_iter().for_each(Peer2::leave);
}

#[test]
fn all_parts_go_to_one_of_several_callees() {
    let test = serve(|builder| builder);
    let (mut caller, mut one, mut two) = (test.client2(JSON2), test.client2(JSON2), test.client2(JSON2));
    let shared = json!({"invoke": "roundrobin"});
    one.register_with(PROC, &shared);
    two.register_with(PROC, &shared);
    let request = caller.request();
    (0..5).for_each(|number| part(&mut caller, request, number < 4, &json!(number)));
    let parts: Vec<_> = (0..5).map(|_| invoked(&mut one)).collect();
    let texts: Vec<_> = parts.iter().map(|(_, _, argument)| argument.clone()).collect();
    assert_eq!(texts, [0, 1, 2, 3, 4]);
    one.send(&json!([70, parts[0].0, {}]));
    assert_eq!(caller.next(), json!([50, request, {}]));
    let request = caller.call(PROC, &json!({}), &json!([]));
    let invocation = two.invoked();
    two.send(&json!([70, invocation, {}]));
    assert_eq!(caller.next(), json!([50, request, {}]));
    [one, two, caller].into_iter().for_each(Peer2::leave);
}

#[test]
fn parts_of_a_call_that_is_over_are_nobodys() {
    let test = serve(|builder| builder);
    let mut caller = test.client2(JSON2);
    type End = fn(&mut Peer2, u64, u64, &mut Peer2);
    let ends: [(End, Value); 4] = [
        (|_, _, invocation, callee| callee.send(&json!([70, invocation, {}, ["early"]])), json!([50])),
        (
            |_, _, invocation, callee| callee.send(&json!([8, 68, invocation, {}, "com.example.no"])),
            json!("com.example.no"),
        ),
        (
            |caller, request, _, _| caller.send(&json!([49, request, {"mode": "killnowait"}])),
            json!("wamp.error.canceled"),
        ),
        (
            |_, _, _, callee| callee.send(&json!([6, {}, "wamp.close.close_realm"])),
            json!("wamp.error.canceled"),
        ),
    ];
    for (end, expected) in ends {
        let mut callee = test.client2(JSON2);
        callee.register(PROC);
        let request = caller.request();
        part(&mut caller, request, true, &json!(1));
        let (invocation, ..) = invoked(&mut callee);
        end(&mut caller, request, invocation, &mut callee);
        let answer = caller.next();
        match expected {
            Value::String(uri) => assert_eq!((&answer[2], &answer[4]), (&json!(request), &json!(uri))),
            _ => assert_eq!((&answer[0], &answer[1]), (&json!(50), &json!(request))),
        }
        // It could not know.
        part(&mut caller, request, true, &json!(2));
        part(&mut caller, request, false, &json!(3));
        caller.round_trip();
        drop(callee);
        test.log.wait_for("clank.client.disconnected");
    }
    caller.leave();
}

#[test]
fn a_caller_that_leaves_takes_its_call_along() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register(PROC);
    part(&mut caller, 1, true, &json!(1));
    let (invocation, ..) = invoked(&mut callee);
    drop(caller);
    let interrupt = callee.next();
    assert_eq!(
        (&interrupt[0], &interrupt[1], &interrupt[2]["mode"]),
        (&json!(69), &json!(invocation), &json!("killnowait"))
    );
    callee.leave();
}

#[test]
fn parts_need_all_three_to_agree() {
    let test = serve(|builder| builder);
    let (parts, cancel) = (json!({"progressive_call_invocations": true}), json!({"call_canceling": true}));
    for features in [json!({}), parts.clone(), cancel] {
        let mut callee = join(&test, &json!({}), &features);
        let mut caller = test.client2(JSON2);
        callee.register(PROC);
        let request = caller.request();
        part(&mut caller, request, true, &json!(1));
        assert_eq!(caller.error(), (48, request, "wamp.error.feature_not_supported".into()), "{features}");
        // It has heard nothing, and is called otherwise.
        let request = caller.call(PROC, &json!({}), &json!(["whole"]));
        let (invocation, _, argument) = invoked(&mut callee);
        assert_eq!(argument, "whole");
        callee.send(&json!([70, invocation, {}]));
        assert_eq!(caller.next(), json!([50, request, {}]));
        [callee, caller].into_iter().for_each(Peer2::leave);
    }
    let mut caller = test.client2(JSON2);
    for procedure in ["test/echo", "wamp.session.count"] {
        let request = caller.call(procedure, &json!({"progress": true}), &json!([]));
        assert_eq!(caller.error(), (48, request, "wamp.error.feature_not_supported".into()), "{procedure}");
    }
    let request = caller.call(PROC, &json!({"progress": true}), &json!([]));
    assert_eq!(caller.error(), (48, request, "wamp.error.no_such_procedure".into()));
    caller.leave();
    let mut caller = join(&test, &json!({}), &parts);
    part(&mut caller, 1, true, &json!(1));
    assert_eq!(caller.aborted(), ("wamp.error.protocol_violation".into(), 1002));
    // One call goes to one procedure.
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register(PROC);
    part(&mut caller, 1, true, &json!(1));
    callee.invoked();
    caller.send(&json!([48, 1, {"progress": true}, "com.example.other", [2]]));
    assert_eq!(caller.aborted(), ("wamp.error.protocol_violation".into(), 1002));
    assert_eq!(callee.next()[0], 69);
    callee.leave();
}

#[test]
fn a_callee_that_reads_too_slowly_loses_the_call_and_not_its_connection() {
    let limits = Limits { outbound: Size::of(64 * 1024), message: Size::of(32 * 1024), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register(PROC);
    let request = caller.request();
    let text = json!("x".repeat(16 * 1024));
    // More than the system's buffers and the queue take.
    for _ in 0..2_000 {
        part(&mut caller, request, true, &text);
    }
    assert_eq!(caller.error(), (48, request, "clank.error.limit_exceeded".into()));
    caller.round_trip();
    let (invocation, ..) = invoked(&mut callee);
    let mut last = callee.next();
    let request = callee.call("test/echo", &json!({}), &json!(["alive"]));
    while last[0] == 68 {
        assert_eq!(last[1], invocation);
        last = callee.next();
    }
    if last[0] == 69 {
        last = callee.next();
    }
    assert_eq!(last, json!([50, request, {}, [["alive"]]]));
    [caller, callee].into_iter().for_each(Peer2::leave);
}
