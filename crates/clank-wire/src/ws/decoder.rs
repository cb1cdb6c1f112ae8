use std::borrow::Cow;
use std::mem;

use super::event::Complete;
use super::header::{Header, MAX_HEADER};
use super::message::Message;
use super::{Event, OpCode, ProtocolError, Role, Scratch, deflate, mask};

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
        Self { max_message: 1 << 20, deflate: false }
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
/// Where the RFC binds the sender alone, it is lenient: a length may take more bytes than it needs.
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
        let DecoderOptions { max_message, deflate } = options;
        Self { partial: None, max_message, role, deflate, finished: false }
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
            let message = partial.message.as_ref().map_or(0, |message| message.bytes.capacity());
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
    fn next_complete<'a>(&mut self, rest: &mut &'a mut [u8]) -> Result<Option<Complete<'a>>, ProtocolError> {
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
                return Ok(Some(self.complete(frame.opcode, frame.compressed, Cow::Borrowed(chunk))));
            }
            if control {
                self.partial.get_or_insert_default().control.extend_from_slice(chunk);
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
        let held = self.partial.as_ref().map_or(0, |partial| partial.header_len);
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
        let Header { fin, compressed, opcode, mask, length } = header;
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
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
        let ceiling = ceiling(self.max_message, message.map_or(compressed, |message| message.compressed));
        if !opcode.is_control() && remaining > ceiling.saturating_sub(gathered) {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(Frame { opcode, fin, compressed, mask, remaining })
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
            Some(Message { opcode, compressed, bytes, .. }) => {
                self.complete(opcode, compressed, Cow::Owned(bytes))
            }
            None => {
                let control = mem::take(&mut partial.control);
                self.complete(frame.opcode, false, Cow::Owned(control))
            }
        }
    }

    fn complete<'a>(&mut self, opcode: OpCode, compressed: bool, bytes: Cow<'a, [u8]>) -> Complete<'a> {
        self.partial.take_if(|partial| partial.message.is_none());
        Complete { opcode, compressed, bytes }
    }
}

/// How many bytes of a message may be gathered.
fn ceiling(max_message: usize, compressed: bool) -> usize {
    if compressed { deflate::max_compressed(max_message) } else { max_message }
}

