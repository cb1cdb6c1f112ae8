//! A figure of several rounds.

use std::fmt;

/// The median of some values, with the lowest and the highest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    /// In order, and at least one.
    values: Vec<f64>,
    doubtful: bool,
    load_bound: bool,
}

impl Cell {
    /// `None` of no values.
    pub(super) fn new(mut values: Vec<f64>, doubtful: bool, load_bound: bool) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self { values, doubtful, load_bound })
    }

    /// Of an even number of values it is the mean of the two in the middle.
    pub(super) fn median(&self) -> f64 {
        let count = self.values.len();
        let middle = self.values.iter().skip((count - 1) / 2).take(2 - count % 2);
        middle.sum::<f64>() / (2 - count % 2) as f64
    }

    /// The median with its marks.
    pub(super) fn median_text(&self) -> String {
        let doubtful = if self.doubtful { "*" } else { "" };
        let load_bound = if self.load_bound { "†" } else { "" };
        format!("{}{doubtful}{load_bound}", number(self.median()))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.median_text())?;
        match (self.values.first(), self.values.last()) {
            (Some(first), Some(last)) if self.values.len() > 1 => {
                write!(f, " ({} to {})", number(*first), number(*last))
            }
            _ => Ok(()),
        }
    }
}

/// Three digits, and commas between thousands.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        below if below >= 99.95 => 0,
        below if below >= 9.995 => 1,
        below if below >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((&text[..], None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or_else(|| grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0.000"),
            (0.3094, "0.309"),
            (4.0999, "4.10"),
            (38.44, "38.4"),
            (99.96, "100"),
            (1333.4, "1,333"),
            (1_234_567.0, "1,234,567"),
            (-123_456.0, "-123,456"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn the_median_stands_with_its_spread() {
        for (values, text) in [
            (&[2.0][..], "2.00"),
            (&[3.0, 1.0], "2.00 (1.00 to 3.00)"),
            (&[9.0, 1.0, 2.0, f64::NAN], "2.00 (1.00 to 9.00)"),
        ] {
            assert_eq!(Cell::new(values.to_vec(), false, false).unwrap().to_string(), text);
        }
        assert_eq!(Cell::new(vec![2.0], true, true).unwrap().to_string(), "2.00*†");
        assert_eq!(Cell::new(vec![f64::INFINITY], false, false), None);
    }
}
