//! Listeners: application code that is told when clients connect, disconnect and fail.

use std::future::Future;
use std::sync::Arc;

use clank_core::event::EventKind as Kind;

use crate::Result;
use crate::admission::{Admission, ConnectRequest};
use crate::event::{ClientErrorEvent, ClientEvent, ClientRejectedEvent, LifecycleEvent, ServerEvent, Told};
use crate::hooks::{Absent, BoxFuture, is_present};

/// Hears of lifecycle events. Every method may be left out.
///
/// ```
/// use clank::{ClientErrorEvent, ClientEvent, ClientEventListener, Result};
///
/// struct AcmeClientEventListener;
///
/// impl ClientEventListener for AcmeClientEventListener {
///     async fn on_client_connect(&self, event: &ClientEvent) -> Result {
///         println!("{} connected", event.connection().resource_id());
///         Ok(())
///     }
///
///     async fn on_client_disconnect(&self, event: &ClientEvent) -> Result {
///         println!("{} disconnected", event.connection().resource_id());
///         Ok(())
///     }
///
///     async fn on_client_error(&self, event: &ClientErrorEvent) -> Result {
///         println!("connection error occurred: {}", event.error());
///         Ok(())
///     }
/// }
/// ```
///
/// For one connection the methods run one at a time, in order: `on_client_connect` has returned
/// before the client's first message reaches a handler, `on_client_disconnect` comes after its
/// last one, exactly once. A listener that fails, panics, or takes longer than
/// [`Limits::listener`](crate::Limits) delays its own connection alone, and becomes a
/// `clank.client.error` event.
pub trait ClientEventListener: Send + Sync + 'static {
    /// A client asks to be connected: may it? Asked once the request has been found in order.
    ///
    /// With several listeners, identity and attributes of all are taken together and the first
    /// refusal ends it. An error, a panic and silence refuse, with status 500.
    fn on_client_connecting(
        &self,
        request: &ConnectRequest,
    ) -> impl Future<Output = Result<Admission>> + Send {
        _ = request;
        Absent::<Admission>::new()
    }

    /// A client is connected.
    fn on_client_connect(&self, event: &ClientEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }

    /// A client that was connected is gone.
    fn on_client_disconnect(&self, event: &ClientEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }

    /// Something went wrong on a connection, by the client's doing or by a handler's or
    /// listener's.
    fn on_client_error(&self, event: &ClientErrorEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }

    /// A handshake failed: there will be no `on_client_connect` for it and no
    /// `on_client_disconnect`.
    fn on_client_rejected(&self, event: &ClientRejectedEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }

    /// The server listens.
    fn on_server_launched(&self, event: &ServerEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }

    /// The server begins to shut down; its clients are still connected.
    fn on_server_stopping(&self, event: &ServerEvent) -> impl Future<Output = Result> + Send {
        _ = event;
        Absent::<()>::new()
    }
}

/// How a listener is called.
///
/// ```
/// let first = clank::ListenerOptions::new().priority(100);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ListenerOptions {
    pub(crate) priority: i32,
    pub(crate) inline: bool,
}

impl ListenerOptions {
    /// Priority 0, on the application's threads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listeners of higher priority are called first; of equal ones, the one registered first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Calls the listener on the thread that serves the connection's socket, which is quicker.
    ///
    /// Only for listeners that never block: one that does stops every client of its worker. At
    /// its first `.await` that isn't ready it moves to the application's threads.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }
}

/// The events that a listener has methods for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hooks(u16);

impl Hooks {
    const CONNECTING: u16 = 1 << 15;

    fn bit(kind: Kind) -> u16 {
        1 << kind as u16
    }

    fn with(mut self, kind: Kind, present: bool) -> Self {
        self.0 |= Self::bit(kind) * u16::from(present);
        self
    }

