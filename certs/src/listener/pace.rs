use std::time::Duration;

use tokio::time::Instant;

/// How somebody keeps up who makes us wait: never silent for long, and after a time to begin with
/// no slower than a least rate.
///
/// A limit on silence alone is met by one byte at a time; this one is not.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    since: Instant,
    last: Instant,
    bytes: u64,
}

impl Pace {
    /// The wait begins.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            bytes: 0,
        }
    }

    /// So many bytes moved while we waited.
    pub fn moved(&mut self, now: Instant, bytes: usize) {
        self.last = now;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The moment until which what moved so far is enough: `patience` after the last byte, and at
    /// `rate` bytes per second once `patience` has passed.
    #[must_use]
    pub fn deadline(&self, patience: Duration, rate: u32) -> Instant {
        let earned = Duration::from_secs(self.bytes / u64::from(rate.max(1)));
        (self.since + patience + earned).min(self.last + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn single_bytes_earn_nothing_and_a_fair_pace_is_never_late() {
        let begun = Instant::now();
        let (mut slow, mut fair) = (Pace::begin(begun), Pace::begin(begun));
        for second in 1..=100 {
            let now = begun + Duration::from_secs(second);
            slow.moved(now, 1);
            fair.moved(now, 2048);
            assert!(fair.deadline(PATIENCE, 1024) > now);
        }
        assert_eq!(slow.deadline(PATIENCE, 1024), begun + PATIENCE);
    }

    #[test]
    fn whoever_was_fast_may_not_be_silent_for_long() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        pace.moved(begun, 1 << 30);
        assert_eq!(pace.deadline(PATIENCE, 1024), begun + PATIENCE);
    }
}
