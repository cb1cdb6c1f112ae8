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
