#![allow(clippy::unwrap_used, clippy::panic)]
use super::super::{Input, load};
use super::*;
use crate::config::{Config, reference};

fn file(text: &str) -> Input {
    Input { file: Some(("clank.toml".to_owned(), text.to_owned())), ..Input::default() }
}

fn problems(text: &str) -> Vec<String> {
    load(&file(text))
        .map_or_else(|problems| problems, |config| config.warnings)
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn read(text: &str) -> Config {
    let config = load(&file(text)).unwrap();
    assert_eq!(config.warnings, [], "{text}");
    config
}

/// A realm to which nothing is wrong, and a place for more.
const SHOP: &str = "wamp2.realm = \"public\"\nwamp2.realms = [\"com.example.shop\", \"b\"]\n[realms.b]\n";
const KEY: &str = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122";

/// Every setting, given.
const EVERYTHING: &str = r#"
        wamp2.realms = ["com.example.shop"]
        [realms."com.example.shop"]
        methods = ["cookie", "ticket", "wampcra", "cryptosign", "scram", "wamp-scram"]
        decoy_key = { file = "decoy.key" }
        timeout = "5s"
        otherwise = "allow"
        [[realms."com.example.shop".users]]
        authid = "joe"
        secret = { env = "JOE" }
        public_keys = ["545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"]
        [[realms."com.example.shop".users]]
        authid = "ann"
        roles = ["admin", "user"]
        attributes = { plan = "gold", seats = 3, rate = 0.5, tags = ["a", { b = true }], since = 2026-01-31 }
        ticket_sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        wampcra = { key = "23EgbJzv5UVDrvDok6x9La33Q89ubrMmXdvi42GUdw0=", salt = "salt123", iterations = 100 }
        [realms."com.example.shop".users.scram]
        kdf = "argon2id"
        iterations = 2
        memory = 512
        salt = "c2FsdHNhbHRzYWx0c2FsdA=="
        stored_key = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"
        server_key = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"
        [[realms."com.example.shop".rules]]
        role = "user"
        actions = ["publish", "subscribe"]
        uri = "com.example..log"
        match = "wildcard"
        effect = "deny"
        disclose = "never"
        "#;

#[test]
fn realms_users_and_rules_are_read() {
    let config = read(EVERYTHING);
    let realm = &config.settings.realms["com.example.shop"].settings;
    assert_eq!(
        (realm.methods.len(), realm.timeout.duration().as_secs(), realm.otherwise),
        (6, 5, clank::wamp2::Effect::Allow)
    );
    let [joe, ann] = &realm.users[..] else { panic!("two users: {:?}", realm.users) };
    assert_eq!((joe.settings.authid.as_str(), joe.settings.roles[0].as_str()), ("joe", "user"));
    assert_eq!(joe.settings.public_keys.0[0].to_hex(), KEY);
    assert_eq!(ann.settings.roles.len(), 2);
    let attributes = r#"{"plan":"gold","rate":0.5,"seats":3,"since":"2026-01-31","tags":["a",{"b":true}]}"#;
    assert_eq!(serde_json::to_string(&ann.settings.attributes.0).unwrap(), attributes);
    let salting = ann.settings.wampcra.0.as_ref().unwrap().salting().unwrap();
    assert_eq!((&*salting.salt, salting.iterations, salting.keylen), ("salt123", 100, 32));
    assert!(ann.settings.scram.0.is_some() && ann.settings.wamp_scram.0.is_none());
    let rule = &realm.rules[0].settings;
    assert_eq!((rule.actions.len(), rule.matching), (2, clank::wamp2::Match::Wildcard));
    let printed = reference::effective(&config);
    let section = r#"
[realms."com.example.shop"]
methods = ["cookie", "ticket", "wampcra", "cryptosign", "scram", "wamp-scram"]  # clank.toml:4:19
timeout = "5s"  # clank.toml:6:19
decoy_key = { file = "decoy.key" }  # clank.toml:5:21
otherwise = "allow"  # clank.toml:7:21

[[realms."com.example.shop".users]]
authid = "joe"  # clank.toml:9:18
secret = { env = "JOE" }  # clank.toml:10:18
"#;
    assert!(printed.contains(section), "{printed}");
    assert!(printed.contains("attributes = { plan = \"gold\", rate = 0.5, seats = 3, "), "{printed}");
    assert!(printed.contains("scram = \"***\"") && !printed.contains("c2FsdHNhbHR"), "{printed}");
}

#[test]
fn the_example_of_the_guide_is_right() {
    let guide = include_str!("../../../../../../docs/wamp2.md");
    let (_, example) = guide.split_once("```toml\n").unwrap();
    let config = read(example.split("```").next().unwrap());
    let realm = &config.settings.realms["com.example.shop"].settings;
    assert_eq!((realm.methods.len(), realm.users.len(), realm.rules.len()), (6, 2, 4));
}

#[test]
fn what_is_wrong_with_a_realm_is_told_with_its_place() {
    let cases = [
        ("[realms]\nb = 1\n", "clank.toml:2:1: error: `realms.b` is a section: write [realms.b]"),
        (
            "wamp2.realms = [\"com.example.shop\"]\n[realms.\"com.example.shp\"]\n",
            "clank.toml:2:9: error: realms.\"com.example.shp\": there is no such realm: wamp2.realm and wamp2.realms name those that there are; did you mean \"com.example.shop\"?",
        ),
        ("[realm.b]\n", "clank.toml:1:2: error: there is no section `realm`; did you mean `realms`?"),
        (
            "[realms.realm1]\nmethods = [\"anonymous\", \"wamp-cra\"]\n",
            "clank.toml:2:25: error: realms.realm1.methods: \"wamp-cra\" is not `anonymous`, `cookie`, `ticket`, `wampcra`, `cryptosign`, `wamp-scram` or `scram`; did you mean \"wampcra\"?",
        ),
        (
            "[realms.realm1]\nuser = 1\n",
            "clank.toml:2:1: error: `realms.realm1` has no setting `user`; did you mean `users`?",
        ),
        (
            "[realms.realm1]\nrules = 1\n",
            "clank.toml:2:9: error: `realms.realm1.rules` is a list of tables: write [[realms.realm1.rules]]",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(text), [expected], "{text}");
    }
}

/// In that realm, one user to whom nothing is wrong.
const JOE: &str = "methods = [\"ticket\"]\n[[realms.b.users]]\nauthid = \"joe\"\nsecret = \"s3cret\"\n";

fn assert_problems(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        assert_eq!(problems(&format!("{SHOP}{text}")), [format!("clank.toml:{expected}")], "{text}");
    }
}

