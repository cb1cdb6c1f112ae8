//! Clients of WAMP v2 prove who they are, or are refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clank::limits::Period;
use clank::wamp2::{
    Auth, CraSecret, Kdf, Method, Principal, PublicKey, Realm, Salting, ScramSecret, Secret, Ticket,
};
use clank::{Admission, Identity, Limits};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::peer::CLOSE;
use crate::support::{HANDSHAKE, JSON2, Peer, Peer2, Test, serve, serve_limited};

const PASSWORD: &str = "pencil";
const NONCE: &str = "egVDf3DMJh0=";
const DENIED: &str = "wamp.error.authentication_denied";
/// The methods that ask for a proof.
const PROVING: [Method; 5] =
    [Method::Ticket, Method::Cra, Method::Cryptosign, Method::Scram, Method::ScramAutobahn];

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn public(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_bytes())
}

/// Takes a user by these methods.
fn auth(methods: &[Method]) -> Auth {
    let (secret, kdf) = (Secret::from(PASSWORD), Kdf::Pbkdf2 { iterations: 10 });
    let salting = Salting { salt: "salt123".into(), iterations: 10, keylen: 32 };
    Auth::new(methods.iter().copied()).principal(Principal {
        authroles: vec!["user".into(), "admin".into()],
        authextra: json!({"display": "Joe"}).as_object().unwrap().clone(),
        ticket: Some(Ticket::plain(&secret)),
        cra: Some(CraSecret::derive(&secret, salting)),
        keys: vec![PublicKey::from_hex(&public(&key())).unwrap()],
        scram: Some(ScramSecret::derive(&secret, b"a salt", kdf).unwrap()),
        scram_autobahn: Some(ScramSecret::derive_autobahn(&secret, b"a salt", kdf).unwrap()),
        ..Principal::new("joe", "user")
    })
}

/// A server with a realm that takes the user by all methods that ask for a proof.
fn secured() -> Test {
    serve(|builder| builder.realm(Realm::new("secured").auth(auth(&PROVING))))
}

fn say_hello(peer: &mut Peer2, realm: &str, details: &Value) {
    let mut details = details.clone();
    details["roles"] = json!({"subscriber": {}, "publisher": {}, "caller": {}, "callee": {}});
    peer.send(&json!([1, realm, details]));
}

/// A client that has said HELLO.
fn greeted(test: &Test, realm: &str, details: &Value) -> Peer2 {
    let mut peer = Peer2::connect(test.address, JSON2);
    say_hello(&mut peer, realm, details);
    peer
}

/// What HELLO says for the method.
fn details(method: Method, authid: &str, key: &SigningKey) -> Value {
    let extra = match method {
        Method::Cryptosign => json!({"pubkey": public(key)}),
        Method::Scram | Method::ScramAutobahn => json!({"nonce": NONCE}),
        _ => json!({}),
    };
    json!({"authmethods": [method.name()], "authid": authid, "authextra": extra})
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The answer of a client that knows `password` and `key`.
fn answer(challenge: &Value, authid: &str, password: &str, key: &SigningKey) -> Value {
    assert_eq!(challenge[0], 4, "{challenge}");
    let extra = &challenge[2];
    let text = |name: &str| extra[name].as_str().unwrap_or_default();
    let rounds = extra["iterations"].as_u64().unwrap_or_default() as u32;
    match challenge[1].as_str().unwrap() {
        "ticket" => json!([5, password, {}]),
        "wampcra" => {
            let mut derived = [0; 32];
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), text("salt").as_bytes(), rounds, &mut derived);
            let shared = STANDARD.encode(derived);
            let signature = hmac(shared.as_bytes(), text("challenge").as_bytes());
            json!([5, STANDARD.encode(signature), {}])
        }
        "cryptosign" => {
            let signed = hex::decode(text("challenge")).unwrap();
            let signature = hex::encode(key.sign(&signed).to_bytes());
            json!([5, format!("{signature}{}", text("challenge")), {}])
        }
        scram => {
            let (salt, nonce) = (text("salt"), text("nonce"));
            let bound = if scram == "scram" { "" } else { "biws" };
            let mut salted = [0; 32];
            let bytes = STANDARD.decode(salt).unwrap();
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &bytes, rounds, &mut salted);
            let client_key = hmac(&salted, b"Client Key");
            let stored_key: [u8; 32] = Sha256::digest(client_key).into();
            let message = format!("n={authid},r={NONCE},r={nonce},s={salt},i={rounds},c={bound},r={nonce}");
            let mut proof = hmac(&stored_key, message.as_bytes());
            for (byte, mask) in proof.iter_mut().zip(client_key) {
                *byte ^= mask;
            }
            json!([5, STANDARD.encode(proof), {"nonce": nonce}])
        }
    }
}

