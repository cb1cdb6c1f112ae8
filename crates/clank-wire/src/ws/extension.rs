use std::iter;

/// One element of `Sec-WebSocket-Extensions`, RFC 6455, section 9.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The extension's name, as sent.
    pub name: String,
    /// Its parameters, in the order sent.
    pub params: Vec<Param>,
}

/// A parameter of an [`Extension`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The parameter's name, as sent.
    pub name: String,
    /// What follows the equals sign, without quotes.
    pub value: Option<String>,
}

/// A `Sec-WebSocket-Extensions` header that does not follow the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed Sec-WebSocket-Extensions")]
pub struct MalformedExtension;

/// Reads the value of one `Sec-WebSocket-Extensions` header; several headers count as one list.
///
/// Elements may be empty, as in any list of HTTP; the extensions' own rules are not judged.
///
/// # Errors
///
/// If the value does not follow the grammar of RFC 6455, section 9.1.
///
/// ```
/// use clank_wire::ws::parse_extensions;
/// # fn main() -> Result<(), clank_wire::ws::MalformedExtension> {
/// let offers = parse_extensions("permessage-deflate; client_max_window_bits, x-other")?;
/// assert_eq!(offers.len(), 2);
/// assert_eq!(offers[0].params[0].name, "client_max_window_bits");
/// # Ok(())
/// # }
/// ```
pub fn parse_extensions(value: &str) -> Result<Vec<Extension>, MalformedExtension> {
    let mut rest = value;
    let mut extensions = Vec::new();
    loop {
        rest = skip_space(rest);
        if let Some(name) = take_token(&mut rest) {
            let params = take_params(&mut rest)?;
            extensions.push(Extension { name: name.to_owned(), params });
        }
        rest = skip_space(rest);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(extensions),
            None => return Err(MalformedExtension),
        }
    }
}

fn take_params(rest: &mut &str) -> Result<Vec<Param>, MalformedExtension> {
    iter::from_fn(|| {
        *rest = skip_space(rest).strip_prefix(';')?;
        Some(take_param(rest))
    })
    .collect()
}

fn take_param(rest: &mut &str) -> Result<Param, MalformedExtension> {
    *rest = skip_space(rest);
    let name = take_token(rest).ok_or(MalformedExtension)?.to_owned();
    let Some(after) = skip_space(rest).strip_prefix('=') else {
        return Ok(Param { name, value: None });
    };
    *rest = skip_space(after);
    let value = match rest.strip_prefix('"') {
        Some(quoted) => {
            *rest = quoted;
            take_quoted(rest)?
        }
        None => take_token(rest).ok_or(MalformedExtension)?.to_owned(),
    };
    Ok(Param { name, value: Some(value) })
}

/// Takes a quoted string whose opening quote is gone; what it quotes must be a token.
fn take_quoted(rest: &mut &str) -> Result<String, MalformedExtension> {
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().ok_or(MalformedExtension)? {
            '"' => break,
            '\\' => value.push(chars.next().ok_or(MalformedExtension)?),
            plain => value.push(plain),
        }
    }
    *rest = chars.as_str();
    if is_token(&value) { Ok(value) } else { Err(MalformedExtension) }
}

/// Takes a token off the front, or nothing if there is none.
fn take_token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(rest.len());
    // Token bytes are ASCII, so `end` is a character's boundary.
    let (token, after) = rest.split_at(end);
    *rest = after;
    (!token.is_empty()).then_some(token)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Whether `text` is a token, RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> Result<String, MalformedExtension> {
        let show_param = |param: &Param| match &param.value {
            Some(value) => format!(";{}={value}", param.name),
            None => format!(";{}", param.name),
        };
        let show = |extension: &Extension| {
            let params: String = extension.params.iter().map(show_param).collect();
            extension.name.clone() + &params
        };
        Ok(parse_extensions(value)?.iter().map(show).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists_are_read_with_quotes_spaces_and_empty_elements() {
        let cases = [
            ("", ""),
            (" , ,", ""),
            ("a", "a"),
            ("a;b;c=1, d", "a;b;c=1,d"),
            ("a ; b\t; c = \"1\" ,d", "a;b;c=1,d"),
            ("a;b=\"1\\0\"", "a;b=10"),
            ("a,,b", "a,b"),
        ];
        for (value, expected) in cases {
            assert_eq!(show(value).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        let cases = [
            ";",
            "a;",
            "a;=1",
            "a;b=",
            "a b",
            "a=1",
            "a;b=\"",
            "a;b=\"\"",
            "a;b=\"1\"2",
            "a;b=\"x y\"",
            "a;b=\"\\",
            "ä",
            "a;b=ä",
            "a;b=\"ä\"",
            "a;b;;c",
            "a\0",
        ];
        for value in cases {
            assert_eq!(show(value), Err(MalformedExtension), "{value}");
        }
    }
}
