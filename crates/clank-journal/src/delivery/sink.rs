//! What a sink is, and what it says of what it was handed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::record::Delivery;

/// What a sink says of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has it: it is not offered again.
    Acked,
    /// The sink cannot take anything at present: it is down, slow, or asks for patience. Nothing is
    /// held against the event.
    Failing {
        /// When it may be asked again; without it the back-off decides.
        retry_after: Option<Duration>,
        /// In words, for the operator.
        why: String,
    },
    /// The sink is well and will never take this event: it goes to the dead letters at once.
    Refused {
        /// In words, for the operator.
        why: String,
    },
}

/// What a sink says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The same of all its events. A delivery of several that is refused or fails as a whole is
    /// divided until the event that is to blame stands alone.
    All(Verdict),
    /// Of each event, in their order; those without a verdict are offered again.
    Each(Vec<Verdict>),
}

impl Outcome {
    /// All of it was taken.
    pub const ACKED: Self = Self::All(Verdict::Acked);

    /// The sink is failing.
    pub fn failing(why: impl Into<String>) -> Self {
        Self::All(Verdict::Failing { retry_after: None, why: why.into() })
    }

    /// What the sink had to say, if not all was taken.
    pub(super) fn complaint(&self) -> Option<&str> {
        let verdicts = match self {
            Self::All(verdict) => std::slice::from_ref(verdict),
            Self::Each(verdicts) => verdicts,
        };
        verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Acked => None,
            Verdict::Failing { why, .. } | Verdict::Refused { why } => Some(why.as_str()),
        })
    }

    /// The sink refuses it for good.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::All(Verdict::Refused { why: why.into() })
    }
}

/// Whoever is to hear of events until it says that it has.
///
/// ```
/// use clank_journal::delivery::{Delivery, Outcome, Sink};
///
/// struct Printer;
///
/// impl Sink for Printer {
///     async fn deliver(&self, batch: &[Delivery]) -> Outcome {
///         for delivery in batch {
///             println!("{}", delivery.id());
///         }
///         Outcome::ACKED
///     }
/// }
/// ```
///
/// Several deliveries are under way at once, never two with events of one lane. An event can come
/// again, with the same id: a sink that must not act twice remembers ids.
pub trait Sink: Send + Sync + 'static {
    /// Delivers events, and says what became of them. What it says [`Acked`](Verdict::Acked) of has
    /// to outlive whatever it promises to survive. It is dropped at the sink's time-out.
    fn deliver(&self, batch: &[Delivery]) -> impl Future<Output = Outcome> + Send;

    /// Nothing more will be delivered: resources are given back.
    fn close(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The same, callable without its type.
trait Erased: Send + Sync + 'static {
    fn deliver<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Outcome>;
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl<S: Sink> Erased for S {
    fn deliver<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Outcome> {
        Box::pin(Sink::deliver(self, batch))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Sink::close(self))
    }
}

/// Any sink.
#[derive(Clone)]
pub struct AnySink(Arc<dyn Erased>);

impl AnySink {
    /// This one.
    pub fn new(sink: impl Sink) -> Self {
        Self(Arc::new(sink))
    }
}

impl Sink for AnySink {
    async fn deliver(&self, batch: &[Delivery]) -> Outcome {
        Erased::deliver(&*self.0, batch).await
    }

    async fn close(&self) {
        Erased::close(&*self.0).await;
    }
}

impl fmt::Debug for AnySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnySink")
    }
}
