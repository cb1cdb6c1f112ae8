//! Authentication beside a client that does its part by itself, and the specification's vectors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clank_core::event::Timestamp;
use clank_core::wamp2::auth::{
    Attempt, CraSecret, Decoy, Denied, Identity, InvalidCredential, Kdf, Method, Principal, Principals,
    PublicKey, Salting, ScramSecret, Secret, Settings, Step, Ticket,
};
use clank_wire::wamp2::{Authenticate, Challenge, Dict, HelloDetails, Id, reason};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PASSWORD: &str = "p\u{ad}encil"; // the soft hyphen is nothing to RFC 4013
const NONCE: &str = "egVDf3DMJh0=";
const KDF: Kdf = Kdf::Argon2id { iterations: 1, memory: 64 };

fn salting() -> Salting {
    Salting { salt: "salt123".into(), iterations: 10, keylen: 24 }
}

fn principals() -> Principals {
    let mut principals = Principals::new();
    let secret = Secret::from(PASSWORD);
    principals.add(Principal {
        authroles: vec!["user".into(), "admin".into()],
        authextra: json!({"display": "Joe"}).as_object().unwrap().clone(),
        ticket: Some(Ticket::plain(&secret)),
        cra: Some(CraSecret::derive(&secret, salting())),
        keys: vec![PublicKey::from_hex(&hex::encode(key().verifying_key().to_bytes())).unwrap()],
        scram: Some(ScramSecret::derive(&secret, b"sixteen of bytes", KDF).unwrap()),
        scram_autobahn: Some(ScramSecret::derive_autobahn(&secret, b"sixteen of bytes", KDF).unwrap()),
        ..Principal::new("joe", "user")
    });
    principals.add(Principal { cra: Some(CraSecret::plain(secret)), ..Principal::new("plain", "user") });
    principals.add(Principal::new("bare", "user"));
    principals
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn settings() -> Settings {
    Settings::new(Method::ALL, Decoy::new(Secret::from("key of decoys")).resembling(&principals()))
}

/// What a test says in HELLO.
fn hello(methods: &[&str], authid: &str, extra: &Value) -> HelloDetails<'static> {
    HelloDetails {
        authid: Some(authid.to_owned().into()).filter(|_| !authid.is_empty()),
        authmethods: Some(methods.iter().copied().collect()),
        authextra: Dict::from_serialize(extra),
        ..HelloDetails::default()
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_micros(1_400_000_000_000_000 + seconds * 1_000_000)
}

fn proceed(
    settings: &Settings,
    hello: &HelloDetails<'_>,
    handshake: Option<&Identity>,
) -> Result<Step, Denied> {
    let principals = principals();
    let attempt = Attempt::begin(settings, hello, handshake)?;
    let principal = attempt.wanted().and_then(|wanted| principals.find(wanted));
    Ok(attempt.proceed(settings, principal, Id::MAX, &[0x5a; 32], at(0)))
}

/// A client that knows a password and has a key.
struct Client<'a> {
    authid: &'a str,
    password: &'a str,
    key: SigningKey,
}

