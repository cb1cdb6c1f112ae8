//! A model of the specification's router, and the real one: both are led through random steps, and what
//! every client hears must be what the model says.
//!
//! A failure names its seed; `CLANK_SEED=... cargo nextest run -p clank --test it wamp2_model` replays it.

use std::collections::{BTreeMap, BTreeSet};

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};

use crate::support::{Peer2, Test, serve};

const CLIENTS: usize = 5;
const STEPS: usize = 600;
/// Seeds that every run has; one more is drawn.
const SEEDS: [u64; 3] = [1, 2, 3];

/// What is published to and called. Some begin like others, without being below them.
const URIS: [&str; 5] = ["a.b", "a.b.c", "a.bc.d", "a.x.c", "b.b.c"];
const PATTERNS: [(&str, &str); 11] = [
    ("a.b", "exact"),
    ("a.b.c", "exact"),
    ("a.x.c", "exact"),
    ("a", "prefix"),
    ("a.b", "prefix"),
    ("a.b.", "prefix"),
    ("b", "prefix"),
    ("a..c", "wildcard"),
    ("..c", "wildcard"),
    (".b.", "wildcard"),
    ("a.b.", "wildcard"),
];
const POLICIES: [&str; 5] = ["single", "first", "last", "roundrobin", "random"];

type Pattern = (&'static str, &'static str);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

fn matches((pattern, kind): Pattern, uri: &str) -> bool {
    match kind {
        "exact" => pattern == uri,
        "prefix" => uri.starts_with(pattern),
        _ => {
            let (parts, of): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), uri.split('.').collect());
            parts.len() == of.len() && parts.iter().zip(of).all(|(part, of)| part.is_empty() || *part == of)
        }
    }
}

/// How much better one pattern that matches is than another: exact ones first, then the longest prefix,
/// then the wildcard that is exact for longer.
fn rank((pattern, kind): Pattern) -> (u8, usize, Vec<bool>) {
    match kind {
        "exact" => (2, 0, Vec::new()),
        "prefix" => (1, pattern.len(), Vec::new()),
        _ => (0, 0, pattern.split('.').map(|part| !part.is_empty()).collect()),
    }
}

struct Registration {
    id: Value,
    policy: &'static str,
    callees: Vec<usize>,
}

struct Call {
    caller: usize,
    request: u64,
    callee: usize,
    invocation: Value,
    /// Its caller has had its answer.
    answered: bool,
}

/// The real router, and what the model knows of it.
struct Both<'t> {
    test: &'t Test,
    random: Random,
    peers: Vec<Peer2>,
    topics: BTreeMap<Pattern, (Value, BTreeSet<usize>)>,
    procedures: BTreeMap<Pattern, Registration>,
    calls: Vec<Call>,
    numbers: u64,
}

/// What each client is to hear; `null` stands for anything.
type Heard = Vec<Vec<Value>>;

impl<'t> Both<'t> {
    fn new(test: &'t Test, seed: u64) -> Self {
        let mut both = Self {
            test,
            random: Random(seed),
            peers: Vec::new(),
            topics: BTreeMap::new(),
            procedures: BTreeMap::new(),
            calls: Vec::new(),
            numbers: 0,
        };
        for client in 0..CLIENTS {
            let peer = both.join(client);
            both.peers.push(peer);
        }
        both
    }

    /// A client of another codec or transport for each place.
    fn join(&self, place: usize) -> Peer2 {
        match Serializer::ALL.get(place) {
            Some(serializer) => self.test.client_raw(*serializer),
            None => self.test.client2(Codec::ALL[place % Codec::ALL.len()]),
        }
    }

    fn step(&mut self) {
        let client = self.random.below(CLIENTS);
        match self.random.below(12) {
            0 | 1 => self.subscribe(client),
            2 => self.unsubscribe(client),
            3..=5 => self.publish(client),
            6 => self.register(client),
            7 => self.unregister(client),
            8 | 9 => self.call(client),
            10 => self.answer(),
            _ if self.random.chance(3) => self.leave(client),
            _ => self.cancel(),
        }
    }

    fn number(&mut self) -> Value {
        self.numbers += 1;
        self.numbers.into()
    }

