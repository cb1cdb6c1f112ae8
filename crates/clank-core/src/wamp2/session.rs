//! A session of WAMP v2, once it has been welcomed.

use std::borrow::Cow;

use clank_wire::wamp2::{self as wire, ClientMessage, Codec, Id, Match, MessageType, Pattern, Rules, reason};

use super::{Call, Fault, Publish, Refusal, Register, Request, Subscribe};
use crate::topic::Uri;

/// What can be configured of WAMP v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which characters a URI's components may have.
    pub rules: Rules,
    /// The longest URI, in bytes.
    pub max_uri_bytes: usize,
    /// The most sessions and roles that one list of a publication names.
    pub max_listed_sessions: usize,
}

/// A session of WAMP v2, once it has been welcomed: what its messages ask for.
///
/// ```
/// use clank_core::wamp2::{Options, Received, Request, Session};
/// use clank_wire::{serializer::Serializer, wamp2::Codec};
///
/// let codec = Codec { serializer: Serializer::Json, batched: false };
/// let session = Session::new(codec, Options::default());
/// let received = session.receive(br#"[32, 1, {}, "com.example.chat"]"#)?;
/// assert!(matches!(received, Received::Request(Request::Subscribe(_))));
/// assert!(session.receive(br#"[1, "realm1", {"roles": {}}]"#).is_err());
/// # Ok::<(), clank_core::wamp2::Fault>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Session {
    codec: Codec,
    options: Options,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is handled where it was read; a box is an allocation")]
pub enum Received<'a> {
    /// Something is asked for.
    Request(Request<'a>),
    /// It is asked for in vain.
    Refused(Refusal),
}

impl Default for Options {
    fn default() -> Self {
        let max_uri_bytes = Uri::DEFAULT_MAX_BYTES;
        Options { rules: Rules::Loose, max_uri_bytes, max_listed_sessions: 1000 }
    }
}

impl Session {
    /// A session that has been welcomed.
    pub const fn new(codec: Codec, options: Options) -> Self {
        Session { codec, options }
    }

    /// How its messages are framed.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Reads one message.
    ///
    /// # Errors
    /// When it ends the session: the bytes are no message, or one that has no place here.
    pub fn receive<'a>(&self, message: &'a [u8]) -> Result<Received<'a>, Fault> {
        let request = match ClientMessage::decode(self.codec.serializer, message)? {
            ClientMessage::Subscribe(message) => return Ok(self.subscribe(message)),
            ClientMessage::Publish(message) => return Ok(self.publish(message)),
            ClientMessage::Call(message) => return Ok(self.call(message)),
            ClientMessage::Register(message) => return Ok(self.register(message)),
            ClientMessage::Unsubscribe(message) => Request::Unsubscribe(message),
            ClientMessage::Unregister(message) => Request::Unregister(message),
            ClientMessage::Cancel(message) => Request::Cancel(message),
            ClientMessage::Yield(message) => Request::Yield(message),
            ClientMessage::Error(message) => Request::Failed(message),
            ClientMessage::Goodbye(message) => Request::Goodbye(message.reason),
            ClientMessage::Abort(message) => Request::Abort(message.reason),
            ClientMessage::Hello(_) => return Err(out_of_place(MessageType::Hello)),
            ClientMessage::Authenticate(_) => return Err(out_of_place(MessageType::Authenticate)),
        };
        Ok(Received::Request(request))
    }

    fn subscribe<'a>(&self, message: wire::Subscribe<'a>) -> Received<'a> {
        let wire::Subscribe { request, options, topic } = message;
        match self.uri(topic, options.matching) {
            Ok(topic) => {
                let wire::SubscribeOptions { matching, get_retained, .. } = options;
                Received::Request(Request::Subscribe(Subscribe { request, topic, matching, get_retained }))
            }
            Err(why) => invalid(MessageType::Subscribe, request, why, false),
        }
    }

    fn publish<'a>(&self, message: wire::Publish<'a>) -> Received<'a> {
        let wire::Publish { request, options, topic, payload } = message;
        let silent = !options.acknowledge;
        let max = self.options.max_listed_sessions;
        if options.longest_list() > max {
            let reason = format!("a list of a PUBLISH has more than {max} entries").into();
            let (request_type, uri) = (MessageType::Publish, reason::INVALID_ARGUMENT);
            return Received::Refused(Refusal { request_type, request, uri, reason, silent });
        }
        match self.own_uri(topic, Match::Exact) {
            Ok(topic) => Received::Request(Request::Publish(Publish { request, topic, options, payload })),
            Err(why) => invalid(MessageType::Publish, request, why, silent),
        }
    }

    fn call<'a>(&self, message: wire::Call<'a>) -> Received<'a> {
        let wire::Call { request, options, procedure, payload } = message;
        match self.uri(procedure, Match::Exact) {
            Ok(procedure) => Received::Request(Request::Call(Call { request, procedure, options, payload })),
            Err(why) => invalid(MessageType::Call, request, why, false),
        }
    }

    fn register<'a>(&self, message: wire::Register<'a>) -> Received<'a> {
        let wire::Register { request, options, procedure } = message;
        match self.own_uri(procedure, options.matching) {
            Ok(procedure) => Received::Request(Request::Register(Register { request, procedure, options })),
            Err(why) => invalid(MessageType::Register, request, why, false),
        }
    }

    /// A URI that the rules and the limits allow; or why not, in words.
    fn uri<'a>(&self, text: Cow<'a, str>, matching: Match) -> Result<Uri<'a>, String> {
        let rules = self.options.rules;
        let checked = match matching {
            Match::Exact => wire::Uri::parse(&*text, rules).map(drop),
            Match::Prefix | Match::Wildcard => Pattern::parse(&*text, matching, rules).map(drop),
        };
        checked.map_err(|error| format!("the URI {error}"))?;
        Uri::parse(text, self.options.max_uri_bytes).map_err(|error| format!("the URI {error}"))
    }

    /// The same, of what a client may publish on or offer: not what WAMP itself has.
    fn own_uri<'a>(&self, text: Cow<'a, str>, matching: Match) -> Result<Uri<'a>, String> {
        let uri = self.uri(text, matching)?;
        match uri.as_str().split('.').next() {
            Some("wamp") => Err("URIs that begin with 'wamp' are WAMP's own".into()),
            _ => Ok(uri),
        }
    }
}

