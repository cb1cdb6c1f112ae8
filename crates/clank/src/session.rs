//! A client of WAMP v2 within the program.
//!
//! It joins a realm over a pipe in memory, in a serializer of its choice, and is in all else a client
//! as any other: listeners hear of it, realms and limits hold for it.
//!
//! ```
//! use clank::Clank;
//! use clank::session::Fault;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
//! let server = Clank::builder().start()?;
//! let clank = server.handle();
//! let (alice, bob) = (clank.session("realm1").await?, clank.session("realm1").await?);
//!
//! let mut news = alice.subscribe("com.example.news").await?;
//! bob.publish("com.example.news", &("it rains", 3)).await?;
//! assert_eq!(news.next().await?.parse::<(String, u32)>()?, ("it rains".to_owned(), 3));
//!
//! let divide = |(a, b): (i64, i64)| async move {
//!     a.checked_div(b).ok_or_else(|| Fault::new("com.example.error.by_zero").message("not by 0"))
//! };
//! alice.register("com.example.divide", divide).await?;
//! assert_eq!(bob.call::<i64>("com.example.divide", &(10, 5)).await?, 2);
//! let refused = bob.call::<i64>("com.example.divide", &(10, 0)).await.unwrap_err();
//! assert_eq!(refused.fault().map(Fault::uri), Some("com.example.error.by_zero"));
//! # server.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! **Arguments** are any values that serde can write: a tuple, array or list is the list of arguments,
//! `()` is none, and anything else is the only one. What is read is read alike: an only argument fits
//! its own type, several fit a tuple or list; where there are keyword arguments, all of it is
//! `{"args": [...], "kwargs": {...}}`.

mod arguments;
mod call;
mod callee;
mod error;
mod publish;
mod state;

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use clank_wire::wamp2::{
    ClientMessage, Codec, Goodbye, Hello, HelloDetails, Id, Match, Roles, Subscribe, SubscribeOptions,
    Unregister, Unsubscribe, reason,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, oneshot};

pub use call::{Call, Calling};
pub use callee::{Invocation, Register, Registration};
pub use clank_wire::serializer::Serializer;
pub use clank_wire::wamp2::{CancelMode, Invoke, Match as Matching};
pub use error::{Fault, SessionError};
pub use publish::{Event, Publish};

use self::arguments::Arguments;
use self::callee::Procedure;
use self::state::{Joined, Pending, State};
use crate::client::ClientDisconnected;
use crate::client::link::{Link, Receive};
use crate::handle::Handle;

/// A future that the builders of this module are awaited as.
type Sending<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// What a client can do: all that the server announces.
const ROLES: [(&str, &[&str]); 4] = [
    ("publisher", &["publisher_exclusion", "publisher_identification", "subscriber_blackwhite_listing"]),
    ("subscriber", &["pattern_based_subscription", "publisher_identification"]),
    ("caller", &["call_canceling", "call_timeout", "caller_identification", "progressive_call_results"]),
    (
        "callee",
        &[
            "call_canceling",
            "caller_identification",
            "pattern_based_registration",
            "progressive_call_results",
            "shared_registration",
        ],
    ),
];

/// A session of WAMP v2 within the program. See the [module](self). When it is dropped, the connection
/// is lost; [`leave`](Self::leave) ends it in order.
pub struct Session {
    state: Arc<State>,
    joined: Joined,
    link: Link,
}

/// A session that is about to begin: it is awaited.
#[must_use = "nothing is joined before it is awaited"]
#[derive(Debug)]
pub struct Join {
    handle: Handle,
    realm: String,
    codec: Codec,
}

/// The events of one subscription, as they come. Those that wait while nobody asks are 1,024 at most;
/// of more, the oldest are lost, and [`next`](Self::next) says how many.
#[derive(Debug)]
pub struct Subscription {
    id: Id,
    events: broadcast::Receiver<Event>,
}

impl Handle {
    /// Joins a realm with a client of WAMP v2 within the program. Listeners decide on it and hear of
    /// it as of any other; it has no address.
    ///
    /// ```
    /// # use clank::{Clank, session::Serializer};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
    /// # let server = Clank::builder().start()?;
    /// let session = server.handle().session("realm1").serializer(Serializer::Cbor).await?;
    /// assert_eq!((session.realm(), session.authrole()), ("realm1", "anonymous"));
    /// session.leave().await;
    /// # server.shutdown().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When it is refused, or the server ends. One that would have to prove who it is, beyond what a
    /// connecting listener says of it, is refused.
    pub fn session(&self, realm: impl Into<String>) -> Join {
        let codec = Codec { serializer: Serializer::Json, batched: false };
        Join { handle: self.clone(), realm: realm.into(), codec }
    }
}

impl Join {
    /// How messages are written; as JSON by default.
    pub fn serializer(mut self, serializer: Serializer) -> Self {
        self.codec.serializer = serializer;
        self
    }

