//! What one stretch of work leaves behind to be flushed.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::subscription::Deliver;
use clank_core::topic::Uri;
use clank_wire::payload::Payload;
use clank_wire::wamp1::Event;
use clank_wire::ws::deflate::{Deflater, WindowBits};
use clank_wire::ws::{self, OpCode};

use super::outbound::{OnOverflow, Push};
use super::peer::Peer;

/// The flushes that were claimed, and the connections that ran full.
///
/// Whoever pushes to a queue ends by giving its turn to a worker: nothing is written otherwise.
#[derive(Default)]
pub(crate) struct Turn {
    pub dirty: Vec<Arc<Peer>>,
    pub overflowed: Vec<Arc<Peer>>,
    /// How much was queued behind flushes that were owed already.
    pub behind: usize,
}

impl Turn {
    /// Notes what came of a push to `peer`.
    pub(crate) fn note(&mut self, peer: &Arc<Peer>, push: Push) {
        match push {
            Push::Claimed => self.dirty.push(Arc::clone(peer)),
            Push::Queued => self.behind += 1,
            Push::Overflow => self.overflowed.push(Arc::clone(peer)),
            Push::Dropped | Push::Closed => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dirty.is_empty() && self.overflowed.is_empty()
    }

    /// Takes what `other` holds on top.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.dirty.append(&mut other.dirty);
        self.overflowed.append(&mut other.overflowed);
        self.behind += other.behind;
    }
}

/// One event on its way to a topic's subscribers: encoded once, and compressed at most once for
/// each size of window, whatever their number.
pub(crate) struct Fanout<'a> {
    plain: Bytes,
    compressed: [Option<Bytes>; WINDOWS],
    on_overflow: OnOverflow,
    turn: &'a mut Turn,
}

/// Window sizes of permessage-deflate: 9 to 15 bits.
const WINDOWS: usize = 7;

impl<'a> Fanout<'a> {
    pub(crate) fn new(
        topic: &Uri<'_>,
        payload: Payload<'_>,
        on_overflow: OnOverflow,
        turn: &'a mut Turn,
    ) -> Self {
        let hint = topic.as_str().len() + payload.value_len() + 8;
        let event = Event { topic: topic.as_str().into(), payload };
        let plain = ws::build_frame(OpCode::Text, hint, |out| event.encode(out));
        Self { plain, compressed: Default::default(), on_overflow, turn }
    }

    fn frame(&mut self, window: Option<WindowBits>) -> Bytes {
        let Some(window) = window else { return self.plain.clone() };
        let index = usize::from(window.as_u8()).saturating_sub(9).min(WINDOWS - 1);
        let plain = &self.plain;
        // `index` is below `WINDOWS`.
        self.compressed[index]
            .get_or_insert_with(|| compress(OpCode::Text, window, ws::payload(plain)))
            .clone()
    }
}

impl Deliver<Arc<Peer>> for Fanout<'_> {
    fn deliver(&mut self, _: u64, member: &Arc<Peer>) {
        let frame = self.frame(member.window);
        let message = ws::payload(&self.plain).len();
        let push = member.push(frame, message, self.on_overflow);
        self.turn.note(member, push);
    }
}

/// A frame as `window` has it.
pub(crate) fn compress(opcode: OpCode, window: WindowBits, payload: &[u8]) -> Bytes {
    thread_local! {
        // A compressor is large: one for each thread, not for each connection.
        static DEFLATER: RefCell<Deflater> = RefCell::new(Deflater::default());
    }
    DEFLATER.with_borrow_mut(|deflater| deflater.frame(opcode, window, payload))
}

/// A message as one connection gets it.
pub(crate) fn frame_for(window: Option<WindowBits>, opcode: OpCode, payload: &[u8]) -> Bytes {
    match window {
        Some(window) => compress(opcode, window, payload),
        None => ws::frame(opcode, payload),
    }
}
