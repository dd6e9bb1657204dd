use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
        },
    },
    task::Context,
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;

/// How often the clock is set, and looked at on behalf of all who wait.
pub(super) const TICK: Duration = Duration::from_millis(100);

const OFF: u64 = 0;
const RUNG: u64 = u64::MAX;

/// A coarse clock: milliseconds since it was made, right to a tick.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    now: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            now: AtomicU64::new(1),
        })
    }

    /// Sets it.
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

/// Wakes whoever waits for an answer when it takes too long.
///
/// Each connection has one, and one task looks at all of them: a request needs no timer, which
/// would cost it more than all its bookkeeping.
#[derive(Debug, Default)]
pub(super) struct Watch {
    due: AtomicU64,
    waker: AtomicWaker,
}

impl Watch {
    /// Sets the alarm, to a time of the [`Clock`].
    pub(super) fn set(&self, due: u64) {
        self.due.store(due.clamp(1, RUNG - 1), Release);
    }

    /// Takes the alarm back, and forgets who waited.
    pub(super) fn off(&self) {
        self.due.store(OFF, Release);
        self.waker.take();
    }

    /// Whether it is set.
    pub(super) fn is_set(&self) -> bool {
        self.due.load(Relaxed) != OFF
    }

    /// Whether the alarm has gone off; if not, the task is woken when it does.
    pub(super) fn rings(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.due.load(Acquire) == RUNG
    }

    /// Lets the alarm go off if it is due.
    pub(super) fn look(&self, now: u64) {
        let due = self.due.load(Acquire);
        let over = due != OFF && due != RUNG && due <= now;
        // Unless it was set anew in between.
        if over
            && self
                .due
                .compare_exchange(due, RUNG, AcqRel, Relaxed)
                .is_ok()
        {
            self.waker.wake();
        }
    }
}
