//! `clank events dead-letters`: events that a sink would not take.

use clank_core::id::EventId;
use clank_journal::delivery::{Retried, SinkName};
use clap::Args;
use serde_json::{Value, json};

use super::delivery::{Delivery, Page, Which};
use super::{Where, escaped};
use crate::remote::{Failure, print};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this sink only.
    #[arg(long, value_name = "NAME")]
    sink: Option<SinkName>,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    chosen: Chosen,
    /// Also a `connected` whose `disconnected` the sink has taken since.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Drop {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    place: Where,
}

/// Which dead letters.
#[derive(Debug, Args)]
struct Chosen {
    /// The ids of the events.
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<EventId>,
    /// All of them.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Of this sink only.
    #[arg(long, value_name = "NAME")]
    sink: Option<SinkName>,
}

impl Chosen {
    fn which(&self) -> Vec<Which> {
        if self.all { vec![Which::All] } else { self.ids.iter().copied().map(Which::One).collect() }
    }
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let delivery = Delivery::of(&found)?;
        for sink in delivery.names(self.sink.as_ref()).await? {
            let mut cursor = Some("0".to_owned());
            while let Some(from) = cursor {
                let Page { dead_letters, next } = delivery.letters(&sink, &from).await?;
                for letter in &dead_letters {
                    if self.place.json {
                        print(letter.get())?;
                    } else {
                        print(&line(&serde_json::from_str(letter.get()).map_err(Failure::unusable)?))?;
                    }
                }
                cursor = next;
            }
        }
        Ok(())
    }
}

/// Sink, id, type, time, tries and reason of a dead letter.
fn line(letter: &Value) -> String {
    let names = ["sink", "id", "type", "died", "attempts", "why"];
    names.map(|name| escaped(&letter[name])).join("\t")
}

impl Retry {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let delivery = Delivery::of(&found)?;
        let sinks = delivery.names(self.chosen.sink.as_ref()).await?;
        let (mut queued, mut withheld) = (0, 0);
        for which in self.chosen.which() {
            let mut is_known = false;
            for sink in &sinks {
                let Some(retried) = self.retry(&delivery, sink, which).await? else { continue };
                is_known = true;
                queued += retried.queued;
                withheld += retried.withheld;
            }
            known(which, is_known)?;
        }
        if self.place.json {
            return print(&json!({ "queued": queued, "withheld": withheld }).to_string());
        }
        let when = if delivery.is_running() { "" } else { " for the next start" };
        print(&format!("{queued} put back{when}"))?;
        if withheld > 0 {
            print(&format!(
                "{withheld} left: the sink has had the end of their connections; --force sends them"
            ))?;
        }
        Ok(())
    }

    /// Goes on until nothing is left that one order does not put back.
    async fn retry(
        &self,
        delivery: &Delivery<'_>,
        sink: &SinkName,
        which: Which,
    ) -> Result<Option<Retried>, Failure> {
        let Some(mut all) = delivery.retry(sink, which, self.force).await? else { return Ok(None) };
        while all.left > 0 {
            let Some(more) = delivery.retry(sink, which, self.force).await? else { break };
            all = Retried { queued: all.queued + more.queued, ..more };
        }
        Ok(Some(all))
    }
}

impl Drop {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let delivery = Delivery::of(&found)?;
        let sinks = delivery.names(self.chosen.sink.as_ref()).await?;
        let mut dropped = 0;
        for which in self.chosen.which() {
            let mut is_known = false;
            for sink in &sinks {
                let Some(count) = delivery.drop_dead(sink, which).await? else { continue };
                is_known = true;
                dropped += count;
            }
            known(which, is_known)?;
        }
        print(&match self.place.json {
            true => json!({ "dropped": dropped }).to_string(),
            false => format!("{dropped} dropped"),
        })
    }
}

/// Complains of an event that is no dead letter.
fn known(which: Which, is_known: bool) -> Result<(), Failure> {
    match which {
        Which::One(id) if !is_known => Err(Failure::unusable(format!("{id} is no dead letter"))),
        _ => Ok(()),
    }
}
