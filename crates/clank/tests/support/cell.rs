//! A client of any version, over any transport, in any serializer: all are driven alike, and say the
//! same of what they hear.

use std::collections::HashMap;

use clank::session::{Fault, Invocation, Session, SessionError, Subscription};
use clank::{CallError, ClientSubscription};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::Codec;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Peer, Peer2, Test};

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Pipe,
    WebSocket,
    RawSocket,
}

/// One of the combinations that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub version: u8,
    pub by: By,
    pub serializer: Serializer,
}

/// What is sent and heard: arguments and keyword arguments.
#[derive(Clone, Debug)]
pub struct Sent {
    pub arguments: Value,
    pub keywords: Option<Value>,
}

/// An error as any client has it: URI, description, details.
pub type Failure = (String, String, Value);

/// A client of one cell.
pub struct Client {
    pub cell: Cell,
    runtime: Runtime,
    speaks: Speaks,
}

enum Speaks {
    V1(Box<Peer>),
    V1Inside(clank::Client, HashMap<String, ClientSubscription>),
    /// With the numbers of its subscriptions.
    V2(Box<Peer2>, HashMap<String, u64>),
    V2Inside(Session, HashMap<String, Subscription>),
}

impl Cell {
    /// All cells that there are.
    pub fn all() -> Vec<Self> {
        let json = Serializer::Json;
        let first = [By::Pipe, By::WebSocket].map(|by| Self { version: 1, by, serializer: json });
        let second = [By::Pipe, By::WebSocket, By::RawSocket].into_iter().flat_map(|by| {
            Serializer::ALL.into_iter().map(move |serializer| Self { version: 2, by, serializer })
        });
        first.into_iter().chain(second).collect()
    }

    pub fn connect(self, test: &Test) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Self { version, by, serializer } = self;
        let speaks = match (version, by) {
            (1, By::Pipe) => {
                Speaks::V1Inside(runtime.block_on(test.handle().client()).unwrap(), HashMap::new())
            }
            (1, _) => Speaks::V1(test.client().into()),
            (_, By::Pipe) => {
                let joining = test.handle().session("realm1").serializer(serializer);
                Speaks::V2Inside(runtime.block_on(joining.into_future()).unwrap(), HashMap::new())
            }
            (_, By::WebSocket) => {
                Speaks::V2(test.client2(Codec { serializer, batched: false }).into(), HashMap::new())
            }
            (_, By::RawSocket) => Speaks::V2(test.client_raw(serializer).into(), HashMap::new()),
        };
        Client { cell: self, runtime, speaks }
    }
}

impl Sent {
    /// The one value that WAMP v1 has for it; two that are the same to it count as the same.
    pub fn value(&self) -> Value {
        match (self.arguments.as_array().unwrap().as_slice(), &self.keywords) {
            ([], None) => Value::Null,
            ([only], None) => only.clone(),
            (_, keywords) => {
                json!({"args": self.arguments, "kwargs": keywords.clone().unwrap_or_else(|| json!({}))})
            }
        }
    }

    /// Of a message of WAMP v2, from this element on.
    fn of(message: &Value, at: usize) -> Self {
        let arguments = message.get(at).cloned().unwrap_or_else(|| json!([]));
        Self { arguments, keywords: message.get(at + 1).cloned() }
    }
}

/// What procedures of these tests answer: the value of what they are called with, or an error where
/// the first argument says so.
fn answer(called: &Sent) -> Result<Value, Value> {
    match called.arguments.get(0) {
        Some(first) if first == "fail" => Err(json!(["why", {"code": 7}])),
        _ => Ok(called.value()),
    }
}

impl Client {
    /// The number of its session, which in WAMP v1 is written as 14 hexadecimal digits.
    pub fn session(&self) -> u64 {
        match &self.speaks {
            Speaks::V1(peer) => u64::from_str_radix(&peer.session, 16).unwrap(),
            Speaks::V1Inside(client, _) => u64::from_str_radix(client.session_id(), 16).unwrap(),
            Speaks::V2(peer, _) => peer.session,
            Speaks::V2Inside(session, _) => session.id(),
        }
    }