impl Client<'_> {
    fn hello(&self, method: Method) -> HelloDetails<'static> {
        let extra = match method {
            Method::Cryptosign => json!({"pubkey": hex::encode(self.key.verifying_key().to_bytes())}),
            _ => json!({"nonce": NONCE, "channel_binding": null}),
        };
        hello(&[method.name()], self.authid, &extra)
    }

    fn answer(&self, challenge: &Challenge<'_>) -> Authenticate<'static> {
        let extra: Value = serde_json::from_str(&challenge.extra.span().to_string()).unwrap();
        let mut sent = json!({});
        let signature = match Method::from_name(&challenge.method).unwrap() {
            Method::Ticket => self.password.to_owned(),
            Method::Cra => {
                let mut key = self.password.as_bytes().to_vec();
                if let Some(salt) = extra["salt"].as_str() {
                    let mut derived = vec![0; usize::try_from(extra["keylen"].as_u64().unwrap()).unwrap()];
                    pbkdf2(&key, salt.as_bytes(), &extra["iterations"], &mut derived);
                    key = STANDARD.encode(derived).into_bytes();
                }
                STANDARD.encode(hmac(&key, extra["challenge"].as_str().unwrap().as_bytes()))
            }
            Method::Cryptosign => sign(&self.key, extra["challenge"].as_str().unwrap()),
            method @ (Method::Scram | Method::ScramAutobahn) => {
                if method == Method::Scram {
                    sent = json!({"nonce": extra["nonce"], "channel_binding": null, "cbind_data": null});
                }
                let (client_key, stored_key, message) = self.scram(method, &extra);
                let signature = hmac(&stored_key, message.as_bytes());
                STANDARD.encode(std::array::from_fn::<u8, 32, _>(|at| client_key[at] ^ signature[at]))
            }
            Method::Anonymous | Method::Cookie => panic!("no challenge is expected"),
        };
        Authenticate { signature: signature.into(), extra: Dict::from_serialize(&sent).unwrap() }
    }

    /// What both keys are made of. Autobahn does not prepare the password, and hashes the text of
    /// what Argon2 makes of it.
    fn salted_password(&self, method: Method, extra: &Value) -> Vec<u8> {
        let by_autobahn = method == Method::ScramAutobahn;
        let hidden = if by_autobahn { "" } else { "\u{ad}" };
        let (mut salted, password) = ([0; 32], self.password.replace(hidden, ""));
        let salt = STANDARD.decode(extra["salt"].as_str().unwrap()).unwrap();
        match extra["kdf"].as_str().unwrap() {
            "pbkdf2" => pbkdf2(password.as_bytes(), &salt, &extra["iterations"], &mut salted),
            "argon2id13" | "argon2id-13" => {
                let number = |name: &str| u32::try_from(extra[name].as_u64().unwrap()).unwrap();
                let params =
                    argon2::Params::new(number("memory"), number("iterations"), 1, Some(32)).unwrap();
                let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
                argon2.hash_password_into(password.as_bytes(), &salt, &mut salted).unwrap();
            }
            kdf => panic!("{kdf}"),
        }
        if by_autobahn { STANDARD_NO_PAD.encode(salted).into() } else { salted.into() }
    }

    fn scram(&self, method: Method, extra: &Value) -> ([u8; 32], [u8; 32], String) {
        let client_key = hmac(&self.salted_password(method, extra), b"Client Key");
        let (nonce, salt) = (extra["nonce"].as_str().unwrap(), extra["salt"].as_str().unwrap());
        assert!(nonce.starts_with(NONCE) && nonce.len() > NONCE.len());
        let bound = if method == Method::Scram { "biws" } else { "" };
        let message = format!(
            "n={},r={NONCE},r={nonce},s={salt},i={},c={bound},r={nonce}",
            self.authid, extra["iterations"]
        );
        (client_key, Sha256::digest(client_key).into(), message)
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn pbkdf2(password: &[u8], salt: &[u8], iterations: &Value, key: &mut [u8]) {
    let iterations = u32::try_from(iterations.as_u64().unwrap()).unwrap();
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, key);
}

fn sign(key: &SigningKey, challenge: &str) -> String {
    let challenge = hex::decode(challenge).unwrap();
    format!("{}{}", hex::encode(key.sign(&challenge).to_bytes()), hex::encode(challenge))
}

/// A client says HELLO and answers its challenge; also what the challenge was.
fn join(client: &Client<'_>, method: Method, role: Option<&str>) -> (Result<Identity, Denied>, Value) {
    let mut hello = client.hello(method);
    hello.authrole = role.map(|role| role.to_owned().into());
    match proceed(&settings(), &hello, None) {
        Ok(Step::Challenged(pending)) => {
            let challenge = pending.challenge();
            assert_eq!(challenge.method, method.name());
            let said = serde_json::from_str(&challenge.extra.span().to_string()).unwrap();
            (pending.verify(&client.answer(&challenge), at(10)), said)
        }
        Ok(Step::Accepted(_)) => panic!("{method} without a challenge"),
        Err(denied) => (Err(denied), Value::Null),
    }
}

const CHALLENGED: [Method; 5] =
    [Method::Ticket, Method::Cra, Method::Cryptosign, Method::Scram, Method::ScramAutobahn];

fn joe() -> Client<'static> {
    Client { authid: "joe", password: PASSWORD, key: key() }
}

