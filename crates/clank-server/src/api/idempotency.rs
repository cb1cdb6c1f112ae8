//! Requests that come again: the header `Idempotency-Key`.
//!
//! Who did not hear an answer can't know whether its request was carried out, and sends it again
//! with the same key: it is not carried out a second time, and gets the first answer.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::access::Caller;
use super::problem::{Problem, ProblemKind};
use super::respond::Answer;

/// The header.
const HEADER: &str = "idempotency-key";
/// Characters of the longest key.
const LONGEST: usize = 255;
/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_secs(600);
/// How many answers are kept; past that the oldest go.
const MOST: usize = 10_000;
/// Bytes of the answers that are kept; past that the oldest go.
const MOST_BYTES: usize = 16 << 20;

/// A key, of whose holder and on which route: another's is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    caller: Caller,
    route: &'static str,
    key: Box<str>,
}

impl Key {
    /// The key of a request; `None` if it has none.
    pub(super) fn of(
        headers: &HeaderMap,
        caller: Caller,
        route: &'static str,
    ) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()));
        match key.filter(|_| values.next().is_none()) {
            Some(key) => Ok(Some(Self { caller, route, key: key.into() })),
            None => {
                let detail = format!("an Idempotency-Key is 1 to {LONGEST} visible characters of ASCII");
                Err(Problem::new(ProblemKind::BadRequest, detail))
            }
        }
    }
}

/// The requests that have had a key.
#[derive(Default)]
pub(super) struct Store {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    requests: HashMap<Key, Request>,
    /// Those that have been answered, the oldest first.
    answered: VecDeque<(Instant, Key)>,
    /// Bytes of their answers.
    bytes: usize,
}

struct Request {
    /// Of what it asks for.
    hash: u64,
    /// `None` while it is under way.
    answer: Option<Answer>,
}

/// What is to be done with a request that has a key.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is the first: carry it out.
    First(UnderWay),
    /// It has been answered before.
    Again(Answer),
}

impl Store {
    /// Judges a request that asks for `what`.
    pub(super) fn begin(self: &Arc<Self>, key: Key, what: (&str, &[u8])) -> Result<Verdict, Problem> {
        let hash = self.hasher.hash_one(what);
        let mut state = self.lock();
        state.forget(Instant::now());
        match state.requests.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Request { hash, answer: None });
                Ok(Verdict::First(UnderWay { store: Arc::clone(self), key }))
            }
            Entry::Occupied(known) if known.get().hash != hash => {
                let detail = "the same key came with another body, path or query: use a new key";
                Err(Problem::new(ProblemKind::KeyReused, detail))
            }
            Entry::Occupied(known) => match &known.get().answer {
                Some(answer) => Ok(Verdict::Again(answer.clone())),
                None => {
                    let detail = "wait for its answer, or send the request again in a second";
                    Err(Problem::new(ProblemKind::KeyInUse, detail).header("retry-after", "1"))
                }
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, key: Key, answer: Answer, now: Instant) {
        let Some(request) = self.requests.get_mut(&key) else { return };
        self.bytes += size(&key, &answer);
        request.answer = Some(answer);
        self.answered.push_back((now, key));
        self.forget(now);
    }

    /// Forgets what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: Instant) {
        while let Some((since, key)) = self.answered.front() {
            let is_old = now.duration_since(*since) >= LIFETIME;
            if !is_old && self.answered.len() <= MOST && self.bytes <= MOST_BYTES {
                break;
            }
            if let Some(Request { answer: Some(answer), .. }) = self.requests.remove(key) {
                self.bytes -= size(key, &answer);
            }
            self.answered.pop_front();
        }
        // What a burst has needed is given back.
        if self.answered.len() < self.answered.capacity() / 4 {
            self.answered.shrink_to(2 * self.answered.len());
            self.requests.shrink_to(2 * self.requests.len());
        }
    }
}

/// Bytes that count for an answer, with some for its place in the tables.
fn size(key: &Key, answer: &Answer) -> usize {
    2 * (key.key.len() + size_of::<Key>()) + size_of::<Request>() + answer.body.get().len()
}

/// A request with a key is being carried out. If that comes to no answer, the key is free again.
pub(super) struct UnderWay {
    store: Arc<Store>,
    key: Key,
}

impl UnderWay {
    /// Keeps the answer for those who ask again.
    pub(super) fn answered(self, answer: &Answer) {
        self.store.lock().keep(self.key.clone(), answer.clone(), Instant::now());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        if state.requests.get(&self.key).is_some_and(|request| request.answer.is_none()) {
            state.requests.remove(&self.key);
        }
    }
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnderWay").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use http::{HeaderValue, StatusCode};
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::api::access::authorize;
    use crate::config::Tokens;

