//! The load: one thread, its epoll loop and the connections that it drives.
//!
//! A scenario opens connections, writes into their buffers and hears what comes back. Whatever goes wrong
//! on a connection, or ends it without being asked for, is an error of the whole run: a server is
//! measured while it does all that is asked of it.

mod connection;
mod inflated;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::Result;
use crate::protocol::{Protocol, Said};
use connection::{Connection, Context, Reading};

/// Client addresses that take turns: each has ports of its own, which a closed connection may hold for a
/// minute.
const SOURCES: u32 = 32;
/// How long setting up may take.
const SETTING_UP: Duration = Duration::from_secs(120);
/// The longest wait for the loop's next turn.
pub(crate) const TURN: Duration = Duration::from_millis(100);
/// Handshakes that are under way at once.
pub(crate) const ENTERING: usize = 64;

/// Hears what a server says on a connection of a number, and may write into that connection's buffer,
/// which is sent afterwards.
pub(crate) trait Hear: FnMut(usize, Said<'_>, &mut Vec<u8>) -> Result {}

impl<F: FnMut(usize, Said<'_>, &mut Vec<u8>) -> Result> Hear for F {}

/// Whom the load is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) deflate: bool,
}

pub(crate) struct Load<'a> {
    pub(crate) target: Target<'a>,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    reading: Reading,
    /// Connections that are not yet welcome.
    entering: usize,
    opened: u32,
}

impl<'a> Load<'a> {
    /// A load that looks at `turn` connections in each turn of its loop.
    pub(crate) fn new(target: Target<'a>, turn: usize) -> Result<Self> {
        if !target.address.ip().is_loopback() {
            return Err("only servers on loopback are measured".into());
        }
        Ok(Self {
            target,
            poll: Poll::new()?,
            events: Events::with_capacity(turn),
            connections: Vec::new(),
            reading: Reading::new(),
            entering: 0,
            opened: 0,
        })
    }

    /// Begins a new connection and returns its number.
    pub(crate) fn open(&mut self) -> Result<usize> {
        let number = self.connections.len();
        let connection = self.connect(number)?;
        self.connections.push(connection);
        Ok(number)
    }

    /// Begins a connection in the place of one that is closed.
    pub(crate) fn reopen(&mut self, number: usize) -> Result {
        let connection = self.connect(number)?;
        if let Some(place) = self.connections.get_mut(number) {
            *place = connection;
        }
        Ok(())
    }

    fn connect(&mut self, number: usize) -> Result<Connection> {
        self.opened = self.opened.wrapping_add(1);
        let source = Ipv4Addr::new(127, 0, 1, 1 + (self.opened % SOURCES) as u8);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        match socket.connect(&self.target.address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error.into());
            }
            _ => {}
        }
        let mut socket = mio::net::TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number), interest)?;
        self.entering += 1;
        Ok(Connection::new(socket))
    }

    /// The buffer of a connection; what is written into it leaves with the next [`flush`](Self::flush).
    pub(crate) fn out(&mut self, number: usize) -> Result<&mut Vec<u8>> {
        let connection = self.connections.get_mut(number).ok_or("no such connection")?;
        Ok(&mut connection.out)
    }

    pub(crate) fn flush(&mut self, number: usize) -> Result {
        self.connections.get_mut(number).ok_or("no such connection")?.flush()
    }

    /// Asks for the end of a connection: [`Said::Closed`] follows.
    pub(crate) fn close(&mut self, number: usize) -> Result {
        let connection = self.connections.get_mut(number).ok_or("no such connection")?;
        connection.begin_closing()?;
        connection.flush()
    }

    /// Waits for events; there are none if a signal came first.
    fn wait(&mut self, wait: Duration) -> Result {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            polled => Ok(polled?),
        }
    }

    /// Waits for what comes and hands it to `hear`.
    pub(crate) fn turn(&mut self, wait: Duration, hear: &mut impl Hear) -> Result {
        self.wait(wait)?;
        for event in &self.events {
            let number = event.token().0;
            let Some(connection) = self.connections.get_mut(number) else { continue };
            let mut context = Context { number, target: &self.target, entering: &mut self.entering };
            let mut served = if event.is_writable() { connection.write(&context) } else { Ok(()) };
            if served.is_ok() && (event.is_readable() || event.is_read_closed() || event.is_error()) {
                served = connection.serve(&mut self.reading, &mut context, hear);
            }
            served.map_err(|error| format!("connection {number}: {error}"))?;
        }
        Ok(())
    }

    /// Waits for what comes, and tells of its length, and what it is if it is `copied`; else the system
    /// throws it away. Nothing is answered, pings neither.
    pub(crate) fn turn_unheard(
        &mut self,
        wait: Duration,
        copied: bool,
        mut hear: impl FnMut(usize, usize, Option<&[u8]>) -> Result,
    ) -> Result {
        self.wait(wait)?;
        for event in &self.events {
            let number = event.token().0;
            let Some(connection) = self.connections.get_mut(number) else { continue };
            let mut served = if event.is_writable() { connection.flush() } else { Ok(()) };
            if served.is_ok() && (event.is_readable() || event.is_read_closed() || event.is_error()) {
                let hear = |length, bytes: Option<&[u8]>| hear(number, length, bytes);
                served = connection.take_unheard(&mut self.reading, copied, hear);
            }
            served.map_err(|error| format!("connection {number}: {error}"))?;
        }
        Ok(())
    }

    /// Turns for so long; what is heard is not asked for.
    pub(crate) fn rest(&mut self, time: Duration) -> Result {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn(left.min(TURN), &mut |_, _, _| Ok(()))?;
        }
        Ok(())
    }

    /// Opens so many connections, and waits until all are welcome.
    pub(crate) fn enter(&mut self, count: usize) -> Result<std::ops::Range<usize>> {
        let (first, end) = (self.connections.len(), Instant::now() + SETTING_UP);
        while self.connections.len() < first + count || self.entering > 0 {
            while self.connections.len() < first + count && self.entering < ENTERING {
                self.open()?;
            }
            self.turn(TURN, &mut |_, _, _| Ok(()))?;
            if Instant::now() > end {
                let welcome = self.connections.len() - first - self.entering;
                return Err(format!("{welcome} of {count} clients were let in after {SETTING_UP:?}").into());
            }
        }
        Ok(first..first + count)
    }

    /// Has each of the connections say something, a few at a time, and waits until all of it is done.
    pub(crate) fn settle(
        &mut self,
        numbers: std::ops::Range<usize>,
        say: impl Fn(Protocol, usize, &mut Vec<u8>) -> Result,
    ) -> Result {
        let (count, end) = (numbers.len(), Instant::now() + SETTING_UP);
        let (mut waiting, mut settled) = (numbers, 0);
        let mut said = 0;
        while settled < count {
            while said - settled < ENTERING {
                let Some(number) = waiting.next() else { break };
                let protocol = self.target.protocol;
                say(protocol, number, self.out(number)?)?;
                self.flush(number)?;
                said += 1;
            }
            self.turn(TURN, &mut |_, heard, _| {
                settled += usize::from(heard == Said::Settled);
                if settled > said { Err("an answer to nothing".into()) } else { Ok(()) }
            })?;
            if Instant::now() > end {
                return Err(format!("{settled} of {count} clients were served after {SETTING_UP:?}").into());
            }
        }
        Ok(())
    }

    /// Closes all connections, without a word.
    pub(crate) fn abandon(&mut self) {
        self.connections.clear();
        self.entering = 0;
    }
}
