use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::{KEPT, SYNC_TAIL, WindowBits};
use crate::ws::{OpCode, encode, frame};

/// Sizes of window.
const SIZES: usize = (WindowBits::MAX.as_u8() - WindowBits::MIN.as_u8()) as usize + 1;

/// Compresses the messages of all connections of a worker.
///
/// It makes one compressor for each size of window when that is first asked for, of some 300 KB
/// at most, and starts every message afresh. A frame can be shared by all receivers that agreed
/// on its size of window, or on a larger one.
#[derive(Debug)]
pub struct Deflater {
    level: Compression,
    states: [Option<Compress>; SIZES],
    out: Vec<u8>,
}

impl Default for Deflater {
    /// Level 1, the fastest.
    fn default() -> Self {
        Self::new(1)
    }
}

impl Deflater {
    /// A deflater of this level, from 1, the fastest, to 9, the smallest; others count as the
    /// nearest of these. It owns no memory yet.
    pub fn new(level: u8) -> Self {
        let level = Compression::new(level.clamp(1, 9).into());
        Self {
            level,
            states: [const { None }; SIZES],
            out: Vec::new(),
        }
    }

    /// A server's frame of a whole text or binary message, compressed unless that would make it
    /// longer (RFC 7692, section 7.2.1).
    ///
    /// ```
    /// use clank_wire::ws::deflate::{Deflater, WindowBits};
    /// use clank_wire::ws::{OpCode, frame};
    ///
    /// let payload = [b'x'; 1000];
    /// let mut deflater = Deflater::default();
    /// assert!(deflater.frame(OpCode::Text, WindowBits::MAX, &payload).len() < 100);
    /// assert_eq!(deflater.frame(OpCode::Text, WindowBits::MAX, b"x"), frame(OpCode::Text, b"x"));
    /// ```
    pub fn frame(&mut self, opcode: OpCode, window: WindowBits, payload: &[u8]) -> Bytes {
        let frame = match self.compress(window, payload) {
            Some(compressed) => encode::build(opcode, true, compressed.len(), |buf| {
                buf.extend_from_slice(compressed);
            }),
            None => frame(opcode, payload),
        };
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        frame
    }

    /// The payload compressed and without its tail, or `None` if that is no shorter.
    fn compress(&mut self, window: WindowBits, payload: &[u8]) -> Option<&[u8]> {
        let slot = usize::from(window.as_u8() - WindowBits::MIN.as_u8());
        let state = self.states.get_mut(slot)?;
        match state {
            Some(state) => state.reset(),
            None => {
                *state = Some(Compress::new_with_window_bits(
                    self.level,
                    false,
                    window.as_u8(),
                ))
            }
        }
        let state = state.as_mut()?;

        // With room for the payload and the tail, what doesn't fit isn't worth compressing.
        self.out.clear();
        self.out.reserve(payload.len() + SYNC_TAIL.len());
        state
            .compress_vec(payload, &mut self.out, FlushCompress::Sync)
            .ok()?;
        let complete =
            state.total_in() == payload.len() as u64 && self.out.len() < self.out.capacity();
        let compressed = self.out.strip_suffix(&SYNC_TAIL)?;
        (complete && compressed.len() < payload.len()).then_some(compressed)
    }
}
