//! Whether the workers make progress.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use telemetry::service_manager;
use tokio::time;

/// The heartbeat of each worker: a blocked one serves no connection, and no other thread notices.
pub(crate) struct Heartbeat(Box<[AtomicBool]>);

impl Heartbeat {
    /// For workers with numbers from 1.
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self((0..workers).map(|_| AtomicBool::new(true)).collect()))
    }

    /// Beats for one worker, within its runtime, if the service manager has a watchdog.
    pub(crate) async fn run(self: Arc<Self>, worker: usize) {
        let (Some(limit), Some(beat)) = (
            service_manager::patience(),
            self.0.get(worker.saturating_sub(1)),
        ) else {
            return;
        };
        loop {
            beat.store(true, Relaxed);
            // Twice as often as it is checked.
            time::sleep(limit / 4).await;
        }
    }

    /// Whether all have beaten since the last check.
    pub(super) fn is_regular(&self) -> bool {
        // Every flag is reset, also after one that is not set.
        let beaten = self.0.iter().filter(|beat| beat.swap(false, Relaxed));
        beaten.count() == self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_blocked_worker_is_enough() {
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
