//! WebSocket frames as the load generator needs them: written into a buffer that holds several, read
//! without a copy and without a look at each byte, which would cost more than the servers do.

use clank_wire::ws::OpCode;

use crate::Result;

/// The mask of every frame: that it is random protects proxies, and there is none.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x3c, 0xa5];
/// Bytes in front of a masked payload of up to 64 KiB.
const LONG_HEADER: usize = 8;
const SHORT_HEADER: usize = 6;
/// The longest payload with the short header.
const SHORT: usize = 125;
/// Nothing that a server sends here is longer.
const MAX_PAYLOAD: u64 = 128 * 1024;

/// A frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: OpCode,
    pub(crate) compressed: bool,
    pub(crate) payload: &'a [u8],
}

/// Appends a client's frame to `out`, with the payload that `write` appends.
///
/// # Errors
/// If the payload is longer than 64 KiB.
pub(crate) fn append(out: &mut Vec<u8>, opcode: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> Result {
    let start = out.len();
    out.extend_from_slice(&[0; LONG_HEADER]);
    write(out);
    let length = out.len() - start - LONG_HEADER;
    let long = u16::try_from(length)?.to_be_bytes();
    let first = 0x80 | opcode as u8;
    let [a, b, c, d] = MASK;
    if length <= SHORT {
        out.copy_within(start + LONG_HEADER.., start + SHORT_HEADER);
        out.truncate(start + SHORT_HEADER + length);
        let header = [first, 0x80 | length as u8, a, b, c, d];
        out.iter_mut().skip(start).zip(header).for_each(|(byte, value)| *byte = value);
    } else {
        let [high, low] = long;
        let header = [first, 0x80 | 126, high, low, a, b, c, d];
        out.iter_mut().skip(start).zip(header).for_each(|(byte, value)| *byte = value);
    }
    let payload = out.len() - length;
    let masked = out.get_mut(payload..).unwrap_or_default();
    masked.iter_mut().zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(())
}

/// Takes a frame from the front of `input`; `None` if it isn't complete.
///
/// # Errors
/// If it is fragmented, masked, reserved or too long: none of the servers sends that.
pub(crate) fn take<'a>(input: &mut &'a [u8]) -> Result<Option<Frame<'a>>> {
    let &[first, second, ref rest @ ..] = *input else { return Ok(None) };
    if first & 0x80 == 0 || first & 0x0f == 0 {
        return Err("a message in fragments".into());
    }
    if second & 0x80 != 0 {
        return Err("a masked frame from a server".into());
    }
    let opcode = match first & 0x0f {
        1 => OpCode::Text,
        2 => OpCode::Binary,
        8 => OpCode::Close,
        9 => OpCode::Ping,
        10 => OpCode::Pong,
        other => return Err(format!("a frame with the opcode {other}").into()),
    };
    let (length, rest) = match second {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    if length > MAX_PAYLOAD {
        return Err(format!("a frame of {length} bytes").into());
    }
    let Some((payload, rest)) = rest.split_at_checked(length as usize) else { return Ok(None) };
    *input = rest;
    Ok(Some(Frame { opcode, compressed: first & 0x40 != 0, payload }))
}

#[cfg(test)]
mod tests {
    use clank_wire::ws;

    use super::*;

    #[test]
    fn frames_are_those_of_any_client() {
        for length in [0, 1, 125, 126, 127, 1000, 65_535] {
            let payload = vec![b'x'; length];
            let mut out = b"before".to_vec();
            append(&mut out, OpCode::Text, |out| out.extend_from_slice(&payload)).unwrap();
            assert_eq!(out[6..], ws::masked_frame(OpCode::Text, &payload, MASK)[..], "{length} bytes");
        }
        assert!(append(&mut Vec::new(), OpCode::Text, |out| out.resize(out.len() + 65_536, 0)).is_err());
    }

    #[test]
    fn frames_are_read_wherever_they_are_cut() {
        for length in [0, 125, 126, 70_000] {
            let payload = vec![b'y'; length];
            let sent = [ws::frame(OpCode::Binary, &payload), ws::frame(OpCode::Ping, b"?")].concat();
            for cut in [0, 1, 2, 3, 9, sent.len() - 4] {
                let front = sent.get(..cut.min(sent.len() - 4)).unwrap();
                assert_eq!(take(&mut { front }).unwrap(), None, "{cut} of {length} bytes");
            }
            let mut rest = &sent[..];
            let frame = take(&mut rest).unwrap().unwrap();
            assert_eq!(frame, Frame { opcode: OpCode::Binary, compressed: false, payload: &payload });
            assert_eq!(take(&mut rest).unwrap().unwrap().payload, b"?");
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for (bytes, why) in [
            (&[0x01, 0x00][..], "fragments"),
            (&[0x80, 0x00], "fragments"),
            (&[0x81, 0x81, 0, 0, 0, 0, 0], "masked"),
            (&[0x83, 0x00], "opcode 3"),
            (&[0x81, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0], "bytes"),
        ] {
            let error = take(&mut { bytes }).unwrap_err().to_string();
            assert!(error.contains(why), "{bytes:?}: {error}");
        }
        let compressed = take(&mut &[0xc1, 0x01, 0x00][..]).unwrap().unwrap();
        assert!(compressed.compressed);
    }
}
