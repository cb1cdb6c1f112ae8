//! Sizes, counts and periods that lie within a range.
//!
//! The range is part of the type, so that what has been parsed needs no second
//! check, and unlimited can't be written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Bytes in a kibibyte.
pub const KIB: u64 = 1 << 10;
/// Bytes in a mebibyte.
pub const MIB: u64 = 1 << 20;
/// Bytes in a gibibyte.
pub const GIB: u64 = 1 << 30;
/// Milliseconds in a second.
pub const SECOND: u64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE: u64 = 60 * SECOND;
/// Milliseconds in an hour.
pub const HOUR: u64 = 60 * MINUTE;

/// What a quantity counts, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: `"1MiB"`.
    Bytes,
    /// Things: `1000`.
    Things,
    /// Milliseconds: `"30s"`.
    Millis,
}

impl Unit {
    /// Names and factors, the greatest first; the first name of a factor is the one written.
    const fn names(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Bytes => &[
                ("GiB", GIB),
                ("GB", 1_000_000_000),
                ("MiB", MIB),
                ("MB", 1_000_000),
                ("KiB", KIB),
                ("KB", 1_000),
                ("kB", 1_000),
                ("B", 1),
            ],
            Self::Things => &[("", 1)],
            Self::Millis => &[("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)],
        }
    }

    /// How a quantity is written, in words.
    pub const fn syntax(self) -> &'static str {
        match self {
            Self::Bytes => "an integer and a unit: B, KiB, MiB, GiB, KB, MB, GB (\"1MiB\")",
            Self::Things => "an integer",
            Self::Millis => "an integer and a unit: ms, s, m, h (\"30s\")",
        }
    }

    /// `value` as text that [`parse`](Self::parse) reads back, in the greatest
    /// binary or time unit that divides it.
    pub fn display(self, value: u64) -> impl fmt::Display {
        // decimal sizes are read but not written: 1 MB is 1000 KB to one reader, 976.5 KiB to another
        let is_written = |name: &str| self != Self::Bytes || name == "B" || name.ends_with("iB");
        let smallest = match self {
            Self::Bytes => ("B", 1),
            Self::Things => ("", 1),
            Self::Millis => ("ms", 1),
        };
        let (name, factor) = self
            .names()
            .iter()
            .copied()
            .find(|&(name, factor)| is_written(name) && value != 0 && value.is_multiple_of(factor))
            .unwrap_or(smallest);
        format!("{}{name}", value / factor)
    }

    /// Reads `text` as a quantity in bytes, things or milliseconds.
    ///
    /// # Errors
    /// If `text` is not written as [`syntax`](Self::syntax) says.
    pub fn parse(self, text: &str) -> Result<u64, QuantityError> {
        let malformed = || QuantityError::Malformed { text: text.into(), unit: self };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (digits, name) = text.split_at(end);
        let name = name.trim();
        let factor = self.names().iter().find(|(known, _)| *known == name).ok_or_else(malformed)?.1;
        let number: u64 = digits.replace('_', "").parse().map_err(|_| malformed())?;
        number.checked_mul(factor).ok_or_else(malformed)
    }
}

/// Why a text or a number is no quantity of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not written as a quantity.
    #[error("{text:?} is not {}", unit.syntax())]
    Malformed {
        /// What was written.
        text: Box<str>,
        /// What it should have counted.
        unit: Unit,
    },
    /// It lies outside the range.
    #[error("{} is out of range: {} to {}", unit.display(*value), unit.display(*min), unit.display(*max))]
    OutOfRange {
        /// The number given, in `unit`.
        value: u64,
        /// The smallest one allowed.
        min: u64,
        /// The greatest one allowed.
        max: u64,
        /// What it counts.
        unit: Unit,
    },
}

/// A type of quantity, for tables over several of them.
pub trait Quantity:
    Copy + FromStr<Err = QuantityError> + TryFrom<u64, Error = QuantityError> + fmt::Display
{
    /// What it counts.
    const UNIT: Unit;
    /// The smallest value allowed, in [`UNIT`](Self::UNIT).
    const MIN: u64;
    /// The greatest value allowed, in [`UNIT`](Self::UNIT).
    const MAX: u64;
}

macro_rules! quantity {
    ($(#[$meta:meta])* $name:ident, $unit:ident, $value:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<const MIN: u64, const MAX: u64>(u64);

        impl<const MIN: u64, const MAX: u64> $name<MIN, MAX> {
            /// A value known when the program is compiled.
            ///
            /// # Panics
            /// If it lies outside the range; in a constant, that is an error of
            /// compilation.
            pub const fn of($value: u64) -> Self {
                assert!(MIN <= $value && $value <= MAX, "out of range");
                Self($value)
            }
        }

        impl<const MIN: u64, const MAX: u64> Quantity for $name<MIN, MAX> {
            const UNIT: Unit = Unit::$unit;
            const MIN: u64 = MIN;
            const MAX: u64 = MAX;
        }

        impl<const MIN: u64, const MAX: u64> TryFrom<u64> for $name<MIN, MAX> {
            type Error = QuantityError;

            fn try_from(value: u64) -> Result<Self, QuantityError> {
                if (MIN..=MAX).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(QuantityError::OutOfRange { value, min: MIN, max: MAX, unit: Unit::$unit })
                }
            }
        }

        impl<const MIN: u64, const MAX: u64> FromStr for $name<MIN, MAX> {
            type Err = QuantityError;

            fn from_str(text: &str) -> Result<Self, QuantityError> {
                Unit::$unit.parse(text)?.try_into()
            }
        }

        impl<const MIN: u64, const MAX: u64> fmt::Display for $name<MIN, MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Unit::$unit.display(self.0).fmt(f)
            }
        }
    };
}

