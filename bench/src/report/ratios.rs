//! What is compared with itself: a server beside a crowd, and with a second worker.

use std::fmt::Write;

use super::{Report, cell};
use crate::measure::{Figures, Kind, Measure};
use crate::peer::{ONE_WORKER, PEERS, TWO_WORKERS};

impl Report<'_> {
    /// What a crowd changes for other topics, and in the server's memory.
    pub(super) fn write_crowds(&self, out: &mut String) {
        let row = |peer: &str| {
            let median = |measure, value: fn(&Figures) -> Option<f64>| {
                self.cell(peer, measure, value).map(|cell| cell.median())
            };
            let p99 = |measure| median(measure, |figures| figures.latency.map(|[_, p99, _]| p99));
            let ratio = p99(Measure::Crowd)? / p99(Measure::Quiet)?;
            let left_out = |measure| median(measure, |figures| figures.left_out);
            let (quiet, crowd) = (left_out(Measure::Quiet)?, left_out(Measure::Crowd)?);
            let before = median(Measure::Crowd, |figures| figures.memory.map(|[before, _]| before as f64))?;
            let most = median(Measure::Crowd, |figures| figures.memory.map(|[_, most]| most as f64))?;
            let [ratio, quiet, crowd, before, most] =
                [ratio, quiet * 1e2, crowd * 1e2, before / 1e6, most / 1e6].map(cell::number);
            let share = median(Measure::Crowd, |figures| Some(figures.utilisation()))?;
            Some(format!("{ratio} | {share:.2} | {quiet}, {crowd} | {before}, {most}"))
        };
        let rows = PEERS.iter().filter_map(|peer| Some((peer.title, row(peer.name)?)));
        for (place, (title, row)) in rows.enumerate() {
            if place == 0 {
                _ = writeln!(
                    out,
                    "\n| Beside a crowd | 99 % over that of the quiet server | share of its processor that the server \
                     had | left out, %: quiet, crowd | server's memory, MB (PSS): before, at most |\n|---|---|---|---|---|"
                );
            }
            _ = writeln!(out, "| {title} | {row} |");
        }
    }

    /// What two workers do beside one.
    pub(super) fn write_workers(&self, out: &mut String) {
        let measures: Vec<Measure> = Measure::ALL
            .into_iter()
            .filter(|measure| measure.kind() == Kind::Workers)
            .filter(|measure| !self.rounds(TWO_WORKERS, *measure).is_empty())
            .collect();
        if measures.is_empty() {
            return;
        }
        let titles: Vec<&str> = measures.iter().map(|measure| measure.title()).collect();
        _ = writeln!(out, "\n| Two workers beside one | {} |", titles.join(" | "));
        _ = writeln!(out, "|---|{}", "---|".repeat(measures.len()));
        // The value of a figure with one worker, and with two.
        let both = |measure, value: fn(&Figures) -> f64| {
            let median =
                |peer| self.cell(peer, measure, |figures| Some(value(figures))).map(|cell| cell.median());
            Some((median(ONE_WORKER)?, median(TWO_WORKERS)?))
        };
        let pair = |(one, two): (f64, f64)| format!("{}, {}", cell::number(one), cell::number(two));
        let mut row = |title: &str, value: &dyn Fn(Measure) -> Option<String>| {
            let cells: Vec<String> =
                measures.iter().map(|measure| value(*measure).unwrap_or_default()).collect();
            _ = writeln!(out, "| {title} | {} |", cells.join(" | "));
        };
        row("twice the processor time of one for each, over that of two", &|measure| {
            let (one, two) = both(measure, Figures::cost)?;
            Some(cell::number(2.0 * one / two))
        });
        row("rate of two over that of one, by the clock", &|measure| {
            let (one, two) = both(measure, Figures::rate)?;
            Some(cell::number(two / one))
        });
        row("processor time of the server for each, µs", &|measure| both(measure, Figures::cost).map(pair));
        row("thousands a second", &|measure| both(measure, |figures| figures.rate() / 1e3).map(pair));
        row("processors that the server had", &|measure| both(measure, Figures::utilisation).map(pair));
        row("processors that the load took", &|measure| both(measure, Figures::load_utilisation).map(pair));
    }
}
