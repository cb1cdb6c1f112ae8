use std::borrow::Cow;
use std::{mem, str};

use super::deflate::{self, Inflater};
use super::header::{Header, MAX_HEADER};
use super::message::Message;
use super::{CloseCode, OpCode, ProtocolError, Role, mask};

/// What a [`Decoder`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderOptions {
    /// The longest message in bytes, fragments together and after inflating.
    pub max_message: usize,
    /// Whether permessage-deflate was agreed on, so that messages may come compressed.
    pub deflate: bool,
}

impl Default for DecoderOptions {
    /// 1 MiB, no compression.
    fn default() -> Self {
        Self {
            max_message: 1 << 20,
            deflate: false,
        }
    }
}

/// What the peer sent. The bytes lie in the read buffer or in the [`Scratch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping of at most 125 bytes; the same bytes go into the pong that is owed.
    Ping(&'a [u8]),
    /// A pong of at most 125 bytes.
    Pong(&'a [u8]),
    /// The peer closes, with a code that [is sendable](CloseCode::is_sendable) and a reason, or
    /// without either. Nothing follows it.
    Close(Option<(CloseCode, &'a str)>),
}

/// What all decoders of one worker share: the inflater, and the message handed over last when it
/// could not be lent out of the read buffer.
#[derive(Debug, Default)]
pub struct Scratch {
    assembled: Vec<u8>,
    inflater: Inflater,
}

impl Scratch {
    /// Takes no memory before the first message that needs it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives back the message handed over last and what the inflater holds above 64 KiB.
    ///
    /// Worth a call at the end of a worker's turn: without it one message, at most the longest
    /// allowed, stays in memory until the next one.
    pub fn trim(&mut self) {
        self.assembled = Vec::new();
        self.inflater.trim();
    }
}

/// Turns the bytes that a peer sends into [`Event`]s.
///
/// It can stop and go on at any byte, and is a few words long while no message is incomplete. A
/// frame that lies whole in the read buffer is unmasked there and lent out without a copy.
/// Messages in pieces are gathered in one buffer that grows with what arrived, at most to the
/// limit on messages, however many the fragments.
///
/// Text is checked as its bytes arrive, so a byte that can't be UTF-8 is an error before its
/// frame is complete; only compressed text has to wait for its end.
///
/// # Example
///
/// ```
/// use clank_wire::ws::{self, Decoder, DecoderOptions, Event, OpCode, Role, Scratch};
///
/// # fn main() -> Result<(), ws::ProtocolError> {
/// let mut decoder = Decoder::new(Role::Server, DecoderOptions::default());
/// let mut scratch = Scratch::new();
/// let mut input = ws::masked_frame(OpCode::Text, b"hello", [1, 2, 3, 4]).to_vec();
///
/// let mut at = 0;
/// while at < input.len() {
///     let (used, event) = decoder.decode(&mut input[at..], &mut scratch)?;
///     at += used;
///     assert_eq!(event, Some(Event::Text("hello")));
/// }
/// assert!(decoder.is_idle());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    max_message: usize,
    role: Role,
    deflate: bool,
    finished: bool,
}

/// Everything that is there only while something is incomplete.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a header that is still incomplete, and its length.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// Payload of that frame if it is a control frame.
    control: Vec<u8>,
    /// The message whose frames are arriving.
    message: Option<Message>,
}

/// A frame whose header is known.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    fin: bool,
    compressed: bool,
    /// The mask for the next byte of payload and those after it.
    mask: [u8; 4],
    /// Bytes of payload still to come.
    remaining: usize,
}

impl Decoder {
    /// A decoder for what the other end of `role` sends. It owns no memory yet.
    pub fn new(role: Role, options: DecoderOptions) -> Self {
        let DecoderOptions {
            max_message,
            deflate,
        } = options;
        Self {
            partial: None,
            max_message,
            role,
            deflate,
            finished: false,
        }
    }

