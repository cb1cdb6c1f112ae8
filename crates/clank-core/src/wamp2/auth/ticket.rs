//! Tickets (specification: "Ticket-based Authentication").

use sha2::{Digest, Sha256};

use super::{InvalidCredential, Secret};

/// A ticket, kept as its SHA-256.
///
/// That hides a ticket which a machine has made. What people choose, can be guessed from it: for
/// passwords there is [`ScramSecret`](super::ScramSecret).
///
/// ```
/// use clank_core::wamp2::auth::{Secret, Ticket};
///
/// let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(Ticket::from_sha256(hash)?, Ticket::plain(&Secret::from("abc")));
/// # Ok::<(), clank_core::wamp2::auth::InvalidCredential>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket(Secret);

impl Ticket {
    /// A ticket that is known.
    pub fn plain(ticket: &Secret) -> Self {
        Ticket(Secret::from(<[u8; 32]>::from(Sha256::digest(ticket.expose()))))
    }

    /// A ticket of which the SHA-256 is known, in 64 hexadecimal digits or Base64.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn from_sha256(hash: &str) -> Result<Self, InvalidCredential> {
        Secret::key_from_text(hash).map(Ticket)
    }

    /// The 32 bytes of its SHA-256.
    pub const fn sha256(&self) -> &Secret {
        &self.0
    }

    /// A ticket that nobody has.
    pub(super) fn decoy(bytes: [u8; 32]) -> Self {
        Ticket(Secret::from(bytes))
    }

    /// Whether that is the ticket, in a time that doesn't depend on how much of it is right.
    pub(super) fn is(&self, given: &str) -> bool {
        *self == Ticket::plain(&Secret::from(given))
    }
}
