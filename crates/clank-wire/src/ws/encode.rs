use bytes::Bytes;

use super::header::{Header, HeaderBytes, MAX_CONTROL, MAX_HEADER, SHORT_HEADER};
use super::{CloseCode, OpCode, Role, mask};

/// Bytes of the longest header of an unmasked frame.
const MAX_SERVER_HEADER: usize = MAX_HEADER - 4;

/// The longest reason of a close frame: a control frame less the two bytes of the code.
const MAX_REASON: usize = MAX_CONTROL - 2;

/// A whole message or control frame of a server: unmasked, unfragmented, uncompressed.
///
/// The bytes can be shared by every receiver. That the payload suits the opcode (UTF-8 for text,
/// at most 125 bytes for control frames) is the caller's duty.
///
/// ```
/// use clank_wire::ws::{OpCode, frame};
/// assert_eq!(frame(OpCode::Text, b"Hello")[..], *b"\x81\x05Hello");
/// ```
pub fn frame(opcode: OpCode, payload: &[u8]) -> Bytes {
    Bytes::from([&server_header(opcode, false, payload.len()), payload].concat())
}

/// As [`frame`], for a payload that `write` appends to the buffer, so that it isn't copied.
///
/// `size_hint` is the payload's likely length in bytes. The buffer that `write` sees is not empty:
/// room for the header is in front, and must stay.
///
/// ```
/// use clank_wire::ws::{OpCode, build_frame, frame};
/// let built = build_frame(OpCode::Text, 16, |buf| buf.extend_from_slice(b"[7,\"welcome\"]"));
/// assert_eq!(built, frame(OpCode::Text, b"[7,\"welcome\"]"));
/// ```
pub fn build_frame(opcode: OpCode, size_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    build(opcode, false, size_hint, write)
}

/// As [`build_frame`], with RSV1 as `compressed` says.
pub(super) fn build(
    opcode: OpCode,
    compressed: bool,
    size_hint: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Bytes {
    let mut buf = Vec::with_capacity(MAX_SERVER_HEADER + size_hint);
    buf.resize(MAX_SERVER_HEADER, 0);
    write(&mut buf);
    // Only a closure that broke its contract left less than the header's room.
    buf.resize(buf.len().max(MAX_SERVER_HEADER), 0);
    let header = server_header(opcode, compressed, buf.len() - MAX_SERVER_HEADER);
    // No server's header is longer than MAX_SERVER_HEADER, and `buf` has that much.
    let start = MAX_SERVER_HEADER - header.len();
    buf[start..MAX_SERVER_HEADER].copy_from_slice(&header);
    Bytes::from(buf).slice(start..)
}

/// Appends a frame as [`build_frame`] makes it to `out`, for one receiver alone. Returns the bytes of its
/// payload.
///
/// What is in `out` before must stay when `write` appends to it.
///
/// ```
/// use clank_wire::ws::{OpCode, append_frame};
///
/// let mut out = Vec::new();
/// assert_eq!(append_frame(OpCode::Text, &mut out, |out| out.extend_from_slice(b"Hello")), 5);
/// append_frame(OpCode::Ping, &mut out, |_| {});
/// assert_eq!(out, b"\x81\x05Hello\x89\0");
/// ```
pub fn append_frame(opcode: OpCode, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; SHORT_HEADER]);
    write(out);
    // Only a closure that broke its contract left less than what there was.
    out.resize(out.len().max(start + SHORT_HEADER), 0);
    let length = out.len() - start - SHORT_HEADER;
    // There is room for a short header, and the payload is behind it.
    if let Some(short) = Header::encode_short(opcode, length) {
        out[start..start + SHORT_HEADER].copy_from_slice(&short);
        return length;
    }
    let header = server_header(opcode, false, length);
    let end = out.len();
    out.resize(end + header.len() - SHORT_HEADER, 0);
    out.copy_within(start + SHORT_HEADER..end, start + header.len());
    out[start..start + header.len()].copy_from_slice(&header);
    length
}

/// A server's close frame. The reason is cut at a character's end to the 123 bytes it may have.
///
/// A code that [may not be sent](CloseCode::is_sendable), such as [`CloseCode::NO_STATUS`], gives
/// a close frame without code and reason.
pub fn close_frame(code: CloseCode, reason: &str) -> Bytes {
    if !code.is_sendable() {
        return frame(OpCode::Close, b"");
    }
    let end = (0..=MAX_REASON.min(reason.len())).rfind(|&at| reason.is_char_boundary(at));
    let reason = end.and_then(|end| reason.get(..end)).unwrap_or_default();
    build_frame(OpCode::Close, MAX_CONTROL, |buf| {
        buf.extend_from_slice(&code.as_u16().to_be_bytes());
        buf.extend_from_slice(reason.as_bytes());
    })
}

