//! `clank journal`: whether the journal is sound, and what can be done if it is not.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clank_journal::log::{self, Damage, Report};
use clap::Args;
use serde_json::json;

use super::Where;
use crate::remote::{FAILED, Failure, print};

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    place: Where,
}

impl Check {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let mut checked = log::check(&found.directory);
        if found.server.is_some() && !checked.as_ref().is_ok_and(is_sound) {
            // What the server was removing just then looks like damage.
            checked = log::check(&found.directory);
        }
        let report = checked.map_err(Failure::unusable)?;
        let is_sound = is_sound(&report);
        if self.place.json {
            print(&as_json(&report, &found.directory, false))?;
        } else {
            findings(&report).iter().try_for_each(|line| print(line))?;
            if is_sound && found.server.is_none() {
                torn(&report)?;
            }
            print(&summary(&report))?;
        }
        match is_sound {
            true => Ok(()),
            false => {
                Err(Failure::new(FAILED, "the journal is damaged; `clank journal repair` makes it usable"))
            }
        }
    }
}

impl Repair {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let repaired = log::repair(&found.directory, SystemTime::now().into());
        let report = repaired.map_err(|error| match error {
            log::OpenError::InUse(_) => Failure::unusable(format!("{error}: stop the server first")),
            error => Failure::unusable(error),
        })?;
        if self.place.json {
            return print(&as_json(&report, &found.directory, true));
        }
        findings(&report).iter().try_for_each(|line| print(line))?;
        for kept in kept(&report, &found.directory) {
            print(&format!("kept: what can't be read is in {}", kept.display()))?;
        }
        if let Some(unclosable @ 1..) = report.unclosable {
            print(&format!(
                "lost: the beginning of at most {unclosable} connections, whose end can't be told"
            ))?;
        }
        print(&summary(&report))?;
        print(if report.damage.is_empty() && report.lost.is_empty() {
            "nothing to repair"
        } else {
            "repaired"
        })
    }
}

fn is_sound(report: &Report) -> bool {
    report.damage.is_empty() && report.lost.is_empty()
}

/// What is wrong, line by line.
fn findings(report: &Report) -> Vec<String> {
    let damage = report.damage.iter().map(|Damage { file, offset, length, .. }| match length {
        0 => format!("damaged: {}: what should follow byte {offset} is missing", file.display()),
        _ => format!("damaged: {}, at byte {offset}: {length} bytes can't be read", file.display()),
    });
    let lost =
        report.lost.iter().map(|gap| format!("lost: events {} to {} ({})", gap.from, gap.to, gap.count));
    damage.chain(lost).collect()
}

/// Tells of what a crash has left, which is no damage.
fn torn(report: &Report) -> Result<(), Failure> {
    let Some(Damage { file, offset, length, .. }) = &report.torn else { return Ok(()) };
    let file = file.display();
    print(&format!("torn: {file}, at byte {offset}: {length} bytes were never kept, and will be cut off"))
}

fn summary(report: &Report) -> String {
    let name = report.id.map_or_else(|| "without a name".to_owned(), |id| id.to_string());
    let Report { segments, records, last, .. } = report;
    let open = report.open.map_or(String::new(), |open| format!(", {open} connections open"));
    format!("journal {name}: {records} events in {segments} files, up to position {last}{open}")
}

fn kept(report: &Report, directory: &Path) -> Vec<PathBuf> {
    report.damage.iter().filter_map(|damage| damage.kept_in(directory)).collect()
}

fn as_json(report: &Report, directory: &Path, is_repaired: bool) -> String {
    let damage = |damage: &Damage| {
        let kept = damage.kept_in(directory).filter(|_| is_repaired);
        json!({ "file": damage.file, "offset": damage.offset, "length": damage.length, "kept_in": kept })
    };
    let lost = report.lost.iter().map(|gap| json!({ "from": gap.from, "to": gap.to, "count": gap.count }));
    json!({
        "id": report.id.map(|id| id.to_string()),
        "segments": report.segments,
        "events": report.records,
        "last": report.last.value(),
        "damage": report.damage.iter().map(damage).collect::<Vec<_>>(),
        "lost": lost.collect::<Vec<_>>(),
        "open": report.open,
        "unclosable": report.unclosable,
    })
    .to_string()
}
