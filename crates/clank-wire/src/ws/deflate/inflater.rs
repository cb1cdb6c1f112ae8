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
        let target = out.capacity().saturating_mul(2).max(FIRST).min(limit.saturating_add(1));
        out.reserve_exact(target.saturating_sub(out.len()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// Compresses each part up to the flush that follows it, in one stream or in several.
    fn deflate(parts: &[(&[u8], FlushCompress)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 20);
        let mut state = Compress::new(Compression::best(), false);
        for &(part, flush) in parts {
            state.compress_vec(part, &mut out, flush).unwrap();
            if matches!(flush, FlushCompress::Finish) {
                state.reset();
            }
        }
        out
    }

    #[test]
    fn messages_of_several_blocks_are_inflated() {
        use FlushCompress::{Finish, Full, Sync};
        let text: &[u8] = b"the quick brown fox jumps over the lazy dog; ";
        let twice = text.repeat(2);
        let without_tail = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() - 4);
            bytes
        };
        let cases: [(Vec<u8>, &[u8]); 11] = [
            // The examples of RFC 7692, section 7.2.3.
            (b"\xf2\x48\xcd\xc9\xc9\x07\x00".into(), b"Hello"),
            (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00".into(), b"Hello"),
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00".into(), b"Hello"),
            (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00".into(), b"Hello"),
            (b"\x00".into(), b""),
            (without_tail(deflate(&[(text, Sync), (text, Sync)])), &twice),
            (without_tail(deflate(&[(text, Full), (text, Sync)])), &twice),
            (without_tail(deflate(&[(text, Finish), (text, Sync)])), &twice),
            ([deflate(&[(text, Finish), (text, Finish)]), vec![0]].concat(), &twice),
            // Not as the RFC has it, but clear: nothing after the final block.
            (deflate(&[(text, Finish)]), text),
            (deflate(&[(text, Finish), (text, Finish)]), &twice),
        ];
        let mut inflater = Inflater::new();
        for (message, expected) in cases {
            assert_eq!(inflater.inflate(&message, expected.len()), Ok(expected), "{message:x?}");
        }
    }

    #[test]
    fn corrupt_and_cut_messages_fail_and_leave_nothing_behind() {
        let text = b"the quick brown fox jumps over the lazy dog".repeat(20);
        let mut whole = deflate(&[(&text, FlushCompress::Sync)]);
        whole.truncate(whole.len() - 4);
        let mut inflater = Inflater::new();
        for cut in 0..whole.len() - 1 {
            assert_eq!(inflater.inflate(&whole[..cut], 10_000), Err(ProtocolError::Deflate), "cut at {cut}");
            assert_eq!(inflater.inflate(&whole, 10_000), Ok(&text[..]));
        }
        for bad in [&b"\x07"[..], b"\xff\xff\xff", b"\x00\x01\x00\x00\x00"] {
            assert_eq!(inflater.inflate(bad, 10_000), Err(ProtocolError::Deflate), "{bad:x?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 16 << 20];
        let mut bomb = deflate(&[(&zeros, FlushCompress::Sync)]);
        bomb.truncate(bomb.len() - 4);
        let mut inflater = Inflater::new();
        for limit in [0, 1, 1000, 1023, 1024, 1 << 20, (16 << 20) - 1] {
            assert_eq!(inflater.inflate(&bomb, limit), Err(ProtocolError::MessageTooBig));
            assert!(inflater.out.capacity() <= (limit + 1).max(KEPT), "limit {limit}");
        }
        assert_eq!(inflater.inflate(&bomb, 16 << 20), Ok(&zeros[..]));
        inflater.trim();
        assert_eq!(inflater.out.capacity(), 0);
    }
}
