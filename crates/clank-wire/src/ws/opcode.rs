/// What a frame is, RFC 6455, section 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of the message in progress.
    Continuation = 0x0,
    /// A text message or its first fragment.
    Text = 0x1,
    /// A binary message or its first fragment.
    Binary = 0x2,
    /// The end of the connection; nothing follows it.
    Close = 0x8,
    /// A question whether the peer lives; a pong with the same payload answers it.
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 0xA,
}

impl OpCode {
    /// Whether this is a control frame, which is never fragmented nor longer than 125 bytes (section 5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// The opcode with these four bits, or `None` for a reserved one.
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OpCode;

    #[test]
    fn six_opcodes_exist_and_ten_are_reserved() {
        let known: Vec<_> = (0..16).filter_map(OpCode::from_bits).collect();
        assert_eq!(known.len(), 6);
        for opcode in known {
            assert_eq!(OpCode::from_bits(opcode as u8), Some(opcode));
            assert_eq!(opcode.is_control(), opcode as u8 >= 8);
        }
    }
}
