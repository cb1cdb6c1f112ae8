//! WAMP v2: the messages of its basic and advanced profile, read and written in JSON, MessagePack and
//! CBOR.
//!
//! Every message is a list that begins with its type. [`ClientMessage`] is what a router reads and
//! [`RouterMessage`] what a client reads; each family of messages has a file with the same verbs in
//! it: `decode` takes the elements of the list, `encode` appends the message to a buffer, so that a
//! frame can be built in place.
//!
//! What is decoded borrows the received bytes; payloads stay unparsed, and reading a message without
//! escapes in its texts allocates nothing. Options and details are read into types: an attribute of
//! the wrong kind is refused, one that nobody knows is ignored, and so is one that is null. Elements
//! behind the last that a message defines are checked and ignored.
//!
//! [`Codec`] is what a subprotocol stands for: a serializer, and whether messages come in batches.
//! [`Id`], [`Uri`] and [`Pattern`] are what their rules allow; [`reason`] has the URIs that WAMP
//! itself defines. The specification is "The Web Application Messaging Protocol" of wamp-proto.org;
//! quoted titles are those of its sections.
//!
//! ```
//! use clank_wire::serializer::Serializer;
//! use clank_wire::wamp2::{ClientMessage, Event, EventDetails, Id};
//!
//! let received = br#"[16, 1, {"acknowledge": true}, "com.example.chat", ["hi"]]"#;
//! let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(Serializer::Json, received) else {
//!     panic!("a PUBLISH");
//! };
//! assert!(publish.options.acknowledge);
//!
//! let (subscription, publication) = (Id::new(7).unwrap(), Id::new(9).unwrap());
//! let (details, payload) = (EventDetails::default(), publish.payload);
//! let event = Event { subscription, publication, details, payload };
//! let mut frame = Vec::new();
//! event.encode(Serializer::MessagePack, &mut frame);
//! assert_eq!(frame, b"\x95\x24\x07\x09\x80\x91\xa2hi");
//! ```

mod attributes;
mod call;
mod challenge;
mod codec;
mod elements;
mod encoder;
mod error;
mod goodbye;
mod hello;
mod id;
mod invocation;
mod malformed;
mod message_type;
mod passthru;
mod policy;
mod publish;
pub mod reason;
mod register;
mod roles;
mod subscribe;
mod uri;
mod values;

pub use crate::excerpt::Excerpt;
pub use call::{Call, CallOptions, CallResult, Cancel, ResultDetails};
pub use challenge::{Authenticate, Challenge};
pub use codec::{BatchError, Codec, Messages};
pub use error::Error;
pub use goodbye::{Abort, Goodbye};
pub use hello::{Hello, HelloDetails, Welcome, WelcomeDetails};
pub use id::Id;
pub use invocation::{Interrupt, Invocation, InvocationDetails, Yield};
pub use malformed::Malformed;
pub use message_type::MessageType;
pub use passthru::Passthru;
pub use policy::{CancelMode, Invoke, Match};
pub use publish::{Event, EventDetails, Publish, PublishOptions, Published};
pub use register::{Register, RegisterOptions, Registered, Unregister, Unregistered};
pub use roles::Roles;
pub use subscribe::{Subscribe, SubscribeOptions, Subscribed, Unsubscribe, Unsubscribed};
pub use uri::{InvalidUri, Pattern, Rules, Uri};
pub use values::{Dict, IdList, TextList};

use crate::serializer::Serializer;
use elements::Elements;

