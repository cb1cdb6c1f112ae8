//! Lines on their way to a reader that may be slow, stuck or gone.
//!
//! Whoever has a line hands it over and goes on; a thread writes. What waits is
//! bounded in bytes: while a reader is stuck, further lines are dropped and
//! counted, and a warning says so. A reader that has closed its end is never
//! waited for.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait for a reader. As many again may be on their way to it.
pub const CAPACITY: usize = 1 << 20;

/// Bytes that are kept for lines while none comes.
const KEPT: usize = 4 << 10;

/// How long a write that would block is put off; only a descriptor that someone
/// else made non-blocking gets there.
const RETRY: Duration = Duration::from_millis(10);

/// How long the thread lets lines gather between two writes. Waking it for each line would cost
/// the threads that serve clients more than the line itself.
const GATHER: Duration = Duration::from_millis(5);

/// Where lines are handed over. Its clones share one thread.
#[derive(Clone)]
pub struct Output {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether the thread sleeps until it is told that something waits.
    asleep: bool,
    /// Whether the thread has taken lines that it has not yet written.
    writing: bool,
    /// Whether the thread is to end when nothing waits.
    finishing: bool,
    /// Whether nothing will be written any more.
    ended: bool,
    /// Lines dropped since the last that was written.
    lost_lately: u64,
    /// Lines dropped since the beginning.
    lost: u64,
}

impl Output {
    /// Starts a thread that writes to `writer`, which warnings call `name`.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn spawn(name: &'static str, writer: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_capacity(name, CAPACITY, writer)
    }

    fn with_capacity(
        name: &'static str,
        capacity: usize,
        writer: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { name, capacity, state: Mutex::default(), changed: Condvar::new() });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || thread.run(writer))?;
        Ok(Self { shared })
    }

    /// Hands over a line, without its line break. It is dropped and counted if
    /// too much waits already.
    pub fn line(&self, line: &str) {
        self.shared.push(&[line.as_bytes(), b"\n"]);
    }

    /// How many lines were dropped so far.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Waits until everything handed over is written, but no longer than `limit`.
    /// Lines that come later are dropped. Returns whether everything was written.
    pub fn finish(&self, limit: Duration) -> bool {
        let mut state = self.shared.lock();
        state.finishing = true;
        self.shared.changed.notify_all();
        let waited = self.shared.changed.wait_timeout_while(state, limit, |state| !state.ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.ended && state.lost == 0
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// A logger writes a line at a time.
impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.push(&[line]);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Shared {
    /// Nothing that holds the lock can panic, so that what it guards is whole in any case.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[&[u8]]) {
        let length: usize = line.iter().map(|part| part.len()).sum();
        let mut state = self.lock();
        if state.ended || state.finishing {
            state.lost += 1;
        } else if state.waiting.len() + length <= self.capacity {
            for part in line {
                state.waiting.extend_from_slice(part);
            }
            let was_asleep = std::mem::take(&mut state.asleep);
            drop(state);
            if was_asleep {
                self.changed.notify_all();
            }
        } else {
            let is_first = state.lose(1);
            drop(state);
            if is_first {
                // the warning itself may come here again, and is then no longer the first
                tracing::warn!(output = self.name, "reader is stuck: lines are being dropped");
            }
        }
    }

    fn run(&self, mut writer: impl Write) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let result = write_all(&mut writer, &batch);
            if !self.wrote(result, &batch) {
                break;
            }
            self.gather();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for lines and takes them all. False when there will be no more.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        let is_idle = |state: &mut State| {
            state.asleep = state.waiting.is_empty() && !state.finishing;
            if state.asleep {
                // It is quiet: what many lines took is given back.
                for buffer in [&mut state.waiting, &mut *batch] {
                    buffer.shrink_to(KEPT);
                }
            }
            state.asleep
        };
        let mut state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.waiting, batch);
        state.writing = !batch.is_empty();
        state.writing
    }

    /// Waits for more lines to come, unless these were the last.
    fn gather(&self) {
        let goes_on = |state: &mut State| !state.finishing;
        // Nothing depends on how the wait ended.
        _ = self.changed.wait_timeout_while(self.lock(), GATHER, goes_on);
    }

    /// Notes what became of a batch. False if nobody reads any longer.
    fn wrote(&self, result: io::Result<()>, batch: &[u8]) -> bool {
        let mut state = self.lock();
        state.writing = false;
        let Err(error) = result else {
            let lost = std::mem::take(&mut state.lost_lately);
            drop(state);
            if lost > 0 {
                tracing::warn!(output = self.name, lost, "lines were dropped");
            }
            return true;
        };
        let is_first = state.lose(lines(batch));
        let is_gone = error.kind() == ErrorKind::BrokenPipe;
        if is_gone {
            state.ended = true;
            let waiting = std::mem::take(&mut state.waiting);
            state.lose(lines(&waiting));
        }
        drop(state);
        if is_first || is_gone {
            tracing::warn!(output = self.name, %error, "can't be written: lines are being dropped");
        }
        !is_gone
    }
}

