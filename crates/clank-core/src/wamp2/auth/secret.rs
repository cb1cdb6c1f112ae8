//! What nobody is to read in a log.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that `Debug` doesn't show, that are compared in constant time, and overwritten when they
/// are dropped.
///
/// ```
/// use clank_core::wamp2::auth::Secret;
///
/// let secret = Secret::from("s3cret");
/// assert_eq!(format!("{secret:?}"), "Secret");
/// assert!(secret == Secret::from("s3cret") && secret != Secret::from("s3creT"));
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A text that is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not {needs}")]
pub struct InvalidCredential {
    /// What it should have been.
    pub needs: &'static str,
}

impl Secret {
    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// A key of 32 bytes, as 64 hexadecimal digits or as Base64.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn key_from_text(text: &str) -> Result<Self, InvalidCredential> {
        let bytes = if text.len() == 64 { hex::decode(text).ok() } else { STANDARD.decode(text).ok() };
        let bytes = bytes.filter(|bytes| bytes.len() == 32);
        bytes.map(Secret::from).ok_or(InvalidCredential { needs: "32 bytes in hexadecimal digits or Base64" })
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret::from(text.as_bytes().to_vec())
    }
}

impl From<[u8; 32]> for Secret {
    fn from(bytes: [u8; 32]) -> Self {
        Secret::from(bytes.to_vec())
    }
}

impl PartialEq for Secret {
    /// Takes as long whatever differs; only the length shows.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
