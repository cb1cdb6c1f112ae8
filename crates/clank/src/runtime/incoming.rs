//! What a client sends, whatever frames it.

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::event::Transport;
use clank_wire::rawsocket::{self, Frame, FrameError, FrameType, MaxLength, Request as Agreed};
use clank_wire::serializer::Serializer;
use clank_wire::ws::{self, Event, ProtocolError, Role, Scratch};

use super::form::{Form, Framed};

/// Turns bytes into messages and control frames.
#[derive(Debug)]
pub(super) enum Incoming {
    WebSocket(ws::Decoder),
    /// Boxed, so that the others are no larger for it.
    RawSocket(Box<(rawsocket::Decoder, Agreed)>),
}

/// How a client broke the framing.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    WebSocket(#[from] ProtocolError),
    #[error(transparent)]
    RawSocket(#[from] FrameError),
    #[error("a message of wamp.2.json is not UTF-8")]
    Utf8,
    #[error("a ping of {0} bytes, more than the client itself takes")]
    Ping(usize),
}

impl Incoming {
    /// For messages of at most `max_message` bytes.
    pub(super) fn new(form: Form, max_message: usize, deflate: bool) -> Self {
        match form {
            Form::Wamp2(Framed::RawSocket(agreed)) => {
                let decoder = rawsocket::Decoder::new(MaxLength::at_most(max_message));
                Self::RawSocket(Box::new((decoder, agreed)))
            }
            Form::Wamp1 | Form::Wamp2(Framed::WebSocket(_)) => {
                let options = ws::DecoderOptions { max_message, deflate };
                Self::WebSocket(ws::Decoder::new(Role::Server, options))
            }
        }
    }

    /// Takes bytes from the front of `input`, and returns how many, with what they completed. Without
    /// that, all have been taken.
    pub(super) fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
    ) -> Result<(usize, Option<Event<'a>>), Broken> {
        match self {
            Self::WebSocket(decoder) => Ok(decoder.decode(input, scratch)?),
            Self::RawSocket(raw) => {
                let (decoder, agreed) = &mut **raw;
                let (used, frame) = decoder.decode(input, scratch)?;
                Ok((used, frame.map(|frame| event(frame, *agreed)).transpose()?))
            }
        }
    }

    /// Bytes of memory held for what is incomplete.
    pub(super) fn buffered(&self) -> usize {
        match self {
            Self::WebSocket(decoder) => decoder.buffered(),
            Self::RawSocket(raw) => raw.0.buffered(),
        }
    }
}

/// A frame of RawSocket as a WebSocket would have brought it.
fn event(frame: Frame<'_>, agreed: Agreed) -> Result<Event<'_>, Broken> {
    let payload = frame.payload;
    Ok(match frame.kind {
        FrameType::Message if agreed.serializer == Serializer::Json => {
            Event::Text(std::str::from_utf8(payload).map_err(|_| Broken::Utf8)?)
        }
        FrameType::Message => Event::Binary(payload),
        // The pong would be as long.
        FrameType::Ping if payload.len() > agreed.max_length.bytes() => {
            return Err(Broken::Ping(payload.len()));
        }
        FrameType::Ping => Event::Ping(payload),
        FrameType::Pong => Event::Pong(payload),
    })
}

impl From<Broken> for Cause {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::WebSocket(error) => error.into(),
            Broken::RawSocket(FrameError::TooLong { .. }) => Self::MessageTooBig,
            Broken::RawSocket(FrameError::ReservedBits(_) | FrameError::Type(_)) | Broken::Ping(_) => {
                Self::ProtocolViolation
            }
            Broken::Utf8 => Self::MalformedMessage,
        }
    }
}

/// Pings in a row that are answered one by one; of more on a WebSocket, only the latest is answered
/// (RFC 6455, 5.5.3).
const PONGS: u32 = 32;

/// The pongs to pings that one read has in a row. They are queued as one, so that a flood costs little.
#[derive(Default)]
pub(super) struct Pongs {
    bytes: Vec<u8>,
    count: u32,
    /// Bytes of those that have to be sent.
    owed: usize,
}

impl Pongs {
    /// Answers a ping.
    pub(super) fn answer(&mut self, form: Form, payload: &[u8]) {
        self.count += 1;
        self.bytes.truncate(self.owed);
        self.bytes.extend_from_slice(&form.pong(payload));
        if self.count < PONGS || form.transport() == Transport::RawSocket {
            self.owed = self.bytes.len();
        }
    }

    /// Those that there are, which are none from here on.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        (self.count > 0).then(|| std::mem::take(self).bytes.into())
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn whoever_speaks_websocket_pays_nothing_for_the_other() {
        assert_eq!(size_of::<Incoming>(), size_of::<ws::Decoder>());
    }
}