impl State {
    /// Counts dropped lines. Returns whether they are the first since one was written.
    fn lose(&mut self, lines: u64) -> bool {
        let is_first = self.lost_lately == 0;
        self.lost_lately += lines;
        self.lost += lines;
        is_first
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

fn write_all(writer: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::park_timeout(RETRY),
            Err(error) => return Err(error),
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Far longer than any of these tests takes.
    const LONG: Duration = Duration::from_secs(30);

    /// A writer that asks before each write what to do, and tells what it wrote.
    struct Asking {
        answers: Receiver<io::Result<usize>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Asking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.answers.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            let _ = self.written.send(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn asking(capacity: usize) -> (Output, Sender<io::Result<usize>>, Receiver<Vec<u8>>) {
        let (answer, answers) = channel();
        let (written, read) = channel();
        let output = Output::with_capacity("test", capacity, Asking { answers, written }).unwrap();
        (output, answer, read)
    }

    fn text(read: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(read.iter().flatten().collect()).unwrap()
    }

    #[test]
    fn lines_are_written_in_order() {
        let (output, answer, read) = asking(CAPACITY);
        drop(answer);
        for n in 0..1_000 {
            output.line(&n.to_string());
        }
        assert!(output.finish(LONG));
        let expected: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        assert_eq!(text(&read), expected);
    }

    #[test]
    fn a_stuck_reader_loses_lines_by_count_and_blocks_nobody() {
        let (output, answer, read) = asking(10);
        output.line("a");
        // the thread has taken the first line, and stays in its write
        while !output.shared.lock().writing {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            output.line("1234");
        }
        assert_eq!(output.lost(), 98, "two lines of five bytes fit");
        drop(answer);
        assert!(!output.finish(LONG), "not everything was written");
        assert_eq!(text(&read), "a\n1234\n1234\n");
    }

    #[test]
    fn a_reader_that_is_gone_is_not_waited_for() {
        let (output, answer, read) = asking(CAPACITY);
        output.line("a");
        while !output.shared.lock().writing {
            std::thread::yield_now();
        }
        output.line("b");
        answer.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        assert!(!output.finish(LONG));
        output.line("c");
        assert_eq!(output.lost(), 3);
        assert_eq!(text(&read), "");
    }

    #[test]
    fn a_failure_that_heals_loses_only_what_was_written_in_it() {
        let (output, answer, read) = asking(CAPACITY);
        answer.send(Err(ErrorKind::StorageFull.into())).unwrap();
        output.line("a");
        while output.lost() == 0 {
            std::thread::yield_now();
        }
        drop(answer);
        output.line("b");
        output.finish(LONG);
        assert_eq!((output.lost(), text(&read).as_str()), (1, "b\n"));
    }

    #[test]
    fn partial_and_interrupted_writes_are_continued() {
        let (output, answer, read) = asking(CAPACITY);
        for result in [Ok(1), Err(ErrorKind::Interrupted.into()), Ok(2), Err(ErrorKind::WouldBlock.into())] {
            answer.send(result).unwrap();
        }
        drop(answer);
        output.line("abcdef");
        assert!(output.finish(LONG));
        assert_eq!(text(&read), "abcdef\n");
    }

    #[test]
    fn finishing_waits_no_longer_than_it_may() {
        let (output, _answer, _read) = asking(CAPACITY);
        output.line("a");
        assert!(!output.finish(Duration::ZERO));
    }
}
