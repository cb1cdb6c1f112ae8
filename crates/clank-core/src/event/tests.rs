#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::id::ResourceId;

fn origin() -> Origin {
    Origin { node: "eu-1".parse().unwrap(), run: RunId::new(1_700_000_000_000, &[1; 10]) }
}

fn connection_id() -> ConnectionId {
    ConnectionId::new(1_700_000_000_500, &[2; 10])
}

fn request() -> RequestFacts {
    RequestFacts {
        remote_address: Some("192.0.2.7:50000".parse().unwrap()),
        protocol: Some("wamp".into()),
        path: Some("/".into()),
        headers: [("user-agent", "test")].into_iter().collect(),
        ..RequestFacts::default()
    }
}

fn facts() -> Arc<ConnectionFacts> {
    Arc::new(ConnectionFacts {
        connection_id: connection_id(),
        resource_id: ResourceId::FIRST,
        request: request(),
        identity: Some(Box::new(Identity::new("alice"))),
        session: None,
        attributes: Some(Box::new(Map::from_iter([("room".to_owned(), json!(7))]))),
    })
}

fn event(body: Body) -> Event {
    Event::new(Timestamp::from_unix_micros(1_700_000_001_000_000), origin(), body)
}

fn client(sequence: u64, change: Change) -> Event {
    event(Body::Client { connection: facts(), sequence, change })
}

fn disconnected() -> Disconnected {
    Disconnected {
        reason: "bye".into(),
        duration: Duration::from_millis(2_500),
        received: Traffic { messages: 3, bytes: 120 },
        sent: Traffic { messages: 4, bytes: 200 },
        ..Disconnected::new(Cause::ServerClosed)
    }
}

fn user(online: bool) -> User {
    User { identity: Identity::new("alice"), connection_id: connection_id(), online }
}

fn known(event: Event, version: u64, connections: u64) -> Event {
    Event { presence: Some(Presence { version, connections }), ..event }
}

fn one_of_each_kind() -> Vec<Event> {
    let failure = Failure { kind: ErrorKind::HandlerFailed, message: "no".into(), survived: true };
    let previous = PreviousRun { run: RunId::new(1_600_000_000_000, &[3; 10]), clean: false, left_open: 12 };
    let events = vec![
        client(1, Change::Connected),
        client(5, Change::Disconnected(Box::new(disconnected()))),
        client(2, Change::Error(Box::new(failure))),
        event(Body::Rejected(Box::new(Rejection::new(
            connection_id(),
            request(),
            Cause::OriginRefused,
            "evil.example",
        )))),
        client(3, Change::Subscribed("acme/1".into())),
        client(4, Change::Unsubscribed("acme/1".into())),
        event(Body::Launched(Launched {
            address: "ws://127.0.0.1:8080".into(),
            rawsocket: ["rs://127.0.0.1:8081".into()].into(),
            previous: Some(previous),
        })),
        event(Body::Stopping(Stopping { open: 9 })),
        known(event(Body::User(Box::new(user(true)))), 17, 1),
        known(event(Body::User(Box::new(user(false)))), 18, 0),
        event(Body::Gap(Gap { from: 4, to: 9, count: 5 })),
    ];
    assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), EventKind::ALL);
    events
}

#[test]
fn every_kind_is_read_back() {
    for event in one_of_each_kind() {
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
        assert_eq!(event.kind().name().parse(), Ok(event.kind()));
    }
}

#[test]
fn fields_are_flat_and_in_a_fixed_order() {
    let json = serde_json::to_string(&client(5, Change::Disconnected(Box::new(disconnected())))).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"id":"018bcfe5-69f4-7202-8202-020202020202.close","type":"clank.client.disconnected","#,
            r#""time":"2023-11-14T22:13:21.000000Z","node":"eu-1","run":"018bcfe5-6800-7101-8101-010101010101","#,
            r#""connection_id":"018bcfe5-69f4-7202-8202-020202020202","resource_id":1,"sequence":5,"#,
            r#""remote_address":"192.0.2.7:50000","protocol":"wamp","path":"/","headers":{"user-agent":"test"},"#,
            r#""identity":{"id":"alice"},"attributes":{"room":7},"#,
            r#""cause":"server_closed","code":1000,"reason":"bye","initiator":"server","duration_ms":2500,"#,
            r#""messages_received":3,"bytes_received":120,"messages_sent":4,"bytes_sent":200}"#,
        )
    );
}

