//! `clank sinks`: how the sinks are doing.

use clank_journal::delivery::SinkName;
use clap::Args;
use serde_json::Value;

use super::Where;
use super::delivery::Delivery;
use crate::remote::{Failure, print};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The sink's name.
    #[arg(value_name = "NAME")]
    sink: SinkName,
    #[command(flatten)]
    place: Where,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let delivery = Delivery::of(&found)?;
        let sinks = delivery.sinks().await?;
        if self.place.json {
            return sinks.iter().try_for_each(|sink| print(sink.get()));
        }
        if !delivery.is_running() {
            print("No server runs: this is what will be found at the next start.")?;
        }
        let mut rows = vec![HEAD.map(str::to_owned)];
        for sink in &sinks {
            let sink = serde_json::from_str(sink.get()).map_err(Failure::unusable)?;
            rows.push(row(&sink, delivery.is_running()));
        }
        table(&rows).iter().try_for_each(|line| print(line))
    }
}

impl Remove {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        Delivery::of(&found)?.remove(&self.sink).await?;
        print(if self.place.json { "{\"removed\":1}" } else { "1 removed" })
    }
}

const HEAD: [&str; 7] = ["sink", "state", "lag", "behind", "in flight", "retrying", "dead letters"];

fn row(sink: &Value, is_running: bool) -> [String; 7] {
    let state = match (sink["configured"].as_bool(), sink["breaker"].as_str()) {
        (Some(false), _) => "not configured",
        _ if !is_running => "stopped",
        (_, Some("closed")) => "up",
        _ => "down",
    };
    let behind = format!("{:.1} s", sink["lag_seconds"].as_f64().unwrap_or_default());
    let text = |name: &str| sink[name].to_string();
    let name = sink["sink"].as_str().unwrap_or_default().to_owned();
    let numbers = [text("lag_events"), behind, text("in_flight"), text("retrying"), text("dead_letters")];
    let [lag, behind, in_flight, retrying, dead] = numbers;
    [name, state.to_owned(), lag, behind, in_flight, retrying, dead]
}

/// Rows as lines, with their columns below each other.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
