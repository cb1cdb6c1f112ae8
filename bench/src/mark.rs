//! What is published: a mark that says where it belongs, and something around it.
//!
//! Every delivery is judged by its mark, whatever the protocol wraps around it. The sign is long enough
//! not to appear by chance, in a binary id for instance.

use crate::Result;

const SIGN: &[u8; 8] = b"@marked@";
/// The sign, the topic and the sequence, in hexadecimal.
const LENGTH: usize = SIGN.len() + 8 + 16;

/// Which event this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) topic: u32,
    /// Counts a topic's events from 0.
    pub(crate) sequence: u64,
}

/// What an event consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// A text of so many bytes.
    Text(usize),
    /// A JSON object of about two kilobytes: a list of quotes, the same again but for its numbers.
    Json,
}

impl Mark {
    /// Writes the event as JSON.
    pub(crate) fn write(self, body: Body) -> String {
        let sign = String::from_utf8_lossy(SIGN);
        let mark = format!("{sign}{:08x}{:016x}", self.topic, self.sequence);
        match body {
            Body::Text(length) => {
                let rest = length.saturating_sub(LENGTH);
                format!("\"{mark}{:x<rest$}\"", "")
            }
            Body::Json => {
                let quotes: Vec<String> = (0..24).map(|row| quote(self.sequence, row)).collect();
                format!(r#"{{"id":"{mark}","quotes":[{}]}}"#, quotes.join(","))
            }
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (sign, digits) = bytes.get(..LENGTH)?.split_first_chunk()?;
        let (topic, sequence) = digits.split_at_checked(8)?;
        let topic = u32::try_from(number(topic)?).ok()?;
        (sign == SIGN).then_some(Self { topic, sequence: number(sequence)? })
    }
}

fn quote(sequence: u64, row: u64) -> String {
    let drawn = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(row as u32 * 5) ^ row;
    let (price, volume) = (drawn % 100_000, (drawn >> 20) % 1_000_000);
    format!(
        r#"{{"symbol":"SHARE{row:02}","price":{}.{:02},"volume":{volume},"venue":"market","state":"open"}}"#,
        price / 100,
        price % 100
    )
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

/// Finds marks; they are mostly where the last one was.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    at: usize,
}

impl Finder {
    /// # Errors
    /// If the message has no mark.
    pub(crate) fn find(&mut self, message: &[u8]) -> Result<Mark> {
        if let Some(mark) = message.get(self.at..).and_then(Mark::read) {
            return Ok(mark);
        }
        let found = message.windows(SIGN.len()).position(|window| window == SIGN);
        let at = found.ok_or("an event without its mark")?;
        self.at = at;
        message.get(at..).and_then(Mark::read).ok_or_else(|| "an event with half a mark".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        let mut finder = Finder::default();
        for (front, topic, sequence) in
            [("", 0, 0), ("[8,\"t\",", 7, 1 << 40), ("[36,1,2,{},[", u32::MAX, u64::MAX)]
        {
            let mark = Mark { topic, sequence };
            for body in [Body::Text(128), Body::Json] {
                let message = format!("{front}{}", mark.write(body));
                assert_eq!(finder.find(message.as_bytes()).unwrap(), mark, "{message}");
            }
        }
    }

    #[test]
    fn what_has_no_mark_is_an_error() {
        let mut finder = Finder::default();
        for message in ["", "[8,\"t\",1]", "@marked@0000", "@marked@0000000g0000000000000000"] {
            assert!(finder.find(message.as_bytes()).is_err(), "{message}");
        }
    }

    #[test]
    fn bodies_have_their_size() {
        let mark = Mark { topic: 1, sequence: 2 };
        assert_eq!(mark.write(Body::Text(128)).len(), 130);
        let json = mark.write(Body::Json);
        assert!((1900..2300).contains(&json.len()), "{} bytes", json.len());
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
        assert_ne!(json, Mark { topic: 1, sequence: 3 }.write(Body::Json));
    }
}
