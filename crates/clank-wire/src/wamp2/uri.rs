//! URIs and patterns of them, by the rules that WAMP v2 has for them.

use std::borrow::Cow;
use std::fmt;

use super::Match;

/// Which characters a component may have (specification: "URIs").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rules {
    /// All but white space, `#` and the dot between components.
    #[default]
    Loose,
    /// Small letters, digits and `_`.
    Strict,
}

/// A URI of a topic, procedure, error or realm: components that are not empty, with dots between
/// them.
///
/// How long one may be is for the session to say; no message is longer than its limit.
///
/// ```
/// use clank_wire::wamp2::{Rules, Uri};
///
/// let uri = Uri::parse("com.example.add2", Rules::Strict)?;
/// assert!(!uri.is_reserved());
/// assert!(Uri::parse("com..add2", Rules::Loose).is_err());
/// # Ok::<(), clank_wire::wamp2::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri<'a>(Cow<'a, str>);

/// What a subscription or registration is for: a URI, the beginning of URIs, or one with empty
/// components that match any.
///
/// ```
/// use clank_wire::wamp2::{Match, Pattern, Rules};
///
/// let pattern = Pattern::parse("com.example..created", Match::Wildcard, Rules::Loose)?;
/// assert!(pattern.matches("com.example.user.created"));
/// assert!(!pattern.matches("com.example.user.group.created"));
/// # Ok::<(), clank_wire::wamp2::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern<'a> {
    text: Cow<'a, str>,
    matching: Match,
}

/// Why a text is no [`Uri`] or [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUri {
    /// A component has no characters, and may not be empty.
    #[error("has an empty component at byte {at}")]
    EmptyComponent {
        /// Where, in bytes.
        at: usize,
    },
    /// A character is against the rules.
    #[error("has {} at byte {at}, which {rules} URIs do not allow", Named(*.found))]
    Character {
        /// The character.
        found: char,
        /// Where, in bytes.
        at: usize,
        /// The rules that it is against.
        rules: Rules,
    },
}

impl Rules {
    fn allow(self, char: char) -> bool {
        match self {
            Rules::Loose => !char.is_whitespace() && !char.is_control() && char != '#',
            Rules::Strict => matches!(char, 'a'..='z' | '0'..='9' | '_'),
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rules::Loose => "loose",
            Rules::Strict => "strict",
        })
    }
}

struct Named(char);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.escape_debug())
    }
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// When a component is empty, or has a character that the rules don't allow.
    pub fn parse(text: impl Into<Cow<'a, str>>, rules: Rules) -> Result<Self, InvalidUri> {
        let text = text.into();
        match check_characters(&text, rules)? {
            None => Ok(Uri(text)),
            Some(at) => Err(InvalidUri::EmptyComponent { at }),
        }
    }

    /// The text of the URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of the URI.
    pub fn into_inner(self) -> Cow<'a, str> {
        self.0
    }

    /// Whether its first component is `wamp`: no application may use such a URI for its own.
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Pattern<'a> {
    /// Reads a pattern. Empty components are for wildcards; a prefix may end with one, or be empty.
    ///
    /// # Errors
    /// When a component is empty that may not be, or has a character that the rules don't allow.
    pub fn parse(text: impl Into<Cow<'a, str>>, matching: Match, rules: Rules) -> Result<Self, InvalidUri> {
        let text = text.into();
        match check_characters(&text, rules)? {
            // The first empty component of a prefix may only be its last.
            Some(at) if matching == Match::Exact || (matching == Match::Prefix && at < text.len()) => {
                Err(InvalidUri::EmptyComponent { at })
            }
            _ => Ok(Pattern { text, matching }),
        }
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is compared.
    pub const fn matching(&self) -> Match {
        self.matching
    }

    /// Whether its first component is `wamp`.
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.text)
    }

    /// Whether the pattern is for a URI.
    pub fn matches(&self, uri: &str) -> bool {
        match self.matching {
            Match::Exact => self.text == uri,
            Match::Prefix => uri.starts_with(&*self.text),
            Match::Wildcard => {
                let mut components = uri.split('.');
                let mut wanted = self.text.split('.');
                let fit = wanted.all(|wanted| {
                    components.next().is_some_and(|found| wanted.is_empty() || wanted == found)
                });
                fit && components.next().is_none()
            }
        }
    }

    /// The pattern without a borrow.
    pub fn into_owned(self) -> Pattern<'static> {
        Pattern { text: self.text.into_owned().into(), matching: self.matching }
    }
}

fn is_reserved(text: &str) -> bool {
    text.split('.').next() == Some("wamp")
}

/// Checks each character. Returns where the first empty component is, if there is one.
fn check_characters(text: &str, rules: Rules) -> Result<Option<usize>, InvalidUri> {
    let (mut component, mut empty) = (0, None);
    for (at, char) in text.char_indices() {
        if char == '.' {
            empty = empty.or((at == component).then_some(at));
            component = at + 1;
        } else if !rules.allow(char) {
            return Err(InvalidUri::Character { found: char, at, rules });
        }
    }
    Ok(empty.or((component == text.len()).then_some(component)))
}
