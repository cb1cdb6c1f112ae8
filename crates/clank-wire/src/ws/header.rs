use super::{OpCode, ProtocolError, Role};

/// Bytes of the longest header: two, a 64-bit length and a mask.
pub(super) const MAX_HEADER: usize = 14;

/// Bytes of the shortest header, which most frames of a server have.
pub(super) const SHORT_HEADER: usize = 2;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The longest payload of a control frame, and of any frame with a two-byte header (RFC 6455, section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// A frame's header, RFC 6455, section 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// RSV1, which permessage-deflate sets on a message's first frame.
    pub(super) compressed: bool,
    pub(super) opcode: OpCode,
    /// All zero on an unmasked frame, which changes nothing when applied.
    pub(super) mask: [u8; 4],
    /// Bytes of payload.
    pub(super) length: u64,
}

impl Header {
    /// Reads a header from the front of `bytes`; returns it with its own length in bytes, or `None` if it
    /// is incomplete.
    ///
    /// What can be judged without knowing the connection's state is judged as soon as its byte is there. A
    /// length in more bytes than it needs is taken: the RFC binds the sender alone, and nothing depends on
    /// it.
    pub(super) fn parse(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        if first & RSV2_3 != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        let bits = first & OPCODE;
        let opcode = OpCode::from_bits(bits).ok_or(ProtocolError::ReservedOpCode(bits))?;
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::ControlFragmented);
        }

        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        match (role, second & MASKED != 0) {
            (Role::Server, false) => return Err(ProtocolError::NotMasked),
            (Role::Client, true) => return Err(ProtocolError::Masked),
            _ => {}
        }
        let short = second & LENGTH;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(ProtocolError::ControlTooLong);
        }

        let (length, rest) = match short {
            LENGTH_16 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            LENGTH_64 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            _ => (u64::from(short), rest),
        };
        if length > i64::MAX as u64 {
            return Err(ProtocolError::LengthOutOfRange);
        }

        let (mask, rest) = match role {
            Role::Client => ([0; 4], rest),
            Role::Server => match rest.split_first_chunk() {
                Some((mask, rest)) => (*mask, rest),
                None => return Ok(None),
            },
        };
        let header = Self { fin, compressed: first & RSV1 != 0, opcode, mask, length };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// The bytes of the header of an unmasked, whole and uncompressed frame; `None` if they are more.
    pub(super) fn encode_short(opcode: OpCode, length: usize) -> Option<[u8; SHORT_HEADER]> {
        (length <= MAX_CONTROL).then_some([FIN | opcode as u8, length as u8])
    }

    /// The header's bytes, with the mask only if `masked`.
    pub(super) fn encode(&self, masked: bool) -> HeaderBytes {
        let (length_16, length_64) = ((self.length as u16).to_be_bytes(), self.length.to_be_bytes());
        let (short, length): (u8, &[u8]) = match self.length {
            0..=125 => (self.length as u8, &[]),
            126..=0xffff => (LENGTH_16, &length_16),
            _ => (LENGTH_64, &length_64),
        };
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.compressed { RSV1 } else { 0 };
        let (flag, mask): (u8, &[u8]) = if masked { (MASKED, &self.mask) } else { (0, &[]) };

        let mut encoded = HeaderBytes { bytes: [0; MAX_HEADER], len: 0 };
        encoded.put(&[fin | rsv1 | self.opcode as u8, flag | short]);
        encoded.put(length);
        encoded.put(mask);
        encoded
    }
}

/// An encoded header.
pub(super) struct HeaderBytes {
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl HeaderBytes {
    /// Only [`Header::encode`] calls this, with 2, up to 8 and up to 4 bytes: they have room.
    fn put(&mut self, part: &[u8]) {
        self.bytes[self.len..][..part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

impl std::ops::Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_header_survives_the_way_there_and_back_and_needs_all_its_bytes() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, i64::MAX as u64] {
            for (role, mask) in [(Role::Server, [1, 2, 3, 4]), (Role::Client, [0; 4])] {
                let header = Header { fin: false, compressed: true, opcode: OpCode::Text, mask, length };
                let bytes = header.encode(role == Role::Server);
                assert_eq!(Header::parse(&bytes, role), Ok(Some((header, bytes.len()))));
                for cut in 0..bytes.len() {
                    assert_eq!(Header::parse(&bytes[..cut], role), Ok(None), "{length} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_byte() {
        use ProtocolError::*;
        let cases: [(&[u8], ProtocolError); 9] = [
            (&[0xa1], ReservedBit),
            (&[0x91], ReservedBit),
            (&[0x83], ReservedOpCode(3)),
            (&[0x8f], ReservedOpCode(15)),
            (&[0x09], ControlFragmented),
            (&[0x81, 0x00], NotMasked),
            (&[0x89, 0xfe], ControlTooLong),
            (&[0x88, 0xff], ControlTooLong),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], LengthOutOfRange),
        ];
        for (bytes, error) in cases {
            assert_eq!(Header::parse(bytes, Role::Server).unwrap_err(), error, "{bytes:x?}");
        }
        assert_eq!(Header::parse(&[0x81, 0x80], Role::Client).unwrap_err(), Masked);
    }

    #[test]
    fn a_length_in_more_bytes_than_it_needs_is_taken() {
        let (header, count) =
            Header::parse(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5], Role::Client).unwrap().unwrap();
        assert_eq!((header.length, count), (5, 10));
    }
}