    /// Sends a request; returns its number.
    fn ask(&mut self, client: usize, message: impl FnOnce(u64) -> Value) -> u64 {
        let request = self.peers[client].request();
        self.peers[client].send(&message(request));
        request
    }

    /// All that the clients have heard by now; the one that did something is asked first, so that it is
    /// done when the others are.
    fn heard(&mut self, first: usize) -> Heard {
        let mut heard = vec![Vec::new(); CLIENTS];
        for client in (0..CLIENTS).cycle().skip(first).take(CLIENTS) {
            let peer = &mut self.peers[client];
            let request = peer.call("test/echo", &json!({}), &json!(["settled"]));
            loop {
                let message = peer.next();
                if message[0] == 50 && message[1] == request {
                    break;
                }
                heard[client].push(message);
            }
        }
        heard
    }

    /// Everybody has heard what was expected, in any order, and nothing else. Returns what was heard in
    /// the order of what was expected.
    fn expect(&mut self, first: usize, expected: &Heard) -> Heard {
        let mut heard = self.heard(first);
        let mut told: Heard = vec![Vec::new(); CLIENTS];
        for (client, expected) in expected.iter().enumerate() {
            for message in expected {
                let at = heard[client].iter().position(|heard| fits(message, heard));
                let at = at.unwrap_or_else(|| panic!("{client} heard no {message} in {:?}", heard[client]));
                told[client].push(heard[client].remove(at));
            }
            assert_eq!(heard[client], Vec::<Value>::new(), "nothing else was said to {client}");
        }
        told
    }

    /// The client that asked is answered, and nobody hears of it.
    fn expect_answer(&mut self, client: usize, answer: Value) -> Value {
        let mut expected = nothing();
        expected[client].push(answer);
        self.expect(client, &expected)[client].remove(0)
    }

    fn subscribe(&mut self, client: usize) {
        let pattern = self.random.pick(&PATTERNS);
        let request = self.ask(client, |request| json!([32, request, {"match": pattern.1}, pattern.0]));
        let known = self.topics.get(&pattern).map(|(id, _)| id.clone());
        let is_new = known.is_none();
        let answer = self.expect_answer(client, json!([33, request, known]));
        if is_new {
            assert!(self.topics.values().all(|(id, _)| *id != answer[2]), "a number of its own");
        }
        let entry = self.topics.entry(pattern).or_insert_with(|| (answer[2].clone(), BTreeSet::new()));
        entry.1.insert(client);
    }

    fn unsubscribe(&mut self, client: usize) {
        let known: Vec<(Pattern, Value, bool)> = self
            .topics
            .iter()
            .map(|(pattern, (id, members))| (*pattern, id.clone(), members.contains(&client)))
            .collect();
        let Some((pattern, id, is_member)) =
            (!known.is_empty()).then(|| known[self.random.below(known.len())].clone())
        else {
            return;
        };
        let request = self.ask(client, |request| json!([34, request, id]));
        if !is_member {
            let error = json!([8, 34, request, {}, "wamp.error.no_such_subscription", null]);
            self.expect_answer(client, error);
            return;
        }
        self.expect_answer(client, json!([35, request]));
        self.leave_topic(pattern, client);
    }

    fn leave_topic(&mut self, pattern: Pattern, client: usize) {
        let Some((_, members)) = self.topics.get_mut(&pattern) else { return };
        members.remove(&client);
        if members.is_empty() {
            self.topics.remove(&pattern);
        }
    }

