//! WAMP v1.

use clank_wire::json::{List, Raw};
use clank_wire::payload::Payload;
use clank_wire::wamp1::{Call, CallResult, Event, Exclude, Publish, ServerMessage, Subscribe};

use super::{Said, topic_name};
use crate::Result;

pub(super) fn hear(message: &[u8]) -> Result<Said<'_>> {
    if message.starts_with(b"[8,") {
        return Ok(Said::Event(message));
    }
    let text = std::str::from_utf8(message)?;
    Ok(match ServerMessage::decode(text)? {
        ServerMessage::Welcome(_) => Said::Welcome,
        ServerMessage::Event(_) => Said::Event(message),
        ServerMessage::CallResult(result) => {
            // Ratchet puts every result into a list.
            let value = result.result.iter().next().ok_or("a result without a value")?;
            let value = value.to_u64().or_else(|| value.items().next()?.to_u64());
            Said::Result { request: result.id.parse()?, value: value.ok_or("a result that is no number")? }
        }
        ServerMessage::Prefix(_) => Said::Nothing,
        ServerMessage::CallError(_) => return Err(format!("the server answered {text}").into()),
    })
}

pub(super) fn subscribe(topic: u32, out: &mut Vec<u8>) {
    Subscribe { topic: topic_name(topic).into() }.encode(out);
}

pub(super) fn publish(topic: u32, event: &str, out: &mut Vec<u8>) {
    let event = Raw::parse(event).map_or(Payload::EMPTY, Payload::from);
    let topic = topic_name(topic).into();
    Publish { topic, event, exclude: Exclude::Unsaid, eligible: None }.encode(out);
}

pub(super) fn call(procedure: &str, caller: u64, request: u64, out: &mut Vec<u8>) {
    let arguments = format!("[{caller},{request}]");
    let arguments = Raw::parse(&arguments).ok().and_then(Raw::to_list).unwrap_or(List::EMPTY);
    Call { id: request.to_string().into(), procedure: procedure.into(), arguments }.encode(out);
}

/// What subscribers are told of an event.
pub(crate) fn event(topic: u32, event: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let payload = Raw::parse(event).map_or(Payload::EMPTY, Payload::from);
    Event { topic: topic_name(topic).into(), payload }.encode(&mut out);
    out
}

/// What a caller is told.
pub(crate) fn result(request: u64, value: u64) -> Vec<u8> {
    let (mut out, value) = (Vec::new(), value.to_string());
    let result = Raw::parse(&value).map_or(Payload::EMPTY, Payload::from);
    CallResult { id: request.to_string().into(), result }.encode(&mut out);
    out
}
