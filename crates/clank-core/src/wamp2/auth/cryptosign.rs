//! WAMP-Cryptosign (specification: "Cryptosign-based Authentication"), without channel binding,
//! certificates and authentication of the router.

use clank_wire::wamp2::Dict;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::json;

use super::{Denied, InvalidCredential};

/// The public key of a client, Ed25519.
///
/// ```
/// use clank_core::wamp2::auth::PublicKey;
///
/// let key = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122";
/// assert_eq!(PublicKey::from_hex(key)?.to_hex(), key);
/// # Ok::<(), clank_core::wamp2::auth::InvalidCredential>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// The challenge of one client, and the key that it should be signed with.
#[derive(Debug)]
pub(super) struct Cryptosign {
    key: PublicKey,
    challenge: [u8; 32],
}

impl PublicKey {
    /// Reads a key in 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is something else, or no point of the curve.
    pub fn from_hex(text: &str) -> Result<Self, InvalidCredential> {
        let mut bytes = [0; 32];
        let decoded = hex::decode_to_slice(text, &mut bytes).ok();
        let key = decoded.and_then(|()| VerifyingKey::from_bytes(&bytes).ok());
        key.map(PublicKey).ok_or(InvalidCredential { needs: "a public key in 64 hexadecimal digits" })
    }

    /// The key in hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.to_bytes())
    }

    /// The key's bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl Cryptosign {
    pub(super) const fn new(key: PublicKey, challenge: [u8; 32]) -> Self {
        Cryptosign { key, challenge }
    }

    /// A client that has asked for channel binding learns here that there is none.
    pub(super) fn extra(&self) -> Dict<'static> {
        let extra = json!({"challenge": hex::encode(self.challenge), "channel_binding": null});
        Dict::from_serialize(&extra).unwrap_or_default()
    }

    /// The answer is the signature and behind it what was signed.
    pub(super) fn verify(&self, answer: &str) -> Result<(), Denied> {
        const NEEDS: Denied = Denied::Malformed("a signature and the challenge in 192 hexadecimal digits");
        let mut bytes = [0; 96];
        hex::decode_to_slice(answer, &mut bytes).map_err(|_| NEEDS)?;
        let (signature, signed) = bytes.split_first_chunk::<64>().ok_or(NEEDS)?;
        let signature = Signature::from_bytes(signature);
        if signed == self.challenge && self.key.0.verify_strict(signed, &signature).is_ok() {
            Ok(())
        } else {
            Err(Denied::WrongSecret)
        }
    }
}
