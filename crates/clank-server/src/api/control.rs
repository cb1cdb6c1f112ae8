//! The API's socket in the journal's directory: whoever may open it may ask, without a token.
//!
//! So the commands of whoever runs the server reach it, however it is configured.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clank::Handle;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::listen::{Listener, accept};
use super::serve::Api;
use crate::config::ApiSettings;
use crate::events::Access;

/// Its name in the journal's directory.
const NAME: &str = "control.sock";
/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 64;

/// The socket, at which nobody answers yet: who connects waits.
pub(crate) struct Control {
    listener: UnixListener,
    file: SocketFile,
}

/// An API that answers there. Dropping it ends it at once.
pub(crate) struct Controlled {
    accepting: JoinHandle<()>,
    _file: SocketFile,
}

/// The socket's name, which goes with it.
struct SocketFile(PathBuf);

impl Control {
    /// Listens in `directory`, whose journal is open. A socket that is there is left from a process
    /// that is gone: the journal's lock is ours.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::from_std(listener(directory, &path)?)?;
        Ok(Self { listener, file: SocketFile(path) })
    }

    /// Lets requests reach the server and its journal.
    pub(crate) fn serve(self, clank: Handle, journal: Access, settings: &ApiSettings) -> Controlled {
        let Self { listener, file } = self;
        let api = Arc::new(Api::new(clank, Some(journal), settings, None));
        let accepting = tokio::spawn(accept(Listener::Unix(listener), api, settings.connections.count()));
        Controlled { accepting, _file: file }
    }
}

impl Drop for Controlled {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it stays, the next start replaces it.
        _ = std::fs::remove_file(&self.0);
    }
}

/// Nobody can connect before it listens, and then its owner alone.
fn listener(directory: &Path, path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let (_open, short) = short(directory)?;
    bind(&socket, &SocketAddrUnix::new(short)?)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Connects to the server that has the journal in `directory`; `None` if none answers.
///
/// # Errors
/// When there is one that can't be asked.
pub(crate) async fn connect(directory: &Path) -> io::Result<Option<UnixStream>> {
    let (_open, short) = match short(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        short => short?,
    };
    match UnixStream::connect(short).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

/// A name of the socket as long as the open directory is kept: the system takes no long ones.
fn short(directory: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(directory)?;
    let short = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd());
    Ok((directory, short.into()))
}