/// The client hears why it is refused, which is told as `rejected`; returns what it hears.
fn refused(test: &Test, peer: &mut Peer2, uri: &str, cause: &str) -> String {
    let abort = peer.next();
    assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!(uri)), "{abort}");
    assert_eq!(peer.peer.closed().0, 1000);
    let rejected = test.rejected();
    assert_eq!((&rejected["cause"], &rejected["http_status"]), (&json!(cause), &Value::Null), "{rejected}");
    abort[1]["message"].as_str().unwrap().to_owned()
}

#[test]
fn who_proves_it_is_welcome() {
    let test = secured();
    for method in PROVING {
        let mut peer = greeted(&test, "secured", &details(method, "joe", &key()));
        let challenge = peer.next();
        peer.send(&answer(&challenge, "joe", PASSWORD, &key()));
        peer.welcomed();
        let said = peer.welcome[2].clone();
        let expected = json!(["secured", "joe", "user", method.name(), "static"]);
        let names = ["realm", "authid", "authrole", "authmethod", "authprovider"];
        assert_eq!(json!(names.map(|name| &said[name])), expected, "{said}");
        assert_eq!(said["authextra"]["display"], "Joe", "{said}");
        let proof = match method {
            Method::Scram => &said["authextra"]["verifier"],
            Method::ScramAutobahn => &said["authextra"]["scram_server_signature"],
            _ => &Value::Null,
        };
        let proves = matches!(method, Method::Scram | Method::ScramAutobahn);
        assert_eq!(proof.is_string(), proves, "{said}");
        assert_eq!(test.handle().connections_of("joe").len(), 1);
        peer.round_trip();
        peer.leave();
        for record in [test.log.wait_for("clank.client.connected"), test.disconnected()] {
            let session = &record["session"];
            assert_eq!(json!(names.map(|name| &session[name])), expected, "{record}");
            assert_eq!(record["identity"], json!({"id": "joe", "attributes": {"display": "Joe"}}));
            // What is for the client alone is in no record.
            assert!(!proves || !record.to_string().contains(proof.as_str().unwrap()), "{record}");
        }
    }
    assert_eq!(test.log.every("clank.client.rejected").len(), 0);
}

#[test]
fn the_role_is_the_one_that_is_asked_for() {
    let test = secured();
    for (role, welcome) in [("admin", true), ("user", true), ("root", false)] {
        let mut details = details(Method::Ticket, "joe", &key());
        details["authrole"] = role.into();
        let mut peer = greeted(&test, "secured", &details);
        assert_eq!(peer.next()[1], "ticket");
        peer.send(&json!([5, PASSWORD, {}]));
        if welcome {
            peer.welcomed();
            assert_eq!(peer.welcome[2]["authrole"], role);
            peer.leave();
        } else {
            refused(&test, &mut peer, "wamp.error.no_such_role", "unauthorised");
        }
    }
}

#[test]
fn who_does_not_prove_it_is_refused_whether_there_is_such_a_user_or_not() {
    let test = secured();
    for method in PROVING {
        let other = SigningKey::from_bytes(&[7; 32]);
        let hears = ["joe", "nobody"].map(|authid| {
            let claimed = if authid == "joe" { key() } else { other.clone() };
            let mut peer = greeted(&test, "secured", &details(method, authid, &claimed));
            let challenge = peer.next();
            peer.send(&answer(&challenge, authid, "wrong", &SigningKey::from_bytes(&[8; 32])));
            refused(&test, &mut peer, DENIED, "unauthorised")
        });
        assert_eq!(hears[0], hears[1], "{method}");
        // What proves nothing at all.
        let mut peer = greeted(&test, "secured", &details(method, "joe", &key()));
        peer.next();
        peer.send(&json!([5, "", {}]));
        refused(&test, &mut peer, DENIED, "unauthorised");
    }
    assert_eq!(test.log.every("clank.client.connected").len(), 0);
}

