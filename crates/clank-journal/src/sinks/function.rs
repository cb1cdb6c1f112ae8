//! A closure as a sink: a durable listener within the program.

use std::fmt::Display;
use std::future::Future;

use clank_core::event::Event;

use crate::delivery::{Delivery, Outcome, Sink, Verdict};

/// A closure that is called with each event.
///
/// ```
/// use clank_journal::sinks::FnSink;
///
/// let sink = FnSink::new(|event, delivery| async move {
///     println!("{} {}", event.kind(), delivery.redelivered);
///     Ok::<_, std::io::Error>(())
/// });
/// ```
///
/// It returns `()` or a [`Result`], whose error has the event tried again, or says by a [`Verdict`]
/// itself what is to become of it. Of a batch, what follows an event that failed is not called.
#[derive(Debug)]
pub struct FnSink<F>(F);

impl<F, T, R> FnSink<F>
where
    F: Fn(Event, Delivery) -> T + Send + Sync + 'static,
    T: Future<Output = R> + Send,
    R: Into<Verdict>,
{
    /// This one.
    pub fn new(listener: F) -> Self {
        Self(listener)
    }
}

impl<F, T, R> Sink for FnSink<F>
where
    F: Fn(Event, Delivery) -> T + Send + Sync + 'static,
    T: Future<Output = R> + Send,
    R: Into<Verdict>,
{
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        let mut verdicts = Vec::with_capacity(batch.len());
        for delivery in batch {
            let verdict = match delivery.event() {
                Ok(event) => (self.0)(event, delivery.clone()).await.into(),
                Err(error) => Verdict::Refused { why: format!("the record cannot be read: {error}") },
            };
            let fails = matches!(verdict, Verdict::Failing { .. });
            verdicts.push(verdict);
            if fails {
                break;
            }
        }
        Outcome::Each(verdicts)
    }
}

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::Acked
    }
}

impl<E: Display> From<Result<(), E>> for Verdict {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Acked,
            Err(error) => Self::Failing { retry_after: None, why: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use clank_core::event::EventKind;
    use tokio::sync::watch;

    use super::*;
    use crate::delivery::testing::{Folder, Memory, origin, record};
    use crate::delivery::{AnySink, Dispatcher, SinkConfig, SinkOptions};

    #[tokio::test]
    async fn a_closure_hears_of_an_event_until_it_returns_without_an_error() {
        let (source, folder) = (Memory::new(Vec::new()), Folder::new());
        let (calls, heard) = (Arc::new(AtomicU64::new(0)), watch::Sender::new(None));
        let told = heard.clone();
        let sink = FnSink::new(move |event, delivery| {
            let (calls, told) = (Arc::clone(&calls), told.clone());
            async move {
                if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                    return Err("not yet");
                }
                told.send_replace(Some((event.kind(), delivery.attempt, delivery.redelivered)));
                Ok(())
            }
        });
        let config = SinkConfig {
            name: "fn".parse().unwrap(),
            sink: AnySink::new(sink),
            options: SinkOptions::default(),
        };
        let dispatcher =
            Dispatcher::start(Arc::clone(&source) as _, &folder.0, origin(), vec![config]).await.unwrap();
        source.append(record(1));
        let seen = *heard.subscribe().wait_for(Option::is_some).await.unwrap();
        assert_eq!(seen, Some((EventKind::Launched, 2, true)));
        dispatcher.stop(Duration::from_secs(1)).await;
    }
}