    async fn join(self) -> Result<Session, SessionError> {
        let (answer, answered) = oneshot::channel();
        let state = State::new(self.codec, &self.handle.engine, answer);
        let opened = Link::open(&self.handle, self.codec.subprotocol(), Arc::clone(&state)).await;
        let link = opened.map_err(|error| SessionError::Refused(error.to_string()))?;
        state.begin(link.writer());
        let details = HelloDetails { roles: Roles::new(&ROLES), ..HelloDetails::default() };
        let realm = self.realm.as_str().into();
        state.send(&ClientMessage::Hello(Hello { realm, details })).await?;
        let joined = answered.await.map_err(|_| state.over())??;
        Ok(Session { state, joined, link })
    }
}

impl IntoFuture for Join {
    type Output = Result<Session, SessionError>;
    type IntoFuture = Sending<'static, Session>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.join())
    }
}

impl Session {
    /// The number of the session, by which others can exclude it or name it as eligible.
    pub fn id(&self) -> u64 {
        self.joined.session.get()
    }

    /// The realm that it has joined.
    pub fn realm(&self) -> &str {
        &self.joined.realm
    }

    /// Whom it is known as.
    pub fn authid(&self) -> &str {
        &self.joined.authid
    }

    /// As what it may act.
    pub fn authrole(&self) -> &str {
        &self.joined.authrole
    }

    /// Subscribes to a topic. What is published from now on is heard.
    ///
    /// # Errors
    /// What the server answers, or the end of the connection.
    pub async fn subscribe(&self, topic: &str) -> Result<Subscription, SessionError> {
        self.subscribe_with(topic, Match::Exact).await
    }

    /// Subscribes to all topics that fit a pattern, by prefix or by wildcards. Their events
    /// [say](Event::topic) which topic it is.
    ///
    /// # Errors
    /// What the server answers, or the end of the connection.
    pub async fn subscribe_with(&self, topic: &str, matching: Match) -> Result<Subscription, SessionError> {
        let options = SubscribeOptions { matching, ..SubscribeOptions::default() };
        let (id, events) = self
            .state
            .ask(Pending::Subscribe, |request| {
                ClientMessage::Subscribe(Subscribe { request, options, topic: topic.into() })
            })
            .await?;
        Ok(Subscription { id, events })
    }

    /// Ends a subscription, and all others that this session has to the same topic.
    ///
    /// # Errors
    /// What the server answers, or the end of the connection.
    pub async fn unsubscribe(&self, subscription: Subscription) -> Result<(), SessionError> {
        let subscription = subscription.id;
        let message = |request| ClientMessage::Unsubscribe(Unsubscribe { request, subscription });
        self.state.ask(Pending::Id, message).await?;
        self.state.unsubscribe(subscription);
        Ok(())
    }

    /// Publishes to the subscribers of a topic, once it is awaited; this session is none of them unless
    /// it says so.
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, arguments: &T) -> Publish<'_> {
        Publish::new(&self.state, topic, Arguments::of(arguments))
    }

    /// Calls a procedure, once it is awaited.
    pub fn call<R: DeserializeOwned>(
        &self,
        procedure: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Call<'_, R> {
        Call::new(&self.state, procedure, Arguments::of(arguments))
    }

    /// Offers a procedure, once it is awaited. What it is called with is read as `P`; a call whose
    /// arguments do not fit is answered `wamp.error.invalid_argument`. Calls run beside each other on
    /// the application's threads; one that is cancelled is dropped.
    pub fn register<P, R, F, Fut>(&self, procedure: &str, run: F) -> Register<'_>
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        Register::new(&self.state, procedure, Procedure::typed(run))
    }

    /// The same with all that is known of a call: who calls, what was called, and a way to answer bit by
    /// bit.
    pub fn register_with<R, F, Fut>(&self, procedure: &str, run: F) -> Register<'_>
    where
        R: Serialize,
        F: Fn(Invocation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        Register::new(&self.state, procedure, Procedure::new(run))
    }

    /// Offers a procedure no longer.
    ///
    /// # Errors
    /// What the server answers, or the end of the connection.
    pub async fn unregister(&self, registration: Registration) -> Result<(), SessionError> {
        let registration = registration.id;
        let message = |request| ClientMessage::Unregister(Unregister { request, registration });
        self.state.ask(Pending::Id, message).await?;
        self.state.unregister(registration);
        Ok(())
    }

    /// Says goodbye, closes the connection, and waits for its end.
    pub async fn leave(self) {
        let goodbye = Goodbye { reason: reason::CLOSE_REALM.into(), message: None };
        // It fails if the connection has ended already.
        _ = self.state.send(&ClientMessage::Goodbye(goodbye)).await;
        self.link.writer().close().await;
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> ClientDisconnected {
        self.link.writer().closed().await
    }
}

impl Drop for Session {
    /// What is being answered is given up.
    fn drop(&mut self) {
        self.state.on_end();
    }
}

impl Subscription {
    /// The next event.
    ///
    /// # Errors
    /// When the subscription or connection has ended, or events were lost because this was called too
    /// seldom; then the next call goes on with the oldest that was kept.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        match self.events.recv().await {
            Ok(event) => Ok(event),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(SessionError::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => Err(SessionError::Over),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("joined", &self.joined).finish_non_exhaustive()
    }
}
