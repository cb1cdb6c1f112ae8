//! PUBLISH, PUBLISHED and EVENT: what one client says on a topic and its subscribers hear.

use std::borrow::Cow;

use super::attributes::Attribute;
use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{Id, IdList, Malformed, MessageType, Passthru, TextList};
use crate::payload::Payload;
use crate::serializer::{Serializer, Span};

/// `[16, request, options, topic, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The id of the request.
    pub request: Id,
    /// Who shall have it, and how.
    pub options: PublishOptions<'a>,
    /// The topic's URI.
    pub topic: Cow<'a, str>,
    /// The event.
    pub payload: Payload<'a>,
}

/// Who shall have an event, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishOptions<'a> {
    /// Whether the publisher wants an answer.
    pub acknowledge: bool,
    /// Whether the publisher itself shall not have the event: true unless said otherwise.
    pub exclude_me: bool,
    /// The sessions that shall not have it.
    pub exclude: Option<IdList<'a>>,
    /// The authentication ids whose sessions shall not have it.
    pub exclude_authid: Option<TextList<'a>>,
    /// The authentication roles whose sessions shall not have it.
    pub exclude_authrole: Option<TextList<'a>>,
    /// The sessions that may have it; `None` if nothing was said.
    pub eligible: Option<IdList<'a>>,
    /// The authentication ids whose sessions may have it.
    pub eligible_authid: Option<TextList<'a>>,
    /// The authentication roles whose sessions may have it.
    pub eligible_authrole: Option<TextList<'a>>,
    /// Whether subscribers shall be told who published.
    pub disclose_me: bool,
    /// Whether the event is kept for those who subscribe later.
    pub retain: bool,
    /// The key by which a sharded subscription picks its node.
    pub rkey: Option<Cow<'a, str>>,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
}

/// `[17, request, publication]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The id of the request.
    pub request: Id,
    /// The id of the event.
    pub publication: Id,
}

/// `[36, subscription, publication, details, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The subscription by which the client gets it.
    pub subscription: Id,
    /// The id of the event, the same for all who get it.
    pub publication: Id,
    /// Where it comes from.
    pub details: EventDetails<'a>,
    /// The event.
    pub payload: Payload<'a>,
}

/// Where an event comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventDetails<'a> {
    /// The session that published it, where that is disclosed.
    pub publisher: Option<Id>,
    /// The publisher's authentication id.
    pub publisher_authid: Option<Cow<'a, str>>,
    /// The publisher's authentication role.
    pub publisher_authrole: Option<Cow<'a, str>>,
    /// How far the publisher is trusted.
    pub trustlevel: Option<u64>,
    /// The topic, where the subscription is to a pattern.
    pub topic: Option<Cow<'a, str>>,
    /// Whether it had been kept, and is not new.
    pub retained: bool,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
}

impl Default for PublishOptions<'_> {
    fn default() -> Self {
        PublishOptions {
            acknowledge: false,
            exclude_me: true,
            exclude: None,
            exclude_authid: None,
            exclude_authrole: None,
            eligible: None,
            eligible_authid: None,
            eligible_authrole: None,
            disclose_me: false,
            retain: false,
            rkey: None,
            passthru: Passthru::default(),
        }
    }
}

impl<'a> Publish<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let options = PublishOptions::decode(elements)?;
        let topic = elements.text(3, "a topic URI")?;
        Ok(Publish { request, options, topic, payload: elements.payload(4)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let options = &self.options;
        Encoder::begin(MessageType::Publish, serializer, out)
            .id(self.request)
            .attributes(|written| {
                written.flag("acknowledge", options.acknowledge);
                if !options.exclude_me {
                    written.bool("exclude_me", false);
                }
                written.ids("exclude", options.exclude.as_ref());
                written.texts("exclude_authid", options.exclude_authid.as_ref());
                written.texts("exclude_authrole", options.exclude_authrole.as_ref());
                written.ids("eligible", options.eligible.as_ref());
                written.texts("eligible_authid", options.eligible_authid.as_ref());
                written.texts("eligible_authrole", options.eligible_authrole.as_ref());
                written.flag("disclose_me", options.disclose_me);
                written.flag("retain", options.retain);
                written.text("rkey", options.rkey.as_deref());
                options.passthru.write(written);
            })
            .text(&self.topic)
            .payload(&self.payload)
            .end();
    }
}

