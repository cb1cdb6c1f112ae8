use flate2::{Decompress, FlushDecompress, Status};

use super::KEPT;
use crate::ws::ProtocolError;

/// What `out` is first grown to, in bytes.
const FIRST: usize = 1024;

/// The tail that the sender left out (RFC 7692, section 7.2.2), and then an empty final block: only
/// a message that ends where a block ends comes to the end of this.
const END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// Inflates the messages of all connections of a worker.
///
/// It takes no memory before its first message, then some 50 KB and the message itself.
#[derive(Debug, Default)]
pub struct Inflater {
    state: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    /// An inflater that owns no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inflates a whole `message` to at most `limit` bytes, RFC 7692, section 7.2.2.
    ///
    /// The message may consist of any number of blocks, final ones among them; what follows a
    /// final block starts with an empty window. Memory grows with what comes out.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::MessageTooBig`] as soon as there is a byte more than `limit`, and
    /// [`ProtocolError::Deflate`] if `message` is no DEFLATE data or ends within a block.
    ///
    /// ```
    /// use clank_wire::ws::deflate::Inflater;
    ///
    /// // The example of RFC 7692, section 7.2.3.1.
    /// let compressed = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    /// assert_eq!(Inflater::new().inflate(&compressed, 5), Ok(&b"Hello"[..]));
    /// ```
    pub fn inflate(&mut self, message: &[u8], limit: usize) -> Result<&[u8], ProtocolError> {
        self.trim();
        self.out.clear();
        if let Some(state) = &mut self.state {
            state.reset(false);
        }
        // A message that ends with a final block may leave out what comes before the tail.
        if self.feed(message, limit)? || self.feed(&END, limit)? {
            Ok(&self.out)
        } else {
            Err(ProtocolError::Deflate)
        }
    }

    /// Gives back what is held of the last message above 64 KiB.
    pub fn trim(&mut self) {
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
    }

    /// Inflates `input`; tells whether it ends with a final block.
    fn feed(&mut self, input: &[u8], limit: usize) -> Result<bool, ProtocolError> {
        let state = self.state.get_or_insert_with(|| Decompress::new(false));
        let mut rest = input;
        loop {
            grow(&mut self.out, limit);
            let (read, written) = (state.total_in(), self.out.len());
            let status = state
                .decompress_vec(rest, &mut self.out, FlushDecompress::None)
                .map_err(|_| ProtocolError::Deflate)?;
            let read = (state.total_in() - read) as usize;
            rest = rest.get(read..).unwrap_or_default();
            if self.out.len() > limit {
                return Err(ProtocolError::MessageTooBig);
            }
            let exhausted = rest.is_empty() && self.out.len() < self.out.capacity();
            match status {
                Status::StreamEnd if rest.is_empty() => return Ok(true),
                Status::StreamEnd => state.reset(false),
                Status::Ok | Status::BufError if exhausted => return Ok(false),
                Status::Ok | Status::BufError if read == 0 && self.out.len() == written => {
                    return Err(ProtocolError::Deflate);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

/// Doubles `out` if it is full, to one byte more than `limit` at most: that byte shows that the
/// limit is exceeded.
fn grow(out: &mut Vec<u8>, limit: usize) {
    if out.len() == out.capacity() {
        let target = out
            .capacity()
            .saturating_mul(2)
            .max(FIRST)
            .min(limit.saturating_add(1));
        out.reserve_exact(target.saturating_sub(out.len()));
    }
}
