//! The state of a session.

use std::borrow::Cow;
use std::sync::Arc;

use clank_wire::wamp1::{self as wire, ClientMessage, Malformed, MessageType, Welcome};

use super::prefixes::Prefixes;
use super::{Call, Fault, Options, Procedure, Recipients, Request, SessionId, Violation};
use crate::topic::Uri;

/// A session of WAMP v1, on the server's side.
///
/// It has no more state than its id and the prefixes that the client defined. Subscriptions and
/// calls in flight are kept by those who serve them.
///
/// ```
/// use clank_core::wamp1::{Action, Options, Request, Session, SessionId};
///
/// let mut session = Session::new(SessionId::from_random([1; 8]), Options::default().into());
/// session.receive(r#"[1, "chat", "http://example.com/chat/"]"#)?;
/// let Request::Subscribe { topic } = session.receive(r#"[5, "chat:room"]"#)? else {
///     panic!("a SUBSCRIBE");
/// };
/// assert_eq!(topic.as_str(), "http://example.com/chat/room");
///
/// let violation = session.receive("[5, null]").unwrap_err();
/// assert_eq!(violation.action, Action::Close(1007));
/// assert_eq!(
///     violation.to_string(),
///     "SUBSCRIBE needs a topic URI as its second element, got null",
/// );
/// # Ok::<(), clank_core::wamp1::Violation>(())
/// ```
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    options: Arc<Options>,
    /// Most clients define none.
    prefixes: Option<Box<Prefixes>>,
}

impl Session {
    /// A session that nothing has been received on.
    pub const fn new(id: SessionId, options: Arc<Options>) -> Self {
        Session { id, options, prefixes: None }
    }

    /// The session's id.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// How many prefixes the client has defined.
    pub fn prefix_count(&self) -> usize {
        self.prefixes.as_ref().map_or(0, |prefixes| prefixes.count())
    }

    /// How many bytes the prefixes and what they stand for have.
    pub fn prefix_bytes(&self) -> usize {
        self.prefixes.as_ref().map_or(0, |prefixes| prefixes.bytes())
    }

    /// Appends the WELCOME, which must be the first that the client gets. `server` is the name and
    /// version of the server.
    pub fn welcome(&self, server: &str, out: &mut Vec<u8>) {
        Welcome { session_id: self.id.to_string().into(), server: server.into() }.encode(out);
    }

    /// Takes the text of a frame.
    ///
    /// # Errors
    /// When the client broke the rules. The session is then as it was, and can go on if the
    /// violation's action says so.
    pub fn receive<'a>(&mut self, text: &'a str) -> Result<Request<'a>, Violation> {
        self.accept(text).map_err(|fault| Violation::new(fault, self.options.on_malformed))
    }

    /// Takes a binary frame, which is never right.
    pub fn receive_binary(&self) -> Violation {
        Violation::new(Malformed::Binary.into(), self.options.on_malformed)
    }

    fn accept<'a>(&mut self, text: &'a str) -> Result<Request<'a>, Fault> {
        Ok(match ClientMessage::decode(text)? {
            ClientMessage::Prefix(prefix) => self.define(&prefix)?,
            ClientMessage::Subscribe(subscribe) => {
                Request::Subscribe { topic: self.uri(subscribe.topic, MessageType::Subscribe)? }
            }
            ClientMessage::Unsubscribe(unsubscribe) => {
                Request::Unsubscribe { topic: self.uri(unsubscribe.topic, MessageType::Unsubscribe)? }
            }
            ClientMessage::Publish(publish) => self.publish(publish)?,
            ClientMessage::Call(call) => self.call(call)?,
        })
    }

    fn define(&mut self, message: &wire::Prefix<'_>) -> Result<Request<'static>, Fault> {
        let prefixes = self.prefixes.get_or_insert_default();
        prefixes.define(&message.prefix, &message.uri, &self.options)?;
        Ok(Request::Prefix)
    }

    fn publish<'a>(&self, message: wire::Publish<'a>) -> Result<Request<'a>, Fault> {
        let topic = self.uri(message.topic, MessageType::Publish)?;
        let recipients = Recipients::new(message.exclude, message.eligible, &self.options)?;
        Ok(Request::Publish { topic, payload: message.event, recipients })
    }

    fn call<'a>(&self, message: wire::Call<'a>) -> Result<Request<'a>, Fault> {
        let (bytes, max_bytes) = (message.id.len(), self.options.max_call_id_bytes);
        if bytes > max_bytes {
            return Err(Fault::CallIdTooLong { bytes, max_bytes });
        }
        let params = message.params();
        let procedure = Procedure::new(self.uri(message.procedure, MessageType::Call)?);
        Ok(Request::Call(Call { id: message.id, procedure, arguments: message.arguments, params }))
    }

    /// The full URI that a message names.
    fn uri<'a>(&self, text: Cow<'a, str>, message: MessageType) -> Result<Uri<'a>, Fault> {
        let text = match &self.prefixes {
            None => text,
            Some(prefixes) => prefixes.resolve(text),
        };
        Uri::parse(text, self.options.max_uri_bytes).map_err(|error| Fault::Uri { message, error })
    }
}
