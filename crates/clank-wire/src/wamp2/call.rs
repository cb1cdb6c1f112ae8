//! CALL, CANCEL and RESULT: what a caller says and hears.

use std::borrow::Cow;

use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{CancelMode, Id, Malformed, MessageType, Passthru};
use crate::payload::Payload;
use crate::serializer::Serializer;

/// `[48, request, options, procedure, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// The id of the request.
    pub request: Id,
    /// How it is called.
    pub options: CallOptions<'a>,
    /// The procedure's URI.
    pub procedure: Cow<'a, str>,
    /// The arguments.
    pub payload: Payload<'a>,
}

/// How a procedure is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallOptions<'a> {
    /// Whether the caller takes results bit by bit.
    pub receive_progress: bool,
    /// Whether more of this call follows.
    pub progress: bool,
    /// When the call is cancelled, in milliseconds; 0 is the same as nothing: never.
    pub timeout: u64,
    /// Whether the callee shall be told who calls.
    pub disclose_me: bool,
    /// The key by which a sharded registration picks its node.
    pub rkey: Option<Cow<'a, str>>,
    /// Whether a sharded registration runs on one node or on all.
    pub runmode: Option<Cow<'a, str>>,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
}

/// `[49, request, options]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// The id of the call.
    pub request: Id,
    /// How; the specification has no default.
    pub mode: Option<CancelMode>,
}

/// `[50, request, details, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult<'a> {
    /// The id of the call.
    pub request: Id,
    /// Where it comes from.
    pub details: ResultDetails<'a>,
    /// What the procedure returned.
    pub payload: Payload<'a>,
}

/// Where a result comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultDetails<'a> {
    /// Whether more results follow.
    pub progress: bool,
    /// The session that was invoked, where that is disclosed.
    pub callee: Option<Id>,
    /// The callee's authentication id.
    pub callee_authid: Option<Cow<'a, str>>,
    /// The callee's authentication role.
    pub callee_authrole: Option<Cow<'a, str>>,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let mut options = CallOptions::default();
        for option in elements.attributes(2, "a dictionary of options")? {
            match option.name() {
                "receive_progress" => options.receive_progress = option.bool()?,
                "progress" => options.progress = option.bool()?,
                "timeout" => options.timeout = option.unsigned()?,
                "disclose_me" => options.disclose_me = option.bool()?,
                "rkey" => options.rkey = Some(option.text()?),
                "runmode" => options.runmode = Some(option.text()?),
                _ => options.passthru.read(&option)?,
            }
        }
        let procedure = elements.text(3, "a procedure URI")?;
        Ok(Call { request, options, procedure, payload: elements.payload(4)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let options = &self.options;
        Encoder::begin(MessageType::Call, serializer, out)
            .id(self.request)
            .attributes(|written| {
                written.flag("receive_progress", options.receive_progress);
                written.flag("progress", options.progress);
                written.unsigned("timeout", (options.timeout > 0).then_some(options.timeout));
                written.flag("disclose_me", options.disclose_me);
                written.text("rkey", options.rkey.as_deref());
                written.text("runmode", options.runmode.as_deref());
                options.passthru.write(written);
            })
            .text(&self.procedure)
            .payload(&self.payload)
            .end();
    }
}

impl Cancel {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let mut mode = None;
        for option in elements.attributes(2, "a dictionary of options")? {
            if option.name() == "mode" {
                mode = Some(option.word(CancelMode::from_name, CancelMode::WORDS)?);
            }
        }
        Ok(Cancel { request, mode })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Cancel, serializer, out)
            .id(self.request)
            .attributes(|options| options.text("mode", self.mode.map(CancelMode::name)))
            .end();
    }
}

impl<'a> CallResult<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let mut details = ResultDetails::default();
        for detail in elements.attributes(2, "a dictionary of details")? {
            match detail.name() {
                "progress" => details.progress = detail.bool()?,
                "callee" => details.callee = Some(detail.id()?),
                "callee_authid" => details.callee_authid = Some(detail.text()?),
                "callee_authrole" => details.callee_authrole = Some(detail.text()?),
                _ => details.passthru.read(&detail)?,
            }
        }
        Ok(CallResult { request, details, payload: elements.payload(3)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let details = &self.details;
        Encoder::begin(MessageType::Result, serializer, out)
            .id(self.request)
            .attributes(|written| {
                written.flag("progress", details.progress);
                written.unsigned("callee", details.callee.map(Id::get));
                written.text("callee_authid", details.callee_authid.as_deref());
                written.text("callee_authrole", details.callee_authrole.as_deref());
                details.passthru.write(written);
            })
            .payload(&self.payload)
            .end();
    }
}
