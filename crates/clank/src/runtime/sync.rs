//! The locks, atomics and hashes of everything that is model-checked.
//!
//! With the `shuttle` feature (the model tests alone) they are shuttle's, which explores
//! interleavings; otherwise the standard library's.

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    hash::RandomState,
    sync::{Mutex, MutexGuard, atomic},
};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

/// A model has to do the same again when its schedule is replayed.
#[cfg(feature = "shuttle")]
pub(crate) type RandomState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// Locks `mutex`, poisoned or not: no critical section here leaves a half-made state behind, and
/// one connection's panic must not take the others with it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
