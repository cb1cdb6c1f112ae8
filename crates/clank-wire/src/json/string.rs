//! Strings: where a run of plain characters ends, and how a text is written as a JSON string.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from the start are plain in a JSON string: no quote, backslash or control
/// character. Eight at a time, because topics and payloads are mostly plain.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    if let (false, Some(last)) = (rest.is_empty(), bytes.last_chunk()) {
        // What it has of the words before is plain.
        let special = special_bytes(u64::from_le_bytes(*last));
        return bytes.len() - 8 + special.trailing_zeros() as usize / 8;
    }
    let plain = rest.iter().position(|byte| is_special(*byte));
    words.len() * 8 + plain.unwrap_or(rest.len())
}

/// Writes a text as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    loop {
        let (plain, special) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        write_escaped(*byte, out);
        rest = after;
    }
    out.push(b'"');
}

fn write_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A word whose lowest set high bit marks the first special byte. Bits above that one may be
/// wrong, because a borrow runs upwards.
fn special_bytes(word: u64) -> u64 {
    let zero_at = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_at(word ^ (ONES * b'"' as u64));
    let backslash = zero_at(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_plain_characters_ends_at_the_first_special_one() {
        for length in 0..40 {
            let plain = vec![b'a'; length];
            assert_eq!(plain_run(&plain), length);
            for at in 0..length {
                for special in [b'"', b'\\', 0, 0x1f] {
                    let mut text = plain.clone();
                    text[at] = special;
                    // What is behind the first does not count.
                    text[length - 1] = special;
                    assert_eq!(plain_run(&text), at, "{special} at {at} of {length}");
                }
            }
            let high = vec![0xff; length];
            assert_eq!(plain_run(&high), length);
        }
    }
}
