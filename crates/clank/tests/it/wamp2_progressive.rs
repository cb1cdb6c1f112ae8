//! Calls whose arguments come in parts.

use std::sync::Arc;

use clank::limits::Size;
use clank::{Call, Limits, Parts, Procedures, RpcError, Service};
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

/// Sums what it is sent, and says how far it has come.
struct Sums;

impl Sums {
    async fn sum(self: Arc<Self>, _: Call, mut parts: Parts) -> Result<i64, RpcError> {
        let mut sum = 0;
        while let Some(terms) = parts.next::<Vec<i64>>().await {
            sum += terms?.iter().sum::<i64>();
            parts.send(&sum)?;
        }
        Ok(sum)
    }

    /// Answers at once, whatever follows, and goes on talking.
    async fn hasty(self: Arc<Self>, _: Call, mut parts: Parts) -> Result<Vec<Value>, RpcError> {
        let first = parts.next().await.unwrap();
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::task::yield_now().await;
                parts.send("late").unwrap();
            }
        });
        first
    }

    async fn never(self: Arc<Self>, _: Call, parts: Parts) -> Result<(), RpcError> {
        let _parts = parts;
        std::future::pending().await
    }
}

impl Service for Sums {
    fn procedures(procedures: &mut Procedures<Self>) {
        procedures.add_in_parts("sum", Self::sum);
        procedures.add_in_parts("hasty", Self::hasty).add_in_parts("never", Self::never);
    }
}

#[test]
fn the_program_takes_parts_and_sends_some() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    for codec in Codec::ALL {
        let mut peer = test.client2(codec);
        let request = peer.request();
        for (number, sum) in [(1, 1), (2, 3), (3, 6)] {
            let options = json!({"progress": true, "receive_progress": true});
            peer.send(&json!([48, request, options, "sums/sum", [number]]));
            assert_eq!(peer.next(), json!([50, request, {"progress": true}, [sum]]));
        }
        peer.send(&json!([48, request, {}, "sums/sum", [4]]));
        assert_eq!(peer.next(), json!([50, request, {"progress": true}, [10]]));
        assert_eq!(peer.next(), json!([50, request, {}, [10]]));
        // Who asks for no parts gets the whole, and a whole call is one part.
        let request = peer.request();
        (0..10).for_each(|number| {
            let options = if number < 9 { json!({"progress": true}) } else { json!({}) };
            peer.send(&json!([48, request, options, "sums/sum", [number]]));
        });
        assert_eq!(peer.next(), json!([50, request, {}, [45]]));
        let request = peer.call("sums/sum", &json!({}), &json!([1, 2]));
        assert_eq!(peer.next(), json!([50, request, {}, [3]]));
        // A part that does not fit.
        let request = peer.request();
        peer.send(&json!([48, request, {"progress": true}, "sums/sum", [1]]));
        peer.send(&json!([48, request, {"progress": true}, "sums/sum", ["one"]]));
        assert_eq!(peer.error(), (48, request, "sums/sum".into()));
        peer.send(&json!([48, request, {}, "sums/sum", [1]]));
        peer.round_trip();
        peer.leave();
        test.until_empty();
    }
    let mut old = test.client();
    assert_eq!(old.call("sums/sum", &json!([1, 2, 3]))[2], json!(6));
    old.leave();
}

#[test]
fn no_part_comes_behind_the_answer() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    let mut peer = test.client2(JSON2);
    for _ in 0..20 {
        let request = peer.call("sums/hasty", &json!({"receive_progress": true}), &json!([1]));
        let mut answer = peer.next();
        while answer[2] == json!({"progress": true}) {
            answer = peer.next();
        }
        assert_eq!(answer, json!([50, request, {}, [[1]]]));
        peer.round_trip();
    }
    let request = peer.request();
    peer.send(&json!([48, request, {"progress": true, "receive_progress": true}, "sums/never", []]));
    peer.send(&json!([49, request, {}]));
    assert_eq!(peer.error(), (48, request, "wamp.error.canceled".into()));
    peer.send(&json!([48, request, {"progress": true}, "sums/never", []]));
    peer.round_trip();
    // It takes none: they wait, as far as there is room for them.
    let request = peer.request();
    (0..30).for_each(|_| peer.send(&json!([48, request, {"progress": true}, "sums/never", []])));
    assert_eq!(peer.error(), (48, request, "clank.error.limit_exceeded".into()));
    peer.round_trip();
    peer.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_calls_in_parts() {
    let test = serve(|builder| builder.rpc("sums", Sums));
    let handle = test.handle();
    // Its own.
    let mut call = handle.call_in_parts("sums/sum", &[1]).await.unwrap();
    assert_eq!(call.next::<i64>().await.unwrap().unwrap(), 1);
    call.send(&[2, 3]).await.unwrap();
    assert_eq!(call.next::<i64>().await.unwrap().unwrap(), 6);
    call.finish(&[4]).await.unwrap();
    assert_eq!(call.next::<i64>().await.unwrap().unwrap(), 10);
    assert!(call.next::<i64>().await.is_none());
    assert_eq!(call.result::<i64>().await.unwrap(), 10);
    assert_eq!(handle.call::<_, i64>("sums/sum", &[5, 6]).await.unwrap(), 11);
    let error = handle.call_in_parts("test/echo", &[1]).await.unwrap_err();
    assert_eq!(error.description(), "test/echo takes no parts");
    drop(handle.call_in_parts("sums/never", &[1]).await.unwrap());
    // A client's.
    let mut callee = test.client2(JSON2);
    callee.register(PROC);
    let mut call = handle.call_in_parts(PROC, &[1]).await.unwrap();
    let (invocation, details, argument) = invoked(&mut callee);
    assert_eq!((details, argument), (json!({"progress": true, "receive_progress": true}), json!(1)));
    callee.send(&json!([70, invocation, {"progress": true}, ["so far"]]));
    assert_eq!(call.next::<String>().await.unwrap().unwrap(), "so far");
    call.finish(&[2]).await.unwrap();
    let (second, details, argument) = invoked(&mut callee);
    assert_eq!((second, details.get("progress"), argument), (invocation, None, json!(2)));
    callee.send(&json!([70, invocation, {}, ["whole"]]));
    assert_eq!(call.result::<String>().await.unwrap(), "whole");
    // It is given up.
    drop(handle.call_in_parts(PROC, &[1]).await.unwrap());
    let (invocation, ..) = invoked(&mut callee);
    assert_eq!(callee.next()[1], invocation, "it is interrupted");
    callee.leave();
    let mut unable = join(&test, &json!({}), &json!({}));
    unable.register(PROC);
    let error = handle.call_in_parts(PROC, &[1]).await.unwrap_err();
    assert!(error.description().contains("does not take calls in parts"), "{error}");
    unable.leave();
}
