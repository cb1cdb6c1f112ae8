//! What the load says and hears, in the words of each protocol.
//!
//! The names of topics and procedures are the same everywhere. Hearing is quick where there is much to
//! hear: an event is known by its first bytes, and judged by its [mark](crate::mark).

mod bare;
mod nats;
pub(crate) mod wamp1;
mod wamp2;

use clank_wire::serializer::Serializer;
use clank_wire::ws::OpCode;

use crate::{Result, frame};

/// The procedure that clients offer.
const OFFERED: &str = "bench.add";
/// The procedure that servers offer.
const SERVED: &str = "sample/add";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Wamp1,
    Wamp2(Serializer),
    /// A JSON list for each message, over a bare WebSocket: `["sub", topic]`, `["pub", topic, event]`,
    /// heard as `["event", topic, event]`, and `["call", request, a, b]`, answered by
    /// `["result", request, sum]`.
    Bare,
    Nats,
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// It introduces itself, and waits for the client to do so.
    Greeting,
    Welcome,
    /// All that was sent before is done.
    Settled,
    Ping,
    /// The message that the event came in.
    Event(&'a [u8]),
    Result {
        request: u64,
        value: u64,
    },
    Invocation(Invocation<'a>),
    /// The connection is closed, as was asked for.
    Closed,
    Nothing,
}

/// What a callee is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation<'a> {
    pub(crate) request: u64,
    pub(crate) terms: [u64; 2],
    /// Where NATS wants the answer.
    pub(crate) reply: &'a str,
}

/// Which procedure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    Server,
    Client,
}

impl Protocol {
    pub(crate) const fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Wamp1 => Some("wamp"),
            Self::Wamp2(Serializer::Json) => Some("wamp.2.json"),
            Self::Wamp2(Serializer::MessagePack) => Some("wamp.2.msgpack"),
            Self::Wamp2(Serializer::Cbor) => Some("wamp.2.cbor"),
            Self::Bare | Self::Nats => None,
        }
    }

    /// Whether a client is welcome as soon as it has a WebSocket.
    pub(crate) fn welcomes_at_once(self) -> bool {
        self == Self::Bare
    }

    /// Whether messages end where they like, and not with a frame.
    pub(crate) fn is_stream(self) -> bool {
        self == Self::Nats
    }

    /// Reads a message, or for a stream one from its front, which is cut off.
    pub(crate) fn hear<'a>(self, input: &mut &'a [u8]) -> Result<Option<Said<'a>>> {
        if self.is_stream() {
            return nats::take(input);
        }
        let message = std::mem::take(input);
        match self {
            Self::Wamp1 => wamp1::hear(message),
            Self::Wamp2(serializer) => wamp2::hear(serializer, message),
            _ => bare::hear(message),
        }
        .map(Some)
    }

    /// What a client says to be welcome: at once, or in answer to a greeting.
    pub(crate) fn hello(self, out: &mut Vec<u8>) -> Result {
        match self {
            Self::Wamp2(serializer) => self.message(out, |out| wamp2::hello(serializer, out)),
            Self::Nats => self.message(out, nats::hello),
            Self::Wamp1 | Self::Bare => Ok(()),
        }
    }

    /// Answers [`Said::Ping`].
    pub(crate) fn pong(self, out: &mut Vec<u8>) -> Result {
        self.message(out, |out| out.extend_from_slice(b"PONG\r\n"))
    }

    /// Subscribes to a topic; [`Said::Settled`] follows when that is done.
    pub(crate) fn subscribe(self, out: &mut Vec<u8>, topic: u32) -> Result {
        match self {
            Self::Wamp1 => {
                self.message(out, |out| wamp1::subscribe(topic, out))?;
                frame::append(out, OpCode::Ping, |_| ())
            }
            Self::Wamp2(serializer) => self.message(out, |out| wamp2::subscribe(serializer, topic, out)),
            Self::Bare => {
                self.message(out, |out| bare::subscribe(topic, out))?;
                frame::append(out, OpCode::Ping, |_| ())
            }
            Self::Nats => self.message(out, |out| nats::subscribe(topic, out)),
        }
    }

    /// Publishes JSON. The requests of a connection count from 1.
    pub(crate) fn publish(self, out: &mut Vec<u8>, request: u64, topic: u32, event: &str) -> Result {
        self.message(out, |out| match self {
            Self::Wamp1 => wamp1::publish(topic, event, out),
            Self::Wamp2(serializer) => wamp2::publish(serializer, request, topic, event, out),
            Self::Bare => bare::publish(topic, event, out),
            Self::Nats => nats::publish(topic, event, out),
        })
    }

    /// Offers the procedure; [`Said::Settled`] follows when that is done.
    pub(crate) fn register(self, out: &mut Vec<u8>) -> Result {
        match self {
            Self::Wamp2(serializer) => self.message(out, |out| wamp2::register(serializer, out)),
            Self::Nats => self.message(out, nats::register),
            Self::Wamp1 | Self::Bare => Err("its clients can't offer procedures".into()),
        }
    }

    /// What a caller says before its first call; [`Said::Settled`] follows when that is done.
    pub(crate) fn prepare(self, out: &mut Vec<u8>, caller: u64) -> Result {
        match self {
            Self::Nats => self.message(out, |out| nats::prepare(caller, out)),
            _ => frame::append(out, OpCode::Ping, |_| ()),
        }
    }

    /// Asks for the sum of `caller` and `request`. The requests of a connection count from 1.
    pub(crate) fn call(self, out: &mut Vec<u8>, callee: Callee, caller: u64, request: u64) -> Result {
        let procedure = match callee {
            Callee::Server => SERVED,
            Callee::Client => OFFERED,
        };
        self.message(out, |out| match self {
            Self::Wamp1 => wamp1::call(procedure, caller, request, out),
            Self::Wamp2(serializer) => wamp2::call(serializer, procedure, caller, request, out),
            Self::Bare => bare::call(caller, request, out),
            Self::Nats => nats::call(caller, request, out),
        })
    }

    /// Answers an invocation.
    pub(crate) fn answer(self, out: &mut Vec<u8>, invocation: &Invocation<'_>) -> Result {
        let [a, b] = invocation.terms;
        let sum = a.wrapping_add(b);
        self.message(out, |out| match self {
            Self::Wamp2(serializer) => wamp2::answer(serializer, invocation.request, sum, out),
            _ => nats::answer(invocation.reply, sum, out),
        })
    }

    /// Appends a message in a frame.
    fn message(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result {
        let opcode = match self {
            Self::Wamp1 | Self::Wamp2(Serializer::Json) | Self::Bare => OpCode::Text,
            Self::Wamp2(_) | Self::Nats => OpCode::Binary,
        };
        frame::append(out, opcode, write)
    }
}