    /// Subscribes; it is a subscriber when this returns.
    pub fn subscribe(&mut self, topic: &str) {
        match &mut self.speaks {
            Speaks::V1(peer) => peer.subscribe(topic),
            Speaks::V1Inside(client, topics) => {
                let subscription = self.runtime.block_on(client.subscribe(topic)).unwrap();
                topics.insert(topic.to_owned(), subscription);
            }
            Speaks::V2(peer, topics) => _ = topics.insert(topic.to_owned(), peer.subscribe(topic)),
            Speaks::V2Inside(session, topics) => {
                let subscription = self.runtime.block_on(session.subscribe(topic)).unwrap();
                topics.insert(topic.to_owned(), subscription);
            }
        }
        self.round_trip();
    }

    pub fn unsubscribe(&mut self, topic: &str) {
        match &mut self.speaks {
            Speaks::V1(peer) => peer.send(json!([6, topic]).to_string()),
            Speaks::V1Inside(client, _) => self.runtime.block_on(client.unsubscribe(topic)).unwrap(),
            Speaks::V2(peer, topics) => {
                let request = peer.request();
                peer.send(&json!([34, request, topics.remove(topic)]));
                assert_eq!(peer.next(), json!([35, request]));
            }
            Speaks::V2Inside(session, topics) => {
                let subscription = topics.remove(topic).unwrap();
                self.runtime.block_on(session.unsubscribe(subscription)).unwrap();
            }
        }
        self.round_trip();
    }

