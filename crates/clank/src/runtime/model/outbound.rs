//! One connection's queue, pushed to and flushed by several workers, with a socket that is small
//! and a reader that is slow.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use shuttle::sync::Condvar;
use shuttle::thread::{self, JoinHandle};

use super::explore;
use crate::runtime::outbound::{Bounds, Flushed, OnOverflow, Outbound, Push, Sink};
use crate::runtime::sync::{Mutex, lock};

/// Bytes of a frame: who pushed it, its number, and filling.
const FRAME: usize = 6;
/// Bytes that the socket holds: less than two frames, so that writes are cut.
const ROOM: usize = 8;
/// Who pushes the last frame.
const OWNER: u8 = 9;

fn frame(pusher: u8, number: u8) -> Bytes {
    Bytes::from(vec![pusher, number, 0, 0, 0, 0])
}

/// The frames in what was read, each as pusher and number.
fn frames(read: &[u8]) -> Vec<(u8, u8)> {
    let frames = read.chunks_exact(FRAME);
    assert!(frames.remainder().is_empty(), "a frame was cut short");
    frames.map(|frame| (frame[0], frame[1])).collect()
}

/// The numbers that one pusher's frames have.
fn numbers(frames: &[(u8, u8)], pusher: u8) -> Vec<u8> {
    frames.iter().filter(|(by, _)| *by == pusher).map(|(_, number)| *number).collect()
}

/// What the owner of the connection is told, by other threads or by the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Flush,
    Writable,
    Blocked,
    Recovered,
    Sealed,
    Overflowed,
    Failed,
    /// The application closes the connection.
    Close,
    /// The client is gone.
    Lost,
    Stop,
}

#[derive(Default)]
struct Inbox {
    notes: Mutex<VecDeque<Note>>,
    told: Condvar,
}

impl Inbox {
    fn send(&self, note: Note) {
        lock(&self.notes).push_back(note);
        self.told.notify_one();
    }

    /// Takes all that was told, once there is something.
    fn take(&self) -> VecDeque<Note> {
        let mut notes = self.told.wait_while(lock(&self.notes), |notes| notes.is_empty()).unwrap();
        std::mem::take(&mut notes)
    }
}

#[derive(Default)]
struct Kernel {
    buffer: VecDeque<u8>,
    read: Vec<u8>,
    /// A thread is in a write.
    writing: bool,
    /// A write found no room: whoever makes some tells the owner, once.
    starved: bool,
    ended: bool,
}

/// A connection with everything around it.
struct Rig {
    outbound: Outbound,
    bounds: Arc<Bounds>,
    kernel: Mutex<Kernel>,
    /// There is something to read.
    arrived: Condvar,
    owner: Inbox,
}

impl Sink for Rig {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!std::mem::replace(&mut lock(&self.kernel).writing, true), "two write at once");
        let mut kernel = lock(&self.kernel);
        kernel.writing = false;
        if kernel.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = (ROOM - kernel.buffer.len()).min(bytes.len());
        kernel.starved |= room < bytes.len();
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        kernel.buffer.extend(&bytes[..room]);
        self.arrived.notify_one();
        Ok(room)
    }

    fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("frames this small are gathered")
    }
}

impl Rig {
    fn new(bounds: &Arc<Bounds>) -> Arc<Self> {
        let rig = Self {
            outbound: Outbound::new(),
            bounds: Arc::clone(bounds),
            kernel: Mutex::default(),
            arrived: Condvar::new(),
            owner: Inbox::default(),
        };
        // A socket is writable when it is registered; the system says so at any later time.
        rig.owner.send(Note::Writable);
        Arc::new(rig)
    }

    fn push(&self, pusher: u8, number: u8, on_overflow: OnOverflow) -> Push {
        let frame = frame(pusher, number);
        match number % 2 {
            0 => self.outbound.push(frame, 1, on_overflow, &self.bounds),
            _ => self.outbound.push_own(&mut frame.to_vec(), 1, on_overflow, &self.bounds),
        }
    }

