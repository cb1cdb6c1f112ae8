//! The id of a session.

use std::fmt;
use std::str::FromStr;

/// The id of a session: an integer from 1 to 2^53 that in WAMP v1 is written as 14 hexadecimal
/// digits.
///
/// The range is that of ids in WAMP v2, so that one id can stand for a session in either.
///
/// ```
/// use clank_core::wamp1::SessionId;
///
/// let id = SessionId::from_random([0xff; 8]);
/// assert_eq!(id.to_string(), "1fffffffffffff");
/// assert_eq!("1fffffffffffff".parse(), Ok(id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

/// The text is no session's id: 14 hexadecimal digits in lower case, from 1 to 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 14 hexadecimal digits in lower case, from 1 to 2^53")]
pub struct InvalidSessionId;

impl SessionId {
    const MAX: u64 = 1 << 53;
    const DIGITS: usize = 14;

    /// The id that 53 of these random bits make.
    ///
    /// Ids are drawn at random so that they can't be guessed; whoever hands them out makes sure
    /// that no two open sessions have the same.
    pub const fn from_random(bytes: [u8; 8]) -> Self {
        let bits = u64::from_le_bytes(bytes) & (Self::MAX - 1);
        // Zero is no id, and 2^53 is what 53 bits leave unused.
        SessionId(if bits == 0 { Self::MAX } else { bits })
    }

    /// The id of that number; `None` if there is none.
    pub const fn new(value: u64) -> Option<Self> {
        if value >= 1 && value <= Self::MAX { Some(SessionId(value)) } else { None }
    }

    /// The id as an integer, as WAMP v2 has it.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = Self::DIGITS)
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != Self::DIGITS || !text.bytes().all(lower_hex) {
            return Err(InvalidSessionId);
        }
        let value = u64::from_str_radix(text, 16).map_err(|_| InvalidSessionId)?;
        (1..=Self::MAX).contains(&value).then_some(SessionId(value)).ok_or(InvalidSessionId)
    }
}