#[test]
fn a_client_that_proves_who_it_is_is_welcome() {
    for method in CHALLENGED {
        for (asked, role) in [(None, "user"), (Some("admin"), "admin")] {
            let (identity, _) = join(&joe(), method, asked);
            let identity = identity.unwrap_or_else(|denied| panic!("{method}: {denied}"));
            assert_eq!((&*identity.authid, &*identity.authrole), ("joe", role));
            assert_eq!((identity.authmethod, &*identity.authprovider), (method, "static"));
            assert_eq!(identity.authextra["display"], "Joe");
        }
    }
    let plain = Client { authid: "plain", ..joe() };
    let (identity, challenge) = join(&plain, Method::Cra, None);
    assert_eq!((&*identity.unwrap().authid, challenge.as_object().unwrap().len()), ("plain", 1));
}

#[test]
fn a_client_that_does_not_is_told_the_same_whatever_is_wrong() {
    for method in CHALLENGED {
        let other = || SigningKey::from_bytes(&[8; 32]);
        let clients = [
            (Client { password: "pencil!", key: other(), ..joe() }, true),
            (Client { authid: "nobody", key: other(), ..joe() }, false),
            (Client { authid: "bare", key: other(), ..joe() }, false),
        ];
        let mut told = Vec::new();
        for (client, has_credential) in &clients {
            let (denied, _) = join(client, method, None);
            let denied = denied.unwrap_err();
            let by_key = method == Method::Cryptosign;
            assert_eq!(denied == Denied::WrongSecret, *has_credential && !by_key, "{method}: {denied}");
            assert_eq!(denied.uri(), reason::AUTHENTICATION_DENIED);
            told.push(denied.told());
        }
        told.dedup();
        assert_eq!(told, ["there is no such user, or the secret is wrong"], "{method}");
    }
}

#[test]
fn a_user_who_does_not_exist_gets_a_challenge_like_others() {
    for (method, changing) in
        [(Method::Ticket, None), (Method::Cra, Some("challenge")), (Method::Scram, Some("nonce"))]
    {
        let of = |authid, role| join(&Client { authid, ..joe() }, method, role).1;
        for role in [None, Some("nonsense")] {
            let (joe, nobody, again) = (of("joe", role), of("nobody", role), of("nobody", role));
            assert_eq!(nobody, again, "{method}: the salt must not change");
            let shape = |challenge: &Value| -> Vec<(String, usize)> {
                let fields = challenge.as_object().unwrap().iter();
                fields.map(|(name, value)| (name.clone(), value.to_string().len())).collect()
            };
            // "joe" is shorter by three letters than "nobody".
            let longer: Vec<_> = shape(&joe)
                .into_iter()
                .map(|(name, length)| {
                    let more = if Some(&*name) == changing && method == Method::Cra { 3 } else { 0 };
                    (name, length + more)
                })
                .collect();
            assert_eq!(shape(&nobody), longer, "{method}");
            // Challenges for tickets are all alike.
            assert_eq!(nobody == of("somebody", role), method == Method::Ticket, "{method}");
        }
    }
}

#[test]
fn a_role_that_the_user_lacks_is_refused_after_the_proof_alone() {
    for method in CHALLENGED {
        let (denied, _) = join(&joe(), method, Some("root"));
        assert_eq!(denied.unwrap_err(), Denied::NoSuchRole);
    }
    let (denied, _) = join(&Client { password: "wrong", ..joe() }, Method::Ticket, Some("root"));
    assert_eq!(denied.unwrap_err(), Denied::WrongSecret);
    assert_eq!(Denied::NoSuchRole.uri(), reason::NO_SUCH_ROLE);
}

#[test]
fn an_answer_may_take_its_time_and_no_more() {
    for (micros, late) in [(10_000_000, false), (10_000_001, true)] {
        let Ok(Step::Challenged(pending)) = proceed(&settings(), &joe().hello(Method::Ticket), None) else {
            panic!("a challenge");
        };
        assert_eq!(pending.timeout(), Duration::from_secs(10));
        let answer = joe().answer(&pending.challenge());
        let now = Timestamp::from_unix_micros(at(0).unix_micros() + micros);
        assert_eq!(pending.verify(&answer, now).err(), late.then_some(Denied::TooLate));
    }
}

