//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

/// Whether a problem keeps the server from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// The configuration can be used, but hardly says what was meant.
    Warning,
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file; line and column count from 1, the column in characters.
    File {
        /// The file's name, as it was given.
        name: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In an environment variable.
    Environment(String),
    /// In a flag of the command line.
    Flag(&'static str),
}

impl Place {
    /// The place of `span`, a range of bytes in `text`, the content of the file `name`.
    pub(super) fn in_file(name: &str, text: &str, span: &Range<usize>) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::File {
            name: name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// Line and column, in a file.
    pub(super) const fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::File { line, column, .. } => Some((*line, *column)),
            Self::Environment(_) | Self::Flag(_) => None,
        }
    }

    /// The line, in a file.
    pub(super) const fn line(&self) -> Option<usize> {
        match self.position() {
            Some((line, _)) => Some(line),
            None => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Something that is wrong with a configuration.
///
/// Shown as `clank.toml:3:8: error: server.port: 70000 is out of range: 0 to 65535`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it keeps the server from starting.
    pub severity: Severity,
    /// Where it is; `None` if it follows from defaults alone.
    pub place: Option<Place>,
    /// The setting's key, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        self.nearest.as_ref().map_or(Ok(()), |nearest| write!(f, "; did you mean {nearest}?"))
    }
}

/// The one of `known` that is nearest to `written`, if it is near enough to have
/// been meant. Capitals don't matter.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let far = (written.chars().count() / 3).clamp(1, 4);
    let distance = |known: &str| match known.to_lowercase() {
        known if written.len() > 2 && known.starts_with(&written) => 1,
        known => strsim::damerau_levenshtein(&written, &known),
    };
    let distances = known.map(|known| (distance(known), known));
    distances
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\né = \"x\"\n";
        let place = |start| Place::in_file("f", text, &(start..start)).to_string();
        assert_eq!(place(0), "f:1:1");
        assert_eq!(place(6), "f:2:1");
        assert_eq!(place(8), "f:2:2");
        assert_eq!(place(7), "f:2:1", "the middle of a character is its beginning");
        assert_eq!(place(text.len() + 10), "f:3:1");
    }

    #[test]
    fn what_is_near_is_suggested() {
        let known = ["text", "json", "off", "drop_events"];
        let nearest = |written| nearest(written, known.into_iter());
        assert_eq!(nearest("jsno"), Some("json"));
        assert_eq!(nearest("JSON"), Some("json"));
        assert_eq!(nearest("of"), Some("off"));
        assert_eq!(nearest("drop"), Some("drop_events"));
        assert_eq!(nearest("xml"), None);
        assert_eq!(nearest(""), None);
    }
}