#[test]
fn what_a_hello_lacks_is_refused_at_once() {
    let test = secured();
    let required = "wamp.error.authentication_required";
    let unmatched = "wamp.error.no_matching_auth_method";
    for (realm, details, uri, cause) in [
        ("secured", json!({}), required, "unauthorised"),
        ("secured", json!({"authmethods": []}), required, "unauthorised"),
        ("secured", json!({"authmethods": ["anonymous"]}), unmatched, "unauthorised"),
        ("secured", json!({"authmethods": ["cookie", "tls"]}), unmatched, "unauthorised"),
        ("secured", json!({"authmethods": ["ticket"]}), required, "unauthorised"),
        ("secured", json!({"authmethods": ["cryptosign"], "authid": "joe"}), required, "unauthorised"),
        ("secured", json!({"authmethods": ["wamp-scram"], "authid": "joe"}), required, "unauthorised"),
        ("realm1", json!({"authmethods": ["ticket"], "authid": "joe"}), unmatched, "unauthorised"),
        (
            "elsewhere",
            json!({"authmethods": ["ticket"], "authid": "joe"}),
            "wamp.error.no_such_realm",
            "rejected",
        ),
    ] {
        let mut peer = greeted(&test, realm, &details);
        refused(&test, &mut peer, uri, cause);
    }
}

#[test]
fn a_challenge_is_answered_and_nothing_else_is_said() {
    let test = secured();
    let violation = "wamp.error.protocol_violation";
    let details = details(Method::Ticket, "joe", &key());
    for (message, cause) in [
        (json!([1, "secured", {"roles": {"caller": {}}}]), "protocol_violation"),
        (json!([32, 1, {}, "com.example.chat"]), "protocol_violation"),
        (json!([6, {}, "wamp.close.close_realm"]), "protocol_violation"),
        (json!([5, 1, {}]), "malformed_message"),
        (json!([5]), "malformed_message"),
        (json!({}), "malformed_message"),
    ] {
        let mut peer = greeted(&test, "secured", &details);
        assert_eq!(peer.next()[0], 4);
        peer.send(&message);
        refused(&test, &mut peer, violation, cause);
    }
    // Nobody was challenged.
    let mut peer = Peer2::connect(test.address, JSON2);
    peer.send(&json!([5, PASSWORD, {}]));
    refused(&test, &mut peer, violation, "protocol_violation");
    // What comes behind the answer belongs to the session.
    let mut peer = greeted(&test, "secured", &details);
    assert_eq!(peer.next()[0], 4);
    peer.send_all(&[json!([5, PASSWORD, {}]), json!([32, 1, {}, "com.example.chat"])]);
    peer.welcomed();
    assert_eq!(peer.next()[0], 33);
    peer.leave();
}

#[test]
fn a_client_that_cannot_answer_may_give_up() {
    let test = secured();
    let details = details(Method::Ticket, "joe", &key());
    let mut peer = greeted(&test, "secured", &details);
    assert_eq!(peer.next()[0], 4);
    peer.send(&json!([3, {}, "wamp.error.cannot_authenticate"]));
    let frame = peer.peer.frame();
    assert_eq!(frame.opcode(), CLOSE, "{}", String::from_utf8_lossy(&frame.payload));
    assert_eq!(test.rejected()["cause"], "aborted");
    let mut peer = greeted(&test, "secured", &details);
    assert_eq!(peer.next()[0], 4);
    drop(peer);
    assert_eq!(test.rejected()["cause"], "aborted");
}

#[test]
fn an_answer_has_to_come_in_time() {
    let soon = auth(&[Method::Ticket]).timeout(Period::of(100));
    let by_realm = serve(|builder| builder.realm(Realm::new("secured").auth(soon)));
    let limits = Limits { handshake: Period::of(150), ..Limits::DEFAULT };
    let late = Realm::new("secured").auth(auth(&[Method::Ticket]));
    let by_limit = serve_limited(limits, |builder| builder.realm(late));
    for test in [by_realm, by_limit] {
        let mut peer = greeted(&test, "secured", &details(Method::Ticket, "joe", &key()));
        assert_eq!(peer.next()[0], 4);
        let hears = refused(&test, &mut peer, DENIED, "unauthorised");
        assert_eq!(hears, "AUTHENTICATE came too late");
    }
}

#[test]
fn a_server_that_stops_waits_for_no_answer() {
    let test = secured();
    let mut peer = greeted(&test, "secured", &details(Method::Ticket, "joe", &key()));
    assert_eq!(peer.next()[0], 4);
    test.handle().shutdown();
    assert_eq!(peer.aborted().0, "wamp.close.system_shutdown");
    assert_eq!(test.rejected()["cause"], "server_shutdown");
}