    /// Flushes until the flush is owed no more.
    fn flush(&self) -> Flushed {
        loop {
            match self.outbound.flush(self, &mut Vec::new(), &self.bounds) {
                Flushed::More => {}
                flushed => return flushed,
            }
        }
    }

    /// Flushes as a worker does that does not own the connection.
    fn flush_for_owner(&self) {
        match self.flush() {
            Flushed::Blocked => self.owner.send(Note::Blocked),
            Flushed::Recovered => self.owner.send(Note::Recovered),
            Flushed::Sealed => self.owner.send(Note::Sealed),
            Flushed::Failed(_) => self.owner.send(Note::Failed),
            Flushed::Idle | Flushed::Closed => {}
            Flushed::More => unreachable!("flushed until nothing is owed"),
        }
    }

    fn end(&self) {
        lock(&self.kernel).ended = true;
        self.arrived.notify_one();
    }

    /// Reads as a client that takes what is there, until it has `bytes` or the end.
    fn read(&self, bytes: usize) {
        loop {
            let idle = |kernel: &mut Kernel| kernel.buffer.is_empty() && !kernel.ended;
            let mut kernel = self.arrived.wait_while(lock(&self.kernel), idle).unwrap();
            if kernel.buffer.is_empty() {
                return;
            }
            let arrived = std::mem::take(&mut kernel.buffer);
            kernel.read.extend(arrived);
            let enough = kernel.read.len() >= bytes;
            if std::mem::take(&mut kernel.starved) {
                drop(kernel);
                self.owner.send(Note::Writable);
            }
            if enough {
                return;
            }
        }
    }

    fn spawn_reader(self: &Arc<Self>, bytes: usize) -> JoinHandle<()> {
        let rig = Arc::clone(self);
        thread::spawn(move || rig.read(bytes))
    }

    fn spawn_owner(self: &Arc<Self>) -> JoinHandle<Owner> {
        let rig = Arc::clone(self);
        thread::spawn(move || Owner::default().run(&rig))
    }

    /// Pushes frames as another worker's turn does: all of them, then the flush if it was claimed.
    fn spawn_worker(self: &Arc<Self>, pusher: u8, count: u8, on_overflow: OnOverflow) -> JoinHandle<Pushed> {
        self.spawn_pusher(pusher, count, on_overflow, Self::flush_for_owner)
    }

    /// Pushes frames as a thread of the application does: the owner has to flush.
    fn spawn_application(
        self: &Arc<Self>,
        pusher: u8,
        count: u8,
        on_overflow: OnOverflow,
    ) -> JoinHandle<Pushed> {
        self.spawn_pusher(pusher, count, on_overflow, |rig| rig.owner.send(Note::Flush))
    }

    fn spawn_pusher(
        self: &Arc<Self>,
        pusher: u8,
        count: u8,
        on_overflow: OnOverflow,
        flush: fn(&Self),
    ) -> JoinHandle<Pushed> {
        let rig = Arc::clone(self);
        thread::spawn(move || {
            let mut pushed = Pushed { pusher, ..Pushed::default() };
            let mut claimed = false;
            for number in 0..count {
                match rig.push(pusher, number, on_overflow) {
                    Push::Claimed => {
                        assert!(!claimed, "a flush is claimed once");
                        claimed = true;
                        pushed.accepted.push(number);
                    }
                    Push::Queued => pushed.accepted.push(number),
                    Push::Dropped => pushed.dropped += 1,
                    Push::Overflow => {
                        pushed.overflows += 1;
                        rig.owner.send(Note::Overflowed);
                    }
                    Push::TooLong | Push::Closed => {}
                }
            }
            if claimed {
                flush(&rig);
            }
            pushed
        })
    }

    /// What the client has read. Nothing is left over: no frame, no claim, no bytes that count.
    fn finish(&self) -> Vec<(u8, u8)> {
        assert!(lock(&self.owner.notes).is_empty());
        assert!(!self.outbound.is_blocked());
        frames(&lock(&self.kernel).read)
    }
}

/// What came of one thread's pushes.
#[derive(Default)]
struct Pushed {
    pusher: u8,
    accepted: Vec<u8>,
    dropped: u32,
    overflows: usize,
}

