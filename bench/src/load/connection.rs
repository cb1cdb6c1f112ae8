//! A client's connection, from its handshake to its end.

use std::io::{ErrorKind, Read, Write};

use clank_wire::ws::OpCode;
use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::inflated::Inflated;
use super::{Hear, Target};
use crate::protocol::Said;
use crate::{Result, frame};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What answers the key (RFC 6455, section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The close code of who has done what there was to do.
const NORMAL: [u8; 2] = 1000u16.to_be_bytes();
/// The longest head of a response.
const MAX_HEAD: usize = 16 * 1024;
/// Up to this length compressing needn't be worth it.
const SMALL: usize = 1024;
/// What is read at once.
const BUFFER: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    /// The server has yet to answer the handshake.
    Upgrading,
    /// It has yet to say welcome.
    Entering,
    Open,
    Closing,
    Closed,
}

pub(super) struct Connection {
    socket: TcpStream,
    state: State,
    /// What is to be sent.
    pub(super) out: Vec<u8>,
    /// The beginning of what is not there as a whole.
    partial: Vec<u8>,
    /// The same of a message, where messages don't end with frames.
    message: Vec<u8>,
}

/// What a connection is lent while it is served.
pub(super) struct Context<'l> {
    pub(super) number: usize,
    pub(super) target: &'l Target<'l>,
    /// Connections that are not yet welcome.
    pub(super) entering: &'l mut usize,
}

/// What all connections read with.
pub(super) struct Reading {
    buffer: Vec<u8>,
    inflated: Inflated,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; BUFFER], inflated: Inflated::default() }
    }
}

impl Connection {
    pub(super) const fn new(socket: TcpStream) -> Self {
        let state = State::Connecting;
        Self { socket, state, out: Vec::new(), partial: Vec::new(), message: Vec::new() }
    }

    pub(super) fn begin_closing(&mut self) -> Result {
        self.state = State::Closing;
        frame::append(&mut self.out, OpCode::Close, |out| out.extend(NORMAL))
    }

    /// The socket can take something.
    pub(super) fn write(&mut self, context: &Context<'_>) -> Result {
        if self.state == State::Connecting {
            if let Some(error) = self.socket.take_error()? {
                return Err(format!("can't connect: {error}").into());
            }
            self.state = State::Upgrading;
            self.out.extend(request(context.target).bytes());
        }
        self.flush()
    }

    /// Sends what the socket takes; the rest leaves when it can take more.
    pub(super) fn flush(&mut self) -> Result {
        let mut sent = 0;
        while let Some(rest) = self.out.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                // The server's close frame may have been overtaken by the end of the connection.
                Err(_) if self.state == State::Closing => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..sent);
        Ok(())
    }

    /// Reads all that the socket has, and sends what it led to.
    pub(super) fn serve(
        &mut self,
        reading: &mut Reading,
        context: &mut Context<'_>,
        hear: &mut impl Hear,
    ) -> Result {
        self.read(reading, context, hear)?;
        if self.out.is_empty() || self.state == State::Closed { Ok(()) } else { self.flush() }
    }

    fn read(&mut self, reading: &mut Reading, context: &mut Context<'_>, hear: &mut impl Hear) -> Result {
        let Reading { buffer, inflated } = reading;
        while !matches!(self.state, State::Connecting | State::Closed) {
            let kept = self.partial.len();
            let (front, room) = buffer.split_at_mut_checked(kept).ok_or("a frame longer than the buffer")?;
            let read = match self.socket.read(room) {
                Ok(0) => return self.closed(context, hear),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) if self.state == State::Closing => return self.closed(context, hear),
                Err(error) => return Err(error.into()),
            };
            front.copy_from_slice(&self.partial);
            self.partial.clear();
            let is_all = read < room.len();
            let mut rest = buffer.get(..kept + read).unwrap_or_default();
            self.take(&mut rest, inflated, context, hear)?;
            if self.state != State::Closed {
                self.partial.extend_from_slice(rest);
            }
            // A socket that gave less than there was room for is empty, and is told of again.
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// Reads all that the socket has, as bytes.
    pub(super) fn take_unheard(
        &mut self,
        reading: &mut Reading,
        copied: bool,
        mut hear: impl FnMut(usize, Option<&[u8]>) -> Result,
    ) -> Result {
        let flags = if copied { RecvFlags::empty() } else { RecvFlags::TRUNC };
        loop {
            let (length, room) = match recv(&self.socket, &mut reading.buffer[..], flags) {
                Ok((_, 0)) => return Err("the server closed the connection".into()),
                Ok((_, length)) => (length, reading.buffer.len()),
                Err(Errno::WOULDBLOCK) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            hear(length, if copied { reading.buffer.get(..length) } else { None })?;
            if length < room {
                return Ok(());
            }
        }
    }

    /// Takes what is whole.
    fn take(
        &mut self,
        rest: &mut &[u8],
        inflated: &mut Inflated,
        context: &mut Context<'_>,
        hear: &mut impl Hear,
    ) -> Result {
        if self.state == State::Upgrading {
            let Some(after) = head(rest, context.target)? else { return Ok(()) };
            *rest = after;
            self.state = State::Entering;
            let protocol = context.target.protocol;
            if protocol.welcomes_at_once() {
                self.said(Said::Welcome, context, hear)?;
            } else if !protocol.is_stream() {
                protocol.hello(&mut self.out)?;
            }
        }
        while let Some(frame) = frame::take(rest)? {
            match frame.opcode {
                OpCode::Ping => frame::append(&mut self.out, OpCode::Pong, |out| out.extend(frame.payload))?,
                OpCode::Pong => hear(context.number, Said::Settled, &mut self.out)?,
                OpCode::Close if self.state == State::Closing => return self.closed(context, hear),
                OpCode::Close => {
                    let reason = frame.payload.get(2..).unwrap_or_default();
                    return Err(format!("the server left: {}", String::from_utf8_lossy(reason)).into());
                }
                _ if frame.compressed => {
                    let mut message = inflated.inflate(frame.payload)?;
                    self.messages(&mut message, context, hear)?;
                }
                _ if context.target.deflate && frame.payload.len() > SMALL => {
                    return Err("an event that is not compressed".into());
                }
                _ if context.target.protocol.is_stream() => {
                    self.stream(frame.payload, context, hear)?;
                }
                _ => self.messages(&mut { frame.payload }, context, hear)?,
            }
        }
        Ok(())
    }

    /// Takes what a stream's frame goes on with.
    fn stream(&mut self, mut payload: &[u8], context: &mut Context<'_>, hear: &mut impl Hear) -> Result {
        if self.message.is_empty() {
            self.messages(&mut payload, context, hear)?;
            self.message.extend_from_slice(payload);
            return Ok(());
        }
        let mut message = std::mem::take(&mut self.message);
        message.extend_from_slice(payload);
        let mut rest = &message[..];
        self.messages(&mut rest, context, hear)?;
        let taken = message.len() - rest.len();
        message.drain(..taken);
        self.message = message;
        Ok(())
    }

    fn messages(&mut self, input: &mut &[u8], context: &mut Context<'_>, hear: &mut impl Hear) -> Result {
        while !input.is_empty() {
            let Some(said) = context.target.protocol.hear(input)? else { break };
            self.said(said, context, hear)?;
        }
        Ok(())
    }

    fn said(&mut self, said: Said<'_>, context: &mut Context<'_>, hear: &mut impl Hear) -> Result {
        let protocol = context.target.protocol;
        match said {
            Said::Greeting => protocol.hello(&mut self.out),
            Said::Ping => protocol.pong(&mut self.out),
            Said::Welcome | Said::Settled if self.state == State::Entering => {
                self.state = State::Open;
                *context.entering -= 1;
                hear(context.number, Said::Welcome, &mut self.out)
            }
            said => hear(context.number, said, &mut self.out),
        }
    }

    fn closed(&mut self, context: &mut Context<'_>, hear: &mut impl Hear) -> Result {
        if self.state != State::Closing {
            return Err(format!("the server closed the connection, which was {:?}", self.state).into());
        }
        self.state = State::Closed;
        self.socket.shutdown(std::net::Shutdown::Both).ok();
        hear(context.number, Said::Closed, &mut self.out)
    }
}

/// The request of a handshake.
fn request(target: &Target<'_>) -> String {
    let subprotocol = target.protocol.subprotocol();
    let subprotocol =
        subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let extension = if target.deflate {
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
    } else {
        ""
    };
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{subprotocol}{extension}\r\n",
        target.path, target.address
    )
}

