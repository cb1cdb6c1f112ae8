//! A client within the program: for tests, and for code that wants to hear what clients hear.

pub(crate) mod link;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clank_wire::json::{List, Raw};
use clank_wire::payload::PayloadBuf;
use clank_wire::wamp1::{
    Call, ClientMessage, Exclude, Publish, ServerMessage, SessionList, Subscribe, Unsubscribe,
};
use clank_wire::ws::OpCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, oneshot};

use self::link::{Link, Receive};

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::runtime::WAMP1;
use crate::topic::Event;

/// Events that wait for each subscription of the program; the oldest go first.
pub(crate) const EVENTS: usize = 1024;

/// A client within the program. It speaks WAMP v1 over a pipe in memory, and is in all else a
/// client as any other: listeners hear of it, limits hold for it. One of WAMP v2 is a
/// [`Session`](crate::session::Session).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// use clank::Clank;
///
/// let server = Clank::builder().start()?;
/// let client = server.handle().client().await?;
/// let mut events = client.subscribe("acme/news").await?;
/// client.publish("acme/news", "hello").await?;
/// assert_eq!(events.next().await?.event.parse::<String>()?, "hello");
/// server.shutdown().await;
/// # Ok(()) }
/// ```
pub struct Client {
    shared: Arc<Shared>,
    link: Link,
    session_id: String,
    next_call: AtomicU64,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    welcome: Option<oneshot::Sender<String>>,
    calls: HashMap<String, oneshot::Sender<Result<PayloadBuf, CallError>>>,
    topics: HashMap<String, broadcast::Sender<Received>>,
}

/// An event that the client got.
#[derive(Clone, Debug)]
pub struct Received {
    /// The topic's full URI.
    pub topic: String,
    /// What was published.
    pub event: Event,
}

/// The events of one topic, as they come. Those that wait while nobody asks are 1,024 at most; of
/// more, the oldest are lost, and [`next`](Self::next) says how many.
#[derive(Debug)]
pub struct ClientSubscription {
    events: broadcast::Receiver<Received>,
}

/// Why a client's call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The procedure answered with an error.
    #[error("{description}")]
    Answered {
        /// What error it is: with this server, the URI that was called.
        uri: String,
        /// The error in words.
        description: String,
        /// More about it.
        details: serde_json::Value,
    },
    /// The connection ended before the answer came.
    #[error(transparent)]
    Disconnected(#[from] ClientDisconnected),
    /// Parameters or result are not what the types say.
    #[error("{0}")]
    Json(String),
}

/// The connection has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection has ended: {code} {reason}")]
pub struct ClientDisconnected {
    /// The code of the server's close frame; 1006 if there was none.
    pub code: u16,
    /// Its reason.
    pub reason: String,
}

impl Handle {
    /// Connects a client within the program. Listeners decide on it and hear of it as of any
    /// other; it has no address.
    ///
    /// # Errors
    /// When it is refused, or the server ends.
    pub async fn client(&self) -> Result<Client> {
        let (welcome, welcomed) = oneshot::channel();
        let shared = Arc::new(Shared::default());
        shared.lock().welcome = Some(welcome);
        let link = Link::open(self, WAMP1, Arc::clone(&shared)).await?;
        let session_id = welcomed.await.map_err(|_| link.writer().disconnected())?;
        Ok(Client { shared, link, session_id, next_call: AtomicU64::new(0) })
    }
}

