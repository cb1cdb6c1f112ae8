//! What carries the bytes of a connection.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::{cell::RefCell, net::Shutdown};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outbound::Sink;
use super::socket::Socket;

/// Any stream of bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What carries the bytes of a connection.
pub(crate) enum Transport {
    /// A socket of the server's own, to which every thread can write.
    Direct(Arc<Socket>),
    /// A stream made by somebody else, such as another server's upgraded one or the pipe of the
    /// in-process client. Only its worker touches it.
    Owned(Box<Owned>),
    /// Nothing any more: it has been shut.
    Gone,
}

/// A stream that wakes its worker when it can go on.
pub(crate) struct Owned {
    stream: RefCell<Box<dyn Stream>>,
    waker: Waker,
}

impl Transport {
    pub(crate) fn owned(stream: Box<dyn Stream>, waker: Waker) -> Self {
        Self::Owned(Box::new(Owned { stream: RefCell::new(stream), waker }))
    }

    /// The socket, if every thread can write to it.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        match self {
            Self::Direct(socket) => Some(socket),
            Self::Owned(_) | Self::Gone => None,
        }
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Direct(socket) => (&mut &**socket).read(buffer),
            Self::Owned(owned) => {
                let mut read = ReadBuf::new(buffer);
                owned.poll(|stream, cx| stream.poll_read(cx, &mut read))?;
                Ok(read.filled().len())
            }
            Self::Gone => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes some of `bytes`.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(socket) => (&mut &**socket).write(bytes),
            Self::Owned(owned) => Sink::write(&**owned, bytes),
            Self::Gone => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether bytes wait to be read.
    pub(crate) fn has_unread(&self) -> bool {
        match self {
            Self::Direct(socket) => socket.has_unread(),
            // It can't be asked without reading, and reading has told all it had.
            Self::Owned(_) | Self::Gone => false,
        }
    }

    /// Lets a stream go on with what it holds back. `false`: it still holds something.
    pub(crate) fn flush(&self) -> bool {
        let Self::Owned(owned) = self else { return true };
        match owned.poll(|stream, cx| stream.poll_flush(cx)) {
            Ok(()) => true,
            // Any other error shows again when reading, and lets nothing more go.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// The system tells of it under this token from now on, when it can be read and when it takes something
    /// again. A stream tells in any case.
    pub(crate) fn watch_writes(&self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        self.socket().map_or(Ok(()), |socket| socket.watch_writes(registry, token))
    }

    /// A stream wakes by this waker from now on.
    pub(crate) fn rewake(&mut self, waker: Waker) {
        if let Self::Owned(owned) = self {
            owned.waker = waker;
        }
    }

    /// Ends the direction to the client.
    pub(crate) fn end(&self) {
        match self {
            // It fails if the client was quicker.
            Self::Direct(socket) => _ = socket.shutdown(Shutdown::Write),
            Self::Owned(owned) => _ = owned.poll(|stream, cx| stream.poll_shutdown(cx)),
            Self::Gone => {}
        }
    }

    /// Ends both directions, and gives the descriptor back.
    pub(crate) fn shut(&mut self) {
        if let Self::Owned(_) = self {
            self.end();
        }
        *self = Self::Gone;
    }
}

impl Owned {
    /// Lets a stream that gathers what is written go on with it.
    fn push_through(&self, written: usize) -> io::Result<usize> {
        match self.poll(|stream, cx| stream.poll_flush(cx)) {
            // It wakes the worker, which goes on with the flush.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(written),
            Err(error) => Err(error),
            Ok(()) => Ok(written),
        }
    }

    fn poll<T>(
        &self,
        poll: impl FnOnce(Pin<&mut dyn Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let mut stream = self.stream.borrow_mut();
        match poll(Pin::new(&mut **stream), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Sink for Owned {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.poll(|stream, cx| stream.poll_write(cx, bytes))?;
        self.push_through(written)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.poll(|stream, cx| stream.poll_write_vectored(cx, slices))?;
        self.push_through(written)
    }
}
