//! How a trait with default methods tells which of them were written.
//!
//! A method that was left out returns [`Absent`], and the type of a method's future is known
//! without calling it. So what nobody listens to costs nothing: no record is made for it, no
//! future boxed, no task started.

use std::any::TypeId;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;

/// A future as erased handlers return it.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The future of a method that was left out.
pub(crate) struct Absent<T>(PhantomData<fn() -> T>);

impl<T> Absent<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Default> Future for Absent<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(T::default()))
    }
}

/// Whether the method `f`, which takes the handler and one more argument, was written.
pub(crate) fn is_present<S: 'static, A: 'static, T: 'static, F: 'static>(
    _: impl Fn(&'static S, &'static A) -> F,
) -> bool {
    TypeId::of::<F>() != TypeId::of::<Absent<T>>()
}

/// As [`is_present`], for a method that takes two arguments.
pub(crate) fn is_present_2<S: 'static, A: 'static, B: 'static, T: 'static, F: 'static>(
    _: impl Fn(&'static S, &'static A, &'static B) -> F,
) -> bool {
    TypeId::of::<F>() != TypeId::of::<Absent<T>>()
}

/// As [`is_present`], for a method that takes three arguments.
pub(crate) fn is_present_3<S: 'static, A: 'static, B: 'static, C: 'static, T: 'static, F: 'static>(
    _: impl Fn(&'static S, &'static A, &'static B, &'static C) -> F,
) -> bool {
    TypeId::of::<F>() != TypeId::of::<Absent<T>>()
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::listener::{self, ClientEventListener, ErasedListener};
    use crate::topic::{self, ErasedTopicHandler, TopicHandler};
    use crate::{Admission, ClientEvent, ConnectRequest, Connection, EventKind, Forward, Publication, Topic};

    /// Leaves everything out.
    struct Nothing;
    impl ClientEventListener for Nothing {}
    impl TopicHandler for Nothing {}

    /// Has some methods, written in all the ways there are.
    struct Some;

    impl ClientEventListener for Some {
        async fn on_client_connect(&self, _: &ClientEvent) -> Result {
            Ok(())
        }

        fn on_client_disconnect(&self, _: &ClientEvent) -> impl Future<Output = Result> + Send {
            std::future::ready(Ok(()))
        }

        async fn on_client_connecting(&self, _: &ConnectRequest) -> Result<Admission> {
            Ok(Admission::accept())
        }
    }

    impl TopicHandler for Some {
        async fn on_subscribe(&self, _: &Connection, _: &Topic) -> Result {
            // The same answer as of one that was left out, by a future of another type.
            Absent::new().await
        }
    }

    fn heard(listener: &dyn ErasedListener) -> Vec<EventKind> {
        EventKind::ALL.into_iter().filter(|kind| listener.hooks().hears(*kind)).collect()
    }

    fn handled(handler: &dyn ErasedTopicHandler) -> [bool; 4] {
        let hooks = handler.hooks();
        [hooks.may_subscribe, hooks.subscribe, hooks.unsubscribe, hooks.publish]
    }

    #[test]
    fn what_was_left_out_is_known_without_a_call() {
        assert_eq!(heard(&listener::Erased(Nothing)), []);
        assert!(!listener::Erased(Nothing).hooks().decides());
        assert_eq!(handled(&topic::Erased(Nothing)), [false; 4]);
    }

    #[test]
    fn what_was_written_is_present_however_it_was_written() {
        assert_eq!(heard(&listener::Erased(Some)), [EventKind::Connected, EventKind::Disconnected]);
        assert!(listener::Erased(Some).hooks().decides());
        assert_eq!(handled(&topic::Erased(Some)), [false, true, false, false]);
    }

    #[test]
    fn closures_are_one_method() {
        let publish = |_: Connection, _: Topic, _: Publication| async { Ok(Forward::Nothing) };
        assert_eq!(handled(&topic::Erased(publish)), [false, false, false, true]);
        for kind in EventKind::ALL {
            let closure = listener::Closure { kind, call: |_| async { Ok(()) } };
            assert_eq!(heard(&closure), [kind]);
            assert!(!closure.hooks().decides());
        }
        let decider = listener::Decider(|_| async { Ok(Admission::accept()) });
        assert!(decider.hooks().decides());
        assert_eq!(heard(&decider), []);
    }

    #[tokio::test]
    async fn what_was_left_out_answers_by_default() {
        assert!(Absent::<()>::new().await.is_ok());
        assert_eq!(Absent::<topic::Permit>::new().await.unwrap(), topic::Permit::Granted);
    }
}
