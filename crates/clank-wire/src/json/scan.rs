//! The scanner: finds where a value ends, and that it is one, in a single pass.

use super::string::plain_run;
use super::{Raw, SyntaxError};

pub(super) const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A position in a text. Every step either moves behind what it accepted or fails.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// There was an escape since this was last asked for.
    escaped: bool,
}

/// The arrays and objects that are open, innermost last: a bit each, set for an object.
struct Open {
    objects: u64,
    depth: u32,
    limit: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Scanner { text, at: 0, escaped: false }
    }

    /// Takes the value that begins here, at most `limit` (64 or less) levels deep.
    #[inline]
    pub(crate) fn value(&mut self, limit: u32) -> Result<Raw<'a>, SyntaxError> {
        let start = self.at;
        match plain_end(self.text.as_bytes(), start) {
            Some(end) => self.at = end,
            None => self.any_value(limit)?,
        }
        Ok(Raw(self.since(start)))
    }

    /// Moves behind the value that begins here, whatever it is.
    ///
    /// Iterative, so that nesting costs a bit of a word and not a frame of the stack.
    fn any_value(&mut self, limit: u32) -> Result<(), SyntaxError> {
        let mut open = Open { objects: 0, depth: 0, limit };
        loop {
            let complete = match self.peek() {
                Some(b'"') => self.string().map(|()| true)?,
                Some(b'[') => self.open_array(&mut open)?,
                Some(b'{') => self.open_object(&mut open)?,
                Some(b'-' | b'0'..=b'9') => self.number().map(|()| true)?,
                Some(b't') => self.literal("true", "'true'").map(|()| true)?,
                Some(b'f') => self.literal("false", "'false'").map(|()| true)?,
                Some(b'n') => self.literal("null", "'null'").map(|()| true)?,
                _ => return Err(self.unexpected("a value")),
            };
            if complete && !self.close_or_next(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Moves behind the white space that stands here.
    pub(crate) fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Moves behind a comma, if one stands here.
    pub(crate) fn skip_comma(&mut self) -> bool {
        let comma = self.peek() == Some(b',');
        self.at += usize::from(comma);
        comma
    }

    /// Moves behind `byte`, which must stand here.
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        self.white_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether a string that was taken since the last call of this has an escape.
    pub(crate) fn take_escaped(&mut self) -> bool {
        std::mem::take(&mut self.escaped)
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The text from `start` to here. Both lie beside a character of ASCII or at an end of the
    /// text, so that the span is never refused.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.between(start, self.at)
    }

    /// The text between two such places.
    pub(crate) fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Opens an array; true if it is empty, and so complete.
    fn open_array(&mut self, open: &mut Open) -> Result<bool, SyntaxError> {
        open.push(false, self.at)?;
        self.at += 1;
        self.white_space();
        if self.peek() != Some(b']') {
            return Ok(false);
        }
        self.at += 1;
        open.pop();
        Ok(true)
    }

    /// Opens an object up to its first value; true if it is empty, and so complete.
    fn open_object(&mut self, open: &mut Open) -> Result<bool, SyntaxError> {
        open.push(true, self.at)?;
        self.at += 1;
        self.white_space();
        if self.peek() != Some(b'}') {
            return self.key("a key or '}'").map(|()| false);
        }
        self.at += 1;
        open.pop();
        Ok(true)
    }

    /// After a value: closes what ends here and moves to the next value inside what stays open.
    /// False if nothing is open any more.
    fn close_or_next(&mut self, open: &mut Open) -> Result<bool, SyntaxError> {
        while open.depth > 0 {
            self.white_space();
            let in_object = open.in_object();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.white_space();
                    if in_object {
                        self.key("a key")?;
                    }
                    return Ok(true);
                }
                Some(b'}') if in_object => open.pop(),
                Some(b']') if !in_object => open.pop(),
                _ if in_object => return Err(self.unexpected("',' or '}'")),
                _ => return Err(self.unexpected("',' or ']'")),
            }
            self.at += 1;
        }
        Ok(false)
    }

    /// Takes a key with its colon, up to the value.
    pub(crate) fn key(&mut self, expected: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(expected));
        }
        self.string()?;
        self.white_space();
        self.expect(b':', "':'")?;
        self.white_space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_run(rest);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.unexpected("an escape of the control character")),
                None => return Err(self.unexpected("'\"'")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        self.escaped = true;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                        return Err(self.unexpected("a hexadecimal digit"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.unexpected("one of \"\\/bfnrtu")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("a digit"));
        }
        Ok(())
    }

    fn literal(&mut self, literal: &str, expected: &'static str) -> Result<(), SyntaxError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal.as_bytes()) {
            return Err(self.unexpected(expected));
        }
        self.at += literal.len();
        Ok(())
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        // The scanner moves over whole characters except inside a string, where it stops only
        // before characters of ASCII; so `at` is always a boundary.
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        SyntaxError::Unexpected { expected, at: self.at, found }
    }
}

/// Where the value that begins at `start` ends, if it is what most are: a string without escapes, or a
/// number of nothing but digits. Never inlined, so that who calls it keeps its registers.
#[inline(never)]
fn plain_end(text: &[u8], start: usize) -> Option<usize> {
    match text.get(start..)? {
        [b'"', rest @ ..] => {
            let run = plain_run(rest);
            (rest.get(run) == Some(&b'"')).then_some(start + run + 2)
        }
        [b'1'..=b'9', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let is_over = !matches!(rest.get(digits), Some(b'.' | b'e' | b'E'));
            is_over.then_some(start + 1 + digits)
        }
        _ => None,
    }
}

impl Open {
    fn push(&mut self, object: bool, at: usize) -> Result<(), SyntaxError> {
        if self.depth >= self.limit {
            return Err(SyntaxError::TooDeep { at });
        }
        self.objects = self.objects << 1 | u64::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}
