use std::fmt;

/// Why a connection is closed, RFC 6455, section 7.4.
///
/// Any `u16` can be held; [`is_sendable`](Self::is_sendable) tells which may travel in a close frame. The
/// decoder hands out no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the browser has left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The peer sent a kind of data that can't be taken, such as binary where text is spoken.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Never sent: the close frame had no code.
    pub const NO_STATUS: Self = Self(1005);
    /// Never sent: the connection ended without a close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// The data isn't of its message's type, such as text that is no UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The message breaks a rule of the receiver; for what no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// The message is longer than the receiver takes.
    pub const TOO_BIG: Self = Self(1009);
    /// The client wanted an extension that the server did not grant.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server restarts (registered with IANA after the RFC, as are the next two).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// Never sent: the TLS handshake failed.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number, whether it may be sent or not.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The code's number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether the code may travel in a close frame.
    ///
    /// These are the codes that are registered and not reserved for local use, 3000 to 3999 (for libraries
    /// and frameworks) and 4000 to 4999 (private use).
    ///
    /// ```
    /// use clank_wire::ws::CloseCode;
    /// assert!(CloseCode::NORMAL.is_sendable());
    /// assert!(CloseCode::new(4001).is_sendable());
    /// assert!(!CloseCode::ABNORMAL.is_sendable());
    /// ```
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    #[test]
    fn codes_for_local_use_and_unassigned_ones_are_not_sendable() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert!(!CloseCode::new(code).is_sendable(), "{code}");
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
            assert!(CloseCode::new(code).is_sendable(), "{code}");
        }
    }
}
