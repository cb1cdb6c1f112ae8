//! What is owed to one socket, and who may write it.
//!
//! Any thread may [`push`](Outbound::push) a frame. Whoever finds the queue idle becomes its
//! **sole writer**: it is told [`Push::Claimed`] and owes a [`flush`](Outbound::flush), soon and
//! exactly one. Everybody else only appends. When the socket takes no more, the queue is
//! `Blocked` and belongs to nobody until the owner hears that the socket is
//! [`writable`](Outbound::writable).
//!
//! ```text
//!            push: Claimed                 all written
//!   Idle ------------------> Flushing --------------------> Idle
//!                             ^    |  WouldBlock
//!       writable: true        |    v
//!                            Blocked            any state --fail/close--> Closed
//! ```
//!
//! This file is a hot path: no system call under the lock, no allocation while idle, no copy of a
//! frame but the gathering of small ones into one write.

use std::io::{self, IoSlice};

use bytes::Bytes;
use clank_core::event::Traffic;

use super::frames::{Batch, Frames};
use super::sync::atomic::{AtomicUsize, Ordering};
use super::sync::{Mutex, lock};

/// Batches that one flush writes before it lets others have their turn.
const BATCHES: usize = 8;
/// A longer frame is never copied behind others.
const COPIED: usize = 1024;
/// A queue whose socket still takes everything may hold this many times its limit: it is as long
/// as one turn made it, and is about to be written.
const UNBLOCKED_FACTOR: usize = 16;

/// A socket as the sole writer sees it.
pub(crate) trait Sink {
    /// Writes some of `bytes`.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Writes some of the slices, in order.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What happens to a frame for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnOverflow {
    /// The connection is to be closed as a slow consumer.
    Disconnect,
    /// The frame is dropped and counted.
    Drop,
}

/// The bounds on what may wait: for one connection, and for all that are blocked together.
pub(crate) struct Bounds {
    /// Bytes that one connection may have waiting.
    pub per_connection: usize,
    /// Bytes that all blocked connections together may have waiting.
    pub total: usize,
    held: AtomicUsize,
}

impl Bounds {
    pub(crate) fn new(per_connection: usize, total: usize) -> Self {
        Self { per_connection, total, held: AtomicUsize::new(0) }
    }

    /// Counts `now` bytes that are held in place of `before`. `false`: that is too much.
    pub(crate) fn exchange(&self, before: usize, now: usize) -> bool {
        self.held.fetch_add(now, Ordering::Relaxed);
        let held = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        held <= self.total
    }

    /// Whether hardly anything more may be held.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.held() + self.per_connection > self.total
    }

    /// Bytes that are held for blocked connections, and of unfinished messages.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// Messages that are queued as one piece.
#[derive(Debug)]
pub(crate) struct Messages {
    /// Their frames, one behind the other.
    pub frames: Bytes,
    pub count: u64,
    /// Bytes of all messages together, and of the longest.
    pub bytes: usize,
    pub longest: usize,
}

/// The outcome of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// The caller is now the sole writer and owes a flush.
    Claimed,
    /// Somebody else will write it.
    Queued,
    /// No room: the frame was dropped and counted.
    Dropped,
    /// No room: the owner has to close the connection. Told once, `Closed` from then on.
    Overflow,
    /// The client takes no message of that length: it was dropped, and the owner has to tell of it.
    TooLong,
    /// Nothing more can be sent on this connection.
    Closed,
}

/// The outcome of a flush.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Everything is written.
    Idle,
    /// Everything is written, after the socket had been full or frames had been dropped.
    Recovered,
    /// The socket is full; the owner goes on when it is writable.
    Blocked,
    /// The budget is used up; the caller still owes a flush.
    More,
    /// Everything up to the last frame of a sealed queue is written.
    Sealed,
    /// The socket is broken.
    Failed(io::Error),
    /// The queue had been closed meanwhile.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Flushing,
    Blocked,
    Closed,
}

/// What may still be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// There was no room: only the last frame may follow.
    Overflowed,
    /// The last frame is in the queue: nothing may follow it.
    Sealed,
}

