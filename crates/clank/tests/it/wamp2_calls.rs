//! Calls between clients, and of the server's own procedures: each has exactly one reply.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use clank::limits::Count;
use clank::{Limits, RpcError};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{JSON2, Peer2, serve, serve_limited};

const PACKED: Codec = Codec { serializer: Serializer::MessagePack, batched: false };

#[test]
fn v1_calls_what_v2_offers() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client(), test.client2(PACKED));
    let registration = callee.register("com.example.proc");
    // what it yields, and what v1 makes of that
    let cases = [
        (json!([70, 0, {}]), json!([3, "call", null])),
        (json!([70, 0, {}, [7]]), json!([3, "call", 7])),
        (json!([70, 0, {}, [[7]]]), json!([3, "call", [7]])),
        (json!([70, 0, {}, [1, 2]]), json!([3, "call", {"args": [1, 2], "kwargs": {}}])),
        (json!([70, 0, {}, [], {"a": 1}]), json!([3, "call", {"args": [], "kwargs": {"a": 1}}])),
        (json!([8, 68, 0, {}, "com.example.wrong"]), json!([4, "call", "com.example.wrong", ""])),
        (
            json!([8, 68, 0, {}, "com.example.wrong", ["it is wrong", 1]]),
            json!([4, "call", "com.example.wrong", "it is wrong", 1]),
        ),
    ];
    for (mut answer, expected) in cases {
        caller.send(r#"[2,"call","com.example.proc",1,{"a":2}]"#);
        let invocation = callee.next();
        assert_eq!(invocation, json!([68, invocation[1], registration, {}, [1, {"a": 2}]]));
        let at = if answer[0] == 8 { 2 } else { 1 };
        answer[at] = invocation[1].clone();
        callee.send(&answer);
        assert_eq!(caller.json(), expected);
    }
    caller.send(r#"[2,"call","com.example.proc"]"#);
    callee.invoked();
    callee.leave();
    assert_eq!(caller.json(), json!([4, "call", "wamp.error.canceled", "the callee has left"]));
    caller.round_trip();
    caller.leave();
}

#[test]
fn v1_and_v2_meet_on_a_topic() {
    let test = serve(|builder| builder);
    let (mut old, mut new) = (test.client(), test.client2(PACKED));
    old.subscribe("chat/room");
    let subscription = new.subscribe("chat/room");
    test.until_subscribed("chat/room", 2);
    let cases = [
        (json!([]), Value::Null, json!(null)),
        (json!(["hi"]), Value::Null, json!("hi")),
        (json!([1, 2]), Value::Null, json!({"args": [1, 2], "kwargs": {}})),
        (json!([]), json!({"a": 1}), json!({"args": [], "kwargs": {"a": 1}})),
    ];
    for (arguments, keywords, event) in cases {
        let request = new.request();
        match keywords {
            Value::Null => new.send(&json!([16, request, {}, "chat/room", arguments])),
            keywords => new.send(&json!([16, request, {}, "chat/room", arguments, keywords])),
        }
        assert_eq!(old.json(), json!([8, "chat/room", event]));
    }
    old.publish("chat/room", &json!({"text": "hello"}));
    assert_eq!(old.json(), json!([8, "chat/room", {"text": "hello"}]), "v1's publisher hears itself");
    let heard = new.next();
    assert_eq!(heard, json!([36, subscription, heard[2], {}, [{"text": "hello"}]]));
    // Sessions of either version are named in lists of either.
    let old_number = u64::from_str_radix(&old.session, 16).unwrap();
    new.publish("chat/room", json!({"exclude": [old_number], "exclude_me": false}), &json!([1]));
    assert_eq!(new.next()[4], json!([1]));
    let new_name = format!("{:014x}", new.session);
    old.send(json!([7, "chat/room", 2, [new_name]]).to_string());
    assert_eq!(old.json(), json!([8, "chat/room", 2]));
    new.publish("chat/room", json!({"eligible": [old_number]}), &json!([3]));
    assert_eq!(old.json(), json!([8, "chat/room", 3]));
    new.publish("chat/room", json!({"eligible_authrole": ["anonymous"], "exclude_me": false}), &json!([4]));
    assert_eq!(new.next()[4], json!([4]), "v1 has no role");
    test.handle().publish("chat/room", &5).unwrap();
    assert_eq!((old.json(), &new.next()[4]), (json!([8, "chat/room", 5]), &json!([5])));
    old.leave();
    new.leave();
}

#[test]
fn v2_calls_what_the_server_offers() {
    let test = serve(|builder| builder);
    for codec in Codec::ALL {
        let mut peer = test.client2(codec);
        peer.call("test/echo", &json!({}), &json!([2, 5]));
        assert_eq!(peer.next()[3], json!([[2, 5]]));
        peer.call("test/fail", &json!({}), &json!([1]));
        let error = peer.next();
        assert_eq!((&error[0], &error[1], &error[4]), (&json!(8), &json!(48), &json!("test/fail")));
        let details = json!({"code": 417, "hint": "try again", "rpc": "test/fail", "params": [1]});
        assert_eq!(error[5], json!(["it did not work", details]));
        peer.call("test/panic", &json!({}), &json!([]));
        assert_eq!(peer.error().2, "test/panic");
        peer.leave();
    }
}

#[test]
fn a_call_is_answered_once_whatever_the_callee_does() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(PACKED));
    let mut other = test.client2(JSON2);
    callee.register("com.example.proc");
    let request = caller.call("com.example.proc", &json!({}), &json!([]));
    let invocation = callee.invoked();
    callee.send(&json!([70, invocation, {}, [1]]));
    callee.send(&json!([70, invocation, {}, [2]]));
    callee.send(&json!([8, 68, invocation, {}, "com.example.late"]));
    assert_eq!(caller.next(), json!([50, request, {}, [1]]), "the first answer counts");
    caller.round_trip();
    callee.round_trip();
    // Somebody else's call.
    let request = caller.call("com.example.proc", &json!({}), &json!([]));
    let invocation = callee.invoked();
    other.send(&json!([70, invocation, {}, [2]]));
    assert_eq!(other.aborted().0, "wamp.error.protocol_violation");
    callee.send(&json!([70, invocation, {}, [3]]));
    assert_eq!(caller.next(), json!([50, request, {}, [3]]));
    // Parts that nobody asked for.
    let request = caller.call("com.example.proc", &json!({}), &json!([]));
    let invocation = callee.invoked();
    for part in 0..1_000 {
        callee.send(&json!([70, invocation, {"progress": true}, [part]]));
    }
    callee.send(&json!([70, invocation, {}, ["whole"]]));
    assert_eq!(caller.next(), json!([50, request, {}, ["whole"]]));
    // It is lost.
    let request = caller.call("com.example.proc", &json!({}), &json!([]));
    callee.invoked();
    drop(callee);
    assert_eq!(caller.error(), (48, request, "wamp.error.canceled".into()));
    caller.call("com.example.proc", &json!({}), &json!([]));
    assert_eq!(caller.error().2, "wamp.error.no_such_procedure");
    caller.leave();
}