/// What the owner keeps of its connection, as `Worker` and `Conn` do.
#[derive(Default)]
struct Owner {
    /// It owes a flush, at the end of the turn.
    owes: bool,
    /// It waits for the socket, and gives the client up if that takes too long.
    blocked: bool,
    /// The last frame is queued.
    sealed: bool,
    /// The socket is ended.
    ended: bool,
    overflows: usize,
    dropped: u32,
}

impl Owner {
    /// Takes turns until it is told to stop.
    fn run(mut self, rig: &Rig) -> Self {
        loop {
            let notes = rig.owner.take();
            let stopped = notes.contains(&Note::Stop);
            notes.into_iter().for_each(|note| self.on_note(note, rig));
            if std::mem::take(&mut self.owes) {
                self.flush(rig);
            }
            if stopped {
                return self;
            }
        }
    }

    fn on_note(&mut self, note: Note, rig: &Rig) {
        match note {
            Note::Flush => self.owes = true,
            Note::Writable => self.owes |= rig.outbound.writable(&rig.bounds),
            Note::Blocked => self.on_blocked(rig),
            Note::Recovered => self.on_recovered(rig),
            Note::Sealed => self.on_sealed(rig),
            Note::Overflowed => {
                self.overflows += 1;
                self.close(rig);
            }
            Note::Close => self.close(rig),
            Note::Failed | Note::Lost => self.shut(rig),
            Note::Stop => {}
        }
    }

    fn flush(&mut self, rig: &Rig) {
        match rig.flush() {
            Flushed::Blocked => self.on_blocked(rig),
            Flushed::Recovered => self.on_recovered(rig),
            Flushed::Sealed => self.on_sealed(rig),
            Flushed::Failed(_) => self.shut(rig),
            Flushed::Idle | Flushed::Closed => {}
            Flushed::More => unreachable!("flushed until nothing is owed"),
        }
    }

    /// What another worker tells may be out of date.
    fn on_blocked(&mut self, rig: &Rig) {
        self.blocked |= rig.outbound.is_blocked();
    }

    fn on_recovered(&mut self, rig: &Rig) {
        self.blocked &= rig.outbound.is_blocked();
        self.dropped += rig.outbound.take_dropped();
    }

    fn close(&mut self, rig: &Rig) {
        if !self.ended && !std::mem::replace(&mut self.sealed, true) {
            self.owes |= rig.outbound.seal(Some(frame(OWNER, 0)), &rig.bounds) == Push::Claimed;
        }
    }

    fn on_sealed(&mut self, rig: &Rig) {
        if self.sealed {
            assert!(!self.ended, "the end is told once");
            self.ended = true;
            rig.end();
        }
    }

    fn shut(&mut self, rig: &Rig) {
        self.ended = true;
        rig.outbound.close(&rig.bounds);
        rig.end();
    }
}

fn wide() -> Arc<Bounds> {
    Arc::new(Bounds::new(1_000, 1_000))
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap()
}

/// Nothing is lost, each pusher's order is kept, no two write at once, and everything is written
/// once all is quiet.
fn delivery() {
    let bounds = wide();
    let rig = Rig::new(&bounds);
    let owner = rig.spawn_owner();
    let reader = rig.spawn_reader(6 * FRAME);
    let pushers = [
        rig.spawn_worker(0, 2, OnOverflow::Disconnect),
        rig.spawn_worker(1, 2, OnOverflow::Disconnect),
        rig.spawn_application(2, 2, OnOverflow::Disconnect),
    ];
    pushers.into_iter().for_each(|pusher| assert_eq!(join(pusher).accepted, [0, 1]));
    join(reader);
    rig.owner.send(Note::Stop);
    let owner = join(owner);
    let read = rig.finish();
    assert_eq!(read.len(), 6);
    (0..3).for_each(|pusher| assert_eq!(numbers(&read, pusher), [0, 1]));
    assert!(!owner.blocked, "the owner would give up a client that has read everything");
    assert_eq!(bounds.held(), 0);
    assert_eq!(rig.outbound.sent().messages, 6);
}

