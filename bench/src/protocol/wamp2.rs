//! WAMP v2.

use clank_wire::payload::Payload;
use clank_wire::serializer::{Serializer, Span};
use clank_wire::wamp2::{
    Call, CallOptions, Hello, HelloDetails, Id, Publish, PublishOptions, Register, RegisterOptions, Roles,
    RouterMessage, Subscribe, SubscribeOptions, Yield,
};

use super::{Invocation, OFFERED, Said, topic_name};
use crate::Result;

/// The realm that servers have by default.
const REALM: &str = "realm1";

pub(super) fn hear(serializer: Serializer, message: &[u8]) -> Result<Said<'_>> {
    let is_event = match serializer {
        Serializer::Json => message.starts_with(b"[36,"),
        // A list of up to 15 elements, the first of which is 36.
        Serializer::MessagePack => matches!(message, [0x90..=0x9f, 36, ..]),
        Serializer::Cbor => matches!(message, [0x80..=0x97, 0x18, 36, ..]),
    };
    if is_event {
        return Ok(Said::Event(message));
    }
    Ok(match RouterMessage::decode(serializer, message)? {
        RouterMessage::Welcome(_) => Said::Welcome,
        RouterMessage::Subscribed(_) | RouterMessage::Registered(_) => Said::Settled,
        RouterMessage::Event(_) => Said::Event(message),
        RouterMessage::Result(result) => {
            let [value] = numbers(&result.payload)?;
            Said::Result { request: result.request.get(), value }
        }
        RouterMessage::Invocation(invocation) => {
            let terms = numbers(&invocation.payload)?;
            Said::Invocation(Invocation { request: invocation.request.get(), terms, reply: "" })
        }
        RouterMessage::Abort(abort) => return Err(format!("the server aborts: {}", abort.reason).into()),
        RouterMessage::Error(error) => return Err(format!("the server answers {}", error.uri).into()),
        other => return Err(format!("unexpected: {other:?}").into()),
    })
}

fn numbers<const N: usize>(payload: &Payload<'_>) -> Result<[u64; N]> {
    let mut values = payload.iter().map(Span::to_u64);
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = values.next().flatten().ok_or("a message without its numbers")?;
    }
    Ok(numbers)
}

pub(super) fn hello(serializer: Serializer, out: &mut Vec<u8>) {
    let roles = Roles::new(&[("publisher", &[]), ("subscriber", &[]), ("caller", &[]), ("callee", &[])]);
    let details = HelloDetails { roles, ..HelloDetails::default() };
    Hello { realm: REALM.into(), details }.encode(serializer, out);
}

pub(super) fn subscribe(serializer: Serializer, topic: u32, out: &mut Vec<u8>) {
    let (options, topic) = (SubscribeOptions::default(), topic_name(topic).into());
    Subscribe { request: Id::MIN, options, topic }.encode(serializer, out);
}

pub(super) fn publish(serializer: Serializer, request: u64, topic: u32, event: &str, out: &mut Vec<u8>) {
    let mut arguments = Vec::with_capacity(event.len() + 8);
    match serializer {
        Serializer::Json => arguments.extend([b"[", event.as_bytes(), b"]"].concat()),
        other => Span::parse(Serializer::Json, format!("[{event}]").as_bytes())
            .into_iter()
            .for_each(|event| event.write(other, &mut arguments)),
    }
    let (options, topic) = (PublishOptions::default(), topic_name(topic).into());
    let payload = payload(serializer, &arguments);
    Publish { request: id(request), options, topic, payload }.encode(serializer, out);
}

pub(super) fn register(serializer: Serializer, out: &mut Vec<u8>) {
    let options = RegisterOptions::default();
    Register { request: Id::MIN, options, procedure: OFFERED.into() }.encode(serializer, out);
}

pub(super) fn call(serializer: Serializer, procedure: &str, caller: u64, request: u64, out: &mut Vec<u8>) {
    let arguments = list(serializer, &[caller, request]);
    let (options, payload) = (CallOptions::default(), payload(serializer, &arguments));
    Call { request: id(request), options, procedure: procedure.into(), payload }.encode(serializer, out);
}

pub(super) fn answer(serializer: Serializer, request: u64, sum: u64, out: &mut Vec<u8>) {
    let arguments = list(serializer, &[sum]);
    let payload = payload(serializer, &arguments);
    let message = Yield { request: id(request), progress: false, passthru: Default::default(), payload };
    message.encode(serializer, out);
}

fn id(request: u64) -> Id {
    Id::new(request).unwrap_or(Id::MAX)
}

fn payload(serializer: Serializer, arguments: &[u8]) -> Payload<'_> {
    let arguments = Span::parse(serializer, arguments).ok();
    Payload::from_spans(serializer, arguments, None).unwrap_or(Payload::EMPTY)
}

/// A list of a few numbers: written by hand, for there are millions of them.
fn list(serializer: Serializer, numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    match serializer {
        Serializer::Json => {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            out.extend([b"[", numbers.join(",").as_bytes(), b"]"].concat());
        }
        Serializer::MessagePack | Serializer::Cbor => {
            let (list, long) = if serializer == Serializer::Cbor { (0x80, 0x1b) } else { (0x90, 0xcf) };
            out.push(list | numbers.len() as u8);
            for number in numbers {
                out.push(long);
                out.extend(number.to_be_bytes());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_were_meant() {
        for serializer in Serializer::ALL {
            for numbers in [&[][..], &[0], &[1, 200], &[u64::MAX / 2, 3]] {
                let bytes = list(serializer, numbers);
                let span = Span::parse(serializer, &bytes).unwrap();
                let read: Vec<u64> = span.items().map(|item| item.to_u64().unwrap()).collect();
                assert_eq!(read, numbers, "{serializer:?}");
            }
        }
    }

    #[test]
    fn events_are_published_in_every_serializer() {
        for serializer in Serializer::ALL {
            let mut out = Vec::new();
            publish(serializer, 9, 3, r#""marked""#, &mut out);
            let message = clank_wire::wamp2::ClientMessage::decode(serializer, &out).unwrap();
            let clank_wire::wamp2::ClientMessage::Publish(publish) = message else { panic!("{message:?}") };
            assert_eq!(publish.payload.iter().next().unwrap().to_text().unwrap(), "marked");
            assert_eq!((publish.request.get(), &*publish.topic), (9, "bench.topic3"));
        }
    }
}
