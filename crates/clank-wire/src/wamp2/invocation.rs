//! INVOCATION, INTERRUPT and YIELD: what a callee hears and says.

use std::borrow::Cow;

use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{CancelMode, Id, Malformed, MessageType, Passthru};
use crate::payload::Payload;
use crate::serializer::Serializer;

/// `[68, request, registration, details, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The id of the request, which is the router's.
    pub request: Id,
    /// The registration that is called.
    pub registration: Id,
    /// Who calls, and how.
    pub details: InvocationDetails<'a>,
    /// The arguments.
    pub payload: Payload<'a>,
}

/// Who calls a procedure, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvocationDetails<'a> {
    /// The session that calls, where that is disclosed.
    pub caller: Option<Id>,
    /// The caller's authentication id.
    pub caller_authid: Option<Cow<'a, str>>,
    /// The caller's authentication role.
    pub caller_authrole: Option<Cow<'a, str>>,
    /// How far the caller is trusted.
    pub trustlevel: Option<u64>,
    /// The procedure that was called, where the registration is of a pattern.
    pub procedure: Option<Cow<'a, str>>,
    /// When the call is cancelled, in milliseconds; 0 is the same as nothing: never.
    pub timeout: u64,
    /// Whether the caller takes results bit by bit.
    pub receive_progress: bool,
    /// Whether more of this call follows.
    pub progress: bool,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
}

/// `[69, request, options]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupt<'a> {
    /// The id of the invocation.
    pub request: Id,
    /// How the call was cancelled.
    pub mode: Option<CancelMode>,
    /// Why, as a URI.
    pub reason: Option<Cow<'a, str>>,
}

/// `[70, request, options, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yield<'a> {
    /// The id of the invocation.
    pub request: Id,
    /// Whether more results follow.
    pub progress: bool,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
    /// What the procedure returns.
    pub payload: Payload<'a>,
}

impl<'a> Invocation<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let registration = elements.id(2, "a registration id (1 to 2^53)")?;
        let mut details = InvocationDetails::default();
        for detail in elements.attributes(3, "a dictionary of details")? {
            match detail.name() {
                "caller" => details.caller = Some(detail.id()?),
                "caller_authid" => details.caller_authid = Some(detail.text()?),
                "caller_authrole" => details.caller_authrole = Some(detail.text()?),
                "trustlevel" => details.trustlevel = Some(detail.unsigned()?),
                "procedure" => details.procedure = Some(detail.text()?),
                "timeout" => details.timeout = detail.unsigned()?,
                "receive_progress" => details.receive_progress = detail.bool()?,
                "progress" => details.progress = detail.bool()?,
                _ => details.passthru.read(&detail)?,
            }
        }
        Ok(Invocation { request, registration, details, payload: elements.payload(4)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let details = &self.details;
        Encoder::begin(MessageType::Invocation, serializer, out)
            .id(self.request)
            .id(self.registration)
            .attributes(|written| {
                written.unsigned("caller", details.caller.map(Id::get));
                written.text("caller_authid", details.caller_authid.as_deref());
                written.text("caller_authrole", details.caller_authrole.as_deref());
                written.unsigned("trustlevel", details.trustlevel);
                written.text("procedure", details.procedure.as_deref());
                written.unsigned("timeout", (details.timeout > 0).then_some(details.timeout));
                written.flag("receive_progress", details.receive_progress);
                written.flag("progress", details.progress);
                details.passthru.write(written);
            })
            .payload(&self.payload)
            .end();
    }
}

impl<'a> Interrupt<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let (mut mode, mut reason) = (None, None);
        for option in elements.attributes(2, "a dictionary of options")? {
            match option.name() {
                "mode" => mode = Some(option.word(CancelMode::from_name, CancelMode::WORDS)?),
                "reason" => reason = Some(option.text()?),
                _ => {}
            }
        }
        Ok(Interrupt { request, mode, reason })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Interrupt, serializer, out)
            .id(self.request)
            .attributes(|options| {
                options.text("mode", self.mode.map(CancelMode::name));
                options.text("reason", self.reason.as_deref());
            })
            .end();
    }
}

impl<'a> Yield<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let (mut progress, mut passthru) = (false, Passthru::default());
        for option in elements.attributes(2, "a dictionary of options")? {
            match option.name() {
                "progress" => progress = option.bool()?,
                _ => passthru.read(&option)?,
            }
        }
        Ok(Yield { request, progress, passthru, payload: elements.payload(3)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Yield, serializer, out)
            .id(self.request)
            .attributes(|options| {
                options.flag("progress", self.progress);
                self.passthru.write(options);
            })
            .payload(&self.payload)
            .end();
    }
}
