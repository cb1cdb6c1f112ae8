//! Frames in order, made for queues that are mostly empty and often hold one.

use std::collections::VecDeque;

use bytes::Bytes;

/// How many frames a queue has room for once it holds a second one: as many as a burst commonly
/// has, so that it grows once and not frame by frame.
const BURST: usize = 15;

/// Frames in order. One alone takes no allocation.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Frames {
    first: Option<Bytes>,
    /// Empty if there is no first.
    rest: VecDeque<Bytes>,
}

impl Frames {
    pub(crate) fn push_back(&mut self, frame: Bytes) {
        if self.first.is_none() {
            self.first = Some(frame);
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest.reserve_exact(BURST);
        }
        self.rest.push_back(frame);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Bytes> {
        let next = self.rest.pop_front();
        std::mem::replace(&mut self.first, next)
    }

    pub(crate) fn front(&self) -> Option<&Bytes> {
        self.first.as_ref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }

    /// Takes the frames of `later` behind these.
    pub(crate) fn append(&mut self, later: &mut Self) {
        if let Some(first) = later.first.take() {
            self.push_back(first);
        }
        self.rest.append(&mut later.rest);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_are_a_queue(steps in prop::collection::vec(0_u8..4, 0..200)) {
            let (mut frames, mut model) = (Frames::default(), VecDeque::new());
            for (number, step) in steps.into_iter().enumerate() {
                let frame = Bytes::from(number.to_string());
                match step {
                    0 | 1 => {
                        frames.push_back(frame.clone());
                        model.push_back(frame);
                    }
                    2 => prop_assert_eq!(frames.pop_front(), model.pop_front()),
                    _ => {
                        // What a writer puts back comes before what arrived meanwhile.
                        let mut batch = std::mem::take(&mut frames);
                        frames.push_back(frame.clone());
                        batch.append(&mut frames);
                        frames = batch;
                        model.push_back(frame);
                    }
                }
                prop_assert_eq!((frames.len(), frames.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(frames.front(), model.front());
                prop_assert!(frames.iter().eq(&model));
            }
        }
    }
}