#[test]
fn the_method_is_the_first_that_the_realm_has() {
    use Method::{Anonymous, Cookie, Cra, Ticket};
    let handshake = Identity::of_handshake("ann", "user");
    let known = Some(&handshake);
    for (takes, offers, authid, handshake, chosen) in [
        (&[Ticket, Cra][..], &["wampcra", "ticket"][..], "joe", None, Ok(Cra)),
        (&[Ticket], &["magic", "wampcra", "ticket"], "joe", None, Ok(Ticket)),
        (&[Ticket], &["wampcra"], "joe", None, Err(Denied::NoMatchingMethod)),
        (&[Ticket], &[], "joe", known, Err(Denied::Required)),
        (&[Ticket, Anonymous], &[], "joe", None, Ok(Anonymous)),
        (&[Ticket, Anonymous], &["ticket", "anonymous"], "joe", None, Ok(Ticket)),
        (&[Cookie, Anonymous], &[], "", known, Ok(Cookie)),
        (&[Cookie, Anonymous], &["cookie", "anonymous"], "", None, Ok(Anonymous)),
        (&[Cookie, Ticket], &["cookie", "ticket"], "joe", known, Ok(Ticket)),
        (&[Cookie, Ticket], &["cookie", "ticket"], "ann", known, Ok(Cookie)),
        (&[Cookie], &["cookie"], "", None, Err(Denied::NoMatchingMethod)),
        (&[], &["anonymous"], "", known, Err(Denied::NoMatchingMethod)),
    ] {
        let settings = Settings::new(takes.iter().copied(), Decoy::new(Secret::from("key")));
        let attempt = Attempt::begin(&settings, &hello(offers, authid, &json!({})), handshake);
        assert_eq!(attempt.map(|attempt| attempt.method()), chosen, "{takes:?} {offers:?} {authid}");
    }
}

#[test]
fn who_proves_nothing_gets_a_name_and_who_is_known_keeps_its_own() {
    let Ok(Step::Accepted(identity)) = proceed(&settings(), &hello(&["anonymous"], "root", &json!({})), None)
    else {
        panic!("nothing to prove");
    };
    assert_eq!((&*identity.authid, &*identity.authrole), ("WlpaWlpaWlpaWlpa", "anonymous"));
    assert_eq!(identity.extra(), None);

    let ann = Identity::of_handshake("ann", "user");
    let Ok(Step::Accepted(identity)) = proceed(&settings(), &hello(&["cookie"], "", &json!({})), Some(&ann))
    else {
        panic!("nothing to prove");
    };
    assert_eq!(identity, ann);
}

#[test]
fn hello_has_to_have_what_its_method_needs() {
    for (method, authid, extra, needs) in [
        ("ticket", "", json!({}), "an authid"),
        ("wampcra", "", json!({}), "an authid"),
        ("cryptosign", "joe", json!({}), "a public key in 64 hexadecimal digits"),
        ("cryptosign", "joe", json!({"pubkey": "545e"}), "a public key in 64 hexadecimal digits"),
        ("wamp-scram", "", json!({"nonce": NONCE}), "an authid"),
        ("wamp-scram", "joe", json!({}), "a nonce in Base64, of 256 bytes at most"),
        ("wamp-scram", "joe", json!({"nonce": "a,r=b"}), "a nonce in Base64, of 256 bytes at most"),
        ("scram", "joe", json!({"nonce": "abcd".repeat(65)}), "a nonce in Base64, of 256 bytes at most"),
    ] {
        let denied = proceed(&settings(), &hello(&[method], authid, &extra), None).unwrap_err();
        assert_eq!(denied.uri(), reason::AUTHENTICATION_REQUIRED);
        assert_eq!(denied.told(), format!("HELLO lacks {needs}, which {method} needs"));
    }
    let bound = json!({"nonce": NONCE, "channel_binding": "tls-unique"});
    let denied = proceed(&settings(), &hello(&["wamp-scram"], "joe", &bound), None).unwrap_err();
    assert_eq!(denied, Denied::ChannelBinding);
}

