//! Clients of WAMP v2 within the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clank::session::{CancelMode, Event, Fault, Invocation, Invoke, Matching, Serializer, SessionError};
use clank::wamp2::{Auth, Method, Realm};
use clank::{Admission, Clank};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{Test, serve, until};

fn uri_of(error: &SessionError) -> &str {
    error.fault().map(Fault::uri).unwrap_or_default()
}

#[tokio::test]
async fn a_session_within_is_a_session_as_any_other() {
    let test = serve(|builder| builder.realm("com.example"));
    for serializer in Serializer::ALL {
        let session = test.handle().session("com.example").serializer(serializer).await.unwrap();
        assert_eq!((session.realm(), session.authrole()), ("com.example", "anonymous"));
        assert!(session.id() > 0 && !session.authid().is_empty());
        session.leave().await;
        let end = test.disconnected();
        assert_eq!(
            (&end["cause"], &end["session"]["realm"]),
            (&json!("client_closed"), &json!("com.example"))
        );
        assert!(end["remote_address"].is_null() && end["transport"].is_null());
        let name = end["protocol"].as_str().unwrap();
        assert_eq!(name, format!("wamp.2.{}", end["session"]["serializer"].as_str().unwrap()));
    }
    drop(test.handle().session("realm1").await.unwrap());
    assert_eq!(test.disconnected()["cause"], "network_lost");
}

#[tokio::test]
async fn a_session_within_is_asked_for_refused_and_closed_as_any_other() {
    let test = serve(|builder| {
        let secret = Realm::new("secret").auth(Auth::new([Method::Ticket]));
        builder.realm(secret).on_connecting(|request| async move {
            Ok(match request.resource_id() {
                1 => Admission::reject(StatusCode::FORBIDDEN, "no"),
                _ => Admission::accept().identity("inside"),
            })
        })
    });
    let refused = test.handle().session("realm1").await.map(drop).unwrap_err();
    assert_eq!(refused, SessionError::Refused("refused with status 403 Forbidden".into()));
    for (realm, expected) in
        [("nowhere", "wamp.error.no_such_realm"), ("secret", "wamp.error.authentication_required")]
    {
        let refused = test.handle().session(realm).await.map(drop).unwrap_err();
        assert!(matches!(&refused, SessionError::Aborted { reason, .. } if reason == expected), "{refused}");
    }
    let session = test.handle().session("realm1").await.unwrap();
    assert_eq!(session.authid(), "inside");
    let mut events = session.subscribe("a.b").await.unwrap();
    test.handle().connections().remove(0).close(4001, "enough");
    let closed = session.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (4001, "enough"));
    let ended = SessionError::Disconnected(closed);
    assert_eq!(events.next().await.unwrap_err(), SessionError::Over);
    assert_eq!(session.publish("a.b", &1).await.unwrap_err(), ended);
    assert_eq!(session.call::<Value>("test/echo", &1).await.unwrap_err(), ended);
    assert_eq!(session.subscribe("a.b").await.map(drop).unwrap_err(), ended);
}

#[tokio::test]
async fn publications_say_who_shall_have_them() {
    let test = serve(|builder| builder);
    let join =
        || async { test.handle().session("realm1").serializer(Serializer::MessagePack).await.unwrap() };
    let (one, two, three) = (join().await, join().await, join().await);
    let mut heard = Vec::new();
    for session in [&one, &two, &three] {
        heard.push(session.subscribe("a.b").await.unwrap());
    }
    let all = |session: &'static str| json!([session]);
    one.publish("a.b", &"others").await.unwrap();
    one.publish("a.b", &"all").exclude_me(false).await.unwrap();
    one.publish("a.b", &"two").eligible([two.id()]).await.unwrap();
    one.publish("a.b", &"three").exclude([two.id()]).await.unwrap();
    let disclosed = one.publish("a.b", &()).keywords(&json!({"k": [1]})).exclude_me(false).disclose_me();
    let publication = disclosed.acknowledged().await.unwrap();
    for (events, expected) in
        heard.iter_mut().zip([&["all"][..], &["others", "all", "two"], &["others", "all", "three"]])
    {
        for text in expected {
            let event = events.next().await.unwrap();
            assert_eq!(event.parse::<Value>().unwrap(), json!(text));
            assert_eq!(event.parse::<(String,)>().unwrap().0, *text, "{}", all("a list of one"));
        }
        let last = events.next().await.unwrap();
        assert_eq!((last.publication(), last.publisher(), last.topic()), (publication, Some(one.id()), None));
        assert_eq!(last.keywords::<Value>().unwrap(), json!({"k": [1]}));
    }
    let refused = one.publish("a..b", &1).acknowledged().await.unwrap_err();
    assert_eq!(uri_of(&refused), "wamp.error.invalid_uri");
    let unfit = std::collections::BTreeMap::from([(vec![1], 1)]);
    assert!(matches!(one.publish("a.b", &unfit).await, Err(SessionError::Json(_))));
}

