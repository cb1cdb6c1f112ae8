//! Code that runs at intervals or at times of the day.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::error::{Result, StartError};
use crate::handle::Handle;
use crate::hooks::BoxFuture;
use crate::runtime::contain;

/// A task as the builder keeps it.
pub(crate) struct Periodic(Arc<dyn Fn(Handle) -> BoxFuture<Result> + Send + Sync>);

/// When a task runs.
pub(crate) enum Schedule {
    Every(Duration),
    Cron(String),
}

/// A schedule that has been read.
pub(crate) enum Times {
    Every(Duration),
    Cron(Box<Cron>),
}

impl Schedule {
    pub(crate) fn parse(self) -> Result<Times, StartError> {
        match self {
            // An interval of nothing would never let anything else run.
            Self::Every(interval) => Ok(Times::Every(interval.max(Duration::from_millis(1)))),
            Self::Cron(expression) => match Cron::from_str(&expression) {
                Ok(cron) => Ok(Times::Cron(Box::new(cron))),
                Err(error) => Err(StartError::Cron { expression, message: error.to_string() }),
            },
        }
    }
}

impl Periodic {
    pub(crate) fn new<F, Fut>(task: F) -> Self
    where
        F: Fn(Handle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        Self(Arc::new(move |handle| Box::pin(task(handle))))
    }

    #[expect(clippy::disallowed_methods, reason = "the application's timers are the runtime's")]
    /// Runs the task at its times, for ever. The next tick is looked for when the task is over, so
    /// a tick whose predecessor still runs is skipped.
    pub(crate) async fn run(self, times: Times, handle: Handle) {
        match times {
            Times::Every(every) => {
                let mut ticks = interval_at(Instant::now() + every, every);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    ticks.tick().await;
                    self.tick(&handle).await;
                }
            }
            Times::Cron(cron) => {
                while let Some(wait) = until_next(&cron) {
                    tokio::time::sleep(wait).await;
                    self.tick(&handle).await;
                }
            }
        }
    }

    async fn tick(&self, handle: &Handle) {
        let (task, handle) = (Arc::clone(&self.0), handle.clone());
        match contain(move || task(handle)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a periodic task failed"),
            Err(panic) => tracing::error!(panic, "a periodic task panicked"),
        }
    }
}

/// The time until the expression's next minute or second; `None` if it never comes.
fn until_next(cron: &Cron) -> Option<Duration> {
    let now = Zoned::now().with_time_zone(TimeZone::UTC);
    let next = cron.find_next_occurrence(&now, false).ok()?;
    Some(Duration::try_from(next.duration_since(&now)).unwrap_or_default())
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn schedules_are_read() {
        let every = Schedule::Every(Duration::ZERO).parse().unwrap();
        assert!(matches!(every, Times::Every(interval) if interval == Duration::from_millis(1)));
        assert!(matches!(Schedule::Cron("*/5 * * * *".into()).parse(), Ok(Times::Cron(_))));
        for expression in ["", "* * *", "61 * * * *", "whenever"] {
            match Schedule::Cron(expression.into()).parse() {
                Err(StartError::Cron { expression: told, message }) => {
                    assert_eq!(told, expression);
                    assert!(!message.is_empty());
                }
                _ => panic!("{expression} is no schedule"),
            }
        }
    }

    #[test]
    fn the_next_time_is_within_the_expressions_period() {
        let wait = |expression| until_next(&Cron::from_str(expression).unwrap());
        assert!(wait("* * * * *").unwrap() <= Duration::from_secs(60));
        assert!(wait("0 0 * * *").unwrap() <= Duration::from_secs(24 * 60 * 60));
        assert_eq!(wait("0 0 30 2 *"), None, "there is no such day");
    }
}
