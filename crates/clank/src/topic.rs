//! Topics: what application code does when clients subscribe and publish, and what it may do with
//! a topic itself.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use clank_core::subscription::Connections;
use clank_core::topic::Uri;
use clank_wire::json::Raw;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::connection::Connection;
use crate::hooks::{Absent, BoxFuture, is_present_2, is_present_3};
use crate::runtime::{Engine, Realm, Turn};

/// What becomes of a publication once its handler has seen it.
#[derive(Clone, Debug, Default)]
pub enum Forward {
    /// It goes to the topic's subscribers as it came.
    #[default]
    Unchanged,
    /// This goes out in its place, to the same subscribers.
    Changed(Event),
    /// Nothing goes out.
    Nothing,
}

impl Forward {
    /// Sends `event` in place of what was published.
    ///
    /// # Errors
    /// When `event` can't be JSON.
    pub fn changed<T: Serialize + ?Sized>(event: &T) -> Result<Self> {
        Ok(Self::Changed(Event::new(event)?))
    }
}

/// The value that is published on a topic. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Event(pub(crate) PayloadBuf);

impl Event {
    /// An event that carries `value`.
    ///
    /// # Errors
    /// When `value` can't be JSON, such as a map whose keys are no strings.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self(PayloadBuf::from_serialize(value)?))
    }

    /// Reads the event into a type of Rust.
    ///
    /// # Errors
    /// When the event does not fit the type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.0.as_payload().deserialize()?)
    }

    /// An event of which `json` is the text: it is checked, and sent as it stands.
    ///
    /// ```
    /// let event = clank::Event::from_json(r#"{"n": 1.0}"#)?;
    /// assert_eq!(event.json(), r#"{"n": 1.0}"#);
    /// # Ok::<(), clank::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `json` is no JSON, or nests deeper than clients can be sent.
    pub fn from_json(json: &str) -> Result<Self> {
        Ok(Self(Payload::from(Raw::parse(json)?).to_buf()))
    }

    /// The event as JSON, as it was published.
    pub fn json(&self) -> Cow<'_, str> {
        let payload = self.0.as_payload();
        let is_json = payload.serializer() == Serializer::Json;
        if let (true, 1, None, Ok(text)) =
            (is_json, payload.count(), payload.keywords(), std::str::from_utf8(payload.arguments()))
        {
            return text.into();
        }
        let mut value = Vec::with_capacity(payload.value_len());
        payload.write_value(&mut value);
        String::from_utf8_lossy(&value).into_owned().into()
    }
}

/// What a client published, as its handler sees it.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The event.
    pub event: Event,
    /// Whom it is for.
    pub audience: Audience,
}

/// Which of a topic's subscribers get an event: (subscribers ∩ eligible) − excluded.
#[derive(Clone, Debug, Default)]
pub struct Audience(pub(crate) clank_core::subscription::Audience);

impl Audience {
    /// All subscribers.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// Leaves these connections out.
    #[must_use]
    pub fn exclude<'a>(mut self, connections: impl IntoIterator<Item = &'a Connection>) -> Self {
        self.0.exclude = resource_ids(connections);
        self
    }

    /// Allows these connections and no others.
    #[must_use]
    pub fn eligible<'a>(mut self, connections: impl IntoIterator<Item = &'a Connection>) -> Self {
        self.0.eligible = Some(resource_ids(connections));
        self
    }

    /// As [`exclude`](Self::exclude), by their resource ids.
    #[must_use]
    pub fn exclude_ids(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.0.exclude = ids.into_iter().collect();
        self
    }

    /// As [`eligible`](Self::eligible), by their resource ids.
    #[must_use]
    pub fn eligible_ids(mut self, ids: impl IntoIterator<Item = u64>) -> Self {
        self.0.eligible = Some(ids.into_iter().collect());
        self
    }

    /// The resource ids of those who are left out, in rising order.
    pub fn excluded(&self) -> impl Iterator<Item = u64> {
        self.0.exclude.iter()
    }

    /// The resource ids of those who are allowed, in rising order; `None` if everyone is.
    pub fn allowed(&self) -> Option<impl Iterator<Item = u64>> {
        self.0.eligible.as_ref().map(Connections::iter)
    }
}

fn resource_ids<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Connections {
    connections.into_iter().map(Connection::resource_id).collect()
}

