//! Sees to it that a place has a worker: starts it, and starts the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::bridge::{Bridge, Slot};
use super::bundle::Directory;
use super::handover::Properties;
use super::life::{Life, boot};
use super::present::{Ending, Present};
use super::process::Launcher;

/// The first pause before a worker is started again that was of no use, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What all workers are told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    /// How often they were told to begin anew.
    pub reloads: u64,
    pub is_to_stop: bool,
}

/// How workers come to be.
pub(super) struct Nursery {
    pub bridge: Arc<Bridge>,
    pub launcher: Launcher,
    pub directory: Directory,
}

/// Looks after one place.
pub(super) struct Supervisor {
    nursery: Arc<Nursery>,
    number: usize,
    generation: u64,
    orders: watch::Receiver<Orders>,
    /// Lives in a row that were of no use.
    failures: u32,
}

impl Nursery {
    /// Starts a worker, when workers have been told so often to begin anew.
    pub(super) async fn boot(
        self: Arc<Self>,
        slot: usize,
        generation: u64,
        reloads: u64,
    ) -> Result<Life, String> {
        boot(&self.bridge.settings, &self.launcher, &self.directory, (slot, generation), reloads).await
    }
}

impl Supervisor {
    /// Starts the first worker of a place.
    ///
    /// # Errors
    /// Why it does not start.
    pub(super) async fn begin(
        nursery: Arc<Nursery>,
        number: usize,
        orders: watch::Receiver<Orders>,
    ) -> Result<(Self, Life), String> {
        let life = Arc::clone(&nursery).boot(number, 1, 0).await?;
        Ok((Self { nursery, number, generation: 1, orders, failures: 0 }, life))
    }

    /// Looks after the place until nobody needs it any more.
    pub(super) async fn run(mut self, first: Life) {
        let bridge = Arc::clone(&self.nursery.bridge);
        let Some(slot) = bridge.slots.get(self.number) else { return };
        let mut orders = self.orders.clone();
        tokio::select! {
            _ = bridge.launched() => {}
            () = stopped(&mut orders) => return bridge.close(slot),
        }
        let mut life = Some((first, Properties::new()));
        while let Some((present, properties)) = life.take() {
            life = self.live(slot, present, &properties).await;
        }
        bridge.close(slot);
    }

    /// Serves with a worker until its end. Returns the next one; `None` if there is to be none.
    async fn live(&mut self, slot: &Slot, life: Life, properties: &Properties) -> Option<(Life, Properties)> {
        let generation = life.generation;
        let nursery = Arc::clone(&self.nursery);
        let mut present = Present::begin(&nursery, slot, life, self.orders.clone());
        let ending = match present.take_over(properties).await {
            Ok(()) => present.serve(&mut || self.next_generation()).await,
            Err(ending) => ending,
        };
        let next = present.next();
        match ending {
            Ending::Stopped => None,
            Ending::Replaced(properties) => next.map(|next| (next, properties)),
            Ending::Died { why, was_of_use } => {
                self.failures = if was_of_use { 0 } else { self.failures.saturating_add(1) };
                tracing::error!(generation, worker = self.number, "the application has ended: {why}");
                match next {
                    Some(next) => Some((next, Properties::new())),
                    None => self.reborn().await.map(|next| (next, Properties::new())),
                }
            }
        }
    }

    /// Starts workers until one lives; `None` if that is no longer wanted.
    async fn reborn(&mut self) -> Option<Life> {
        loop {
            let pause = pause(self.failures);
            let (nursery, number, generation) =
                (Arc::clone(&self.nursery), self.number, self.next_generation());
            let orders = self.orders.clone();
            let birth = async move {
                tokio::time::sleep_until((Instant::now() + pause).into()).await;
                let reloads = orders.borrow().reloads;
                nursery.boot(number, generation, reloads).await
            };
            let born = tokio::select! {
                born = birth => born,
                () = stopped(&mut self.orders) => return None,
            };
            match born {
                Ok(life) => return Some(life),
                Err(why) => {
                    self.failures = self.failures.saturating_add(1);
                    tracing::error!(generation, worker = number, "the application does not start: {why}");
                }
            }
        }
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => PAUSES.0.saturating_mul(2_u32.saturating_pow(failures - 1)).min(PAUSES.1),
    }
}

async fn stopped(orders: &mut watch::Receiver<Orders>) {
    // Without a sender nobody needs workers either.
    _ = orders.wait_for(|orders| orders.is_to_stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let pauses: Vec<u128> = (0..9).map(|failures| pause(failures).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        assert_eq!(pause(u32::MAX), PAUSES.1);
    }
}
