use super::CloseCode;

/// How a peer broke RFC 6455 or RFC 7692.
///
/// Its words are fit for the close frame's reason: they are short and repeat nothing that the peer sent but
/// numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set to which no agreed extension gives a meaning (section 5.2).
    #[error("reserved bit set")]
    ReservedBit,
    /// An opcode without a meaning (section 5.2).
    #[error("reserved opcode {0}")]
    ReservedOpCode(u8),
    /// A client must mask every frame (section 5.1).
    #[error("frame of a client is not masked")]
    NotMasked,
    /// A server must mask none (section 5.1).
    #[error("frame of a server is masked")]
    Masked,
    /// The top bit of a 64-bit length is set (section 5.2).
    #[error("frame length out of range")]
    LengthOutOfRange,
    /// A control frame is longer than 125 bytes (section 5.5).
    #[error("control frame longer than 125 bytes")]
    ControlTooLong,
    /// A control frame without FIN (section 5.5).
    #[error("control frame in fragments")]
    ControlFragmented,
    /// A continuation where no message is in progress (section 5.4).
    #[error("continuation of no message")]
    UnexpectedContinuation,
    /// A new message before the last fragment of the one in progress (section 5.4).
    #[error("message within a message")]
    ExpectedContinuation,
    /// A close frame whose payload is a single byte (section 5.5.1).
    #[error("close frame of one byte")]
    ClosePayload,
    /// A close code that may not be sent (section 7.4).
    #[error("invalid close code {0}")]
    CloseCode(u16),
    /// Text, or the reason of a close frame, is no UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    Utf8,
    /// A compressed message that can't be inflated (RFC 7692, section 7.2.2).
    #[error("compressed data is corrupt")]
    Deflate,
    /// The message, as sent or inflated, exceeds the decoder's limit.
    #[error("message too big")]
    MessageTooBig,
}

impl ProtocolError {
    /// The code to close the connection with: 1002, 1007 or 1009.
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Utf8 | Self::Deflate => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig => CloseCode::TOO_BIG,
            Self::ReservedBit
            | Self::ReservedOpCode(_)
            | Self::NotMasked
            | Self::Masked
            | Self::LengthOutOfRange
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::ClosePayload
            | Self::CloseCode(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}
