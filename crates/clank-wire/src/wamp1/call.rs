//! CALL, CALLRESULT and CALLERROR: a procedure is called, and answered exactly once.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::elements::{Elements, Writer};
use super::{Malformed, MessageType};
use crate::json::{Kind, List, Raw};
use crate::payload::{Payload, PayloadBuf};

/// `[2, id, procedure, ...arguments]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// What the caller knows the call by: the answer bears it.
    pub id: Cow<'a, str>,
    /// The procedure's URI, or a CURIE.
    pub procedure: Cow<'a, str>,
    /// The arguments as the caller listed them.
    pub arguments: List<'a>,
}

/// What a procedure gets of a call's arguments: Ratchet's rule. See [`Call::params`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Params<'a> {
    /// The only argument, which is an array or an object.
    Only(Raw<'a>),
    /// All arguments.
    All(List<'a>),
}

/// `[3, id, result]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult<'a> {
    /// The id of the call.
    pub id: Cow<'a, str>,
    /// What the procedure returned.
    pub result: Payload<'a>,
}

/// `[4, id, uri, description, details?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError<'a> {
    /// The id of the call.
    pub id: Cow<'a, str>,
    /// What error it is. Clank, as the bundle before it, says the URI that was called.
    pub uri: Cow<'a, str>,
    /// The error in words.
    pub description: Cow<'a, str>,
    /// More about the error, for the program that called.
    pub details: Option<Payload<'a>>,
}

impl<'a> Call<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let id = elements.string(MessageType::Call, 1, "a call id (a string)")?;
        let procedure = elements.string(MessageType::Call, 2, "a procedure URI")?;
        Ok(Call { id, procedure, arguments: elements.arguments() })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let writer = Writer::begin(MessageType::Call, out).string(&self.id).string(&self.procedure);
        match self.arguments.count() {
            0 => writer.end(),
            _ => writer.raw(self.arguments.as_str().as_bytes()).end(),
        }
    }

    /// What the procedure gets: where there is exactly one argument and that is an array or an
    /// object, that argument; else the list of the arguments.
    ///
    /// ```
    /// use clank_wire::wamp1::ClientMessage;
    ///
    /// for text in [r#"[2, "1", "sample/add", 2, 5]"#, r#"[2, "1", "sample/add", [2, 5]]"#] {
    ///     let Ok(ClientMessage::Call(call)) = ClientMessage::decode(text) else { panic!("a CALL") };
    ///     assert_eq!(call.params().deserialize::<(u8, u8)>().unwrap(), (2, 5));
    /// }
    /// ```
    pub fn params(&self) -> Params<'a> {
        match self.arguments.single() {
            Some(only) if matches!(only.kind(), Kind::Array | Kind::Object) => Params::Only(only),
            _ => Params::All(self.arguments),
        }
    }
}

impl Params<'_> {
    /// How many bytes [`Params::write`] appends.
    #[expect(clippy::len_without_is_empty, reason = "no params are empty: they are a value")]
    pub fn len(&self) -> usize {
        match self {
            Params::Only(only) => only.as_str().len(),
            Params::All(list) => list.as_str().len() + 2,
        }
    }

    /// Appends the params to `out`, as one array or object.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Params::Only(only) => out.extend_from_slice(only.as_str().as_bytes()),
            Params::All(list) => {
                out.push(b'[');
                out.extend_from_slice(list.as_str().as_bytes());
                out.push(b']');
            }
        }
    }

    /// Reads the params into a type of Rust.
    ///
    /// # Errors
    /// When they don't fit the type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self {
            Params::Only(only) => serde_json::from_str(only.as_str()),
            Params::All(_) => {
                let mut text = Vec::new();
                self.write(&mut text);
                serde_json::from_slice(&text)
            }
        }
    }

    /// The params as a payload of one value that can be held after the message has gone.
    pub fn to_buf(&self) -> PayloadBuf {
        match self {
            Params::Only(only) => Payload::from(*only).to_buf(),
            Params::All(_) => {
                let mut text = Vec::new();
                self.write(&mut text);
                PayloadBuf::from_json(text)
            }
        }
    }

    /// As [`Params::to_buf`], sharing the bytes of the message in which the call came, where the
    /// params stand in it as they are.
    pub fn share(&self, message: &Bytes) -> PayloadBuf {
        match self {
            Params::Only(only) => Payload::from(*only).share(message),
            Params::All(_) => self.to_buf(),
        }
    }
}

impl<'a> CallResult<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        let id = elements.string(MessageType::CallResult, 1, "a call id (a string)")?;
        let result = elements.value(MessageType::CallResult, 2, "a result")?.into();
        Ok(CallResult { id, result })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::begin(MessageType::CallResult, out)
            .string(&self.id)
            .value(|out| self.result.write_value(out))
            .end();
    }
}

impl<'a> CallError<'a> {
    pub(super) fn decode(elements: &Elements<'a>) -> Result<Self, Malformed> {
        const MESSAGE: MessageType = MessageType::CallError;
        let id = elements.string(MESSAGE, 1, "a call id (a string)")?;
        let uri = elements.string(MESSAGE, 2, "an error URI")?;
        let description = elements.string(MESSAGE, 3, "a description")?;
        let details = elements.at(4).map(Payload::from);
        Ok(CallError { id, uri, description, details })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let writer = Writer::begin(MessageType::CallError, out)
            .string(&self.id)
            .string(&self.uri)
            .string(&self.description);
        match self.details {
            None => writer.end(),
            Some(details) => writer.value(|out| details.write_value(out)).end(),
        }
    }
}
