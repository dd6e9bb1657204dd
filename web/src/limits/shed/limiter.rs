use std::{
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Relaxed},
    },
    time::{Duration, Instant},
};

use super::latencies::Latencies;

/// How long latencies are gathered before the limit moves.
const WINDOW: Duration = Duration::from_millis(100);
/// Fewer say too little: the window then lasts up to ten times as long.
const SAMPLES: u32 = 16;
/// How much slower than usual is not yet slow.
const TOLERANCE: u32 = 2;
/// How many windows it takes for half of what was usual to be forgotten, if it gets slower: about
/// half a minute under load. Getting faster is believed much sooner.
const MEMORY: u64 = 256;

/// What a class of requests is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// So many at a time are never refused.
    pub(crate) floor: u32,
    /// More at a time are always refused.
    pub(crate) ceiling: u32,
    /// Answers that come sooner are soon enough, however much faster they usually are.
    pub(crate) patience: Duration,
}

/// Adaptive concurrency: how many requests may be at work, learned from how long they take.
///
/// After Netflix's `concurrency-limits` (`Gradient2Limit`: a slow average as the baseline, the
/// limit shrinks in proportion to how far the present latency is above it) and Envoy's adaptive
/// concurrency filter (the median of a window, hysteresis); growth is additive, as in AIMD. What
/// differs is [`Rules::patience`]: our requests differ a hundredfold by nature, and a queue that
/// nobody notices is no overload. It begins at the ceiling: overload has to be seen first.
///
/// Nothing here locks: a request costs two atomic additions and one comparison.
pub(super) struct Limiter {
    rules: Rules,
    limit: AtomicU32,
    in_flight: AtomicU32,
    /// The most at a time in this window.
    peak: AtomicU32,
    samples: AtomicU32,
    latencies: Latencies,
    /// What is usual, in nanoseconds; 0 for not known yet.
    baseline: AtomicU64,
    began: Instant,
    /// When this window began, in nanoseconds since `began`.
    window: AtomicU64,
}

impl Limiter {
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            limit: AtomicU32::new(rules.ceiling),
            in_flight: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            samples: AtomicU32::new(0),
            latencies: Latencies::new(),
            baseline: AtomicU64::new(0),
            began: now,
            window: AtomicU64::new(0),
        }
    }

    /// Takes a place, if there is one.
    pub(super) fn enter(&self) -> bool {
        let limit = self.limit.load(Relaxed);
        let entered = self.in_flight.fetch_update(AcqRel, Relaxed, |in_flight| {
            (in_flight < limit).then(|| in_flight + 1)
        });
        // Who is refused has wanted one place more than there is.
        self.reached(entered.map_or(limit, |before| before + 1));
        entered.is_ok()
    }

    /// Takes a place whether there is one or not.
    pub(super) fn enter_again(&self) {
        self.reached(self.in_flight.fetch_add(1, AcqRel) + 1);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, AcqRel);
    }

    fn reached(&self, in_flight: u32) {
        if in_flight > self.peak.load(Relaxed) {
            self.peak.fetch_max(in_flight, Relaxed);
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// Counts the latency of an answer that came at `now`, and moves the limit when a window is
    /// full.
    pub(super) fn took(&self, latency: Duration, now: Instant) {
        self.latencies.record(latency);
        let samples = self.samples.fetch_add(1, Relaxed) + 1;
        let now = nanos(now.saturating_duration_since(self.began));
        let began = self.window.load(Relaxed);
        let lasted = now.saturating_sub(began);
        if lasted < nanos(WINDOW) || (samples < SAMPLES && lasted < nanos(WINDOW * 10)) {
            return;
        }
        // One of those who see the window full closes it.
        let closes = self.window.compare_exchange(began, now, AcqRel, Relaxed);
        if closes.is_ok() {
            self.adapt();
        }
    }

    fn adapt(&self) {
        self.samples.store(0, Relaxed);
        let (median, samples) = self.latencies.drain();
        let peak = self.peak.swap(self.in_flight(), Relaxed);
        if samples == 0 {
            return;
        }
        let usual = self.learn(median);
        let limit = self.limit();
        let enough = self.rules.patience.max(usual * TOLERANCE);
        let next = if median > enough {
            shrunk(limit, enough, median)
        } else if peak >= limit / 2 {
            limit.saturating_add((limit / 8).max(1))
        } else {
            // Nobody wanted more: there is nothing to learn.
            limit
        };
        let next = next.clamp(self.rules.floor, self.rules.ceiling);
        self.limit.store(next, Relaxed);
    }

    /// What was usual before `latency`, which becomes part of it.
    fn learn(&self, latency: Duration) -> Duration {
        let latency = nanos(latency).max(1);
        let before = self.baseline.load(Relaxed);
        let next = match before {
            0 => latency,
            _ if latency < before => before - (before - latency) / 8,
            _ => before + (latency - before) / MEMORY,
        };
        self.baseline.store(next, Relaxed);
        Duration::from_nanos(if before == 0 { latency } else { before })
    }
}

/// A limit in proportion to how much too slow it is, at least three quarters of what it was.
fn shrunk(limit: u32, enough: Duration, median: Duration) -> u32 {
    let (enough, median) = (enough.as_micros(), median.as_micros().max(1));
    let proportional = u128::from(limit) * enough / median;
    let least = u128::from(limit) * 3 / 4;
    u32::try_from(proportional.max(least)).unwrap_or(limit)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