/// Application code for the topics whose URI begins with one path segment.
///
/// A handler registered as `acme` hears of `acme` and of `acme/anything`. Every method may be left
/// out; without `on_publish` what clients publish goes to the subscribers. The methods for one
/// connection run one at a time, in the order of its messages.
///
/// ```
/// use clank::{Connection, Forward, Publication, Result, Topic, TopicHandler};
///
/// struct AcmeTopic;
///
/// impl TopicHandler for AcmeTopic {
///     async fn on_subscribe(&self, connection: &Connection, topic: &Topic) -> Result {
///         topic.broadcast(&format!("{} has joined {topic}", connection.resource_id()))
///     }
///
///     async fn on_publish(&self, _: &Connection, _: &Topic, publication: &Publication) -> Result<Forward> {
///         let text: String = publication.event.parse()?;
///         Forward::changed(&text.to_uppercase())
///     }
/// }
/// ```
pub trait TopicHandler: Send + Sync + 'static {
    /// May `connection` subscribe? It is asked before the client becomes a member. An error
    /// refuses too; WAMP v1 has no message that would tell the client.
    fn may_subscribe(
        &self,
        connection: &Connection,
        topic: &Topic,
    ) -> impl Future<Output = Result<Permit>> + Send {
        _ = (connection, topic);
        Absent::<Permit>::new()
    }

    /// `connection` has become a member.
    fn on_subscribe(&self, connection: &Connection, topic: &Topic) -> impl Future<Output = Result> + Send {
        _ = (connection, topic);
        Absent::<()>::new()
    }

    /// `connection` is a member no longer: it unsubscribed, or it is gone.
    fn on_unsubscribe(&self, connection: &Connection, topic: &Topic) -> impl Future<Output = Result> + Send {
        _ = (connection, topic);
        Absent::<()>::new()
    }

    /// Whether `on_publish` sees what is published on `topic`; if not, it goes to the subscribers as
    /// if there were no such method. It is asked on the thread that serves the client's socket, for
    /// each publication, and must not block.
    fn sees_publications(&self, topic: &str) -> bool {
        _ = topic;
        true
    }

    /// `connection`, which need not be a member, publishes. An error means that nothing goes out.
    fn on_publish(
        &self,
        connection: &Connection,
        topic: &Topic,
        publication: &Publication,
    ) -> impl Future<Output = Result<Forward>> + Send {
        _ = (connection, topic, publication);
        Absent::<Forward>::new()
    }
}

/// Whether a client may subscribe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    #[default]
    Granted,
    /// It may not.
    Refused,
}

/// A closure stands for the handler's `on_publish`.
impl<F, Fut> TopicHandler for F
where
    F: Fn(Connection, Topic, Publication) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Forward>> + Send + 'static,
{
    fn on_publish(
        &self,
        connection: &Connection,
        topic: &Topic,
        publication: &Publication,
    ) -> impl Future<Output = Result<Forward>> + Send {
        self(connection.clone(), topic.clone(), publication.clone())
    }
}

/// A topic, whether it has subscribers at present or not. Cloning is cheap.
#[derive(Clone)]
pub struct Topic {
    uri: Uri<'static>,
    engine: Arc<Engine>,
    realm: Arc<Realm>,
}

impl Topic {
    pub(crate) fn new(uri: Uri<'static>, engine: Arc<Engine>, realm: Arc<Realm>) -> Self {
        Self { uri, engine, realm }
    }

    /// The name of the realm that it is in.
    pub fn realm(&self) -> &str {
        &self.realm.name
    }

    /// The topic's URI.
    pub fn uri(&self) -> &str {
        self.uri.as_str()
    }

    /// Sends `event` to all subscribers.
    ///
    /// # Errors
    /// When `event` can't be JSON.
    pub fn broadcast<T: Serialize + ?Sized>(&self, event: &T) -> Result {
        self.broadcast_to(event, &Audience::everyone())
    }

    /// Sends `event` to those subscribers that belong to `audience`.
    ///
    /// # Errors
    /// When `event` can't be JSON.
    pub fn broadcast_to<T: Serialize + ?Sized>(&self, event: &T, audience: &Audience) -> Result {
        self.publish(&Event::new(event)?, audience);
        Ok(())
    }

    /// Sends an event made before. Returns to how many subscribers it goes.
    pub fn publish(&self, event: &Event, audience: &Audience) -> usize {
        let mut turn = Turn::default();
        let receivers =
            self.engine.publish(&self.realm, &self.uri, event.0.as_payload(), &audience.0, &mut turn);
        self.engine.hand_over(turn);
        receivers
    }

