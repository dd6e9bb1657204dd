//! Values that belong to one worker thread.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Makes the current thread the worker `number`, from 1; all other threads have number 0.
pub(crate) fn become_worker(number: usize) {
    NUMBER.set(number);
}

/// One slot per worker and one for all other threads: a connection cannot leave the runtime that
/// opened it, so its pool cannot either.
#[derive(Debug)]
pub(crate) struct PerWorker<T>(Box<[Mutex<T>]>);

impl<T: Default> PerWorker<T> {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..=workers).map(|_| Mutex::default()).collect())
    }
}

impl<T> PerWorker<T> {
    /// The slot of this thread.
    pub(crate) fn current(&self) -> Option<MutexGuard<'_, T>> {
        self.0.get(NUMBER.get()).map(lock_ignoring_poison)
    }

    /// The slots of all threads.
    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(lock_ignoring_poison)
    }
}

/// Locks a mutex and ignores poisoning: the value is valid between any two statements.
pub(crate) fn lock_ignoring_poison<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