    fn publish(&mut self, client: usize) {
        let (topic, number) = (self.random.pick(&URIS), self.number());
        let some =
            |random: &mut Random| -> BTreeSet<usize> { (0..CLIENTS).filter(|_| random.chance(2)).collect() };
        let to_me = self.random.chance(3);
        let excluded = self.random.chance(3).then(|| some(&mut self.random));
        let eligible = self.random.chance(3).then(|| some(&mut self.random));
        let acknowledged = self.random.chance(2);
        let sessions = |clients: &BTreeSet<usize>| -> Vec<u64> {
            clients.iter().map(|client| self.peers[*client].session).collect()
        };
        let mut options = json!({});
        if to_me {
            options["exclude_me"] = false.into();
        }
        if let Some(excluded) = &excluded {
            options["exclude"] = sessions(excluded).into();
        }
        if let Some(eligible) = &eligible {
            options["eligible"] = sessions(eligible).into();
        }
        if acknowledged {
            options["acknowledge"] = true.into();
        }
        let request = self.ask(client, |request| json!([16, request, options, topic, [number]]));
        let mut expected = nothing();
        if acknowledged {
            expected[client].push(json!([17, request, null]));
        }
        for ((pattern, kind), (id, members)) in &self.topics {
            if !matches((pattern, kind), topic) {
                continue;
            }
            let details = if *kind == "exact" { json!({}) } else { json!({"topic": topic}) };
            for member in members {
                let hears = (*member != client || to_me)
                    && excluded.as_ref().is_none_or(|excluded| !excluded.contains(member))
                    && eligible.as_ref().is_none_or(|eligible| eligible.contains(member));
                if hears {
                    expected[*member].push(json!([36, id, null, details, [number]]));
                }
            }
        }
        let heard = self.expect(client, &expected);
        let publications = heard.iter().flatten().map(|message| &message[2]);
        assert!(publications.collect::<Vec<_>>().windows(2).all(|pair| pair[0] == pair[1]), "one number");
    }

    fn register(&mut self, client: usize) {
        let (pattern, policy) = (self.random.pick(&PATTERNS), self.random.pick(&POLICIES));
        let options = json!({"match": pattern.1, "invoke": policy});
        let request = self.ask(client, |request| json!([64, request, options, pattern.0]));
        let known = self.procedures.get(&pattern);
        let is_refused = known.is_some_and(|known| {
            known.policy != policy || policy == "single" || known.callees.contains(&client)
        });
        if is_refused {
            let error = json!([8, 64, request, {}, "wamp.error.procedure_already_exists", null]);
            self.expect_answer(client, error);
            return;
        }
        let known = known.map(|known| known.id.clone());
        let answer = self.expect_answer(client, json!([65, request, known]));
        let id = answer[2].clone();
        let registration = self.procedures.entry(pattern).or_insert_with(|| Registration {
            id,
            policy,
            callees: Vec::new(),
        });
        registration.callees.push(client);
    }

    fn unregister(&mut self, client: usize) {
        let known: Vec<(Pattern, Value, bool)> = self
            .procedures
            .iter()
            .map(|(pattern, known)| (*pattern, known.id.clone(), known.callees.contains(&client)))
            .collect();
        if known.is_empty() {
            return;
        }
        let (pattern, id, is_callee) = known[self.random.below(known.len())].clone();
        let request = self.ask(client, |request| json!([66, request, id]));
        if !is_callee {
            let error = json!([8, 66, request, {}, "wamp.error.no_such_registration", null]);
            self.expect_answer(client, error);
            return;
        }
        self.expect_answer(client, json!([67, request]));
        self.offer_no_more(pattern, client);
    }

    fn offer_no_more(&mut self, pattern: Pattern, client: usize) {
        let Some(known) = self.procedures.get_mut(&pattern) else { return };
        known.callees.retain(|callee| *callee != client);
        if known.callees.is_empty() {
            self.procedures.remove(&pattern);
        }
    }

    fn call(&mut self, client: usize) {
        let (uri, number) = (self.random.pick(&URIS), self.number());
        let request = self.ask(client, |request| json!([48, request, {}, uri, [number]]));
        let fitting = self.procedures.iter().filter(|(pattern, _)| matches(**pattern, uri));
        let Some((pattern, known)) = fitting.max_by_key(|(pattern, _)| rank(**pattern)) else {
            let error = json!([8, 48, request, {}, "wamp.error.no_such_procedure", null]);
            self.expect_answer(client, error);
            return;
        };
        let callees = match known.policy {
            "single" | "first" => &known.callees[..1],
            "last" => &known.callees[known.callees.len() - 1..],
            _ => &known.callees[..],
        };
        let details = if pattern.1 == "exact" { json!({}) } else { json!({"procedure": uri}) };
        let invocation = json!([68, null, known.id, details, [number]]);
        let callees = callees.to_vec();
        let heard = self.heard(client);
        let mut all =
            heard.iter().enumerate().flat_map(|(client, heard)| heard.iter().map(move |h| (client, h)));
        let (callee, told) = all.next().expect("one is called");
        assert!(all.next().is_none(), "and no other: {heard:?}");
        assert!(fits(&invocation, told), "{told}, and not {invocation}");
        assert!(callees.contains(&callee), "{callee} was called, and not one of {callees:?}");
        let invocation = told[1].clone();
        self.calls.push(Call { caller: client, request, callee, invocation, answered: false });
    }

