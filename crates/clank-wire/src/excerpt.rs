//! What a peer sent, fit to be shown to people.

use std::fmt;

/// The beginning of something that a peer sent, fit to be shown: at most
/// [`Excerpt::MAX_CHARS`] characters, none of them a control character.
///
/// ```
/// use clank_wire::excerpt::Excerpt;
///
/// assert_eq!(Excerpt::new("a\nb").to_string(), "a\\nb");
/// assert_eq!(Excerpt::new(&"x".repeat(1000)).to_string().chars().count(), 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// How many characters an excerpt has at most.
    pub const MAX_CHARS: usize = 64;

    /// The beginning of `text`, escaped where it isn't printable.
    pub fn new(text: &str) -> Self {
        let mut shown = String::new();
        let mut chars = 0;
        for char in text.chars() {
            let start = shown.len();
            match char {
                '"' | '\'' | '\\' => shown.push(char),
                _ => shown.extend(char.escape_debug()),
            }
            chars += shown.get(start..).map_or(0, |added| added.chars().count());
            if chars >= Self::MAX_CHARS {
                shown.truncate(start);
                shown.push('…');
                break;
            }
        }
        Excerpt(shown.into())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