#[tokio::test]
async fn subscriptions_may_be_to_patterns_and_end() {
    let test = serve(|builder| builder);
    let session = test.handle().session("realm1").await.unwrap();
    let mut prefix = session.subscribe_with("com.", Matching::Prefix).await.unwrap();
    let mut wildcard = session.subscribe_with("com..price", Matching::Wildcard).await.unwrap();
    session.publish("com.shop.price", &17).exclude_me(false).await.unwrap();
    for events in [&mut prefix, &mut wildcard] {
        let event: Event = events.next().await.unwrap();
        assert_eq!((event.topic(), event.parse::<u32>().unwrap()), (Some("com.shop.price"), 17));
    }
    session.unsubscribe(prefix).await.unwrap();
    session.publish("com.shop.price", &18).exclude_me(false).await.unwrap();
    assert_eq!(wildcard.next().await.unwrap().parse::<u32>().unwrap(), 18);
    // What is not taken in time is lost, and that is said.
    for number in 0..2_000 {
        session.publish("com.shop.price", &number).exclude_me(false).await.unwrap();
    }
    session.call::<Value>("test/echo", &1).await.unwrap();
    let SessionError::Lost(lost) = wildcard.next().await.unwrap_err() else { panic!("none were lost") };
    assert_eq!(wildcard.next().await.unwrap().parse::<u64>().unwrap(), lost);
    session.leave().await;
}

#[tokio::test]
async fn calls_are_typed_and_fail_in_words() {
    let test = serve(|builder| builder);
    for serializer in Serializer::ALL {
        let callee = test.handle().session("realm1").serializer(serializer).await.unwrap();
        let caller = test.handle().session("realm1").await.unwrap();
        let add = callee.register("com.add", |(a, b): (i64, i64)| async move { Ok(a + b) }).await.unwrap();
        callee.register("com.list", |size: usize| async move { Ok(vec![0_u8; size]) }).await.unwrap();
        let fail = |()| async { Err::<(), _>(Fault::new("com.error").arguments(&("why", 7))) };
        callee.register("com.fail", fail).await.unwrap();
        let panics = |()| async { if true { panic!("on purpose") } else { Ok(()) } };
        callee.register("com.panic", panics).await.unwrap();
        assert_eq!(caller.call::<i64>("com.add", &(2, 40)).await.unwrap(), 42);
        for size in 0..3 {
            assert_eq!(caller.call::<Vec<u8>>("com.list", &(size,)).await.unwrap(), vec![0; size]);
        }
        let failed = caller.call::<()>("com.fail", &()).await.unwrap_err();
        let fault = failed.fault().unwrap();
        assert_eq!((fault.uri(), fault.description().as_deref()), ("com.error", Some("why")));
        assert_eq!(fault.parse::<(String, u8)>().unwrap(), ("why".to_owned(), 7));
        for (procedure, expected) in
            [("com.panic", "clank.error.handler_failed"), ("com.nothing", "wamp.error.no_such_procedure")]
        {
            assert_eq!(uri_of(&caller.call::<()>(procedure, &()).await.unwrap_err()), expected);
        }
        let unfit = caller.call::<i64>("com.add", &"two").await.unwrap_err();
        assert_eq!(uri_of(&unfit), "wamp.error.invalid_argument");
        assert!(matches!(caller.call::<bool>("com.add", &(1, 1)).await, Err(SessionError::Json(_))));
        let taken = caller.register("com.add", |()| async { Ok(()) }).await.map(drop).unwrap_err();
        assert_eq!(uri_of(&taken), "wamp.error.procedure_already_exists");
        callee.unregister(add).await.unwrap();
        let gone = caller.call::<i64>("com.add", &(1, 1)).await.unwrap_err();
        assert_eq!(uri_of(&gone), "wamp.error.no_such_procedure");
        assert_eq!(caller.call::<Vec<i64>>("test/echo", &[1, 2]).await.unwrap(), [1, 2]);
        callee.leave().await;
        caller.leave().await;
    }
}

