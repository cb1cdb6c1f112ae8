//! Whom a PUBLISH is for, as its sender said it.

use std::borrow::Cow;

use clank_wire::wamp1::{Exclude, SessionList};

use super::{EmptyEligible, Fault, Options, SessionId};
use crate::subscription::{Audience, Connections};

/// Whom a PUBLISH is for: (subscribers ∩ eligible) − exclude, in terms of session ids.
///
/// A list of sessions to exclude overrides what is said or assumed about the publisher itself:
/// then it is excluded only if it is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients<'a> {
    excludes_publisher: bool,
    exclude: Option<SessionList<'a>>,
    eligible: Option<SessionList<'a>>,
}

impl<'a> Recipients<'a> {
    pub(super) fn new(
        exclude: Exclude<'a>,
        eligible: Option<SessionList<'a>>,
        options: &Options,
    ) -> Result<Self, Fault> {
        let (excludes_publisher, exclude) = match exclude {
            Exclude::Unsaid => (!options.publisher_receives, None),
            Exclude::Me(excluded) => (excluded, None),
            Exclude::Sessions(list) => (false, Some(list)),
        };
        let max = options.max_listed_sessions;
        for (list, what) in [(&exclude, "exclude"), (&eligible, "eligible")] {
            let count = list.as_ref().map_or(0, SessionList::count);
            if count > max {
                return Err(Fault::TooManySessions { what, count, max });
            }
        }
        let everyone = options.empty_eligible == EmptyEligible::Everyone;
        let eligible = eligible.filter(|list| !(everyone && list.count() == 0));
        Ok(Recipients { excludes_publisher, exclude, eligible })
    }

    /// Whether sessions are named beside the publisher's own, whether there are such or not.
    pub fn names_sessions(&self) -> bool {
        self.eligible.is_some() || self.exclude.as_ref().is_some_and(|list| list.count() > 0)
    }

    /// The connections that the session ids stand for. `connection_of` finds one; an id that no
    /// session has, or that is none, is nobody's.
    ///
    /// ```
    /// use clank_core::wamp1::{Options, Request, Session, SessionId};
    ///
    /// let id = SessionId::from_random([7; 8]);
    /// let mut session = Session::new(id, Options::default().into());
    /// let text = format!(r#"[7, "chat", "hello", ["{id}"]]"#);
    /// let Ok(Request::Publish { recipients, .. }) = session.receive(&text) else {
    ///     panic!("a PUBLISH");
    /// };
    /// let audience = recipients.resolve(42, |session| (session == id).then_some(42));
    /// assert!(!audience.has(42) && audience.has(43));
    /// ```
    pub fn resolve(&self, publisher: u64, connection_of: impl Fn(SessionId) -> Option<u64>) -> Audience {
        let resolve = |list: &SessionList<'_>| -> Connections {
            let connection = |id: Cow<'_, str>| connection_of(id.parse().ok()?);
            list.iter().filter_map(connection).collect()
        };
        let mut audience = match self.excludes_publisher {
            true => Audience::everyone_but(publisher),
            false => Audience::everyone(),
        };
        if let Some(list) = &self.exclude {
            audience.exclude = resolve(list);
        }
        audience.eligible = self.eligible.as_ref().map(resolve);
        audience
    }
}
