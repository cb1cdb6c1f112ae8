//! `clank secret`: what stands in a configuration in place of a secret.

use std::io;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clank::wamp2::{CraSecret, InvalidCredential, Kdf, Salting, ScramSecret, Secret, Ticket};

use crate::cli::{complain, print};

/// How a password becomes a key for SCRAM: as OWASP recommends. It is one for all, so that users
/// can't be told apart by it. Autobahn's other one, PBKDF2, fails.
pub(crate) const KDF: Kdf = Kdf::Argon2id { iterations: ITERATIONS, memory: MEMORY };
const ITERATIONS: u32 = 2;
/// In KiB.
const MEMORY: u32 = 19 * 1024;

/// What `clank secret` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often the hash is applied for WAMP-CRA.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(4_096..=10_000_000))]
    iterations: u32,
}

impl Arguments {
    /// Prints what is kept of the line that standard input has.
    pub(crate) fn run(self) -> ExitCode {
        match self.settings() {
            Ok(text) => print(&text),
            Err(error) => {
                complain(&[format!("error: {error}")]);
                ExitCode::FAILURE
            }
        }
    }

    fn settings(self) -> Result<String, String> {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(|error| format!("can't read standard input: {error}"))?;
        let secret = line.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err("standard input has no secret".to_owned());
        }
        let salts = (random::<18>()?, random::<16>()?);
        kept(&Secret::from(secret), salts, self.iterations).map_err(|error| format!("the secret {error}"))
    }
}

/// The settings of a user with that secret. The salt for WAMP-CRA is one of 18 bytes: its Base64 has
/// no padding, nor have salts that are made up.
fn kept(secret: &Secret, salts: ([u8; 18], [u8; 16]), iterations: u32) -> Result<String, InvalidCredential> {
    let salt: Box<str> = STANDARD.encode(salts.0).into();
    let cra = CraSecret::derive(secret, Salting { salt: salt.clone(), iterations, keylen: 32 });
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let ticket = base64(Ticket::plain(secret).sha256().expose());
    // It is Base64 already.
    let key = String::from_utf8_lossy(cra.key().expose()).into_owned();
    let scram = |kept: &ScramSecret| {
        let (salt, stored) = (base64(&salts.1), base64(kept.stored_key().expose()));
        let server = base64(kept.server_key().expose());
        format!(
            "{{ kdf = \"argon2id\", iterations = {ITERATIONS}, memory = {MEMORY}, salt = \"{salt}\", stored_key = \"{stored}\", server_key = \"{server}\" }}"
        )
    };
    Ok(format!(
        "ticket_sha256 = \"{ticket}\"\n\
         wampcra = {{ key = \"{key}\", salt = \"{salt}\", iterations = {iterations} }}\n\
         scram = {}\nwamp_scram = {}\n",
        scram(&ScramSecret::derive_autobahn(secret, &salts.1, KDF)?),
        scram(&ScramSecret::derive(secret, &salts.1, KDF)?)
    ))
}

/// Bytes that nobody can foresee.
pub(crate) fn random<const COUNT: usize>() -> Result<[u8; COUNT], String> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system has no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{Input, load};

    #[test]
    fn what_is_kept_of_a_secret_is_read_as_settings() {
        let (secret, salts) = (Secret::from("pass word"), ([1; 18], [2; 16]));
        let kept = kept(&secret, salts, 4_096).unwrap();
        let text = format!(
            "[realms.realm1]\nmethods = [\"anonymous\", \"ticket\", \"wampcra\", \"scram\", \"wamp-scram\"]\ndecoy_key = \"x\"\n[[realms.realm1.users]]\nauthid = \"joe\"\n{kept}"
        );
        let file = Some(("clank.toml".to_owned(), text));
        let config = load(&Input { file, ..Input::default() }).unwrap();
        assert_eq!(config.warnings, []);
        let user = &config.settings.realms["realm1"].settings.users[0].settings;
        let salting = Salting { salt: "AQEBAQEBAQEBAQEBAQEBAQEB".into(), iterations: 4_096, keylen: 32 };
        let specified = ScramSecret::derive(&secret, &salts.1, KDF).unwrap();
        let autobahn = ScramSecret::derive_autobahn(&secret, &salts.1, KDF).unwrap();
        assert_eq!(user.ticket_sha256.0, Some(Ticket::plain(&secret)));
        assert_eq!(user.wampcra.0, Some(CraSecret::derive(&secret, salting)));
        assert_eq!(user.scram.0, Some(autobahn));
        assert_eq!(user.wamp_scram.0, Some(specified));
        assert!(!kept.contains("pass word"));
    }
}
