//! The protocol of NATS: lines, and what follows them. A message may begin in one frame and end in another.

use super::{Invocation, OFFERED, Said, topic_name};
use crate::Result;

/// Nothing that is published here is longer.
const MAX_PAYLOAD: usize = 128 * 1024;

/// Cuts a message off the front; `None` if it isn't complete.
pub(super) fn take<'a>(input: &mut &'a [u8]) -> Result<Option<Said<'a>>> {
    let Some(end) = input.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let (line, rest) = input.split_at_checked(end).unwrap_or_default();
    let rest = rest.get(2..).unwrap_or_default();
    let line = std::str::from_utf8(line)?;
    let said = match line.split_whitespace().next().unwrap_or_default() {
        "MSG" => {
            let size: usize = line.rsplit(' ').next().unwrap_or_default().parse()?;
            if size > MAX_PAYLOAD {
                return Err(format!("a message of {size} bytes").into());
            }
            let Some((payload, rest)) = rest.split_at_checked(size + 2) else { return Ok(None) };
            *input = rest;
            return message(line, payload.get(..size).unwrap_or_default()).map(Some);
        }
        "INFO" => Said::Greeting,
        "PING" => Said::Ping,
        "PONG" => Said::Settled,
        "+OK" => Said::Nothing,
        _ => return Err(format!("the server says {line}").into()),
    };
    *input = rest;
    Ok(Some(said))
}

/// `MSG subject subscription [reply] size`
fn message<'a>(line: &'a str, payload: &'a [u8]) -> Result<Said<'a>> {
    let mut words = line.split_whitespace().skip(1);
    let subject = words.next().unwrap_or_default();
    if let Some(answered) = subject.strip_prefix("_R.") {
        let (_, request) = answered.split_once('.').ok_or("an answer to nothing")?;
        let value = std::str::from_utf8(payload)?.parse()?;
        return Ok(Said::Result { request: request.parse()?, value });
    }
    if subject != OFFERED {
        return Ok(Said::Event(payload));
    }
    let reply = words.nth(1).ok_or("a call without a place for its answer")?;
    let (a, b) = std::str::from_utf8(payload)?.split_once(' ').ok_or("a call without terms")?;
    Ok(Said::Invocation(Invocation { request: 0, terms: [a.parse()?, b.parse()?], reply }))
}

/// By protocol 0 the server introduces itself once, and not again whenever something has changed.
pub(super) fn hello(out: &mut Vec<u8>) {
    out.extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":0}\r\nPING\r\n");
}

pub(super) fn subscribe(topic: u32, out: &mut Vec<u8>) {
    out.extend(format!("SUB {} 1\r\nPING\r\n", topic_name(topic)).bytes());
}

pub(super) fn publish(topic: u32, event: &str, out: &mut Vec<u8>) {
    out.extend(format!("PUB {} {}\r\n{event}\r\n", topic_name(topic), event.len()).bytes());
}

pub(super) fn register(out: &mut Vec<u8>) {
    out.extend(format!("SUB {OFFERED} 1\r\nPING\r\n").bytes());
}

pub(super) fn prepare(caller: u64, out: &mut Vec<u8>) {
    out.extend(format!("SUB _R.{caller}.* 2\r\nPING\r\n").bytes());
}

pub(super) fn call(caller: u64, request: u64, out: &mut Vec<u8>) {
    let terms = format!("{caller} {request}");
    out.extend(format!("PUB {OFFERED} _R.{caller}.{request} {}\r\n{terms}\r\n", terms.len()).bytes());
}

pub(super) fn answer(reply: &str, sum: u64, out: &mut Vec<u8>) {
    let sum = sum.to_string();
    out.extend(format!("PUB {reply} {}\r\n{sum}\r\n", sum.len()).bytes());
}
