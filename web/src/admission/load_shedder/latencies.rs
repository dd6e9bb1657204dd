//! The distribution of latencies in one window.

use std::iter;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Buckets per doubling of the latency: the median is within an eighth of the exact one.
const PER_DOUBLING: u32 = 4;
/// Number of buckets: up to 2³¹ µs, which is 36 minutes.
const BUCKETS: usize = 116;

/// A histogram of the latencies in one window. Recording is one atomic addition; the median, unlike
/// the mean, does not depend on a few slow requests.
pub(super) struct Latencies([AtomicU32; BUCKETS]);

impl Latencies {
    pub(super) fn new() -> Self {
        Self([const { AtomicU32::new(0) }; BUCKETS])
    }

    pub(super) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.0.get(bucket(micros)) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// Returns the median and the number of samples, and empties the histogram.
    pub(super) fn drain(&self) -> (Duration, u32) {
        let mut counts = [0; BUCKETS];
        for (count, bucket) in iter::zip(&mut counts, &self.0) {
            *count = bucket.swap(0, Relaxed);
        }
        let total: u32 = counts.iter().sum();
        let mut below = 0;
        for (index, count) in counts.iter().enumerate() {
            below += count;
            if below > total / 2 {
                return (Duration::from_micros(middle(index)), total);
            }
        }
        (Duration::ZERO, 0)
    }
}

/// The bucket of a latency in microseconds; less than 4 µs counts as 4.
fn bucket(micros: u64) -> usize {
    let micros = micros.clamp(4, (1 << 31) - 1);
    let doublings = micros.ilog2() - 2;
    let quarter = u32::try_from((micros >> doublings) & 3).unwrap_or(0);
    usize::try_from(doublings * PER_DOUBLING + quarter).unwrap_or(BUCKETS)
}

/// The latency in the middle of a bucket, in microseconds.
fn middle(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(0);
    let (doublings, quarter) = (index / 4, index % 4);
    ((4 + quarter) << doublings) + (1 << doublings) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_within_an_eighth_of_its_values(micros in 4_u64..(1 << 31)) {
            let index = bucket(micros);
            prop_assert!(index < BUCKETS);
            prop_assert!(middle(index).abs_diff(micros) <= micros / 8 + 1);
        }

        #[test]
        fn the_median_is_within_an_eighth_of_the_exact_one(
            mut micros in proptest::collection::vec(4_u64..100_000_000, 1..200),
        ) {
            let latencies = Latencies::new();
            for micros in &micros {
                latencies.record(Duration::from_micros(*micros));
            }
            micros.sort_unstable();
            let (median, total) = latencies.drain();
            let exact = micros[micros.len() / 2];
            prop_assert_eq!(usize::try_from(total).unwrap(), micros.len());
            prop_assert!(median.as_micros().abs_diff(exact.into()) <= u128::from(exact / 8 + 1));
            prop_assert_eq!(latencies.drain(), (Duration::ZERO, 0));
        }
    }

    #[test]
    fn a_latency_above_the_last_bucket_counts_in_it() {
        let latencies = Latencies::new();
        latencies.record(Duration::MAX);
        let (median, total) = latencies.drain();
        assert_eq!(total, 1);
        assert!(median > Duration::from_mins(17));
    }
}