    /// Sends `event` to `connection` alone, subscribed or not; to one that speaks WAMP v2 only if
    /// it has subscribed, for there an event belongs to a subscription.
    ///
    /// # Errors
    /// When `event` can't be JSON.
    pub fn send<T: Serialize + ?Sized>(&self, connection: &Connection, event: &T) -> Result {
        connection.send_event(&self.uri, &Event::new(event)?);
        Ok(())
    }

    /// Sends an event made before to `connection` alone, subscribed or not.
    pub fn send_event(&self, connection: &Connection, event: &Event) {
        connection.send_event(&self.uri, event);
    }

    /// The subscribers at this moment.
    pub fn members(&self) -> Vec<Connection> {
        self.realm.hub.members(self.uri()).into_iter().map(Connection).collect()
    }

    /// The resource ids of the subscribers at this moment, in rising order. Where there are many,
    /// it is quicker than [`members`](Self::members), and keeps who publishes waiting for less long.
    pub fn member_ids(&self) -> Vec<u64> {
        self.realm.hub.member_ids(self.uri())
    }

    /// How many subscribers there are at this moment.
    pub fn count(&self) -> usize {
        self.realm.hub.count(self.uri())
    }

    /// Whether `connection` is a subscriber.
    pub fn has(&self, connection: &Connection) -> bool {
        self.realm.hub.has(self.uri(), connection.resource_id())
    }

    /// Subscribes `connection`, as if it had asked for it; the handler is not called. `false` if
    /// it was subscribed before, is gone, or has as many subscriptions as one may have; or if it
    /// speaks WAMP v2, whose clients know only subscriptions that they asked for, or is in another
    /// realm.
    pub fn add(&self, connection: &Connection) -> bool {
        let mut turn = Turn::default();
        let added = Arc::ptr_eq(&self.realm, &connection.0.realm)
            && self.engine.subscribe(&self.uri, &connection.0, &mut turn).is_ok_and(|added| added);
        self.engine.hand_over(turn);
        added
    }

    /// Unsubscribes `connection`; the handler is not called. `false` if it was not subscribed.
    pub fn remove(&self, connection: &Connection) -> bool {
        let mut turn = Turn::default();
        let removed = self.realm.unsubscribe(self.uri(), &connection.0, &mut turn);
        self.engine.hand_over(turn);
        removed
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.uri())
    }
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Topic").field(&self.uri()).finish()
    }
}

/// Which methods of a handler were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicHooks {
    pub may_subscribe: bool,
    pub subscribe: bool,
    pub unsubscribe: bool,
    pub publish: bool,
}

/// A [`TopicHandler`] behind a pointer.
pub(crate) trait ErasedTopicHandler: Send + Sync {
    fn hooks(&self) -> TopicHooks;
    fn sees_publications(&self, topic: &str) -> bool;
    fn may_subscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result<Permit>>;
    fn subscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result>;
    fn unsubscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result>;
    fn publish(
        self: Arc<Self>,
        connection: Connection,
        topic: Topic,
        publication: Publication,
    ) -> BoxFuture<Result<Forward>>;
}

pub(crate) struct Erased<H>(pub H);

impl<H: TopicHandler> ErasedTopicHandler for Erased<H> {
    fn hooks(&self) -> TopicHooks {
        TopicHooks {
            may_subscribe: is_present_2::<H, Connection, Topic, Permit, _>(H::may_subscribe),
            subscribe: is_present_2::<H, Connection, Topic, (), _>(H::on_subscribe),
            unsubscribe: is_present_2::<H, Connection, Topic, (), _>(H::on_unsubscribe),
            publish: is_present_3::<H, Connection, Topic, Publication, Forward, _>(H::on_publish),
        }
    }

    fn sees_publications(&self, topic: &str) -> bool {
        self.0.sees_publications(topic)
    }

    fn may_subscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result<Permit>> {
        Box::pin(async move { self.0.may_subscribe(&connection, &topic).await })
    }

    fn subscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result> {
        Box::pin(async move { self.0.on_subscribe(&connection, &topic).await })
    }

    fn unsubscribe(self: Arc<Self>, connection: Connection, topic: Topic) -> BoxFuture<Result> {
        Box::pin(async move { self.0.on_unsubscribe(&connection, &topic).await })
    }

