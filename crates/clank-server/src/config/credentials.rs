//! By what users of WAMP v2 prove who they are, as settings have it. Nothing that is printed shows it.

use std::ops::RangeInclusive;
use std::{env, fmt, fs};

use clank::wamp2::{CraSecret, Kdf, PublicKey, Salting, ScramSecret, Secret, Ticket};
use toml::de::{DeTable, DeValue};

use super::problem::nearest;
use super::value::{Invalid, Raw, Value, quote};

/// What is printed for a secret.
const HIDDEN: &str = "***";

/// A secret, or where it is when the server starts.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum SecretSource {
    /// There is none.
    #[default]
    None,
    /// It stands in the configuration.
    Text(Secret),
    /// It is what a file holds, but for the end of its last line.
    File(Box<str>),
    /// It is the value of an environment variable.
    Variable(Box<str>),
}

impl SecretSource {
    const WANT: &str = "a secret is text, { file = \"NAME\" } or { env = \"VARIABLE\" }";

    /// The secret; `None` if there is none.
    ///
    /// # Errors
    /// Why it can't be had, in words that don't show it.
    pub fn read(&self) -> Result<Option<Secret>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Text(secret) => return Ok(Some(secret.clone())),
            Self::File(name) => {
                let text = fs::read_to_string(&**name);
                let mut text = text.map_err(|error| format!("can't read {name}: {error}"))?;
                for end in ['\n', '\r'] {
                    text.truncate(text.strip_suffix(end).unwrap_or(&text).len());
                }
                text
            }
            Self::Variable(name) => env::var(&**name).map_err(|error| match error {
                env::VarError::NotPresent => format!("the environment has no {name}"),
                env::VarError::NotUnicode(_) => format!("{name} is not Unicode"),
            })?,
        };
        match self {
            Self::File(name) | Self::Variable(name) if text.is_empty() => Err(format!("{name} is empty")),
            _ => Ok(Some(Secret::from(text))),
        }
    }

    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        *self != Self::None
    }

    /// The variable that holds it.
    pub(super) fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_toml())
    }
}

impl Value for SecretSource {
    fn syntax() -> String {
        "text, never printed; or `{ file = \"NAME\" }` or `{ env = \"VARIABLE\" }`, where it is".to_owned()
    }

    /// What is wrong is told without what was written.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(Self::WANT);
        let Raw::Toml(DeValue::Table(table)) = raw else {
            let text = raw.text("").map_err(|_| wrong())?;
            return match text {
                "" => Ok(Self::None),
                // A configuration that was printed lets nobody in who has read it.
                HIDDEN => Err(Invalid::new("*** is what is printed for a secret, and none")),
                text => Ok(Self::Text(text.into())),
            };
        };
        let fields = Fields::of(table, &["file", "env"])?;
        let filled = |name| fields.text(name).map(|text| text.filter(|text| !text.is_empty()));
        match (filled("file")?, filled("env")?) {
            (Some(file), None) => Ok(Self::File(file.into())),
            (None, Some(variable)) => Ok(Self::Variable(variable.into())),
            _ => Err(wrong()),
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Self::None => "\"\"".to_owned(),
            Self::Text(_) => quote(HIDDEN),
            Self::File(name) => format!("{{ file = {} }}", quote(name)),
            Self::Variable(name) => format!("{{ env = {} }}", quote(name)),
        }
    }
}

/// What is kept of a secret in its place, if anything is.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T>(pub Option<T>);

impl<T> Default for Stored<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl Value for Stored<Ticket> {
    fn syntax() -> String {
        "64 hexadecimal digits or Base64, never printed".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("it is not the SHA-256 of a ticket, in 64 hexadecimal digits or Base64");
        let text = raw.text("").map_err(|_| wrong())?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        Ticket::from_sha256(text).map(|ticket| Self(Some(ticket))).map_err(|_| wrong())
    }

    fn to_toml(&self) -> String {
        hidden(&self.0)
    }
}

impl Value for Stored<CraSecret> {
    fn syntax() -> String {
        "`{ key, salt, iterations, keylen }`, the key in Base64 and never printed".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let fields = Fields::read(raw, &["key", "salt", "iterations", "keylen"])?;
        let salting = Salting {
            salt: fields.needed("salt")?.into(),
            iterations: fields.number("iterations", COST, 1_000)?,
            keylen: fields.number("keylen", 1..=255, 32)? as u8,
        };
        let key = fields.needed("key")?;
        let is_key = base64_length(key) == Some(usize::from(salting.keylen));
        if !is_key {
            return Err(Invalid::new("its key is not the Base64 of as many bytes as keylen says"));
        }
        Ok(Self(Some(CraSecret::derived(Secret::from(key), salting))))
    }