#[test]
fn results_may_come_bit_by_bit() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(PACKED), test.client2(JSON2));
    callee.register("com.example.proc");
    let request = caller.call("com.example.proc", &json!({"receive_progress": true}), &json!([]));
    let invocation = callee.next();
    assert_eq!(invocation[3], json!({"receive_progress": true}));
    for part in 0..10 {
        callee.send(&json!([70, invocation[1], {"progress": true}, [part]]));
        assert_eq!(caller.next(), json!([50, request, {"progress": true}, [part]]));
    }
    callee.send(&json!([70, invocation[1], {}]));
    callee.send(&json!([70, invocation[1], {"progress": true}, ["late"]]));
    assert_eq!(caller.next(), json!([50, request, {}]));
    callee.round_trip();
    caller.round_trip();
    caller.leave();
    callee.leave();
}

#[test]
fn calls_are_cancelled_as_the_mode_says() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(PACKED));
    callee.register("com.example.proc");
    for (options, mode) in [
        (json!({"mode": "skip"}), "skip"),
        (json!({"mode": "kill"}), "kill"),
        (json!({"mode": "killnowait"}), "killnowait"),
        (json!({}), "killnowait"),
    ] {
        let request = caller.call("com.example.proc", &json!({}), &json!([]));
        let invocation = callee.invoked();
        caller.send(&json!([49, request, options]));
        if mode != "kill" {
            assert_eq!(caller.error(), (48, request, "wamp.error.canceled".into()));
        }
        if mode != "skip" {
            let reason = json!({"mode": mode, "reason": "wamp.error.canceled"});
            assert_eq!(callee.next(), json!([69, invocation, reason]));
        }
        callee.send(&json!([8, 68, invocation, {}, "com.example.stopped"]));
        if mode == "kill" {
            assert_eq!(caller.error(), (48, request, "com.example.stopped".into()));
        }
        callee.round_trip();
        caller.round_trip();
    }
    let request = caller.call("test/never", &json!({}), &json!([]));
    caller.send(&json!([49, request, {}]));
    assert_eq!(caller.error(), (48, request, "wamp.error.canceled".into()));
    caller.send(&json!([49, request, {}]));
    caller.round_trip();
    // A caller that leaves waits for nothing.
    caller.call("com.example.proc", &json!({}), &json!([]));
    let invocation = callee.invoked();
    caller.leave();
    assert_eq!(callee.next()[1], invocation);
    callee.leave();
}