    fn publish(
        self: Arc<Self>,
        connection: Connection,
        topic: Topic,
        publication: Publication,
    ) -> BoxFuture<Result<Forward>> {
        Box::pin(async move { self.0.on_publish(&connection, &topic, &publication).await })
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use clank_core::limits::Limits;

    use super::*;
    use crate::runtime::fixtures;

    fn connections(engine: &Arc<Engine>, count: u64) -> Vec<Connection> {
        (1..=count).map(|id| Connection(fixtures::peer(engine, id, None))).collect()
    }

    fn topic(engine: &Arc<Engine>) -> Topic {
        Topic::new(
            Uri::parse("acme/a".to_owned(), 100).unwrap(),
            Arc::clone(engine),
            Arc::clone(engine.realms.home()),
        )
    }

    /// Who has been sent something since the last look.
    fn receivers(connections: &[Connection], before: &[u64]) -> Vec<u64> {
        let sent = connections.iter().zip(before).filter(|(to, before)| to.0.sent().messages > **before);
        sent.map(|(to, _)| to.resource_id()).collect()
    }

    #[tokio::test]
    async fn an_audience_is_subscribers_and_eligible_without_excluded() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let (all, topic) = (connections(&engine, 4), topic(&engine));
        // The fourth is no subscriber.
        all[..3].iter().for_each(|connection| assert!(topic.add(connection)));
        let cases: [(Audience, &[u64]); 6] = [
            (Audience::everyone(), &[1, 2, 3]),
            (Audience::everyone().exclude(&all[..1]), &[2, 3]),
            (Audience::everyone().eligible(&all[1..]), &[2, 3]),
            (Audience::everyone().eligible(&all[..2]).exclude(&all[..1]), &[2]),
            (Audience::everyone().eligible([]), &[]),
            (Audience::everyone().exclude(&all), &[]),
        ];
        for (audience, expected) in cases {
            let before: Vec<u64> = all.iter().map(|connection| connection.0.sent().messages).collect();
            let count = topic.publish(&Event::new("hello").unwrap(), &audience);
            assert_eq!(receivers(&all, &before), expected, "{audience:?}");
            assert_eq!(count, expected.len());
        }
        topic.send(&all[3], "hello").unwrap();
        assert_eq!(all[3].0.sent().messages, 1, "subscribed or not");
    }

    #[tokio::test]
    async fn the_application_adds_and_removes_members() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let (all, topic) = (connections(&engine, 2), topic(&engine));
        assert!(topic.add(&all[0]));
        assert!(!topic.add(&all[0]), "it was there before");
        assert!(topic.add(&all[1]));
        assert_eq!((topic.count(), topic.members().len()), (2, 2));
        assert_eq!(topic.member_ids(), [1, 2]);
        assert!(topic.remove(&all[0]) && !topic.remove(&all[0]));
        assert!(!topic.has(&all[0]) && topic.has(&all[1]));
        assert_eq!(topic.members(), [all[1].clone()]);
        engine.realms.home().hub.leave(&all[1].0);
        assert!(!topic.add(&all[1]), "it is gone");
        assert_eq!(engine.realms.home().hub.topics(), 0);
    }

    #[test]
    fn an_event_has_to_be_json() {
        assert!(Event::new(&std::collections::HashMap::from([(vec![1], 1)])).is_err());
        let event = Event::new(&[1, 2]).unwrap();
        assert_eq!((event.parse::<Vec<u8>>().unwrap(), &*event.json()), (vec![1, 2], "[1,2]"));
        assert!(event.parse::<String>().is_err());
        let as_it_stands = Event::from_json(r#" {"a":1.00,"a":"\u00e9"} "#).unwrap();
        assert_eq!(as_it_stands.json(), r#"{"a":1.00,"a":"\u00e9"}"#);
        for broken in ["", "{", "1 2", "{'a':1}"] {
            assert!(Event::from_json(broken).is_err(), "{broken}");
        }
        assert_eq!(Event(PayloadBuf::default()).json(), "null");
    }

    #[test]
    fn an_audience_says_whom_it_leaves_out_and_allows() {
        let audience = Audience::everyone();
        assert!(audience.excluded().next().is_none() && audience.allowed().is_none());
        let audience = audience.exclude_ids([3, 1, 3]).eligible_ids([]);
        assert!(audience.excluded().eq([1, 3]) && audience.allowed().unwrap().next().is_none());
    }
}