    fn to_toml(&self) -> String {
        hidden(&self.0)
    }
}

impl Value for Stored<ScramSecret> {
    fn syntax() -> String {
        "`{ kdf, iterations, memory, salt, stored_key, server_key }`, never printed; `kdf` is `argon2id` or `pbkdf2`".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        const ARGON2: &str = "argon2id";
        const PBKDF2: &str = "pbkdf2";
        let fields = ["kdf", "iterations", "memory", "salt", "stored_key", "server_key"];
        let fields = Fields::read(raw, &fields)?;
        let kdf = match fields.needed("kdf")? {
            PBKDF2 => Kdf::Pbkdf2 { iterations: fields.number("iterations", COST, 4_096)? },
            ARGON2 => Kdf::Argon2id {
                iterations: fields.number("iterations", COST, 2)?,
                memory: fields.number("memory", 8..=u32::MAX, 19_456)?,
            },
            other => {
                let message = format!("its kdf {other:?} is not {ARGON2:?} or {PBKDF2:?}");
                let nearest = nearest(other, [ARGON2, PBKDF2].into_iter());
                return Err(Invalid { nearest, ..Invalid::new(message) });
            }
        };
        let (salt, stored) = (fields.needed("salt")?, fields.needed("stored_key")?);
        let secret = ScramSecret::from_text(salt, kdf, stored, fields.needed("server_key")?);
        let secret = secret.map_err(|error| Invalid::new(format!("a salt or key {error}")))?;
        Ok(Self(Some(secret)))
    }

    fn to_toml(&self) -> String {
        hidden(&self.0)
    }
}

/// Public keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublicKeys(pub Vec<PublicKey>);

impl Value for PublicKeys {
    fn syntax() -> String {
        "list, each a public key of Ed25519 in 64 hexadecimal digits".to_owned()
    }

    /// What is wrong is told without what was written: it may be a private key.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let wrong = "a key is not a public key of Ed25519 in 64 hexadecimal digits";
        raw.items(|text| PublicKey::from_hex(text).map_err(|_| Invalid::new(wrong))).map(Self)
    }

    fn to_toml(&self) -> String {
        let keys: Vec<_> = self.0.iter().map(|key| quote(&key.to_hex())).collect();
        format!("[{}]", keys.join(", "))
    }
}

/// How often a hash may be applied.
const COST: RangeInclusive<u32> = 1..=10_000_000;

fn hidden<T>(stored: &Option<T>) -> String {
    quote(if stored.is_some() { HIDDEN } else { "" })
}

/// How many bytes a text in Base64 stands for, if it is one.
fn base64_length(text: &str) -> Option<usize> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    STANDARD.decode(text).ok().map(|bytes| bytes.len())
}

/// The fields of a value that has several. What is wrong is told without what was written.
struct Fields<'a>(&'a DeTable<'a>);

impl<'a> Fields<'a> {
    fn read(raw: Raw<'a>, known: &[&'static str]) -> Result<Self, Invalid> {
        match raw {
            Raw::Toml(DeValue::Table(table)) => Self::of(table, known),
            _ => Err(Invalid::new(format!("it is not {{ {} }}", known.join(", ")))),
        }
    }

    fn of(table: &'a DeTable<'a>, known: &[&'static str]) -> Result<Self, Invalid> {
        let unknown = table.keys().find(|key| !known.contains(&&**key.get_ref()));
        match unknown {
            None => Ok(Self(table)),
            Some(key) => Err(Invalid {
                message: format!("it has no `{}`", key.get_ref().escape_debug()),
                nearest: nearest(key.get_ref(), known.iter().copied()),
                span: Some(key.span()),
            }),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Invalid> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let text = value.get_ref().as_str();
        let wrong =
            || Invalid { span: Some(value.span()), ..Invalid::new(format!("its {name} is not text")) };
        text.map(Some).ok_or_else(wrong)
    }

    fn needed(&self, name: &str) -> Result<&'a str, Invalid> {
        self.text(name)?.ok_or_else(|| Invalid::new(format!("it needs a {name}")))
    }

    fn number(&self, name: &str, range: RangeInclusive<u32>, default: u32) -> Result<u32, Invalid> {
        let Some(value) = self.0.get(name) else { return Ok(default) };
        let number = value.get_ref().as_integer();
        let number = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| Invalid {
            span: Some(value.span()),
            ..Invalid::new(format!("its {name} is not an integer, {} to {}", range.start(), range.end()))
        })
    }
}