    /// Takes bytes from the front of `input`, which is unmasked in place, and returns how many,
    /// with the event that they completed.
    ///
    /// Without an event all of `input` has been taken; with one, call again with the rest.
    /// After an error, and after [`Event::Close`], whatever comes is taken and ignored.
    ///
    /// # Errors
    ///
    /// The first thing by which the peer broke the protocol or exceeded the limit. Lengths are
    /// judged by the header alone, before a byte of payload is there.
    pub fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
    ) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        if self.finished {
            return Ok((input.len(), None));
        }
        let result = self.advance(input, scratch);
        if matches!(result, Err(_) | Ok((_, Some(Event::Close(_))))) {
            self.finished = true;
            self.partial = None;
        }
        result
    }

    /// Whether nothing is incomplete, so that the decoder owns no memory and the connection may
    /// end here without cutting a message.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Bytes of memory held for what is incomplete; at most twice what was received of it, plus
    /// some 150 bytes.
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            let message = partial
                .message
                .as_ref()
                .map_or(0, |message| message.bytes.capacity());
            size_of::<Partial>() + partial.control.capacity() + message
        })
    }

    fn advance<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
    ) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        let total = input.len();
        let mut rest = input;
        let Some(complete) = self.next_complete(&mut rest)? else {
            return Ok((total, None));
        };
        let used = total - rest.len();
        Ok((used, Some(complete.into_event(self.max_message, scratch)?)))
    }

    /// Takes bytes from `rest` up to the end of a message or control frame.
    fn next_complete<'a>(
        &mut self,
        rest: &mut &'a mut [u8],
    ) -> Result<Option<Complete<'a>>, ProtocolError> {
        loop {
            let (mut frame, resumed) = match self.partial.as_mut().and_then(|it| it.frame.take()) {
                Some(frame) => (frame, true),
                None => match self.next_frame(rest)? {
                    Some(frame) => (frame, false),
                    None => return Ok(None),
                },
            };
            let chunk = take_front(rest, frame.remaining.min(rest.len()));
            frame.remaining -= chunk.len();
            frame.mask = mask::apply(chunk, frame.mask);

            let whole = !resumed && frame.remaining == 0;
            let control = frame.opcode.is_control();
            if whole && (control || (frame.fin && frame.opcode != OpCode::Continuation)) {
                return Ok(Some(self.complete(
                    frame.opcode,
                    frame.compressed,
                    Cow::Borrowed(chunk),
                )));
            }
            if control {
                self.partial
                    .get_or_insert_default()
                    .control
                    .extend_from_slice(chunk);
            } else {
                self.gather(frame, chunk)?;
            }
            if frame.remaining > 0 {
                self.partial.get_or_insert_default().frame = Some(frame);
                return Ok(None);
            }
            if frame.fin {
                return Ok(Some(self.complete_gathered(frame)));
            }
        }
    }

    /// Reads a header from what is held of it and the front of `rest`; keeps it if incomplete.
    fn next_frame(&mut self, rest: &mut &mut [u8]) -> Result<Option<Frame>, ProtocolError> {
        let held = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.header_len);
        if held == 0 {
            if let Some((header, count)) = Header::parse(rest, self.role)? {
                take_front(rest, count);
                return self.admit(header).map(Some);
            }
            if rest.is_empty() {
                return Ok(None);
            }
        }
        let partial = self.partial.get_or_insert_default();
        // A header is complete within MAX_HEADER bytes, so `held` is less than that, and `count`
        // is more than what was held when it was still incomplete.
        let room = &mut partial.header[held..];
        let copied = room.len().min(rest.len());
        room[..copied].copy_from_slice(&rest[..copied]);
        match Header::parse(&partial.header[..held + copied], self.role)? {
            Some((header, count)) => {
                partial.header_len = 0;
                take_front(rest, count - held);
                self.admit(header).map(Some)
            }
            None => {
                partial.header_len = held + copied;
                take_front(rest, copied);
                Ok(None)
            }
        }
    }

    /// Judges a header by the connection's state (RFC 6455, section 5.4; RFC 7692, section 6.1).
    fn admit(&self, header: Header) -> Result<Frame, ProtocolError> {
        let Header {
            fin,
            compressed,
            opcode,
            mask,
            length,
        } = header;
        let message = self
            .partial
            .as_ref()
            .and_then(|partial| partial.message.as_ref());
        let begins = matches!(opcode, OpCode::Text | OpCode::Binary);
        if compressed && !(self.deflate && begins) {
            return Err(ProtocolError::ReservedBit);
        }
        let gathered = match message {
            Some(_) if begins => return Err(ProtocolError::ExpectedContinuation),
            None if opcode == OpCode::Continuation => {
                return Err(ProtocolError::UnexpectedContinuation);
            }
            Some(message) => message.bytes.len(),
            None => 0,
        };
        let remaining = usize::try_from(length).map_err(|_| ProtocolError::MessageTooBig)?;
        let ceiling = ceiling(
            self.max_message,
            message.map_or(compressed, |message| message.compressed),
        );
        if !opcode.is_control() && remaining > ceiling.saturating_sub(gathered) {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(Frame {
            opcode,
            fin,
            compressed,
            mask,
            remaining,
        })
    }

    /// Adds a data frame's bytes to its message.
    fn gather(&mut self, frame: Frame, chunk: &[u8]) -> Result<(), ProtocolError> {
        // A continuation finds its message here, else `admit` would have refused it.
        let message = (self.partial.get_or_insert_default().message)
            .get_or_insert_with(|| Message::new(frame.opcode, frame.compressed));
        let end = if frame.fin {
            message.bytes.len() + chunk.len() + frame.remaining
        } else {
            ceiling(self.max_message, message.compressed)
        };
        message.push(chunk, end)
    }

    /// Hands over what was gathered up to the end of `frame`, its last.
    fn complete_gathered<'a>(&mut self, frame: Frame) -> Complete<'a> {
        let partial = self.partial.get_or_insert_default();
        match partial.message.take_if(|_| !frame.opcode.is_control()) {
            Some(Message {
                opcode,
                compressed,
                bytes,
                ..
            }) => self.complete(opcode, compressed, Cow::Owned(bytes)),
            None => {
                let control = mem::take(&mut partial.control);
                self.complete(frame.opcode, false, Cow::Owned(control))
            }
        }
    }

    fn complete<'a>(
        &mut self,
        opcode: OpCode,
        compressed: bool,
        bytes: Cow<'a, [u8]>,
    ) -> Complete<'a> {
        self.partial.take_if(|partial| partial.message.is_none());
        Complete {
            opcode,
            compressed,
            bytes,
        }
    }
}

