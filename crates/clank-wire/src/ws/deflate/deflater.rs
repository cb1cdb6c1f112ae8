use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::{KEPT, SYNC_TAIL, WindowBits, max_compressed};
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
        Self { level, states: [const { None }; SIZES], out: Vec::new() }
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
        let slot = self.states.get_mut(usize::from(window.as_u8() - WindowBits::MIN.as_u8()))?;
        let mut state = match slot.take() {
            Some(mut state) => {
                state.reset();
                state
            }
            None => Compress::new_with_window_bits(self.level, false, window.as_u8()),
        };

        // zlib-rs 0.6 does not reset all that an unfinished message leaves behind. So there is room for the
        // worst case, and only a compressor that has finished, which it shows by leaving room, is used again.
        self.out.clear();
        self.out.reserve(max_compressed(payload.len()) + SYNC_TAIL.len());
        state.compress_vec(payload, &mut self.out, FlushCompress::Sync).ok()?;
        if state.total_in() < payload.len() as u64 || self.out.len() == self.out.capacity() {
            return None;
        }
        *slot = Some(state);
        self.out.strip_suffix(&SYNC_TAIL).filter(|compressed| compressed.len() < payload.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ws::deflate::Inflater;
    use crate::ws::payload;

    const RSV1: u8 = 0x40;

    fn windows() -> impl Iterator<Item = WindowBits> {
        (9..=15).filter_map(WindowBits::new)
    }

    /// What can't be compressed.
    fn noise() -> [u8; 2000] {
        let mut state = 1_u64;
        std::array::from_fn(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
    }

    #[test]
    fn what_was_compressed_comes_back_at_every_level_and_window() {
        let text = "a message of JSON, [1, 2, 3], ".repeat(100);
        let mut inflater = Inflater::new();
        for level in 0..=10 {
            let mut deflater = Deflater::new(level);
            for window in windows() {
                let frame = deflater.frame(OpCode::Text, window, text.as_bytes());
                assert_eq!(frame[0], 0xc1);
                assert!(frame.len() < text.len() / 4, "{window:?} level {level}: {}", frame.len());
                assert_eq!(inflater.inflate(payload(&frame), text.len()), Ok(text.as_bytes()));
                assert_eq!(deflater.frame(OpCode::Text, window, text.as_bytes()), frame);
            }
        }
    }

    #[test]
    fn what_would_grow_goes_as_it_is() {
        let noise = noise();
        let mut deflater = Deflater::default();
        for window in windows() {
            for length in [0, 1, 5, 100, 2000] {
                let payload = &noise[..length];
                let sent = deflater.frame(OpCode::Binary, window, payload);
                assert!(sent == frame(OpCode::Binary, payload), "{window:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn much_noise_does_not_spoil_what_comes_after() {
        let noise = noise();
        let text = "a message of text ".repeat(100);
        for level in 1..=9 {
            let mut deflater = Deflater::new(level);
            for window in windows() {
                for _ in 0..100 {
                    assert_eq!(deflater.frame(OpCode::Binary, window, &noise)[0] & RSV1, 0);
                }
                let fresh = Deflater::new(level).frame(OpCode::Text, window, text.as_bytes());
                assert_eq!(deflater.frame(OpCode::Text, window, text.as_bytes()), fresh);
            }
        }
    }

    #[test]
    fn little_is_kept_after_a_long_message() {
        let mut deflater = Deflater::default();
        deflater.frame(OpCode::Binary, WindowBits::MAX, &vec![0; 1 << 20]);
        assert_eq!(deflater.out.capacity(), 0);
    }
}
