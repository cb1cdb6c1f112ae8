//! The causes that follow from what a client did wrong.

use clank_wire::ws::handshake::HandshakeError;
use clank_wire::ws::{CloseCode, ProtocolError};

use super::Cause;
use crate::wamp1::Fault;

impl From<ProtocolError> for Cause {
    fn from(error: ProtocolError) -> Self {
        match error.close_code() {
            CloseCode::INVALID_PAYLOAD => Self::MalformedMessage,
            CloseCode::TOO_BIG => Self::MessageTooBig,
            _ => Self::ProtocolViolation,
        }
    }
}

impl From<HandshakeError> for Cause {
    /// The error's own status may be more exact than the cause's.
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::WebSocketVersion => Self::VersionUnsupported,
            _ => Self::HandshakeMalformed,
        }
    }
}

impl From<&Fault> for Cause {
    fn from(fault: &Fault) -> Self {
        match fault.close_code() {
            1003 => Self::UnsupportedData,
            1008 => Self::LimitExceeded,
            _ => Self::MalformedMessage,
        }
    }
}

#[cfg(test)]
mod tests {
    use clank_wire::wamp1::Malformed;

    use super::*;

    #[test]
    fn a_protocol_error_closes_with_the_code_of_its_cause() {
        for (error, cause) in [
            (ProtocolError::Utf8, Cause::MalformedMessage),
            (ProtocolError::Deflate, Cause::MalformedMessage),
            (ProtocolError::MessageTooBig, Cause::MessageTooBig),
            (ProtocolError::NotMasked, Cause::ProtocolViolation),
            (ProtocolError::CloseCode(1005), Cause::ProtocolViolation),
        ] {
            assert_eq!(Cause::from(error), cause);
            assert_eq!(Some(error.close_code().as_u16()), cause.close_code());
        }
    }

    #[test]
    fn a_fault_closes_with_the_code_of_its_cause() {
        for (fault, cause) in [
            (Fault::Malformed(Malformed::Binary), Cause::UnsupportedData),
            (Fault::TooManyPrefixes { max: 1 }, Cause::LimitExceeded),
        ] {
            assert_eq!(Cause::from(&fault), cause);
            assert_eq!(Some(fault.close_code()), cause.close_code());
        }
    }

    #[test]
    fn a_failed_handshake_is_answered_with_the_status_of_its_cause_or_a_more_exact_one() {
        for (error, cause) in [
            (HandshakeError::WebSocketVersion, Cause::VersionUnsupported),
            (HandshakeError::Key, Cause::HandshakeMalformed),
        ] {
            assert_eq!(Cause::from(error), cause);
            assert_eq!(Some(error.status().as_u16()), cause.http_status());
        }
        assert_eq!(Cause::from(HandshakeError::Method), Cause::HandshakeMalformed);
        assert!(HandshakeError::Method.status().is_client_error());
    }
}