    pub(crate) fn hears(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    pub(crate) fn decides(self) -> bool {
        self.0 & Self::CONNECTING != 0
    }
}

/// A listener behind a pointer.
pub(crate) trait ErasedListener: Send + Sync {
    fn hooks(&self) -> Hooks;
    fn connecting(self: Arc<Self>, request: ConnectRequest) -> BoxFuture<Result<Admission>>;
    /// Only for kinds that [`hooks`](Self::hooks) hear of.
    fn tell(self: Arc<Self>, told: Arc<Told>) -> BoxFuture<Result>;
}

pub(crate) struct Erased<L>(pub L);

impl<L: ClientEventListener> ErasedListener for Erased<L> {
    fn hooks(&self) -> Hooks {
        let connected = is_present::<L, ClientEvent, (), _>(L::on_client_connect);
        let disconnected = is_present::<L, ClientEvent, (), _>(L::on_client_disconnect);
        let hooks = Hooks::default()
            .with(Kind::Connected, connected)
            .with(Kind::Disconnected, disconnected)
            .with(Kind::Error, is_present::<L, ClientErrorEvent, (), _>(L::on_client_error))
            .with(Kind::Rejected, is_present::<L, ClientRejectedEvent, (), _>(L::on_client_rejected))
            .with(Kind::Launched, is_present::<L, ServerEvent, (), _>(L::on_server_launched))
            .with(Kind::Stopping, is_present::<L, ServerEvent, (), _>(L::on_server_stopping));
        let decides = is_present::<L, ConnectRequest, Admission, _>(L::on_client_connecting);
        Hooks(hooks.0 | (Hooks::CONNECTING * u16::from(decides)))
    }

    fn connecting(self: Arc<Self>, request: ConnectRequest) -> BoxFuture<Result<Admission>> {
        Box::pin(async move { self.0.on_client_connecting(&request).await })
    }

