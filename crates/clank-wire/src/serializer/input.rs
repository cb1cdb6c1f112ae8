//! The bytes of a binary serializer, taken from the front. A length is believed only as far as there
//! are bytes behind it.

use super::SyntaxError;

/// A position in bytes. Every step either moves behind what it took or fails.
#[derive(Debug, Clone)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the value in work begins, for the words of an error.
    value_at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes, at: 0, value_at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The byte that begins a value.
    pub(super) fn first(&mut self) -> Result<u8, SyntaxError> {
        self.value_at = self.at;
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SyntaxError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let taken = *taken.ok_or_else(|| self.truncated())?;
        self.at += N;
        Ok(taken)
    }

    /// An unsigned integer of `N` bytes, big-endian.
    pub(super) fn unsigned<const N: usize>(&mut self) -> Result<u64, SyntaxError> {
        Ok(self.array::<N>()?.into_iter().fold(0, |value, byte| value << 8 | u64::from(byte)))
    }

    pub(super) fn slice(&mut self, len: u64) -> Result<&'a [u8], SyntaxError> {
        let len = usize::try_from(len).map_err(|_| self.truncated())?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or_else(|| self.truncated())?;
        self.at += len;
        Ok(taken)
    }

    pub(super) fn text(&mut self, len: u64) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        let bytes = self.slice(len)?;
        // The position of an invalid byte, within the whole.
        std::str::from_utf8(bytes).map_err(|error| {
            self.at = start;
            SyntaxError::Utf8 { at: start + error.valid_up_to() }
        })
    }

    /// The number of elements that follow, each of at least `bytes` bytes.
    pub(super) fn count(&self, count: u64, bytes: usize) -> Result<usize, SyntaxError> {
        match usize::try_from(count) {
            Ok(count) if count <= self.rest() / bytes => Ok(count),
            _ => Err(self.truncated()),
        }
    }

    /// Moves behind `byte`, if it stands here.
    pub(super) fn skip_byte(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[cold]
    pub(super) fn truncated(&self) -> SyntaxError {
        SyntaxError::Truncated { at: self.value_at }
    }

    #[cold]
    pub(super) fn unexpected(&self, byte: u8) -> SyntaxError {
        SyntaxError::Unexpected { at: self.value_at, byte }
    }

    #[cold]
    pub(super) fn extension(&self) -> SyntaxError {
        SyntaxError::Extension { at: self.value_at }
    }
}