/// A whole message or control frame of a client, masked with `mask`, which should be random.
pub fn masked_frame(opcode: OpCode, payload: &[u8], mask: [u8; 4]) -> Bytes {
    masked(&frame(opcode, payload), mask)
}

/// What a client sends for the `frame` that a function of this module made for a server.
///
/// ```
/// use clank_wire::ws::{CloseCode, close_frame, masked};
/// let close = masked(&close_frame(CloseCode::NORMAL, "bye"), [7, 7, 7, 7]);
/// assert_eq!(close[..2], [0x88, 0x80 | 5]);
/// ```
pub fn masked(frame: &[u8], mask: [u8; 4]) -> Bytes {
    let Some((header, payload)) = split(frame) else {
        return Bytes::new();
    };
    let header = Header { mask, ..header }.encode(true);
    let mut masked = [&header, payload].concat();
    // The payload is what follows the header that was laid before it.
    mask::apply(&mut masked[header.len()..], mask);
    Bytes::from(masked)
}

/// The payload of a `frame` that a function of this module made for a server.
///
/// With it, a frame made by [`build_frame`] for the receivers without compression also serves to
/// make the one for those with it.
///
/// ```
/// use clank_wire::ws::{OpCode, frame, payload};
/// assert_eq!(payload(&frame(OpCode::Text, b"Hello")), b"Hello");
/// ```
pub fn payload(frame: &[u8]) -> &[u8] {
    split(frame).map_or(&[], |(_, payload)| payload)
}

fn split(frame: &[u8]) -> Option<(Header, &[u8])> {
    let (header, count) = Header::parse(frame, Role::Client).ok().flatten()?;
    Some((header, frame.get(count..)?))
}

fn server_header(opcode: OpCode, compressed: bool, length: usize) -> HeaderBytes {
    let length = length as u64;
    Header { fin: true, compressed, opcode, mask: [0; 4], length }.encode(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_short_as_the_payload_allows() {
        let cases: [(usize, &[u8]); 5] = [
            (0, &[0x82, 0]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (length, header) in cases {
            let content = vec![7; length];
            let whole = frame(OpCode::Binary, &content);
            assert_eq!(whole, [header, &content].concat());
            for hint in [0, length, length + 1000] {
                let built = build_frame(OpCode::Binary, hint, |buf| buf.extend_from_slice(&content));
                assert_eq!(built, whole, "{length} with hint {hint}");
            }
            let mut appended = b"before".to_vec();
            let write = |out: &mut Vec<u8>| out.extend_from_slice(&content);
            assert_eq!(append_frame(OpCode::Binary, &mut appended, write), length);
            assert_eq!(appended, [b"before", &whole[..]].concat());
            assert_eq!(payload(&whole), content);
        }
    }

    #[test]
    fn a_writer_that_empties_the_buffer_makes_an_empty_frame() {
        assert_eq!(build_frame(OpCode::Text, 0, Vec::clear), frame(OpCode::Text, b""));
        let mut out = Vec::new();
        append_frame(OpCode::Text, &mut out, Vec::clear);
        assert_eq!(out, frame(OpCode::Text, b""));
    }

    #[test]
    fn a_client_masks_all_kinds_of_frames() {
        let hello = masked_frame(OpCode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(hello[..], *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(masked(&frame(OpCode::Ping, b""), [1, 2, 3, 4])[..], *b"\x89\x80\x01\x02\x03\x04");
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let cases = [
            (CloseCode::NORMAL, String::new(), 2),
            (CloseCode::NORMAL, "bye".to_owned(), 5),
            (CloseCode::NORMAL, "x".repeat(123), 125),
            (CloseCode::NORMAL, "x".repeat(500), 125),
            (CloseCode::NORMAL, "ä".repeat(62), 2 + 122),
            (CloseCode::NORMAL, "x".repeat(121) + "😀", 2 + 121),
            (CloseCode::ABNORMAL, "never sent".to_owned(), 0),
        ];
        for (code, reason, length) in cases {
            let close = close_frame(code, &reason);
            let content = payload(&close);
            assert_eq!((close[0], content.len()), (0x88, length), "{reason}");
            assert!(length < 2 || reason.as_bytes().starts_with(&content[2..]));
        }
    }
}
