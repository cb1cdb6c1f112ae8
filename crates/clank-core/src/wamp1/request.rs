//! What a client asks for.

use std::borrow::Cow;

use clank_wire::json::List;
use clank_wire::payload::Payload;
use clank_wire::wamp1::Params;

use super::Recipients;
use crate::topic::Uri;

/// What a client asks for, its URIs resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// A prefix was defined: nothing is left to do.
    Prefix,
    /// The client wants the topic's events. If it has them already, nothing changes.
    Subscribe {
        /// The topic.
        topic: Uri<'a>,
    },
    /// The client wants the topic's events no more. If it never did, nothing changes.
    Unsubscribe {
        /// The topic.
        topic: Uri<'a>,
    },
    /// The client publishes, to a topic to which it need not have subscribed.
    Publish {
        /// The topic.
        topic: Uri<'a>,
        /// The event.
        payload: Payload<'a>,
        /// Who of the subscribers hears it.
        recipients: Recipients<'a>,
    },
    /// The client calls a procedure, and waits for exactly one answer.
    Call(Call<'a>),
}

/// A call of a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// What the caller knows the call by. It says nothing to the server; a caller may use one
    /// twice.
    pub id: Cow<'a, str>,
    /// What is called.
    pub procedure: Procedure<'a>,
    /// The arguments as the caller listed them.
    pub arguments: List<'a>,
    /// The arguments as the procedure gets them: one that is an array or an object takes the
    /// place of the list.
    pub params: Params<'a>,
}

/// The URI of a procedure.
///
/// ```
/// use clank_core::{topic::Uri, wamp1::Procedure};
///
/// let procedure = Procedure::new(Uri::parse("sample/add_func", 1024)?);
/// assert_eq!(procedure.address(), Some(("sample", "add_func")));
/// assert_eq!(Procedure::new(Uri::parse("sample", 1024)?).address(), None);
/// # Ok::<(), clank_core::topic::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure<'a>(Uri<'a>);

impl<'a> Procedure<'a> {
    /// Takes the URI for a procedure's.
    pub const fn new(uri: Uri<'a>) -> Self {
        Procedure(uri)
    }

    /// What was called, prefix resolved: the error URI if the call fails.
    pub const fn uri(&self) -> &Uri<'a> {
        &self.0
    }

    /// The procedure without a borrow.
    pub fn into_owned(self) -> Procedure<'static> {
        Procedure(self.0.into_owned())
    }

    /// The service and its method: the first two segments between slashes. Further ones are
    /// ignored, as in the bundle. `None` if either is missing or empty.
    pub fn address(&self) -> Option<(&str, &str)> {
        let mut segments = self.0.as_str().split('/');
        let service = segments.next().filter(|service| !service.is_empty())?;
        let method = segments.next().filter(|method| !method.is_empty())?;
        Some((service, method))
    }
}