#[tokio::test]
async fn procedures_know_who_calls_and_what() {
    let test = serve(|builder| builder);
    let callee = test.handle().session("realm1").await.unwrap();
    let caller = test.handle().session("realm1").serializer(Serializer::Cbor).await.unwrap();
    let tell = |invocation: Invocation| async move {
        let keywords: Value = invocation.keywords().unwrap();
        let procedure = invocation.procedure().map(str::to_owned);
        Ok(json!([invocation.caller(), procedure, keywords, invocation.wants_progress()]))
    };
    callee.register_with("com.", tell).matching(Matching::Prefix).disclose_caller().await.unwrap();
    let told: Value = caller.call("com.any", &(1,)).keywords(&json!({"k": "v"})).await.unwrap();
    assert_eq!(told, json!([caller.id(), "com.any", {"k": "v"}, false]));
    let one = |()| async { Ok(1) };
    let two = |()| async { Ok(2) };
    callee.register("org.shared", one).invoke(Invoke::RoundRobin).await.unwrap();
    caller.register("org.shared", two).invoke(Invoke::RoundRobin).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(caller.call::<u8>("org.shared", &()).await.unwrap());
    }
    assert_eq!(answers, [1, 2, 1, 2]);
}

/// A procedure that waits for ever, and counts how often it is given up.
async fn waits(test: &Test, began: &Arc<Notify>, ended: &Arc<AtomicUsize>) -> clank::session::Session {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let session = test.handle().session("realm1").await.unwrap();
    let (began, ended) = (Arc::clone(began), Arc::clone(ended));
    let wait = move |invocation: Invocation| {
        let (began, count) = (Arc::clone(&began), Count(Arc::clone(&ended)));
        async move {
            invocation.progress("begun").await.unwrap();
            began.notify_one();
            std::future::pending::<()>().await;
            drop(count);
            Ok(())
        }
    };
    session.register_with("com.wait", wait).await.unwrap();
    session
}

#[tokio::test]
async fn calls_end_early_in_every_way() {
    let test = serve(|builder| builder);
    let (began, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let callee = waits(&test, &began, &ended).await;
    let caller = test.handle().session("realm1").await.unwrap();
    let gone = |count: usize| until("it is given up", || ended.load(Ordering::SeqCst) == count);
    let timed = caller.call::<()>("com.wait", &()).timeout(Duration::from_millis(20)).await;
    assert_eq!(uri_of(&timed.unwrap_err()), "wamp.error.timeout");
    began.notified().await;
    gone(1);
    for (count, mode) in [CancelMode::Kill, CancelMode::KillNoWait].into_iter().enumerate() {
        let mut calling = caller.call::<()>("com.wait", &()).progressive().await.unwrap();
        assert_eq!(calling.next::<String>().await.unwrap().unwrap(), "begun");
        began.notified().await;
        calling.cancel(mode).await.unwrap();
        assert_eq!(uri_of(&calling.result().await.unwrap_err()), "wamp.error.canceled");
        gone(2 + count);
    }
    let dropped = caller.call::<()>("com.wait", &());
    tokio::select! {
        _ = dropped => panic!("it waits for ever"),
        () = began.notified() => {}
    }
    gone(4);
    let calling = caller.call::<()>("com.wait", &()).progressive().await.unwrap();
    began.notified().await;
    callee.leave().await;
    assert_eq!(uri_of(&calling.result().await.unwrap_err()), "wamp.error.canceled");
    gone(5);
}

#[tokio::test]
async fn sessions_end_with_their_server() {
    let server = Clank::builder().start().unwrap();
    let session = server.handle().session("realm1").await.unwrap();
    server.shutdown().await;
    assert_eq!(session.closed().await.code, 1001);
    assert!(server.handle().session("realm1").await.is_err());
}
