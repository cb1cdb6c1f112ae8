//! Compressed messages, of which a thousand clients get the same.

use clank_wire::ws::deflate::Inflater;

use crate::Result;

/// No message is longer when it is inflated.
const LIMIT: usize = 1 << 20;

/// The last compressed message, with what it says: the same bytes needn't be inflated for each client,
/// which would take longer than the server needs to send them.
#[derive(Default)]
pub(super) struct Inflated {
    inflater: Inflater,
    compressed: Vec<u8>,
    message: Vec<u8>,
}

impl Inflated {
    pub(super) fn inflate(&mut self, compressed: &[u8]) -> Result<&[u8]> {
        if self.compressed != compressed {
            self.message.clear();
            self.message.extend_from_slice(self.inflater.inflate(compressed, LIMIT)?);
            self.compressed.clear();
            self.compressed.extend_from_slice(compressed);
        }
        Ok(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use clank_wire::ws::deflate::{Deflater, WindowBits};
    use clank_wire::ws::{OpCode, payload};

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let (mut deflater, mut inflated) = (Deflater::new(6), Inflated::default());
        for text in ["first", "first", "second", "first"] {
            let frame = deflater.frame(OpCode::Text, WindowBits::MAX, text.repeat(100).as_bytes());
            assert_eq!(inflated.inflate(payload(&frame)).unwrap(), text.repeat(100).as_bytes());
        }
        assert!(inflated.inflate(&[0xff; 8]).is_err());
    }
}
