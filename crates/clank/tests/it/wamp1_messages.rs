//! The messages of WAMP v1 that are in order: WELCOME, PREFIX, SUBSCRIBE, UNSUBSCRIBE, PUBLISH and
//! EVENT.

use clank::wamp1::{EmptyEligible, Options};
use serde_json::{Value, json};

use crate::support::{HANDSHAKE, Peer, Test, serve};

#[test]
fn welcome_comes_first_and_names_session_and_server() {
    let test = serve(|builder| builder);
    let mut peer = Peer::upgraded(test.address, HANDSHAKE);
    let welcome = peer.json();
    assert_eq!((&welcome[0], &welcome[2]), (&json!(0), &json!(1)));
    let session = welcome[1].as_str().unwrap();
    assert!(session.len() == 14 && session.bytes().all(|byte| byte.is_ascii_hexdigit()), "{session}");
    assert!(welcome[3].as_str().unwrap().starts_with("Clank/"), "{welcome}");
    assert_eq!(welcome.as_array().unwrap().len(), 4);
    let sessions: Vec<String> = (0..20).map(|_| test.client().session).collect();
    assert!(sessions.iter().all(|other| sessions.iter().filter(|it| *it == other).count() == 1));
}

#[test]
fn what_is_sent_with_the_handshake_is_handled_after_the_welcome() {
    let test = serve(|builder| builder);
    let subscribe = crate::support::peer::frame(0x81, br#"[5,"t"]"#);
    // The longer ones are more than is read before there is a session.
    for (length, in_pieces) in [(5, false), (5, true), (60_000, false), (60_000, true)] {
        let early = "e".repeat(length);
        let publish = crate::support::peer::frame(0x81, json!([7, "t", early]).to_string().as_bytes());
        let mut peer = test.ask(&[HANDSHAKE.as_bytes(), &subscribe, &publish].concat(), in_pieces);
        assert_eq!(peer.response().status, 101);
        let mut peer = peer.welcomed();
        assert_eq!(peer.json(), json!([8, "t", early]));
        peer.leave();
    }
}

#[test]
fn an_event_is_delivered_as_it_was_published() {
    let events = [
        json!(null),
        json!(false),
        json!(0),
        json!(""),
        json!("é\u{2028}\"\\"),
        json!([]),
        json!({}),
        json!({"a": [1, 2.5, -3.5, {"b": null}]}),
        json!("x".repeat(70_000)),
    ];
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.subscribe("t");
    for event in events {
        peer.publish("t", &event);
        assert_eq!(peer.json(), json!([8, "t", event]));
    }
    // Not parsed and not written anew: digits, spaces and order stay.
    peer.send(r#"[7,"t", {"z":1.0,  "a":100000000000000000000000, "a":2} ]"#);
    assert_eq!(peer.text(), r#"[8,"t",{"z":1.0,  "a":100000000000000000000000, "a":2}]"#);
    peer.leave();
}

#[test]
fn who_subscribes_twice_hears_once_and_leaves_once() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.subscribe("t");
    peer.subscribe("t");
    peer.publish("t", &json!(1));
    assert_eq!(peer.json(), json!([8, "t", 1]));
    peer.round_trip();
    peer.send(r#"[6,"t"]"#);
    peer.publish("t", &json!(2));
    peer.round_trip();
    assert_eq!(test.log.every("clank.topic.subscribed").len(), 1);
    assert_eq!(test.log.every("clank.topic.unsubscribed").len(), 1);
    peer.leave();
}

#[test]
fn who_unsubscribes_without_a_subscription_is_ignored() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.send(r#"[6,"never"]"#);
    peer.subscribe("t");
    peer.send(r#"[6,"never"]"#);
    peer.publish("t", &json!(1));
    assert_eq!(peer.json(), json!([8, "t", 1]));
    assert_eq!(test.log.every("clank.topic.unsubscribed").len(), 0);
    peer.leave();
}

#[test]
fn who_has_not_subscribed_may_publish() {
    let test = serve(|builder| builder);
    let (mut publisher, mut subscriber) = (test.client(), test.client());
    subscriber.subscribe("t");
    subscriber.round_trip();
    publisher.publish("t", &json!("hi"));
    assert_eq!(subscriber.json(), json!([8, "t", "hi"]));
    publisher.round_trip();
}

#[test]
fn topics_are_equal_only_if_their_bytes_are() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    peer.subscribe("room/1");
    for other in ["room/1/", "room/10", "Room/1", "room//1", "room", "room/1 "] {
        peer.publish(other, &json!(other));
    }
    peer.publish("room/1", &json!("mine"));
    assert_eq!(peer.json(), json!([8, "room/1", "mine"]));
    peer.leave();
}

#[test]
fn a_prefix_stands_for_what_it_was_defined_as() {
    let test = serve(|builder| builder);
    let mut peer = test.client();
    for (prefix, uri) in [("p", "topic/"), ("p", "other/"), ("svc", "test/"), ("http", "never")] {
        peer.send(json!([1, prefix, uri]).to_string());
    }
    // as written, as it is heard
    let cases = [
        ("p:a", "other/a"),
        ("p:", "other/"),
        ("p:a:b", "other/a:b"),
        ("p", "p"),
        ("q:a", "q:a"),
        ("http://example.com/", "http://example.com/"),
    ];
    for (written, full) in cases {
        peer.subscribe(written);
        peer.publish(full, &json!(written));
        assert_eq!(peer.json(), json!([8, full, written]));
        peer.publish(written, &json!("again"));
        assert_eq!(peer.json(), json!([8, full, "again"]));
        peer.send(json!([6, written]).to_string());
        peer.publish(full, &json!("gone"));
    }
    peer.send(r#"[2,"id","svc:echo",1]"#);
    assert_eq!(peer.json(), json!([3, "id", [1]]));
    peer.send(r#"[2,"id","svc:fail"]"#);
    assert_eq!(peer.json()[2], "test/fail");
    // Prefixes belong to their session.
    let mut other = test.client();
    other.subscribe("p:a");
    other.round_trip();
    peer.publish("p:a", &json!("for nobody"));
    peer.round_trip();
    other.publish("p:a", &json!("mine"));
    assert_eq!(other.json(), json!([8, "p:a", "mine"]));
}

/// Who hears a publication: the publisher and two others, all subscribed.
struct Audience {
    // Fields are dropped in this order: the clients leave before the house is looked at.
    peers: [Peer; 3],
    _test: Test,
}

impl Audience {
    fn new(options: Options) -> Self {
        let test = serve(|builder| builder.wamp1(options));
        let mut peers = [test.client(), test.client(), test.client()];
        for peer in &mut peers {
            peer.subscribe("t");
            peer.round_trip();
        }
        Self { peers, _test: test }
    }

    /// Who hears `[7,"t",event` and `rest`, where `$0` to `$2` stand for the peers' sessions.
    fn hear(&mut self, rest: &str) -> String {
        let sessions = self.peers.each_ref().map(|peer| peer.session.clone());
        let rest = rest.replace("$0", &sessions[0]).replace("$1", &sessions[1]).replace("$2", &sessions[2]);
        self.peers[0].send(format!(r#"[7,"t","event"{rest}]"#));
        self.peers[0].send(r#"[7,"t","end",false]"#);
        let mut heard = String::new();
        for (name, peer) in ["0", "1", "2"].into_iter().zip(&mut self.peers) {
            let mut events: Vec<Value> = Vec::new();
            while events.last() != Some(&json!([8, "t", "end"])) {
                events.push(peer.json());
            }
            assert!(events.len() <= 2, "{events:?}");
            if events.len() == 2 {
                heard.push_str(name);
            }
        }
        heard
    }
}

#[test]
fn a_publication_goes_to_those_it_is_for() {
    // what follows the event; who hears it by default; with the options of autobahn-python
    let cases = [
        ("", "012", "12"),
        (",null", "012", "12"),
        (",true", "12", "12"),
        (",false", "012", "012"),
        (",1", "12", "12"),
        (",0", "012", "012"),
        (r#","""#, "012", "012"),
        (r#","x""#, "12", "12"),
        (",{}", "12", "12"),
        (",[]", "012", "012"),
        (r#",["$0"]"#, "12", "12"),
        (r#",["$1"]"#, "02", "02"),
        (r#",["$0","$1","$2"]"#, "", ""),
        (r#",["$1","$1"]"#, "02", "02"),
        (r#",["ffffffffffffff","no session"]"#, "012", "012"),
        (r#",[],["$1"]"#, "1", "1"),
        (r#",[],["$0","$2"]"#, "02", "02"),
        (r#",["$1"],["$1","$2"]"#, "2", "2"),
        (r#",["$1"],["$1"]"#, "", ""),
        (",[],[]", "012", ""),
        (r#",["$0"],[]"#, "12", ""),
        (r#",[],["ffffffffffffff"]"#, "", ""),
        (r#",true,["$0","$1"]"#, "1", "1"),
        (r#",false,["$0","$1"]"#, "01", "01"),
        (r#",null,["$0","$1"]"#, "01", "1"),
        (",[],null", "012", "012"),
    ];
    let mut ratchet = Audience::new(Options::default());
    let mut autobahn = Audience::new(Options {
        publisher_receives: false,
        empty_eligible: EmptyEligible::Nobody,
        ..Options::default()
    });
    for (rest, by_default, by_option) in cases {
        assert_eq!(ratchet.hear(rest), by_default, "{rest}");
        assert_eq!(autobahn.hear(rest), by_option, "{rest}, with options");
    }
}

#[test]
fn an_independent_client_is_served() {
    use tungstenite::client::IntoClientRequest;
    use tungstenite::protocol::CloseFrame;
    use tungstenite::protocol::frame::coding::CloseCode;
    use tungstenite::{Bytes, Message};

    let test = serve(|builder| builder);
    let mut request = format!("ws://{}/", test.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "wamp".parse().unwrap());
    let stream = std::net::TcpStream::connect(test.address).unwrap();
    let (mut socket, response) = tungstenite::client(request, stream).unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "wamp");
    assert!(socket.read().unwrap().into_text().unwrap().starts_with("[0,"));
    socket.send(Message::text(r#"[5,"t"]"#)).unwrap();
    socket.send(Message::Ping(Bytes::from_static(b"there?"))).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
    let long = "x".repeat(200_000);
    socket.send(Message::text(json!([7, "t", long]).to_string())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text(json!([8, "t", long]).to_string()));
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).unwrap();
    while socket.read().is_ok() {}
    let gone = test.disconnected();
    assert_eq!((&gone["code"], &gone["reason"]), (&json!(1001), &json!("bye")));
}

#[test]
fn compressed_and_plain_clients_hear_the_same() {
    use clank_wire::ws::deflate::Inflater;

    let test = serve(|builder| builder.deflate(true));
    let mut plain = test.client();
    plain.subscribe("t");
    plain.round_trip();
    let event = json!("a word, ".repeat(1_000));
    for bits in ["", "; server_max_window_bits=9", "; server_max_window_bits=12"] {
        let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{bits}\r\nHost:");
        let mut compressed = Peer::upgraded(test.address, &HANDSHAKE.replace("Host:", &offer));
        let mut inflater = Inflater::new();
        let mut text = |peer: &mut Peer| {
            let frame = peer.frame();
            if frame.first == 0x81 {
                return (frame.text().to_owned(), frame.payload.len());
            }
            assert_eq!(frame.first, 0xc1, "FIN, RSV1 and text");
            let text = inflater.inflate(&frame.payload, 1 << 20).unwrap().to_vec();
            (String::from_utf8(text).unwrap(), frame.payload.len())
        };
        assert!(text(&mut compressed).0.starts_with("[0,"));
        compressed.subscribe("t");
        // A client may send what is not compressed.
        compressed.publish("t", &event);
        let (heard, bytes) = text(&mut compressed);
        assert_eq!(heard, json!([8, "t", event]).to_string());
        assert!(bytes < 1_000, "{bytes}");
        assert_eq!(plain.json(), json!([8, "t", event]));
        compressed.send_close(1000, "");
        assert_eq!(compressed.closed().0, 1000);
        test.disconnected();
    }
    plain.leave();
}
