//! A Redis stream: each event is an entry with the fields `id`, `type` and `record`.

use clank_journal::delivery::{Delivery, Outcome, Sink};
use redis::aio::ConnectionManager;
use tokio::sync::OnceCell;

use super::failing;
use crate::config::SinkSettings;

/// A Redis stream.
pub(crate) struct Redis {
    client: redis::Client,
    stream: String,
    /// 0: it is not cut.
    max_length: usize,
    /// Made at the first delivery: a server that is down is no reason not to start.
    connection: OnceCell<ConnectionManager>,
}

impl Redis {
    /// The one that the settings describe.
    pub(crate) fn new(settings: &SinkSettings) -> redis::RedisResult<Self> {
        Ok(Self {
            client: redis::Client::open(settings.url.as_str())?,
            stream: settings.subject.as_str().to_owned(),
            max_length: settings.max_length.count(),
            connection: OnceCell::new(),
        })
    }

    async fn add(&self, batch: &[Delivery]) -> redis::RedisResult<()> {
        // It connects again by itself.
        let mut connection =
            self.connection.get_or_try_init(|| ConnectionManager::new(self.client.clone())).await?.clone();
        let mut pipeline = redis::pipe();
        // All or nothing, so that a batch that is sent again was not sent by half.
        pipeline.atomic();
        for delivery in batch {
            let command = pipeline.cmd("XADD").arg(&self.stream);
            if self.max_length > 0 {
                command.arg("MAXLEN").arg("~").arg(self.max_length);
            }
            command.arg("*").arg("id").arg(delivery.id().to_string());
            command.arg("type").arg(delivery.kind().name()).arg("record").arg(&delivery.json()[..]);
            command.ignore();
        }
        pipeline.query_async(&mut connection).await
    }
}

impl Sink for Redis {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        match self.add(batch).await {
            Ok(()) => Outcome::ACKED,
            Err(error) => failing(&error),
        }
    }
}