/// Judges the head of a response, and returns what follows it; `None` if it isn't complete.
fn head<'b>(input: &'b [u8], target: &Target<'_>) -> Result<Option<&'b [u8]>> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if input.len() > MAX_HEAD { Err("a response without an end".into()) } else { Ok(None) };
    };
    let (head, rest) = input.split_at_checked(end + 4).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let first = head.lines().next().unwrap_or_default();
    if !first.starts_with("HTTP/1.1 101") {
        return Err(format!("the handshake was answered {first}").into());
    }
    let has = |name: &str, value: &str| {
        head.lines().filter_map(|line| line.split_once(':')).any(|(header, found)| {
            header.eq_ignore_ascii_case(name) && found.split([',', ';']).any(|part| part.trim() == value)
        })
    };
    if !has("Sec-WebSocket-Accept", ACCEPT) {
        return Err("the handshake has a wrong answer to its key".into());
    }
    if target.protocol.subprotocol().is_some_and(|name| !has("Sec-WebSocket-Protocol", name)) {
        return Err("the server doesn't speak the protocol".into());
    }
    if target.deflate && !has("Sec-WebSocket-Extensions", "permessage-deflate") {
        return Err("the server doesn't compress".into());
    }
    Ok(Some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    fn target(deflate: bool) -> Target<'static> {
        let address = "127.0.0.1:80".parse().unwrap();
        Target { address, path: "/", protocol: Protocol::Wamp1, deflate }
    }

    #[test]
    fn handshakes_are_judged() {
        let good = format!(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\nSec-WebSocket-Protocol: wamp\r\n"
        );
        let whole = format!("{good}\r\nrest");
        assert_eq!(head(whole.as_bytes(), &target(false)).unwrap(), Some(&b"rest"[..]));
        assert_eq!(head(good.as_bytes(), &target(false)).unwrap(), None);
        let compressing = format!("{good}Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n");
        assert!(head(compressing.as_bytes(), &target(true)).unwrap().is_some());
        for (response, why) in [
            (whole.replace("101", "429"), "429"),
            (whole.replace(ACCEPT, "other"), "key"),
            (whole.replace(": wamp\r\n", ": other\r\n"), "protocol"),
            ("x".repeat(MAX_HEAD + 1), "end"),
        ] {
            let error = head(response.as_bytes(), &target(false)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(head(whole.as_bytes(), &target(true)).unwrap_err().to_string().contains("compress"));
    }

    #[test]
    fn a_request_asks_for_what_the_target_needs() {
        assert!(!request(&target(false)).contains("deflate"));
        let request = request(&target(true));
        assert!(request.contains("permessage-deflate") && request.contains("Protocol: wamp\r\n"));
        assert!(request.ends_with("\r\n\r\n"));
    }
}
