//! A Unix socket on which the server listens, and its file.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use mio::net::UnixStream;
use socket2::{Domain, SockAddr, Socket, Type};

/// Who may connect: the server's own user and group.
const MODE: u32 = 0o660;

/// A Unix socket on which the server listens. Its file goes with it.
pub(crate) struct UnixListener {
    socket: mio::net::UnixListener,
    path: PathBuf,
    /// Device and number of the file: if another server has put its own there, that one stays.
    file: (u64, u64),
}

impl UnixListener {
    /// Listens at `path`. A socket that a killed server has left there is replaced.
    ///
    /// # Errors
    /// When a server listens there, when something else than a socket is there, or the system refuses.
    pub(crate) fn bind(path: &Path, backlog: i32) -> io::Result<Self> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Nobody can connect before it listens, and then only who may.
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        let file = file_of(path)?;
        socket.listen(backlog)?;
        let socket = std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket));
        Ok(Self { socket: mio::net::UnixListener::from_std(socket), path: path.into(), file })
    }

    /// The socket, to be registered.
    pub(crate) fn socket(&mut self) -> &mut mio::net::UnixListener {
        &mut self.socket
    }

    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        self.socket.accept().map(|(socket, _)| socket)
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        if file_of(&self.path).is_ok_and(|file| file == self.file) {
            // If it stays, the next start replaces it.
            _ = fs::remove_file(&self.path);
        }
    }
}

fn file_of(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket at `path` on which nobody listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match StdUnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A path of a test's own, at which nothing is.
    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("clank-unix-{name}-{}", std::process::id()));
        _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced() {
        let path = path("stale");
        // Its file stays when it is dropped, as that of a killed server does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = UnixListener::bind(&path, 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        StdUnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        let refused = UnixListener::bind(&path, 8).err().unwrap();
        assert_eq!(refused.to_string(), "another server listens there");
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_of_its_own_stays() {
        let path = path("other");
        fs::write(&path, "important").unwrap();
        let refused = UnixListener::bind(&path, 8).err().unwrap();
        assert_eq!(refused.to_string(), "there is a file that is no socket");
        fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path, 8).unwrap();
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path, 8).unwrap();
        drop(listener);
        StdUnixStream::connect(&path).unwrap();
        drop(other);
    }
}
