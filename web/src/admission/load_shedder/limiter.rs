//! The adaptive concurrency limit of one class.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

use super::latencies::Latencies;
use crate::limits::LimiterConfig;

/// Minimum time over which latencies are collected before the limit is adapted.
const WINDOW: Duration = Duration::from_millis(100);
/// Minimum samples of a window; with fewer it lasts up to ten times as long.
const MIN_SAMPLES: u32 = 16;
/// Acceptable latency, as a multiple of the baseline.
const TOLERANCE: u32 = 2;
/// Weight of the baseline against a slower window: after 18 seconds of load it has moved half way
/// to a higher latency. It moves to a lower one much sooner.
const BASELINE_WEIGHT: u64 = 256;

/// An adaptive limit of requests in flight.
///
/// Modelled on Netflix's `concurrency-limits` (`Gradient2Limit`: a slow average as the baseline;
/// the limit shrinks in proportion to the excess latency) and Envoy's adaptive concurrency filter
/// (the median of a window, hysteresis). The difference is [`LimiterConfig::tolerated_latency`]:
/// the cost of these requests differs a hundredfold, and a queue that no person notices is no
/// overload. The limit starts at its maximum, until overload is measured.
///
/// There are no locks, only a few atomic operations per request.
pub(super) struct AdaptiveLimit {
    config: LimiterConfig,
    limit: AtomicU32,
    /// The highest demand in this window.
    peak: AtomicU64,
    samples: AtomicU32,
    latencies: Latencies,
    /// The baseline latency in nanoseconds; 0 if unknown.
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

    /// Records the demand: the requests in flight, and the new one even if it is then rejected.
    pub(super) fn on_demand(&self, demand: u64) {
        if demand > self.peak.load(Relaxed) {
            self.peak.fetch_max(demand, Relaxed);
        }
    }

    /// Records the latency of a response received at `now`, with `in_flight` other requests in
    /// flight. Returns the limit when the window is complete.
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
        // If several threads find the window complete, one of them closes it.
        let closes = self.window.compare_exchange(began, now, AcqRel, Relaxed);
        closes.is_ok().then(|| self.adapt(in_flight))
    }

    /// Adapts the limit, and returns it.
    fn adapt(&self, in_flight: u64) -> u32 {
        self.samples.store(0, Relaxed);
        let (median, samples) = self.latencies.drain();
        let peak = self.peak.swap(in_flight, Relaxed);
        let limit = self.current();
        if samples == 0 {
            return limit;
        }
        let baseline = self.update_baseline(median);
        let acceptable = self.config.tolerated_latency.max(baseline * TOLERANCE);
        let next = if median > acceptable {
            shrink(limit, acceptable, median)
        } else if peak >= u64::from(limit / 2) {
            limit.saturating_add((limit / 8).max(1))
        } else {
            // Without demand, a low latency does not show that a higher limit is safe.
            limit
        };
        let next = next.clamp(self.config.min, self.config.max);
        self.limit.store(next, Relaxed);
        next
    }

    /// Adds a latency to the baseline, and returns the baseline before it.
    fn update_baseline(&self, latency: Duration) -> Duration {
        let latency = nanos(latency).max(1);
        let before = self.baseline.load(Relaxed);
        let next = match before {
            0 => latency,
            _ if latency < before => before - (before - latency) / 8,
            _ => before + (latency - before) / BASELINE_WEIGHT,
        };
        self.baseline.store(next, Relaxed);
        Duration::from_nanos(if before == 0 { latency } else { before })
    }
}

/// The limit reduced in proportion to the excess latency, by at most a quarter.
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
