//! The methods of authentication.

use std::fmt;
use std::str::FromStr;

/// A method of authentication.
///
/// ```
/// use clank_core::wamp2::auth::Method;
///
/// assert_eq!("wampcra".parse(), Ok(Method::Cra));
/// assert_eq!(Method::Scram.to_string(), "wamp-scram");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Nothing is asked for.
    Anonymous,
    /// The HTTP handshake has been told who the client is.
    Cookie,
    /// The client sends a ticket.
    Ticket,
    /// The client signs a challenge with a shared secret.
    Cra,
    /// The client signs a challenge with its private key.
    Cryptosign,
    /// The client proves that it knows a password, and the router that it knows of it.
    Scram,
    /// The same as Autobahn does it: the KDF is called `argon2id-13`, channel binding is an empty
    /// text in what is signed, and the router's signature comes as `scram_server_signature`.
    ScramAutobahn,
}

/// A text that names no [`Method`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 'anonymous', 'cookie', 'ticket', 'wampcra', 'cryptosign', 'wamp-scram' or 'scram'")]
pub struct UnknownMethod(pub Box<str>);

impl Method {
    /// All methods.
    pub const ALL: [Method; 7] = [
        Method::Anonymous,
        Method::Cookie,
        Method::Ticket,
        Method::Cra,
        Method::Cryptosign,
        Method::Scram,
        Method::ScramAutobahn,
    ];

    /// The name that messages have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Anonymous => "anonymous",
            Method::Cookie => "cookie",
            Method::Ticket => "ticket",
            Method::Cra => "wampcra",
            Method::Cryptosign => "cryptosign",
            Method::Scram => "wamp-scram",
            Method::ScramAutobahn => "scram",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        Self::from_name(name).ok_or_else(|| UnknownMethod(name.into()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