#[test]
fn what_is_wrong_with_users_is_told_with_its_place() {
    read(&format!("{SHOP}{JOE}"));
    assert_problems(&[
        (
            "[[realms.b.users]]\nauthid = \"joe\"\nsecret = \"s3cret\"\n".to_owned(),
            "3:9: error: realms.b.methods: there are users: say in which ways they prove who they are",
        ),
        (format!("{JOE}[realms.b.users.x]\n"), "8:17: error: `realms.b.users` has no setting `x`"),
        (
            "methods = [\"ticket\"]\n[realms.b.users]\nauthid = \"joe\"\nsecret = \"s3cret\"\n".to_owned(),
            "5:1: error: there may be several: write [[realms.b.users]]",
        ),
        (
            format!("{JOE}[[realms.b.users]]\nsecret = \"x\"\n"),
            "8:1: error: realms.b.users.authid: a user needs a name",
        ),
        (
            format!("{JOE}[[realms.b.users]]\nauthid = \"joe\"\nsecret = \"x\"\n"),
            "9:10: error: realms.b.users.authid: there are two of the name \"joe\"",
        ),
        (format!("{JOE}roles = []\n"), "8:9: error: realms.b.users.roles: a user has one at least"),
        (
            JOE.replace("\"s3cret\"", "\"\""),
            "7:10: error: realms.b.users.secret: a user proves who it is by this, or by a setting that takes its place",
        ),
        (JOE.replace("\"joe\"", "5"), "6:10: error: realms.b.users.authid: the integer 5 is not text"),
        (
            JOE.replace("\"ticket\"", ""),
            "4:11: error: realms.b.methods: there are users: say in which ways they prove who they are",
        ),
        (
            JOE.replace("\"ticket\"", "\"tikcet\""),
            "4:12: error: realms.b.methods: \"tikcet\" is not `anonymous`, `cookie`, `ticket`, `wampcra`, `cryptosign`, `wamp-scram` or `scram`; did you mean \"ticket\"?",
        ),
        (
            format!("{JOE}attributes = {{ a = 1, b = [nan] }}\n"),
            "8:28: error: realms.b.users.attributes: it is no number of JSON",
        ),
        (
            format!("{JOE}[[realms.b.users]]\nauthid = \"ann\"\n"),
            "8:1: error: realms.b.users.secret: a user proves who it is by this, or by a setting that takes its place",
        ),
        (
            format!("{JOE}sekret = \"x\"\n"),
            "8:1: error: `realms.b.users` has no setting `sekret`; did you mean `secret`?",
        ),
        (
            format!("{JOE}public_keys = [\"{KEY}\", \"{}\"]\n", &KEY[1..]),
            "8:84: error: realms.b.users.public_keys: a key is not a public key of Ed25519 in 64 hexadecimal digits",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_rules_is_told_with_its_place() {
    assert_problems(&[
        (
            format!("{JOE}[[realms.b.rules]]\nuri = \"a\"\n"),
            "8:1: error: realms.b.rules.effect: a rule needs it",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\neffect = \"alow\"\nuri = \"a\"\n"),
            "9:10: error: realms.b.rules.effect: \"alow\" is not \"allow\" or \"deny\"; did you mean \"allow\"?",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nuri = \"a..b\"\neffect = \"allow\"\n"),
            "9:7: error: realms.b.rules.uri: \"a..b\" has an empty component at byte 2",
        ),
        (
            format!(
                "{JOE}[[realms.b.rules]]\nrole = \"user\"\nauthid = \"joe\"\nuri = \"a\"\neffect = \"allow\"\n"
            ),
            "10:10: error: realms.b.rules.authid: a rule is for a role or for a user, not for both",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nactions = [\"pubish\"]\nuri = \"a\"\neffect = \"deny\"\n"),
            "9:12: error: realms.b.rules.actions: \"pubish\" is not `subscribe`, `publish`, `register` or `call`; did you mean \"publish\"?",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nrole = \"\"\nuri = \"a\"\neffect = \"allow\"\n"),
            "9:8: error: realms.b.rules.role: it is empty: a rule for everybody leaves it out",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nauthid = 5\nuri = \"a\"\neffect = \"allow\"\n"),
            "9:10: error: realms.b.rules.authid: the integer 5 is not text",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nuri = 5\neffect = \"allow\"\n"),
            "9:7: error: realms.b.rules.uri: the integer 5 is not text",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nrole = \"usr\"\nuri = \"a\"\neffect = \"allow\"\n"),
            "9:8: warning: realms.b.rules.role: there is no such role; did you mean \"user\"?",
        ),
        (
            format!("{JOE}[[realms.b.rules]]\nauthid = \"jo\"\nuri = \"a\"\neffect = \"allow\"\n"),
            "9:10: warning: realms.b.rules.authid: there is no such user; did you mean \"joe\"?",
        ),
        (
            JOE.replace("\"ticket\"", "\"ticket\", \"cryptosign\""),
            "4:11: warning: realms.b.methods: no user can use cryptosign",
        ),
    ]);
}

