//! One life of a worker, from its start to its last word.

use std::sync::Arc;
use std::time::Instant;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use super::bundle::Directory;
use super::frame::Frames;
use super::process::{Launcher, Process};
use super::said::{Hello, Said, VERSION};
use crate::config::SymfonySettings;

/// A worker that has said what its application is.
pub(super) struct Life {
    pub generation: u64,
    pub hello: Arc<Hello>,
    pub process: Process,
    pub frames: Frames<OwnedReadHalf>,
    pub writer: OwnedWriteHalf,
    pub born: Instant,
    /// How often workers had been told to begin anew when it was started.
    pub reloads: u64,
}

/// Starts an application.
///
/// # Errors
/// Why it does not start: what PHP says, with file and line where it says them.
pub(super) async fn boot(
    settings: &SymfonySettings,
    launcher: &Launcher,
    directory: &Directory,
    (slot, generation): (usize, u64),
    reloads: u64,
) -> Result<Life, String> {
    let socket = directory.socket(slot, generation);
    let listener = UnixListener::bind(&socket).map_err(|error| format!("{}: {error}", socket.display()))?;
    let mut process = launcher.start(&socket, generation).map_err(|error| {
        format!("can't start {}: {error}; symfony.php names the program", settings.php.as_str())
    })?;
    let limit = settings.boot_timeout.duration();
    let introduced = tokio::time::timeout(limit, introduce(&listener, &mut process)).await;
    // It is connected, or never will be.
    _ = std::fs::remove_file(&socket);
    match introduced {
        Ok(Ok((hello, frames, writer))) => {
            let Hello { php, symfony, .. } = &hello;
            tracing::info!(
                generation,
                worker = slot,
                pid = process.id(),
                php,
                symfony,
                "the application has started"
            );
            Ok(Life {
                generation,
                hello: hello.into(),
                process,
                frames,
                writer,
                born: Instant::now(),
                reloads,
            })
        }
        Ok(Err(NotIntroduced::Refused(why))) => Err(why),
        Ok(Err(NotIntroduced::Silent(why))) => {
            process.kill();
            let ended = process.ended().await;
            let words = process.last_words();
            let why = why.unwrap_or(ended);
            Err(if words.is_empty() { why } else { format!("{why}\n{words}") })
        }
        Err(_) => {
            process.kill();
            process.ended().await;
            let words = process.last_words();
            Err(format!("it took longer than symfony.boot_timeout, {limit:?}\n{words}").trim_end().to_owned())
        }
    }
}

enum NotIntroduced {
    /// It says why.
    Refused(String),
    /// It ended, or said something else.
    Silent(Option<String>),
}

type Introduced = (Hello, Frames<OwnedReadHalf>, OwnedWriteHalf);

async fn introduce(listener: &UnixListener, process: &mut Process) -> Result<Introduced, NotIntroduced> {
    let stream = tokio::select! {
        accepted = listener.accept() => {
            accepted.map(|(stream, _)| stream).map_err(|error| NotIntroduced::Silent(Some(error.to_string())))?
        }
        ended = process.ended() => return Err(NotIntroduced::Silent(Some(ended))),
    };
    hear(stream).await
}

async fn hear(stream: UnixStream) -> Result<Introduced, NotIntroduced> {
    let silent = |why: String| NotIntroduced::Silent(Some(why));
    let (reader, writer) = stream.into_split();
    let mut frames = Frames::new(reader);
    let first = frames.next().await.map_err(|error| silent(error.to_string()))?;
    let first = first.ok_or(NotIntroduced::Silent(None))?;
    match Said::read(&first).map_err(|error| silent(error.to_string()))? {
        Said::Hello(hello) if hello.version == VERSION => Ok((*hello, frames, writer)),
        Said::Hello(hello) => Err(NotIntroduced::Refused(format!(
            "the bundle speaks version {} of the protocol, the server {VERSION}: they are not of one release",
            hello.version
        ))),
        Said::Refused(why) => Err(NotIntroduced::Refused(why.to_string())),
        Said::Died(died) => Err(NotIntroduced::Refused(died.to_string())),
        _ => Err(silent("it did not introduce itself".to_owned())),
    }
}
