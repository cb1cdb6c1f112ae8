//! A webhook: events as CloudEvents 1.0 over HTTP, signed as Standard Webhooks has it.

use std::time::SystemTime;

use clank::Timestamp;
use clank_journal::delivery::{Delivery, Outcome, Sink, Verdict};
use http::StatusCode;

use crate::config::{SinkSettings, WebhookMode};
use crate::webhook::client::{Answer, BadUrl, Client};
use crate::webhook::cloudevent::{Marks, Outgoing, request};
use crate::webhook::signature::Signer;

/// A webhook.
pub(crate) struct Webhook {
    client: Client,
    signer: Signer,
    mode: WebhookMode,
}

impl Webhook {
    /// The one that the settings describe.
    pub(crate) fn new(settings: &SinkSettings) -> Result<Self, BadUrl> {
        Ok(Self {
            client: Client::new(settings.url.as_str(), settings.allow_private, settings.timeout.duration())?,
            signer: Signer::new(&settings.secrets),
            mode: settings.mode,
        })
    }

    async fn post(&self, batch: &[Delivery]) -> Result<Answer, Outcome> {
        let [first, ..] = batch else { return Err(Outcome::ACKED) };
        let outgoing = batch.iter().map(outgoing).collect::<Option<Vec<_>>>();
        let outgoing = outgoing.ok_or_else(|| Outcome::refused("the record is no text"))?;
        let (mut headers, body) = request(self.mode, &outgoing)
            .map_err(|error| Outcome::refused(format!("the record can't be read: {error}")))?;
        let id = match batch.len() {
            1 if self.mode != WebhookMode::Batch => first.id().to_string(),
            // The same events in the same order are the same message.
            count => format!("{}+{}", first.id(), count - 1),
        };
        self.signer.sign(&id, Timestamp::from(SystemTime::now()), &body, &mut headers);
        self.client.post(headers, body).await.map_err(|error| Outcome::failing(error.to_string()))
    }
}

impl Sink for Webhook {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        match self.post(batch).await {
            Ok(answer) => outcome(&answer),
            Err(outcome) => outcome,
        }
    }
}

fn outgoing(delivery: &Delivery) -> Option<Outgoing<'_>> {
    let marks = Marks {
        redelivered: delivery.redelivered,
        replay: delivery.replay.as_deref().map(str::to_owned),
        gap: delivery.gap.is_some(),
        snapshot: delivery.snapshot,
    };
    Some(Outgoing { json: std::str::from_utf8(&delivery.entry.json).ok()?, marks })
}

/// What an answer says. Only what is wrong with the event itself is held against it: an application
/// that is not there, or does not know the path or the signature, would refuse every other event too.
fn outcome(answer: &Answer) -> Outcome {
    let why = format!("it answered {}", answer.status);
    match answer.status {
        status if status.is_success() => Outcome::ACKED,
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Outcome::refused(why),
        _ => {
            let now = Timestamp::from(SystemTime::now()).unix_millis() / 1000;
            Outcome::All(Verdict::Failing { retry_after: answer.retry_after(now), why })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_event_is_held_against_it() {
        for status in 100..600 {
            let Ok(status) = StatusCode::from_u16(status) else { continue };
            let answer = Answer { status, headers: HeaderMap::new(), body: Bytes::new() };
            let expected = match status.as_u16() {
                200..300 => "acked",
                400 | 409 | 413 | 415 | 422 => "refused",
                _ => "failing",
            };
            let found = match outcome(&answer) {
                Outcome::All(Verdict::Acked) => "acked",
                Outcome::All(Verdict::Refused { .. }) => "refused",
                Outcome::All(Verdict::Failing { .. }) => "failing",
                Outcome::Each(_) => "each",
            };
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn an_application_may_ask_to_be_left_alone() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        let answer = Answer { status: StatusCode::TOO_MANY_REQUESTS, headers, body: Bytes::new() };
        let Outcome::All(Verdict::Failing { retry_after, .. }) = outcome(&answer) else { unreachable!() };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
}