#[test]
fn who_proves_nothing_has_the_role_of_such_clients() {
    let guests = Auth::new([Method::Anonymous]).anonymous_role("guest");
    let test = serve(|builder| builder.realm(Realm::new("guests").auth(guests)));
    let expected = [("guests", "guest"), ("realm1", "anonymous")];
    for (realm, role) in expected {
        for details in [json!({}), json!({"authmethods": ["tls", "anonymous"], "authid": "root"})] {
            let mut peer = greeted(&test, realm, &details);
            peer.welcomed();
            let said = &peer.welcome[2];
            assert_eq!((&said["authrole"], &said["authmethod"]), (&json!(role), &json!("anonymous")));
            assert_ne!(said["authid"], "root");
            peer.leave();
            let record = test.log.wait_for("clank.client.connected");
            assert_eq!(record["session"]["authrole"], role);
            assert!(record["identity"].is_null(), "{record}");
        }
    }
}

/// A server that takes a user by what the handshake says, and what HELLO says, in different realms.
fn with_handshake() -> Test {
    serve(|builder| {
        builder
            .on_connecting(|request| async move {
                let Some(user) = request.cookie("user") else { return Ok(Admission::accept()) };
                let mut identity = Identity::new(user);
                if let Some(role) = request.cookie("role") {
                    identity.attributes.insert("role".into(), role.into());
                }
                Ok(Admission::accept().identified(identity))
            })
            .realm(Realm::new("known").auth(auth(&[Method::Cookie, Method::Ticket])))
    })
}

/// A client of WAMP v2 with cookies.
fn with_cookies(test: &Test, cookies: &str) -> Peer2 {
    let mut peer = Peer2::connect(test.address, JSON2);
    let request = HANDSHAKE
        .replace("Protocol: wamp", "Protocol: wamp.2.json")
        .replace("Host:", &format!("Cookie: {cookies}\r\nHost:"));
    drop(std::mem::replace(&mut peer.peer, Peer::upgraded(test.address, &request)));
    test.rejected();
    peer
}

#[test]
fn who_is_known_by_the_handshake_need_not_prove_it_again() {
    let test = with_handshake();
    for (realm, cookies, role) in [
        ("realm1", "user=anna", "user"),
        ("realm1", "user=anna; role=admin", "admin"),
        ("known", "user=anna", "user"),
        ("known", "user=anna; role=admin", "admin"),
    ] {
        let mut peer = with_cookies(&test, cookies);
        say_hello(&mut peer, realm, &json!({}));
        peer.welcomed();
        let said = &peer.welcome[2];
        let names = ["authid", "authrole", "authmethod"].map(|name| &said[name]);
        assert_eq!(json!(names), json!(["anna", role, "cookie"]));
        peer.leave();
        assert_eq!(test.log.wait_for("clank.client.connected")["identity"]["id"], "anna");
    }
    let mut peer = greeted(&test, "known", &json!({"authmethods": ["cookie"]}));
    refused(&test, &mut peer, "wamp.error.no_matching_auth_method", "unauthorised");
}

#[test]
fn what_a_session_has_proved_ends_with_it() {
    let test = with_handshake();
    let mut peer = with_cookies(&test, "user=anna");
    let rejoin = |peer: &mut Peer2, realm: &str, details: &Value, expected: (&str, &str)| {
        say_hello(peer, realm, details);
        let next = peer.next();
        let welcome = if next[0] == 4 {
            peer.send(&json!([5, PASSWORD, {}]));
            peer.next()
        } else {
            next
        };
        let said = &welcome[2];
        assert_eq!((&said["authid"], &said["authmethod"]), (&json!(expected.0), &json!(expected.1)));
        peer.send(&json!([6, {}, "wamp.close.close_realm"]));
        assert_eq!(peer.next()[0], 6);
    };
    let ticket = details(Method::Ticket, "joe", &key());
    rejoin(&mut peer, "known", &ticket, ("joe", "ticket"));
    rejoin(&mut peer, "known", &json!({}), ("anna", "cookie"));
    rejoin(&mut peer, "realm1", &json!({}), ("anna", "cookie"));
    // Also where the session before is refused.
    say_hello(&mut peer, "known", &ticket);
    assert_eq!(peer.next()[0], 4);
    peer.send(&json!([5, "wrong", {}]));
    refused(&test, &mut peer, DENIED, "unauthorised");
}

#[test]
fn nothing_shows_a_secret() {
    let shown = format!("{:?}", Realm::new("secured").auth(auth(&PROVING).decoy_key("decoy".into())));
    let bytes = format!("{:?}", PASSWORD.as_bytes());
    for secret in [PASSWORD, "decoy\"", &bytes[1..bytes.len() - 1]] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
