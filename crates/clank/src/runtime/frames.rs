//! Frames in order, made for queues that are mostly empty and often hold one; and how they are written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::outbound::Sink;

/// How many frames a queue has room for once it holds a second one: as many as a burst commonly
/// has, so that it grows once and not frame by frame.
const BURST: usize = 15;

/// Frames up to this many bytes in a batch are copied together; a longer batch is written
/// vectored.
pub(super) const GATHER: usize = 64 * 1024;
/// Slices in one vectored write.
pub(super) const SLICES: usize = 64;
/// Room that frames of one receiver alone get at first: a burst of answers commonly has less.
const OWN: usize = 512;

/// Frames in order. One alone takes no allocation.
///
/// Those that nobody else receives are copied together while nothing else waits.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Frames {
    first: Piece,
    /// Empty if there is no first.
    rest: VecDeque<Bytes>,
}

/// One frame, or several that are written as one.
#[derive(Debug)]
enum Piece {
    Shared(Bytes),
    /// Without bytes: there is no piece. So the two take no more room than the first alone.
    Own(Vec<u8>),
}

impl Default for Piece {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Piece {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Shared(frame) => Some(frame),
            Self::Own(frames) => (!frames.is_empty()).then_some(frames),
        }
    }
}

impl Frames {
    pub(crate) fn push_back(&mut self, frame: Bytes) {
        if self.is_empty() {
            self.first = Piece::Shared(frame);
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest.reserve_exact(BURST);
        }
        self.rest.push_back(frame);
    }

    /// Adds a frame that nobody else receives.
    pub(crate) fn push_copy(&mut self, frame: &[u8]) {
        match &mut self.first {
            Piece::Own(own) if self.rest.is_empty() => {
                if own.capacity() == 0 {
                    own.reserve_exact(frame.len().max(OWN));
                }
                own.extend_from_slice(frame);
            }
            _ => self.push_back(Bytes::copy_from_slice(frame)),
        }
    }

    /// Drops the first piece.
    pub(crate) fn pop_front(&mut self) {
        self.first = self.rest.pop_front().map(Piece::Shared).unwrap_or_default();
    }

    /// The first piece.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.first.bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front().is_none()
    }

    /// How many pieces there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(!self.is_empty()) + self.rest.len()
    }

    /// The pieces in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.front().into_iter().chain(self.rest.iter().map(|frame| &**frame))
    }

    /// Takes the frames of `later` behind these.
    pub(crate) fn append(&mut self, later: &mut Self) {
        match std::mem::take(&mut later.first) {
            Piece::Shared(first) => self.push_back(first),
            Piece::Own(first) if !first.is_empty() => self.push_copy(&first),
            Piece::Own(_) => {}
        }
        self.rest.append(&mut later.rest);
    }
}

/// Frames in the sole writer's hands.
pub(super) struct Batch {
    pub frames: Frames,
    /// Bytes of the first frame that are written already.
    pub offset: usize,
    /// Bytes of all frames from `offset` on.
    pub bytes: usize,
}

impl Batch {
    /// The frames' unwritten parts, in order.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut offset = self.offset;
        self.frames.iter().map(move |frame| frame.get(std::mem::take(&mut offset)..).unwrap_or_default())
    }

    pub(super) fn write(&self, sink: &impl Sink, scratch: &mut Vec<u8>) -> io::Result<usize> {
        if self.frames.len() == 1 {
            return sink.write(self.parts().next().unwrap_or_default());
        }
        if self.bytes <= GATHER {
            scratch.clear();
            self.parts().for_each(|part| scratch.extend_from_slice(part));
            return sink.write(scratch);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count =
            slices.iter_mut().zip(self.parts()).map(|(slice, part)| *slice = IoSlice::new(part)).count();
        sink.write_vectored(slices.get(..count).unwrap_or_default())
    }

    pub(super) fn advance(&mut self, mut bytes: usize) {
        while let Some(first) = self.frames.front() {
            let left = first.len() - self.offset;
            if bytes < left {
                self.offset += bytes;
                break;
            }
            bytes -= left;
            self.offset = 0;
            self.frames.pop_front();
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_are_a_queue(steps in prop::collection::vec(0_u8..6, 0..200)) {
            let (mut frames, mut model) = (Frames::default(), Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                let frame = Bytes::from(number.to_string());
                match step {
                    0 | 1 => frames.push_back(frame.clone()),
                    2 | 3 => frames.push_copy(&frame),
                    4 => {
                        model.drain(..frames.front().map_or(0, <[u8]>::len));
                        frames.pop_front();
                        continue;
                    }
                    _ => {
                        // What a writer puts back comes before what arrived meanwhile.
                        let mut batch = std::mem::take(&mut frames);
                        if number % 2 == 0 { frames.push_back(frame.clone()) } else { frames.push_copy(&frame) }
                        batch.append(&mut frames);
                        frames = batch;
                    }
                }
                model.extend_from_slice(&frame);
                prop_assert_eq!(frames.iter().collect::<Vec<_>>().concat(), &model[..]);
                prop_assert_eq!(frames.len(), frames.iter().count());
                prop_assert_eq!(frames.is_empty(), model.is_empty());
                prop_assert_eq!(frames.front(), frames.iter().next());
            }
        }
    }

    #[test]
    fn frames_of_one_receiver_are_one_piece() {
        let mut frames = Frames::default();
        for frame in [b"one", b"two"] {
            frames.push_copy(frame);
        }
        assert_eq!(frames.iter().collect::<Vec<_>>(), [b"onetwo"]);
        frames.push_back(Bytes::from_static(b"shared"));
        frames.push_copy(b"behind");
        assert_eq!(frames.iter().collect::<Vec<_>>(), [&b"onetwo"[..], b"shared", b"behind"]);
    }

    #[test]
    fn a_piece_is_no_larger_than_a_frame() {
        assert_eq!(size_of::<Piece>(), size_of::<Bytes>());
    }
}