impl Client {
    /// The id of the session, by which others can exclude it or name it as eligible.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Subscribes to a topic. What was published before is not heard.
    ///
    /// WAMP v1 does not confirm a subscription; messages of one client are handled in order, so
    /// whatever it publishes or calls afterwards comes after the subscription.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn subscribe(&self, topic: &str) -> Result<ClientSubscription, ClientDisconnected> {
        let events = {
            let mut state = self.shared.lock();
            let sender = state.topics.entry(topic.into()).or_insert_with(|| broadcast::Sender::new(EVENTS));
            sender.subscribe()
        };
        self.send(&ClientMessage::Subscribe(Subscribe { topic: topic.into() })).await?;
        Ok(ClientSubscription { events })
    }

    /// Ends the subscription to a topic.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn unsubscribe(&self, topic: &str) -> Result<(), ClientDisconnected> {
        self.shared.lock().topics.remove(topic);
        self.send(&ClientMessage::Unsubscribe(Unsubscribe { topic: topic.into() })).await
    }

    /// Publishes to all subscribers of a topic, this client among them if it is one.
    ///
    /// # Errors
    /// When the connection has ended, or `event` can't be JSON.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, event: &T) -> Result {
        self.publish_as(topic, event, Exclude::Me(false), None).await
    }

    /// Publishes to the subscribers of a topic except the sessions in `exclude`, and, if
    /// `eligible` names any, to no others than those.
    ///
    /// # Errors
    /// When the connection has ended, or `event` can't be JSON.
    pub async fn publish_to<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        event: &T,
        exclude: &[&str],
        eligible: Option<&[&str]>,
    ) -> Result {
        let list = |ids: &[&str]| ids.iter().copied().collect::<SessionList<'_>>();
        self.publish_as(topic, event, Exclude::Sessions(list(exclude)), eligible.map(list)).await
    }

    async fn publish_as<T: Serialize + ?Sized>(
        &self,
        topic: &str,
        event: &T,
        exclude: Exclude<'_>,
        eligible: Option<SessionList<'_>>,
    ) -> Result {
        let event = PayloadBuf::from_serialize(event)?;
        let publish = Publish { topic: topic.into(), event: event.as_payload(), exclude, eligible };
        Ok(self.send(&ClientMessage::Publish(publish)).await?)
    }

    /// Calls a procedure with one argument: an array or object is what the procedure gets as its
    /// parameters, anything else is the only one of them.
    ///
    /// # Errors
    /// What the procedure answers, the end of the connection, or values that don't fit.
    pub async fn call<P, R>(&self, procedure: &str, params: &P) -> Result<R, CallError>
    where
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let params = serde_json::to_string(params).map_err(|error| CallError::Json(error.to_string()))?;
        let argument = Raw::parse(&params).map_err(|error| CallError::Json(error.to_string()))?;
        let id = self.next_call.fetch_add(1, Ordering::Relaxed).to_string();
        let (answer, answered) = oneshot::channel();
        self.shared.lock().calls.insert(id.clone(), answer);
        let call =
            Call { id: id.as_str().into(), procedure: procedure.into(), arguments: List::from(argument) };
        let pending = Pending { shared: &self.shared, id: &id };
        self.send(&ClientMessage::Call(call)).await?;
        let result = answered.await.map_err(|_| self.link.writer().disconnected())??;
        drop(pending);
        result.as_payload().deserialize().map_err(|error| CallError::Json(error.to_string()))
    }

    /// Closes the connection with code 1000, and waits for its end.
    pub async fn close(self) {
        self.link.writer().close().await;
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> ClientDisconnected {
        self.link.writer().closed().await
    }

    async fn send(&self, message: &ClientMessage<'_>) -> Result<(), ClientDisconnected> {
        self.link.writer().send(OpCode::Text, |out| message.encode(out)).await
    }
}

impl ClientSubscription {
    /// The next event.
    ///
    /// # Errors
    /// When the subscription or connection has ended, or events were lost because this was called
    /// too seldom; then the next call goes on with the oldest that was kept.
    pub async fn next(&mut self) -> Result<Received> {
        match self.events.recv().await {
            Ok(received) => Ok(received),
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                Err(Error::new(format!("{lost} events were lost")))
            }
            Err(broadcast::error::RecvError::Closed) => Err(Error::new("the subscription has ended")),
        }
    }
}

/// A call that is forgotten when its future is dropped.
struct Pending<'a> {
    shared: &'a Shared,
    id: &'a str,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.shared.lock().calls.remove(self.id);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receive for Shared {
    fn on_end(&self) {
        *self.lock() = State::default();
    }

    fn on_message(&self, message: &[u8]) {
        // What a client can't read is for the server's tests to find, not for it to die of.
        let Some(message) = str::from_utf8(message).ok().and_then(|text| ServerMessage::decode(text).ok())
        else {
            return;
        };
        let mut state = self.lock();
        match message {
            ServerMessage::Welcome(welcome) => {
                if let Some(waiting) = state.welcome.take() {
                    _ = waiting.send(welcome.session_id.into_owned());
                }
            }
            ServerMessage::CallResult(result) => {
                if let Some(waiting) = state.calls.remove(result.id.as_ref()) {
                    _ = waiting.send(Ok(result.result.to_buf()));
                }
            }
            ServerMessage::CallError(error) => {
                if let Some(waiting) = state.calls.remove(error.id.as_ref()) {
                    let details = error.details.and_then(|details| details.to_value().ok());
                    _ = waiting.send(Err(CallError::Answered {
                        uri: error.uri.into_owned(),
                        description: error.description.into_owned(),
                        details: details.unwrap_or_default(),
                    }));
                }
            }
            ServerMessage::Event(event) => {
                if let Some(subscription) = state.topics.get(event.topic.as_ref()) {
                    let received =
                        Received { topic: event.topic.to_string(), event: Event(event.payload.to_buf()) };
                    // Nobody listens at present: then nobody misses it.
                    _ = subscription.send(received);
                }
            }
            ServerMessage::Prefix(_) => {}
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}
