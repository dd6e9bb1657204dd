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

/// How often the clock is set, and deadlines are checked.
pub(super) const TICK: Duration = Duration::from_millis(100);

const OFF: u64 = 0;
const FIRED: u64 = u64::MAX;

/// A coarse clock: milliseconds since it was made, right to a tick.
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

    /// Sets the clock to the present time.
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

/// The time by which a response must make progress; it wakes the waiting task when it has passed.
///
/// Each connection has one, and one task checks all of them: a timer for each request would cost more
/// than the rest of its bookkeeping.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    due: AtomicU64,
    waker: AtomicWaker,
}

impl Deadline {
    /// Sets it to a time of the [`CoarseClock`].
    pub(super) fn set(&self, due: u64) {
        self.due.store(due.clamp(1, FIRED - 1), Release);
    }

    /// Clears it.
    pub(super) fn clear(&self) {
        self.due.store(OFF, Release);
        self.waker.take();
    }

    /// Whether it is set.
    pub(super) fn is_set(&self) -> bool {
        self.due.load(Relaxed) != OFF
    }

    /// Whether it has passed; if not, the task is woken when it does.
    pub(super) fn has_passed(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.due.load(Acquire) == FIRED
    }

    /// Wakes the waiting task if the time has passed.
    pub(super) fn expire(&self, now: u64) {
        let due = self.due.load(Acquire);
        let over = due != OFF && due != FIRED && due <= now;
        // Unless it was set again in between.
        if over
            && self
                .due
                .compare_exchange(due, FIRED, AcqRel, Relaxed)
                .is_ok()
        {
            self.waker.wake();
        }
    }
}
