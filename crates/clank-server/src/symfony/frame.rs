//! Frames: four bytes of length, big-endian, and a JSON object.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that an object may have.
pub(super) const MOST: usize = 16 << 20;
const LENGTH: usize = 4;
/// Room for what is read at once.
const READ: usize = 16 << 10;
/// What is kept of a buffer between two frames.
const KEPT: usize = 64 << 10;

/// A frame that is being written. What stands in a message already is put in as it stands.
pub(super) struct Frame(Vec<u8>);

/// An object is longer than a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is longer than {MOST} bytes")]
pub(super) struct TooLong;

impl Frame {
    pub(super) fn new(op: &str) -> Self {
        let mut frame = Vec::with_capacity(256);
        frame.extend_from_slice(&[0; LENGTH]);
        frame.push(b'{');
        Self(frame).text("op", op)
    }

    pub(super) fn text(self, name: &str, text: &str) -> Self {
        self.value(name, text)
    }

    /// A value that is JSON already.
    pub(super) fn raw(mut self, name: &str, json: &str) -> Self {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    pub(super) fn value<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        self.name(name);
        let before = self.0.len();
        if serde_json::to_writer(&mut self.0, value).is_err() {
            // None of what is sent is a map with keys that are no strings.
            self.0.truncate(before);
            self.0.extend_from_slice(b"null");
        }
        self
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > LENGTH + 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// The frame.
    ///
    /// # Errors
    /// When it is longer than it may be.
    pub(super) fn finish(mut self) -> Result<Bytes, TooLong> {
        self.0.push(b'}');
        let length = self.0.len() - LENGTH;
        if length > MOST {
            return Err(TooLong);
        }
        if let Some(head) = self.0.first_chunk_mut::<LENGTH>() {
            *head = (length as u32).to_be_bytes();
        }
        Ok(self.0.into())
    }
}

/// Frames as they come.
pub(super) struct Frames<R> {
    from: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::new() }
    }

    /// The object of the next frame; `None` at the end of the stream.
    ///
    /// # Errors
    /// When reading fails, an object is too long, or the stream ends within one.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
                self.buffer = BytesMut::new();
            }
            self.buffer.reserve(READ);
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Bytes>> {
        let Some(length) = self.buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MOST {
            return Err(io::Error::other(TooLong));
        }
        if self.buffer.len() < LENGTH + length {
            // What is announced is not given room before it comes.
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_frame_holds_what_was_said_as_it_stands() {
        let frame =
            Frame::new("publish").value("seq", &7).text("topic", "a\"b").raw("event", r#"{"n": 1.0}"#);
        let frame = frame.value("eligible", &None::<Vec<u64>>).finish().unwrap();
        let json = br#"{"op":"publish","seq":7,"topic":"a\"b","event":{"n": 1.0},"eligible":null}"#;
        assert_eq!(frame.first_chunk().unwrap(), &(json.len() as u32).to_be_bytes());
        assert_eq!(&frame[LENGTH..], json);
        let long = "x".repeat(MOST);
        assert_eq!(Frame::new("send").text("text", &long).finish(), Err(TooLong));
    }

    #[tokio::test]
    async fn frames_are_read_however_they_are_cut() {
        let (one, two) = (Frame::new("one").finish().unwrap(), Frame::new("two").finish().unwrap());
        let stream = [&one[..], &two[..]].concat();
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut frames = Frames::new(tokio::io::AsyncReadExt::chain(first, second));
            assert_eq!(frames.next().await.unwrap().unwrap(), r#"{"op":"one"}"#);
            assert_eq!(frames.next().await.unwrap().unwrap(), r#"{"op":"two"}"#);
            assert!(frames.next().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_is_too_long_or_ends_too_early_is_an_error() {
        let long = ((MOST + 1) as u32).to_be_bytes();
        for broken in [&long[..], b"\0\0", b"\0\0\0\x05{}"] {
            assert!(Frames::new(broken).next().await.is_err(), "{broken:?}");
        }
    }
}
