//! Frames as they arrive.

use super::{FrameError, FrameHeader, FrameType, HEAD, MaxLength};
use crate::ws::Scratch;

/// A frame that is whole. Its payload lies in the read buffer or in the [`Scratch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameType,
    /// A message, or what a ping wants to have back.
    pub payload: &'a [u8],
}

/// Turns the bytes that a peer sends behind its handshake into [`Frame`]s.
///
/// It can stop and go on at any byte, and is two words long while no frame is incomplete. A frame
/// that lies whole in the read buffer is lent out without a copy; one in pieces is gathered in a
/// buffer that grows with what arrived, and never with what its head promises.
///
/// ```
/// use clank_wire::rawsocket::{Decoder, FrameType, MaxLength};
/// use clank_wire::ws::Scratch;
///
/// let mut decoder = Decoder::new(MaxLength::MIN);
/// let mut scratch = Scratch::new();
/// assert_eq!(decoder.decode(b"\0\0\0", &mut scratch)?, (3, None));
/// let (used, frame) = decoder.decode(b"\x03[6]\x01\0\0\0", &mut scratch)?;
/// let frame = frame.map(|frame| (frame.kind, frame.payload));
/// assert_eq!((used, frame), (4, Some((FrameType::Message, &b"[6]"[..]))));
/// # Ok::<(), clank_wire::rawsocket::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    max_length: MaxLength,
    failed: bool,
}

/// Everything that is there only while a frame is incomplete.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a head that is still incomplete, and how much of it is there.
    head: [u8; HEAD],
    held: usize,
    /// The frame whose payload is arriving.
    frame: Option<FrameHeader>,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder for frames of at most `max_length`. It owns no memory yet.
    pub fn new(max_length: MaxLength) -> Self {
        Self { partial: None, max_length, failed: false }
    }

    /// Takes bytes from the front of `input`, and returns how many, with the frame that they
    /// completed.
    ///
    /// Without a frame all of `input` has been taken; with one, call again with the rest. After an
    /// error whatever comes is taken and ignored.
    ///
    /// # Errors
    /// When a head breaks the rules, or says that its frame is longer than it may be.
    pub fn decode<'a>(
        &mut self,
        input: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<(usize, Option<Frame<'a>>), FrameError> {
        if self.failed {
            return Ok((input.len(), None));
        }
        let mut rest = input;
        let header = match self.header(&mut rest) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok((input.len(), None)),
            Err(error) => {
                self.failed = true;
                self.partial = None;
                return Err(error);
            }
        };
        let held = self.partial.as_ref().map_or(0, |partial| partial.payload.len());
        let missing = header.len.saturating_sub(held);
        let Some((chunk, behind)) = rest.split_at_checked(missing) else {
            let partial = self.partial.get_or_insert_default();
            partial.frame = Some(header);
            partial.push(rest, header.len);
            return Ok((input.len(), None));
        };
        let used = input.len() - behind.len();
        let payload = match self.partial.take() {
            Some(mut partial) if held > 0 => {
                partial.push(chunk, header.len);
                scratch.keep(partial.payload)
            }
            _ => chunk,
        };
        Ok((used, Some(Frame { kind: header.kind, payload })))
    }

    /// Whether nothing is incomplete, so that the connection may end here without cutting a frame.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Bytes of memory held for what is incomplete; at most twice what was received of it, plus
    /// some 100 bytes.
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.payload.capacity())
    }

    /// The head of the frame that is arriving, if it is whole by what is at the front of `rest`.
    fn header(&mut self, rest: &mut &[u8]) -> Result<Option<FrameHeader>, FrameError> {
        let held = match &mut self.partial {
            None if rest.is_empty() => return Ok(None),
            None => 0,
            Some(partial) => match partial.frame.take() {
                Some(frame) => return Ok(Some(frame)),
                None => partial.held,
            },
        };
        let whole = match rest.split_first_chunk::<HEAD>() {
            Some((head, behind)) if held == 0 => {
                *rest = behind;
                *head
            }
            _ => {
                let partial = self.partial.get_or_insert_default();
                let (taken, behind) = rest.split_at(rest.len().min(HEAD - held));
                // What is held and what is taken are no more than a head.
                partial.head[held..held + taken.len()].copy_from_slice(taken);
                *rest = behind;
                partial.held = (held + taken.len()) % HEAD;
                if partial.held > 0 {
                    return Ok(None);
                }
                partial.head
            }
        };
        FrameHeader::decode(whole, self.max_length).map(Some)
    }
}

impl Partial {
    /// Adds bytes of a payload of `len` bytes. The capacity is doubled when it is used up, but for
    /// the last doubling, which ends at the payload's own end.
    fn push(&mut self, chunk: &[u8], len: usize) {
        let needed = self.payload.len() + chunk.len();
        if needed > self.payload.capacity() {
            let target = self.payload.capacity().saturating_mul(2).min(len).max(needed);
            self.payload.reserve_exact(target - self.payload.len());
        }
        self.payload.extend_from_slice(chunk);
    }
}