#[test]
fn what_does_not_apply_is_left_out() {
    let rejection = Rejection::new(connection_id(), RequestFacts::default(), Cause::Aborted, "");
    let json = serde_json::to_value(event(Body::Rejected(Box::new(rejection)))).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = ["id", "type", "time", "node", "run", "connection_id", "cause", "reason", "initiator"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn ids_are_functions_of_the_connection() {
    let ids: Vec<_> = one_of_each_kind().iter().map(|event| event.id().to_string()).collect();
    let (connection, run) = (connection_id(), origin().run);
    assert_eq!(
        ids,
        [
            format!("{connection}.open"),
            format!("{connection}.close"),
            format!("{connection}.2"),
            format!("{connection}.rejected"),
            format!("{connection}.3"),
            format!("{connection}.4"),
            format!("{run}.launched"),
            format!("{run}.stopping"),
            format!("{connection}.online"),
            format!("{connection}.offline"),
            format!("{run}.gap-4"),
        ]
    );
}

#[test]
fn what_the_journal_knows_of_an_identity_is_part_of_it() {
    let event = known(client(1, Change::Connected), 42, 2);
    let json = serde_json::to_string(&event).unwrap();
    assert!(json.contains(r#""identity":{"id":"alice","version":42,"connections":2}"#), "{json}");
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let mut json = serde_json::to_value(client(1, Change::Connected)).unwrap();
    json["identity"]["mood"] = json!("good");
    json["redelivered"] = json!(true);
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), client(1, Change::Connected));
}

#[test]
fn only_what_is_no_websocket_says_what_it_is() {
    for (transport, written) in [(Transport::WebSocket, None), (Transport::RawSocket, Some("rawsocket"))] {
        let request = RequestFacts { transport, ..request() };
        let rejection = Rejection::new(connection_id(), request, Cause::Rejected, "no");
        let event = event(Body::Rejected(Box::new(rejection)));
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json.get("transport").and_then(|label| label.as_str()), written);
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}

#[test]
fn a_record_without_a_field_it_needs_is_refused() {
    for event in one_of_each_kind() {
        let json = serde_json::to_value(&event).unwrap();
        let is_user = matches!(event.body, Body::User(_));
        let optional = [
            "remote_address",
            "rawsocket",
            "protocol",
            "path",
            "headers",
            "identity",
            "attributes",
            "initiator",
            "http_status",
            "previous",
        ];
        for field in json
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| !optional.contains(&field.as_str()) || (is_user && *field == "identity"))
        {
            let mut without = json.clone();
            without.as_object_mut().unwrap().remove(field);
            let error = serde_json::from_value::<Event>(without).unwrap_err().to_string();
            assert!(error.contains(&format!("missing field `{field}`")), "{error}");
        }
    }
}

#[test]
fn a_record_under_a_foreign_id_is_refused() {
    let mut json = serde_json::to_value(client(1, Change::Connected)).unwrap();
    json["id"] = Value::from(format!("{}.close", connection_id()));
    let error = serde_json::from_value::<Event>(json).unwrap_err().to_string();
    assert!(error.ends_with(".close does not fit"), "{error}");
}

#[test]
fn a_lost_node_says_how_long_it_was_alive() {
    let end = Disconnected {
        alive_until: Some(Timestamp::from_unix_micros(0)),
        ..Disconnected::new(Cause::NodeLost)
    };
    let json = serde_json::to_value(client(2, Change::Disconnected(Box::new(end)))).unwrap();
    assert_eq!(json["initiator"], "node");
    assert_eq!(json["code"], 1006);
    assert_eq!(json["alive_until"], "1970-01-01T00:00:00.000000Z");
}

proptest! {
    #[test]
    fn any_end_is_read_back(
        cause in prop::sample::select(Cause::ALL),
        code: u16,
        reason in any::<String>(),
        millis in any::<u32>(),
        traffic: [u64; 4],
    ) {
        let event = client(9, Change::Disconnected(Box::new(Disconnected {
            cause,
            code,
            reason: reason.into(),
            duration: Duration::from_millis(millis.into()),
            received: Traffic { messages: traffic[0], bytes: traffic[1] },
            sent: Traffic { messages: traffic[2], bytes: traffic[3] },
            alive_until: None,
        })));
        let json = serde_json::to_vec(&event).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Event>(&json).unwrap(), event);
    }
}

#[test]
fn a_session_of_wamp_v2_is_read_back() {
    let session = SessionFacts {
        realm: "realm1".into(),
        id: 9_007_199_254_740_992,
        authid: "joe".into(),
        authrole: "staff".into(),
        authmethod: "ticket".into(),
        authprovider: "static".into(),
        authextra: None,
        handshake: None,
        serializer: "cbor".into(),
    };
    let connection = ConnectionFacts { session: Some(session.into()), ..(*facts()).clone() };
    let event = event(Body::Client { connection: connection.into(), sequence: 1, change: Change::Connected });
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["session"]["id"], 9_007_199_254_740_992_u64);
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
}