/// How many bytes of a message may be gathered.
fn ceiling(max_message: usize, compressed: bool) -> usize {
    if compressed {
        deflate::max_compressed(max_message)
    } else {
        max_message
    }
}

/// Cuts `count` bytes off the front of `rest`, which has them.
fn take_front<'a>(rest: &mut &'a mut [u8], count: usize) -> &'a mut [u8] {
    let (front, back) = mem::take(rest).split_at_mut(count);
    *rest = back;
    front
}

/// A message or control frame whose bytes are all there.
struct Complete<'a> {
    opcode: OpCode,
    compressed: bool,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Complete<'a> {
    fn into_event(
        self,
        max_message: usize,
        scratch: &'a mut Scratch,
    ) -> Result<Event<'a>, ProtocolError> {
        let Scratch {
            assembled,
            inflater,
        } = scratch;
        let mut bytes = match self.bytes {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                *assembled = bytes;
                assembled
            }
        };
        if self.compressed {
            bytes = inflater.inflate(bytes, max_message)?;
        }
        Ok(match self.opcode {
            OpCode::Text => Event::Text(utf8(bytes)?),
            // Messages are named by their first frame: a continuation never gets here.
            OpCode::Binary | OpCode::Continuation => Event::Binary(bytes),
            OpCode::Ping => Event::Ping(bytes),
            OpCode::Pong => Event::Pong(bytes),
            OpCode::Close => Event::Close(close(bytes)?),
        })
    }
}

/// Reads the payload of a close frame, RFC 6455, section 5.5.1.
fn close(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, ProtocolError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let (code, reason) = payload
        .split_first_chunk()
        .ok_or(ProtocolError::ClosePayload)?;
    let code = CloseCode::new(u16::from_be_bytes(*code));
    if !code.is_sendable() {
        return Err(ProtocolError::CloseCode(code.as_u16()));
    }
    Ok(Some((code, utf8(reason)?)))
}

fn utf8(bytes: &[u8]) -> Result<&str, ProtocolError> {
    str::from_utf8(bytes).map_err(|_| ProtocolError::Utf8)
}