#[test]
fn every_frame_is_written_in_its_pushers_order() {
    explore(delivery);
}

/// A worker that does not own the connection fills the socket; the owner alone hears that there is
/// room again.
fn block_and_wake() {
    let bounds = wide();
    let rig = Rig::new(&bounds);
    let owner = rig.spawn_owner();
    let pusher = rig.spawn_worker(0, 2, OnOverflow::Disconnect);
    rig.read(2 * FRAME);
    join(pusher);
    rig.owner.send(Note::Stop);
    assert!(!join(owner).blocked, "the owner would give up a client that has read everything");
    assert_eq!(numbers(&rig.finish(), 0), [0, 1]);
    assert_eq!(bounds.held(), 0);
}

#[test]
fn no_edge_is_lost_between_a_full_socket_and_its_owner() {
    explore(block_and_wake);
}

/// A socket that is full until somebody makes room.
struct Full {
    full: Mutex<bool>,
    written: AtomicUsize,
}

impl Sink for Full {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if *lock(&self.full) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.written.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("frames this small are gathered")
    }
}

/// The least of it: one worker writes to a full socket while the owner hears that there is room.
fn write_and_edge() {
    let shared = Arc::new((
        Outbound::new(),
        Full { full: Mutex::new(true), written: AtomicUsize::new(0) },
        Bounds::new(1_000, 1_000),
    ));
    let worker = Arc::clone(&shared);
    let worker = thread::spawn(move || {
        let (outbound, socket, bounds) = &*worker;
        for number in 0..2 {
            if outbound.push(frame(0, number), 1, OnOverflow::Disconnect, bounds) == Push::Claimed {
                _ = outbound.flush(socket, &mut Vec::new(), bounds);
            }
        }
    });
    let (outbound, socket, bounds) = &*shared;
    *lock(&socket.full) = false;
    if outbound.writable(bounds) {
        _ = outbound.flush(socket, &mut Vec::new(), bounds);
    }
    join(worker);
    assert_eq!(socket.written.load(Ordering::Relaxed), 2 * FRAME);
    assert!(!outbound.is_blocked());
    assert_eq!(bounds.held(), 0);
}

#[test]
fn no_edge_is_lost_under_any_schedule() {
    shuttle::check_dfs(write_and_edge, None);
}

/// What was accepted before the end is written, then the last frame, then nothing.
fn seal() {
    let bounds = wide();
    let rig = Rig::new(&bounds);
    let owner = rig.spawn_owner();
    let reader = rig.spawn_reader(usize::MAX);
    let pushers =
        [rig.spawn_worker(0, 2, OnOverflow::Disconnect), rig.spawn_application(1, 2, OnOverflow::Disconnect)];
    rig.owner.send(Note::Close);
    let pushed = pushers.map(join);
    join(reader);
    rig.owner.send(Note::Stop);
    assert!(join(owner).ended);
    let read = rig.finish();
    assert_eq!(read.last(), Some(&(OWNER, 0)), "nothing follows the last frame");
    pushed.iter().for_each(|pushed| assert_eq!(numbers(&read, pushed.pusher), pushed.accepted));
    assert_eq!(read.len(), 1 + pushed.iter().map(|pushed| pushed.accepted.len()).sum::<usize>());
    assert_eq!(rig.push(0, 9, OnOverflow::Drop), Push::Closed);
    assert_eq!(bounds.held(), 0);
}

#[test]
fn nothing_follows_the_last_frame() {
    explore(seal);
}

static OVERFLOWS: AtomicUsize = AtomicUsize::new(0);

