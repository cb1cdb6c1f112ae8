//! What Clank asks of the system that no library asks safely: one option of a socket.
//!
//! This is the only crate of Clank's with unsafe code. `TcpStream::set_deferaccept` of the standard library
//! will take its place (rust-lang/rust#119639). Miri finds nothing up to the call, and stops there: it knows
//! no such option.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Has a listening socket of TCP hand over a connection only when the client has sent something, or `patience`
/// has passed (`TCP_DEFER_ACCEPT`, tcp(7)). So whoever accepts finds something to read: a connection takes one
/// wake-up in place of two, and one that only knocks takes nothing but a place in the system's queue.
///
/// It is for protocols in which the client speaks first. `patience` is rounded: up to whole seconds, and then by
/// the system to its times for sending SYN-ACK again, the first of which is one second. Elsewhere than on Linux
/// nothing is done.
///
/// # Errors
/// If `listener` is not a socket of TCP.
///
/// ```
/// use std::net::TcpListener;
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// clank_sys::defer_accept(&listener, Duration::from_secs(1))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "no library sets this option")]
pub fn defer_accept(listener: &impl AsFd, patience: Duration) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let seconds = patience.as_secs() + u64::from(patience.subsec_nanos() > 0);
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    let length = size_of_val(&seconds) as libc::socklen_t;
    let listener = listener.as_fd();
    // SAFETY: the descriptor is borrowed, so it is open, and stays so for the call. The option takes an `int`;
    // the pointer is to one that lives until the call has returned, and `length` is its size. The system reads
    // it and keeps nothing of it.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Does nothing: the system has no such option.
///
/// # Errors
/// Never.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn defer_accept(_: &impl AsFd, _: Duration) -> io::Result<()> {
    Ok(())
}