#[test]
fn an_answer_that_is_none_is_refused() {
    let answers = ["", "x", "====", "AAAA", "é", &"0".repeat(192), &"ff".repeat(96), &"A".repeat(100_000)];
    for method in CHALLENGED {
        for answer in answers {
            let Ok(Step::Challenged(pending)) = proceed(&settings(), &joe().hello(method), None) else {
                panic!("a challenge");
            };
            let answer = Authenticate { signature: answer.to_owned().into(), extra: Dict::default() };
            let denied = pending.verify(&answer, at(1)).unwrap_err();
            assert!(matches!(denied, Denied::Malformed(_) | Denied::WrongSecret), "{method}: {denied}");
        }
    }
}

/// SCRAM's nonce comes back, and nothing is bound to the channel.
#[test]
fn a_proof_for_another_exchange_is_refused() {
    for extra in [
        json!({}),
        json!({"nonce": NONCE}),
        json!({"nonce": format!("{NONCE}WlpaWlpaWlpaWlpaWlpaWg=="), "channel_binding": "tls-unique"}),
        json!({"nonce": format!("{NONCE}WlpaWlpaWlpaWlpaWlpaWg=="), "cbind_data": "AAAA"}),
    ] {
        let Ok(Step::Challenged(pending)) = proceed(&settings(), &joe().hello(Method::Scram), None) else {
            panic!("a challenge");
        };
        let mut answer = joe().answer(&pending.challenge());
        answer.extra = Dict::from_serialize(&extra).unwrap();
        assert!(matches!(pending.verify(&answer, at(1)), Err(Denied::Malformed(_))), "{extra}");
    }
}

#[test]
fn the_router_proves_that_it_knows_the_user() {
    for (method, name) in [(Method::Scram, "verifier"), (Method::ScramAutobahn, "scram_server_signature")] {
        let (identity, challenge) = join(&joe(), method, None);
        let server_key = hmac(&joe().salted_password(method, &challenge), b"Server Key");
        let (_, _, message) = joe().scram(method, &challenge);
        let expected = STANDARD.encode(hmac(&server_key, message.as_bytes()));
        let identity = identity.unwrap();
        assert_eq!(identity.authextra[name], expected);
        let extra = identity.extra().unwrap();
        assert_eq!(extra.value("display").unwrap().to_text().as_deref(), Some("Joe"));
    }
}

/// RFC 7677, section 3: the keys of user "user" with password "pencil".
#[test]
fn keys_of_scram_are_those_of_rfc_7677() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let secret =
        ScramSecret::derive(&Secret::from("pencil"), &salt, Kdf::Pbkdf2 { iterations: 4096 }).unwrap();
    let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let verifier = hmac(secret.server_key().expose(), message.as_bytes());
    assert_eq!(STANDARD.encode(verifier), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    let signature = hmac(secret.stored_key().expose(), message.as_bytes());
    let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
    let client_key: Vec<u8> = proof.iter().zip(signature).map(|(proof, mask)| proof ^ mask).collect();
    assert_eq!(&*Sha256::digest(client_key), secret.stored_key().expose());
}

/// The vectors without a channel's id in the specification's "Test Vectors" of cryptosign.
#[test]
fn signatures_of_cryptosign_are_those_of_the_specification() {
    for (key, challenge, signature) in [
        (
            "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03",
        ),
        (
            "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
            "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
            "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f",
        ),
        (
            "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
            "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
            "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1ec184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b",
        ),
    ] {
        let key = SigningKey::from_bytes(&hex::decode(key).unwrap().try_into().unwrap());
        assert_eq!(sign(&key, challenge), format!("{signature}{challenge}"));
        // The challenge is what the router's random bytes are.
        let public = PublicKey::from_hex(&hex::encode(key.verifying_key().to_bytes())).unwrap();
        let principal = Principal { keys: vec![public], ..Principal::new("client01", "user") };
        let client = Client { authid: "", password: "", key };
        let (settings, hello) = (settings(), client.hello(Method::Cryptosign));
        let random = hex::decode(challenge).unwrap().try_into().unwrap();
        let attempt = Attempt::begin(&settings, &hello, None).unwrap();
        let Step::Challenged(pending) = attempt.proceed(&settings, Some(&principal), Id::MIN, &random, at(0))
        else {
            panic!("a challenge");
        };
        let answer = format!("{signature}{challenge}");
        let answer = Authenticate { signature: answer.into(), extra: Dict::default() };
        assert_eq!(&*pending.verify(&answer, at(1)).unwrap().authid, "client01");
    }
}