/// In the order in which a push touches it: see [`Peer`](super::peer::Peer).
#[derive(Debug)]
#[repr(C)]
struct Inner {
    state: State,
    intake: Intake,
    /// The owner wants to hear when the queue is empty again.
    lagging: bool,
    /// The socket became writable while a flush was under way.
    rearmed: bool,
    dropped: u32,
    /// Bytes that wait, those in the sole writer's hands included.
    waiting: usize,
    sent: Traffic,
    queue: Frames,
    /// Bytes of the first frame that are written already.
    offset: usize,
    /// What of `waiting` is counted in [`Bounds::held`].
    charged: usize,
    /// Bytes that the socket has taken.
    written: u64,
}

/// The outbound queue of one connection. See the module for who may do what.
#[derive(Debug)]
pub(crate) struct Outbound(Mutex<Inner>);

impl Outbound {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner {
            state: State::Idle,
            intake: Intake::Open,
            lagging: false,
            rearmed: false,
            queue: Frames::default(),
            offset: 0,
            waiting: 0,
            charged: 0,
            dropped: 0,
            written: 0,
            sent: Traffic::default(),
        }))
    }

    /// Appends a frame that carries a message of so many bytes. The order of calls is the order on
    /// the wire.
    pub(crate) fn push(
        &self,
        frame: Bytes,
        message: usize,
        on_overflow: OnOverflow,
        bounds: &Bounds,
    ) -> Push {
        let mut inner = lock(&self.0);
        match inner.admit(frame.len(), message, on_overflow, bounds) {
            Ok(()) => inner.append(frame, bounds),
            Err(push) => push,
        }
    }

    /// The same of a frame that nobody else receives. A short one is copied, a long one is taken out of
    /// `frame`.
    pub(crate) fn push_own(
        &self,
        frame: &mut Vec<u8>,
        message: usize,
        on_overflow: OnOverflow,
        bounds: &Bounds,
    ) -> Push {
        if frame.len() > COPIED {
            return self.push(std::mem::take(frame).into(), message, on_overflow, bounds);
        }
        let mut inner = lock(&self.0);
        match inner.admit(frame.len(), message, on_overflow, bounds) {
            Ok(()) => {
                inner.queue.push_copy(frame);
                inner.appended(frame.len(), bounds)
            }
            Err(push) => push,
        }
    }

    /// Appends several messages in one piece; `None` if there is no room for all of them.
    pub(crate) fn push_all(&self, messages: &Messages, bounds: &Bounds) -> Option<Push> {
        let mut inner = lock(&self.0);
        if inner.is_closed() {
            return Some(Push::Closed);
        }
        if !inner.has_room(messages.frames.len(), bounds) {
            return None;
        }
        inner.sent.messages += messages.count;
        inner.sent.bytes += messages.bytes as u64;
        Some(inner.append(messages.frames.clone(), bounds))
    }

    /// Appends a control frame, which has its place whatever the bound: its owner sends few.
    pub(crate) fn push_control(&self, frame: Bytes, bounds: &Bounds) -> Push {
        let mut inner = lock(&self.0);
        if inner.is_closed() {
            return Push::Closed;
        }
        inner.append(frame, bounds)
    }

    /// Appends the last frame, whatever the bound, and lets nothing follow it.
    pub(crate) fn seal(&self, last: Option<Bytes>, bounds: &Bounds) -> Push {
        let mut inner = lock(&self.0);
        if inner.state == State::Closed {
            return Push::Closed;
        }
        inner.intake = Intake::Sealed;
        match last {
            Some(frame) => inner.append(frame, bounds),
            None if inner.state == State::Idle => {
                inner.state = State::Flushing;
                Push::Claimed
            }
            None => Push::Queued,
        }
    }

    /// Writes what waits, as the sole writer: only who was told `Claimed` (or `writable: true`, or
    /// [`Flushed::More`]) may call.
    pub(crate) fn flush(&self, sink: &impl Sink, scratch: &mut Vec<u8>, bounds: &Bounds) -> Flushed {
        let guard = CloseOnPanic(self, bounds);
        let flushed = self.flush_batches(sink, scratch, bounds);
        std::mem::forget(guard);
        flushed
    }

    /// The owner heard that the socket is writable. `true`: the caller owes a flush.
    pub(crate) fn writable(&self, bounds: &Bounds) -> bool {
        let mut inner = lock(&self.0);
        match inner.state {
            State::Blocked => {
                inner.discharge(bounds);
                inner.state = State::Flushing;
                true
            }
            State::Flushing => {
                inner.rearmed = true;
                false
            }
            State::Idle | State::Closed => false,
        }
    }

    /// Drops what waits and takes no more.
    pub(crate) fn close(&self, bounds: &Bounds) {
        let mut inner = lock(&self.0);
        inner.state = State::Closed;
        inner.discharge(bounds);
        inner.queue = Frames::default();
        inner.waiting = 0;
    }

    /// Whether the socket takes no more at present.
    pub(crate) fn is_blocked(&self) -> bool {
        lock(&self.0).state == State::Blocked
    }

    /// Takes the number of frames dropped for want of room since the last call.
    pub(crate) fn take_dropped(&self) -> u32 {
        std::mem::take(&mut lock(&self.0).dropped)
    }

    /// Bytes that the socket has taken since it opened.
    pub(crate) fn written(&self) -> u64 {
        lock(&self.0).written
    }

    /// The messages that were queued since it opened.
    pub(crate) fn sent(&self) -> Traffic {
        lock(&self.0).sent
    }

    fn flush_batches(&self, sink: &impl Sink, scratch: &mut Vec<u8>, bounds: &Bounds) -> Flushed {
        let mut inner = lock(&self.0);
        for _ in 0..BATCHES {
            let mut batch = match inner.take() {
                Ok(batch) => batch,
                Err(flushed) => return flushed,
            };
            drop(inner);
            let written = batch.write(sink, scratch);
            inner = lock(&self.0);
            if inner.state == State::Closed {
                return Flushed::Closed;
            }
            let blocked = match written {
                Ok(bytes) => {
                    inner.settle(&mut batch, bytes);
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => {
                    drop(inner);
                    self.close(bounds);
                    return Flushed::Failed(error);
                }
            };
            inner.put_back(batch);
            if blocked && !inner.rearmed {
                inner.state = State::Blocked;
                inner.lagging = true;
                inner.charge(bounds);
                return Flushed::Blocked;
            }
        }
        Flushed::More
    }
}

