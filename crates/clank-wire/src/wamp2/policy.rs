//! The words of options: how URIs match, who is invoked, how a call is cancelled.

/// How the URI of a subscription or registration is compared with that of an event or call
/// (specification: "Pattern-based Subscriptions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Match {
    /// The URIs are equal.
    #[default]
    Exact,
    /// The one begins with the other, whose end need not be that of a component.
    Prefix,
    /// Components are equal, and those that are empty in the pattern match any.
    Wildcard,
}

/// Which of several callees is invoked (specification: "Shared Registration").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Invoke {
    /// There can't be several.
    #[default]
    Single,
    /// The one that registered first.
    First,
    /// The one that registered last.
    Last,
    /// Each in turn.
    RoundRobin,
    /// Any.
    Random,
}

/// How a call is cancelled (specification: "Call Canceling").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelMode {
    /// The caller gets its error at once, the callee hears nothing.
    Skip,
    /// The callee is interrupted, and the caller gets what the callee then answers.
    Kill,
    /// The callee is interrupted, and the caller gets its error at once.
    KillNoWait,
}

impl Match {
    pub(super) const WORDS: &'static str = "'exact', 'prefix' or 'wildcard'";

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Match::Exact, Match::Prefix, Match::Wildcard].into_iter().find(|policy| policy.name() == name)
    }

    /// The name that options have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Match::Exact => "exact",
            Match::Prefix => "prefix",
            Match::Wildcard => "wildcard",
        }
    }
}

impl Invoke {
    pub(super) const WORDS: &'static str = "'single', 'first', 'last', 'roundrobin' or 'random'";

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Invoke::Single, Invoke::First, Invoke::Last, Invoke::RoundRobin, Invoke::Random];
        all.into_iter().find(|policy| policy.name() == name)
    }

    /// The name that options have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Invoke::Single => "single",
            Invoke::First => "first",
            Invoke::Last => "last",
            Invoke::RoundRobin => "roundrobin",
            Invoke::Random => "random",
        }
    }
}

impl CancelMode {
    pub(super) const WORDS: &'static str = "'skip', 'kill' or 'killnowait'";

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait];
        all.into_iter().find(|mode| mode.name() == name)
    }

    /// The name that options have for it.
    pub const fn name(self) -> &'static str {
        match self {
            CancelMode::Skip => "skip",
            CancelMode::Kill => "kill",
            CancelMode::KillNoWait => "killnowait",
        }
    }
}
