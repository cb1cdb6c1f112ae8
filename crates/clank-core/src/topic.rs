//! URIs of topics and procedures.

use std::borrow::{Borrow, Cow};
use std::fmt;

/// The URI of a topic or procedure: not empty, no longer than its limit, without control
/// characters, and otherwise opaque.
///
/// WAMP v1 asks for HTTP URIs, and nobody who uses it writes them. So what is in a URI is between
/// the application and its clients; two URIs are one topic if their bytes are equal.
///
/// ```
/// use clank_core::topic::Uri;
///
/// let topic = Uri::parse("acme/channel/7", Uri::DEFAULT_MAX_BYTES)?;
/// assert_eq!(topic.as_str(), "acme/channel/7");
/// assert_eq!(topic.first_segment(), "acme");
/// assert!(Uri::parse("", Uri::DEFAULT_MAX_BYTES).is_err());
/// # Ok::<(), clank_core::topic::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri<'a>(Cow<'a, str>);

/// Why a text is no [`Uri`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUri {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It has more bytes than the limit allows.
    #[error("has {bytes} bytes, more than the limit of {max_bytes}")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        max_bytes: usize,
    },
    /// It has a control character.
    #[error("has a control character at byte {at}")]
    Control {
        /// Where, in bytes.
        at: usize,
    },
}

impl<'a> Uri<'a> {
    /// How long a URI may be unless configured otherwise, in bytes.
    pub const DEFAULT_MAX_BYTES: usize = 1024;

    /// Reads a URI of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// When the text is empty, too long or has a control character (C0, DEL or C1).
    pub fn parse(text: impl Into<Cow<'a, str>>, max_bytes: usize) -> Result<Self, InvalidUri> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidUri::Empty);
        }
        if text.len() > max_bytes {
            return Err(InvalidUri::TooLong { bytes: text.len(), max_bytes });
        }
        match control_character(&text) {
            Some(at) => Err(InvalidUri::Control { at }),
            None => Ok(Uri(text)),
        }
    }

    /// The text of the URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `/`, or everything: it picks the handler of a topic.
    pub fn first_segment(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The same URI, borrowed.
    pub fn as_borrowed(&self) -> Uri<'_> {
        Uri(Cow::Borrowed(&self.0))
    }

    /// The URI without a borrow.
    pub fn into_owned(self) -> Uri<'static> {
        Uri(Cow::Owned(self.0.into_owned()))
    }
}

impl Borrow<str> for Uri<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Uri<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the first control character stands. Every message names a URI, and most are ASCII, in
/// which bytes can be compared without decoding characters.
fn control_character(text: &str) -> Option<usize> {
    let is_plain = |plain, byte: &u8| plain & matches!(byte, b' '..=b'~');
    // By eights without a branch, which processors do at once.
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let are_plain = words.iter().all(|word| word.iter().fold(true, is_plain));
    if are_plain && rest.iter().fold(true, is_plain) {
        return None;
    }
    text.find(char::is_control)
}
