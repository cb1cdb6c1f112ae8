//! Lists of JSON over a bare WebSocket, for servers that speak no protocol of their own.

use super::{Said, topic_name};
use crate::Result;

pub(super) fn hear(message: &[u8]) -> Result<Said<'_>> {
    if message.starts_with(b"[\"event\"") {
        return Ok(Said::Event(message));
    }
    let (said, request, value): (&str, u64, u64) = serde_json::from_slice(message)
        .map_err(|_| format!("the server says {}", String::from_utf8_lossy(message)))?;
    match said {
        "result" => Ok(Said::Result { request, value }),
        other => Err(format!("the server says {other}").into()),
    }
}

pub(super) fn subscribe(topic: u32, out: &mut Vec<u8>) {
    out.extend(format!(r#"["sub","{}"]"#, topic_name(topic)).bytes());
}

pub(super) fn publish(topic: u32, event: &str, out: &mut Vec<u8>) {
    out.extend(format!(r#"["pub","{}",{event}]"#, topic_name(topic)).bytes());
}

pub(super) fn call(caller: u64, request: u64, out: &mut Vec<u8>) {
    out.extend(format!(r#"["call",{request},{caller},{request}]"#).bytes());
}