#[test]
fn a_realm_that_clients_of_wamp_v1_walk_into_is_warned_of() {
    let guarded = "[realms.realm1]\nmethods = [\"ticket\"]\n[[realms.realm1.users]]\nauthid = \"joe\"\nsecret = \"x\"\n";
    let warnings = problems(guarded);
    assert!(
        warnings[0].starts_with("clank.toml:2:11: warning: realms.realm1.methods: clients of WAMP v1"),
        "{warnings:?}"
    );
    assert_eq!(warnings.len(), 1);
    read(&guarded.replace("methods", "otherwise = \"deny\"\nmethods"));
    read(&guarded.replace("\"ticket\"", "\"ticket\", \"anonymous\""));
    read(&format!("wamp2.realm = \"public\"\nwamp2.realms = [\"realm1\"]\n{guarded}"));
}

#[test]
fn no_message_shows_a_secret() {
    for (setting, expected) in [
        (
            "secret = [\"hidden\"]",
            "8:10: error: realms.b.users.secret: a secret is text, { file = \"NAME\" } or { env = \"VARIABLE\" }",
        ),
        (
            "secret = \"***\"",
            "8:10: error: realms.b.users.secret: *** is what is printed for a secret, and none",
        ),
        (
            "secret = { fil = \"hidden\" }",
            "8:12: error: realms.b.users.secret: it has no `fil`; did you mean \"file\"?",
        ),
        ("secret = { file = 1 }", "8:19: error: realms.b.users.secret: its file is not text"),
        (
            "secret = { file = \"hidden\", env = \"hidden\" }",
            "8:10: error: realms.b.users.secret: a secret is text, { file = \"NAME\" } or { env = \"VARIABLE\" }",
        ),
        (
            "ticket_sha256 = \"hidden\"",
            "8:17: error: realms.b.users.ticket_sha256: it is not the SHA-256 of a ticket, in 64 hexadecimal digits or Base64",
        ),
        (
            "wampcra = \"hidden\"",
            "8:11: error: realms.b.users.wampcra: it is not { key, salt, iterations, keylen }",
        ),
        (
            "wampcra = { key = \"hidden\", salt = \"x\" }",
            "8:11: error: realms.b.users.wampcra: its key is not the Base64 of as many bytes as keylen says",
        ),
        ("wampcra = { key = \"hidden\" }", "8:11: error: realms.b.users.wampcra: it needs a salt"),
        (
            "wampcra = { key = \"hidden\", salt = \"x\", iterations = 0 }",
            "8:54: error: realms.b.users.wampcra: its iterations is not an integer, 1 to 10000000",
        ),
        (
            "scram = { kdf = \"pbkdf2\", salt = \"eA==\", stored_key = \"hidden\", server_key = \"hidden\" }",
            "8:9: error: realms.b.users.scram: a salt or key is not 32 bytes in hexadecimal digits or Base64",
        ),
        (
            "scram = { kdf = \"argon2id-13\" }",
            "8:9: error: realms.b.users.scram: its kdf \"argon2id-13\" is not \"argon2id\" or \"pbkdf2\"; did you mean \"argon2id\"?",
        ),
    ] {
        let text = format!(
            "{SHOP}methods = [\"ticket\"]\n[[realms.b.users]]\nauthid = \"joe\"\npublic_keys = []\n{setting}\n"
        );
        let told: Vec<_> = problems(&text).into_iter().filter(|problem| problem.contains("error")).collect();
        assert_eq!(told, [format!("clank.toml:{expected}")], "{setting}");
    }
}

#[test]
fn a_variable_that_holds_a_secret_is_known() {
    let text = format!(
        "{SHOP}methods = [\"ticket\"]\n[[realms.b.users]]\nauthid = \"joe\"\nsecret = {{ env = \"CLANK_JOE\" }}\n"
    );
    let mut input = file(&text);
    input.environment = vec![("CLANK_JOE".to_owned(), "s3cret".to_owned())];
    assert_eq!(load(&input).unwrap().warnings, []);
    input.environment[0].0.push('Y');
    assert_eq!(load(&input).unwrap().warnings.len(), 1);
}
