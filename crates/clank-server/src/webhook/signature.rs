//! Signatures as Standard Webhooks has them: over the id, the time of sending, and the body.

use clank::Timestamp;
use http::{HeaderMap, HeaderValue};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use crate::config::Secrets;

/// Signs with every secret of a sink, so that a receiver can change from one to the next.
pub(crate) struct Signer(Vec<Webhook>);

impl Signer {
    /// A signer with these secrets.
    pub(crate) fn new(secrets: &Secrets) -> Self {
        // The configuration has checked them.
        Self(secrets.iter().filter_map(|secret| Webhook::new(secret).ok()).collect())
    }

    /// Adds the three headers. `id` is the same on every try, `now` is that of this one.
    ///
    /// A full stop in the id becomes `_`: it stands between the parts of what is signed.
    pub(crate) fn sign(&self, id: &str, now: Timestamp, body: &[u8], headers: &mut HeaderMap) {
        let id = id.replace('.', "_");
        let seconds = (now.unix_millis() / 1000) as i64;
        let signatures: Vec<String> =
            self.0.iter().filter_map(|webhook| webhook.sign(&id, seconds, body).ok()).collect();
        for (name, value) in [
            (HEADER_WEBHOOK_ID, id),
            (HEADER_WEBHOOK_TIMESTAMP, seconds.to_string()),
            (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
        ] {
            // Ids, numbers and base64 are always valid values.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::SystemTime;

    use super::*;
    use crate::config::{Raw, Value};

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn signed(secrets: &str, id: &str, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let now = Timestamp::from(SystemTime::now());
        Signer::new(&Secrets::parse(Raw::Text(secrets)).unwrap()).sign(id, now, body, &mut headers);
        headers
    }

    #[test]
    fn a_receiver_with_either_secret_is_satisfied() {
        let headers = signed(&format!("{NEW},{OLD}"), "018b.open", b"{}");
        assert_eq!(headers[HEADER_WEBHOOK_ID], "018b_open");
        for secret in [OLD, NEW] {
            Webhook::new(secret).unwrap().verify(b"{}", &headers).unwrap();
        }
        assert!(Webhook::new(OLD).unwrap().verify(b"{ }", &headers).is_err());
        let other = signed(NEW, "018b.open", b"{}");
        assert!(Webhook::new(OLD).unwrap().verify(b"{}", &other).is_err());
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let mut headers = HeaderMap::new();
        let now = Timestamp::from_unix_micros(1_614_265_330_000_000);
        let secrets = Secrets::parse(Raw::Text(OLD)).unwrap();
        let body = br#"{"test": 2432232314}"#;
        Signer::new(&secrets).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", now, body, &mut headers);
        assert_eq!(headers[HEADER_WEBHOOK_SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
