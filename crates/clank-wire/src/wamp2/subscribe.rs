//! SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE and UNSUBSCRIBED.

use std::borrow::Cow;

use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{Id, Malformed, Match, MessageType};
use crate::serializer::Serializer;

const SUBSCRIPTION_ID: &str = "a subscription id (1 to 2^53)";

/// `[32, request, options, topic]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The id of the request.
    pub request: Id,
    /// How the topic is matched, and more.
    pub options: SubscribeOptions<'a>,
    /// The topic's URI, or a pattern.
    pub topic: Cow<'a, str>,
}

/// How a subscription's topic is matched, and more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscribeOptions<'a> {
    /// How the topic is matched. The attribute is `match`.
    pub matching: Match,
    /// Whether the event that the topic has retained is wanted.
    pub get_retained: bool,
    /// The key by which a sharded subscription is told apart.
    pub nkey: Option<Cow<'a, str>>,
}

/// `[33, request, subscription]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribed {
    /// The id of the request.
    pub request: Id,
    /// The id of the subscription.
    pub subscription: Id,
}

/// `[34, request, subscription]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The id of the request.
    pub request: Id,
    /// The id of the subscription.
    pub subscription: Id,
}

/// A subscription has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsubscribed<'a> {
    /// `[35, request]`: as the client asked.
    Reply {
        /// The id of the request.
        request: Id,
    },
    /// `[35, 0, details]`: as the router decided (specification: "Subscription Revocation").
    Revoked {
        /// The id of the subscription.
        subscription: Id,
        /// Why, for people.
        reason: Option<Cow<'a, str>>,
    },
}

impl<'a> Subscribe<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let mut options = SubscribeOptions::default();
        for option in elements.attributes(2, "a dictionary of options")? {
            match option.name() {
                "match" => options.matching = option.word(Match::from_name, Match::WORDS)?,
                "get_retained" => options.get_retained = option.bool()?,
                "nkey" => options.nkey = Some(option.text()?),
                _ => {}
            }
        }
        let topic = elements.text(3, "a topic URI")?;
        Ok(Subscribe { request, options, topic })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let options = &self.options;
        Encoder::begin(MessageType::Subscribe, serializer, out)
            .id(self.request)
            .attributes(|written| {
                let matching = (options.matching != Match::Exact).then(|| options.matching.name());
                written.text("match", matching);
                written.flag("get_retained", options.get_retained);
                written.text("nkey", options.nkey.as_deref());
            })
            .text(&self.topic)
            .end();
    }
}

impl Subscribed {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let subscription = elements.id(2, SUBSCRIPTION_ID)?;
        Ok(Subscribed { request, subscription })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Subscribed, serializer, out);
        encoder.id(self.request).id(self.subscription).end();
    }
}

impl Unsubscribe {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let subscription = elements.id(2, SUBSCRIPTION_ID)?;
        Ok(Unsubscribe { request, subscription })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Unsubscribe, serializer, out);
        encoder.id(self.request).id(self.subscription).end();
    }
}

impl<'a> Unsubscribed<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        if elements.at(1).and_then(|span| span.to_u64()) != Some(0) {
            return Ok(Unsubscribed::Reply { request: elements.id(1, REQUEST_ID)? });
        }
        let (subscription, reason) = elements.revocation("subscription", SUBSCRIPTION_ID)?;
        Ok(Unsubscribed::Revoked { subscription, reason })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Unsubscribed, serializer, out);
        match self {
            Unsubscribed::Reply { request } => encoder.id(*request).end(),
            Unsubscribed::Revoked { subscription, reason } => {
                encoder.revocation("subscription", *subscription, reason.as_deref()).end();
            }
        }
    }
}
