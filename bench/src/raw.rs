//! The bound: a loop that writes finished frames to sockets and does nothing else.
//!
//! It understands what clients of the [bare protocol](crate::protocol::Protocol::Bare) subscribe to and
//! publish, just so that the same load can be put on it. Nothing is queued: a subscriber that doesn't read
//! ends the loop.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};

use clank_wire::ws::{self, Decoder, DecoderOptions, Event, OpCode, Role, Scratch, handshake};
use clap::ValueEnum;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::Result;

const LISTENER: Token = Token(usize::MAX);

/// When a subscriber is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One call for each delivery.
    Send,
    /// One call for all that a turn of the loop has for a subscriber.
    Batch,
}

struct Client {
    socket: TcpStream,
    /// The head of the request, until the handshake is made.
    head: Option<Vec<u8>>,
    decoder: Decoder,
}

#[derive(Default)]
struct Topic {
    subscribers: Vec<usize>,
    /// Frames of this turn.
    frames: Vec<u8>,
}

/// A loop that serves until something fails.
pub(crate) struct Raw {
    mode: Mode,
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    topics: HashMap<String, Topic>,
    scratch: Scratch,
}

impl Raw {
    pub(crate) fn bind(port: u16, mode: Mode) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (clients, topics, scratch) = (Slab::new(), HashMap::new(), Scratch::new());
        Ok(Self { mode, poll, listener, clients, topics, scratch })
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> Result<std::net::SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    pub(crate) fn serve(mut self) -> Result {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                } else {
                    self.read(event.token().0, &mut buffer)?;
                }
            }
            self.send_gathered()?;
        }
    }

    fn accept(&mut self) -> Result {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nodelay(true)?;
            let place = self.clients.vacant_entry();
            self.poll.registry().register(&mut socket, Token(place.key()), Interest::READABLE)?;
            let decoder = Decoder::new(Role::Server, DecoderOptions::default());
            place.insert(Client { socket, head: Some(Vec::new()), decoder });
        }
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> Result {
        while let Some(client) = self.clients.get_mut(number) {
            let read = match client.socket.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Ok(0) | Err(_) => {
                    self.forget(number);
                    return Ok(());
                }
                Ok(read) => read,
            };
            let bytes = buffer.get_mut(..read).unwrap_or_default();
            match &mut client.head {
                Some(head) => {
                    head.extend_from_slice(bytes);
                    if head.ends_with(b"\r\n\r\n") {
                        let response = response(head)?;
                        client.head = None;
                        client.socket.write_all(response.as_bytes())?;
                    }
                }
                None => self.frames(number, bytes)?,
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn frames(&mut self, number: usize, mut bytes: &mut [u8]) -> Result {
        while !bytes.is_empty() {
            let Some(client) = self.clients.get_mut(number) else { return Ok(()) };
            let (used, event) = client.decoder.decode(bytes, &mut self.scratch)?;
            match event {
                Some(Event::Text(text)) => {
                    let words: Vec<&serde_json::value::RawValue> = serde_json::from_str(text)?;
                    let words: Vec<&str> = words.into_iter().map(|word| word.get()).collect();
                    match words[..] {
                        [r#""sub""#, topic] => {
                            self.topics.entry(topic.to_owned()).or_default().subscribers.push(number);
                        }
                        [r#""pub""#, topic, event] => {
                            let frame = format!(r#"["event",{topic},{event}]"#);
                            let frame = ws::frame(OpCode::Text, frame.as_bytes());
                            publish(self.mode, &mut self.topics, &mut self.clients, topic, &frame)?;
                        }
                        _ => return Err(format!("no message of a subscriber or publisher: {text}").into()),
                    }
                }
                Some(Event::Ping(payload)) => {
                    client.socket.write_all(&ws::frame(OpCode::Pong, payload))?;
                }
                Some(Event::Close(_)) => {
                    self.forget(number);
                    return Ok(());
                }
                _ => {}
            }
            bytes = bytes.get_mut(used..).unwrap_or_default();
        }
        Ok(())
    }

    fn send_gathered(&mut self) -> Result {
        if self.mode == Mode::Batch {
            for topic in self.topics.values_mut().filter(|topic| !topic.frames.is_empty()) {
                send(&mut self.clients, &topic.subscribers, &topic.frames)?;
                topic.frames.clear();
            }
        }
        Ok(())
    }

    fn forget(&mut self, number: usize) {
        self.clients.try_remove(number);
        for topic in self.topics.values_mut() {
            topic.subscribers.retain(|subscriber| *subscriber != number);
        }
        self.topics.retain(|_, topic| !topic.subscribers.is_empty());
    }
}

fn publish(
    mode: Mode,
    topics: &mut HashMap<String, Topic>,
    clients: &mut Slab<Client>,
    topic: &str,
    frame: &[u8],
) -> Result {
    let Some(topic) = topics.get_mut(topic) else { return Ok(()) };
    match mode {
        Mode::Send => send(clients, &topic.subscribers, frame),
        Mode::Batch => {
            topic.frames.extend_from_slice(frame);
            Ok(())
        }
    }
}

fn send(clients: &mut Slab<Client>, subscribers: &[usize], bytes: &[u8]) -> Result {
    for number in subscribers {
        let Some(client) = clients.get_mut(*number) else { continue };
        match client.socket.write(bytes) {
            Ok(sent) if sent == bytes.len() => {}
            // Who is leaving is told of by the next read.
            Err(error) if error.kind() != ErrorKind::WouldBlock => {}
            _ => return Err("a subscriber doesn't read fast enough for a loop that queues nothing".into()),
        }
    }
    Ok(())
}

fn response(head: &[u8]) -> Result<String> {
    let head = std::str::from_utf8(head)?;
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, key)| key.trim())
        .ok_or("a request that is no handshake")?;
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        handshake::accept_key(key)
    ))
}
