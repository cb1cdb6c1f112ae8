use std::str;

use super::{OpCode, ProtocolError};

/// A message that is arriving in pieces.
#[derive(Debug)]
pub(super) struct Message {
    /// Text or Binary.
    pub(super) opcode: OpCode,
    /// Whether `bytes` are to be inflated once they are complete.
    pub(super) compressed: bool,
    pub(super) bytes: Vec<u8>,
    /// How many of `bytes` are known to be UTF-8; what is behind them is the beginning of a
    /// character. Counted for uncompressed text only.
    valid: usize,
}

impl Message {
    pub(super) fn new(opcode: OpCode, compressed: bool) -> Self {
        Self { opcode, compressed, bytes: Vec::new(), valid: 0 }
    }

    /// Adds bytes that arrived. The message will not grow beyond `ceiling` bytes, these included.
    ///
    /// # Errors
    ///
    /// As soon as a byte shows that a text is no UTF-8.
    pub(super) fn push(&mut self, chunk: &[u8], ceiling: usize) -> Result<(), ProtocolError> {
        self.grow_for(chunk.len(), ceiling);
        self.bytes.extend_from_slice(chunk);
        if self.opcode == OpCode::Text && !self.compressed { self.check_utf8() } else { Ok(()) }
    }

    /// Doubles the capacity if it is used up, so that memory follows what arrived and never what
    /// a header promised; `ceiling` spares the last doubling its excess.
    fn grow_for(&mut self, more: usize, ceiling: usize) {
        let needed = self.bytes.len() + more;
        let capacity = self.bytes.capacity();
        if needed > capacity {
            let target = capacity.saturating_mul(2).min(ceiling).max(needed);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
    }

    /// Goes on from the last whole character, so that each byte is looked at once, but for the
    /// at most three of a character that is incomplete.
    fn check_utf8(&mut self) -> Result<(), ProtocolError> {
        let unchecked = self.bytes.get(self.valid..).unwrap_or_default();
        match str::from_utf8(unchecked) {
            Ok(_) => self.valid = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::Utf8),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_fails_at_the_first_byte_that_cannot_be_utf8() {
        // Each is wrong at its last byte and not before.
        let cases: [&[u8]; 7] = [
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90",
            b"a\x80",
            b"\xc0",
            b"\xed\xa0",
            b"\xf5",
            b"\xe2\x28",
            b"\xf0\x9f\x98\x41",
        ];
        for bytes in cases {
            let mut message = Message::new(OpCode::Text, false);
            let (last, good) = bytes.split_last().unwrap();
            for byte in good {
                assert_eq!(message.push(&[*byte], usize::MAX), Ok(()), "{bytes:x?}");
            }
            assert_eq!(message.push(&[*last], usize::MAX), Err(ProtocolError::Utf8), "{bytes:x?}");
        }
    }

    #[test]
    fn capacity_follows_what_arrived() {
        let mut message = Message::new(OpCode::Binary, false);
        for received in 1..=10_000 {
            message.push(&[0], 10_000).unwrap();
            assert!(message.bytes.capacity() <= 2 * received);
        }
        assert_eq!(message.bytes.capacity(), 10_000);
    }
}
