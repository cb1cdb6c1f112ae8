//! Why a client is not welcome.

use clank_wire::wamp2::reason;

use super::Method;

/// Why a client is not welcome. Its words are for the operator; [`told`](Self::told) are the
/// client's, who is not to learn whether a user exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It says nothing of who it is, and the realm takes nobody unknown.
    #[error("the client offers no method of authentication, and the realm takes nobody unknown")]
    Required,
    /// The realm has none of the methods that it offers.
    #[error("the realm has none of the methods of authentication that the client offers")]
    NoMatchingMethod,
    /// HELLO lacks what the method begins with.
    #[error("HELLO lacks {what}, which {method} needs")]
    Incomplete {
        /// The method.
        method: Method,
        /// What it lacks.
        what: &'static str,
    },
    /// It wants the authentication bound to its channel, which is not done here.
    #[error("the client wants channel binding")]
    ChannelBinding,
    /// There is no such user.
    #[error("there is no such user")]
    UnknownPrincipal,
    /// The user can't be authenticated by this method.
    #[error("the user has no credential for {0}")]
    NoCredential(Method),
    /// What it answered is no answer to the challenge.
    #[error("AUTHENTICATE has not {0}")]
    Malformed(&'static str),
    /// What it answered proves nothing.
    #[error("the secret is wrong")]
    WrongSecret,
    /// The answer took too long.
    #[error("AUTHENTICATE came too late")]
    TooLate,
    /// It is who it says, and may not act in the role that it asks for.
    #[error("the user has not the role that HELLO asks for")]
    NoSuchRole,
}

impl Denied {
    /// The URI for the reason of ABORT.
    pub const fn uri(self) -> &'static str {
        match self {
            Denied::Required | Denied::Incomplete { .. } => reason::AUTHENTICATION_REQUIRED,
            Denied::NoMatchingMethod => reason::NO_MATCHING_AUTH_METHOD,
            Denied::NoSuchRole => reason::NO_SUCH_ROLE,
            Denied::ChannelBinding
            | Denied::UnknownPrincipal
            | Denied::NoCredential(_)
            | Denied::Malformed(_)
            | Denied::WrongSecret
            | Denied::TooLate => reason::AUTHENTICATION_DENIED,
        }
    }

    /// What the client is told.
    pub fn told(self) -> String {
        match self {
            Denied::UnknownPrincipal
            | Denied::NoCredential(_)
            | Denied::Malformed(_)
            | Denied::WrongSecret => "there is no such user, or the secret is wrong".to_owned(),
            told => told.to_string(),
        }
    }
}