/// The URI of a topic.
fn topic_name(topic: u32) -> String {
    format!("bench.topic{topic}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clank_wire::ws;

    /// The messages in what a client would send, unmasked.
    fn sent(write: impl FnOnce(&mut Vec<u8>) -> Result) -> Vec<String> {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        let mut decoder = ws::Decoder::new(ws::Role::Server, ws::DecoderOptions::default());
        let (mut scratch, mut at, mut messages) = (ws::Scratch::new(), 0, Vec::new());
        while at < out.len() {
            let (used, event) = decoder.decode(&mut out[at..], &mut scratch).unwrap();
            at += used;
            match event {
                Some(ws::Event::Text(text)) => messages.push(text.to_owned()),
                Some(ws::Event::Binary(bytes)) => messages.push(String::from_utf8_lossy(bytes).into_owned()),
                Some(ws::Event::Ping(_)) => messages.push("ping".to_owned()),
                other => panic!("{other:?}"),
            }
        }
        messages
    }

    fn heard<'a>(protocol: Protocol, message: &'a [u8]) -> Said<'a> {
        let mut rest = message;
        let said = protocol.hear(&mut rest).unwrap().unwrap();
        assert!(rest.is_empty());
        said
    }

    #[test]
    fn each_protocol_has_its_words() {
        let json = Protocol::Wamp2(Serializer::Json);
        for (protocol, subscribe, publish, call) in [
            (
                Protocol::Wamp1,
                &[r#"[5,"bench.topic3"]"#, "ping"][..],
                r#"[7,"bench.topic3","x"]"#,
                r#"[2,"9","sample/add",4,9]"#,
            ),
            (
                json,
                &[r#"[32,1,{},"bench.topic3"]"#],
                r#"[16,9,{},"bench.topic3",["x"]]"#,
                r#"[48,9,{},"sample/add",[4,9]]"#,
            ),
            (
                Protocol::Bare,
                &[r#"["sub","bench.topic3"]"#, "ping"],
                r#"["pub","bench.topic3","x"]"#,
                r#"["call",9,4,9]"#,
            ),
            (
                Protocol::Nats,
                &["SUB bench.topic3 1\r\nPING\r\n"],
                "PUB bench.topic3 3\r\n\"x\"\r\n",
                "PUB bench.add _R.4.9 3\r\n4 9\r\n",
            ),
        ] {
            assert_eq!(sent(|out| protocol.subscribe(out, 3)), subscribe);
            assert_eq!(sent(|out| protocol.publish(out, 9, 3, r#""x""#)), [publish]);
            assert_eq!(sent(|out| protocol.call(out, Callee::Server, 4, 9)), [call]);
        }
    }

    #[test]
    fn answers_of_each_protocol_are_understood() {
        let json = Protocol::Wamp2(Serializer::Json);
        for (protocol, message, said) in [
            (Protocol::Wamp1, r#"[0,"id",1,"server"]"#, Said::Welcome),
            (Protocol::Wamp1, r#"[3,"9",13]"#, Said::Result { request: 9, value: 13 }),
            (Protocol::Wamp1, r#"[3,"9",[13]]"#, Said::Result { request: 9, value: 13 }),
            (json, r#"[2,7,{"roles":{}}]"#, Said::Welcome),
            (json, "[33,1,7]", Said::Settled),
            (json, "[50,9,{},[13]]", Said::Result { request: 9, value: 13 }),
            (
                json,
                "[68,5,7,{},[4,9]]",
                Said::Invocation(Invocation { request: 5, terms: [4, 9], reply: "" }),
            ),
            (Protocol::Bare, r#"["result",9,13]"#, Said::Result { request: 9, value: 13 }),
            (Protocol::Nats, "PONG\r\n", Said::Settled),
            (Protocol::Nats, "PING\r\n", Said::Ping),
            (Protocol::Nats, "INFO {}\r\n", Said::Greeting),
            (Protocol::Nats, "MSG _R.4.9 2 2\r\n13\r\n", Said::Result { request: 9, value: 13 }),
            (
                Protocol::Nats,
                "MSG bench.add 1 _R.4.9 3\r\n4 9\r\n",
                Said::Invocation(Invocation { request: 0, terms: [4, 9], reply: "_R.4.9" }),
            ),
        ] {
            assert_eq!(heard(protocol, message.as_bytes()), said, "{message}");
        }
        for (protocol, message) in [
            (Protocol::Wamp1, r#"[8,"bench.topic3","x"]"#),
            (json, r#"[36,7,8,{},["x"]]"#),
            (json, r#" [36, 7, 8, {}, ["x"]]"#),
            (Protocol::Bare, r#"["event","bench.topic3","x"]"#),
            (Protocol::Nats, "MSG bench.topic3 1 3\r\n\"x\"\r\n"),
        ] {
            assert!(matches!(heard(protocol, message.as_bytes()), Said::Event(_)), "{message}");
        }
    }

    #[test]
    fn errors_are_shown_as_they_came() {
        let json = Protocol::Wamp2(Serializer::Json);
        for (protocol, message) in [
            (Protocol::Wamp1, r#"[4,"9","some:error","why"]"#),
            (json, r#"[3,{},"some:error"]"#),
            (json, r#"[8,48,9,{},"some:error"]"#),
            (Protocol::Bare, "some:error"),
            (Protocol::Nats, "-ERR 'some:error'\r\n"),
        ] {
            let error = protocol.hear(&mut message.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("some:error"), "{message}: {error}");
        }
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let message = b"MSG bench.topic3 1 5\r\n\"a\r\n\"\r\nPING\r\n";
        for cut in 0..message.len() - 6 {
            let mut rest = &message[..cut];
            assert_eq!(Protocol::Nats.hear(&mut rest).unwrap(), None, "{cut} bytes");
            assert_eq!(rest.len(), cut);
        }
        let mut rest = &message[..];
        assert_eq!(Protocol::Nats.hear(&mut rest).unwrap(), Some(Said::Event(b"\"a\r\n\"")));
        assert_eq!(Protocol::Nats.hear(&mut rest).unwrap(), Some(Said::Ping));
    }
}
