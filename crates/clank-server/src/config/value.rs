//! How a setting's type is written, read and shown.

use std::borrow::Cow;
use std::ops::Range;

use clank_core::limits::{Count, Period, Quantity, Size, Unit};
use toml::Spanned;
use toml::de::DeValue;

use super::problem::nearest;

/// What was written for a setting.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    /// A value of the configuration file.
    Toml(&'a DeValue<'a>),
    /// The text of an environment variable or a flag.
    Text(&'a str),
}

/// Why what was written is no value of the setting's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The reason, in words.
    pub message: String,
    /// What was probably meant.
    pub nearest: Option<&'static str>,
    /// Where it is, if that is narrower than the whole value.
    pub span: Option<Range<usize>>,
}

impl Invalid {
    /// A reason without anything that was probably meant.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), nearest: None, span: None }
    }
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// How it is written, with its range, in Markdown.
    fn syntax() -> String;

    /// Reads it.
    ///
    /// # Errors
    /// If it is written otherwise than [`syntax`](Self::syntax) says.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid>;

    /// The value as TOML.
    fn to_toml(&self) -> String;
}

impl<'a> Raw<'a> {
    /// The text of a string; `want` says what it should have been.
    pub(super) fn text(self, want: &str) -> Result<&'a str, Invalid> {
        match self {
            Raw::Text(text) => Ok(text),
            Raw::Toml(DeValue::String(text)) => Ok(text),
            Raw::Toml(other) => Err(Invalid::new(format!("{} is not {want}", describe(other)))),
        }
    }

    /// The strings of a list; text has commas between them.
    pub(super) fn items<T>(self, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Invalid> {
        let none = || Invalid::new("it is not a list of strings");
        match self {
            Raw::Text(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(read).collect()
            }
            Raw::Toml(DeValue::Array(items)) => {
                let item = |item: &Spanned<DeValue<'_>>| {
                    let text = item.get_ref().as_str().ok_or_else(none);
                    text.and_then(&read).map_err(|invalid| Invalid { span: Some(item.span()), ..invalid })
                };
                items.iter().map(item).collect()
            }
            Raw::Toml(_) => Err(none()),
        }
    }

    /// An integer that is not negative.
    fn integer(self, want: &str) -> Result<u64, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("{what} is not {want}"));
        match self {
            Raw::Text(text) => text.replace('_', "").parse().map_err(|_| wrong(&format!("{text:?}"))),
            Raw::Toml(DeValue::Integer(integer)) => u64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| Invalid::new(format!("{integer} is out of range: 0 or more"))),
            Raw::Toml(other) => Err(wrong(&describe(other))),
        }
    }
}

/// A value of the wrong type, as the reader of an error should see it.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(integer) => format!("the integer {integer}"),
        DeValue::Float(float) => format!("the float {float}"),
        DeValue::Boolean(boolean) => format!("the boolean {boolean}"),
        DeValue::Datetime(datetime) => format!("the date {datetime}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// `text` as a TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn quantity<Q: Quantity>(raw: Raw<'_>) -> Result<Q, Invalid> {
    let parsed = match (Q::UNIT, raw) {
        (Unit::Things, Raw::Toml(_)) => raw.integer("an integer")?.try_into(),
        _ => raw.text(Q::UNIT.syntax())?.parse(),
    };
    parsed.map_err(|error: Q::Error| Invalid::new(error.to_string()))
}

fn quantity_syntax<Q: Quantity>() -> String {
    let (min, max) = (Q::UNIT.display(Q::MIN), Q::UNIT.display(Q::MAX));
    match Q::UNIT {
        Unit::Things => format!("integer, {min} to {max}"),
        Unit::Bytes => format!("size, `\"{min}\"` to `\"{max}\"`"),
        Unit::Millis => format!("duration, `\"{min}\"` to `\"{max}\"`"),
    }
}

macro_rules! quantities {
    ($($name:ident)+) => {$(
        impl<const MIN: u64, const MAX: u64> Value for $name<MIN, MAX> {
            fn syntax() -> String {
                quantity_syntax::<Self>()
            }

            fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
                quantity(raw)
            }

            fn to_toml(&self) -> String {
                let text = self.to_string();
                if Self::UNIT == Unit::Things { text } else { quote(&text) }
            }
        }
    )+};
}

quantities! { Size Count Period }