/// Signatures that autobahn-python 26.10.2 has made of these challenges.
#[test]
fn what_autobahn_answers_is_accepted() {
    let (password, salt) = (Secret::from("pencil"), b"sixteen of bytes");
    let scram = ScramSecret::derive_autobahn(&password, salt, KDF).unwrap();
    let keys = [scram.stored_key(), scram.server_key()].map(|key| hex::encode(key.expose()));
    let stored_key = "241fd69f35f621a8a94e5fca6fe6aaf52fe14751fb6632f1fffff98bbbb69c4f";
    let server_key = "354b8cec723b6a5b45f06417ec31f1669f224743dd095c4cf83937e703133a7a";
    assert_eq!(keys, [stored_key, server_key]);
    for (cra, method, signature) in [
        (None, "scram", "FiWIgeSWy25Wo8dVG755lxeiCcLTYQBf9ULiyTFP8Gc="),
        (Some(CraSecret::plain(password.clone())), "wampcra", "oRMvkQYECWdWfyzAc7YzYVVv9EVw09yXA6ahBS1dx60="),
        (
            Some(CraSecret::derive(&password, salting())),
            "wampcra",
            "4hvpJS49GRo+q2KHC10zbSjfg+1o/Rtqm2HVeMyc3h0=",
        ),
    ] {
        let principal =
            Principal { cra, scram_autobahn: Some(scram.clone()), ..Principal::new("joe", "user") };
        let settings = settings();
        let hello = hello(&[method], "joe", &json!({"nonce": NONCE}));
        let attempt = Attempt::begin(&settings, &hello, None).unwrap();
        let step = attempt.proceed(&settings, Some(&principal), Id::MAX, &[0x5a; 32], at(0));
        let Step::Challenged(pending) = step else { panic!("a challenge") };
        let answer = Authenticate { signature: signature.into(), extra: Dict::default() };
        let identity = pending.verify(&answer, at(1)).unwrap_or_else(|denied| panic!("{method}: {denied}"));
        if method == "scram" {
            let verifier = "GIuSXN4KALT9TxSBrh5DOSJACzV0OQ8qLWY6AwR+sIs=";
            assert_eq!(identity.authextra["scram_server_signature"], verifier);
        }
    }
}

#[test]
fn the_challenge_of_wamp_cra_says_what_it_is_for() {
    let (_, challenge) = join(&Client { authid: "plain", ..joe() }, Method::Cra, None);
    let signed: Value = serde_json::from_str(challenge["challenge"].as_str().unwrap()).unwrap();
    assert_eq!(
        signed,
        json!({
            "authid": "plain", "authrole": "user", "authmethod": "wampcra", "authprovider": "static",
            "nonce": "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo",
            "timestamp": "2014-05-13T16:53:20.000000Z", "session": 9_007_199_254_740_992_u64,
        })
    );
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?} {:?}", principals(), settings());
    for hidden in ["pencil", "key of decoys", "23EgbJz", "112, 194"] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
    let Ok(Step::Challenged(pending)) = proceed(&settings(), &joe().hello(Method::Scram), None) else {
        panic!("a challenge");
    };
    assert!(format!("{pending:?}").contains("stored_key: Secret"));
}

#[test]
fn what_is_no_credential_is_refused() {
    assert!(Ticket::from_sha256("abc").is_err());
    assert!(PublicKey::from_hex(&"0".repeat(63)).is_err());
    let keys = ["0".repeat(64), STANDARD.encode([1; 32])];
    assert!(ScramSecret::from_text("AAAA", KDF, &keys[0], &keys[1]).is_ok());
    assert!(ScramSecret::from_text("AAA", KDF, &keys[0], &keys[1]).is_err());
    assert!(ScramSecret::from_text("AAAA", KDF, &keys[0], &STANDARD.encode([1; 31])).is_err());
    let cheap = Kdf::Argon2id { iterations: 0, memory: 1 };
    let refused = ScramSecret::derive(&Secret::from("x"), b"sixteen of bytes", cheap);
    assert!(matches!(refused, Err(InvalidCredential { .. })));
    assert!(ScramSecret::derive(&Secret::from("\u{7}"), b"salt", Kdf::Pbkdf2 { iterations: 1 }).is_err());
}
