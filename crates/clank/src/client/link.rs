//! What connects clients within the program: a pipe in memory, through which WebSocket is spoken.

use std::sync::Arc;

use bytes::Bytes;
use clank_wire::ws::{self, Decoder, DecoderOptions, OpCode, Role, Scratch};
use http::{Request, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, watch};

use super::ClientDisconnected;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::runtime::{ABORTED, Adopted, Carrier, decide, random, refuse};

/// Bytes that the pipe to the server holds in each direction.
const PIPE: usize = 64 * 1024;

/// Takes what the server says.
pub(crate) trait Receive: Send + Sync + 'static {
    /// A message has come.
    fn on_message(&self, message: &[u8]);
    /// Nothing more comes.
    fn on_end(&self);
}

/// The client's end of a connection. Without it the connection is gone.
pub(crate) struct Link {
    writer: Writer,
    reader: tokio::task::AbortHandle,
}

/// What writes to the connection. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Writer {
    pipe: Arc<Mutex<WriteHalf<DuplexStream>>>,
    closed: Arc<watch::Sender<Option<ClientDisconnected>>>,
}

impl Link {
    /// Connects by a handshake that comes through the same door as all others.
    pub(crate) async fn open(handle: &Handle, protocol: &str, receiver: Arc<impl Receive>) -> Result<Self> {
        let request = Request::get(handle.engine.settings.paths.own())
            .header(header::HOST, "in-process")
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "AAAAAAAAAAAAAAAAAAAAAA==")
            .header(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        let (request, ()) = request.body(())?.into_parts();
        let entrant = match decide(&handle.engine, None, &request, || ABORTED).await {
            Ok((_, entrant)) => entrant,
            Err(refused) => {
                let response = refuse(refused, &handle.engine, None, &request);
                return Err(Error::new(format!("refused with status {}", response.status())));
            }
        };
        let (near, far) = tokio::io::duplex(PIPE);
        let (reader, writer) = tokio::io::split(near);
        let writer = Writer { pipe: Arc::new(Mutex::new(writer)), closed: Arc::default() };
        let limit = handle.engine.limits().message.bytes();
        let read = read(reader, writer.clone(), receiver, limit);
        let reader = handle.engine.threads.handle().spawn(read).abort_handle();
        let carrier = Carrier::Stream(Box::new(far));
        handle.engine.adopt(Adopted { entrant, carrier, early: Bytes::new() });
        Ok(Self { writer, reader })
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Writer {
    /// Sends a message that `write` appends.
    pub(crate) async fn send(
        &self,
        opcode: OpCode,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), ClientDisconnected> {
        if self.closed.borrow().is_some() {
            return Err(self.disconnected());
        }
        let frame = ws::masked(&ws::build_frame(opcode, 128, write), random());
        let written = self.pipe.lock().await.write_all(&frame).await;
        written.map_err(|_| self.disconnected())
    }

    /// Sends a close frame with code 1000, and waits for the end.
    pub(crate) async fn close(&self) {
        let frame = ws::masked(&ws::close_frame(ws::CloseCode::NORMAL, ""), random());
        // It fails if the connection has ended already.
        _ = self.pipe.lock().await.write_all(&frame).await;
        self.closed().await;
    }

    /// Waits for the end of the connection.
    pub(crate) async fn closed(&self) -> ClientDisconnected {
        // The sender lives as long as this.
        _ = self.closed.subscribe().wait_for(Option::is_some).await;
        self.disconnected()
    }

    /// How the connection has ended.
    pub(crate) fn disconnected(&self) -> ClientDisconnected {
        let abnormal = ClientDisconnected { code: 1006, reason: String::new() };
        self.closed.borrow().clone().unwrap_or(abnormal)
    }
}

/// Reads until the connection ends.
async fn read(
    reader: ReadHalf<DuplexStream>,
    writer: Writer,
    receiver: Arc<impl Receive>,
    max_message: usize,
) {
    let closed = read_frames(reader, &writer, &*receiver, max_message).await;
    writer.closed.send_replace(Some(closed));
    receiver.on_end();
}

async fn read_frames(
    mut reader: ReadHalf<DuplexStream>,
    writer: &Writer,
    receiver: &impl Receive,
    max_message: usize,
) -> ClientDisconnected {
    let mut decoder = Decoder::new(Role::Client, DecoderOptions { max_message, deflate: false });
    let mut scratch = Scratch::new();
    let mut buffer = vec![0; PIPE];
    let mut closed = ClientDisconnected { code: 1006, reason: String::new() };
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        let mut replies = Vec::new();
        let mut at = 0;
        while at < read {
            let rest = buffer.get_mut(at..read).unwrap_or_default();
            let Ok((used, event)) = decoder.decode(rest, &mut scratch) else { return closed };
            at += used;
            match event {
                Some(ws::Event::Text(text)) => receiver.on_message(text.as_bytes()),
                Some(ws::Event::Binary(bytes)) => receiver.on_message(bytes),
                Some(ws::Event::Ping(payload)) => {
                    replies.extend_from_slice(&ws::masked_frame(OpCode::Pong, payload, random()));
                }
                Some(ws::Event::Close(frame)) => {
                    if let Some((code, reason)) = frame {
                        closed = ClientDisconnected { code: code.as_u16(), reason: reason.into() };
                    }
                    replies.extend_from_slice(&ws::masked_frame(OpCode::Close, b"", random()));
                }
                Some(ws::Event::Pong(_)) | None => {}
            }
        }
        if !replies.is_empty() && writer.pipe.lock().await.write_all(&replies).await.is_err() {
            break;
        }
    }
    closed
}
