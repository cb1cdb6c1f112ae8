//! Publications, and the events that they become.

use std::future::IntoFuture;
use std::sync::Arc;

use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::{self, ClientMessage, Id, IdList, PublishOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Arguments, parse, parse_keywords, parse_list};
use super::state::{Pending, State};
use super::{Sending, SessionError};

/// A publication that is about to be sent: it is awaited.
///
/// ```
/// # use clank::Clank;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// # let server = Clank::builder().start()?;
/// # let session = server.handle().session("realm1").await?;
/// let mut prices = session.subscribe("com.example.price").await?;
/// let publication = session
///     .publish("com.example.price", &(17,))
///     .keywords(&serde_json::json!({"currency": "EUR"}))
///     .exclude_me(false)
///     .acknowledged()
///     .await?;
/// let event = prices.next().await?;
/// assert_eq!((event.publication(), event.publisher()), (publication, None));
/// # server.shutdown().await;
/// # Ok(()) }
/// ```
#[must_use = "nothing is published before it is awaited"]
pub struct Publish<'s> {
    state: &'s State,
    topic: String,
    arguments: Arguments,
    options: PublishOptions<'static>,
}

/// An event that the session got. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Event {
    topic: Option<Arc<str>>,
    publication: u64,
    publisher: Option<u64>,
    payload: PayloadBuf,
}

impl<'s> Publish<'s> {
    pub(super) fn new(state: &'s State, topic: &str, arguments: Arguments) -> Self {
        Self { state, topic: topic.into(), arguments, options: PublishOptions::default() }
    }

    /// Adds keyword arguments: a map or a struct.
    pub fn keywords<T: Serialize + ?Sized>(mut self, keywords: &T) -> Self {
        self.arguments.keywords(keywords);
        self
    }

    /// Whether the session itself does not get the event, if it is a subscriber; it does not by default.
    pub fn exclude_me(mut self, exclude: bool) -> Self {
        self.options.exclude_me = exclude;
        self
    }

    /// The sessions that shall not have it.
    pub fn exclude(mut self, sessions: impl IntoIterator<Item = u64>) -> Self {
        self.options.exclude = Some(ids(sessions));
        self
    }

    /// The only sessions that may have it.
    pub fn eligible(mut self, sessions: impl IntoIterator<Item = u64>) -> Self {
        self.options.eligible = Some(ids(sessions));
        self
    }

    /// Tells subscribers who published it.
    pub fn disclose_me(mut self) -> Self {
        self.options.disclose_me = true;
        self
    }

    /// Publishes, and waits until the server has queued the event for its subscribers. Returns the
    /// number of the publication.
    ///
    /// # Errors
    /// What the server answers, the end of the connection, or arguments that can't be JSON.
    pub async fn acknowledged(mut self) -> Result<u64, SessionError> {
        self.options.acknowledge = true;
        let payload = self.arguments.payload().map_err(SessionError::Json)?;
        let (topic, options) = (self.topic.as_str().into(), self.options);
        let message = |request| ClientMessage::Publish(wamp2::Publish { request, options, topic, payload });
        Ok(self.state.ask(Pending::Id, message).await?.get())
    }

    async fn send(self) -> Result<(), SessionError> {
        let payload = self.arguments.payload().map_err(SessionError::Json)?;
        let (topic, options, request) = (self.topic.as_str().into(), self.options, self.state.next());
        let message = wamp2::Publish { request, options, topic, payload };
        self.state.send(&ClientMessage::Publish(message)).await
    }
}

impl<'s> IntoFuture for Publish<'s> {
    type Output = Result<(), SessionError>;
    type IntoFuture = Sending<'s, ()>;

    /// Publishes without waiting for an answer: whoever may not hears nothing of it.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl std::fmt::Debug for Publish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publish").field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn ids(sessions: impl IntoIterator<Item = u64>) -> IdList<'static> {
    sessions.into_iter().filter_map(Id::new).collect()
}

impl Event {
    pub(super) fn received(event: &wamp2::Event<'_>) -> Self {
        Self {
            topic: event.details.topic.as_deref().map(Into::into),
            publication: event.publication.get(),
            publisher: event.details.publisher.map(Id::get),
            payload: event.payload.to_buf(),
        }
    }

    /// The topic, where the subscription is to a pattern.
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The number of the publication, the same for all who get it.
    pub fn publication(&self) -> u64 {
        self.publication
    }

    /// The session that published it, where that is disclosed.
    pub fn publisher(&self) -> Option<u64> {
        self.publisher
    }

    /// What was published.
    ///
    /// # Errors
    /// When it is not what the type says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse(&self.payload)?)
    }

    /// Its arguments as a list, be there one or several.
    ///
    /// # Errors
    /// When they are not what the type says.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse_list(&self.payload)?)
    }

    /// Its keyword arguments.
    ///
    /// # Errors
    /// When they are not what the type says.
    pub fn keywords<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse_keywords(&self.payload)?)
    }
}
