//! Which events a sink hears of.

use clank_core::event::EventKind;

use super::record::Head;

/// Which events a sink hears of; by default all that the journal keeps.
///
/// ```
/// use clank_core::event::EventKind;
/// use clank_journal::delivery::Filter;
///
/// let filter = Filter::new().kinds([EventKind::Connected]).path("/chat");
/// assert!(filter.hears(EventKind::Disconnected), "they come in pairs");
/// ```
///
/// A filter selects connections, not single events: of whose `connected` a sink hears, of their
/// `disconnected` it hears too. [`Gap`](EventKind::Gap) is kept from nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: Option<u32>,
    paths: Vec<Box<str>>,
    topics: Vec<Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Topic {
    Is(Box<str>),
    BeginsWith(Box<str>),
}

impl Filter {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these kinds. [`Connected`](EventKind::Connected) and
    /// [`Disconnected`](EventKind::Disconnected) bring each other along, and so do
    /// [`Online`](EventKind::Online) and [`Offline`](EventKind::Offline).
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        let chosen = kinds.into_iter().fold(bit(EventKind::Gap), |bits, kind| bits | pair(kind));
        self.kinds = Some(chosen);
        self
    }

    /// Only connections on this path, or on one below it, or on another that was named so; what
    /// belongs to no connection passes.
    #[must_use]
    pub fn path(mut self, path: impl Into<Box<str>>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Of topic events only those of this topic, or of another that was named.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<Box<str>>) -> Self {
        self.topics.push(Topic::Is(topic.into()));
        self
    }

    /// Of topic events only those of topics that begin so, or of others that were named.
    #[must_use]
    pub fn topics(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.topics.push(Topic::BeginsWith(prefix.into()));
        self
    }

    /// Whether it lets events of this kind pass, if the rest fits.
    pub fn hears(&self, kind: EventKind) -> bool {
        self.kinds.is_none_or(|kinds| kinds & bit(kind) != 0)
    }

    pub(super) fn passes(&self, kind: EventKind, head: &Head<'_>) -> bool {
        self.hears(kind) && self.path_passes(kind, head) && self.topic_passes(kind, head)
    }

    fn path_passes(&self, kind: EventKind, head: &Head<'_>) -> bool {
        let lies_in = |path: &str| self.paths.iter().any(|chosen| lies_in(path, chosen));
        self.paths.is_empty() || !has_path(kind) || head.path.as_deref().is_some_and(lies_in)
    }

    fn topic_passes(&self, kind: EventKind, head: &Head<'_>) -> bool {
        if !matches!(kind, EventKind::Subscribed | EventKind::Unsubscribed) {
            return true;
        }
        let topic = head.topic.as_deref().unwrap_or_default();
        let fits = |chosen: &Topic| match chosen {
            Topic::Is(name) => topic == &**name,
            Topic::BeginsWith(prefix) => topic.starts_with(&**prefix),
        };
        self.topics.is_empty() || self.topics.iter().any(fits)
    }
}

/// Whether `path` is `chosen`, or lies below it.
fn lies_in(path: &str, chosen: &str) -> bool {
    let below = path.strip_prefix(chosen);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || chosen.ends_with('/'))
}

fn bit(kind: EventKind) -> u32 {
    1 << kind as u32
}

fn pair(kind: EventKind) -> u32 {
    bit(kind)
        | match kind {
            EventKind::Connected => bit(EventKind::Disconnected),
            EventKind::Disconnected => bit(EventKind::Connected),
            EventKind::Online => bit(EventKind::Offline),
            EventKind::Offline => bit(EventKind::Online),
            _ => 0,
        }
}

/// Whether events of this kind tell of a request.
fn has_path(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Connected
            | EventKind::Disconnected
            | EventKind::Error
            | EventKind::Rejected
            | EventKind::Subscribed
            | EventKind::Unsubscribed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filter: &Filter, kind: EventKind, path: Option<&str>, topic: Option<&str>) -> bool {
        let head =
            Head { id: "".into(), time: "".into(), path: path.map(Into::into), topic: topic.map(Into::into) };
        filter.passes(kind, &head)
    }

    #[test]
    fn connected_and_disconnected_go_together() {
        for one in [EventKind::Connected, EventKind::Disconnected] {
            let filter = Filter::new().kinds([one]);
            assert!(filter.hears(EventKind::Connected) && filter.hears(EventKind::Disconnected));
            assert!(!filter.hears(EventKind::Error));
        }
        let none = Filter::new().kinds([]);
        assert!(!none.hears(EventKind::Connected));
        assert!(none.hears(EventKind::Gap), "what is lost is kept from nobody");
    }

    #[test]
    fn a_path_selects_all_events_of_its_connections() {
        let filter = Filter::new().path("/chat");
        for kind in [EventKind::Connected, EventKind::Disconnected, EventKind::Subscribed] {
            assert!(passes(&filter, kind, Some("/chat/1"), Some("t")));
            assert!(passes(&filter, kind, Some("/chat"), Some("t")));
            assert!(!passes(&filter, kind, Some("/game"), Some("t")));
            assert!(!passes(&filter, kind, Some("/chatter"), Some("t")), "a path has parts");
            assert!(passes(&filter.clone().path("/game"), kind, Some("/game"), Some("t")));
            assert!(passes(&Filter::new().path("/"), kind, Some("/any"), Some("t")));
            assert!(!passes(&filter, kind, None, Some("t")));
        }
        for kind in [EventKind::Launched, EventKind::Online, EventKind::Gap] {
            assert!(passes(&filter, kind, None, None), "{kind}");
        }
    }

    #[test]
    fn a_topic_selects_topic_events_alone() {
        let exact = Filter::new().topic("a.b");
        let prefix = Filter::new().topics("a.");
        let either = exact.clone().topics("c.");
        assert!(passes(&either, EventKind::Subscribed, None, Some("c.d")));
        assert!(passes(&either, EventKind::Subscribed, None, Some("a.b")));
        assert!(passes(&exact, EventKind::Subscribed, None, Some("a.b")));
        assert!(!passes(&exact, EventKind::Subscribed, None, Some("a.b.c")));
        assert!(passes(&prefix, EventKind::Unsubscribed, None, Some("a.b.c")));
        assert!(!passes(&prefix, EventKind::Unsubscribed, None, Some("b")));
        assert!(passes(&exact, EventKind::Connected, Some("/"), None));
    }
}