fn out_of_place(message: MessageType) -> Fault {
    Fault::Order { message, state: "the session has begun" }
}

fn invalid(request_type: MessageType, request: Id, why: String, silent: bool) -> Received<'static> {
    let (uri, reason) = (reason::INVALID_URI, why.into());
    Received::Refused(Refusal { request_type, request, uri, reason, silent })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use clank_wire::serializer::Serializer;

    use super::*;

    fn session() -> Session {
        Session::new(Codec { serializer: Serializer::Json, batched: false }, Options::default())
    }

    /// The error that the request is refused with.
    fn refused(message: &str) -> Option<(&'static str, bool)> {
        match session().receive(message.as_bytes()).unwrap() {
            Received::Refused(refusal) => Some((refusal.uri, refusal.silent)),
            Received::Request(_) => None,
        }
    }

    #[test]
    fn uris_are_checked_where_they_are_used() {
        let invalid = Some((reason::INVALID_URI, false));
        let cases = [
            (r#"[32,1,{},"a.b"]"#, None),
            (r#"[32,1,{},"a..b"]"#, invalid),
            (r#"[32,1,{"match":"wildcard"},"a..b"]"#, None),
            (r#"[32,1,{"match":"prefix"},"a."]"#, None),
            (r#"[32,1,{},"wamp.session.on_join"]"#, None),
            (r#"[32,1,{},"a b"]"#, invalid),
            (r#"[16,1,{"acknowledge":true},"wamp.a"]"#, invalid),
            (r#"[16,1,{},"wamp.a"]"#, Some((reason::INVALID_URI, true))),
            (r#"[16,1,{},"chat/room"]"#, None),
            (r#"[48,1,{},"sample/add_func"]"#, None),
            (r#"[48,1,{},""]"#, invalid),
            (r#"[64,1,{},"wamp.session.count"]"#, invalid),
            (r#"[64,1,{},"wampum.a"]"#, None),
        ];
        for (message, expected) in cases {
            assert_eq!(refused(message), expected, "{message}");
        }
        assert_eq!(refused(&format!(r#"[48,1,{{}},"{}"]"#, "a".repeat(1025))), invalid);
    }

    #[test]
    fn what_begins_a_session_does_not_go_on_with_it() {
        for message in [r#"[1,"realm1",{"roles":{}}]"#, r#"[5,"signature",{}]"#] {
            let fault = session().receive(message.as_bytes()).unwrap_err();
            assert!(matches!(fault, Fault::Order { .. }) && !fault.is_malformed(), "{fault}");
        }
        for message in ["", "[]", "[2,1,{}]", "[99]", "{}", r#"[32,0,{},"a"]"#] {
            assert!(session().receive(message.as_bytes()).unwrap_err().is_malformed(), "{message}");
        }
    }
}
