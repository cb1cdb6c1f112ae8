//! Bars, as SVG.

use std::fmt::Write;

use super::cell::number;

/// Bars that are compared with each other.
pub(super) struct Panel<'a> {
    pub(super) title: &'a str,
    pub(super) bars: Vec<Bar<'a>>,
}

pub(super) struct Bar<'a> {
    pub(super) label: &'a str,
    /// Thousands a second.
    pub(super) value: f64,
    /// Whether it is Clank's.
    pub(super) own: bool,
}

const WIDTH: f64 = 770.0;
const LABELS: f64 = 240.0;
/// Room for the longest bar; its number stands behind it.
const LONGEST: f64 = 440.0;
const ROW: f64 = 18.0;
const HEAD: f64 = 34.0;
const OWN: &str = "#c2410c";
const OTHERS: &str = "#94a3b8";

/// Draws panels below each other, each with a scale of its own.
pub(super) fn draw(panels: &[Panel<'_>]) -> String {
    let rows: usize = panels.iter().map(|panel| panel.bars.len()).sum();
    let height = HEAD * panels.len() as f64 + ROW * rows as f64 + 12.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#1e293b\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut top = 0.0;
    for panel in panels {
        let title = escape(panel.title);
        _ = writeln!(
            out,
            "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{title}, thousands a second</text>",
            top + 24.0
        );
        top += HEAD;
        let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &panel.bars {
            let (length, colour) =
                (LONGEST * (bar.value / most).clamp(0.0, 1.0), if bar.own { OWN } else { OTHERS });
            let (label, value) = (escape(bar.label), number(bar.value));
            _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
                 <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{value}</text>",
                LABELS - 8.0,
                top + 13.0,
                top + 2.0,
                ROW - 4.0,
                LABELS + length + 6.0,
                top + 13.0,
            );
            top += ROW;
        }
    }
    out + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_has_the_highest_value() {
        let bars = vec![
            Bar { label: "a & <b>", value: 2.0, own: true },
            Bar { label: "c", value: 0.5, own: false },
            Bar { label: "d", value: 0.0, own: false },
        ];
        let svg = draw(&[Panel { title: "work", bars }]);
        for part in [
            "a &amp; &lt;b>",
            "width=\"440.0\" height=\"14\" fill=\"#c2410c\"",
            "width=\"110.0\" height=\"14\" fill=\"#94a3b8\"",
            "width=\"0.0\"",
            ">2.00</text>",
            ">0.500</text>",
            "viewBox=\"0 0 770 100\"",
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.ends_with("</svg>\n"));
    }
}
