//! How many requests may be at work, learned from how long they take.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

use super::latencies::Latencies;
use crate::limits::LimiterConfig;

/// The time over which latencies are collected before the limit moves.
const WINDOW: Duration = Duration::from_millis(100);
/// With fewer samples a window lasts up to ten times as long.
const MIN_SAMPLES: u32 = 16;
/// The multiple of the usual latency that is still acceptable.
const TOLERANCE: u32 = 2;
/// Weight of the baseline against a slower window: it takes about half a minute of load to adopt half
/// of a higher latency. A lower one is adopted much sooner.
const MEMORY: u64 = 256;

/// Adaptive concurrency: the number of requests that may be at work.
///
/// After Netflix's `concurrency-limits` (`Gradient2Limit`: a slow average as the baseline; the limit
/// shrinks in proportion to how far the present latency exceeds it) and Envoy's adaptive concurrency
/// filter (the median of a window, hysteresis); growth is additive, as in AIMD. The difference is
/// [`LimiterConfig::tolerated_latency`]: these requests differ a hundredfold by nature, and a queue
/// that no person notices is no overload. The limit starts at its maximum: overload must be seen
/// first.
///
/// Nothing here locks: a request costs three atomic operations.
pub(super) struct AdaptiveLimit {
    config: LimiterConfig,
    limit: AtomicU32,
    /// The highest demand in this window.
    peak: AtomicU64,
    samples: AtomicU32,
    latencies: Latencies,
    /// The usual latency in nanoseconds; 0 for unknown.
    baseline: AtomicU64,
    began: Instant,
    /// The start of this window, in nanoseconds since `began`.
    window: AtomicU64,
}

impl AdaptiveLimit {
    pub(super) fn new(config: LimiterConfig, now: Instant) -> Self {
        Self {
            config,
            limit: AtomicU32::new(config.max),
            peak: AtomicU64::new(0),
            samples: AtomicU32::new(0),
            latencies: Latencies::new(),
            baseline: AtomicU64::new(0),
            began: now,
            window: AtomicU64::new(0),
        }
    }

    pub(super) fn current(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// Notes that this many requests want to be at work, one that is then rejected included.
    pub(super) fn on_demand(&self, wanted: u64) {
        if wanted > self.peak.load(Relaxed) {
            self.peak.fetch_max(wanted, Relaxed);
        }
    }

    /// Counts the latency of a response that was received at `now`, with `in_flight` other requests
    /// at work. Returns the limit when the window is complete.
    pub(super) fn on_latency(
        &self,
        latency: Duration,
        now: Instant,
        in_flight: u64,
    ) -> Option<u32> {
        self.latencies.record(latency);
        let samples = self.samples.fetch_add(1, Relaxed) + 1;
        let now = nanos(now.saturating_duration_since(self.began));
        let began = self.window.load(Relaxed);
        let elapsed = now.saturating_sub(began);
        if elapsed < nanos(WINDOW) || (samples < MIN_SAMPLES && elapsed < nanos(WINDOW * 10)) {
            return None;
        }
        // Of several threads that see a complete window, one closes it.
        let closes = self.window.compare_exchange(began, now, AcqRel, Relaxed);
        closes.is_ok().then(|| self.adapt(in_flight))
    }

    /// Moves the limit, and returns it.
    fn adapt(&self, in_flight: u64) -> u32 {
        self.samples.store(0, Relaxed);
        let (median, samples) = self.latencies.drain();
        let peak = self.peak.swap(in_flight, Relaxed);
        let limit = self.current();
        if samples == 0 {
            return limit;
        }
        let usual = self.learn(median);
        let acceptable = self.config.tolerated_latency.max(usual * TOLERANCE);
        let next = if median > acceptable {
            shrink(limit, acceptable, median)
        } else if peak >= u64::from(limit / 2) {
            limit.saturating_add((limit / 8).max(1))
        } else {
            // Without demand there is nothing to learn.
            limit
        };
        let next = next.clamp(self.config.min, self.config.max);
        self.limit.store(next, Relaxed);
        next
    }

    /// The usual latency before this one, which becomes part of the baseline.
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

/// The limit in proportion to the excess latency, at least three quarters of what it was.
fn shrink(limit: u32, acceptable: Duration, median: Duration) -> u32 {
    let (acceptable, median) = (acceptable.as_micros(), median.as_micros().max(1));
    let proportional = u128::from(limit) * acceptable / median;
    let least = u128::from(limit) * 3 / 4;
    u32::try_from(proportional.max(least)).unwrap_or(limit)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