    /// Publishes to all but these sessions.
    pub fn publish(&mut self, topic: &str, sent: &Sent, excluded: &[u64]) {
        let names: Vec<String> = excluded.iter().map(|session| format!("{session:014x}")).collect();
        match &mut self.speaks {
            Speaks::V1(peer) => peer.send(json!([7, topic, sent.value(), names]).to_string()),
            Speaks::V1Inside(client, _) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.runtime.block_on(client.publish_to(topic, &sent.value(), &names, None)).unwrap();
            }
            Speaks::V2(peer, _) => {
                let request = peer.request();
                let options = json!({"exclude_me": false, "exclude": excluded});
                let mut publish = json!([16, request, options, topic, sent.arguments]);
                publish.as_array_mut().unwrap().extend(sent.keywords.clone());
                peer.send(&publish);
            }
            Speaks::V2Inside(session, _) => {
                let mut publish = session.publish(topic, &sent.arguments).exclude_me(false);
                if let Some(keywords) = &sent.keywords {
                    publish = publish.keywords(keywords);
                }
                self.runtime.block_on(publish.exclude(excluded.iter().copied()).into_future()).unwrap();
            }
        }
    }

    /// The value of the next event, which is one of this topic.
    pub fn hears(&mut self, topic: &str) -> Value {
        match &mut self.speaks {
            Speaks::V1(peer) => {
                let mut event = peer.json();
                assert_eq!((&event[0], &event[1]), (&json!(8), &json!(topic)), "{event}");
                event[2].take()
            }
            Speaks::V1Inside(_, topics) => {
                let received = self.runtime.block_on(topics.get_mut(topic).unwrap().next()).unwrap();
                received.event.parse().unwrap()
            }
            Speaks::V2(peer, topics) => {
                let event = peer.next();
                assert_eq!((&event[0], &event[1]), (&json!(36), &json!(topics[topic])), "{event}");
                Sent::of(&event, 4).value()
            }
            Speaks::V2Inside(_, topics) => {
                let event = self.runtime.block_on(topics.get_mut(topic).unwrap().next()).unwrap();
                let keywords: Value = event.keywords().unwrap();
                let keywords = Some(keywords).filter(|keywords| *keywords != json!({}));
                Sent { arguments: event.arguments().unwrap(), keywords }.value()
            }
        }
    }

    /// Offers a procedure.
    pub fn offer(&mut self, procedure: &str) {
        match &mut self.speaks {
            Speaks::V2(peer, _) => _ = peer.register(procedure),
            Speaks::V2Inside(session, _) => {
                let run = |invocation: Invocation| async move {
                    let keywords: Value = invocation.keywords().unwrap();
                    let keywords = Some(keywords).filter(|keywords| *keywords != json!({}));
                    let called = Sent { arguments: invocation.arguments().unwrap(), keywords };
                    answer(&called).map_err(|arguments| Fault::new("com.example.error").arguments(&arguments))
                };
                self.runtime.block_on(session.register_with(procedure, run).into_future()).unwrap();
            }
            Speaks::V1(_) | Speaks::V1Inside(..) => panic!("WAMP v1 has no callees"),
        }
    }

    /// Answers the next call, if it is not answered by itself.
    pub fn answer(&mut self) {
        let Speaks::V2(peer, _) = &mut self.speaks else { return };
        let invocation = peer.next();
        assert_eq!(invocation[0], 68, "{invocation}");
        match answer(&Sent::of(&invocation, 4)) {
            Ok(result) => peer.send(&json!([70, invocation[1], {}, [result]])),
            Err(arguments) => {
                peer.send(&json!([8, 68, invocation[1], {}, "com.example.error", arguments]));
            }
        }
    }

    /// Calls, and waits for the answer's value.
    pub fn call(&mut self, procedure: &str, sent: &Sent) -> Result<Value, Failure> {
        match &mut self.speaks {
            Speaks::V1(peer) => {
                let mut call = json!([2, "id", procedure]);
                call.as_array_mut().unwrap().extend(sent.arguments.as_array().unwrap().clone());
                peer.send(call.to_string());
                let mut answer = peer.json();
                match answer[0].as_u64() {
                    Some(3) => Ok(answer[2].take()),
                    _ => {
                        let text = |value: &Value| value.as_str().unwrap().to_owned();
                        Err((text(&answer[2]), text(&answer[3]), answer[4].take()))
                    }
                }
            }
            Speaks::V1Inside(client, _) => {
                // It has one argument, and no way to say several.
                let called = self.runtime.block_on(client.call::<_, Value>(procedure, &sent.value()));
                called.map_err(|error| match error {
                    CallError::Answered { uri, description, details } => (uri, description, details),
                    other => panic!("{other}"),
                })
            }
            Speaks::V2(peer, _) => {
                let request = peer.request();
                let mut call = json!([48, request, {}, procedure, sent.arguments]);
                call.as_array_mut().unwrap().extend(sent.keywords.clone());
                peer.send(&call);
                let answer = peer.next();
                if answer[0] == 50 {
                    assert_eq!(answer[1], request);
                    return Ok(Sent::of(&answer, 3).value());
                }
                assert_eq!((&answer[0], &answer[1], &answer[2]), (&json!(8), &json!(48), &json!(request)));
                Err(failure(&answer[4], &answer[5]))
            }
            Speaks::V2Inside(session, _) => {
                let mut call = session.call::<Value>(procedure, &sent.arguments);
                if let Some(keywords) = &sent.keywords {
                    call = call.keywords(keywords);
                }
                self.runtime.block_on(call.into_future()).map_err(|error| match &error {
                    SessionError::Fault(fault) => {
                        // An only argument is read as itself.
                        let details = fault.parse().unwrap_or_else(|_| (String::new(), Value::Null)).1;
                        (fault.uri().to_owned(), fault.description().unwrap(), details)
                    }
                    other => panic!("{other}"),
                })
            }
        }
    }

    /// Has the server answer, so that all that was sent to it before is taken.
    pub fn round_trip(&mut self) {
        match &mut self.speaks {
            // What it hears meanwhile is still to be heard.
            Speaks::V1Inside(..) | Speaks::V2Inside(..) => {
                let there = Sent { arguments: json!(["there"]), keywords: None };
                assert_eq!(self.call("test/echo", &there).unwrap(), json!(["there"]));
            }
            Speaks::V1(peer) => peer.round_trip(),
            Speaks::V2(peer, _) => peer.round_trip(),
        }
    }

    pub fn leave(self) {
        match self.speaks {
            Speaks::V1(peer) => peer.leave(),
            Speaks::V1Inside(client, _) => self.runtime.block_on(client.close()),
            Speaks::V2(peer, _) => peer.leave(),
            Speaks::V2Inside(session, _) => self.runtime.block_on(session.leave()),
        }
    }
}

fn failure(uri: &Value, arguments: &Value) -> Failure {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(uri), text(&arguments[0]), arguments[1].clone())
}
