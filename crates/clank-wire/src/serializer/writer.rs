//! One writer for the three serializers.
//!
//! The number of a container's elements need not be known before they are written: room for the
//! smallest head is left, and a larger one is put in at the end where it is needed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Serializer;
use crate::json::write_string;

/// Appends values to a buffer.
pub(crate) struct Writer<'b> {
    serializer: Serializer,
    out: &'b mut Vec<u8>,
}

/// A list or dictionary that is being written.
pub(crate) struct Container {
    map: bool,
    /// Where the head is that waits for the number of elements.
    patch: Option<usize>,
    count: usize,
}

/// The major types of CBOR that have a length or value.
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const LIST: u8 = 4;
    pub(super) const MAP: u8 = 5;
}

impl<'b> Writer<'b> {
    pub(crate) fn new(serializer: Serializer, out: &'b mut Vec<u8>) -> Self {
        Writer { serializer, out }
    }

    pub(crate) const fn serializer(&self) -> Serializer {
        self.serializer
    }

    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub(crate) fn null(&mut self) {
        match self.serializer {
            Serializer::Json => self.out.extend_from_slice(b"null"),
            Serializer::MessagePack => self.out.push(0xc0),
            Serializer::Cbor => self.out.push(0xf6),
        }
    }

    pub(crate) fn bool(&mut self, value: bool) {
        match self.serializer {
            Serializer::Json => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
            Serializer::MessagePack => self.out.push(0xc2 + u8::from(value)),
            Serializer::Cbor => self.out.push(0xf4 + u8::from(value)),
        }
    }

