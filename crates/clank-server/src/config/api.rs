//! `[api]`: the HTTP API for the application's other programs.

use std::fmt;
use std::path::Path;

use clank_core::limits::{Count, KIB, MIB, MINUTE, Period, SECOND, Size};
use toml::de::DeValue;

use super::settings::Host;
use super::value::{Invalid, Raw, Value, Word, quote};

/// `[api]`: the HTTP API for the application's other programs.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSettings {
    /// Where it listens.
    pub listen: ApiListen,
    /// Who may use it.
    pub tokens: Tokens,
    /// A file with further tokens.
    pub token_file: OptionalPath,
    /// Bytes of a request's body.
    pub body: Size<KIB, { 64 * MIB }>,
    /// Time that a request may take.
    pub timeout: Period<100, { 10 * MINUTE }>,
    /// Connections to it.
    pub connections: Count<1, 10_000>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: ApiListen::Off,
            tokens: Tokens::default(),
            token_file: OptionalPath(None),
            body: Size::of(MIB),
            timeout: Period::of(30 * SECOND),
            connections: Count::of(100),
        }
    }
}

/// Where the API listens.
///
/// ```
/// use clank_server::config::{ApiListen, Raw, Value};
///
/// let listen = ApiListen::parse(Raw::Text("8081"))?;
/// assert_eq!(listen.address().as_deref(), Some("127.0.0.1:8081"));
/// # Ok::<_, clank_server::config::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum ApiListen {
    /// Nowhere: there is no API.
    Off,
    /// At this host and port.
    At(Host, u16),
}

impl ApiListen {
    /// Host and port, as a URL has them.
    pub fn address(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::At(host, port) => Some(format!("{}:{port}", host.for_url())),
        }
    }

    /// Whether only this machine's programs can connect, as far as can be told without asking for
    /// the host's addresses.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Off => true,
            Self::At(host, _) => host.is_loopback(),
        }
    }

    /// Whether the setting says at which port it is.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::At(_, 1..))
    }

    fn read(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::Off);
        }
        if let Ok(port) = text.parse() {
            return Some(Self::At(Host::loopback(), port));
        }
        let (host, port) = text.rsplit_once(':')?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(host) => Host::read(host).filter(|_| host.contains(':')),
            None => Host::read(host).filter(|_| !host.contains(':')),
        };
        Some(Self::At(host?, port.parse().ok()?))
    }
}

impl Value for ApiListen {
    fn syntax() -> String {
        "`\"off\"`, host and port (`\"127.0.0.1:8081\"`), or a port, on loopback".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        const WANT: &str = "\"off\", host and port (\"127.0.0.1:8081\"), or a port";
        if let Raw::Toml(DeValue::Integer(_)) = raw {
            return u16::parse(raw).map(|port| Self::At(Host::loopback(), port));
        }
        let text = raw.text(WANT)?;
        Self::read(text).ok_or_else(|| Invalid::new(format!("{text:?} is not {WANT}")))
    }

    fn to_toml(&self) -> String {
        quote(self.address().as_deref().unwrap_or("off"))
    }
}

/// What a program shows to be let in. Nothing that is printed shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// Characters of the shortest.
    pub const SHORTEST: usize = 16;

    /// The token; `None` if it is too short, or has other characters than a header can carry.
    pub fn read(text: &str) -> Option<Self> {
        // RFC 6750, 2.1
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        (text.len() >= Self::SHORTEST && text.bytes().all(is_allowed)).then(|| Self(text.into()))
    }

    /// The token itself.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// What is printed for a token. It is too short to be one, so that a configuration that was printed
/// lets nobody in who has read it.
const HIDDEN: &str = "***";

/// Tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    const SYNTAX: &'static str =
        "list, each at least 16 of the characters `A-Z a-z 0-9 - . _ ~ + / =`; never printed";

    /// Those of a file: one on each line; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// The number, counted from 1, of a line that is no token.
    pub fn of_lines(text: &str) -> Result<Self, usize> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let tokens = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        tokens.map(|(number, line)| Token::read(line).ok_or(number)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Those, and these too.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl Value for Tokens {
    fn syntax() -> String {
        Self::SYNTAX.to_owned()
    }

    /// What is wrong is told without what was written: it may be a token but for one character.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let wrong = "a token is not at least 16 of the characters A-Z a-z 0-9 - . _ ~ + / =";
        raw.items(|text| Token::read(text).ok_or_else(|| Invalid::new(wrong))).map(Self)
    }

    fn to_toml(&self) -> String {
        format!("[{}]", vec![quote(HIDDEN); self.0.len()].join(", "))
    }
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        Self(tokens.into_iter().collect())
    }
}

/// The name of a file, or of none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionalPath(Option<Box<str>>);

impl OptionalPath {
    /// The file's name.
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref().map(Path::new)
    }
}

impl Value for OptionalPath {
    fn syntax() -> String {
        "a file's name, or `\"\"`".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let name = raw.text("a file's name")?;
        Ok(Self((!name.is_empty()).then(|| name.into())))
    }

    fn to_toml(&self) -> String {
        quote(self.0.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_host_and_port_or_a_port_on_loopback() {
        for (written, address) in [
            ("8081", Some("127.0.0.1:8081")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("localhost:8081", Some("localhost:8081")),
            ("[::1]:8081", Some("[::1]:8081")),
            ("::1:8081", None),
            ("[127.0.0.1]:1", None),
            ("127.0.0.1", None),
            ("127.0.0.1:", None),
            (":8081", None),
            ("127.0.0.1:65536", None),
            ("on", None),
            ("", None),
            ("http://127.0.0.1:8081", None),
        ] {
            let listen = ApiListen::read(written);
            assert_eq!(listen.and_then(|listen| listen.address()).as_deref(), address, "{written}");
        }
        assert_eq!(ApiListen::read("off"), Some(ApiListen::Off));
        let is_loopback = |written| ApiListen::read(written).unwrap().is_loopback();
        assert!(["off", "1", "127.9.9.9:1", "localhost:1", "[::1]:1"].into_iter().all(is_loopback));
        assert!(!["0.0.0.0:1", "[::]:1", "example.com:1"].into_iter().any(is_loopback));
    }

    #[test]
    fn tokens_are_long_enough_and_never_shown() {
        let tokens = Tokens::parse(Raw::Text("0123456789abcdef, ABCDEF0123456789")).unwrap();
        assert_eq!(tokens.to_toml(), r#"["***", "***"]"#);
        assert!(!format!("{tokens:?}").contains("0123"));
        for refused in ["0123456789abcde", "0123456789abcde€", "0123456789abcdef 0", "***"] {
            let error = Tokens::parse(Raw::Text(refused)).unwrap_err();
            assert!(!error.message.contains(refused), "{error:?}");
        }
        assert!(Tokens::parse(Raw::Text("")).unwrap().is_empty());
    }

    #[test]
    fn a_file_has_a_token_on_each_line() {
        let tokens = Tokens::of_lines("# of the shop\n0123456789abcdef\r\n\n  fedcba9876543210  \n").unwrap();
        let secrets: Vec<&str> = tokens.iter().map(Token::secret).collect();
        assert_eq!(secrets, ["0123456789abcdef", "fedcba9876543210"]);
        assert_eq!(Tokens::of_lines("0123456789abcdef\n\nshort"), Err(3));
        assert!(Tokens::of_lines("\n# none\n").unwrap().is_empty());
    }
}
