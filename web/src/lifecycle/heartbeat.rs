//! Detection of blocked workers, for the watchdog of the service manager.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use telemetry::service_manager;
use tokio::time;

/// A heartbeat flag per worker. A blocked worker serves no connection, and no other thread notices.
pub(crate) struct Heartbeat(Box<[AtomicBool]>);

impl Heartbeat {
    /// Flags for workers with numbers from 1.
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self((0..workers).map(|_| AtomicBool::new(true)).collect()))
    }

    /// Sets the flag of one worker periodically, within its runtime. Ends at once without a
    /// watchdog.
    pub(crate) async fn run(self: Arc<Self>, worker: usize) {
        let (Some(limit), Some(beat)) = (
            service_manager::watchdog_interval(),
            self.0.get(worker.saturating_sub(1)),
        ) else {
            return;
        };
        loop {
            beat.store(true, Relaxed);
            // Twice as often as the flags are checked.
            time::sleep(limit / 4).await;
        }
    }

    /// Whether every worker has set its flag since the last check.
    pub(super) fn is_regular(&self) -> bool {
        // `filter` and `count` reset every flag; `all` would stop at the first one not set.
        let beaten = self.0.iter().filter(|beat| beat.swap(false, Relaxed));
        beaten.count() == self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_blocked_worker_is_detected() {
        let heartbeat = Heartbeat::new(3);
        assert!(heartbeat.is_regular());
        for beat in &heartbeat.0[..2] {
            beat.store(true, Relaxed);
        }
        assert!(!heartbeat.is_regular());
        heartbeat.0[2].store(true, Relaxed);
        assert!(!heartbeat.is_regular());
        heartbeat
            .0
            .iter()
            .for_each(|beat| beat.store(true, Relaxed));
        assert!(heartbeat.is_regular());
    }
}