/// A client that reads too slowly: its owner hears of it once, and the client gets what was
/// accepted before, and the last frame.
fn overflow() {
    let bounds = Arc::new(Bounds::new(1, 1_000));
    let rig = Rig::new(&bounds);
    let owner = rig.spawn_owner();
    let pushers =
        [rig.spawn_worker(0, 4, OnOverflow::Disconnect), rig.spawn_worker(1, 2, OnOverflow::Disconnect)];
    let reader = rig.spawn_reader(usize::MAX);
    let pushed = pushers.map(join);
    rig.owner.send(Note::Close);
    join(reader);
    rig.owner.send(Note::Stop);
    let owner = join(owner);
    let overflows = pushed.iter().map(|pushed| pushed.overflows).sum();
    assert!(overflows <= 1, "an overflow is told once");
    assert_eq!(owner.overflows, overflows);
    let read = rig.finish();
    assert_eq!(read.last(), Some(&(OWNER, 0)), "the client is told why it is disconnected");
    pushed.iter().for_each(|pushed| assert_eq!(numbers(&read, pushed.pusher), pushed.accepted));
    assert_eq!(bounds.held(), 0);
    OVERFLOWS.fetch_add(overflows, Ordering::Relaxed);
}

#[test]
fn an_overflow_is_told_once_and_ends_with_the_last_frame() {
    explore(overflow);
    assert!(OVERFLOWS.load(Ordering::Relaxed) > 0, "some schedule overflows");
}

static DROPS: AtomicUsize = AtomicUsize::new(0);

/// A client that reads too slowly where events may be dropped: when all is quiet, each event has
/// been delivered, or the owner has heard that it was dropped.
fn drops() {
    let bounds = Arc::new(Bounds::new(1, 1_000));
    let rig = Rig::new(&bounds);
    let owner = rig.spawn_owner();
    let pushers = [rig.spawn_worker(0, 4, OnOverflow::Drop), rig.spawn_worker(1, 2, OnOverflow::Drop)];
    let reader = rig.spawn_reader(FRAME);
    let pushed = pushers.map(join);
    join(reader);
    let accepted: usize = pushed.iter().map(|pushed| pushed.accepted.len()).sum();
    let dropped: u32 = pushed.iter().map(|pushed| pushed.dropped).sum();
    assert_eq!(accepted as u32 + dropped, 6);
    if lock(&rig.kernel).read.len() < accepted * FRAME {
        rig.read(accepted * FRAME);
    }
    rig.owner.send(Note::Stop);
    assert_eq!(join(owner).dropped, dropped);
    let read = rig.finish();
    pushed.iter().for_each(|pushed| assert_eq!(numbers(&read, pushed.pusher), pushed.accepted));
    assert_eq!(bounds.held(), 0);
    DROPS.fetch_add(dropped as usize, Ordering::Relaxed);
}

#[test]
fn every_drop_is_told() {
    explore(drops);
    assert!(DROPS.load(Ordering::Relaxed) > 0, "some schedule drops");
}

/// Closing one of two connections at any time drops what waits there and nothing else.
fn close() {
    let bounds = wide();
    let (lost, kept) = (Rig::new(&bounds), Rig::new(&bounds));
    let owners = [lost.spawn_owner(), kept.spawn_owner()];
    let pushers = [
        lost.spawn_worker(0, 2, OnOverflow::Disconnect),
        kept.spawn_worker(0, 2, OnOverflow::Disconnect),
        lost.spawn_application(1, 2, OnOverflow::Disconnect),
    ];
    let readers = [lost.spawn_reader(FRAME), kept.spawn_reader(2 * FRAME)];
    lost.owner.send(Note::Lost);
    let pushed = pushers.map(join);
    readers.into_iter().for_each(join);
    for rig in [&lost, &kept] {
        rig.owner.send(Note::Stop);
    }
    owners.into_iter().for_each(|owner| _ = join(owner));
    assert_eq!(numbers(&kept.finish(), 0), [0, 1]);
    assert_eq!(lost.push(0, 9, OnOverflow::Drop), Push::Closed);
    assert!(!lost.outbound.writable(&bounds));
    assert_eq!(bounds.held(), 0);
    // The client got a part of what was accepted, perhaps cut within a frame.
    let read: Vec<_> =
        lock(&lost.kernel).read.chunks_exact(FRAME).map(|frame| (frame[0], frame[1])).collect();
    for pushed in [&pushed[0], &pushed[2]] {
        assert!(pushed.accepted.starts_with(&numbers(&read, pushed.pusher)));
    }
}

#[test]
fn a_close_drops_what_waits_and_gives_its_room_back() {
    explore(close);
}
