//! A scripted client: what it sends is what the test says, byte for byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// How long a peer waits for anything before its test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A handshake that is in order; tests replace lines of it.
pub const HANDSHAKE: &str = "GET / HTTP/1.1\r\n\
     Host: clank.test\r\n\
     Upgrade: websocket\r\n\
     Connection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Protocol: wamp\r\n\
     \r\n";

/// Opcodes of RFC 6455, 5.2.
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The bit of a frame that is the last of its message.
pub const FIN: u8 = 0x80;

/// One end of a TCP connection to the server.
pub struct Peer {
    pub stream: TcpStream,
    unread: Vec<u8>,
    /// The id of its WAMP session.
    pub session: String,
}

/// What an HTTP request was answered.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A frame that the server sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// FIN, RSV and opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }
}

/// A masked frame; `first` has FIN, RSV and opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The payload of a close frame.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

impl Peer {
    /// A connection on which nothing has been said.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::of(stream)
    }

    /// The same, on a stream that is connected.
    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, unread: Vec::new(), session: String::new() }
    }

    /// A client whose handshake has been answered with 101.
    pub fn upgraded(address: SocketAddr, handshake: &str) -> Self {
        let mut peer = Self::connect(address);
        peer.write(handshake.as_bytes());
        let response = peer.response();
        assert_eq!(response.status, 101, "{response:?}");
        peer
    }

    /// A client that has been welcomed.
    pub fn wamp(address: SocketAddr) -> Self {
        Self::upgraded(address, HANDSHAKE).welcomed()
    }

    /// Takes the WELCOME.
    pub fn welcomed(mut self) -> Self {
        let welcome = self.json();
        assert_eq!((&welcome[0], &welcome[2]), (&json!(0), &json!(1)), "{welcome}");
        self.session = welcome[1].as_str().unwrap().to_owned();
        self
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a text message.
    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.write(&frame(FIN | TEXT, text.as_ref()));
    }

    pub fn subscribe(&mut self, topic: &str) {
        self.send(json!([5, topic]).to_string());
    }

    pub fn publish(&mut self, topic: &str, event: &Value) {
        self.send(json!([7, topic, event]).to_string());
    }

    /// Calls `uri` with `params` and returns the whole answer. Events that come first fail the test.
    pub fn call(&mut self, uri: &str, params: &Value) -> Value {
        self.send(json!([2, "call", uri, params]).to_string());
        self.json()
    }

    /// Has the server answer, so that all it sent before is here and all that was sent to it before
    /// is taken.
    pub fn round_trip(&mut self) {
        assert_eq!(self.call("test/echo", &json!(["there"])), json!([3, "call", ["there"]]));
    }

    /// Sends a close frame.
    pub fn send_close(&mut self, code: u16, reason: &str) {
        self.write(&frame(FIN | CLOSE, &close_payload(code, reason)));
    }

    /// Closes in order, and waits for the end of the connection.
    pub fn leave(mut self) {
        self.send_close(1000, "");
        assert_eq!(self.closed(), (1000, String::new()));
        assert!(self.is_ended());
    }

    /// The next frame of any kind.
    pub fn frame(&mut self) -> Frame {
        self.try_frame().unwrap_or_else(|error| panic!("no frame came: {error}"))
    }

    pub fn try_frame(&mut self) -> io::Result<Frame> {
        let head = self.take(2)?;
        assert_eq!(head[1] & 0x80, 0, "servers don't mask");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.take(2)?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.take(8)?.try_into().unwrap()),
            length => u64::from(length),
        };
        Ok(Frame { first: head[0], payload: self.take(length as usize)? })
    }

    /// The next message, which is text.
    pub fn text(&mut self) -> String {
        loop {
            let frame = self.frame();
            match frame.opcode() {
                PING => self.write(&self::frame(FIN | PONG, &frame.payload)),
                TEXT => return frame.text().to_owned(),
                opcode => panic!("opcode {opcode}: {:?}", String::from_utf8_lossy(&frame.payload)),
            }
        }
    }

    pub fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// Passes over everything up to the server's close frame, answers it, and returns its code
    /// (1005 for none) and reason.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame();
            if frame.opcode() != CLOSE {
                continue;
            }
            // The server may have gone without waiting for the answer.
            _ = self.stream.write_all(&self::frame(FIN | CLOSE, &frame.payload));
            return match frame.payload.split_first_chunk() {
                Some((code, reason)) => {
                    (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
                }
                None => (1005, String::new()),
            };
        }
    }

    /// Whether the connection ends here; fails if anything else comes.
    pub fn is_ended(&mut self) -> bool {
        assert!(self.unread.is_empty(), "more came: {:?}", String::from_utf8_lossy(&self.unread));
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Ends the sending direction.
    pub fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The answer to a request.
    pub fn response(&mut self) -> Response {
        self.try_response().unwrap_or_else(|error| panic!("no response came: {error}"))
    }

    pub fn try_response(&mut self) -> io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1)?);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        let body = String::from_utf8(self.take(length)?).unwrap();
        Ok(Response { status, head, body })
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 16 * 1024];
        while self.unread.len() < count {
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.unread.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(self.unread.drain(..count).collect())
    }
}
