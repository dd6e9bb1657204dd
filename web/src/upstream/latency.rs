use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One of these for each power of two of microseconds, up to 2^31: half an hour.
const BUCKETS: usize = 32;
/// Fewer answers than this say nothing of the slowest among them.
const ENOUGH: u64 = 50;
/// Below this, in microseconds, one app is as good as another: what is measured is chance.
const EQUAL: u64 = 5_000;

/// How long an app took lately, for requests that change nothing: others take what they take.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// The mean in microseconds, in which the last answer counts for an eighth.
    mean: AtomicU64,
    /// How many answers took at least 2^n microseconds, and less than twice that.
    buckets: [AtomicU64; BUCKETS],
}

impl Latency {
    /// Notes one answer.
    pub(super) fn note(&self, micros: u64) {
        // Of two notes at once one may be lost, which does no harm.
        let mean = self.mean.load(Relaxed);
        self.mean.store(mean - mean / 8 + micros / 8, Relaxed);
        let bucket = usize::try_from(micros.checked_ilog2().unwrap_or(0)).unwrap_or(BUCKETS);
        if let Some(bucket) = self.buckets.get(bucket.min(BUCKETS - 1)) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// What one more request costs at this app, compared with others: as in a peak EWMA balancer,
    /// the time it takes by the number that are there.
    pub(super) fn cost(&self, in_flight: usize) -> u64 {
        let waiting = u64::try_from(in_flight)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        waiting.saturating_mul(self.mean.load(Relaxed).max(EQUAL))
    }

    /// Forgets all that speaks against an app which is about to begin anew.
    pub(super) fn forget(&self) {
        self.mean.store(0, Relaxed);
    }

    /// Forgets a little. Called every second: an app that took a second, and was not asked since,
    /// is as good as any other after eight. What is rare is remembered longer.
    pub(super) fn fade(&self) {
        let mean = self.mean.load(Relaxed);
        self.mean.store(mean / 2, Relaxed);
        for bucket in &self.buckets {
            let count = bucket.load(Relaxed);
            bucket.fetch_sub(count.div_ceil(10).min(count), Relaxed);
        }
    }

    /// Of a hundred answers, 99 took less than this, in microseconds.
    pub(super) fn p99(&self) -> Option<u64> {
        let counts = || self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let all: u64 = counts().sum();
        if all < ENOUGH {
            return None;
        }
        let mut slower = all;
        counts().zip(1_u32..).find_map(|(count, power)| {
            slower = slower.saturating_sub(count);
            (slower <= all / 100).then_some(1 << power)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_hundredth_is_not_seen_and_more_is() {
        let latency = Latency::default();
        assert_eq!(latency.p99(), None);
        for _ in 0..990 {
            latency.note(1500);
        }
        for _ in 0..10 {
            latency.note(3_000_000);
        }
        assert_eq!(latency.p99(), Some(2048));
        for _ in 0..10 {
            latency.note(3_000_000);
        }
        assert_eq!(latency.p99(), Some(1 << 22));
    }

    #[test]
    fn a_slow_app_costs_more_until_that_is_forgotten() {
        let (slow, fast) = (Latency::default(), Latency::default());
        for _ in 0..20 {
            slow.note(500_000);
            fast.note(800);
        }
        assert!(slow.cost(0) > fast.cost(20));
        for _ in 0..8 {
            slow.fade();
        }
        assert_eq!(slow.cost(0), fast.cost(0));
        for _ in 0..60 {
            slow.fade();
        }
        assert_eq!(slow.p99(), None);
    }
}
