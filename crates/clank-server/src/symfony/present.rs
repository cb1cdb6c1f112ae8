//! A worker that serves: it is watched, and has its time limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout, timeout_at};

use super::bridge::{Bridge, Slot};
use super::clock::Clock;
use super::handover::{Properties, Writing, hand_over};
use super::life::Life;
use super::process::Process;
use super::queue::Flow;
use super::reader::{Reader, Words};
use super::request::{Ended, Kind, Request};
use super::said::Hello;
use super::supervisor::{Nursery, Orders, pause};
use super::watch::Watch;

/// How long a worker has to end in order.
const GRACE: Duration = Duration::from_secs(5);
/// How long what a dead worker said is read, and how long one that says nothing more has to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a worker is looked at, at least and at most.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(20));
/// What those are told whose request a worker did not survive.
const ENDED: &str = "the application ended before this was done";

/// A worker that serves.
pub(super) struct Present<'a> {
    nursery: &'a Arc<Nursery>,
    slot: &'a Slot,
    generation: u64,
    hello: Arc<Hello>,
    born: Instant,
    process: Process,
    reader: Reader,
    /// Until it has taken over.
    writer: Option<OwnedWriteHalf>,
    running: Option<(Writing, Clock)>,
    orders: watch::Receiver<Orders>,
    watch: Watch,
    birth: Birth,
    /// The orders to begin anew that it has followed.
    reloads: u64,
    has_said_all: Option<Words>,
}

/// Where the next worker is.
enum Birth {
    /// Nobody wants one.
    None,
    /// It starts.
    Booting(JoinHandle<Result<Life, String>>),
    /// It waits until this one has nothing to do.
    Born(Box<Life>),
}

/// How a life ended.
pub(super) enum Ending {
    /// As it was told to.
    Stopped,
    /// To make room for the next one, to which this is handed over.
    Replaced(Properties),
    /// By itself, or by force.
    Died { why: String, was_of_use: bool },
}

impl<'a> Present<'a> {
    pub(super) fn begin(
        nursery: &'a Arc<Nursery>,
        slot: &'a Slot,
        life: Life,
        orders: watch::Receiver<Orders>,
    ) -> Self {
        let Life { generation, hello, process, frames, writer, born, reloads } = life;
        slot.set_hello(&hello);
        Self {
            nursery,
            slot,
            generation,
            hello,
            born,
            process,
            reader: Reader::start(&nursery.bridge, slot.number, frames),
            writer: Some(writer),
            running: None,
            orders,
            watch: Watch::default(),
            birth: Birth::None,
            reloads,
            has_said_all: None,
        }
    }