impl Value for bool {
    fn syntax() -> String {
        "`true` or `false`".to_owned()
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        match raw {
            Raw::Toml(DeValue::Boolean(value)) => Ok(*value),
            Raw::Text("true") => Ok(true),
            Raw::Text("false") => Ok(false),
            Raw::Text(text) => Err(Invalid::new(format!("{text:?} is not true or false"))),
            Raw::Toml(other) => Err(Invalid::new(format!("{} is not true or false", describe(other)))),
        }
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Value for u16 {
    fn syntax() -> String {
        format!("integer, 0 to {}", u16::MAX)
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let number = raw.integer("an integer")?;
        let out_of_range = |_| Invalid::new(format!("{number} is out of range: 0 to {}", u16::MAX));
        number.try_into().map_err(out_of_range)
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

/// A type with a few values, each with a name.
pub trait Choice: Copy + PartialEq + 'static {
    /// Names and values, in the order of the documentation.
    const CHOICES: &'static [(&'static str, Self)];
}

impl<T: Choice> Value for T {
    fn syntax() -> String {
        or(&mut Self::CHOICES.iter().map(|(name, _)| format!("`\"{name}\"`")))
    }

    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        let want = or(&mut Self::CHOICES.iter().map(|(name, _)| format!("{name:?}")));
        let text = raw.text(&want)?;
        let found = Self::CHOICES.iter().find(|(name, _)| *name == text);
        found.map(|&(_, value)| value).ok_or_else(|| Invalid {
            nearest: nearest(text, Self::CHOICES.iter().map(|&(name, _)| name)),
            ..Invalid::new(format!("{text:?} is not {want}"))
        })
    }

    fn to_toml(&self) -> String {
        // every value stands in the list of its type: tested in `settings`
        let name = Self::CHOICES.iter().find(|(_, value)| value == self).map_or("", |(name, _)| name);
        quote(name)
    }
}

/// `a, b or c`.
fn or(names: &mut dyn Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A type that is written as one string.
pub trait Word: Sized {
    /// How it is written, as the end of the sentence "it is not ...".
    const SYNTAX: &'static str;

    /// Reads it; `None` if it is written otherwise.
    fn read(text: &str) -> Option<Self>;

    /// The text that [`read`](Self::read) reads.
    fn text(&self) -> Cow<'_, str>;

    /// What was probably meant by a text that it doesn't read.
    fn nearest(_: &str) -> Option<&'static str> {
        None
    }
}

fn word<W: Word>(text: &str) -> Result<W, Invalid> {
    W::read(text).ok_or_else(|| Invalid {
        nearest: W::nearest(text),
        ..Invalid::new(format!("{text:?} is not {}", W::SYNTAX))
    })
}

/// Lets a [`Word`] be the type of a setting.
macro_rules! words {
    ($($name:ty),+) => {$(
        impl $crate::config::value::Value for $name {
            fn syntax() -> String {
                <Self as $crate::config::value::Word>::SYNTAX.to_owned()
            }

            fn parse(raw: $crate::config::value::Raw<'_>) -> Result<Self, $crate::config::value::Invalid> {
                $crate::config::value::parse_word(raw)
            }

            fn to_toml(&self) -> String {
                $crate::config::value::quote(&$crate::config::value::Word::text(self))
            }
        }
    )+};
}
pub(super) use words;

pub(super) fn parse_word<W: Word>(raw: Raw<'_>) -> Result<W, Invalid> {
    word(raw.text(W::SYNTAX)?)
}

impl<W: Word> Value for Vec<W> {
    fn syntax() -> String {
        format!("list, each {}", W::SYNTAX)
    }

    /// Text is a list with commas between its items.
    fn parse(raw: Raw<'_>) -> Result<Self, Invalid> {
        match raw {
            Raw::Text(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(word).collect()
            }
            Raw::Toml(DeValue::Array(items)) => items.iter().map(item).collect(),
            Raw::Toml(other) => Err(Invalid::new(format!("{} is not a list of strings", describe(other)))),
        }
    }

    fn to_toml(&self) -> String {
        let items: Vec<_> = self.iter().map(|item| quote(&item.text())).collect();
        format!("[{}]", items.join(", "))
    }
}

fn item<W: Word>(item: &Spanned<DeValue<'_>>) -> Result<W, Invalid> {
    parse_word(Raw::Toml(item.get_ref())).map_err(|invalid| Invalid { span: Some(item.span()), ..invalid })
}