    fn caller(token: &'static str) -> Caller {
        let tokens = Tokens::of_lines("0123456789abcdef\nfedcba9876543210").unwrap();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        authorize(&tokens, &HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])).unwrap()
    }

    fn key(name: &str) -> Key {
        Key { caller: caller("0123456789abcdef"), route: "/v1/publish", key: name.into() }
    }

    fn answer(text: &str) -> Answer {
        Answer::ok(to_raw_value(text).unwrap())
    }

    /// What `begin` says of a request: `first`, its answer, or the status of the refusal.
    fn begin(store: &Arc<Store>, key: Key, body: &str) -> (String, Option<UnderWay>) {
        match store.begin(key, ("/v1/publish", body.as_bytes())) {
            Ok(Verdict::First(under_way)) => ("first".to_owned(), Some(under_way)),
            Ok(Verdict::Again(answer)) => (answer.body.get().to_owned(), None),
            Err(problem) => (problem.status().as_str().to_owned(), None),
        }
    }

    #[tokio::test]
    async fn the_first_answer_is_given_again_and_again() {
        let store = Arc::new(Store::default());
        let (first, under_way) = begin(&store, key("a"), "1");
        assert_eq!(first, "first");
        assert_eq!(begin(&store, key("a"), "1").0, StatusCode::CONFLICT.as_str());
        assert_eq!(begin(&store, key("a"), "2").0, StatusCode::UNPROCESSABLE_ENTITY.as_str());
        under_way.unwrap().answered(&answer("done"));
        assert_eq!(begin(&store, key("a"), "1").0, "\"done\"");
        assert_eq!(begin(&store, key("a"), "1").0, "\"done\"");
        assert_eq!(begin(&store, key("a"), "2").0, StatusCode::UNPROCESSABLE_ENTITY.as_str());
        let others =
            [Key { caller: caller("fedcba9876543210"), ..key("a") }, Key { route: "/v1/call", ..key("a") }];
        for other in others {
            assert_eq!(begin(&store, other, "2").0, "first");
        }
    }

    #[tokio::test]
    async fn a_key_whose_request_came_to_nothing_is_free_again() {
        let store = Arc::new(Store::default());
        drop(begin(&store, key("a"), "1").1);
        assert_eq!(begin(&store, key("a"), "2").0, "first");
        assert!(store.lock().requests.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_forgotten_after_their_lifetime() {
        let store = Arc::new(Store::default());
        begin(&store, key("a"), "1").1.unwrap().answered(&answer("done"));
        tokio::time::advance(LIFETIME - Duration::from_secs(1)).await;
        assert_eq!(begin(&store, key("a"), "1").0, "\"done\"");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(begin(&store, key("a"), "2").0, "first");
        assert_eq!(store.lock().bytes, 0);
    }

    #[tokio::test]
    async fn the_oldest_answers_go_when_there_are_too_many_or_too_long_ones() {
        let store = Arc::new(Store::default());
        for number in 0..=MOST {
            begin(&store, key(&number.to_string()), "1").1.unwrap().answered(&answer("done"));
        }
        assert_eq!(store.lock().requests.len(), MOST);
        assert_eq!(begin(&store, key("0"), "2").0, "first");
        assert_eq!(begin(&store, key("1"), "1").0, "\"done\"");
        let long = answer(&"x".repeat(MOST_BYTES - 1_000));
        begin(&store, key("long"), "1").1.unwrap().answered(&long);
        assert_eq!(begin(&store, key("1"), "1").0, "first");
        assert!(store.lock().bytes <= MOST_BYTES);
        let too_long = answer(&"x".repeat(MOST_BYTES));
        begin(&store, key("too long"), "1").1.unwrap().answered(&too_long);
        let state = store.lock();
        assert_eq!((state.bytes, state.requests.len()), (0, 0));
    }

    #[test]
    fn a_key_is_visible_and_not_too_long() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            Key::of(&headers, caller("0123456789abcdef"), "/v1/publish")
        };
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&["7f3a"]).unwrap().is_some());
        for refused in [&[""][..], &["é"], &["a", "a"], &[&*"x".repeat(LONGEST + 1)]] {
            assert_eq!(of(refused).unwrap_err().status(), StatusCode::BAD_REQUEST, "{refused:?}");
        }
    }
}