/// What a client sends and a router reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is handled where it was read; a box is an allocation")]
pub enum ClientMessage<'a> {
    /// `[1, realm, details]`
    Hello(Hello<'a>),
    /// `[3, details, reason, arguments?, keywords?]`
    Abort(Abort<'a>),
    /// `[5, signature, extra]`
    Authenticate(Authenticate<'a>),
    /// `[6, details, reason]`
    Goodbye(Goodbye<'a>),
    /// `[8, request_type, request, details, error, arguments?, keywords?]`
    Error(Error<'a>),
    /// `[16, request, options, topic, arguments?, keywords?]`
    Publish(Publish<'a>),
    /// `[32, request, options, topic]`
    Subscribe(Subscribe<'a>),
    /// `[34, request, subscription]`
    Unsubscribe(Unsubscribe),
    /// `[48, request, options, procedure, arguments?, keywords?]`
    Call(Call<'a>),
    /// `[49, request, options]`
    Cancel(Cancel),
    /// `[64, request, options, procedure]`
    Register(Register<'a>),
    /// `[66, request, registration]`
    Unregister(Unregister),
    /// `[70, request, options, arguments?, keywords?]`
    Yield(Yield<'a>),
}

/// What a router sends and a client reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterMessage<'a> {
    /// `[2, session, details]`
    Welcome(Welcome<'a>),
    /// `[3, details, reason, arguments?, keywords?]`
    Abort(Abort<'a>),
    /// `[4, method, extra]`
    Challenge(Challenge<'a>),
    /// `[6, details, reason]`
    Goodbye(Goodbye<'a>),
    /// `[8, request_type, request, details, error, arguments?, keywords?]`
    Error(Error<'a>),
    /// `[17, request, publication]`
    Published(Published),
    /// `[33, request, subscription]`
    Subscribed(Subscribed),
    /// `[35, request]` or `[35, 0, details]`
    Unsubscribed(Unsubscribed<'a>),
    /// `[36, subscription, publication, details, arguments?, keywords?]`
    Event(Event<'a>),
    /// `[50, request, details, arguments?, keywords?]`
    Result(CallResult<'a>),
    /// `[65, request, registration]`
    Registered(Registered),
    /// `[67, request]` or `[67, 0, details]`
    Unregistered(Unregistered<'a>),
    /// `[68, request, registration, details, arguments?, keywords?]`
    Invocation(Invocation<'a>),
    /// `[69, request, options]`
    Interrupt(Interrupt<'a>),
}

impl<'a> ClientMessage<'a> {
    /// Reads a message that a client sent: one, where they come in batches.
    ///
    /// # Errors
    /// When the bytes are no value of the serializer, no message of WAMP v2 or not one that
    /// clients send. That all of them are one value is checked before anything else.
    pub fn decode(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let elements = Elements::scan(serializer, bytes)?;
        match elements.message() {
            MessageType::Hello => Hello::decode(&elements).map(Self::Hello),
            MessageType::Abort => Abort::decode(&elements).map(Self::Abort),
            MessageType::Authenticate => Authenticate::decode(&elements).map(Self::Authenticate),
            MessageType::Goodbye => Goodbye::decode(&elements).map(Self::Goodbye),
            MessageType::Error => Error::decode_of_client(&elements).map(Self::Error),
            MessageType::Publish => Publish::decode(&elements).map(Self::Publish),
            MessageType::Subscribe => Subscribe::decode(&elements).map(Self::Subscribe),
            MessageType::Unsubscribe => Unsubscribe::decode(&elements).map(Self::Unsubscribe),
            MessageType::Call => Call::decode(&elements).map(Self::Call),
            MessageType::Cancel => Cancel::decode(&elements).map(Self::Cancel),
            MessageType::Register => Register::decode(&elements).map(Self::Register),
            MessageType::Unregister => Unregister::decode(&elements).map(Self::Unregister),
            MessageType::Yield => Yield::decode(&elements).map(Self::Yield),
            message => Err(Malformed::Direction { message, sender: "router" }),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        match self {
            Self::Hello(message) => message.encode(serializer, out),
            Self::Abort(message) => message.encode(serializer, out),
            Self::Authenticate(message) => message.encode(serializer, out),
            Self::Goodbye(message) => message.encode(serializer, out),
            Self::Error(message) => message.encode(serializer, out),
            Self::Publish(message) => message.encode(serializer, out),
            Self::Subscribe(message) => message.encode(serializer, out),
            Self::Unsubscribe(message) => message.encode(serializer, out),
            Self::Call(message) => message.encode(serializer, out),
            Self::Cancel(message) => message.encode(serializer, out),
            Self::Register(message) => message.encode(serializer, out),
            Self::Unregister(message) => message.encode(serializer, out),
            Self::Yield(message) => message.encode(serializer, out),
        }
    }
}

impl<'a> RouterMessage<'a> {
    /// Reads a message that a router sent: one, where they come in batches.
    ///
    /// # Errors
    /// When the bytes are no value of the serializer, no message of WAMP v2 or not one that
    /// routers send. That all of them are one value is checked before anything else.
    pub fn decode(serializer: Serializer, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let elements = Elements::scan(serializer, bytes)?;
        match elements.message() {
            MessageType::Welcome => Welcome::decode(&elements).map(Self::Welcome),
            MessageType::Abort => Abort::decode(&elements).map(Self::Abort),
            MessageType::Challenge => Challenge::decode(&elements).map(Self::Challenge),
            MessageType::Goodbye => Goodbye::decode(&elements).map(Self::Goodbye),
            MessageType::Error => Error::decode_of_router(&elements).map(Self::Error),
            MessageType::Published => Published::decode(&elements).map(Self::Published),
            MessageType::Subscribed => Subscribed::decode(&elements).map(Self::Subscribed),
            MessageType::Unsubscribed => Unsubscribed::decode(&elements).map(Self::Unsubscribed),
            MessageType::Event => Event::decode(&elements).map(Self::Event),
            MessageType::Result => CallResult::decode(&elements).map(Self::Result),
            MessageType::Registered => Registered::decode(&elements).map(Self::Registered),
            MessageType::Unregistered => Unregistered::decode(&elements).map(Self::Unregistered),
            MessageType::Invocation => Invocation::decode(&elements).map(Self::Invocation),
            MessageType::Interrupt => Interrupt::decode(&elements).map(Self::Interrupt),
            message => Err(Malformed::Direction { message, sender: "client" }),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(message) => message.encode(serializer, out),
            Self::Abort(message) => message.encode(serializer, out),
            Self::Challenge(message) => message.encode(serializer, out),
            Self::Goodbye(message) => message.encode(serializer, out),
            Self::Error(message) => message.encode(serializer, out),
            Self::Published(message) => message.encode(serializer, out),
            Self::Subscribed(message) => message.encode(serializer, out),
            Self::Unsubscribed(message) => message.encode(serializer, out),
            Self::Event(message) => message.encode(serializer, out),
            Self::Result(message) => message.encode(serializer, out),
            Self::Registered(message) => message.encode(serializer, out),
            Self::Unregistered(message) => message.encode(serializer, out),
            Self::Invocation(message) => message.encode(serializer, out),
            Self::Interrupt(message) => message.encode(serializer, out),
        }
    }
}