    /// A callee answers, with a result or an error.
    fn answer(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let at = self.random.below(self.calls.len());
        let call = self.calls.swap_remove(at);
        let (number, fails) = (self.number(), self.random.chance(3));
        let mut expected = nothing();
        let (message, reply) = match fails {
            true => (
                json!([8, 68, call.invocation, {}, "com.example.failed", [number]]),
                json!([8, 48, call.request, {}, "com.example.failed", [number]]),
            ),
            false => (json!([70, call.invocation, {}, [number]]), json!([50, call.request, {}, [number]])),
        };
        self.peers[call.callee].send(&message);
        if !call.answered {
            expected[call.caller].push(reply);
        }
        self.expect(call.callee, &expected);
    }

    fn cancel(&mut self) {
        let waiting: Vec<usize> =
            self.calls.iter().enumerate().filter(|(_, call)| !call.answered).map(|(at, _)| at).collect();
        if waiting.is_empty() {
            return;
        }
        let at = self.random.pick(&waiting);
        let mode = self.random.pick(&["skip", "kill", "killnowait"]);
        let call = &mut self.calls[at];
        let mut expected = nothing();
        if mode != "skip" {
            expected[call.callee].push(json!([69, call.invocation, null]));
        }
        if mode != "kill" {
            let error = json!([8, 48, call.request, {}, "wamp.error.canceled", null]);
            expected[call.caller].push(error);
            call.answered = true;
        }
        let (caller, request) = (call.caller, call.request);
        self.peers[caller].send(&json!([49, request, {"mode": mode}]));
        self.expect(caller, &expected);
    }

    /// A client leaves, and another one takes its place.
    fn leave(&mut self, client: usize) {
        let next = self.join(client);
        std::mem::replace(&mut self.peers[client], next).leave();
        let mut expected = nothing();
        for call in std::mem::take(&mut self.calls) {
            match (call.caller == client, call.callee == client) {
                (false, false) => self.calls.push(call),
                (false, true) if !call.answered => {
                    let error = json!([8, 48, call.request, {}, "wamp.error.canceled", null]);
                    expected[call.caller].push(error);
                }
                (true, false) if !call.answered => {
                    expected[call.callee].push(json!([69, call.invocation, null]));
                    self.calls.push(Call { answered: true, ..call });
                }
                (true, false) => self.calls.push(call),
                _ => {}
            }
        }
        for pattern in PATTERNS {
            self.leave_topic(pattern, client);
            self.offer_no_more(pattern, client);
        }
        self.expect(client, &expected);
    }
}

fn nothing() -> Heard {
    vec![Vec::new(); CLIENTS]
}

/// Whether a message is what was expected; `null` stands for anything.
fn fits(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::Null, _) => true,
        (Value::Array(expected), Value::Array(heard)) => {
            expected.len() == heard.len() && expected.iter().zip(heard).all(|(one, other)| fits(one, other))
        }
        _ => expected == heard,
    }
}

#[test]
fn the_router_does_what_its_model_does() {
    let drawn = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seeds = match std::env::var("CLANK_SEED") {
        Ok(seed) => vec![seed.parse().expect("CLANK_SEED is a number")],
        Err(_) => SEEDS.into_iter().chain([drawn]).collect(),
    };
    for seed in seeds {
        println!("CLANK_SEED={seed}");
        let test = serve(|builder| builder);
        let mut both = Both::new(&test, seed);
        (0..STEPS).for_each(|_| both.step());
        while !both.calls.is_empty() {
            both.answer();
        }
        both.peers.into_iter().for_each(Peer2::leave);
    }
}
