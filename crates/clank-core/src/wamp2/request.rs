//! What a client asks for.

use std::borrow::Cow;

use clank_wire::payload::Payload;
use clank_wire::wamp2::{
    CallOptions, Cancel, Error, Id, Match, PublishOptions, RegisterOptions, Unregister, Unsubscribe, Yield,
};

use crate::topic::Uri;

/// What a client asks for, its URIs checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is handled where it was read; a box is an allocation")]
pub enum Request<'a> {
    /// It wants the events of a topic.
    Subscribe(Subscribe<'a>),
    /// It wants them no more.
    Unsubscribe(Unsubscribe),
    /// It publishes.
    Publish(Publish<'a>),
    /// It calls a procedure.
    Call(Call<'a>),
    /// It wants a call's result no more.
    Cancel(Cancel),
    /// It offers a procedure.
    Register(Register<'a>),
    /// It offers it no more.
    Unregister(Unregister),
    /// It answers an invocation.
    Yield(Yield<'a>),
    /// It answers an invocation with an error.
    Failed(Error<'a>),
    /// It leaves, for this reason; or it answers that the server leaves.
    Goodbye(Cow<'a, str>),
    /// It gives up, for this reason.
    Abort(Cow<'a, str>),
}

/// A subscription that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The id of the request.
    pub request: Id,
    /// The topic, or a pattern of topics.
    pub topic: Uri<'a>,
    /// How the topic of an event is compared with it.
    pub matching: Match,
    /// Whether it wants the event that the topic has retained.
    pub get_retained: bool,
}

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The id of the request.
    pub request: Id,
    /// The topic.
    pub topic: Uri<'a>,
    /// Who hears it, and whether the publisher does of that.
    pub options: PublishOptions<'a>,
    /// The event.
    pub payload: Payload<'a>,
}

/// A call of a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// The id of the request.
    pub request: Id,
    /// What is called.
    pub procedure: Uri<'a>,
    /// How.
    pub options: CallOptions<'a>,
    /// The arguments.
    pub payload: Payload<'a>,
}

/// A procedure that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<'a> {
    /// The id of the request.
    pub request: Id,
    /// The procedure, or a pattern of procedures.
    pub procedure: Uri<'a>,
    /// How.
    pub options: RegisterOptions,
}
