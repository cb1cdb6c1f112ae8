//! REGISTER, REGISTERED, UNREGISTER and UNREGISTERED.

use std::borrow::Cow;

use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{Id, Invoke, Malformed, Match, MessageType};
use crate::serializer::Serializer;

const REGISTRATION_ID: &str = "a registration id (1 to 2^53)";

/// `[64, request, options, procedure]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<'a> {
    /// The id of the request.
    pub request: Id,
    /// How the procedure is matched and called.
    pub options: RegisterOptions,
    /// The procedure's URI, or a pattern.
    pub procedure: Cow<'a, str>,
}

/// How a procedure is matched and called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegisterOptions {
    /// How the procedure is matched. The attribute is `match`.
    pub matching: Match,
    /// Which of several callees is invoked.
    pub invoke: Invoke,
    /// How many calls the callee takes at once; `None` for any number.
    pub concurrency: Option<u64>,
    /// Whether the callee asks to be told who calls.
    pub disclose_caller: bool,
    /// Whether the callee looks after timeouts itself.
    pub forward_timeout: bool,
}

/// `[65, request, registration]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The id of the request.
    pub request: Id,
    /// The id of the registration.
    pub registration: Id,
}

/// `[66, request, registration]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unregister {
    /// The id of the request.
    pub request: Id,
    /// The id of the registration.
    pub registration: Id,
}

/// A registration has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unregistered<'a> {
    /// `[67, request]`: as the client asked.
    Reply {
        /// The id of the request.
        request: Id,
    },
    /// `[67, 0, details]`: as the router decided (specification: "Registration Revocation").
    Revoked {
        /// The id of the registration.
        registration: Id,
        /// Why, for people.
        reason: Option<Cow<'a, str>>,
    },
}

impl<'a> Register<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let mut options = RegisterOptions::default();
        for option in elements.attributes(2, "a dictionary of options")? {
            match option.name() {
                "match" => options.matching = option.word(Match::from_name, Match::WORDS)?,
                "invoke" => options.invoke = option.word(Invoke::from_name, Invoke::WORDS)?,
                "concurrency" => options.concurrency = Some(option.unsigned()?),
                "disclose_caller" => options.disclose_caller = option.bool()?,
                "forward_timeout" => options.forward_timeout = option.bool()?,
                _ => {}
            }
        }
        let procedure = elements.text(3, "a procedure URI")?;
        Ok(Register { request, options, procedure })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let options = &self.options;
        Encoder::begin(MessageType::Register, serializer, out)
            .id(self.request)
            .attributes(|written| {
                let matching = (options.matching != Match::Exact).then(|| options.matching.name());
                written.text("match", matching);
                let invoke = (options.invoke != Invoke::Single).then(|| options.invoke.name());
                written.text("invoke", invoke);
                written.unsigned("concurrency", options.concurrency);
                written.flag("disclose_caller", options.disclose_caller);
                written.flag("forward_timeout", options.forward_timeout);
            })
            .text(&self.procedure)
            .end();
    }
}

impl Registered {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let registration = elements.id(2, REGISTRATION_ID)?;
        Ok(Registered { request, registration })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Registered, serializer, out);
        encoder.id(self.request).id(self.registration).end();
    }
}

impl Unregister {
    pub(super) fn decode(elements: &Elements<'_>) -> Result<Self, Malformed> {
        let request = elements.id(1, REQUEST_ID)?;
        let registration = elements.id(2, REGISTRATION_ID)?;
        Ok(Unregister { request, registration })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Unregister, serializer, out);
        encoder.id(self.request).id(self.registration).end();
    }
}

impl<'a> Unregistered<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        if elements.at(1).and_then(|span| span.to_u64()) != Some(0) {
            return Ok(Unregistered::Reply { request: elements.id(1, REQUEST_ID)? });
        }
        let (registration, reason) = elements.revocation("registration", REGISTRATION_ID)?;
        Ok(Unregistered::Revoked { registration, reason })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let encoder = Encoder::begin(MessageType::Unregistered, serializer, out);
        match self {
            Unregistered::Reply { request } => encoder.id(*request).end(),
            Unregistered::Revoked { registration, reason } => {
                encoder.revocation("registration", *registration, reason.as_deref()).end();
            }
        }
    }
}
