use crate::ws::{Extension, Param};

const NAME: &str = "permessage-deflate";

/// The size of window that a message is compressed with, as a power of two from 9 to 15.
///
/// RFC 7692 also knows 8, of which zlib is not capable without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 512 bytes.
    pub const MIN: Self = Self(9);
    /// 32 KiB.
    pub const MAX: Self = Self(15);

    /// The size with these bits, or `None` if they are not from 9 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        if Self::MIN.0 <= bits && bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// The power of two.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// What the server is ready to agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The largest window to compress with; a client may ask for a smaller one.
    pub max_window_bits: WindowBits,
}

impl Default for Options {
    /// The largest window there is.
    fn default() -> Self {
        Self { max_window_bits: WindowBits::MAX }
    }
}

/// The parameters of permessage-deflate that one connection agreed on.
///
/// Neither side takes its context over to the next message, so `server_window_bits` is all that
/// tells what this connection can receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreement {
    server_window_bits: WindowBits,
    /// The limit is repeated only to a client that asked for it.
    server_bits_asked: bool,
    client_window_bits: Option<u8>,
}

impl Agreement {
    /// The size of window to compress with for this connection.
    pub const fn server_window_bits(&self) -> WindowBits {
        self.server_window_bits
    }

    /// The value of the response's `Sec-WebSocket-Extensions`.
    pub fn header_value(&self) -> String {
        let mut value = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if self.server_bits_asked {
            value += &format!("; server_max_window_bits={}", self.server_window_bits.0);
        }
        if let Some(bits) = self.client_window_bits {
            value += &format!("; client_max_window_bits={bits}");
        }
        value
    }
}

/// Takes the first of a client's `offers` that the server can keep, RFC 7692, sections 5 and 7.1.
///
/// An offer of permessage-deflate with an unknown parameter, one given twice, or an invalid value
/// is passed over, as is one that insists on a window of 8 bits; the next is tried. `None` means
/// to go on without compression.
///
/// ```
/// use clank_wire::ws::deflate::{Options, WindowBits, agree};
/// use clank_wire::ws::parse_extensions;
///
/// # fn main() -> Result<(), clank_wire::ws::MalformedExtension> {
/// let offers = parse_extensions("permessage-deflate; server_max_window_bits=9")?;
/// let agreement = agree(&Options::default(), &offers);
/// assert_eq!(agreement.map(|it| it.server_window_bits()), WindowBits::new(9));
/// # Ok(())
/// # }
/// ```
pub fn agree(options: &Options, offers: &[Extension]) -> Option<Agreement> {
    let ours = options.max_window_bits;
    offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| Offer::read(&offer.params)).map(
        |offer| Agreement {
            server_window_bits: offer.server_bits.map_or(ours, |bits| bits.min(ours)),
            server_bits_asked: offer.server_bits.is_some(),
            client_window_bits: offer.client_bits,
        },
    )
}

/// A valid offer of permessage-deflate. Whether it asks for no context takeover doesn't matter,
/// as it is always answered.
#[derive(Default)]
struct Offer {
    server_bits: Option<WindowBits>,
    /// The hint of the client on its own window, if it gave a size.
    client_bits: Option<u8>,
}

impl Offer {
    fn read(params: &[Param]) -> Option<Self> {
        let mut offer = Self::default();
        for (at, Param { name, value }) in params.iter().enumerate() {
            if params.iter().take(at).any(|earlier| earlier.name == *name) {
                return None;
            }
            match (name.as_str(), value.as_deref()) {
                ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
                ("server_max_window_bits", Some(value)) => {
                    offer.server_bits = Some(window_bits(value).and_then(WindowBits::new)?);
                }
                ("client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(value)) => {
                    offer.client_bits = Some(window_bits(value)?);
                }
                _ => return None,
            }
        }
        Some(offer)
    }
}

/// A decimal from 8 to 15 without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ws::parse_extensions;

    const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(max_window_bits: u8, offers: &str) -> Option<String> {
        let max_window_bits = WindowBits::new(max_window_bits).unwrap();
        let offers = parse_extensions(offers).unwrap();
        agree(&Options { max_window_bits }, &offers).map(|agreement| agreement.header_value())
    }

    #[test]
    fn both_sides_always_drop_their_context() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
        ] {
            assert_eq!(answer(15, offer).as_deref(), Some(BOTH), "{offer}");
        }
    }

    #[test]
    fn windows_are_as_small_as_either_side_wants() {
        let cases = [
            (15, "server_max_window_bits=9", "; server_max_window_bits=9"),
            (15, "server_max_window_bits=15", "; server_max_window_bits=15"),
            (11, "server_max_window_bits=15", "; server_max_window_bits=11"),
            (9, "server_max_window_bits=\"10\"", "; server_max_window_bits=9"),
            (15, "client_max_window_bits=8", "; client_max_window_bits=8"),
            (
                15,
                "client_max_window_bits=12; server_max_window_bits=10",
                "; server_max_window_bits=10; client_max_window_bits=12",
            ),
        ];
        for (ours, params, expected) in cases {
            let offer = format!("permessage-deflate; {params}");
            assert_eq!(answer(ours, &offer), Some(format!("{BOTH}{expected}")), "{offer}");
        }
    }

    #[test]
    fn an_offer_that_cannot_be_kept_is_passed_over() {
        let bad = [
            "server_max_window_bits",
            "server_max_window_bits=8",
            "server_max_window_bits=16",
            "server_max_window_bits=09",
            "server_max_window_bits=9a",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=+9",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "client_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits=9; server_max_window_bits=10",
            "unknown",
        ];
        for params in bad {
            let offer = format!("permessage-deflate; {params}");
            assert_eq!(answer(15, &offer), None, "{offer}");
            let with_fallback = format!("{offer}, permessage-deflate");
            assert_eq!(answer(15, &with_fallback).as_deref(), Some(BOTH), "{offer}");
        }
        assert_eq!(answer(15, "x-other"), None);
        assert_eq!(answer(15, ""), None);
    }
}
