//! The minimum throughput of a peer that delays the other side.

use std::time::Duration;

use tokio::time::Instant;

/// The measured throughput of a peer that keeps the other side waiting: some bytes in every grace
/// period, and a minimum average rate after the first.
///
/// A limit on silence alone would let a peer send one byte at a time.
#[derive(Clone, Copy, Debug)]
pub struct ThroughputGuard {
    since: Instant,
    last: Instant,
    bytes: u64,
}

impl ThroughputGuard {
    /// Starts the measurement, when the wait for the peer begins.
    #[must_use]
    pub fn start(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            bytes: 0,
        }
    }

    /// Counts bytes that moved.
    pub fn on_progress(&mut self, now: Instant, bytes: usize) {
        self.last = now;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Continues the measurement after a pause that is not the peer's fault: the time since the
    /// last progress does not count.
    pub fn resume(&mut self, now: Instant) {
        self.since += now.saturating_duration_since(self.last);
        self.last = now;
    }

    /// The deadline for the next bytes: `grace` after the last ones, and earlier if the average
    /// falls below `min_bytes_per_second` after the first `grace`.
    #[must_use]
    pub fn deadline(&self, grace: Duration, min_bytes_per_second: u32) -> Instant {
        let earned = Duration::from_secs(self.bytes / u64::from(min_bytes_per_second.max(1)));
        (self.since + grace + earned).min(self.last + grace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn single_bytes_do_not_extend_the_deadline_and_the_minimum_rate_does() {
        let start = Instant::now();
        let (mut slow, mut fair) = (ThroughputGuard::start(start), ThroughputGuard::start(start));
        for second in 1..=100 {
            let now = start + Duration::from_secs(second);
            slow.on_progress(now, 1);
            fair.on_progress(now, 2048);
            assert!(fair.deadline(GRACE, 1024) > now);
        }
        assert_eq!(slow.deadline(GRACE, 1024), start + GRACE);
    }

    #[test]
    fn a_pause_that_is_not_the_peers_fault_does_not_count() {
        let start = Instant::now();
        let mut guard = ThroughputGuard::start(start);
        guard.on_progress(start, 1);
        let later = start + Duration::from_mins(5);
        guard.resume(later);
        assert_eq!(guard.deadline(GRACE, 1024), later + GRACE);
        // Waits before several pauses add up.
        let (mut guard, mut now) = (ThroughputGuard::start(start), start);
        let late = (0..3).any(|_| {
            guard.resume(now);
            now += Duration::from_secs(9);
            let late = guard.deadline(GRACE, 1024) < now;
            guard.on_progress(now, 1);
            late
        });
        assert!(late);
    }

    #[test]
    fn a_fast_peer_may_not_be_silent_longer_than_the_grace_period() {
        let start = Instant::now();
        let mut guard = ThroughputGuard::start(start);
        guard.on_progress(start, 1 << 30);
        assert_eq!(guard.deadline(GRACE, 1024), start + GRACE);
    }
}
