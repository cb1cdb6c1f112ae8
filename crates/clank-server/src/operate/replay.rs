//! `clank events replay`: to a sink once more what it has had.

use clank_journal::delivery::SinkName;
use clap::Args;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::when::When;
use super::{Where, look, pause};
use crate::remote::{Failure, Target, encode, print};

/// The command can be broken off; the replay goes on.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The sink.
    #[arg(long, value_name = "NAME")]
    sink: SinkName,
    /// With which event it begins: a position, a time (2026-01-31T12:00:00Z), or how long ago (1h).
    #[arg(long, value_name = "WHEN", required_unless_present = "cancel")]
    from: Option<When>,
    /// Break off the one that is under way.
    #[arg(long, conflicts_with = "from")]
    cancel: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Deserialize)]
struct Begun {
    replay: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Progress {
    id: String,
    read_to: u64,
    to: u64,
    delivered: u64,
    failed: u64,
    finished: bool,
}

impl Replay {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find().await?;
        let server = found.running()?;
        let path = format!("/v1/sinks/{}/replays", encode(self.sink.as_str()));
        let body = match self.from {
            None => {
                let answer = server.ask(Method::DELETE, &path, None).await?.judge(false)?;
                #[derive(Deserialize)]
                struct Cancelled {
                    cancelled: u64,
                }
                let Cancelled { cancelled } =
                    serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
                let line = format!("{cancelled} broken off");
                return print(if self.place.json { answer.get() } else { &line });
            }
            Some(When::Position(position)) => json!({ "position": position }),
            Some(When::Time(time)) => json!({ "time": time.to_string() }),
        };
        let answer = server.ask(Method::POST, &path, Some(body.to_string())).await?.judge(false)?;
        let Begun { replay } = serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
        let Progress { delivered, failed, .. } = &self.watch(server, &replay).await?;
        print(&match self.place.json {
            true => json!({ "replay": replay, "delivered": delivered, "failed": failed }).to_string(),
            false => format!("{delivered} delivered, {failed} failed"),
        })
    }

    /// Waits for a replay's end. The bar is drawn where standard error is a terminal.
    async fn watch(&self, server: &Target, replay: &str) -> Result<Progress, Failure> {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% read, {msg}") {
            bar.set_style(style);
        }
        let mut begun = None;
        loop {
            let progress = self.progress(server).await?.filter(|progress| progress.id == replay);
            let Some(progress) = progress else {
                return Err(Failure::unusable(
                    "the replay is gone: the server was started again, or another one begun",
                ));
            };
            let from = *begun.get_or_insert(progress.read_to);
            bar.set_length(progress.to.saturating_sub(from));
            bar.set_position(progress.read_to.saturating_sub(from));
            bar.set_message(format!("{} delivered, {} failed", progress.delivered, progress.failed));
            if progress.finished {
                bar.finish_and_clear();
                return Ok(progress);
            }
            pause().await;
        }
    }

    async fn progress(&self, server: &Target) -> Result<Option<Progress>, Failure> {
        #[derive(Deserialize)]
        struct Sink {
            sink: String,
            replay: Option<Progress>,
        }
        #[derive(Deserialize)]
        struct Sinks {
            sinks: Vec<Sink>,
        }
        let answer = look(server, "/v1/sinks").await?;
        let Sinks { sinks } = serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
        Ok(sinks.into_iter().find(|sink| sink.sink == self.sink.as_str()).and_then(|sink| sink.replay))
    }
}
