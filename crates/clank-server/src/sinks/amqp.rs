//! AMQP 0.9.1: each event is a persistent message with its id as `message_id`, confirmed by the
//! broker. A message that no queue takes is not confirmed.

use clank_journal::delivery::{Delivery, Outcome, Sink};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::Mutex;

use super::{each, failing};
use crate::config::SinkSettings;

/// An exchange.
pub(crate) struct Amqp {
    url: String,
    exchange: String,
    routing_key: String,
    /// Made at the first delivery, and again after every failure.
    link: Mutex<Option<Link>>,
}

struct Link {
    channel: Channel,
    /// The channel lives as long as it does.
    connection: Connection,
}

/// Why a message is not with the broker.
#[derive(Debug, thiserror::Error)]
enum Unconfirmed {
    #[error(transparent)]
    Broker(#[from] lapin::Error),
    #[error("the broker refused it")]
    Refused,
    #[error("no queue takes it: bind one to the exchange")]
    Unroutable,
}

impl Amqp {
    /// The one that the settings describe.
    pub(crate) fn new(settings: &SinkSettings) -> Self {
        // The configuration has checked that there is a slash.
        let (exchange, routing_key) = settings.subject.as_str().split_once('/').unwrap_or_default();
        Self {
            url: settings.url.as_str().to_owned(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            link: Mutex::new(None),
        }
    }

    /// A channel that works, as far as can be known.
    async fn channel(&self) -> lapin::Result<Channel> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link
            && link.connection.status().connected()
            && link.channel.status().connected()
        {
            return Ok(link.channel.clone());
        }
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        *link = Some(Link { channel: channel.clone(), connection });
        Ok(channel)
    }

    /// Sends a message. What is returned comes when the broker has confirmed it.
    async fn publish(
        &self,
        channel: &Channel,
        delivery: &Delivery,
    ) -> lapin::Result<impl Future<Output = lapin::Result<Confirmation>>> {
        let properties = BasicProperties::default()
            .with_message_id(delivery.id().to_string().into())
            .with_type(delivery.kind().name().into())
            .with_content_type("application/json".into())
            // Persistent.
            .with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, routing_key) = (self.exchange.as_str().into(), self.routing_key.as_str().into());
        channel.basic_publish(exchange, routing_key, options, &delivery.json(), properties).await
    }
}

impl Sink for Amqp {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let channel = match self.channel().await {
            Ok(channel) => channel,
            Err(error) => return failing(&error),
        };
        let mut sent = Vec::with_capacity(batch.len());
        for delivery in batch {
            match self.publish(&channel, delivery).await {
                Ok(confirmation) => sent.push(confirmation),
                Err(error) => return failing(&error),
            }
        }
        let mut confirmed = Vec::with_capacity(sent.len());
        for confirmation in sent {
            confirmed.push(match confirmation.await {
                Ok(Confirmation::Ack(None)) => Ok(()),
                Ok(Confirmation::Ack(Some(_))) => Err(Unconfirmed::Unroutable),
                Ok(_) => Err(Unconfirmed::Refused),
                Err(error) => Err(error.into()),
            });
        }
        each(confirmed)
    }
}
