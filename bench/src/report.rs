//! Tables and a plot of what was found.

mod cell;
mod plot;
mod ratios;
mod section;

use std::fmt::Write;

use crate::measure::{Figures, Kind, Measure};
use crate::peer::PEERS;
use crate::record::{Record, title};

use cell::Cell;
pub(crate) use section::write;

/// Less than this share of its processor, and a round has measured the machine's other work.
pub(crate) const BUSY: f64 = 0.85;
/// More than this share of its own, and it is the load that was measured.
const LOAD_BUSY: f64 = 0.95;

/// Everything that was found, by server and measure.
pub(crate) struct Report<'a> {
    records: &'a [Record],
}

impl<'a> Report<'a> {
    pub(crate) const fn new(records: &'a [Record]) -> Self {
        Self { records }
    }

    /// All rounds of a server.
    fn rounds(&self, peer: &str, measure: Measure) -> Vec<&'a Figures> {
        let found = self.records.iter().filter_map(|record| match record {
            Record::Found { name, measure: of, figures, .. } if name == peer && *of == measure => {
                Some(figures)
            }
            _ => None,
        });
        found.collect()
    }

    fn is_pinned(&self) -> bool {
        self.records.iter().all(|record| !matches!(record, Record::Run { pinned: false, .. }))
    }

    /// A figure of all rounds: what a piece of work takes does not depend on what else the machine does.
    fn cell(&self, peer: &str, measure: Measure, value: impl Fn(&Figures) -> Option<f64>) -> Option<Cell> {
        Cell::new(self.rounds(peer, measure).into_iter().filter_map(value).collect(), false, false)
    }

    /// Thousands a second, in the rounds in which that was the server's doing.
    fn rate(&self, peer: &str, measure: Measure) -> Option<Cell> {
        let rounds = self.rounds(peer, measure);
        let closed = self.is_pinned() && measure.kind() == Kind::Rate;
        let (busy, others): (Vec<&Figures>, Vec<&Figures>) =
            rounds.into_iter().partition(|figures| !closed || figures.utilisation() >= BUSY);
        let doubtful = busy.is_empty();
        let counted = if doubtful { others } else { busy };
        let load_bound = closed && counted.iter().any(|figures| figures.load_utilisation() > LOAD_BUSY);
        let values = counted.into_iter().map(|figures| figures.rate() / 1e3).collect();
        Cell::new(values, doubtful, load_bound)
    }

    /// The section of the documentation, in Markdown.
    pub(crate) fn markdown(&self, plot: Option<&str>) -> String {
        let mut out = String::new();
        self.write_head(&mut out);
        if let Some(plot) = plot {
            _ = writeln!(out, "\n![Pieces of work a second, by server]({plot})");
        }
        self.write_table(&mut out, "Thousands a second", Kind::Rate, |peer, measure| {
            self.rate(peer, measure).map(|cell| cell.to_string())
        });
        let cost = |figures: &Figures| Some(figures.cost());
        self.write_table(
            &mut out,
            "Processor time of the server for each, µs",
            Kind::Rate,
            |peer, measure| self.cell(peer, measure, cost).map(|cell| cell.to_string()),
        );
        let title = "Share of its processor that the server had, and the load";
        self.write_table(&mut out, title, Kind::Rate, |peer, measure| {
            let server = self.cell(peer, measure, |figures| Some(figures.utilisation()))?;
            let load = self.cell(peer, measure, |figures| Some(figures.load_utilisation()))?;
            Some(format!("{:.2}, {:.2}", server.median(), load.median()))
        });
        let title = "How long deliveries take, ms: median / 99 % / 99.9 %";
        self.write_table(&mut out, title, Kind::Latency, |peer, measure| {
            let quantiles = [0, 1, 2].map(|at| {
                self.cell(peer, measure, move |figures| Some(figures.latency.as_ref()?.get(at)? / 1e3))
            });
            let [p50, p99, p999] = quantiles.map(|cell| cell.map(|cell| cell.median_text()));
            Some([p50?, p99?, p999?].join(" / "))
        });
        self.write_crowds(&mut out);
        self.write_workers(&mut out);
        self.write_table(&mut out, "Memory, bytes a connection (PSS)", Kind::Memory, |peer, measure| {
            self.cell(peer, measure, |figures| figures.bytes).map(|cell| cell.to_string())
        });
        self.write_failures(&mut out);
        out
    }

    fn write_head(&self, out: &mut String) {
        let (mut machines, mut commands, mut versions, mut missing) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for record in self.records {
            match record {
                Record::Run { machine, command, .. } => {
                    add_once(&mut machines, machine.clone());
                    add_once(&mut commands, command.clone());
                }
                Record::Peer { name, version } if !version.is_empty() => {
                    let title = title(name);
                    let short = title.split(',').next().unwrap_or(title);
                    add_once(&mut versions, format!("{short} {version}"));
                }
                Record::Missing { name } => add_once(&mut missing, title(name).to_owned()),
                _ => {}
            }
        }
        let pinning = if self.is_pinned() {
            "The server has one processor, the load another"
        } else {
            "Server and load share all processors"
        };
        _ = writeln!(out, "{}. {pinning}. {}.\n", machines.join("; "), versions.join(", "));
        commands.iter().for_each(|command| _ = writeln!(out, "    {command}"));
        _ = writeln!(
            out,
            "\nMedians of the rounds, in which the servers took turns; in brackets the lowest and the highest."
        );
        if self.is_pinned() {
            _ = writeln!(
                out,
                "Rounds in which the server had less than {:.0} % of its processor are left out of rates; * marks \
                 a figure that has no other rounds, † one for which the load had no more to give.",
                BUSY * 100.0
            );
        }
        if !missing.is_empty() {
            _ = writeln!(out, "Not installed there: {}.", missing.join("; "));
        }
    }

    /// A row for each server, a column for each measure that somebody has a figure of.
    fn write_table(
        &self,
        out: &mut String,
        heading: &str,
        kind: Kind,
        cell: impl Fn(&str, Measure) -> Option<String>,
    ) {
        let has_rounds = |measure: &Measure| {
            measure.kind() == kind && PEERS.iter().any(|peer| !self.rounds(peer.name, *measure).is_empty())
        };
        let measures: Vec<Measure> = Measure::ALL.into_iter().filter(has_rounds).collect();
        if measures.is_empty() {
            return;
        }
        let titles: Vec<&str> = measures.iter().map(|measure| measure.title()).collect();
        _ = writeln!(out, "\n| {heading} | {} |", titles.join(" | "));
        _ = writeln!(out, "|---|{}", "---|".repeat(measures.len()));
        for peer in PEERS {
            let cells: Vec<Option<String>> =
                measures.iter().map(|measure| cell(peer.name, *measure)).collect();
            if cells.iter().any(Option::is_some) {
                let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
                _ = writeln!(out, "| {} | {} |", peer.title, cells.join(" | "));
            }
        }
    }

    fn write_failures(&self, out: &mut String) {
        let mut lines = Vec::new();
        for record in self.records {
            if let Record::Failed { name, scenario, error, .. } = record {
                add_once(&mut lines, format!("- {}, {scenario:?}: {error}", title(name)));
            }
        }
        if !lines.is_empty() {
            _ = writeln!(out, "\nWhat failed, and is in no figure:\n\n{}", lines.join("\n"));
        }
    }

    /// The rates as a picture.
    pub(crate) fn svg(&self) -> String {
        let rates = Measure::ALL.into_iter().filter(|measure| measure.kind() == Kind::Rate);
        let panels = rates.filter_map(|measure| {
            let bars: Vec<plot::Bar<'_>> = PEERS
                .iter()
                .filter_map(|peer| {
                    let value = self.rate(peer.name, measure)?.median();
                    Some(plot::Bar { label: peer.title, value, own: peer.name.starts_with("clank") })
                })
                .collect();
            (!bars.is_empty()).then_some(plot::Panel { title: measure.title(), bars })
        });
        plot::draw(&panels.collect::<Vec<_>>())
    }
}

fn add_once(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests;