impl<'a> PublishOptions<'a> {
    fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        Self::read(elements.attributes(2, "a dictionary of options")?)
    }

    /// The options in a dictionary that stands elsewhere, such as those of a testament
    /// (specification: "Session Testament"). Another value has none.
    ///
    /// # Errors
    /// When one of them is of the wrong kind.
    pub fn from_span(options: Span<'a>) -> Result<Self, Malformed> {
        let message = MessageType::Publish;
        let entries = options.entries().filter(|(_, value)| !value.is_null());
        Self::read(entries.map(|(name, value)| Attribute { message, name, value }))
    }

    /// How many entries the longest of the lists has.
    pub fn longest_list(&self) -> usize {
        let ids = [&self.exclude, &self.eligible].map(|list| list.as_ref().map_or(0, IdList::count));
        let texts =
            [&self.exclude_authid, &self.exclude_authrole, &self.eligible_authid, &self.eligible_authrole];
        let texts = texts.map(|list| list.as_ref().map_or(0, TextList::count));
        ids.into_iter().chain(texts).max().unwrap_or_default()
    }

    fn read(entries: impl Iterator<Item = Attribute<'a>>) -> Result<Self, Malformed> {
        let mut options = Self::default();
        for option in entries {
            match option.name() {
                "acknowledge" => options.acknowledge = option.bool()?,
                "exclude_me" => options.exclude_me = option.bool()?,
                "exclude" => options.exclude = Some(option.ids()?),
                "exclude_authid" => options.exclude_authid = Some(option.texts()?),
                "exclude_authrole" => options.exclude_authrole = Some(option.texts()?),
                "eligible" => options.eligible = Some(option.ids()?),
                "eligible_authid" => options.eligible_authid = Some(option.texts()?),
                "eligible_authrole" => options.eligible_authrole = Some(option.texts()?),
                "disclose_me" => options.disclose_me = option.bool()?,
                "retain" => options.retain = option.bool()?,
                "rkey" => options.rkey = Some(option.text()?),
                _ => options.passthru.read(&option)?,
            }
        }
        Ok(options)
    }
}

impl Published {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let publication = elements.id(2, "a publication id (1 to 2^53)")?;
        Ok(Published { request, publication })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Published, serializer, out);
        encoder.id(self.request).id(self.publication).end();
    }
}

impl<'a> Event<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let subscription = elements.id(1, "a subscription id (1 to 2^53)")?;
        let publication = elements.id(2, "a publication id (1 to 2^53)")?;
        let mut details = EventDetails::default();
        for detail in elements.attributes(3, "a dictionary of details")? {
            match detail.name() {
                "publisher" => details.publisher = Some(detail.id()?),
                "publisher_authid" => details.publisher_authid = Some(detail.text()?),
                "publisher_authrole" => details.publisher_authrole = Some(detail.text()?),
                "trustlevel" => details.trustlevel = Some(detail.unsigned()?),
                "topic" => details.topic = Some(detail.text()?),
                "retained" => details.retained = detail.bool()?,
                _ => details.passthru.read(&detail)?,
            }
        }
        Ok(Event { subscription, publication, details, payload: elements.payload(4)? })
    }

    /// Appends the message to `out`: the payload's bytes go into it as they came, where they are of
    /// that serializer.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let details = &self.details;
        Encoder::begin(MessageType::Event, serializer, out)
            .id(self.subscription)
            .id(self.publication)
            .attributes(|written| {
                written.unsigned("publisher", details.publisher.map(Id::get));
                written.text("publisher_authid", details.publisher_authid.as_deref());
                written.text("publisher_authrole", details.publisher_authrole.as_deref());
                written.unsigned("trustlevel", details.trustlevel);
                written.text("topic", details.topic.as_deref());
                written.flag("retained", details.retained);
                details.passthru.write(written);
            })
            .payload(&self.payload)
            .end();
    }
}
