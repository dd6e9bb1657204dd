//! Deadlines without timers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::Ordering::Release;
use std::task::Context;
use std::time::Duration;
use std::time::Instant;

use futures::task::AtomicWaker;

/// Interval at which the clock is set and deadlines are checked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The value of a deadline that is not set.
const OFF: u64 = 0;
/// The value of a deadline that has passed.
const FIRED: u64 = u64::MAX;

/// A clock in milliseconds since its creation, with a resolution of one tick.
#[derive(Debug)]
pub(super) struct CoarseClock {
    began: Instant,
    now: AtomicU64,
}

impl CoarseClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            now: AtomicU64::new(1),
        })
    }

    /// Sets the clock to the current time, and returns it.
    pub(super) fn tick(&self) -> u64 {
        let now = millis(self.began.elapsed()).max(1);
        self.now.store(now, Relaxed);
        now
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The deadline by which a response must make progress; wakes the waiting task once it has passed.
///
/// Each connection has one, and one task checks them all: a timer per request would cost more than
/// the rest of a request's bookkeeping.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    due: AtomicU64,
    waker: AtomicWaker,
}

impl Deadline {
    /// Sets the deadline to a time of the [`CoarseClock`].
    pub(super) fn set(&self, due: u64) {
        self.due.store(due.clamp(1, FIRED - 1), Release);
    }

    /// Clears the deadline.
    pub(super) fn clear(&self) {
        self.due.store(OFF, Release);
        self.waker.take();
    }

    /// Whether the deadline is set.
    pub(super) fn is_set(&self) -> bool {
        self.due.load(Relaxed) != OFF
    }

    /// Whether the deadline has passed; otherwise the task is woken when it passes.
    pub(super) fn has_passed(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.due.load(Acquire) == FIRED
    }

    /// Wakes the waiting task if the deadline has passed.
    pub(super) fn expire(&self, now: u64) {
        let due = self.due.load(Acquire);
        let has_passed = due != OFF && due != FIRED && due <= now;
        // The exchange fails if the deadline was set again in between.
        if has_passed
            && self
                .due
                .compare_exchange(due, FIRED, AcqRel, Relaxed)
                .is_ok()
        {
            self.waker.wake();
        }
    }
}