    fn bridge(&self) -> &'a Arc<Bridge> {
        &self.nursery.bridge
    }

    /// Tells it of those who are there, and lets requests flow.
    pub(super) async fn take_over(&mut self, properties: &Properties) -> Result<(), Ending> {
        let (bridge, slot, generation) = (self.bridge(), self.slot, self.generation);
        let limit = bridge.settings.boot_timeout.duration();
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let told = tokio::select! {
            told = timeout(limit, hand_over(bridge, slot, generation, &mut writer, properties)) => told,
            words = self.reader.ended() => {
                self.has_said_all = Some(words);
                return Err(self.bury(None).await);
            }
        };
        match told {
            Ok(Ok(())) => {
                let writing = Writing::start(bridge, slot.number, writer);
                self.running = Some((writing, Clock::start(bridge, slot.number, &self.hello.periodics)));
                Ok(())
            }
            Ok(Err(_)) => Err(self.bury(None).await),
            Err(_) => Err(self.bury(Some("it did not listen to who is connected".to_owned())).await),
        }
    }

    /// Serves until its end. `name` names lives.
    pub(super) async fn serve(&mut self, name: &mut (dyn FnMut() -> u64 + Send)) -> Ending {
        let period = (self.bridge().settings.timeout.duration() / 4).clamp(LOOKS.1, LOOKS.0);
        let mut looks = interval(period);
        let mut failures = 0;
        let mut not_before = Instant::now();
        let mut is_wanted = false;
        // What was ordered while it was started is news to it.
        self.orders.mark_changed();
        loop {
            let is_idle = self.slot.queue().is_idle();
            if is_idle && matches!(self.birth, Birth::Born(_)) {
                return self.make_room().await;
            }
            if is_wanted && matches!(self.birth, Birth::None) && not_before <= Instant::now() {
                is_wanted = false;
                self.reloads = self.orders.borrow().reloads;
                let birth = Arc::clone(self.nursery).boot(self.slot.number, name(), self.reloads);
                self.birth = Birth::Booting(tokio::spawn(birth));
            }
            tokio::select! {
                words = self.reader.ended() => {
                    self.has_said_all = Some(words);
                    return self.bury(None).await;
                }
                () = self.process.exited() => return self.bury(None).await,
                () = self.slot.idle.notified() => {}
                born = born(&mut self.birth) => match born {
                    Ok(life) => {
                        failures = 0;
                        // What is there already is ended first.
                        self.slot.queue().set_flow(Flow::Nothing);
                        self.birth = Birth::Born(Box::new(life));
                    }
                    Err(why) => {
                        tracing::error!(worker = self.slot.number, "the application does not start anew: {why}");
                        self.birth = Birth::None;
                        failures += 1;
                        not_before = Instant::now() + pause(failures);
                    }
                },
                changed = self.orders.changed() => {
                    let orders = *self.orders.borrow_and_update();
                    if changed.is_err() || orders.is_to_stop {
                        self.end_in_order().await;
                        return Ending::Stopped;
                    }
                    is_wanted |= orders.reloads != self.reloads;
                }
                _ = looks.tick() => {
                    if let Some(why) = self.overdue() {
                        return self.bury(Some(why)).await;
                    }
                    is_wanted |= self.is_used_up() || self.is_changed().await;
                }
            }
        }
    }

    /// The next worker, if it is there already.
    pub(super) fn next(self) -> Option<Life> {
        match self.birth {
            Birth::Born(life) => Some(*life),
            Birth::Booting(booting) => {
                booting.abort();
                None
            }
            Birth::None => None,
        }
    }

    /// What it has taken too long for.
    fn overdue(&self) -> Option<String> {
        let limit = self.bridge().settings.timeout.duration();
        let queue = self.slot.queue();
        let (running, since) = queue.running()?;
        (since.elapsed() > limit).then(|| format!("{running} took longer than symfony.timeout, {limit:?}"))
    }

    /// Whether it has done its work, by one of its limits.
    fn is_used_up(&self) -> bool {
        if !matches!(self.birth, Birth::None) {
            return false;
        }
        let settings = &self.bridge().settings;
        let (requests, age) = (settings.max_requests.count() as u64, settings.max_age.duration());
        let memory = settings.max_memory.bytes() as u64;
        let why = if requests > 0 && self.slot.queue().done() > requests {
            "symfony.max_requests"
        } else if !age.is_zero() && self.born.elapsed() > age {
            "symfony.max_age"
        } else if memory > 0 && self.process.memory().is_some_and(|bytes| bytes > memory) {
            "symfony.max_memory"
        } else {
            return false;
        };
        tracing::info!(
            worker = self.slot.number,
            generation = self.generation,
            "the worker is replaced: {why}"
        );
        true
    }

    async fn is_changed(&mut self) -> bool {
        let is_changed = self.bridge().settings.watch && self.watch.look(self.reader.files()).await;
        if is_changed {
            tracing::info!(worker = self.slot.number, "a file of the application has changed");
        }
        is_changed
    }

    /// Ends it for the next one, which is there.
    async fn make_room(&mut self) -> Ending {
        Ending::Replaced(self.end_in_order().await)
    }

    /// Has it end. Returns what it hands over.
    async fn end_in_order(&mut self) -> Properties {
        let (reply, mut ended) = oneshot::channel();
        let mut properties = Properties::new();
        let deadline = tokio::time::Instant::now() + GRACE;
        if let Ok(stop) = self.bridge().request(Kind::Stop, (None, ""), |frame| frame) {
            {
                let mut queue = self.slot.queue();
                queue.push_first(Request { reply: Some(reply), ..stop });
                queue.set_flow(Flow::First);
            }
            self.slot.wake.notify_one();
            let told = async {
                tokio::select! {
                    // What it said at its end is read before the end.
                    biased;
                    ended = &mut ended => ended.ok(),
                    words = self.reader.ended() => {
                        self.has_said_all = Some(words);
                        None
                    }
                }
            };
            if let Ok(Some(Ended::Done(done))) = timeout_at(deadline, told).await {
                properties = done.handed_over();
            }
        }
        // The end of the stream is the order to end, too.
        self.running = None;
        if timeout_at(deadline, self.process.exited()).await.is_err() {
            tracing::warn!(
                worker = self.slot.number,
                generation = self.generation,
                "a worker that was to end is killed"
            );
        }
        self.process.kill();
        self.process.ended().await;
        self.bridge().bury(self.slot, ENDED);
        properties
    }

    /// It is over: what is left of it is heard, whoever waits for it is told, and `why` is found out
    /// where it is not known.
    async fn bury(&mut self, why: Option<String>) -> Ending {
        if why.is_some() {
            self.process.kill();
        }
        if self.has_said_all.is_none()
            && let Ok(words) = timeout(LAST_WORDS, self.reader.ended()).await
        {
            self.has_said_all = Some(words);
        }
        self.running = None;
        if matches!(&self.has_said_all, Some(Words { broken: Some(_), .. })) {
            self.process.kill();
        }
        if timeout(LAST_WORDS, self.process.exited()).await.is_err() {
            self.process.kill();
        }
        let ended = self.process.ended().await;
        let was_of_use = self.slot.queue().done() > 1;
        let at = self.slot.queue().running().map(|(running, _)| running.to_string());
        let why = why.unwrap_or_else(|| self.reason(ended));
        let told = match &self.has_said_all {
            Some(Words { died: Some(died), .. }) => format!("{ENDED}: {}", died.in_short()),
            _ => ENDED.to_owned(),
        };
        self.bridge().bury(self.slot, &told);
        let why = match at {
            Some(at) if !why.starts_with(&at) => format!("{why}; it was at {at}"),
            _ => why,
        };
        Ending::Died { why, was_of_use }
    }

    fn reason(&self, ended: String) -> String {
        match &self.has_said_all {
            Some(Words { broken: Some(broken), .. }) => broken.clone(),
            Some(Words { died: Some(died), .. }) => died.to_string(),
            _ => match self.process.last_words().lines().last() {
                Some(line) => format!("{ended}: {line}"),
                None => ended,
            },
        }
    }
}

/// Waits for the next worker; for ever, if none is being started.
async fn born(birth: &mut Birth) -> Result<Life, String> {
    match birth {
        Birth::Booting(booting) => booting.await.unwrap_or_else(|error| Err(error.to_string())),
        _ => std::future::pending().await,
    }
}