impl Inner {
    fn is_closed(&self) -> bool {
        self.intake != Intake::Open || self.state == State::Closed
    }

    fn has_room(&self, bytes: usize, bounds: &Bounds) -> bool {
        if self.waiting == 0 {
            return true;
        }
        if self.state == State::Blocked {
            self.waiting + bytes <= bounds.per_connection
                && bounds.held.load(Ordering::Relaxed) + bytes <= bounds.total
        } else {
            self.waiting + bytes <= bounds.per_connection.saturating_mul(UNBLOCKED_FACTOR)
        }
    }

    /// Counts a message whose frame has so many bytes, or says what becomes of it if it has no place.
    fn admit(
        &mut self,
        bytes: usize,
        message: usize,
        on_overflow: OnOverflow,
        bounds: &Bounds,
    ) -> Result<(), Push> {
        if self.is_closed() {
            return Err(Push::Closed);
        }
        if !self.has_room(bytes, bounds) {
            if on_overflow == OnOverflow::Drop {
                self.dropped = self.dropped.saturating_add(1);
                self.lagging = true;
                return Err(Push::Dropped);
            }
            self.intake = Intake::Overflowed;
            return Err(Push::Overflow);
        }
        self.sent.messages += 1;
        self.sent.bytes += message as u64;
        Ok(())
    }

    fn append(&mut self, frame: Bytes, bounds: &Bounds) -> Push {
        let bytes = frame.len();
        self.queue.push_back(frame);
        self.appended(bytes, bounds)
    }

    /// So many bytes were put into the queue.
    fn appended(&mut self, bytes: usize, bounds: &Bounds) -> Push {
        self.waiting += bytes;
        match self.state {
            State::Idle => {
                self.state = State::Flushing;
                Push::Claimed
            }
            State::Blocked => {
                self.charge(bounds);
                Push::Queued
            }
            State::Flushing => Push::Queued,
            State::Closed => Push::Closed,
        }
    }

