//! How long others had the processor that is the server's.
//!
//! A server that is never idle is displaced for a tick of the system's clock, often four milliseconds, by
//! whatever else wakes on its processor; one that sleeps is let run at once. So a machine that does a little
//! of something else makes a busy server look slow, and a quiet one not. Nothing about a server follows
//! from the deliveries in which that has happened.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::Result;
use crate::process::Processes;

/// The threads of a server that has one processor for all of them.
pub(crate) struct Displaced {
    /// Of the thread with the most processor time, which is the one that serves.
    serving: File,
    others: Vec<File>,
}

impl Displaced {
    /// # Errors
    /// If the system doesn't tell when it lets threads run.
    pub(crate) fn new(server: Processes) -> Result<Self> {
        let mut threads = Vec::new();
        for id in server.ids() {
            for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
                // A thread may end at any time.
                let Ok(file) = File::open(thread?.path().join("schedstat")) else { continue };
                threads.extend(Times::read(&file).map(|times| (times.ran, file)));
            }
        }
        threads.sort_by_key(|(ran, _)| *ran);
        let (_, serving) = threads.pop().ok_or("the system doesn't tell of the server's threads")?;
        Ok(Self { serving, others: threads.into_iter().map(|(_, file)| file).collect() })
    }

    /// The time until now. It differs from that of another moment by what passed between them; by itself it
    /// says nothing. The serving thread waited for a processor so much longer than the server's other
    /// threads had it.
    pub(crate) fn until_now(&self) -> i64 {
        let waited = Times::read(&self.serving).map_or(0, |times| times.waited);
        let ran: i64 = self.others.iter().filter_map(Times::read).map(|times| times.ran).sum();
        waited - ran
    }
}

/// What the system says of a thread, in nanoseconds.
#[derive(Debug, PartialEq, Eq)]
struct Times {
    ran: i64,
    /// While it could have run.
    waited: i64,
}

impl Times {
    /// `None` of a thread that has ended.
    fn read(file: &File) -> Option<Self> {
        let mut text = [0; 64];
        let length = file.read_at(&mut text, 0).ok()?;
        Self::parse(std::str::from_utf8(text.get(..length)?).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
        Some(Self { ran: numbers.next()??, waited: numbers.next()?? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_read_while_it_is_there() {
        assert_eq!(Times::parse("5 7 3\n"), Some(Times { ran: 5, waited: 7 }));
        assert_eq!(Times::parse("5\n"), None);
        let ends = std::thread::spawn(|| {
            let file = File::open("/proc/thread-self/schedstat").unwrap();
            (Times::read(&file).is_some(), file)
        });
        let (was_there, file) = ends.join().unwrap();
        assert!(was_there);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while Times::read(&file).is_some() {
            assert!(std::time::Instant::now() < deadline, "the thread is still there");
            std::thread::yield_now();
        }
    }
}