    /// An integer of the range from -2^64 to 2^64 - 1.
    pub(crate) fn integer(&mut self, value: i128) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => self.negative(value),
        }
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        match self.serializer {
            Serializer::Json => write_decimal(value, self.out),
            Serializer::MessagePack => match sized(value) {
                Size::Byte(small @ 0..=0x7f) => self.out.push(small),
                size => self.sized(0xcc, size),
            },
            Serializer::Cbor => self.cbor(major::UNSIGNED, value),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "MessagePack has no integer below -2^63")]
    fn negative(&mut self, value: i128) {
        match (self.serializer, i64::try_from(value)) {
            (Serializer::Json, _) => {
                self.out.push(b'-');
                match u64::try_from(value.unsigned_abs()) {
                    Ok(magnitude) => write_decimal(magnitude, self.out),
                    Err(_) => self.out.extend_from_slice(b"18446744073709551616"),
                }
            }
            (Serializer::MessagePack, Ok(value)) => {
                let bytes = value.to_be_bytes();
                let (head, from) = match value {
                    -0x20.. => (None, 7),
                    -0x80.. => (Some(0xd0), 7),
                    -0x8000.. => (Some(0xd1), 6),
                    -0x8000_0000.. => (Some(0xd2), 4),
                    _ => (Some(0xd3), 0),
                };
                self.out.extend(head);
                self.out.extend_from_slice(bytes.get(from..).unwrap_or_default());
            }
            (Serializer::MessagePack, Err(_)) => self.float(value as f64),
            (Serializer::Cbor, _) => {
                self.cbor(major::NEGATIVE, u64::try_from(-1 - value).unwrap_or(u64::MAX));
            }
        }
    }

    pub(crate) fn float(&mut self, value: f64) {
        match self.serializer {
            // JSON has neither NaN nor infinities: null, as JavaScript says.
            Serializer::Json => match serde_json::Number::from_f64(value) {
                Some(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
                None => self.null(),
            },
            Serializer::MessagePack => {
                self.out.push(0xcb);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            Serializer::Cbor => {
                self.out.push(0xfb);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        match self.serializer {
            Serializer::Json => return write_string(text, self.out),
            Serializer::MessagePack => match sized(text.len() as u64) {
                Size::Byte(short @ 0..=31) => self.out.push(0xa0 + short),
                size => self.sized(0xd9, size),
            },
            Serializer::Cbor => self.cbor(major::TEXT, text.len() as u64),
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        match self.serializer {
            Serializer::Json => {
                self.out.extend_from_slice(b"\"\\u0000");
                self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                return self.out.push(b'"');
            }
            Serializer::MessagePack => self.sized(0xc4, sized(bytes.len() as u64)),
            Serializer::Cbor => self.cbor(major::BYTES, bytes.len() as u64),
        }
        self.out.extend_from_slice(bytes);
    }

    /// Opens a list, or a dictionary. Its number of elements is known, or follows.
    pub(crate) fn open(&mut self, map: bool, count: Option<usize>) -> Container {
        let patch = match (self.serializer, count) {
            (Serializer::Json, _) => {
                self.out.push(if map { b'{' } else { b'[' });
                None
            }
            (_, Some(count)) => {
                let at = self.out.len();
                self.out.push(0);
                self.head(at, map, count);
                None
            }
            (_, None) => {
                self.out.push(0);
                Some(self.out.len() - 1)
            }
        };
        Container { map, patch, count: 0 }
    }

    /// Precedes each element of a list, and each key of a dictionary.
    pub(crate) fn item(&mut self, container: &mut Container) {
        if self.serializer == Serializer::Json && container.count > 0 {
            self.out.push(b',');
        }
        container.count += 1;
    }

    /// Writes a key of a dictionary, up to its value.
    pub(crate) fn key(&mut self, container: &mut Container, key: &str) {
        self.item(container);
        self.text(key);
        self.key_end();
    }

    /// Follows a key.
    pub(crate) fn key_end(&mut self) {
        if self.serializer == Serializer::Json {
            self.out.push(b':');
        }
    }

    pub(crate) fn close(&mut self, container: &Container) {
        match container.patch {
            Some(at) => self.head(at, container.map, container.count),
            None if self.serializer == Serializer::Json => {
                self.out.push(if container.map { b'}' } else { b']' });
            }
            None => {}
        }
    }

    /// Puts the head of a container where one byte of room is for it.
    fn head(&mut self, at: usize, map: bool, count: usize) {
        let mut head = Vec::new();
        let mut writer = Writer { serializer: self.serializer, out: &mut head };
        match (self.serializer, sized(count as u64)) {
            (Serializer::MessagePack, Size::Byte(few @ 0..=15)) => {
                return self.put(at, if map { 0x80 } else { 0x90 } + few);
            }
            // There is none of one byte.
            (Serializer::MessagePack, Size::Byte(count)) => {
                writer.sized(if map { 0xdd } else { 0xdb }, Size::Two(count.into()));
            }
            (Serializer::MessagePack, size) => writer.sized(if map { 0xdd } else { 0xdb }, size),
            (_, Size::Byte(few @ 0..=23)) => {
                return self.put(at, (if map { major::MAP } else { major::LIST }) << 5 | few);
            }
            _ => writer.cbor(if map { major::MAP } else { major::LIST }, count as u64),
        }
        if at < self.out.len() {
            self.out.splice(at..=at, head);
        }
    }

    fn put(&mut self, at: usize, byte: u8) {
        if let Some(room) = self.out.get_mut(at) {
            *room = byte;
        }
    }

    /// A head of MessagePack: `first` stands for a number of one byte, those above it for larger
    /// ones.
    fn sized(&mut self, first: u8, size: Size) {
        match size {
            Size::Byte(value) => self.out.extend_from_slice(&[first, value]),
            Size::Two(value) => {
                self.out.push(first + 1);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            Size::Four(value) => {
                self.out.push(first + 2);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            Size::Eight(value) => {
                self.out.push(first + 3);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// A head of CBOR.
    fn cbor(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match sized(value) {
            Size::Byte(small @ 0..=23) => self.out.push(major | small),
            size => self.sized(major | 24, size),
        }
    }
}

/// A number in the fewest bytes that hold it.
#[derive(Clone, Copy)]
enum Size {
    Byte(u8),
    Two(u16),
    Four(u32),
    Eight(u64),
}

fn sized(value: u64) -> Size {
    if let Ok(value) = u8::try_from(value) {
        Size::Byte(value)
    } else if let Ok(value) = u16::try_from(value) {
        Size::Two(value)
    } else if let Ok(value) = u32::try_from(value) {
        Size::Four(value)
    } else {
        Size::Eight(value)
    }
}

fn write_decimal(mut value: u64, out: &mut Vec<u8>) {
    // 2^64 has twenty digits.
    let mut digits = [0; 20];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        len += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}
