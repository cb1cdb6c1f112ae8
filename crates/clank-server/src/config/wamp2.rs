//! `[wamp2]`: the realms that clients of WAMP v2 join.

use std::borrow::Cow;

use clank::wamp2::{Bounds, Match, Pattern, Realm, Rules};
use clank_core::limits::{Count, GIB, KIB, MIB, Size};
use clank_wire::wamp2::Uri;

use super::value::Word;

/// `[wamp2]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wamp2Settings {
    /// Where clients of WAMP v1 are, and where the HTTP API publishes.
    pub realm: RealmName,
    /// The others.
    pub realms: Vec<RealmName>,
    /// The topics whose last events every realm keeps.
    pub history: Vec<HistoryTopics>,
    /// How many each of those keeps.
    pub history_events: Count<1, 1_000_000>,
    /// Of how many bytes.
    pub history_bytes: Size<KIB, { 16 * GIB }>,
}

/// A topic, or a pattern of topics, whose events are kept together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryTopics(Pattern<'static>);

/// The URI of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmName(String);

impl Wamp2Settings {
    /// A realm of that name that keeps what is set up.
    pub fn realm(&self, name: &RealmName) -> Realm {
        let bounds = Bounds { events: self.history_events.count(), bytes: self.history_bytes.bytes() };
        let topics = self.history.iter().map(|topics| topics.0.clone());
        topics.fold(Realm::new(name.as_str()), |realm, topics| realm.history(topics, bounds))
    }
}

impl RealmName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Wamp2Settings {
    fn default() -> Self {
        Self {
            realm: RealmName("realm1".into()),
            realms: Vec::new(),
            history: Vec::new(),
            history_events: Count::of(1_000),
            history_bytes: Size::of(MIB),
        }
    }
}

impl Word for RealmName {
    const SYNTAX: &'static str =
        "the name of a realm, such as `com.example.app`: no white space, no `#`, no empty part between dots";

    fn read(text: &str) -> Option<Self> {
        let uri = Uri::parse(text, Rules::Loose).ok()?;
        (!uri.is_reserved()).then(|| Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.as_str().into()
    }
}

impl Word for HistoryTopics {
    const SYNTAX: &'static str = "the URI of a topic, such as `com.example.chat`; the beginning of URIs and `*`, as in `com.example.*`; or a URI with empty parts that stand for any, as in `com..created`";

    fn read(text: &str) -> Option<Self> {
        let (uri, matching) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, Match::Prefix),
            None if text.split('.').any(str::is_empty) => (text, Match::Wildcard),
            None => (text, Match::Exact),
        };
        Pattern::parse(uri.to_owned(), matching, Rules::Loose).ok().map(Self)
    }

    fn text(&self) -> Cow<'_, str> {
        match self.0.matching() {
            Match::Prefix => format!("{}*", self.0.as_str()).into(),
            Match::Exact | Match::Wildcard => self.0.as_str().into(),
        }
    }
}

super::value::words!(RealmName);
