//! ERROR: why a request failed.

use std::borrow::Cow;

use super::elements::{Elements, REQUEST_ID};
use super::encoder::Encoder;
use super::{Id, Malformed, MessageType, Passthru};
use crate::payload::Payload;
use crate::serializer::Serializer;

/// `[8, request_type, request, details, error, arguments?, keywords?]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error<'a> {
    /// What was asked for: SUBSCRIBE, UNSUBSCRIBE, PUBLISH, CALL, REGISTER or UNREGISTER of a
    /// client, INVOCATION of a router.
    pub request_type: MessageType,
    /// The id of the request.
    pub request: Id,
    /// How the payload was packed.
    pub passthru: Passthru<'a>,
    /// What error it is, as a URI.
    pub uri: Cow<'a, str>,
    /// More about it: by custom, its first argument says it in words.
    pub payload: Payload<'a>,
}

/// What a router asks of a client.
const OF_ROUTER: (&[MessageType], &str) =
    (&[MessageType::Invocation], "the type of the request (68, INVOCATION)");
/// What a client asks of a router.
const OF_CLIENT: (&[MessageType], &str) = (
    &[
        MessageType::Publish,
        MessageType::Subscribe,
        MessageType::Unsubscribe,
        MessageType::Call,
        MessageType::Register,
        MessageType::Unregister,
    ],
    "the type of the request (16, 32, 34, 48, 64 or 66)",
);

impl<'a> Error<'a> {
    /// Reads the error that a client answers a router with.
    pub(super) fn decode_of_client(elements: &Elements<'a>) -> Result<Self, Malformed> {
        Self::decode(elements, OF_ROUTER)
    }

    /// Reads the error that a router answers a client with.
    pub(super) fn decode_of_router(elements: &Elements<'a>) -> Result<Self, Malformed> {
        Self::decode(elements, OF_CLIENT)
    }

    fn decode(
        elements: &Elements<'a>,
        (requests, needs): (&[MessageType], &'static str),
    ) -> Result<Self, Malformed> {
        let number = elements.at(1).and_then(|span| span.to_u64());
        let request_type = number.and_then(MessageType::from_number).filter(|of| requests.contains(of));
        let request_type = request_type.ok_or_else(|| elements.unfit(1, needs))?;
        let request = elements.id(2, REQUEST_ID)?;
        let mut passthru = Passthru::default();
        for detail in elements.attributes(3, "a dictionary of details")? {
            passthru.read(&detail)?;
        }
        let uri = elements.text(4, "an error URI")?;
        Ok(Error { request_type, request, passthru, uri, payload: elements.payload(5)? })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, serializer: Serializer, out: &mut Vec<u8>) {
        Encoder::begin(MessageType::Error, serializer, out)
            .number(self.request_type as u64)
            .id(self.request)
            .attributes(|details| self.passthru.write(details))
            .text(&self.uri)
            .payload(&self.payload)
            .end();
    }
}
