//! NATS JetStream: each event is published to a subject of a stream, with its id as `Nats-Msg-Id`.
//!
//! JetStream leaves out a message whose id it has seen within the stream's window; receivers still
//! remember ids, for an event may come again after it.

use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context};
use clank_journal::delivery::{Delivery, Outcome, Sink};
use tokio::sync::OnceCell;

use super::{each, failing};
use crate::config::SinkSettings;

/// What stands for the event's name in a subject.
const TYPE: &str = "{type}";

/// A stream of NATS JetStream.
pub(crate) struct Nats {
    url: String,
    subject: String,
    /// Made at the first delivery: a broker that is down is no reason not to start.
    context: OnceCell<Context>,
}

impl Nats {
    /// The one that the settings describe.
    pub(crate) fn new(settings: &SinkSettings) -> Self {
        Self {
            url: settings.url.as_str().to_owned(),
            subject: settings.subject.as_str().to_owned(),
            context: OnceCell::new(),
        }
    }

    async fn context(&self) -> Result<&Context, async_nats::ConnectError> {
        let connect = || async { Ok(jetstream::new(async_nats::connect(&self.url).await?)) };
        // The client connects again by itself from here on.
        self.context.get_or_try_init(connect).await
    }
}

impl Sink for Nats {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let context = match self.context().await {
            Ok(context) => context,
            Err(error) => return failing(&error),
        };
        let mut sent = Vec::with_capacity(batch.len());
        for delivery in batch {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", delivery.id().to_string());
            let subject = self.subject.replace(TYPE, delivery.kind().name());
            match context.publish_with_headers(subject, headers, delivery.json()).await {
                Ok(confirmation) => sent.push(confirmation),
                Err(error) => return failing(&error),
            }
        }
        let mut confirmed = Vec::with_capacity(sent.len());
        for confirmation in sent {
            confirmed.push(confirmation.await.map(|_| ()));
        }
        each(confirmed)
    }
}