quantity! {
    /// A number of bytes from `MIN` to `MAX`.
    ///
    /// ```
    /// use clank_core::limits::{KIB, MIB, Size};
    /// let size: Size<KIB, MIB> = "64KiB".parse()?;
    /// assert_eq!(size.bytes(), 65_536);
    /// let error = "2MiB".parse::<Size<KIB, MIB>>().map(|_| ()).map_err(|error| error.to_string());
    /// assert_eq!(error, Err("2MiB is out of range: 1KiB to 1MiB".to_owned()));
    /// # Ok::<_, clank_core::limits::QuantityError>(())
    /// ```
    Size, Bytes, bytes
}

quantity! {
    /// A number of things from `MIN` to `MAX`.
    ///
    /// ```
    /// use clank_core::limits::Count;
    /// assert_eq!("1_000".parse::<Count<1, 5_000>>()?.count(), 1_000);
    /// # Ok::<_, clank_core::limits::QuantityError>(())
    /// ```
    Count, Things, things
}

quantity! {
    /// A length of time from `MIN` to `MAX` milliseconds.
    ///
    /// ```
    /// use clank_core::limits::{MINUTE, Period, SECOND};
    /// let period: Period<SECOND, MINUTE> = "1500ms".parse()?;
    /// assert_eq!(period.duration(), std::time::Duration::from_millis(1_500));
    /// # Ok::<_, clank_core::limits::QuantityError>(())
    /// ```
    Period, Millis, millis
}

impl<const MIN: u64, const MAX: u64> Size<MIN, MAX> {
    /// The number of bytes; `usize::MAX` where that is smaller.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// The number of things; `usize::MAX` where that is smaller.
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Period<MIN, MAX> {
    /// The length of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<Duration> for Period<MIN, MAX> {
    type Error = QuantityError;

    /// Fractions of a millisecond are cut off.
    fn try_from(duration: Duration) -> Result<Self, QuantityError> {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).try_into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    type Megabyte = Size<1, MIB>;
    type Wait = Period<SECOND, HOUR>;

    #[test]
    fn units_are_read() {
        for (text, bytes) in
            [("1B", 1), ("2KiB", 2048), ("2 KiB", 2048), ("3KB", 3000), ("3kB", 3000), ("1MiB", MIB)]
        {
            assert_eq!(text.parse::<Megabyte>().map(|size| size.0), Ok(bytes), "{text}");
        }
        for (text, millis) in [("1000ms", 1000), ("2s", 2000), ("2m", 120_000), ("1h", HOUR)] {
            assert_eq!(text.parse::<Wait>().map(|wait| wait.0), Ok(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "5",
            "MiB",
            "1.5MiB",
            "-1B",
            "1 M",
            "1mib",
            "1KiBB",
            "99999999999999999999B",
            "18446744073709551615GiB",
            "unlimited",
        ] {
            assert!(matches!(text.parse::<Megabyte>(), Err(QuantityError::Malformed { .. })), "{text}");
        }
        for text in ["1B", "-1", "1e3", "_", " 1"] {
            assert!(text.parse::<Count<1, 10>>().is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_range_and_unit() {
        let message = |text: &str| text.parse::<Wait>().unwrap_err().to_string();
        assert_eq!(message("2h"), "2h is out of range: 1s to 1h");
        assert_eq!(message("0s"), "0ms is out of range: 1s to 1h");
        assert_eq!(message("30"), "\"30\" is not an integer and a unit: ms, s, m, h (\"30s\")");
        let message = "11".parse::<Count<1, 10>>().unwrap_err().to_string();
        assert_eq!(message, "11 is out of range: 1 to 10");
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        assert!(Megabyte::try_from(1).is_ok() && Megabyte::try_from(MIB).is_ok());
        assert!(Megabyte::try_from(0).is_err() && Megabyte::try_from(MIB + 1).is_err());
        assert!(Wait::try_from(Duration::from_secs(3_600)).is_ok());
        assert!(Wait::try_from(Duration::MAX).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: u64) {
            for unit in [Unit::Bytes, Unit::Things, Unit::Millis] {
                prop_assert_eq!(unit.parse(&unit.display(value).to_string()), Ok(value));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            for unit in [Unit::Bytes, Unit::Things, Unit::Millis] {
                let _ = unit.parse(&text);
            }
        }
    }
}