    /// Takes all that waits, or says that there is nothing left to do.
    fn take(&mut self) -> Result<Batch, Flushed> {
        if self.state == State::Closed {
            return Err(Flushed::Closed);
        }
        self.rearmed = false;
        if self.queue.is_empty() {
            self.state = State::Idle;
            return Err(match std::mem::take(&mut self.lagging) {
                _ if self.intake == Intake::Sealed => Flushed::Sealed,
                true => Flushed::Recovered,
                false => Flushed::Idle,
            });
        }
        let (frames, offset) = (std::mem::take(&mut self.queue), std::mem::take(&mut self.offset));
        Ok(Batch { frames, offset, bytes: self.waiting })
    }

    /// Takes `bytes` written ones out of the batch.
    fn settle(&mut self, batch: &mut Batch, bytes: usize) {
        self.waiting = self.waiting.saturating_sub(bytes);
        self.written += bytes as u64;
        batch.advance(bytes);
    }

    /// Puts what was not written in front of what arrived meanwhile.
    fn put_back(&mut self, mut batch: Batch) {
        if !batch.frames.is_empty() {
            batch.frames.append(&mut self.queue);
            self.queue = batch.frames;
            self.offset = batch.offset;
        }
    }

    fn charge(&mut self, bounds: &Bounds) {
        bounds.held.fetch_add(self.waiting - self.charged, Ordering::Relaxed);
        self.charged = self.waiting;
    }

    fn discharge(&mut self, bounds: &Bounds) {
        bounds.held.fetch_sub(self.charged, Ordering::Relaxed);
        self.charged = 0;
    }
}

