//! permessage-deflate, RFC 7692, without context takeover.
//!
//! A compression context per connection costs some 300 KB and forbids sharing a frame. So both
//! sides always start every message afresh (`server_no_context_takeover` and
//! `client_no_context_takeover`, which a server may answer unasked): a worker compresses with
//! one [`Deflater`] and inflates with one [`Inflater`] for all of its connections, and a message
//! to many receivers is compressed once for each size of window that they agreed on.

mod agreement;
mod deflater;
mod inflater;

pub use agreement::{Agreement, Options, WindowBits, agree};
pub use deflater::Deflater;
pub use inflater::Inflater;

/// What every compressed message ends with before its last four bytes are left out
/// (RFC 7692, section 7.2.1).
const SYNC_TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The most that a buffer kept between messages may hold, in bytes.
const KEPT: usize = 64 * 1024;

/// How many bytes a compressed message may have that inflates to `max_message`: what can't be
/// compressed grows, by a ninth at worst where a compressor is bound to its fixed code.
pub(super) fn max_compressed(max_message: usize) -> usize {
    max_message.saturating_add(max_message / 8).saturating_add(64)
}
