//! WebSocket, RFC 6455, with permessage-deflate, RFC 7692.
//!
//! ```text
//! request  -> handshake::check -> Upgrade { accept, protocols, extensions }
//!                                    extensions -> deflate::agree -> Agreement
//! bytes in -> Decoder + Scratch  -> Event     a connection's decoder, its worker's scratch
//! payload  -> frame, build_frame -> Bytes     encoded once, shared by every receiver
//! payload  -> Deflater::frame    -> Bytes     compressed once for each size of window
//! ```
//!
//! A connection keeps only its [`Decoder`], a few words long, which owns memory while a message is
//! incomplete and not longer. What is needed only while a message is handed over (its assembled
//! bytes, the inflater) lies in a [`Scratch`] that all connections of a worker share; so does the
//! [`Deflater`](deflate::Deflater).

mod close;
mod decoder;
pub mod deflate;
mod encode;
mod error;
mod event;
mod extension;
pub mod handshake;
mod header;
mod mask;
mod message;
mod opcode;

pub use close::CloseCode;
pub use decoder::{Decoder, DecoderOptions};
pub use encode::{append_frame, build_frame, close_frame, frame, masked, masked_frame, payload};
pub use error::ProtocolError;
pub use event::{Event, Scratch};
pub use extension::{Extension, MalformedExtension, Param, parse_extensions};
pub use opcode::OpCode;

/// Which end of the connection this side is; it decides which frames must be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Frames received must be masked, frames sent must not be (RFC 6455, section 5.1).
    Server,
    /// Frames received must not be masked, frames sent must be.
    Client,
}