/// A write that panics leaves a queue that nobody would ever write again: close it instead.
struct CloseOnPanic<'a>(&'a Outbound, &'a Bounds);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        self.0.close(self.1);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::super::frames::{GATHER, SLICES};
    use super::*;
    use OnOverflow::{Disconnect, Drop};

    /// What a socket does with a write.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Take(usize),
        Fail(io::ErrorKind),
    }

    /// A socket that follows a script, and then takes everything.
    #[derive(Default)]
    struct Script {
        acts: RefCell<VecDeque<Act>>,
        taken: RefCell<Vec<u8>>,
        /// Slices in each write.
        writes: RefCell<Vec<usize>>,
        /// Where the last write's first slice lies.
        at: Cell<usize>,
    }

    impl Script {
        fn new(acts: impl IntoIterator<Item = Act>) -> Self {
            Self { acts: RefCell::new(acts.into_iter().collect()), ..Self::default() }
        }

        fn full() -> Self {
            Self::new([Act::Fail(io::ErrorKind::WouldBlock)])
        }
    }

    impl Sink for Script {
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.writes.borrow_mut().push(slices.len());
            self.at.set(slices[0].as_ptr().addr());
            let bytes = slices.iter().map(|slice| &**slice).collect::<Vec<_>>().concat();
            match self.acts.borrow_mut().pop_front().unwrap_or(Act::Take(usize::MAX)) {
                Act::Fail(kind) => Err(kind.into()),
                Act::Take(most) => {
                    let taken = most.min(bytes.len());
                    self.taken.borrow_mut().extend_from_slice(&bytes[..taken]);
                    Ok(taken)
                }
            }
        }
    }

    fn wide() -> Bounds {
        Bounds::new(1 << 20, 1 << 20)
    }

    fn push(outbound: &Outbound, bytes: &[u8], bounds: &Bounds) -> Push {
        outbound.push(Bytes::copy_from_slice(bytes), bytes.len(), Disconnect, bounds)
    }

    fn push_own(outbound: &Outbound, bytes: &[u8], bounds: &Bounds) -> Push {
        outbound.push_own(&mut bytes.to_vec(), bytes.len(), Disconnect, bounds)
    }

    fn flush(outbound: &Outbound, sink: &Script, bounds: &Bounds) -> Flushed {
        outbound.flush(sink, &mut Vec::new(), bounds)
    }

    /// A queue in which `waiting` bytes wait for a full socket.
    fn blocked(waiting: usize, bounds: &Bounds) -> Outbound {
        let outbound = Outbound::new();
        push(&outbound, &vec![b'x'; waiting], bounds);
        assert!(matches!(flush(&outbound, &Script::full(), bounds), Flushed::Blocked));
        outbound
    }

    #[test]
    fn a_write_may_be_cut_at_every_byte() {
        type Pushes = [fn(&Outbound, &[u8], &Bounds) -> Push; 4];
        let all: [Pushes; 4] = [
            [push; 4],
            [push_own; 4],
            [push_own, push_own, push, push_own],
            [push, push_own, push_own, push],
        ];
        let cuts = (0..=9).flat_map(|cut| all.map(|pushes| (cut, pushes)));
        for (cut, pushes) in cuts {
            for full in [false, true] {
                let (outbound, bounds) = (Outbound::new(), wide());
                let acts = [Act::Take(cut), Act::Fail(io::ErrorKind::WouldBlock)];
                let script = Script::new(acts.into_iter().take(1 + usize::from(full && cut < 9)));
                for (push, frame) in pushes.into_iter().zip(["one", "", "three", "4"]) {
                    push(&outbound, frame.as_bytes(), &bounds);
                }
                match flush(&outbound, &script, &bounds) {
                    Flushed::Idle => assert!(!full || cut == 9),
                    Flushed::Blocked => {
                        assert_eq!(bounds.held(), 9 - cut);
                        assert!(outbound.writable(&bounds));
                        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Recovered));
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(*script.taken.borrow(), b"onethree4", "cut at {cut}");
                assert_eq!(bounds.held(), 0);
            }
        }
    }

    #[test]
    fn small_frames_are_gathered_and_large_ones_are_not_copied() {
        // frames, their size, and the slices of each write
        let cases: [(usize, usize, &[usize]); 5] = [
            (1, 10, &[1]),
            (3, 10, &[1]),
            (2, GATHER / 2, &[1]),
            (2, GATHER / 2 + 1, &[2]),
            (SLICES + 6, GATHER / SLICES, &[SLICES, 1]),
        ];
        for (count, size, writes) in cases {
            let (outbound, script, bounds) = (Outbound::new(), Script::default(), wide());
            let frames: Vec<Bytes> = (0..count).map(|n| vec![n as u8; size].into()).collect();
            for frame in &frames {
                outbound.push(frame.clone(), size, Disconnect, &bounds);
            }
            assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
            assert_eq!(*script.writes.borrow(), writes, "{count} frames of {size} bytes");
            assert_eq!(*script.taken.borrow(), frames.concat());
            if count == 1 || size > GATHER / 2 {
                assert_eq!(script.at.get(), frames[0].as_ptr().addr(), "written from where it lies");
            }
        }
    }

    #[test]
    fn short_frames_of_one_receiver_are_copied_and_long_ones_are_not() {
        let (outbound, script, bounds) = (Outbound::new(), Script::default(), wide());
        let mut long = vec![7; COPIED + 1];
        let at = long.as_ptr().addr();
        assert_eq!(outbound.push_own(&mut long, 7, Disconnect, &bounds), Push::Claimed);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert_eq!((script.at.get(), long.len()), (at, 0));
        assert_eq!(push_own(&outbound, &[7; COPIED], &bounds), Push::Claimed);
        assert_eq!(push_own(&outbound, &[7; COPIED], &bounds), Push::Queued);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert_eq!(*script.taken.borrow(), [7; 3 * COPIED + 1]);
        assert_eq!(outbound.sent(), Traffic { messages: 3, bytes: 7 + 2 * COPIED as u64 });
    }

    #[test]
    fn the_first_to_push_claims_the_flush() {
        let (outbound, script, bounds) = (Outbound::new(), Script::default(), wide());
        assert_eq!(push(&outbound, b"a", &bounds), Push::Claimed);
        assert_eq!(push(&outbound, b"b", &bounds), Push::Queued);
        assert_eq!(outbound.push_control(Bytes::from_static(b"c"), &bounds), Push::Queued);
        assert!(!outbound.writable(&bounds), "somebody is at it");
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert!(!outbound.writable(&bounds), "there is nothing to write");
        assert_eq!(push(&outbound, b"d", &bounds), Push::Claimed);
        assert_eq!(outbound.sent(), Traffic { messages: 3, bytes: 3 });
    }

    #[test]
    fn a_flush_ends_when_others_are_due() {
        let (outbound, bounds) = (Outbound::new(), wide());
        let script = Script::new([Act::Take(1); BATCHES]);
        push(&outbound, &[0; BATCHES + 1], &bounds);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::More));
        assert_eq!(push(&outbound, b"!", &bounds), Push::Queued, "the flush is still owed");
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert_eq!(script.taken.borrow().len(), BATCHES + 2);
    }

    #[test]
    fn an_interrupted_write_is_made_again() {
        let (outbound, bounds) = (Outbound::new(), wide());
        let script = Script::new([Act::Fail(io::ErrorKind::Interrupted)]);
        push(&outbound, b"a", &bounds);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert_eq!(*script.taken.borrow(), b"a");
    }

    #[test]
    fn a_broken_socket_closes_the_queue() {
        let bounds = wide();
        let outbound = blocked(5, &bounds);
        assert_eq!(bounds.held(), 5);
        assert!(outbound.writable(&bounds));
        let broken = Script::new([Act::Fail(io::ErrorKind::BrokenPipe)]);
        assert!(matches!(flush(&outbound, &broken, &bounds), Flushed::Failed(_)));
        assert_eq!(push(&outbound, b"a", &bounds), Push::Closed);
        assert_eq!(outbound.seal(None, &bounds), Push::Closed);
        assert!(matches!(flush(&outbound, &broken, &bounds), Flushed::Closed));
        assert_eq!(bounds.held(), 0);
    }

    #[test]
    fn a_write_that_panics_closes_the_queue() {
        struct Panics;
        impl Sink for Panics {
            fn write(&self, _: &[u8]) -> io::Result<usize> {
                panic!("as it was told to")
            }
            fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
                panic!("as it was told to")
            }
        }
        let (outbound, bounds) = (Outbound::new(), wide());
        push(&outbound, b"a", &bounds);
        let flush = || outbound.flush(&Panics, &mut Vec::new(), &bounds);
        assert!(catch_unwind(AssertUnwindSafe(flush)).is_err());
        assert_eq!(push(&outbound, b"a", &bounds), Push::Closed);
    }

    #[test]
    fn what_waits_is_bounded() {
        // waiting, blocked, pushed, outcome where frames may be dropped, else
        let cases = [
            (0, false, 1_000, Push::Claimed, Push::Claimed),
            (10, true, 90, Push::Queued, Push::Queued),
            (10, true, 91, Push::Dropped, Push::Overflow),
            (10, false, 91, Push::Queued, Push::Queued),
            (10, false, 100 * UNBLOCKED_FACTOR - 10, Push::Queued, Push::Queued),
            (10, false, 100 * UNBLOCKED_FACTOR - 9, Push::Dropped, Push::Overflow),
        ];
        for (waiting, is_blocked, size, drop, disconnect) in cases {
            for (policy, expected) in [(Drop, drop), (Disconnect, disconnect)] {
                let bounds = Bounds::new(100, 10_000);
                let outbound = if is_blocked { blocked(waiting, &bounds) } else { Outbound::new() };
                if !is_blocked && waiting > 0 {
                    push(&outbound, &vec![0; waiting], &bounds);
                }
                let pushed = outbound.push(vec![0; size].into(), size, policy, &bounds);
                assert_eq!(pushed, expected, "{size} behind {waiting}, blocked: {is_blocked}");
                assert_eq!(outbound.take_dropped(), u32::from(pushed == Push::Dropped));
            }
        }
    }

    #[test]
    fn blocked_connections_share_a_bound() {
        let bounds = Bounds::new(100, 100);
        let (first, second) = (blocked(60, &bounds), blocked(30, &bounds));
        assert_eq!(bounds.held(), 90);
        let event = |outbound: &Outbound, size| outbound.push(vec![0; size].into(), size, Drop, &bounds);
        assert_eq!(event(&second, 11), Push::Dropped);
        assert_eq!(event(&second, 10), Push::Queued);
        assert_eq!(event(&first, 1), Push::Dropped);
        first.close(&bounds);
        assert_eq!(bounds.held(), 40);
        assert_eq!(event(&second, 11), Push::Queued);
        assert_eq!(
            second.push_control(vec![0; 200].into(), &bounds),
            Push::Queued,
            "control frames have room"
        );
        second.close(&bounds);
        second.close(&bounds);
        assert_eq!(bounds.held(), 0);
    }

    #[test]
    fn the_owner_hears_of_drops_when_all_is_written() {
        let (outbound, script, bounds) = (Outbound::new(), Script::default(), Bounds::new(1, 100));
        let event = || outbound.push(Bytes::from_static(b"0123456789"), 10, Drop, &bounds);
        assert_eq!([event(), event(), event()], [Push::Claimed, Push::Dropped, Push::Dropped]);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Recovered));
        assert_eq!([outbound.take_dropped(), outbound.take_dropped()], [2, 0]);
        assert_eq!(event(), Push::Claimed);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Idle));
        assert_eq!(outbound.sent(), Traffic { messages: 2, bytes: 20 });
    }

    #[test]
    fn an_overflow_is_told_once_and_leaves_room_for_the_last_frame() {
        let bounds = Bounds::new(10, 100);
        let outbound = blocked(10, &bounds);
        assert_eq!(push(&outbound, b"a", &bounds), Push::Overflow);
        assert_eq!(push(&outbound, b"a", &bounds), Push::Closed);
        assert_eq!(outbound.push_control(Bytes::from_static(b"a"), &bounds), Push::Closed);
        // What waits is written first; that is not the end.
        let script = Script::default();
        assert!(outbound.writable(&bounds));
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Recovered));
        assert_eq!(outbound.seal(Some(Bytes::from_static(b"bye")), &bounds), Push::Claimed);
        assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Sealed));
        assert!(script.taken.borrow().ends_with(b"xxbye"));
    }

    #[test]
    fn a_sealed_queue_says_when_its_last_frame_is_written() {
        for last in [None, Some(Bytes::from_static(b"bye"))] {
            for waiting in [false, true] {
                let (outbound, script, bounds) = (Outbound::new(), Script::default(), wide());
                if waiting {
                    push(&outbound, b"a", &bounds);
                }
                let sealed = outbound.seal(last.clone(), &bounds);
                assert_eq!(sealed, if waiting { Push::Queued } else { Push::Claimed });
                assert_eq!(push(&outbound, b"b", &bounds), Push::Closed);
                assert!(matches!(flush(&outbound, &script, &bounds), Flushed::Sealed));
            }
        }
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        let act = prop_oneof![
            4 => (1..60_usize).prop_map(Act::Take),
            1 => (1..200_000_usize).prop_map(Act::Take),
            2 => Just(Act::Fail(WouldBlock)),
            1 => Just(Act::Fail(Interrupted)),
        ];
        prop::collection::vec(act, 0..40)
    }

    proptest! {
        /// Whatever the socket does, it gets all bytes in their order, and nothing is held at the
        /// end.
        #[test]
        fn all_bytes_arrive_in_order(
            turns in prop::collection::vec(prop::collection::vec(0..30_000_usize, 0..5), 1..6),
            acts in acts(),
        ) {
            let (outbound, script, bounds) = (Outbound::new(), Script::new(acts), Bounds::new(1 << 22, 1 << 22));
            let mut expected = Vec::new();
            let mut owes = false;
            for sizes in turns {
                for size in sizes {
                    let frame = vec![expected.len() as u8; size];
                    let push = if size % 2 == 0 { push } else { push_own };
                    owes |= push(&outbound, &frame, &bounds) == Push::Claimed;
                    expected.extend(frame);
                }
                if owes {
                    owes = matches!(flush(&outbound, &script, &bounds), Flushed::More);
                }
                let left = expected.len() - script.taken.borrow().len();
                prop_assert_eq!(bounds.held(), if outbound.is_blocked() { left } else { 0 });
            }
            while owes || outbound.writable(&bounds) {
                owes = matches!(flush(&outbound, &script, &bounds), Flushed::More);
            }
            prop_assert!(*script.taken.borrow() == expected);
            prop_assert_eq!(bounds.held(), 0);
        }
    }
}