    fn tell(self: Arc<Self>, told: Arc<Told>) -> BoxFuture<Result> {
        match told.record.kind() {
            Kind::Connected => {
                Box::pin(async move { self.0.on_client_connect(&ClientEvent::new(told)).await })
            }
            Kind::Disconnected => {
                Box::pin(async move { self.0.on_client_disconnect(&ClientEvent::new(told)).await })
            }
            Kind::Error => {
                Box::pin(async move { self.0.on_client_error(&ClientErrorEvent::new(told)).await })
            }
            Kind::Rejected => {
                Box::pin(async move { self.0.on_client_rejected(&ClientRejectedEvent::new(told)).await })
            }
            Kind::Launched => {
                Box::pin(async move { self.0.on_server_launched(&ServerEvent::new(told)).await })
            }
            Kind::Stopping => {
                Box::pin(async move { self.0.on_server_stopping(&ServerEvent::new(told)).await })
            }
            _ => Box::pin(std::future::ready(Ok(()))),
        }
    }
}

/// A closure that hears of one kind of event.
pub(crate) struct Closure<F> {
    pub kind: Kind,
    pub call: F,
}

impl<F, Fut> ErasedListener for Closure<F>
where
    F: Fn(LifecycleEvent) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result> + Send + 'static,
{
    fn hooks(&self) -> Hooks {
        Hooks::default().with(self.kind, true)
    }

    fn connecting(self: Arc<Self>, _: ConnectRequest) -> BoxFuture<Result<Admission>> {
        Box::pin(std::future::ready(Ok(Admission::accept())))
    }

    fn tell(self: Arc<Self>, told: Arc<Told>) -> BoxFuture<Result> {
        Box::pin(async move { (self.call)(LifecycleEvent(told)).await })
    }
}

/// A closure that decides who may connect.
pub(crate) struct Decider<F>(pub F);

impl<F, Fut> ErasedListener for Decider<F>
where
    F: Fn(ConnectRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Admission>> + Send + 'static,
{
    fn hooks(&self) -> Hooks {
        Hooks(Hooks::CONNECTING)
    }

    fn connecting(self: Arc<Self>, request: ConnectRequest) -> BoxFuture<Result<Admission>> {
        Box::pin(async move { (self.0)(request).await })
    }

    fn tell(self: Arc<Self>, _: Arc<Told>) -> BoxFuture<Result> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A listener and how it is called.
#[derive(Clone)]
pub(crate) struct Registration {
    pub listener: Arc<dyn ErasedListener>,
    pub hooks: Hooks,
    pub options: ListenerOptions,
}

/// All listeners, in the order in which they are called.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Registration>);

impl Listeners {
    pub(crate) fn add(&mut self, listener: Arc<dyn ErasedListener>, options: ListenerOptions) {
        let at = self.0.partition_point(|earlier| earlier.options.priority >= options.priority);
        self.0.insert(at, Registration { hooks: listener.hooks(), listener, options });
    }

    /// The first listener from `index` on that hears of `kind`, with its index.
    pub(crate) fn next(&self, kind: Kind, index: usize) -> Option<(usize, &Registration)> {
        self.0.iter().enumerate().skip(index).find(|(_, listener)| listener.hooks.hears(kind))
    }

    /// How many hear of `kind`.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.0.iter().filter(|listener| listener.hooks.hears(kind)).count()
    }

    /// Those who decide on who may connect.
    pub(crate) fn deciders(&self) -> impl Iterator<Item = &Registration> {
        self.0.iter().filter(|listener| listener.hooks.decides())
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::Mutex;

    use clank_core::event::{Body, Event as Record, Launched, Origin, Stopping, Timestamp};
    use clank_core::id::RunId;

    use super::*;

    fn closure(kind: Kind) -> Arc<dyn ErasedListener> {
        Arc::new(Closure { kind, call: |_| async { Ok(()) } })
    }

    fn decider() -> Arc<dyn ErasedListener> {
        Arc::new(Decider(|_| async { Ok(Admission::accept()) }))
    }

    /// The priorities of those who hear of `kind`, in the order of the calls.
    fn called(listeners: &Listeners, kind: Kind) -> Vec<i32> {
        let mut at = 0;
        let mut next = || {
            let (index, registration) = listeners.next(kind, at)?;
            at = index + 1;
            Some(registration.options.priority)
        };
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn higher_priorities_are_called_first_and_equal_ones_in_order() {
        let mut listeners = Listeners::default();
        assert!(listeners.next(Kind::Connected, 0).is_none());
        for (kind, priority) in [
            (Kind::Connected, 0),
            (Kind::Error, 5),
            (Kind::Connected, 10),
            (Kind::Connected, -10),
            (Kind::Connected, 10),
        ] {
            listeners.add(closure(kind), ListenerOptions::new().priority(priority));
        }
        assert_eq!(called(&listeners, Kind::Connected), [10, 10, 0, -10]);
        assert_eq!(called(&listeners, Kind::Error), [5]);
        assert!(called(&listeners, Kind::Stopping).is_empty());

        let mut equal = Listeners::default();
        let (first, second) = (closure(Kind::Error), closure(Kind::Error));
        equal.add(Arc::clone(&first), ListenerOptions::new());
        equal.add(second, ListenerOptions::new().inline());
        let (index, found) = equal.next(Kind::Error, 0).unwrap();
        assert!(index == 0 && Arc::ptr_eq(&found.listener, &first));
        assert!(equal.next(Kind::Error, 1).unwrap().1.options.inline);
    }

    #[test]
    fn deciders_are_asked_in_their_order() {
        let mut listeners = Listeners::default();
        listeners.add(decider(), ListenerOptions::new());
        listeners.add(closure(Kind::Connected), ListenerOptions::new());
        listeners.add(decider(), ListenerOptions::new().priority(1));
        let priorities: Vec<i32> = listeners.deciders().map(|decider| decider.options.priority).collect();
        assert_eq!(priorities, [1, 0]);
    }

    /// Remembers what it heard.
    struct Remembers(Arc<Mutex<Vec<&'static str>>>);

    impl ClientEventListener for Remembers {
        async fn on_server_launched(&self, event: &ServerEvent) -> Result {
            self.0.lock().unwrap().push(event.record().kind().name());
            Ok(())
        }

        async fn on_server_stopping(&self, event: &ServerEvent) -> Result {
            event.stop_propagation();
            Err(crate::Error::new(event.record().kind().name()))
        }
    }

    #[tokio::test]
    async fn each_kind_reaches_its_own_method() {
        let heard = Arc::default();
        let listener: Arc<dyn ErasedListener> = Arc::new(Erased(Remembers(Arc::clone(&heard))));
        let origin = Origin { node: "test".parse().unwrap(), run: RunId::new(0, &[0; 10]) };
        let told = |body| Told::new(Record::new(Timestamp::from_unix_micros(0), origin.clone(), body), None);
        let launched =
            told(Body::Launched(Launched { address: "".into(), rawsocket: Box::default(), previous: None }));
        Arc::clone(&listener).tell(Arc::clone(&launched)).await.unwrap();
        assert!(!launched.is_stopped());
        assert_eq!(*heard.lock().unwrap(), ["clank.server.launched"]);
        let stopping = told(Body::Stopping(Stopping { open: 0 }));
        let failed = listener.tell(Arc::clone(&stopping)).await.unwrap_err();
        assert_eq!(failed.to_string(), "clank.server.stopping");
        assert!(stopping.is_stopped());
    }
}