#[test]
fn time_outs_fire() {
    let test = serve(|builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(PACKED));
    callee.register("com.example.proc");
    let request = caller.call("com.example.proc", &json!({"timeout": 20}), &json!([]));
    let invocation = callee.invoked();
    assert_eq!(caller.error(), (48, request, "wamp.error.timeout".into()));
    let reason = json!({"mode": "killnowait", "reason": "wamp.error.timeout"});
    assert_eq!(callee.next(), json!([69, invocation, reason]));
    callee.send(&json!([70, invocation, {}]));
    let request = caller.call("test/never", &json!({"timeout": 20}), &json!([]));
    assert_eq!(caller.error(), (48, request, "wamp.error.timeout".into()));
    let request = caller.call("com.example.proc", &json!({"timeout": 60_000}), &json!([]));
    let invocation = callee.invoked();
    callee.send(&json!([70, invocation, {}]));
    assert_eq!(caller.next(), json!([50, request, {}]));
    caller.leave();
    callee.leave();
}

#[test]
fn a_procedure_may_be_shared() {
    let test = serve(|builder| builder);
    let mut caller = test.client2(JSON2);
    for (policy, expected) in [("first", [0, 0, 0, 0]), ("last", [2, 2, 2, 2]), ("roundrobin", [0, 1, 2, 0])]
    {
        let mut callees: Vec<Peer2> = (0..3).map(|_| test.client2(JSON2)).collect();
        for callee in &mut callees {
            callee.register_with("com.example.proc", &json!({"invoke": policy}));
        }
        for at in expected {
            let request = caller.call("com.example.proc", &json!({}), &json!([]));
            let invocation = callees[at].invoked();
            callees[at].send(&json!([70, invocation, {}, [at]]));
            assert_eq!(caller.next(), json!([50, request, {}, [at]]), "{policy}");
        }
        callees[0].send(&json!([64, 99, {"invoke": policy}, "com.example.proc"]));
        assert_eq!(callees[0].error().2, "wamp.error.procedure_already_exists", "it offers it already");
        caller.send(&json!([64, 99, {"invoke": "single"}, "com.example.proc"]));
        assert_eq!(caller.error().2, "wamp.error.procedure_already_exists");
        callees.into_iter().for_each(Peer2::leave);
    }
    caller.leave();
}

#[test]
fn who_calls_and_publishes_is_told_where_it_is_to_be() {
    let test = serve(|builder| builder);
    let (mut one, mut other) = (test.client2(JSON2), test.client2(PACKED));
    other.register("com.example.proc");
    other.subscribe("com.example.topic");
    let authid = one.welcome[2]["authid"].clone();
    one.call("com.example.proc", &json!({"disclose_me": true}), &json!([]));
    let invocation = other.next();
    let caller = json!({"caller": one.session, "caller_authid": authid, "caller_authrole": "anonymous"});
    assert_eq!(invocation[3], caller);
    other.send(&json!([70, invocation[1], {}]));
    one.next();
    one.publish("com.example.topic", json!({"disclose_me": true}), &json!([]));
    let publisher =
        json!({"publisher": one.session, "publisher_authid": authid, "publisher_authrole": "anonymous"});
    assert_eq!(other.next()[3], publisher);
    other.register_with("com.example.curious", &json!({"disclose_caller": true}));
    one.call("com.example.curious", &json!({}), &json!([]));
    let invocation = other.next();
    assert_eq!(invocation[3], caller);
    other.send(&json!([70, invocation[1], {}]));
    one.next();
    one.leave();
    other.leave();
}

