//! What a rule is made of.

use clank_wire::wamp2::{Pattern, reason};

/// What some clients may do, or may not, to the URIs of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which clients.
    pub who: Who,
    /// What they do.
    pub actions: Actions,
    /// To which URIs.
    pub pattern: Pattern<'static>,
    /// Whether they may.
    pub effect: Effect,
    /// Whether others learn who publishes or calls.
    pub disclose: Disclose,
}

/// Whom a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// All clients.
    Everyone,
    /// Those who act in the role.
    Role(Box<str>),
    /// The user of that name.
    Authid(Box<str>),
}

/// What a client does to a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Subscribe to topics.
    Subscribe,
    /// Publish to a topic.
    Publish,
    /// Register procedures.
    Register,
    /// Call a procedure.
    Call,
}

/// A set of actions.
///
/// ```
/// use clank_core::wamp2::authorize::{Action, Actions};
///
/// let actions = Actions::from_iter([Action::Publish, Action::Subscribe]);
/// assert!(actions.has(Action::Publish) && !actions.has(Action::Call));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// Whether others learn who publishes or calls. Where several rules allow, the last of these that
/// one of them says holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disclose {
    /// If the client asks for it, by `disclose_me`.
    #[default]
    AsAsked,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The client wants others to learn who it is, and may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("who publishes or calls is not disclosed here")]
pub struct DiscloseRefused;

impl Rule {
    /// A rule by which others learn who a client is if it asks for that.
    pub fn new(
        who: Who,
        actions: impl IntoIterator<Item = Action>,
        pattern: Pattern<'static>,
        effect: Effect,
    ) -> Self {
        let actions = actions.into_iter().collect();
        Rule { who, actions, pattern, effect, disclose: Disclose::AsAsked }
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Action; 4] = [Action::Subscribe, Action::Publish, Action::Register, Action::Call];

    /// The word that settings have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Subscribe => "subscribe",
            Action::Publish => "publish",
            Action::Register => "register",
            Action::Call => "call",
        }
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl Actions {
    /// Whether the action is among them.
    pub const fn has(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Actions(actions.into_iter().fold(0, |set, action| set | 1 << action as u8))
    }
}

impl Effect {
    /// The word that settings have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }

    /// The effect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Effect::Allow, Effect::Deny].into_iter().find(|effect| effect.name() == name)
    }
}

impl Disclose {
    /// Whether others learn who a client is that has asked for it or hasn't.
    ///
    /// # Errors
    /// When it has asked and may not: the request is refused.
    pub const fn resolve(self, asked: bool) -> Result<bool, DiscloseRefused> {
        match (self, asked) {
            (Disclose::AsAsked, asked) => Ok(asked),
            (Disclose::Always, _) => Ok(true),
            (Disclose::Never, false) => Ok(false),
            (Disclose::Never, true) => Err(DiscloseRefused),
        }
    }

    /// The word that settings have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Disclose::AsAsked => "as_asked",
            Disclose::Always => "always",
            Disclose::Never => "never",
        }
    }

    /// The setting of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Disclose::AsAsked, Disclose::Always, Disclose::Never].into_iter().find(|known| known.name() == name)
    }
}

impl DiscloseRefused {
    /// The URI of the error that answers the request.
    pub const fn uri(self) -> &'static str {
        reason::OPTION_DISALLOWED_DISCLOSE_ME
    }
}