/// Cuts `count` bytes off the front of `rest`, which has them.
fn take_front<'a>(rest: &mut &'a mut [u8], count: usize) -> &'a mut [u8] {
    let (front, back) = mem::take(rest).split_at_mut(count);
    *rest = back;
    front
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::super::{CloseCode, close_frame, frame, masked, masked_frame};
    use super::*;
    use ProtocolError as E;

    const OPTIONS: DecoderOptions = DecoderOptions { max_message: 1000, deflate: false };
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    /// Decodes what a client sends, whole and byte by byte, and shows each event in a line; an error comes
    /// last. An unfinished end is shown as "...".
    fn decode(options: DecoderOptions, input: &[u8]) -> Vec<String> {
        let whole = decode_pieces(options, input, input.len().max(1));
        assert_eq!(decode_pieces(options, input, 1), whole, "byte by byte");
        whole
    }

    fn decode_pieces(options: DecoderOptions, input: &[u8], size: usize) -> Vec<String> {
        let mut decoder = Decoder::new(Role::Server, options);
        let mut scratch = Scratch::new();
        let mut shown = Vec::new();
        for piece in input.to_vec().chunks_mut(size) {
            let mut at = 0;
            while at < piece.len() {
                match decoder.decode(&mut piece[at..], &mut scratch) {
                    Ok((used, event)) => {
                        at += used;
                        shown.extend(event.map(show));
                    }
                    Err(error) => {
                        shown.push(format!("{error:?}"));
                        assert!(decoder.is_idle(), "nothing is held for a peer that failed");
                        at = piece.len();
                    }
                }
            }
        }
        if !decoder.is_idle() {
            shown.push("...".to_owned());
        }
        shown
    }

    fn show(event: Event<'_>) -> String {
        match event {
            Event::Text(text) => format!("text {text}"),
            Event::Binary(bytes) => format!("binary {}", bytes.escape_ascii()),
            Event::Ping(bytes) => format!("ping {}", bytes.escape_ascii()),
            Event::Pong(bytes) => format!("pong {}", bytes.escape_ascii()),
            Event::Close(None) => "close".to_owned(),
            Event::Close(Some((code, reason))) => format!("close {code} {reason}"),
        }
    }

    /// A client's frame whose first byte is given, to build what no encoder makes.
    fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = masked_frame(OpCode::Binary, payload, MASK).to_vec();
        bytes[0] = first;
        bytes
    }

    #[test]
    fn frames_and_fragments_become_events() {
        let cases: [(&[Vec<u8>], &[&str]); 12] = [
            (&[raw(0x81, "Grüße 😀".as_bytes())], &["text Grüße 😀"]),
            (&[raw(0x82, b"\x00\xff")], &["binary \\x00\\xff"]),
            (&[raw(0x81, b""), raw(0x82, b"")], &["text ", "binary "]),
            (&[raw(0x89, b"a"), raw(0x8a, b"b"), raw(0x89, b"")], &["ping a", "pong b", "ping "]),
            (
                &[raw(0x01, b"a"), raw(0x00, b"b"), raw(0x80, b"c"), raw(0x82, b"d")],
                &["text abc", "binary d"],
            ),
            (&[raw(0x01, b"a"), raw(0x89, b"p"), raw(0x80, b"b")], &["ping p", "text ab"]),
            (&[raw(0x01, b""), raw(0x00, b""), raw(0x80, b"")], &["text "]),
            // A character may be parted by fragments, with a control frame in between.
            (&[raw(0x01, b"\xf0\x9f"), raw(0x8a, b""), raw(0x80, b"\x98\x80")], &["pong ", "text 😀"]),
            (&[raw(0x88, b"")], &["close"]),
            (&[raw(0x88, b"\x03\xe8bye")], &["close 1000 bye"]),
            // What follows a close frame is ignored.
            (&[raw(0x88, b"\x0f\xa0"), raw(0x83, b""), raw(0x81, b"x")], &["close 4000 "]),
            (&[raw(0x01, b"a"), raw(0x89, b"p")], &["ping p", "..."]),
        ];
        for (frames, expected) in cases {
            assert_eq!(decode(OPTIONS, &frames.concat()), expected, "{frames:x?}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_fails() {
        let cases: [(&[Vec<u8>], E); 18] = [
            (&[raw(0xc1, b"a")], E::ReservedBit),
            (&[raw(0xa1, b"a")], E::ReservedBit),
            (&[raw(0xc9, b"a")], E::ReservedBit),
            (&[raw(0x83, b"a")], E::ReservedOpCode(3)),
            (&[raw(0x8b, b"a")], E::ReservedOpCode(11)),
            (&[raw(0x09, b"a")], E::ControlFragmented),
            (&[raw(0x89, &[0; 126])], E::ControlTooLong),
            (&[raw(0x80, b"a")], E::UnexpectedContinuation),
            (&[raw(0x01, b"a"), raw(0x81, b"b")], E::ExpectedContinuation),
            (&[vec![0x81, 0x01, b'a']], E::NotMasked),
            (&[raw(0x88, b"\x03")], E::ClosePayload),
            (&[raw(0x88, b"\x03\xed")], E::CloseCode(1005)),
            (&[raw(0x88, b"\x03\xe8\xff")], E::Utf8),
            (&[raw(0x81, b"\xff")], E::Utf8),
            (&[raw(0x81, b"a\xe2\x82")], E::Utf8),
            (&[raw(0x01, b"\xe2\x82"), raw(0x80, b"a")], E::Utf8),
            (&[vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]], E::LengthOutOfRange),
            (&[vec![0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]], E::MessageTooBig),
        ];
        for (frames, error) in cases {
            let shown = decode(OPTIONS, &frames.concat());
            assert_eq!(shown, [format!("{error:?}")], "{frames:x?}");
        }
    }

    #[test]
    fn text_fails_within_a_frame_whose_end_has_not_come() {
        let mut input = raw(0x81, b"good \xf4\x90 and more");
        input.truncate(input.len() - 8);
        assert_eq!(decode(OPTIONS, &input), ["Utf8"]);
    }

    #[test]
    fn the_limit_holds_for_a_message_and_is_judged_by_headers() {
        let exact = [raw(0x02, &[b'a'; 600]), raw(0x80, &[b'b'; 400])].concat();
        assert_eq!(decode(OPTIONS, &exact).len(), 1);
        assert_eq!(decode(OPTIONS, &raw(0x82, &[0; 1000])).len(), 1);

        let mut header = [raw(0x02, &[b'a'; 600]), raw(0x80, &[b'b'; 401])].concat();
        header.truncate(header.len() - 401);
        assert_eq!(decode(OPTIONS, &header), ["MessageTooBig"]);
        assert_eq!(decode(OPTIONS, &raw(0x82, &[0; 1001])[..8]), ["MessageTooBig"]);
    }

    #[test]
    fn a_promise_of_much_takes_no_memory() {
        let options = DecoderOptions { max_message: usize::MAX, deflate: true };
        for first in [0x02, 0x82, 0xc2] {
            let mut decoder = Decoder::new(Role::Server, options);
            let mut input = [first, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, b'a'];
            assert_eq!(decoder.decode(&mut input, &mut Scratch::new()), Ok((15, None)));
            assert!(decoder.buffered() < 256, "{}", decoder.buffered());
        }
    }

    #[test]
    fn a_message_of_very_many_fragments_is_one_message() {
        let options = DecoderOptions { max_message: 16 << 20, deflate: false };
        let mut decoder = Decoder::new(Role::Server, options);
        let mut scratch = Scratch::new();
        let payload = [b'x'; 256];
        for number in 0..65_536 {
            let first = match number {
                0 => 0x01,
                65_535 => 0x80,
                _ => 0x00,
            };
            let mut input = raw(first, &payload);
            let total = input.len();
            let (used, event) = match decoder.decode(&mut input, &mut scratch) {
                Ok(decoded) => decoded,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(used, total);
            match event {
                Some(Event::Text(text)) => assert_eq!((text.len(), number), (16 << 20, 65_535)),
                Some(other) => panic!("{other:?}"),
                None => assert!(decoder.buffered() <= 2 * 256 * (number + 1) + 256),
            }
        }
        assert!(decoder.is_idle());
    }

    #[test]
    fn an_idle_decoder_is_small_and_owns_nothing() {
        assert!(size_of::<Decoder>() <= 48);
        let decoder = Decoder::new(Role::Server, DecoderOptions::default());
        assert_eq!((decoder.is_idle(), decoder.buffered()), (true, 0));
    }

    #[test]
    fn a_client_takes_unmasked_frames_alone() {
        let close = close_frame(CloseCode::GOING_AWAY, "bye");
        let mut input = [frame(OpCode::Text, b"a"), close.clone()].concat();
        let mut decoder = Decoder::new(Role::Client, OPTIONS);
        let mut scratch = Scratch::new();
        assert_eq!(decoder.decode(&mut input, &mut scratch), Ok((3, Some(Event::Text("a")))));
        let bye = Event::Close(Some((CloseCode::GOING_AWAY, "bye")));
        assert_eq!(decoder.decode(&mut input[3..], &mut scratch), Ok((7, Some(bye))));

        let mut input = masked(&close, MASK).to_vec();
        let mut decoder = Decoder::new(Role::Client, OPTIONS);
        assert_eq!(decoder.decode(&mut input, &mut scratch), Err(E::Masked));
    }

    #[test]
    fn compressed_messages_are_inflated_also_from_fragments() {
        let options = DecoderOptions { deflate: true, ..OPTIONS };
        // "Hello" as in RFC 7692, sections 7.2.3.1 and 7.2.3.2.
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let (start, end) = hello.split_at(3);
        let cases: [(&[Vec<u8>], &[&str]); 8] = [
            (
                &[raw(0xc1, hello), raw(0x81, b"plain"), raw(0xc2, hello)],
                &["text Hello", "text plain", "binary Hello"],
            ),
            (&[raw(0x41, start), raw(0x89, b"p"), raw(0x80, end)], &["ping p", "text Hello"]),
            (&[raw(0x41, start), raw(0xc0, end)], &["ReservedBit"]),
            (&[raw(0xc9, b"")], &["ReservedBit"]),
            (&[raw(0xc1, start)], &["Deflate"]),
            // The stored block "\xff".
            (&[raw(0xc1, b"\x00\x01\x00\xfe\xff\xff\x00")], &["Utf8"]),
            (&[raw(0xc2, b"\x00\x01\x00\xfe\xff\xff\x00")], &["binary \\xff"]),
            // A stored block may promise 65,535 bytes; the limit is 1,000.
            (&[raw(0xc2, &[b"\x00\xff\xff\x00\x00".as_slice(), &[0; 1001]].concat())], &["MessageTooBig"]),
        ];
        for (frames, expected) in cases {
            assert_eq!(decode(options, &frames.concat()), expected, "{frames:x?}");
        }
    }
}