#[test]
fn calls_in_flight_are_limited() {
    let limits = Limits { calls_in_flight: Count::of(3), ..Limits::DEFAULT };
    let test = serve_limited(limits, |builder| builder);
    let (mut caller, mut callee) = (test.client2(JSON2), test.client2(JSON2));
    callee.register("com.example.proc");
    caller.call("com.example.proc", &json!({}), &json!([]));
    caller.call("test/never", &json!({}), &json!([]));
    caller.call("com.example.proc", &json!({}), &json!([]));
    for procedure in ["com.example.proc", "test/never"] {
        let request = caller.call(procedure, &json!({}), &json!([]));
        assert_eq!(caller.error(), (48, request, "clank.error.limit_exceeded".into()));
    }
    let invocation = callee.invoked();
    callee.send(&json!([70, invocation, {}]));
    assert_eq!(caller.next()[0], 50);
    caller.call("com.example.proc", &json!({}), &json!([]));
    callee.invoked();
    callee.invoked();
    drop(caller);
    callee.peer.send_close(1000, "");
}

#[test]
fn the_program_calls_what_a_client_offers() {
    let test = serve(|builder| builder);
    let mut callee = test.client2(PACKED);
    callee.register("com.example.proc");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let call = |params: Value| {
        let handle = test.handle();
        runtime.spawn(async move { handle.call::<_, Value>("com.example.proc", &params).await })
    };
    let called = call(json!([1, 2]));
    let invocation = callee.next();
    assert_eq!(invocation[4], json!([1, 2]));
    callee.send(&json!([70, invocation[1], {}, [3]]));
    assert_eq!(runtime.block_on(called).unwrap(), Ok(json!(3)));
    let called = call(json!({"a": 1}));
    let invocation = callee.next();
    assert_eq!(invocation[5], json!({"a": 1}));
    callee.send(&json!([8, 68, invocation[1], {}, "com.example.wrong", ["it is wrong"]]));
    let error = runtime.block_on(called).unwrap().unwrap_err();
    assert_eq!(error, RpcError::verbatim("com.example.wrong", "it is wrong", None));
    let called = call(json!([]));
    let invocation = callee.invoked();
    called.abort();
    assert_eq!(callee.next()[1], invocation, "INTERRUPT");
    callee.leave();
    assert_eq!(runtime.block_on(call(json!([]))).unwrap().unwrap_err().kind(), 404);
}

/// Callers that cancel, set time-outs and wait, and callees that answer, fail, leave and come back, all
/// at once: each call has one reply, and nothing is left.
#[test]
fn every_call_has_one_reply_under_load() {
    let test = serve(|builder| builder);
    let (address, stop) = (test.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        for callee in 0..2 {
            let stop = &stop;
            scope.spawn(move || answer_in_every_way(address, 40 + callee, stop));
        }
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(move || call_in_every_way(address, 150))).collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        // Callees that wait for a call hear of the end.
        let mut last = test.client2(JSON2);
        while test.handle().tables().open > 1 {
            last.call("com.example.busy", &json!({"timeout": 1}), &json!([]));
            last.next();
        }
        last.leave();
    });
    test.until_empty();
}

/// Offers the procedure, answers or not, leaves after so many messages, and comes back.
fn answer_in_every_way(address: SocketAddr, messages: u64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut peer = Peer2::join(address, PACKED, "realm1");
        peer.register_with("com.example.busy", &json!({"invoke": "roundrobin"}));
        for number in 0..messages {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let message = peer.next();
            let invocation = &message[1];
            match (message[0].as_u64(), number % 5) {
                // INTERRUPT, or an invocation that is left to its fate.
                (Some(69), _) | (_, 0) => {}
                (_, 1) => peer.send(&json!([8, 68, invocation, {}, "com.example.wrong"])),
                (_, 2) => {
                    peer.send(&json!([70, invocation, {"progress": true}, [1]]));
                    peer.send(&json!([70, invocation, {}, [2]]));
                }
                _ => peer.send(&json!([70, invocation, {}, [2]])),
            }
        }
    }
}

/// Calls it so often, and waits for each reply.
fn call_in_every_way(address: SocketAddr, calls: u64) {
    let mut peer = Peer2::join(address, JSON2, "realm1");
    for number in 0..calls {
        let options = json!({"timeout": 5 + number % 20, "receive_progress": number % 2 == 0});
        let request = peer.call("com.example.busy", &options, &json!([]));
        if number % 3 == 0 {
            peer.send(&json!([49, request, {}]));
        }
        loop {
            let reply = peer.next();
            let is_error = reply[0] == 8;
            assert_eq!(reply[if is_error { 2 } else { 1 }], request, "{reply}");
            if is_error || reply[2]["progress"] != true {
                break;
            }
        }
    }
    peer.round_trip();
    peer.leave();
}
